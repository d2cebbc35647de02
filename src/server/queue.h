/*-------------------------------------------------------------------------
 *
 * queue.h
 *		What waits between a peer and dispatch: messages in, frames out.
 *
 * Plain memory: no sockets, and no limits of its own.  How much may wait is
 * up to session.c.  All zeros is a valid empty queue of either kind.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "answer.h"

/* ---- messages: one being received, whole ones behind each other ---- */

typedef struct inbox_message
{
	struct inbox_message *next;
	size_t		len_bytes;
	char		bytes[];		/* a NUL byte follows */
} inbox_message;

typedef struct inbox
{
	inbox_message *first;
	inbox_message *last;
	size_t		messages;		/* whole ones */
	size_t		bytes;			/* in them */
	inbox_message *partial;
	size_t		partial_size_bytes;
} inbox;

/* Adds to the message being received; false if out of memory. */
extern bool inbox_append(inbox *in, const void *bytes, size_t len_bytes);
extern size_t inbox_partial_bytes(const inbox *in);

/* The message being received, to which something was appended, is whole. */
extern void inbox_complete(inbox *in);
extern void inbox_drop_first(inbox *in);
extern void inbox_clear(inbox *in);

/* ---- frames: each an answer, or a piece of one ---- */

typedef struct outbox_frame
{
	struct outbox_frame *next;
	answer		ans;
	bool		first;			/* of its answer's frames */
	bool		last;
} outbox_frame;

typedef struct outbox
{
	outbox_frame *first;
	outbox_frame *last;
	size_t		frames;
	size_t		sendable;		/* the first so many may go, the others wait */
	size_t		bytes;
	bool		inside_answer;	/* whose last frame is not yet here */
} outbox;

/* Takes the text over; false if out of memory. */
extern bool outbox_add(outbox *out, answer *ans, bool last);
extern void outbox_drop_first(outbox *out);
extern void outbox_clear(outbox *out);

#endif							/* QUEUE_H */
