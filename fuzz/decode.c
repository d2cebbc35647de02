/*-------------------------------------------------------------------------
 *
 * decode.c
 *		Fuzz target: the client's decoder, in pieces, against jansson.
 *
 * Three bytes say what was asked for and how the answer is cut; the rest is the
 * answer.  What jansson makes of it is left to t/reference.h.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "reference.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ltdb_request_type type;
	const char *answer = (const char *) data + 3;
	size_t		len = size - 3;
	outcome		expected;

	if (size < 3)
		return 0;
	type = (ltdb_request_type) (data[0] % LTDB_REQ_COUNT);
	expected = reference(type, answer, len);
	if (!agrees(type, answer, len, data[1], data[2], &expected) ||
		!agrees(type, answer, len, len, 0, &expected))
		abort();
	free_outcome(&expected);
	return 0;
}
