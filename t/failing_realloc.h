/*-------------------------------------------------------------------------
 *
 * failing_realloc.h
 *		Memory for the client that runs out when a test says so.
 *
 * To be put in place of ltdbp_realloc.  Which allocation fails, and what should
 * come of it, is left to the tests.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef FAILING_REALLOC_H
#define FAILING_REALLOC_H

#include <stdlib.h>
#include <string.h>

/* Until all fail; -1 = none does. */
static int	allocations_left = -1;

/*
 * New memory is full of quotes, so that reading beyond what was written there
 * changes the result.
 */
static void *
failing_realloc(void *pointer, size_t size)
{
	char	   *bytes;

	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	bytes = realloc(pointer, size);
	if (bytes != NULL && pointer == NULL)
		memset(bytes, '"', size);
	return bytes;
}

#endif							/* FAILING_REALLOC_H */
