/*-------------------------------------------------------------------------
 *
 * answer.c
 *		Writes JSON text into a growing buffer.
 *
 * Strings are taken as valid UTF-8: they come from the store, which got them
 * from a checked request.  What an answer consists of is left to dispatch.c
 * and listing.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "answer.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define FIRST_SIZE_BYTES 256

/* A byte becomes six at worst, as in \u001f. */
#define ESCAPED_MAX_BYTES 6

/*
 * Long strings are escaped slice by slice, so that room for the worst case is
 * asked for a slice and not for the whole string.
 */
#define SLICE_BYTES 8192

/* 0: as it is; 'u': \u00XX; anything else: backslash and that character. */
static const char escape_of[256] = {
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
	['"'] = '"',
	['\\'] = '\\'
};

void
answer_free(answer *ans)
{
	free(ans->memory);
	memset(ans, 0, sizeof(*ans));
}

/* Where the next extra_bytes can be written, or NULL. */
static unsigned char *
reserve(answer *ans, size_t extra_bytes)
{
	size_t		needed = ans->len_bytes + extra_bytes;

	if (ans->failed)
		return NULL;
	if (needed > ans->size_bytes)
	{
		size_t		size = ans->size_bytes ? ans->size_bytes : FIRST_SIZE_BYTES;
		unsigned char *memory;

		while (size < needed)
			size += size / 2;
		memory = realloc(ans->memory, ANSWER_ROOM_BYTES + size);
		if (memory == NULL)
		{
			ans->failed = true;
			return NULL;
		}
		ans->memory = memory;
		ans->size_bytes = size;
	}
	return ans->memory + ANSWER_ROOM_BYTES + ans->len_bytes;
}

void
answer_raw(answer *ans, const char *bytes, size_t len_bytes)
{
	unsigned char *to = reserve(ans, len_bytes);

	if (to == NULL)
		return;
	memcpy(to, bytes, len_bytes);
	ans->len_bytes += len_bytes;
}

/* Bytes looked at together, and moved at once. */
#define BLOCK_BYTES 64
#define MOVE_BYTES 16

/* Which bytes of a block have to be escaped, one bit each. */
#ifdef __SSE2__
static inline uint64_t
to_escape(const unsigned char *block)
{
	uint64_t	result = 0;

	for (int i = 0; i < BLOCK_BYTES / 16; i++)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) (block + 16 * i));
		__m128i		quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
		__m128i		backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
		__m128i		controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
		__m128i		escaped = _mm_or_si128(_mm_or_si128(quotes, backslashes), controls);

		result |= (uint64_t) (unsigned) _mm_movemask_epi8(escaped) << 16 * i;
	}
	return result;
}
#else
static inline uint64_t
to_escape(const unsigned char *block)
{
	uint64_t	result = 0;

	for (int i = 0; i < BLOCK_BYTES; i++)
		result |= (uint64_t) (escape_of[block[i]] != 0) << i;
	return result;
}
#endif

/* Returns the end of what it wrote. */
static unsigned char *
escape_byte(unsigned char *to, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	char		form = escape_of[byte];

	if (form == 0)
	{
		*to++ = byte;
		return to;
	}
	*to++ = '\\';
	*to++ = form;
	if (form == 'u')
	{
		*to++ = '0';
		*to++ = '0';
		*to++ = hex[byte >> 4];
		*to++ = hex[byte & 15];
	}
	return to;
}

/*
 * A part of the string, not longer than a block, that is followed by as much
 * as is moved at once: that, and more, is written, and then written over.
 */
static inline unsigned char *
escape_part(unsigned char *to, const unsigned char *part, size_t len_bytes, uint64_t escaped)
{
	const unsigned char *end = part + len_bytes;
	const unsigned char *run = part;

	while (run < end)
	{
		const unsigned char *at = escaped ? part + __builtin_ctzll(escaped) : end;
		size_t		len = at - run;

		for (size_t i = 0; i < len; i += MOVE_BYTES)
			memcpy(to + i, run + i, MOVE_BYTES);
		to += len;
		if (escaped)
			to = escape_byte(to, *at);
		run = at + 1;
		escaped &= escaped - 1;
	}
	return to;
}

/* Returns the end of what it wrote, for which there is room at its worst. */
static unsigned char *
escape(unsigned char *to, const unsigned char *from, size_t len_bytes)
{
	const unsigned char *end = from + len_bytes;

	for (; end - from >= BLOCK_BYTES + MOVE_BYTES; from += BLOCK_BYTES)
		to = escape_part(to, from, BLOCK_BYTES, to_escape(from));
	if (from < end)
	{
		unsigned char rest[BLOCK_BYTES + 2 * MOVE_BYTES] = {0};
		size_t		len = end - from;
		size_t		part = len < BLOCK_BYTES ? len : BLOCK_BYTES;
		uint64_t	wanted = UINT64_MAX >> (64 - part);

		memcpy(rest, from, len);
		to = escape_part(to, rest, part, to_escape(rest) & wanted);
		for (from += part; from < end; from++)
			to = escape_byte(to, *from);
	}
	return to;
}

void
answer_string(answer *ans, const char *bytes, size_t len_bytes)
{
	const unsigned char *from = (const unsigned char *) bytes;
	const unsigned char *end = from + len_bytes;
	bool		opened = false;

	do
	{
		size_t		left = end - from;
		size_t		slice = left < SLICE_BYTES ? left : SLICE_BYTES;
		unsigned char *begin = reserve(ans, slice * ESCAPED_MAX_BYTES + MOVE_BYTES + 2);
		unsigned char *to = begin;

		if (to == NULL)
			return;
		if (!opened)
			*to++ = '"';
		opened = true;
		to = escape(to, from, slice);
		from += slice;
		if (from == end)
			*to++ = '"';
		ans->len_bytes += to - begin;
	} while (from < end);
}

/* By hand: this runs once a record, and printf's generality shows there. */
void
answer_integer(answer *ans, int64_t value)
{
	char		digits[24];
	char	   *first = digits + sizeof(digits);
	uint64_t	rest = value < 0 ? 0 - (uint64_t) value : (uint64_t) value;

	do
	{
		*--first = '0' + rest % 10;
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		*--first = '-';
	answer_raw(ans, first, digits + sizeof(digits) - first);
}

void
answer_begin(answer *ans, const char *id_member, const char *id, size_t id_len_bytes)
{
	answer_raw(ans, "{", 1);
	answer_string(ans, id_member, strlen(id_member));
	answer_raw(ans, ":", 1);
	answer_string(ans, id, id_len_bytes);
}

void
answer_member(answer *ans, const char *name)
{
	answer_raw(ans, ",", 1);
	answer_string(ans, name, strlen(name));
	answer_raw(ans, ":", 1);
}
