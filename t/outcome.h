/*-------------------------------------------------------------------------
 *
 * outcome.h
 *		What decoding an answer came to, and whether that is what was expected.
 *
 * The decoder is fed in pieces of all sorts, and must find the same in each
 * way.  Where the expectation comes from is left to fixtures.h and reference.h.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef OUTCOME_H
#define OUTCOME_H

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "client/ltdb_int.h"

typedef enum verdict
{
	ACCEPTED,
	REJECTED,
	OUT_OF_MEMORY,
	UNDECIDED					/* where decoder and jansson differ on purpose */
} verdict;

/* What an answer was found to hold, flattened so that it can be compared. */
typedef struct outcome
{
	verdict		verdict;
	ltdb_error	error;
	char		message[320];
	int			count;
	ltdbp_buffer items;
} outcome;

static void
add_item(outcome *out, ltdb_record item)
{
	out->count++;
	ltdbp_buffer_append(&out->items, &item.key.len_bytes, sizeof(size_t));
	ltdbp_buffer_append(&out->items, item.key.bytes, item.key.len_bytes);
	ltdbp_buffer_append(&out->items, &item.ts_sec, sizeof(item.ts_sec));
	ltdbp_buffer_append(&out->items, &item.data.len_bytes, sizeof(size_t));
	ltdbp_buffer_append(&out->items, item.data.bytes, item.data.len_bytes);
}

static bool
same_items(const outcome *a, const outcome *b)
{
	return a->count == b->count && a->items.len_bytes == b->items.len_bytes &&
		(a->count == 0 || memcmp(a->items.bytes, b->items.bytes, a->items.len_bytes) == 0);
}

static void
free_outcome(outcome *out)
{
	ltdbp_buffer_free(&out->items);
}

static ltdb_text __attribute__((unused))
text_of(json_t *string)
{
	return (ltdb_text) {json_string_value(string), json_string_length(string)};
}

/* ---- decoding ---- */

/* Reads what there is.  Returns false once the answer has ended. */
static bool
read_items(ltdbp_decoder *decoder, outcome *out)
{
	ltdb_record item;

	for (;;)
	{
		switch (ltdbp_decoder_next(decoder, &item))
		{
			case LTDB_ITEM:
				add_item(out, item);
				break;
			case LTDB_WAIT:
				return true;
			case LTDB_DONE:
				out->verdict = ACCEPTED;
				return false;
			default:
				out->error = decoder->error;
				out->verdict = decoder->error == LTDB_ERROR_MEMORY ? OUT_OF_MEMORY : REJECTED;
				snprintf(out->message, sizeof(out->message), "%s", decoder->message);
				return false;
		}
	}
}

/*
 * Decodes in pieces: the first of that length, the others of step bytes
 * (0 = all the rest), reading after each.
 */
static outcome
decode(ltdb_request_type type, const char *bytes, size_t len, size_t first, size_t step)
{
	ltdbp_decoder decoder;
	outcome		out = {.verdict = REJECTED};
	size_t		at = 0;
	size_t		piece = first;

	ltdbp_decoder_init(&decoder, &ltdb_dialect_ltdb, type);
	while (at < len)
	{
		if (piece > len - at)
			piece = len - at;
		if (!ltdbp_decoder_feed(&decoder, bytes + at, piece))
		{
			out.verdict = OUT_OF_MEMORY;
			ltdbp_decoder_free(&decoder);
			return out;
		}
		at += piece;
		piece = step ? step : len - at;
		if (!read_items(&decoder, &out))
			break;
	}
	ltdbp_decoder_finish(&decoder);
	read_items(&decoder, &out);
	ltdbp_decoder_free(&decoder);
	return out;
}

/* Whether the decoder, fed so, finds what is expected. */
static bool __attribute__((unused))
agrees(ltdb_request_type type, const char *bytes, size_t len, size_t first, size_t step,
	   const outcome *expected)
{
	outcome		got = decode(type, bytes, len, first, step);
	bool		same = expected->verdict == UNDECIDED ||
		(got.verdict == expected->verdict &&
		 (got.verdict != ACCEPTED || same_items(&got, expected)));

	if (!same)
		printf("# type %d, pieces of %zu and %zu, %s: %.*s\n#   got %d (%s, %d items), expected %d (%d items)\n",
			   type, first, step, ltdb_dialect_ltdb.type[type], (int) len, bytes,
			   got.verdict, got.message, got.count, expected->verdict, expected->count);
	free_outcome(&got);
	return same;
}

/* Whether it does so with one cut at any byte, and with one at each from there on. */
static bool __attribute__((unused))
agrees_when_cut(ltdb_request_type type, const char *bytes, size_t len, const outcome *expected)
{
	bool		good = true;

	for (size_t cut = 0; good && cut <= len; cut++)
		good = agrees(type, bytes, len, cut, 0, expected) &&
			agrees(type, bytes, len, cut, 1, expected);
	return good;
}

#endif							/* OUTCOME_H */
