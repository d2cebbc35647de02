/*-------------------------------------------------------------------------
 *
 * text.c
 *		UTF-8, and how names and foreign texts appear inside messages.
 *
 * Escaping for the wire is left to encode.c, unescaping to scanner.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ltdb_int.h"

/* A name longer than this is cut in messages. */
#define QUOTED_MAX_BYTES 64

/*
 * Length of the character at p, which is before end; 0 if it is not UTF-8
 * (overlong forms, surrogates and what lies beyond U+10FFFF are not).
 */
size_t
ltdbp_utf8_length(const unsigned char *p, const unsigned char *end)
{
	size_t		len;
	size_t		i;
	unsigned char low = 0x80;	/* bounds of the second byte */
	unsigned char high = 0xBF;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;

	len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (p[0] == 0xE0)
		low = 0xA0;
	else if (p[0] == 0xED)
		high = 0x9F;
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F;

	if ((size_t) (end - p) < len || p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < len; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	return len;
}

/*
 * How many bytes of the text, at most max, can be shown; never ends inside a
 * character.
 */
static size_t
showable(const char *bytes, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char) bytes[max] & 0xC0) == 0x80)
		max--;
	return max;
}

/* The character for a message: '?' for what a terminal should not get. */
static size_t
clean_character(const unsigned char *p, const unsigned char *end, bool *clean)
{
	size_t		len = ltdbp_utf8_length(p, end);

	*clean = len > 0 && *p >= 0x20 && *p != 0x7F;
	return len > 0 ? len : 1;
}

/* Appends a name in double quotes, cut if it is long. */
void
ltdbp_buffer_put_quoted(ltdbp_buffer *buffer, ltdb_text text)
{
	size_t		len = showable(text.bytes, text.len_bytes, QUOTED_MAX_BYTES);
	const unsigned char *p = (const unsigned char *) text.bytes;
	const unsigned char *end = p + len;

	ltdbp_buffer_append(buffer, "\"", 1);
	while (p < end)
	{
		bool		clean;
		size_t		step = clean_character(p, end, &clean);

		if (clean)
			ltdbp_buffer_append(buffer, p, step);
		else
			ltdbp_buffer_append(buffer, "?", 1);
		p += step;
	}
	if (len < text.len_bytes)
		ltdbp_buffer_puts(buffer, "...");
	ltdbp_buffer_append(buffer, "\"", 1);
}

/* Copies a text of the server's, cleaned and cut to what fits. */
void
ltdbp_copy_message(char *dest, size_t dest_size, const char *bytes, size_t len)
{
	const unsigned char *p = (const unsigned char *) bytes;
	const unsigned char *end = p + len;
	size_t		used = 0;

	while (p < end)
	{
		bool		clean;
		size_t		step = clean_character(p, end, &clean);
		size_t		width = clean ? step : 1;

		if (used + width >= dest_size)
			break;
		if (clean)
			memcpy(dest + used, p, step);
		else
			dest[used] = '?';
		used += width;
		p += step;
	}
	dest[used] = '\0';
}
