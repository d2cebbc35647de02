/*-------------------------------------------------------------------------
 *
 * encode.c
 *		A request as message bytes, and whether LTDB would take it.
 *
 * The payload of a request is a JSON document inside a JSON string, so the
 * texts in it are escaped twice.  That is done in one pass over each text,
 * which also finds the NULs and invalid UTF-8 that must not be sent.  Which
 * members a request has is one table; their names are the dialect's.
 *
 * No I/O, and no knowledge of connections: see request.c and conn.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ltdb_int.h"

/* The members of a request's payload. */
#define HAS_COLLECTION		0x001
#define HAS_KEY				0x002
#define HAS_ANY_KEY			0x004	/* may be empty, which means every key */
#define HAS_VALUE_KEY		0x008
#define HAS_TS				0x010
#define HAS_AT				0x020	/* a ts to look back from */
#define HAS_INTERVAL		0x040	/* from, to, limit and reverse */
#define HAS_VALUE			0x080
#define HAS_RECORDS			0x100	/* an array of records with data */
#define HAS_IDENTITIES		0x200	/* an array of records without */
#define IS_BARE				0x400	/* the key itself, not a document */

static const unsigned members_of[LTDB_REQ_COUNT] = {
	[LTDB_REQ_AUTHENTICATE] = IS_BARE,
	[LTDB_REQ_INSERT] = HAS_RECORDS,
	[LTDB_REQ_FETCH] = HAS_COLLECTION | HAS_KEY | HAS_INTERVAL,
	[LTDB_REQ_LATEST] = HAS_COLLECTION | HAS_ANY_KEY | HAS_AT,
	[LTDB_REQ_COLLECTIONS] = 0,
	[LTDB_REQ_DELETE_RECORD] = HAS_COLLECTION | HAS_KEY | HAS_TS,
	[LTDB_REQ_DELETE_RECORDS] = HAS_IDENTITIES,
	[LTDB_REQ_DELETE_KEY] = HAS_COLLECTION | HAS_KEY,
	[LTDB_REQ_DELETE_COLLECTION] = HAS_COLLECTION,
	[LTDB_REQ_SET_VALUE] = HAS_COLLECTION | HAS_VALUE_KEY | HAS_VALUE,
	[LTDB_REQ_GET_VALUE] = HAS_COLLECTION | HAS_VALUE_KEY,
	[LTDB_REQ_DELETE_VALUE] = HAS_COLLECTION | HAS_VALUE_KEY,
	[LTDB_REQ_LIST_KEYS] = HAS_COLLECTION,
	[LTDB_REQ_LIST_VALUES] = HAS_COLLECTION,
};

/* Longest escape: the six bytes of \u0001, its backslash doubled. */
#define MAX_ESCAPE_BYTES 7

/* Of a long text so much is written at once, with room for it at its worst. */
#define PART_BYTES 1024

typedef struct encoder
{
	ltdbp_buffer *out;
	const ltdb_dialect *dialect;
	ltdbp_flaw *flaw;
	bool		empty;			/* no member written yet */
} encoder;

static bool __attribute__((format(printf, 2, 3)))
set_flaw(ltdbp_flaw *flaw, const char *format,...)
{
	va_list		args;

	if (flaw->error == LTDB_OK)
	{
		flaw->error = LTDB_ERROR_ARGUMENT;
		va_start(args, format);
		vsnprintf(flaw->reason, sizeof(flaw->reason), format, args);
		va_end(args);
	}
	return false;
}

/* ---- what LTDB would refuse or spoil ---- */

static bool
check_ts(int64_t ts_sec, ltdbp_flaw *flaw)
{
	if (ts_sec >= LTDB_TS_MIN && ts_sec <= LTDB_TS_MAX)
		return true;
	return set_flaw(flaw, "ts %" PRId64 " is outside the range %d to %d that LTDB can store",
					ts_sec, LTDB_TS_MIN, LTDB_TS_MAX);
}

static bool
check_records(const ltdbp_request *request, ltdbp_flaw *flaw)
{
	bool		positive = request->type == LTDB_REQ_DELETE_RECORDS;
	size_t		i;

	if (request->collection.len_bytes == 0)
		return set_flaw(flaw, "collection must not be empty");
	if (request->count == 0)
		return set_flaw(flaw, "no record given");
	for (i = 0; i < request->count; i++)
	{
		const ltdb_record *record = &request->records[i];

		if (record->key.len_bytes == 0)
			return set_flaw(flaw, "key must not be empty (record %zu)", i + 1);
		if (!check_ts(record->ts_sec, flaw))
			return false;
		if (positive && record->ts_sec <= 0)
			return set_flaw(flaw, "ts %" PRId64 " is not positive, which this request requires",
							record->ts_sec);
	}
	return true;
}

static bool
check_interval(const ltdbp_request *request, ltdbp_flaw *flaw)
{
	if (request->to_sec <= 0)
		return set_flaw(flaw, "to %" PRId64 " is not positive", request->to_sec);
	if (request->from_sec > request->to_sec)
		return set_flaw(flaw, "from %" PRId64 " is greater than to %" PRId64,
						request->from_sec, request->to_sec);
	if (request->limit < 0)
		return set_flaw(flaw, "limit %" PRId64 " is negative", request->limit);
	return true;
}

/*
 * Everything but the contents of texts, which ltdbp_encode() looks at while
 * it copies them.
 */
bool
ltdbp_request_check(const ltdbp_request *request, ltdbp_flaw *flaw)
{
	unsigned	members = members_of[request->type];

	if (members & (HAS_RECORDS | HAS_IDENTITIES))
		return check_records(request, flaw);
	if ((members & HAS_COLLECTION) && request->collection.len_bytes == 0)
		return set_flaw(flaw, "collection must not be empty");
	if ((members & (HAS_KEY | HAS_VALUE_KEY)) && request->key.len_bytes == 0)
		return set_flaw(flaw, "key must not be empty");
	if ((members & IS_BARE) && request->key.len_bytes == 0)
		return set_flaw(flaw, "api key must not be empty");
	if ((members & HAS_VALUE) && request->value.len_bytes == 0)
		return set_flaw(flaw, "value must not be empty");
	if ((members & HAS_TS) && !check_ts(request->ts_sec, flaw))
		return false;
	if ((members & HAS_AT) && request->ts_sec <= 0)
		return set_flaw(flaw, "ts %" PRId64 " to look back from is not positive", request->ts_sec);
	if ((members & HAS_INTERVAL) && !check_interval(request, flaw))
		return false;
	return true;
}

/* ---- texts ---- */

/* Bytes that need a look: controls, quote, backslash, and what is not ASCII. */
static const bool special[256] = {
	[0 ... 0x1F] = true,['"'] = true,['\\'] = true,[0x80 ... 0xFF] = true
};

/* Writes the escape of a control character, quote or backslash; returns its end. */
static inline char *
put_escape(char *out, unsigned char c, bool nested)
{
	static const char hex[] = "0123456789abcdef";

	if (c == '"' || c == '\\')
	{
		if (nested)
		{
			*out++ = '\\';
			*out++ = '\\';
		}
		*out++ = '\\';
		*out++ = (char) c;
		return out;
	}
	if (nested)
		*out++ = '\\';
	memcpy(out, "\\u00", 4);
	out += 4;
	*out++ = hex[c >> 4];
	*out++ = hex[c & 0xF];
	return out;
}

/*
 * Writes a part of a text to where there is room for it at its worst; goes
 * beyond the part to complete a character.  Returns NULL, and says why, at
 * what must not be sent.
 */
static char *
put_part(char *out, const unsigned char **p, const unsigned char *part_end,
		 const unsigned char *end, bool nested, const char **flaw)
{
	const unsigned char *at = *p;

	while (at < part_end)
	{
		size_t		len;

		if (!special[*at])
			*out++ = (char) *at++;
		else if (*at >= 0x80)
		{
			len = ltdbp_utf8_length(at, end);
			if (len == 0)
			{
				*flaw = "is not valid UTF-8";
				return NULL;
			}
			memcpy(out, at, len);
			out += len;
			at += len;
		}
		else if (*at == 0)
		{
			*flaw = "contains a NUL character";
			return NULL;
		}
		else
			out = put_escape(out, *at++, nested);
	}
	*p = at;
	return out;
}

/*
 * Appends the text as the contents of a string (nested: of a string inside
 * one); what names it in a flaw, with the record's number if that is not 0.
 */
static bool
put_text(encoder *enc, ltdb_text text, bool nested, const char *what, size_t number)
{
	const unsigned char *p = (const unsigned char *) (text.len_bytes > 0 ? text.bytes : "");
	const unsigned char *end = p + text.len_bytes;

	while (p < end)
	{
		size_t		left = (size_t) (end - p);
		size_t		len = left < PART_BYTES ? left : PART_BYTES;
		const char *flaw = NULL;
		char	   *out;

		/* what is left will take as much as it has at least */
		if (!ltdbp_buffer_reserve(enc->out, left + len * MAX_ESCAPE_BYTES + MAX_ESCAPE_BYTES))
			return false;
		out = put_part(enc->out->bytes + enc->out->len_bytes, &p, p + len, end, nested, &flaw);
		if (out == NULL && number > 0)
			return set_flaw(enc->flaw, "%s of record %zu %s", what, number, flaw);
		if (out == NULL)
			return set_flaw(enc->flaw, "%s %s", what, flaw);
		enc->out->len_bytes = (size_t) (out - enc->out->bytes);
	}
	return true;
}

/* ---- members of a payload; their quotes are escaped once ---- */

static void
put_name(encoder *enc, const char *name)
{
	ltdbp_buffer_puts(enc->out, enc->empty ? "{\\\"" : ",\\\"");
	ltdbp_buffer_puts(enc->out, name);
	ltdbp_buffer_puts(enc->out, "\\\":");
	enc->empty = false;
}

static bool
put_text_member(encoder *enc, const char *name, ltdb_text text)
{
	put_name(enc, name);
	ltdbp_buffer_puts(enc->out, "\\\"");
	if (!put_text(enc, text, true, name, 0))
		return false;
	ltdbp_buffer_puts(enc->out, "\\\"");
	return true;
}

static void
put_int_member(encoder *enc, const char *name, int64_t value)
{
	put_name(enc, name);
	ltdbp_buffer_put_int(enc->out, value);
}

static void
put_interval(encoder *enc, const ltdbp_request *request)
{
	put_int_member(enc, enc->dialect->m_from, request->from_sec);
	put_int_member(enc, enc->dialect->m_to, request->to_sec);
	if (request->limit > 0)
		put_int_member(enc, enc->dialect->m_limit, request->limit);
	if (request->reverse)
	{
		put_name(enc, enc->dialect->m_reverse);
		ltdbp_buffer_puts(enc->out, "true");
	}
}

/* A document of single members. */
static bool
put_document(encoder *enc, const ltdbp_request *request, unsigned members)
{
	const ltdb_dialect *dialect = enc->dialect;

	enc->empty = true;
	if ((members & HAS_COLLECTION) &&
		!put_text_member(enc, dialect->m_collection, request->collection))
		return false;
	if ((members & (HAS_KEY | HAS_ANY_KEY)) &&
		!put_text_member(enc, dialect->m_key, request->key))
		return false;
	if ((members & HAS_VALUE_KEY) &&
		!put_text_member(enc, dialect->m_value_key, request->key))
		return false;
	if ((members & HAS_VALUE) &&
		!put_text_member(enc, dialect->m_value, request->value))
		return false;
	if (members & (HAS_TS | HAS_AT))
		put_int_member(enc, dialect->m_ts, request->ts_sec);
	if (members & HAS_AT)
		put_int_member(enc, dialect->m_from, request->from_sec);
	if (members & HAS_INTERVAL)
		put_interval(enc, request);
	ltdbp_buffer_puts(enc->out, enc->empty ? "{}" : "}");
	return true;
}

/*
 * What is the same in every record is put together once: with a million
 * records, their frames cost more than their contents.
 */
typedef struct frames
{
	ltdbp_buffer before_ts;
	ltdbp_buffer before_key;
	ltdbp_buffer before_data;
	ltdbp_buffer after;			/* the collection and the closing brace */
} frames;

static bool
make_frames(frames *frame, encoder *enc, const ltdbp_request *request, bool with_data)
{
	const ltdb_dialect *dialect = enc->dialect;
	encoder		piece = *enc;

	memset(frame, 0, sizeof(*frame));

	piece.out = &frame->before_ts;
	piece.empty = true;
	put_name(&piece, dialect->m_ts);

	piece.out = &frame->before_key;
	put_name(&piece, dialect->m_key);
	ltdbp_buffer_puts(piece.out, "\\\"");

	piece.out = &frame->before_data;
	ltdbp_buffer_puts(piece.out, "\\\"");
	if (with_data)
	{
		put_name(&piece, dialect->m_data);
		ltdbp_buffer_puts(piece.out, "\\\"");
	}

	piece.out = &frame->after;
	if (with_data)
		ltdbp_buffer_puts(piece.out, "\\\"");
	if (!put_text_member(&piece, dialect->m_collection, request->collection))
		return false;
	ltdbp_buffer_puts(piece.out, "}");

	return !frame->before_ts.failed && !frame->before_key.failed &&
		!frame->before_data.failed && !frame->after.failed;
}

static void
free_frames(frames *frame)
{
	ltdbp_buffer_free(&frame->before_ts);
	ltdbp_buffer_free(&frame->before_key);
	ltdbp_buffer_free(&frame->before_data);
	ltdbp_buffer_free(&frame->after);
}

static inline void
put_frame(ltdbp_buffer *out, const ltdbp_buffer *frame)
{
	ltdbp_buffer_append(out, frame->bytes, frame->len_bytes);
}

static bool
put_records(encoder *enc, const ltdbp_request *request, bool with_data)
{
	frames		frame;
	bool		good = make_frames(&frame, enc, request, with_data);
	size_t		i;

	if (!good && enc->flaw->error == LTDB_OK)
		enc->out->failed = true;
	ltdbp_buffer_append(enc->out, "[", 1);
	for (i = 0; good && i < request->count; i++)
	{
		const ltdb_record *record = &request->records[i];

		if (i > 0)
			ltdbp_buffer_append(enc->out, ",", 1);
		put_frame(enc->out, &frame.before_ts);
		ltdbp_buffer_put_int(enc->out, record->ts_sec);
		put_frame(enc->out, &frame.before_key);
		good = put_text(enc, record->key, true, enc->dialect->m_key, i + 1);
		put_frame(enc->out, &frame.before_data);
		if (good && with_data)
			good = put_text(enc, record->data, true, enc->dialect->m_data, i + 1);
		put_frame(enc->out, &frame.after);
	}
	ltdbp_buffer_append(enc->out, "]", 1);
	free_frames(&frame);
	return good;
}

/*
 * Appends the message of a request that ltdbp_request_check() has passed.
 * If it returns false, flaw says why; out is then of no use.
 */
bool
ltdbp_encode(ltdbp_buffer *out, const ltdb_dialect *dialect, uint64_t id,
			 const ltdbp_request *request, ltdbp_flaw *flaw)
{
	unsigned	members = members_of[request->type];
	encoder		enc = {out, dialect, flaw, true};
	char		head[128];
	bool		good;

	snprintf(head, sizeof(head), "{\"%s\":\"%" PRIu64 "\",\"%s\":\"%s\",\"%s\":\"",
			 dialect->m_id, id, dialect->m_type, dialect->type[request->type],
			 dialect->m_payload);
	ltdbp_buffer_puts(out, head);

	if (members & IS_BARE)
		good = put_text(&enc, request->key, false, "api key", 0);
	else if (members & (HAS_RECORDS | HAS_IDENTITIES))
		good = put_records(&enc, request, (members & HAS_RECORDS) != 0);
	else
		good = put_document(&enc, request, members);

	ltdbp_buffer_puts(out, "\"}");
	if (out->failed && flaw->error == LTDB_OK)
	{
		flaw->error = LTDB_ERROR_MEMORY;
		snprintf(flaw->reason, sizeof(flaw->reason), "out of memory");
	}
	return good && flaw->error == LTDB_OK;
}
