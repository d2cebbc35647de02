/*-------------------------------------------------------------------------
 *
 * queue.c
 *		Messages that wait to be carried out, frames that wait to be sent.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

/* ---- messages ---- */

/* Room for a message of this length, and the NUL behind it. */
static bool
reserve_partial(inbox *in, size_t len_bytes)
{
	size_t		size = in->partial_size_bytes;
	inbox_message *memory;

	if (in->partial != NULL && len_bytes <= size)
		return true;
	size = len_bytes < 2 * size ? 2 * size : len_bytes;
	memory = realloc(in->partial, offsetof(inbox_message, bytes) + size + 1);
	if (memory == NULL)
		return false;
	if (in->partial == NULL)
		memory->len_bytes = 0;
	in->partial = memory;
	in->partial_size_bytes = size;
	return true;
}

size_t
inbox_partial_bytes(const inbox *in)
{
	return in->partial != NULL ? in->partial->len_bytes : 0;
}

bool
inbox_append(inbox *in, const void *bytes, size_t len_bytes)
{
	if (!reserve_partial(in, inbox_partial_bytes(in) + len_bytes))
		return false;
	if (len_bytes > 0)
		memcpy(in->partial->bytes + in->partial->len_bytes, bytes, len_bytes);
	in->partial->len_bytes += len_bytes;
	return true;
}

void
inbox_complete(inbox *in)
{
	inbox_message *whole = in->partial;

	whole->bytes[whole->len_bytes] = '\0';
	whole->next = NULL;
	if (in->first == NULL)
		in->first = whole;
	else
		in->last->next = whole;
	in->last = whole;
	in->messages++;
	in->bytes += whole->len_bytes;
	in->partial = NULL;
	in->partial_size_bytes = 0;
}

void
inbox_drop_first(inbox *in)
{
	inbox_message *done = in->first;

	in->first = done->next;
	in->messages--;
	in->bytes -= done->len_bytes;
	free(done);
}

void
inbox_clear(inbox *in)
{
	while (in->first != NULL)
		inbox_drop_first(in);
	free(in->partial);
	in->partial = NULL;
}

/* ---- frames ---- */

bool
outbox_add(outbox *out, answer *ans, bool last)
{
	outbox_frame *frame = malloc(sizeof(outbox_frame));

	if (frame == NULL)
		return false;
	frame->next = NULL;
	frame->ans = *ans;
	frame->first = !out->inside_answer;
	frame->last = last;
	out->inside_answer = !last;
	if (out->first == NULL)
		out->first = frame;
	else
		out->last->next = frame;
	out->last = frame;
	out->frames++;
	out->bytes += ans->len_bytes;
	return true;
}

void
outbox_drop_first(outbox *out)
{
	outbox_frame *done = out->first;

	out->first = done->next;
	out->frames--;
	if (out->sendable > 0)
		out->sendable--;
	out->bytes -= done->ans.len_bytes;
	answer_free(&done->ans);
	free(done);
}

void
outbox_clear(outbox *out)
{
	while (out->first != NULL)
		outbox_drop_first(out);
}
