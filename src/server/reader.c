/*-------------------------------------------------------------------------
 *
 * reader.c
 *		A strict JSON reader for requests: RFC 8259, valid UTF-8, integers of
 *		64 bits, no lone surrogates.
 *
 * Requests carry a JSON document inside a JSON string, so every record of a
 * batch is read twice; a parser that builds a tree takes most of an insert's
 * time.  What the members mean is left to handle.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "reader.h"

#include <string.h>

/* Deeper nesting is refused; the protocol itself needs two levels. */
#define DEPTH_MAX 1024

static bool skip_value(reader *rd, int depth, reader_value *value);

static bool
fail(reader *rd)
{
	rd->failed = true;
	return false;
}

static void
skip_space(reader *rd)
{
	while (*rd->at == ' ' || *rd->at == '\n' || *rd->at == '\t' || *rd->at == '\r')
		rd->at++;
}

/* Whether a character comes next; if so, steps over it. */
static bool
take(reader *rd, char wanted)
{
	skip_space(rd);
	if (*rd->at != (unsigned char) wanted)
		return false;
	rd->at++;
	return true;
}

/* ---- strings ---- */

/* Bytes of a string that need a look: controls, quote, backslash, not ASCII. */
static const bool special[256] = {
	[0 ... 31] = true,['"'] = true,['\\'] = true,[128 ... 255] = true
};

/* The length of the UTF-8 sequence at a byte >= 128, 0 if it is not valid. */
static int
utf8_length(const unsigned char *at)
{
	unsigned char lowest = 0x80;
	unsigned char highest = 0xbf;
	int			len;

	if (at[0] >= 0xc2 && at[0] <= 0xdf)
		len = 2;
	else if (at[0] >= 0xe0 && at[0] <= 0xef)
		len = 3;
	else if (at[0] >= 0xf0 && at[0] <= 0xf4)
		len = 4;
	else
		return 0;

	/* Neither longer than needed, nor a surrogate, nor beyond U+10FFFF. */
	if (at[0] == 0xe0)
		lowest = 0xa0;
	else if (at[0] == 0xed)
		highest = 0x9f;
	else if (at[0] == 0xf0)
		lowest = 0x90;
	else if (at[0] == 0xf4)
		highest = 0x8f;
	if (at[1] < lowest || at[1] > highest)
		return 0;
	for (int i = 2; i < len; i++)
	{
		if (at[i] < 0x80 || at[i] > 0xbf)
			return 0;
	}
	return len;
}

static int
hex_value(unsigned char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if ((digit | 32) >= 'a' && (digit | 32) <= 'f')
		return (digit | 32) - 'a' + 10;
	return -1;
}

/* The four hexadecimal digits at a place, -1 if they are not. */
static int
read_hex4(const unsigned char *at)
{
	int			code = 0;

	for (int i = 0; i < 4; i++)
	{
		int			digit = hex_value(at[i]);

		if (digit < 0)
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

static unsigned char *
put_utf8(unsigned char *to, int code)
{
	if (code < 0x80)
		*to++ = code;
	else if (code < 0x800)
	{
		*to++ = 0xc0 | code >> 6;
		*to++ = 0x80 | (code & 63);
	}
	else if (code < 0x10000)
	{
		*to++ = 0xe0 | code >> 12;
		*to++ = 0x80 | (code >> 6 & 63);
		*to++ = 0x80 | (code & 63);
	}
	else
	{
		*to++ = 0xf0 | code >> 18;
		*to++ = 0x80 | (code >> 12 & 63);
		*to++ = 0x80 | (code >> 6 & 63);
		*to++ = 0x80 | (code & 63);
	}
	return to;
}

/* At the digits of a \u escape; a pair of surrogates is one character. */
static bool
unescape_unicode(reader *rd, unsigned char **to)
{
	int			code = read_hex4(rd->at);
	int			low;

	if (code < 0)
		return fail(rd);
	rd->at += 4;
	if (code >= 0xd800 && code <= 0xdfff)
	{
		low = rd->at[0] == '\\' && rd->at[1] == 'u' ? read_hex4(rd->at + 2) : -1;
		if (code > 0xdbff || low < 0xdc00 || low > 0xdfff)
			return fail(rd);
		code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
		rd->at += 6;
	}
	*to = put_utf8(*to, code);
	return true;
}

/* Behind a backslash. */
static bool
unescape(reader *rd, unsigned char **to)
{
	static const char plain[256] = {
		['"'] = '"',['\\'] = '\\',['/'] = '/',['b'] = '\b',
		['f'] = '\f',['n'] = '\n',['r'] = '\r',['t'] = '\t'
	};
	unsigned char form = *rd->at++;

	if (form == 'u')
		return unescape_unicode(rd, to);
	if (plain[form] == 0)
		return fail(rd);
	*(*to)++ = plain[form];
	return true;
}

/*
 * Behind the opening quote.  An escape is never shorter than what it stands
 * for, so the unescaped string fits where it came from.
 */
static bool
read_string(reader *rd, store_text *text)
{
	unsigned char *begin = rd->at;
	unsigned char *to;
	int			len;

	while (!special[*rd->at])
		rd->at++;
	for (to = rd->at; *rd->at != '"';)
	{
		if (!special[*rd->at])
			*to++ = *rd->at++;
		else if (*rd->at == '\\')
		{
			rd->at++;
			if (!unescape(rd, &to))
				return false;
		}
		else
		{
			len = *rd->at >= 128 ? utf8_length(rd->at) : 0;
			if (len == 0)
				return fail(rd);	/* the guard at the end gets here, too */
			while (len-- > 0)
				*to++ = *rd->at++;
		}
	}
	rd->at++;
	*to = '\0';					/* the guard, should the string be JSON itself */
	*text = (store_text) {(char *) begin, to - begin};
	return true;
}

/* ---- other values ---- */

static void
skip_digits(reader *rd)
{
	while (*rd->at >= '0' && *rd->at <= '9')
		rd->at++;
}

static bool
skip_some_digits(reader *rd)
{
	const unsigned char *begin = rd->at;

	skip_digits(rd);
	return rd->at > begin || fail(rd);
}

static bool
read_digits(reader *rd, const unsigned char *digits, bool negative, int64_t *value)
{
	*value = 0;
	for (; digits < rd->at; digits++)
	{
		int			digit = negative ? -(*digits - '0') : *digits - '0';

		if (__builtin_mul_overflow(*value, 10, value) ||
			__builtin_add_overflow(*value, digit, value))
			return fail(rd);
	}
	return true;
}

static bool
read_number(reader *rd, reader_value *value)
{
	bool		negative = *rd->at == '-';
	const unsigned char *digits = rd->at += negative;

	if (!skip_some_digits(rd))
		return false;
	if (*digits == '0' && rd->at > digits + 1)
		return fail(rd);
	if (*rd->at != '.' && (*rd->at | 32) != 'e')
	{
		value->type = READER_INTEGER;
		return read_digits(rd, digits, negative, &value->integer);
	}

	value->type = READER_REAL;
	if (*rd->at == '.')
	{
		rd->at++;
		if (!skip_some_digits(rd))
			return false;
	}
	if ((*rd->at | 32) == 'e')
	{
		rd->at++;
		if (*rd->at == '+' || *rd->at == '-')
			rd->at++;
		return skip_some_digits(rd);
	}
	return true;
}

static bool
read_word(reader *rd, const char *word, reader_type type, reader_value *value)
{
	size_t		len = strlen(word);

	if ((size_t) (rd->end - rd->at) < len || memcmp(rd->at, word, len) != 0)
		return fail(rd);
	rd->at += len;
	value->type = type;
	return true;
}

/* ---- containers ---- */

/* In front of a member's value: reads its name and the colon. */
static bool
read_member_name(reader *rd, store_text *name)
{
	return (take(rd, '"') || fail(rd)) && read_string(rd, name) &&
		(take(rd, ':') || fail(rd));
}

/* Behind an element or a member: whether another one follows. */
static bool
another(reader *rd, char close, bool *more)
{
	*more = take(rd, ',');
	return *more || take(rd, close) || fail(rd);
}

static bool
skip_container(reader *rd, char close, int depth)
{
	bool		more = true;
	store_text	name;
	reader_value ignored;

	rd->at++;
	if (depth > DEPTH_MAX)
		return fail(rd);
	if (take(rd, close))
		return true;
	while (more)
	{
		if ((close == '}' && !read_member_name(rd, &name)) ||
			!skip_value(rd, depth + 1, &ignored) || !another(rd, close, &more))
			return false;
	}
	return true;
}

/* Reads a value; of a container only the type. */
static bool
skip_value(reader *rd, int depth, reader_value *value)
{
	skip_space(rd);
	switch (*rd->at)
	{
		case '"':
			rd->at++;
			value->type = READER_STRING;
			return read_string(rd, &value->text);
		case '{':
			value->type = READER_OBJECT;
			return skip_container(rd, '}', depth);
		case '[':
			value->type = READER_ARRAY;
			return skip_container(rd, ']', depth);
		case 't':
			return read_word(rd, "true", READER_TRUE, value);
		case 'f':
			return read_word(rd, "false", READER_FALSE, value);
		case 'n':
			return read_word(rd, "null", READER_NULL, value);
		default:
			return read_number(rd, value);
	}
}

/* ---- for the users ---- */

void
reader_init(reader *rd, char *text, size_t len_bytes)
{
	rd->at = (unsigned char *) text;
	rd->end = rd->at + len_bytes;
	rd->failed = false;
}

bool
reader_object(reader *rd, const store_text *wanted, int count, reader_value *values)
{
	bool		more;

	for (int i = 0; i < count; i++)
		values[i].type = READER_ABSENT;
	if (rd->failed || !take(rd, '{'))
		return fail(rd);
	more = !take(rd, '}');
	while (more)
	{
		store_text	name;
		reader_value value;

		if (!read_member_name(rd, &name) || !skip_value(rd, 1, &value) ||
			!another(rd, '}', &more))
			return false;
		for (int i = 0; i < count; i++)
		{
			if (name.len_bytes == wanted[i].len_bytes &&
				memcmp(name.bytes, wanted[i].bytes, name.len_bytes) == 0)
				values[i] = value;
		}
	}
	return true;
}

bool
reader_element(reader *rd, bool *in_array)
{
	if (rd->failed)
		return false;
	if (*in_array)
		return another(rd, ']', in_array);
	if (!take(rd, '['))
		return fail(rd);
	*in_array = !take(rd, ']');
	return true;
}

bool
reader_done(reader *rd)
{
	if (rd->failed)
		return false;
	skip_space(rd);
	return rd->at == rd->end;
}
