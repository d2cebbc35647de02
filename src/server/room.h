/*-------------------------------------------------------------------------
 *
 * room.h
 *		Memory that is kept from one use to the next, and grows as needed.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ROOM_H
#define ROOM_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, it is empty. */
typedef struct room
{
	void	   *bytes;
	size_t		size_bytes;
} room;

/* Room for so many bytes, of which the first are kept; false if out of memory. */
extern bool room_make(room *rm, size_t kept_bytes, size_t wanted_bytes);

/* Frees it if it has become large, for what is rarely needed. */
extern void room_give_back(room *rm);
extern void room_free(room *rm);

#endif							/* ROOM_H */
