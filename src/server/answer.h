/*-------------------------------------------------------------------------
 *
 * answer.h
 *		The text of an answer while it is being written.
 *
 * A growing buffer with room in front for a transport's header, and the few
 * JSON forms an answer is made of.  What is written is up to dispatch.c and
 * listing.c, when it is sent up to session.c.
 *
 * Failure is sticky: once memory ran out, later calls do nothing and `failed`
 * stays set, so only the one who hands the answer on needs to look.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At least what the WebSocket library wants in front of what it sends. */
#define ANSWER_ROOM_BYTES 32

/* All zeros is a valid empty answer. */
typedef struct answer
{
	unsigned char *memory;		/* the room, then the text */
	size_t		len_bytes;		/* of the text */
	size_t		size_bytes;		/* of what the text may grow to */
	bool		failed;
} answer;

extern void answer_free(answer *ans);
extern void answer_raw(answer *ans, const char *bytes, size_t len_bytes);
extern void answer_string(answer *ans, const char *bytes, size_t len_bytes);
extern void answer_integer(answer *ans, int64_t value);

/* {"id":"..." - left open for more members */
extern void answer_begin(answer *ans, const char *id_member,
						 const char *id, size_t id_len_bytes);

/* ,"name": */
extern void answer_member(answer *ans, const char *name);

#endif							/* ANSWER_H */
