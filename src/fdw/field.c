/*-------------------------------------------------------------------------
 *
 * field.c
 *		Finds the members of many paths in one pass over the JSON text of a
 *		record's data.
 *
 * What is found is the text of a JSON value; turning it into a column's value
 * is field_value.c's business, paths are field_path.c's.
 *
 * Nothing is built and nothing copied but names with escapes in them, and
 * values that no path leads to are skipped over.  The records of a collection
 * mostly have the same members in the same order: a name is first compared
 * with the one that was at its place the last time.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include <ctype.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"

/* A pass over one JSON text. */
typedef struct Walk
{
	const char *at;
	const char *end;
	LtfdwField **fields;		/* what is looked for */
	ltdb_text  *found;			/* by field; no bytes = not found */
	LtfdwShape *shape;			/* of data before, or NULL */
} Walk;

/* ---- walking JSON ---- */

static bool walk_value(Walk *walk, int depth, uint64 active);

static inline void
skip_space(Walk *walk)
{
	const char *at = walk->at;

	while (at < walk->end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	walk->at = at;
}

static inline bool
take_char(Walk *walk, char c)
{
	skip_space(walk);
	if (walk->at >= walk->end || *walk->at != c)
		return false;
	walk->at++;
	return true;
}

static bool
skip_escape(Walk *walk)
{
	if (++walk->at >= walk->end || strchr("\"\\/bfnrtu", *walk->at) == NULL || *walk->at == '\0')
		return false;
	if (*walk->at++ != 'u')
		return true;
	for (int i = 0; i < 4; i++, walk->at++)
		if (walk->at >= walk->end || !isxdigit((unsigned char) *walk->at))
			return false;
	return true;
}

/* What a string has no need to be looked at for: no quote, backslash or control. */
static const char *
skip_plain(const char *at, const char *end)
{
	static const bool special[256] = {[0 ... 31] = true,['"'] = true,['\\'] = true};

	while (at < end && !special[(unsigned char) *at])
		at++;
	return at;
}

/* A string, from its opening quote; what is between the quotes, escapes kept. */
static bool
take_string(Walk *walk, ltdb_text *content, bool *escaped)
{
	*escaped = false;
	if (!take_char(walk, '"'))
		return false;
	content->bytes = walk->at;
	while ((walk->at = skip_plain(walk->at, walk->end)) < walk->end && *walk->at != '"')
	{
		if (*walk->at != '\\' || !skip_escape(walk))
			return false;
		*escaped = true;
	}
	if (walk->at >= walk->end)
		return false;
	content->len_bytes = walk->at++ - content->bytes;
	return true;
}

static bool
skip_digits(Walk *walk)
{
	const char *start = walk->at;
	const char *at = start;

	while (at < walk->end && *at >= '0' && *at <= '9')
		at++;
	walk->at = at;
	return at > start;
}

static bool
skip_number(Walk *walk)
{
	if (*walk->at == '-')
		walk->at++;
	if (walk->at < walk->end && *walk->at == '0')
		walk->at++;
	else if (!skip_digits(walk))
		return false;
	if (walk->at < walk->end && *walk->at == '.')
	{
		walk->at++;
		if (!skip_digits(walk))
			return false;
	}
	if (walk->at < walk->end && (*walk->at == 'e' || *walk->at == 'E'))
	{
		walk->at++;
		if (walk->at < walk->end && (*walk->at == '+' || *walk->at == '-'))
			walk->at++;
		return skip_digits(walk);
	}
	return true;
}

static bool
skip_word(Walk *walk, const char *word)
{
	size_t		len = strlen(word);

	if (walk->end - walk->at < (ptrdiff_t) len || memcmp(walk->at, word, len) != 0)
		return false;
	walk->at += len;
	return true;
}

/* Those of the fields whose step at this depth is the member of this name. */
static uint64
fields_of_name(const Walk *walk, int depth, uint64 active, ltdb_text name)
{
	uint64		result = 0;

	for (; active != 0; active &= active - 1)
	{
		int			i = pg_rightmost_one_pos64(active);
		const LtfdwStep *step = &walk->fields[i]->steps[depth];

		if (step->index < 0 && step->name.len_bytes == name.len_bytes &&
			(name.len_bytes == 0 || step->name.bytes[0] == name.bytes[0]) &&
			memcmp(step->name.bytes, name.bytes, name.len_bytes) == 0)
			result |= UINT64CONST(1) << i;
	}
	return result;
}

static uint64
fields_of_index(const Walk *walk, int depth, uint64 active, int index)
{
	uint64		result = 0;

	for (; active != 0; active &= active - 1)
	{
		int			i = pg_rightmost_one_pos64(active);

		if (walk->fields[i]->steps[depth].index == index)
			result |= UINT64CONST(1) << i;
	}
	return result;
}

/*
 * The value that the steps so far have led to: note it for the fields that end
 * here, and go on inside it for the others.  If a member comes twice, the
 * later counts, as for jsonb.
 */
static bool
walk_child(Walk *walk, int depth, uint64 active)
{
	const char *start;
	uint64		deeper = 0;

	if (active == 0)
		return walk_value(walk, depth + 1, 0);
	skip_space(walk);
	start = walk->at;
	for (uint64 left = active; left != 0; left &= left - 1)
	{
		int			i = pg_rightmost_one_pos64(left);

		memset(&walk->found[i], 0, sizeof(ltdb_text));
		if (walk->fields[i]->nsteps > depth + 1)
			deeper |= UINT64CONST(1) << i;
	}
	if (!walk_value(walk, depth + 1, deeper))
		return false;
	for (uint64 left = active & ~deeper; left != 0; left &= left - 1)
	{
		int			i = pg_rightmost_one_pos64(left);

		walk->found[i].bytes = start;
		walk->found[i].len_bytes = walk->at - start;
	}
	return true;
}

/* A member's name, colon and all; which of the fields it leads to. */
static bool
take_name(Walk *walk, int depth, uint64 active, uint64 *matching)
{
	ltdb_text	name;
	bool		escaped;

	*matching = 0;
	if (!take_string(walk, &name, &escaped) || !take_char(walk, ':'))
		return false;
	if (active == 0)
		return true;
	if (escaped)
		name = ltfdw_json_unescape(name);
	*matching = fields_of_name(walk, depth, active, name);
	return true;
}

/* The same for the member of that number of the outermost object. */
static bool
take_outer_name(Walk *walk, int number, uint64 active, uint64 *matching)
{
	LtfdwShapeMember *known = &walk->shape->members[number];
	const char *start;
	size_t		len;

	skip_space(walk);
	start = walk->at;
	if (known->len > 0 && walk->end - start >= known->len &&
		memcmp(start, known->begin, known->len) == 0)
	{
		walk->at += known->len;
		*matching = known->fields;
		return true;
	}
	if (!take_name(walk, 0, active, matching))
		return false;
	len = walk->at - start;
	if (len <= sizeof(known->begin))
	{
		memcpy(known->begin, start, len);
		known->len = len;
		known->fields = *matching;
	}
	return true;
}

static bool
walk_object(Walk *walk, int depth, uint64 active)
{
	int			known_members = depth == 0 && walk->shape ? LTFDW_SHAPE_MEMBERS : 0;

	check_stack_depth();
	walk->at++;
	if (take_char(walk, '}'))
		return true;
	for (int i = 0;; i++)
	{
		uint64		matching;

		if (!(i < known_members ? take_outer_name(walk, i, active, &matching) :
			  take_name(walk, depth, active, &matching)) ||
			!walk_child(walk, depth, matching))
			return false;
		if (!take_char(walk, ','))
			return take_char(walk, '}');
	}
}

static bool
walk_array(Walk *walk, int depth, uint64 active)
{
	int			index = 0;

	check_stack_depth();
	walk->at++;
	if (take_char(walk, ']'))
		return true;
	do
	{
		if (!walk_child(walk, depth, fields_of_index(walk, depth, active, index++)))
			return false;
	} while (take_char(walk, ','));
	return take_char(walk, ']');
}

static bool
walk_value(Walk *walk, int depth, uint64 active)
{
	ltdb_text	string;
	bool		escaped;

	skip_space(walk);
	if (walk->at >= walk->end)
		return false;
	switch (*walk->at)
	{
		case '{':
			return walk_object(walk, depth, active);
		case '[':
			return walk_array(walk, depth, active);
		case '"':
			return take_string(walk, &string, &escaped);
		case 't':
			return skip_word(walk, "true");
		case 'f':
			return skip_word(walk, "false");
		case 'n':
			return skip_word(walk, "null");
		default:
			return skip_number(walk);
	}
}

/*
 * Find the values of some fields in a JSON text; found gets a value, or no
 * bytes, for each.  False if the text is not JSON.  The shape, zeroed at first,
 * is for these fields only.
 */
bool
ltfdw_fields_find(ltdb_text data, LtfdwField **fields, int nfields, ltdb_text *found,
				  LtfdwShape *shape)
{
	/* the fields that a pass looks for are the bits of one word */
	for (int first = 0; first < nfields || first == 0; first += 64)
	{
		int			n = Min(nfields - first, 64);
		Walk		walk = {
			data.bytes, data.bytes + data.len_bytes, fields + first, found + first,
			nfields <= 64 ? shape : NULL
		};

		memset(found + first, 0, n * sizeof(ltdb_text));
		if (!walk_value(&walk, 0, n == 64 ? ~UINT64CONST(0) : (UINT64CONST(1) << n) - 1))
			return false;
		skip_space(&walk);
		if (walk.at != walk.end)
			return false;
	}
	return true;
}

/* Call a function for each element of an array; false if it is none. */
bool
ltfdw_json_elements(ltdb_text array, void (*element) (ltdb_text value, void *arg), void *arg)
{
	Walk		walk = {array.bytes, array.bytes + array.len_bytes};

	if (!take_char(&walk, '['))
		return false;
	if (take_char(&walk, ']'))
		return true;
	do
	{
		ltdb_text	value;

		skip_space(&walk);
		value.bytes = walk.at;
		if (!walk_value(&walk, 0, 0))
			return false;
		value.len_bytes = walk.at - value.bytes;
		element(value, arg);
	} while (take_char(&walk, ','));
	return take_char(&walk, ']');
}

/* Call a function for each member of an object; false if it is none. */
bool
ltfdw_json_members(ltdb_text object, void (*member) (ltdb_text name, ltdb_text value, void *arg),
				   void *arg)
{
	Walk		walk = {object.bytes, object.bytes + object.len_bytes};

	if (!take_char(&walk, '{'))
		return false;
	if (take_char(&walk, '}'))
		return true;
	do
	{
		ltdb_text	name;
		ltdb_text	value;
		bool		escaped;

		if (!take_string(&walk, &name, &escaped) || !take_char(&walk, ':'))
			return false;
		if (escaped)
			name = ltfdw_json_unescape(name);
		skip_space(&walk);
		value.bytes = walk.at;
		if (!walk_value(&walk, 0, 0))
			return false;
		value.len_bytes = walk.at - value.bytes;
		member(name, value, arg);
	} while (take_char(&walk, ','));
	return take_char(&walk, '}');
}

/* ---- strings ---- */

static int
hex4(const char *p)
{
	int			value = 0;

	for (int i = 0; i < 4; i++)
		value = value * 16 + (p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return value;
}

/* "\uXXXX", or two of them for one character; -1 if half of a pair is missing. */
static const char *
unescape_unicode(const char *p, const char *end, pg_wchar *c)
{
	*c = hex4(p);
	p += 4;
	if (*c >= 0xDC00 && *c <= 0xDFFF)
		*c = (pg_wchar) -1;
	else if (*c >= 0xD800 && *c <= 0xDBFF)
	{
		pg_wchar	low = end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2) : 0;

		if (low < 0xDC00 || low > 0xDFFF)
			*c = (pg_wchar) -1;
		else
		{
			*c = 0x10000 + ((*c - 0xD800) << 10) + (low - 0xDC00);
			p += 6;
		}
	}
	return p;
}

/* The text that the inside of a JSON string stands for, in UTF-8. */
ltdb_text
ltfdw_json_unescape(ltdb_text content)
{
	char	   *out = palloc(content.len_bytes + 1);
	char	   *o = out;
	const char *p = content.bytes;
	const char *end = p + content.len_bytes;
	ltdb_text	result = {out, 0};

	while (p < end)
	{
		static const char from[] = "bfnrt";
		static const char to[] = "\b\f\n\r\t";
		const char *simple;
		pg_wchar	c;

		if (*p != '\\')
		{
			*o++ = *p++;
			continue;
		}
		p++;
		if (*p != 'u')
		{
			simple = strchr(from, *p);
			*o++ = simple ? to[simple - from] : *p;
			p++;
			continue;
		}
		p = unescape_unicode(p + 1, end, &c);
		if (c == (pg_wchar) -1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid input syntax for type json"),
					 errdetail("Half of a surrogate pair stands alone.")));
		unicode_to_utf8(c, (unsigned char *) o);
		o += pg_utf_mblen((unsigned char *) o);
	}
	result.len_bytes = o - out;
	return result;
}
