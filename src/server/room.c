/*-------------------------------------------------------------------------
 *
 * room.c
 *		Memory that is kept from one use to the next, and grows as needed.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "room.h"

#include <stdlib.h>
#include <string.h>

#define MIN_BYTES (64 * 1024)

/* More than this is not kept. */
#define KEPT_MAX_BYTES (1024 * 1024)

bool
room_make(room *rm, size_t kept_bytes, size_t wanted_bytes)
{
	void	   *larger;

	if (wanted_bytes <= rm->size_bytes)
		return true;
	if (wanted_bytes < MIN_BYTES)
		wanted_bytes = MIN_BYTES;
	larger = malloc(wanted_bytes);
	if (larger == NULL)
		return false;
	if (kept_bytes > 0)
		memcpy(larger, rm->bytes, kept_bytes);
	free(rm->bytes);
	rm->bytes = larger;
	rm->size_bytes = wanted_bytes;
	return true;
}

void
room_give_back(room *rm)
{
	if (rm->size_bytes > KEPT_MAX_BYTES)
		room_free(rm);
}

void
room_free(room *rm)
{
	free(rm->bytes);
	*rm = (room) {0};
}
