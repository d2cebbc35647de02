/*-------------------------------------------------------------------------
 *
 * scanner.c
 *		The tokens of JSON, over bytes that are still arriving.
 *
 * Accepts and refuses what jansson does.  A token whose end has not arrived
 * yet yields LTDBP_SCAN_MORE and changes nothing: the caller comes back to
 * its beginning.  Values of no interest are checked by jansson itself.  What
 * an answer is made of is left to decode.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include <jansson.h>

#include "ltdb_int.h"

/* jansson's own limit, which an object inside our objects must respect. */
#define MAX_DEPTH 2048

/* jansson builds a tree to check a value: bound what that can cost. */
#define MAX_SKIPPED_BYTES (1024 * 1024)

static ltdbp_scan
bad(ltdbp_cursor *cursor, const char *flaw)
{
	cursor->flaw = flaw;
	return LTDBP_SCAN_BAD;
}

/* Goes to the next token; MORE if there is none yet. */
ltdbp_scan
ltdbp_scan_space(ltdbp_cursor *cursor)
{
	while (cursor->p < cursor->end)
	{
		char		c = *cursor->p;

		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return LTDBP_SCAN_OK;
		cursor->p++;
	}
	return LTDBP_SCAN_MORE;
}

/* White space and that very character. */
ltdbp_scan
ltdbp_scan_char(ltdbp_cursor *cursor, char expected, const char *flaw)
{
	ltdbp_scan	scan = ltdbp_scan_space(cursor);

	if (scan != LTDBP_SCAN_OK)
		return scan;
	if (*cursor->p != expected)
		return bad(cursor, flaw);
	cursor->p++;
	return LTDBP_SCAN_OK;
}

/* ---- strings ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The value of four hexadecimal digits, or -1. */
static int
hex_value(const char *p)
{
	int			value = 0;
	int			i;

	for (i = 0; i < 4; i++)
	{
		int			digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* A \u escape, or two that make one character. */
static ltdbp_scan
scan_unicode(ltdbp_cursor *cursor, bool *has_nul)
{
	char	   *p = cursor->p;
	int			unit;

	if (cursor->end - p < 6)
		return LTDBP_SCAN_MORE;
	unit = hex_value(p + 2);
	if (unit < 0)
		return bad(cursor, "invalid escape in a string");
	if (unit >= 0xDC00 && unit <= 0xDFFF)
		return bad(cursor, "lone surrogate in a string");
	p += 6;
	if (unit >= 0xD800 && unit <= 0xDBFF)
	{
		if (p < cursor->end && *p != '\\')
			return bad(cursor, "lone surrogate in a string");
		if (cursor->end - p < 6)
			return LTDBP_SCAN_MORE;
		unit = p[1] == 'u' ? hex_value(p + 2) : -1;
		if (unit < 0xDC00 || unit > 0xDFFF)
			return bad(cursor, "lone surrogate in a string");
		p += 6;
	}
	if (unit == 0)
		*has_nul = true;
	cursor->p = p;
	return LTDBP_SCAN_OK;
}

static ltdbp_scan
scan_escape(ltdbp_cursor *cursor, bool *has_nul)
{
	if (cursor->end - cursor->p < 2)
		return LTDBP_SCAN_MORE;
	switch (cursor->p[1])
	{
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't':
			cursor->p += 2;
			return LTDBP_SCAN_OK;
		case 'u':
			return scan_unicode(cursor, has_nul);
		default:
			return bad(cursor, "invalid escape in a string");
	}
}

/* Whether these bytes, which are no character, may be the beginning of one. */
static bool
may_begin_character(const unsigned char *p, const unsigned char *end)
{
	unsigned char whole[4] = {0x80, 0x80, 0x80, 0x80};

	if (end - p >= (ptrdiff_t) sizeof(whole))
		return false;
	memcpy(whole, p, (size_t) (end - p));
	if (end - p == 1)
		whole[1] = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
	return ltdbp_utf8_length(whole, whole + sizeof(whole)) > (size_t) (end - p);
}

static ltdbp_scan
scan_multibyte(ltdbp_cursor *cursor)
{
	const unsigned char *p = (const unsigned char *) cursor->p;
	const unsigned char *end = (const unsigned char *) cursor->end;
	size_t		len = ltdbp_utf8_length(p, end);

	if (len == 0)
		return may_begin_character(p, end) ? LTDBP_SCAN_MORE
			: bad(cursor, "invalid UTF-8 in a string");
	cursor->p += len;
	return LTDBP_SCAN_OK;
}

/* The cursor stands where a string should begin. */
ltdbp_scan
ltdbp_scan_string(ltdbp_cursor *cursor, ltdbp_string *string)
{
	ltdbp_cursor inside = *cursor;

	if (inside.p == inside.end)
		return LTDBP_SCAN_MORE;
	if (*inside.p != '"')
		return bad(cursor, "not a string");

	inside.p++;
	string->bytes = inside.p;
	string->escaped = false;
	string->has_nul = false;
	while (inside.p < inside.end)
	{
		unsigned char c = (unsigned char) *inside.p;
		ltdbp_scan	scan;

		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\')
		{
			inside.p++;
			continue;
		}
		if (c == '"')
		{
			string->len_bytes = (size_t) (inside.p - string->bytes);
			cursor->p = inside.p + 1;
			return LTDBP_SCAN_OK;
		}
		if (c < 0x20)
			return bad(cursor, "control character in a string");
		if (c == '\\')
		{
			string->escaped = true;
			scan = scan_escape(&inside, &string->has_nul);
		}
		else
			scan = scan_multibyte(&inside);
		if (scan != LTDBP_SCAN_OK)
		{
			cursor->flaw = inside.flaw;
			return scan;
		}
	}
	return LTDBP_SCAN_MORE;
}

/* The name of a member or the key of an item, and the colon, up to its value. */
ltdbp_scan
ltdbp_scan_name(ltdbp_cursor *cursor, ltdbp_string *name)
{
	ltdbp_scan	scan = ltdbp_scan_string(cursor, name);

	if (scan == LTDBP_SCAN_OK)
		scan = ltdbp_scan_char(cursor, ':', "no colon after a name");
	if (scan == LTDBP_SCAN_OK)
		scan = ltdbp_scan_space(cursor);
	return scan;
}

static size_t
put_utf8(char *dest, unsigned code)
{
	if (code < 0x80)
	{
		dest[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		dest[0] = (char) (0xC0 | code >> 6);
		dest[1] = (char) (0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000)
	{
		dest[0] = (char) (0xE0 | code >> 12);
		dest[1] = (char) (0x80 | (code >> 6 & 0x3F));
		dest[2] = (char) (0x80 | (code & 0x3F));
		return 3;
	}
	dest[0] = (char) (0xF0 | code >> 18);
	dest[1] = (char) (0x80 | (code >> 12 & 0x3F));
	dest[2] = (char) (0x80 | (code >> 6 & 0x3F));
	dest[3] = (char) (0x80 | (code & 0x3F));
	return 4;
}

/* One escape of a string that has been scanned; advances *p behind it. */
static size_t
unescape_one(char *dest, const char **p)
{
	const char *at = *p;
	unsigned	code;

	*p = at + 2;
	switch (at[1])
	{
		case 'b':
			*dest = '\b';
			return 1;
		case 'f':
			*dest = '\f';
			return 1;
		case 'n':
			*dest = '\n';
			return 1;
		case 'r':
			*dest = '\r';
			return 1;
		case 't':
			*dest = '\t';
			return 1;
		case 'u':
			code = (unsigned) hex_value(at + 2);
			*p = at + 6;
			if (code >= 0xD800 && code <= 0xDBFF)
			{
				code = 0x10000 + ((code - 0xD800) << 10) + ((unsigned) hex_value(at + 8) - 0xDC00);
				*p = at + 12;
			}
			return put_utf8(dest, code);
		default:
			*dest = at[1];
			return 1;
	}
}

/*
 * Writes what the string stands for, which is never longer, and returns its
 * length.  dest may be bytes itself.
 */
size_t
ltdbp_unescape(char *dest, const char *bytes, size_t len)
{
	const char *p = bytes;
	const char *end = bytes + len;
	char	   *out = dest;

	while (p < end)
	{
		const char *escape = memchr(p, '\\', (size_t) (end - p));
		size_t		run = (size_t) ((escape ? escape : end) - p);

		memmove(out, p, run);
		out += run;
		p += run;
		if (escape != NULL)
			out += unescape_one(out, &p);
	}
	return (size_t) (out - dest);
}

/* ---- numbers ---- */

/*
 * An integer that fits 64 bits.  A fraction or an exponent is refused even
 * where the value is whole.
 */
ltdbp_scan
ltdbp_scan_integer(ltdbp_cursor *cursor, int64_t *value)
{
	char	   *p = cursor->p;
	bool		negative = p < cursor->end && *p == '-';
	uint64_t	most = negative ? (uint64_t) INT64_MAX + 1 : (uint64_t) INT64_MAX;
	uint64_t	sum = 0;
	char	   *digits;

	p += negative;
	digits = p;
	for (; p < cursor->end && *p >= '0' && *p <= '9'; p++)
	{
		unsigned	digit = (unsigned) (*p - '0');

		if (p > digits && *digits == '0')
			return bad(cursor, "number with a leading zero");
		if (sum > (most - digit) / 10)
			return bad(cursor, "integer beyond 64 bits");
		sum = sum * 10 + digit;
	}

	/* only what follows shows that the number has ended */
	if (p == cursor->end)
		return LTDBP_SCAN_MORE;
	if (p == digits || *p == '.' || *p == 'e' || *p == 'E')
		return bad(cursor, "not an integer");

	*value = negative ? (int64_t) -sum : (int64_t) sum;
	cursor->p = p;
	return LTDBP_SCAN_OK;
}

/* ---- values of no interest ---- */

/* Goes behind a string without looking at its contents. */
static ltdbp_scan
pass_string(ltdbp_cursor *cursor)
{
	char	   *p = cursor->p + 1;

	while (p < cursor->end && *p != '"')
		p += *p == '\\' ? 2 : 1;
	if (p >= cursor->end)
		return LTDBP_SCAN_MORE;
	cursor->p = p + 1;
	return LTDBP_SCAN_OK;
}

/*
 * Goes behind a value, which is not checked: if it is a JSON value, that is
 * where it ends.
 */
ltdbp_scan
ltdbp_scan_extent(ltdbp_cursor *cursor, int max_depth)
{
	ltdbp_cursor inside = *cursor;
	int			depth = 0;

	while (inside.p < inside.end)
	{
		switch (*inside.p)
		{
			case '"':
				if (pass_string(&inside) != LTDBP_SCAN_OK)
					return LTDBP_SCAN_MORE;
				if (depth > 0)
					continue;
				cursor->p = inside.p;
				return LTDBP_SCAN_OK;
			case '[':
			case '{':
				if (++depth > max_depth)
					return bad(cursor, "too deeply nested");
				break;
			case ']':
			case '}':
				if (depth > 1)
				{
					depth--;
					break;
				}

				/* either the value's own end, or that of what it is in */
				cursor->p = inside.p + (depth == 1);
				return LTDBP_SCAN_OK;
			case ' ':
			case '\t':
			case '\n':
			case '\r':
			case ',':
				if (depth > 0)
					break;
				cursor->p = inside.p;
				return LTDBP_SCAN_OK;
			default:
				break;
		}
		inside.p++;
	}
	return LTDBP_SCAN_MORE;
}

/* Goes behind a value inside that many others, refusing what is not JSON. */
ltdbp_scan
ltdbp_scan_skip(ltdbp_cursor *cursor, int depth)
{
	ltdbp_cursor inside = *cursor;
	ltdbp_scan	scan = ltdbp_scan_extent(&inside, MAX_DEPTH - depth);
	size_t		len = (size_t) (inside.p - cursor->p);
	json_t	   *tree;

	if (scan == LTDBP_SCAN_MORE &&
		cursor->end - cursor->p > MAX_SKIPPED_BYTES)
		return bad(cursor, "unknown member of more than 1 MiB");
	if (scan != LTDBP_SCAN_OK)
	{
		cursor->flaw = inside.flaw;
		return scan;
	}
	if (len > MAX_SKIPPED_BYTES)
		return bad(cursor, "unknown member of more than 1 MiB");

	/* jansson overlooks a NUL behind a number or literal */
	if (memchr(cursor->p, '\0', len) != NULL)
		return bad(cursor, "unknown member that is not JSON");
	tree = json_loadb(cursor->p, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (tree == NULL)
		return bad(cursor, "unknown member that is not JSON");
	json_decref(tree);
	cursor->p = inside.p;
	return LTDBP_SCAN_OK;
}
