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
#include <string.h>

#include "ltdb_int.h"

/* Whatever is looked at lies at least this far from the end of the bytes. */
#define MARGIN_BYTES 16

/* Strings with escapes are copied here; longer ones are left to decode.c. */
#define FIRST_ROOM_BYTES 512
#define MAX_ROOM_BYTES (64 * 1024)

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t
load(const char *p)
{
	uint64_t	word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/*
 * Which of eight bytes need a look: quotes, backslashes, controls, and what is
 * not ASCII.  Up to the first of them, the high bit of each byte tells.
 */
static inline uint64_t
special_bytes(uint64_t word)
{
	uint64_t	quote = word ^ EACH_BYTE('"');
	uint64_t	backslash = word ^ EACH_BYTE('\\');

	return (((quote - EACH_BYTE(1)) & ~quote) | ((backslash - EACH_BYTE(1)) & ~backslash) |
			(word - EACH_BYTE(0x20)) | word) & EACH_BYTE(0x80);
}

/* How many bytes stand before the first that is special. */
static inline size_t
plain_bytes(uint64_t special)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	special = __builtin_bswap64(special);
#endif
	return (size_t) __builtin_ctzll(special) / 8;
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

	/* eleven are more than any ts has, and stay within the margin */
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

/* Goes behind a character that is not ASCII. */
static inline bool
pass_multibyte(char **p, const char *end)
{
	size_t		len = ltdbp_utf8_length((unsigned char *) *p, (const unsigned char *) end);

	*p += len;
	return len > 0;
}

/*
 * The rest of a string from its first escape on: unescaped, behind what is in
 * the room already.  False if it does not fit, or is not to be read here.
 */
static bool
take_escaped(ltdbp_buffer *room, size_t used, char **p, const char *end, size_t *len)
{
	char	   *out = room->bytes + used;
	char	   *out_end = room->bytes + room->size_bytes - MARGIN_BYTES;
	char	   *at = *p;

	while (end - at >= MARGIN_BYTES && out < out_end)
	{
		uint64_t	word = load(at);
		uint64_t	special = special_bytes(word);
		size_t		plain = special ? plain_bytes(special) : sizeof(word);

		/* more than is wanted, which is overwritten by what follows */
		memcpy(out, &word, sizeof(word));
		out += plain;
		at += plain;
		if (special == 0)
			continue;
		if (*at == '\\')
		{
			if ((*out++ = short_escape(at[1])) == 0)
				return false;
			at += 2;
		}
		else if (*at == '"')
		{
			*p = at + 1;
			*len = (size_t) (out - room->bytes);
			return true;
		}
		else
		{
			char	   *from = at;

			if ((unsigned char) *at < 0x80 || !pass_multibyte(&at, end))
				return false;
			memcpy(out, from, 4);
			out += at - from;
		}
	}

	/* next time there will be more, should that have been the reason */
	if (out >= out_end && room->size_bytes < MAX_ROOM_BYTES)
		ltdbp_buffer_reserve(room, 2 * room->size_bytes);
	return false;
}

/* Behind the opening quote: the string, where it lies or in the room. */
static bool
take_text(ltdbp_buffer *room, char **p, const char *end, ltdb_text *text)
{
	char	   *begin = *p;
	char	   *at = begin;
	size_t		len;

	for (;;)
	{
		uint64_t	special;

		if (end - at < MARGIN_BYTES)
			return false;
		special = special_bytes(load(at));
		if (special == 0)
		{
			at += sizeof(uint64_t);
			continue;
		}
		at += plain_bytes(special);
		if (*at == '\\')
			break;
		if (*at == '"')
		{
			*text = (ltdb_text) {begin, (size_t) (at - begin)};
			*p = at + 1;
			return true;
		}
		if ((unsigned char) *at < 0x80 || !pass_multibyte(&at, end))
			return false;
	}

	len = (size_t) (at - begin);
	if (room->size_bytes == 0 && !ltdbp_buffer_reserve(room, FIRST_ROOM_BYTES))
		return false;
	if (len >= room->size_bytes - MARGIN_BYTES)
	{
		if (len < MAX_ROOM_BYTES / 4)
			ltdbp_buffer_reserve(room, 4 * len);
		return false;
	}
	memcpy(room->bytes, begin, len);
	if (!take_escaped(room, len, &at, end, &len))
		return false;
	*text = (ltdb_text) {room->bytes, len};
	*p = at;
	return true;
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
	bool		good;

	if (end - p < 2 * MARGIN_BYTES)
		return false;
	if (take_literal(&p, '{', &decoder->ts_literal))
		good = take_integer(&p, &item->ts_sec) &&
			take_literal(&p, ',', &decoder->data_literal) &&
			take_text(&decoder->room, &p, end, &item->data);
	else
		good = take_literal(&p, '{', &decoder->data_literal) &&
			take_text(&decoder->room, &p, end, &item->data) &&
			end - p >= 2 * MARGIN_BYTES &&
			take_literal(&p, ',', &decoder->ts_literal) &&
			take_integer(&p, &item->ts_sec);
	if (!good || p >= end || *p != '}')
		return false;
	cursor->p = p + 1;
	return true;
}
