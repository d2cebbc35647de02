/*-------------------------------------------------------------------------
 *
 * reader.c
 *		Fuzz target: the JSON reader of ltdbd, against jansson.
 *
 * What the members of a request mean is left to dispatch.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>

#include "reader_reference.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool		accepted;
	bool		same = agree((const char *) data, size, &accepted);

	/* jansson overlooks a NUL behind a number or literal */
	if (!same && (accepted || memchr(data, '\0', size) == NULL))
		abort();
	return 0;
}
