/*-------------------------------------------------------------------------
 *
 * frames.c
 *		Fuzz target: what a server sends, as WebSocket frames.
 *
 * The bytes come at once, and in pieces: it must be all the same.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "client/ltdb_int.h"

#define PIECES 5

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came of it, as bytes. */
typedef struct outcome
{
	ltdbp_buffer contents;		/* with a mark where a message ends */
	ltdbp_frame last;
} outcome;

static void
hear(ltdbp_frames *frames, const char *bytes, size_t len, outcome *out)
{
	ltdbp_piece piece;

	ltdbp_frames_feed(frames, bytes, len);
	for (;;)
	{
		out->last = ltdbp_frames_next(frames, &piece);
		if (out->last == LTDBP_FRAME_MORE || out->last == LTDBP_FRAME_BAD)
			return;
		ltdbp_buffer_append(&out->contents, piece.bytes, piece.len_bytes);
		if (piece.final)
			ltdbp_buffer_append(&out->contents, out->last == LTDBP_FRAME_DATA ? "." : "!", 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ltdbp_frames *whole = ltdbp_frames_new();
	ltdbp_frames *cut = ltdbp_frames_new();
	outcome		at_once = {.last = LTDBP_FRAME_MORE};
	outcome		in_pieces = {.last = LTDBP_FRAME_MORE};

	hear(whole, (const char *) data, size, &at_once);
	for (size_t at = 0; at < size && in_pieces.last == LTDBP_FRAME_MORE;)
	{
		size_t		len = 1 + data[at] % PIECES;

		if (len > size - at)
			len = size - at;
		hear(cut, (const char *) data + at, len, &in_pieces);
		at += len;
	}
	if (at_once.last != in_pieces.last ||
		at_once.contents.len_bytes != in_pieces.contents.len_bytes ||
		(at_once.contents.len_bytes > 0 &&
		 memcmp(at_once.contents.bytes, in_pieces.contents.bytes, at_once.contents.len_bytes) != 0))
		abort();
	if ((at_once.last == LTDBP_FRAME_BAD) != (ltdbp_frames_flaw(whole) != NULL))
		abort();
	ltdbp_buffer_free(&at_once.contents);
	ltdbp_buffer_free(&in_pieces.contents);
	ltdbp_frames_free(whole);
	ltdbp_frames_free(cut);
	return 0;
}
