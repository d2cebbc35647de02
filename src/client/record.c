/*-------------------------------------------------------------------------
 *
 * record.c
 *		A record in an answer, read in one pass, if it is as servers write it.
 *
 * That is {"ts":T,"data":D} or {"data":D,"ts":T}, with nothing between the
 * tokens.  Anything else, and a record that has not arrived completely or is
 * wrong, is not read here at all and left to decode.c, which says what is the
 * matter with it.  So this file decides nothing, except how long it takes.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "ltdb_int.h"

/* Bytes of a string that are looked at together. */
#define BLOCK_BYTES 64

/* What is moved at once; may be more than is wanted. */
#define MOVE_BYTES 16

/* Whatever begins to be looked at lies at least this far from the end. */
#define MARGIN_BYTES (BLOCK_BYTES + 2 * MOVE_BYTES)

/* The longest that can stand before a string, or behind it. */
#define FRAME_BYTES 32

/* Strings with escapes are copied here; longer ones are left to decode.c. */
#define FIRST_ROOM_BYTES 512
#define MAX_ROOM_BYTES (64 * 1024)

/*
 * Which bytes of a block need a look, one bit each: quotes, backslashes,
 * controls, and what is not ASCII.
 */
#ifdef __SSE2__
static inline uint64_t
special_bytes(const char *block)
{
	uint64_t	result = 0;

	for (int i = 0; i < BLOCK_BYTES / 16; i++)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) (block + 16 * i));
		__m128i		quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
		__m128i		backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));

		/* signed: what is not ASCII is negative */
		__m128i		others = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
		__m128i		special = _mm_or_si128(_mm_or_si128(quotes, backslashes), others);

		result |= (uint64_t) (unsigned) _mm_movemask_epi8(special) << 16 * i;
	}
	return result;
}
#else
static inline uint64_t
special_bytes(const char *block)
{
	uint64_t	result = 0;

	for (int i = 0; i < BLOCK_BYTES; i++)
	{
		signed char byte = (signed char) block[i];

		result |= (uint64_t) (byte < 0x20 || byte == '"' || byte == '\\') << i;
	}
	return result;
}
#endif

static inline uint64_t
load(const char *p)
{
	uint64_t	word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* ---- what a member begins with ---- */

void
ltdbp_literal_set(ltdbp_literal *literal, const char *name, bool string)
{
	size_t		len = strlen(name);
	char		text[sizeof(literal->word)] = {'"'};
	char		mask[sizeof(literal->mask)] = {0};

	literal->len_bytes = len + 3 + string;
	if (literal->len_bytes > sizeof(text))
	{
		/* never found */
		literal->word = 1;
		literal->mask = 0;
		return;
	}
	memcpy(text + 1, name, len);
	memcpy(text + 1 + len, string ? "\":\"" : "\":", 2 + string);
	memset(mask, 0xFF, literal->len_bytes);
	literal->word = load(text);
	literal->mask = load(mask);
}

/* Whether a member, behind that character, begins at *p; then goes behind it. */
static inline bool
take_literal(char **p, char before, const ltdbp_literal *literal)
{
	if (**p != before || (load(*p + 1) & literal->mask) != literal->word)
		return false;
	*p += 1 + literal->len_bytes;
	return true;
}

/* ---- values ---- */

static inline bool
take_integer(char **p, int64_t *value)
{
	bool		negative = **p == '-';
	char	   *digits = *p + negative;
	char	   *at = digits;
	int64_t		sum = 0;

	/* eleven are more than any ts has */
	while (*at >= '0' && *at <= '9' && at - digits < 11)
		sum = sum * 10 + (*at++ - '0');
	if (at == digits || (*digits == '0' && at - digits > 1) || (*at != ',' && *at != '}'))
		return false;
	*value = negative ? -sum : sum;
	*p = at;
	return true;
}

/* The character of a backslash and one letter; 0 if it is none. */
static inline char
short_escape(char letter)
{
	switch (letter)
	{
		case '"':
		case '\\':
		case '/':
			return letter;
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		default:
			return 0;
	}
}

/* A string being read; copied from its first escape on. */
typedef struct reading
{
	char	   *begin;			/* behind the opening quote */
	char	   *run;			/* what is not copied yet begins here */
	char	   *out;			/* in the room, NULL = nothing is copied */
} reading;

/* Makes room for a block more; false if there is not, for this string. */
static bool
has_room(ltdbp_buffer *room, const reading *string, size_t len)
{
	size_t		used = string->out ? (size_t) (string->out - room->bytes) : 0;
	size_t		needed = used + len + MARGIN_BYTES;

	if (needed <= room->size_bytes)
		return true;

	/* what is being copied must not move: the next string will have it */
	if (needed <= MAX_ROOM_BYTES)
		ltdbp_buffer_reserve(room, needed < FIRST_ROOM_BYTES ? FIRST_ROOM_BYTES : 2 * needed);
	return string->out == NULL && needed <= room->size_bytes;
}

/* Copies what stands before a place, which is not far away. */
static inline void
copy_run(reading *string, const char *end)
{
	size_t		len = (size_t) (end - string->run);

	for (size_t i = 0; i < len; i += MOVE_BYTES)
		memcpy(string->out + i, string->run + i, MOVE_BYTES);
	string->out += len;
}

/*
 * An escape: begins to copy, if need be; without a room for it, there is none.
 * False if it is not to be read here.
 */
static inline bool
take_escape(ltdbp_buffer *room, reading *string, char *at)
{
	char		c = at[1] == '"' ? '"' : short_escape(at[1]);

	if (room == NULL)
		return c != 0;
	if (string->out != NULL)
		copy_run(string, at);
	else
	{
		size_t		len = (size_t) (at - string->begin);

		if (!has_room(room, string, len + BLOCK_BYTES))
			return false;
		memcpy(room->bytes, string->begin, len);
		string->out = room->bytes + len;
	}
	*string->out++ = c;
	string->run = at + 2;
	return c != 0;
}

/* The string ends. */
static inline ltdb_text
text_of(const ltdbp_buffer *room, reading *string, const char *end)
{
	if (string->out == NULL)
		return (ltdb_text) {string->begin, (size_t) (end - string->begin)};
	copy_run(string, end);
	return (ltdb_text) {room->bytes, (size_t) (string->out - room->bytes)};
}

/*
 * Behind the opening quote: the string, where it lies or in the room.  Without
 * a room it stays where it lies, escapes and all.
 */
static bool
take_text(ltdbp_buffer *room, char **p, const char *end, ltdb_text *text)
{
	reading		string = {*p, *p, NULL};
	char	   *block = *p;

	while (end - block >= MARGIN_BYTES)
	{
		uint64_t	special = special_bytes(block);
		char	   *next = block + BLOCK_BYTES;

		if (string.out != NULL && !has_room(room, &string, BLOCK_BYTES))
			return false;
		while (special != 0)
		{
			int			i = __builtin_ctzll(special);
			char	   *at = block + i;
			size_t		len = 2;

			if (*at == '"')
			{
				*text = text_of(room, &string, at);
				*p = at + 1;
				return true;
			}
			if (*at == '\\')
			{
				if (!take_escape(room, &string, at))
					return false;
			}
			else if ((len = ltdbp_utf8_length((unsigned char *) at, (const unsigned char *) end)) < 2)
				return false;
			special &= ~(((UINT64_C(1) << len) - 1) << i);
			if (at + len > next)
				next = at + len;
		}
		if (string.out != NULL)
		{
			copy_run(&string, next);
			string.run = next;
		}
		block = next;
	}
	return false;
}

/* ---- the record ---- */

/*
 * Reads a record that begins at the cursor, of which nothing but ts and data
 * are filled in, or returns false and leaves the cursor where it is.
 */
bool
ltdbp_record_take(ltdbp_decoder *decoder, ltdbp_cursor *cursor, ltdb_record *item)
{
	char	   *p = cursor->p;
	char	   *end = cursor->end;
	ltdbp_buffer *room = decoder->raw ? NULL : &decoder->room;
	bool		good;

	if (end - p < FRAME_BYTES)
		return false;
	if (take_literal(&p, '{', &decoder->ts_literal))
		good = take_integer(&p, &item->ts_sec) &&
			take_literal(&p, ',', &decoder->data_literal) &&
			take_text(room, &p, end, &item->data);
	else
		good = take_literal(&p, '{', &decoder->data_literal) &&
			take_text(room, &p, end, &item->data) &&
			end - p >= FRAME_BYTES &&
			take_literal(&p, ',', &decoder->ts_literal) &&
			take_integer(&p, &item->ts_sec);
	if (!good || p >= end || *p != '}')
		return false;
	cursor->p = p + 1;
	return true;
}

/*
 * How many records the unread bytes of a complete answer begin, and the ts of
 * the last of them; 0 if that one is not as it mostly is.  A name in quotes
 * cannot be inside of a string, where quotes are escaped.
 */
size_t
ltdbp_records_left(const ltdbp_decoder *decoder, int64_t *last_ts_sec)
{
	const ltdbp_literal *literal = &decoder->ts_literal;
	char	   *p;
	char	   *end;
	char	   *last = NULL;
	size_t		count = 0;

	if (literal->len_bytes == 0 || literal->len_bytes > sizeof(literal->word) ||
		decoder->pos == decoder->in.len_bytes)
		return 0;
	p = decoder->in.bytes + decoder->pos;
	end = decoder->in.bytes + decoder->in.len_bytes;
	while ((p = memmem(p, (size_t) (end - p), &literal->word, literal->len_bytes)) != NULL)
	{
		p += literal->len_bytes;
		last = p;
		count++;
	}
	if (count == 0 || end - last < 16 || !take_integer(&last, last_ts_sec))
		return 0;
	return count;
}
