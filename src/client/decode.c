/*-------------------------------------------------------------------------
 *
 * decode.c
 *		One answer, fed piece by piece, read item by item.
 *
 * The decoder walks the answer's members and, inside the member that holds
 * what was asked for, its items.  Whatever has been walked over is dropped;
 * an item that has not arrived completely is read again from its beginning,
 * but not before enough has been added, so that the work stays linear even if
 * the bytes trickle in.
 *
 * The decoder is as strict as jansson, with two deliberate differences: the
 * keys of a map are data here, so they may hold a NUL, and are not compared
 * with each other, which would take memory in proportion to their number.
 *
 * No I/O.  Which answer belongs to which request is found by route.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "ltdb_int.h"

/* Move the unread bytes down only if at least as many were consumed. */
#define MIN_DROP_BYTES (64 * 1024)

static inline bool
has_records(const ltdbp_decoder *decoder)
{
	return decoder->shape == LTDBP_SHAPE_RECORD_ARRAY ||
		decoder->shape == LTDBP_SHAPE_RECORD_MAP;
}

/* Whether the items are members of an object, whose names are keys. */
static inline bool
is_map(const ltdbp_decoder *decoder)
{
	return decoder->shape == LTDBP_SHAPE_RECORD_MAP ||
		decoder->shape == LTDBP_SHAPE_STRING_MAP;
}

void
ltdbp_decoder_init(ltdbp_decoder *decoder, const ltdb_dialect *dialect,
				   ltdb_request_type type)
{
	memset(decoder, 0, sizeof(*decoder));
	decoder->dialect = dialect;
	switch (type)
	{
		case LTDB_REQ_FETCH:
			decoder->shape = LTDBP_SHAPE_RECORD_ARRAY;
			decoder->items = dialect->m_records;
			break;
		case LTDB_REQ_LATEST:
			decoder->shape = LTDBP_SHAPE_RECORD_MAP;
			decoder->items = dialect->m_records;
			break;
		case LTDB_REQ_COLLECTIONS:
			decoder->shape = LTDBP_SHAPE_STRING_ARRAY;
			decoder->items = dialect->m_collections;
			break;
		case LTDB_REQ_LIST_KEYS:
			decoder->shape = LTDBP_SHAPE_STRING_ARRAY;
			decoder->items = dialect->m_keys;
			break;
		case LTDB_REQ_LIST_VALUES:
			decoder->shape = LTDBP_SHAPE_STRING_MAP;
			decoder->items = dialect->m_values;
			break;
		case LTDB_REQ_GET_VALUE:
			decoder->shape = LTDBP_SHAPE_STRING;
			decoder->items = dialect->m_value;
			break;
		default:
			decoder->shape = LTDBP_SHAPE_NOTHING;
			break;
	}
	if (has_records(decoder))
	{
		ltdbp_literal_set(&decoder->ts_literal, dialect->m_ts, false);
		ltdbp_literal_set(&decoder->data_literal, dialect->m_data, true);
	}
}

/* Adds a piece of the answer.  False if there is no memory for it. */
bool
ltdbp_decoder_feed(ltdbp_decoder *decoder, const char *bytes, size_t len)
{
	ltdbp_buffer *in = &decoder->in;

	if (decoder->pos == in->len_bytes)
		in->len_bytes = decoder->pos = 0;
	else if (decoder->pos >= MIN_DROP_BYTES && decoder->pos >= in->len_bytes / 2)
	{
		in->len_bytes -= decoder->pos;
		memmove(in->bytes, in->bytes + decoder->pos, in->len_bytes);
		decoder->pos = 0;
	}
	ltdbp_buffer_append(in, bytes, len);
	return !in->failed;
}

void
ltdbp_decoder_finish(ltdbp_decoder *decoder)
{
	decoder->final = true;
}

size_t
ltdbp_decoder_unread(const ltdbp_decoder *decoder)
{
	return decoder->in.len_bytes - decoder->pos;
}

void
ltdbp_decoder_free(ltdbp_decoder *decoder)
{
	ltdbp_buffer_free(&decoder->in);
	ltdbp_buffer_free(&decoder->room);
	ltdbp_buffer_free(&decoder->names.bytes);
	ltdbp_buffer_free(&decoder->record_names.bytes);
	ltdbp_keyset_free(&decoder->keys);
}

/* ---- names of members ---- */

/* A member's name and the colon, up to its value. */
static ltdbp_scan
scan_name(ltdbp_cursor *cursor, ltdbp_names *names, ltdb_text *name)
{
	ltdbp_string string;
	ltdbp_scan	scan = ltdbp_scan_name(cursor, &string);

	if (scan != LTDBP_SCAN_OK)
		return scan;
	if (string.has_nul)
	{
		cursor->flaw = "member with a NUL in its name";
		return LTDBP_SCAN_BAD;
	}
	return ltdbp_names_text(names, &string, name);
}

static inline bool
is_named(ltdb_text name, const char *expected)
{
	return strlen(expected) == name.len_bytes &&
		memcmp(name.bytes, expected, name.len_bytes) == 0;
}

/* A member of no interest, that many levels deep. */
static ltdbp_scan
skip_member(ltdbp_cursor *cursor, ltdbp_names *names, ltdb_text name, int depth)
{
	ltdbp_cursor inside = *cursor;
	ltdbp_scan	scan = ltdbp_scan_skip(&inside, depth);

	if (scan == LTDBP_SCAN_OK)
		scan = ltdbp_names_add(names, name, &inside.flaw);
	if (scan == LTDBP_SCAN_OK)
		cursor->p = inside.p;
	cursor->flaw = inside.flaw;
	return scan;
}

/*
 * What stands before the next element of an array or object: nothing before
 * the first, a comma before the others; or the end.
 */
static ltdbp_scan
scan_separator(ltdbp_cursor *cursor, bool first, char close, bool *ended)
{
	ltdbp_scan	scan = ltdbp_scan_space(cursor);

	*ended = false;
	if (scan != LTDBP_SCAN_OK)
		return scan;
	if (*cursor->p == close)
	{
		cursor->p++;
		*ended = true;
		return LTDBP_SCAN_OK;
	}
	if (first)
		return LTDBP_SCAN_OK;
	scan = ltdbp_scan_char(cursor, ',', "neither a comma nor the end after an element");
	return scan == LTDBP_SCAN_OK ? ltdbp_scan_space(cursor) : scan;
}

/* ---- items ---- */

/* A string as text; it must not be scanned again after this. */
static ltdb_text
take_string(const ltdbp_string *string)
{
	size_t		len = string->len_bytes;

	if (string->escaped)
		len = ltdbp_unescape(string->bytes, string->bytes, len);
	return (ltdb_text) {string->bytes, len};
}

/* Marks an expected member as seen; refuses it the second time. */
static bool
first_time(bool *seen, ltdbp_cursor *cursor)
{
	if (*seen)
	{
		cursor->flaw = "duplicate member";
		return false;
	}
	*seen = true;
	return true;
}

/* {"ts":T,"data":D}, in any order and with others between. */
static ltdbp_scan
scan_record(ltdbp_decoder *decoder, ltdbp_cursor *cursor, int64_t *ts_sec, ltdbp_string *data)
{
	const ltdb_dialect *dialect = decoder->dialect;
	int			depth = 3;		/* the answer, its records, the record */
	bool		seen_ts = false;
	bool		seen_data = false;
	bool		first = true;
	bool		ended;
	ltdbp_scan	scan;

	ltdbp_names_forget(&decoder->record_names);
	scan = ltdbp_scan_char(cursor, '{', "record that is not an object");
	while (scan == LTDBP_SCAN_OK)
	{
		ltdb_text	name;

		scan = scan_separator(cursor, first, '}', &ended);
		if (scan != LTDBP_SCAN_OK || ended)
			break;
		first = false;
		scan = scan_name(cursor, &decoder->record_names, &name);
		if (scan != LTDBP_SCAN_OK)
			break;
		if (is_named(name, dialect->m_ts))
			scan = first_time(&seen_ts, cursor) ?
				ltdbp_scan_integer(cursor, ts_sec) : LTDBP_SCAN_BAD;
		else if (is_named(name, dialect->m_data))
			scan = first_time(&seen_data, cursor) ?
				ltdbp_scan_string(cursor, data) : LTDBP_SCAN_BAD;
		else
			scan = skip_member(cursor, &decoder->record_names, name, depth);
	}

	if (scan == LTDBP_SCAN_OK && !(seen_ts && seen_data))
	{
		cursor->flaw = seen_ts ? "record without data" : "record without a timestamp";
		return LTDBP_SCAN_BAD;
	}
	return scan;
}

/* An item's key, once the item is there completely. */
static ltdbp_scan
take_key(ltdbp_decoder *decoder, ltdbp_cursor *cursor, const ltdbp_string *string, ltdb_text *key)
{
	ltdbp_scan	scan;

	*key = take_string(string);
	scan = ltdbp_keyset_add(&decoder->keys, *key);
	cursor->flaw = "duplicate member";
	return scan;
}

/* Unescapes in place, but only once the item is there completely. */
static ltdbp_scan
scan_item(ltdbp_decoder *decoder, ltdbp_cursor *cursor, ltdb_record *item)
{
	bool		has_key = is_map(decoder);
	ltdbp_string key;
	ltdbp_string string;
	int64_t		ts_sec = 0;
	ltdbp_scan	scan = LTDBP_SCAN_OK;

	if (has_key)
		scan = ltdbp_scan_name(cursor, &key);
	if (scan != LTDBP_SCAN_OK)
		return scan;
	if (has_records(decoder))
	{
		if (ltdbp_record_take(decoder, cursor, item))
		{
			item->key = (ltdb_text) {NULL, 0};
			return has_key ? take_key(decoder, cursor, &key, &item->key) : LTDBP_SCAN_OK;
		}
		scan = scan_record(decoder, cursor, &ts_sec, &string);
	}
	else
		scan = ltdbp_scan_string(cursor, &string);
	if (scan != LTDBP_SCAN_OK)
		return scan;

	memset(item, 0, sizeof(*item));
	item->ts_sec = ts_sec;
	if (decoder->shape == LTDBP_SHAPE_STRING_ARRAY)
		item->key = take_string(&string);
	else if (decoder->raw)
		item->data = (ltdb_text) {string.bytes, string.len_bytes};
	else
		item->data = take_string(&string);
	return has_key ? take_key(decoder, cursor, &key, &item->key) : LTDBP_SCAN_OK;
}

/* ---- the answer itself ---- */

/* The value of the member that holds the items: opened, or, if it is one, read. */
static ltdbp_scan
open_items(ltdbp_decoder *decoder, ltdbp_cursor *cursor, ltdb_record *item, bool *has_item)
{
	bool		map = is_map(decoder);
	bool		single = decoder->shape == LTDBP_SHAPE_STRING;
	ltdbp_scan	scan;

	if (decoder->seen_items)
	{
		cursor->flaw = "duplicate member";
		return LTDBP_SCAN_BAD;
	}
	decoder->inside = decoder->items;
	if (single)
		scan = scan_item(decoder, cursor, item);
	else
		scan = ltdbp_scan_char(cursor, map ? '{' : '[', map ? "not an object" : "not an array");
	if (scan != LTDBP_SCAN_OK)
		return scan;

	decoder->seen_items = true;
	if (single)
	{
		decoder->inside = NULL;
		decoder->phase = LTDBP_PHASE_NEXT_MEMBER;
		*has_item = item->data.len_bytes > 0;
	}
	else
	{
		decoder->phase = LTDBP_PHASE_FIRST_ITEM;
		decoder->close = map ? '}' : ']';
	}
	return LTDBP_SCAN_OK;
}

/* The server's own words for why it refused. */
static ltdbp_scan
scan_error(ltdbp_decoder *decoder, ltdbp_cursor *cursor)
{
	ltdbp_string string;
	ltdbp_scan	scan;
	ltdb_text	text;

	if (decoder->seen_error)
	{
		cursor->flaw = "duplicate member";
		return LTDBP_SCAN_BAD;
	}
	scan = ltdbp_scan_string(cursor, &string);
	if (scan != LTDBP_SCAN_OK)
		return scan;
	text = take_string(&string);
	ltdbp_copy_message(decoder->message, sizeof(decoder->message), text.bytes, text.len_bytes);
	decoder->seen_error = true;
	return LTDBP_SCAN_OK;
}

/* One member; of the one with the items, only its beginning. */
static ltdbp_scan
scan_member(ltdbp_decoder *decoder, ltdbp_cursor *cursor, ltdb_record *item, bool *has_item)
{
	const ltdb_dialect *dialect = decoder->dialect;
	ltdbp_string id;
	ltdb_text	name;
	ltdbp_scan	scan;
	bool		ended;

	scan = scan_separator(cursor, decoder->phase == LTDBP_PHASE_FIRST_MEMBER, '}', &ended);
	if (scan != LTDBP_SCAN_OK)
		return scan;
	if (ended)
	{
		decoder->phase = LTDBP_PHASE_AFTER;
		return LTDBP_SCAN_OK;
	}
	scan = scan_name(cursor, &decoder->names, &name);
	if (scan != LTDBP_SCAN_OK)
		return scan;

	if (decoder->items != NULL && is_named(name, decoder->items))
		return open_items(decoder, cursor, item, has_item);
	if (is_named(name, dialect->m_error))
	{
		decoder->inside = dialect->m_error;
		scan = scan_error(decoder, cursor);
	}
	else if (is_named(name, dialect->m_id))
	{
		decoder->inside = dialect->m_id;
		scan = ltdbp_scan_string(cursor, &id);
		if (scan == LTDBP_SCAN_OK && !first_time(&decoder->seen_id, cursor))
			scan = LTDBP_SCAN_BAD;
	}
	else
		scan = skip_member(cursor, &decoder->names, name, 1);
	if (scan == LTDBP_SCAN_OK)
	{
		decoder->inside = NULL;
		decoder->phase = LTDBP_PHASE_NEXT_MEMBER;
	}
	return scan;
}

static ltdbp_scan
scan_next_item(ltdbp_decoder *decoder, ltdbp_cursor *cursor, ltdb_record *item, bool *has_item)
{
	bool		ended;
	ltdbp_scan	scan;

	scan = scan_separator(cursor, decoder->phase == LTDBP_PHASE_FIRST_ITEM,
						  decoder->close, &ended);
	if (scan == LTDBP_SCAN_OK && ended)
	{
		decoder->inside = NULL;
		decoder->phase = LTDBP_PHASE_NEXT_MEMBER;
		return LTDBP_SCAN_OK;
	}
	if (scan == LTDBP_SCAN_OK)
		scan = scan_item(decoder, cursor, item);
	if (scan == LTDBP_SCAN_OK)
	{
		decoder->phase = LTDBP_PHASE_NEXT_ITEM;
		*has_item = true;
	}
	return scan;
}

static ltdb_next
fail(ltdbp_decoder *decoder, ltdb_error error, const char *flaw)
{
	decoder->error = error;
	if (error == LTDB_ERROR_MEMORY)
		snprintf(decoder->message, sizeof(decoder->message), "out of memory");
	else if (decoder->inside != NULL)
		snprintf(decoder->message, sizeof(decoder->message),
				 "malformed answer: in member \"%s\": %s", decoder->inside, flaw);
	else
		snprintf(decoder->message, sizeof(decoder->message), "malformed answer: %s", flaw);
	decoder->phase = LTDBP_PHASE_FAILED;
	return LTDB_ERROR;
}

/* Everything has been walked over: was it an answer? */
static ltdb_next
finish(ltdbp_decoder *decoder)
{
	char		flaw[64];

	if (decoder->seen_error)
	{
		decoder->error = LTDB_ERROR_REFUSED;
		decoder->phase = LTDBP_PHASE_FAILED;
		return LTDB_ERROR;
	}
	if (decoder->items != NULL && !decoder->seen_items)
	{
		snprintf(flaw, sizeof(flaw), "no member \"%s\"", decoder->items);
		return fail(decoder, LTDB_ERROR_PROTOCOL, flaw);
	}
	decoder->phase = LTDBP_PHASE_DONE;
	return LTDB_DONE;
}

/* One step forward from the unread bytes. */
static ltdbp_scan
advance(ltdbp_decoder *decoder, ltdbp_cursor *cursor, ltdb_record *item, bool *has_item)
{
	ltdbp_scan	scan;

	switch (decoder->phase)
	{
		case LTDBP_PHASE_START:
			scan = ltdbp_scan_char(cursor, '{', "not a JSON object");
			if (scan == LTDBP_SCAN_OK)
				decoder->phase = LTDBP_PHASE_FIRST_MEMBER;
			return scan;
		case LTDBP_PHASE_FIRST_MEMBER:
		case LTDBP_PHASE_NEXT_MEMBER:
			return scan_member(decoder, cursor, item, has_item);
		case LTDBP_PHASE_FIRST_ITEM:
		case LTDBP_PHASE_NEXT_ITEM:
			return scan_next_item(decoder, cursor, item, has_item);
		default:				/* after the object: nothing may follow */
			scan = ltdbp_scan_space(cursor);
			if (scan == LTDBP_SCAN_OK)
			{
				cursor->flaw = "text after its end";
				scan = LTDBP_SCAN_BAD;
			}
			return scan;
	}
}

/* Nothing complete is left: wait for more, unless that was all. */
static ltdb_next
pause_decoding(ltdbp_decoder *decoder)
{
	size_t		unread = ltdbp_decoder_unread(decoder);

	if (decoder->final && decoder->phase == LTDBP_PHASE_AFTER)
		return finish(decoder);
	if (decoder->final)
		return fail(decoder, LTDB_ERROR_PROTOCOL, "it ends too early");
	decoder->retry_unread = unread + unread / 2 + 1;
	return LTDB_WAIT;
}

/* Never returns LTDB_RESTART: see ltdb_reply_next(), which does. */
ltdb_next
ltdbp_decoder_next(ltdbp_decoder *decoder, ltdb_record *item)
{
	if (decoder->phase == LTDBP_PHASE_DONE)
		return LTDB_DONE;
	if (decoder->phase == LTDBP_PHASE_FAILED)
		return LTDB_ERROR;
	if (!decoder->final && ltdbp_decoder_unread(decoder) < decoder->retry_unread)
		return LTDB_WAIT;

	while (ltdbp_decoder_unread(decoder) > 0)
	{
		char	   *start = decoder->in.bytes + decoder->pos;
		ltdbp_cursor cursor = {start, start + ltdbp_decoder_unread(decoder), NULL};
		bool		has_item = false;
		ltdbp_scan	scan = advance(decoder, &cursor, item, &has_item);

		if (scan == LTDBP_SCAN_BAD)
			return fail(decoder, LTDB_ERROR_PROTOCOL, cursor.flaw);
		if (scan == LTDBP_SCAN_MEMORY)
			return fail(decoder, LTDB_ERROR_MEMORY, "");
		if (scan == LTDBP_SCAN_MORE)
			break;

		decoder->pos += (size_t) (cursor.p - start);
		decoder->retry_unread = 0;
		if (has_item)
			return LTDB_ITEM;
	}
	return pause_decoding(decoder);
}
