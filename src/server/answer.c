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

/* Returns the end of what it wrote. */
static unsigned char *
escape(unsigned char *to, const unsigned char *from, size_t len_bytes)
{
	static const char hex[] = "0123456789abcdef";

	for (const unsigned char *end = from + len_bytes; from < end; from++)
	{
		char		form = escape_of[*from];

		if (form == 0)
		{
			*to++ = *from;
			continue;
		}
		*to++ = '\\';
		*to++ = form;
		if (form == 'u')
		{
			*to++ = '0';
			*to++ = '0';
			*to++ = hex[*from >> 4];
			*to++ = hex[*from & 15];
		}
	}
	return to;
}

void
answer_string(answer *ans, const char *bytes, size_t len_bytes)
{
	answer_raw(ans, "\"", 1);
	while (len_bytes > 0)
	{
		size_t		slice = len_bytes < SLICE_BYTES ? len_bytes : SLICE_BYTES;
		unsigned char *to = reserve(ans, slice * ESCAPED_MAX_BYTES);

		if (to == NULL)
			return;
		ans->len_bytes += escape(to, (const unsigned char *) bytes, slice) - to;
		bytes += slice;
		len_bytes -= slice;
	}
	answer_raw(ans, "\"", 1);
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
