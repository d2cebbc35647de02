/*-------------------------------------------------------------------------
 *
 * frames.c
 *		Received WebSocket frames: the one place that knows wslay.
 *
 * libwebsockets' client looks at received bytes one by one, which took three
 * fifths of the time of a long scan; wslay hands the contents of a frame on as
 * they lie.  Where the bytes come from is left to stream.c, what a message
 * says to receive.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include <wslay/wslay.h>

#include "ltdb_int.h"

struct ltdbp_frames
{
	wslay_frame_context_ptr wslay;
	const char *bytes;			/* fed, and not yet taken; lent */
	size_t		len_bytes;
	uint64_t	seen_bytes;		/* of the present frame's contents */
	bool		in_message;		/* another frame belongs to it */
	char		control[LTDBP_CONTROL_BYTES];
	size_t		control_len;
	const char *flaw;			/* constant text; NULL = none */
};

/* wslay wants bytes, into a buffer of its own. */
static ssize_t
take_fed(uint8_t *dest, size_t size, int flags, void *arg)
{
	ltdbp_frames *frames = arg;
	size_t		len = frames->len_bytes < size ? frames->len_bytes : size;

	memcpy(dest, frames->bytes, len);
	frames->bytes += len;
	frames->len_bytes -= len;
	return (ssize_t) len;
}

/* NULL if there is no memory. */
ltdbp_frames *
ltdbp_frames_new(void)
{
	static const struct wslay_frame_callbacks callbacks = {.recv_callback = take_fed};
	ltdbp_frames *frames = ltdbp_alloc_zeroed(sizeof(*frames));

	if (frames != NULL && wslay_frame_context_init(&frames->wslay, &callbacks, frames) != 0)
	{
		free(frames);
		return NULL;
	}
	return frames;
}

void
ltdbp_frames_free(ltdbp_frames *frames)
{
	if (frames == NULL)
		return;
	wslay_frame_context_free(frames->wslay);
	free(frames);
}

/* Lends bytes, until ltdbp_frames_next() wants more. */
void
ltdbp_frames_feed(ltdbp_frames *frames, const char *bytes, size_t len)
{
	frames->bytes = bytes;
	frames->len_bytes = len;
}

static ltdbp_frame
bad(ltdbp_frames *frames, const char *flaw)
{
	frames->flaw = flaw;
	return LTDBP_FRAME_BAD;
}

/* Whether a frame may come here from a server: NULL, or what is wrong with it. */
static const char *
frame_flaw(const ltdbp_frames *frames, const struct wslay_frame_iocb *frame)
{
	if (frame->rsv != WSLAY_RSV_NONE)
		return "WebSocket frame with reserved bits";
	if (frame->mask != 0)
		return "masked WebSocket frame";
	switch (frame->opcode)
	{
		case WSLAY_CONTINUATION_FRAME:
			return frames->in_message ? NULL : "WebSocket frame that goes on with no message";
		case WSLAY_TEXT_FRAME:
		case WSLAY_BINARY_FRAME:
			return frames->in_message ? "WebSocket message inside another" : NULL;
		case WSLAY_CONNECTION_CLOSE:
		case WSLAY_PING:
		case WSLAY_PONG:
			return NULL;
		default:
			return "WebSocket frame of an unknown kind";
	}
}

/* Gathers a control frame's contents, however they come. */
static ltdbp_frame
control(ltdbp_frames *frames, const struct wslay_frame_iocb *frame, bool complete, ltdbp_piece *piece)
{
	memcpy(frames->control + frames->control_len, frame->data, frame->data_length);
	frames->control_len += frame->data_length;
	if (!complete)
		return LTDBP_FRAME_MORE;

	piece->bytes = frames->control;
	piece->len_bytes = frames->control_len;
	piece->final = true;
	frames->control_len = 0;
	switch (frame->opcode)
	{
		case WSLAY_CONNECTION_CLOSE:
			return LTDBP_FRAME_CLOSE;
		case WSLAY_PING:
			return LTDBP_FRAME_PING;
		default:
			return LTDBP_FRAME_MORE;
	}
}

/* One step of wslay's; sets *again if there is more to be had from what was fed. */
static ltdbp_frame
step(ltdbp_frames *frames, ltdbp_piece *piece, bool *again)
{
	struct wslay_frame_iocb frame = {0};
	ssize_t		len = wslay_frame_recv(frames->wslay, &frame);
	const char *flaw;
	bool		complete;

	*again = false;
	if (len == WSLAY_ERR_WANT_READ)
	{
		*again = frames->len_bytes > 0;
		return LTDBP_FRAME_MORE;
	}
	if (len < 0)
		return bad(frames, "WebSocket frame with a wrong length, or control frame in pieces");

	flaw = frames->seen_bytes == 0 ? frame_flaw(frames, &frame) : NULL;
	if (flaw != NULL)
		return bad(frames, flaw);
	*again = true;
	frames->seen_bytes += frame.data_length;
	complete = frames->seen_bytes == frame.payload_length;
	if (complete)
		frames->seen_bytes = 0;
	if (wslay_is_ctrl_frame(frame.opcode))
		return control(frames, &frame, complete, piece);

	/* wslay's buffer: it will not look at these bytes again */
	piece->bytes = (char *) frame.data;
	piece->len_bytes = frame.data_length;
	piece->final = complete && frame.fin;
	frames->in_message = !piece->final;
	return LTDBP_FRAME_DATA;
}

/*
 * The next piece of a message, or a control frame that is complete; its bytes
 * are lent until the next call.  LTDBP_FRAME_MORE: all that was fed is used
 * up.  LTDBP_FRAME_BAD, then and ever after: see ltdbp_frames_flaw().
 */
ltdbp_frame
ltdbp_frames_next(ltdbp_frames *frames, ltdbp_piece *piece)
{
	ltdbp_frame frame = LTDBP_FRAME_BAD;
	bool		again = frames->flaw == NULL;

	while (again)
	{
		frame = step(frames, piece, &again);
		if (frame != LTDBP_FRAME_MORE)
			break;
	}
	return frame;
}

const char *
ltdbp_frames_flaw(const ltdbp_frames *frames)
{
	return frames->flaw;
}
