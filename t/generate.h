/*-------------------------------------------------------------------------
 *
 * generate.h
 *		Random answers: sound, nearly sound, and damaged.
 *
 * They have the shape that the decoder expects of the request.  What is right
 * in them and what is wrong is left to reference.h.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef GENERATE_H
#define GENERATE_H

#include "client/ltdb_int.h"
#include "document.h"

static void
put_space(document *doc)
{
	PUT_ONE_OF(doc, "", "", "", "", " ", "\n", "\t\r", "  ");
}

static void
put_string(document *doc)
{
	static const char *const pieces[] = {
		"a", "bc", "\\\"", "\\\\", "\\/", "\\n", "\\u0041", "\\u00e4", "\\ud83d\\ude00",
		"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "{", "]", ",", ":", " ", "\x7f", "\\u0000",
		"\\ud800", "\\u12", "\xff", "\n", "\\x", "\xe2\x82", "\"", "\\"
	};
	unsigned	valid = random_below(400) == 0 ? 27 : 19;
	unsigned	count = random_below(6);

	put(doc, "\"");
	while (count-- > 0)
		put(doc, pieces[random_below(valid)]);
	put(doc, "\"");
}

static void
put_number(document *doc)
{
	static const char *const numbers[] = {
		"0", "1", "-1", "1700000000", "-0", "2147483648", "-9223372036854775808", "9223372036854775807",
		"9223372036854775808", "-9223372036854775809", "1.5", "1e2", "01", "-", "1.", "+1", "1e", "1e999", "0x1", "1E+2"
	};

	put(doc, numbers[random_below(random_below(200) == 0 ? 20 : 8)]);
}

static void put_members(document *doc, unsigned depth);

static void
put_value(document *doc, unsigned depth)
{
	static const char *const words[] = {"true", "false", "null", "nul", "TRUE"};
	unsigned	kind = random_below(depth > 3 ? 3 : 5);

	if (kind == 0)
		put_string(doc);
	else if (kind == 1)
		put_number(doc);
	else if (kind == 2)
		put(doc, words[random_below(random_below(200) == 0 ? 5 : 3)]);
	else if (kind == 3)
	{
		put(doc, "{");
		put_members(doc, depth + 1);
		put(doc, "}");
	}
	else
	{
		unsigned	count = random_below(3);

		put(doc, "[");
		while (count > 0)
		{
			put_value(doc, depth + 1);
			if (--count > 0)
				put(doc, ",");
		}
		put(doc, "]");
	}
}

/* Unknown members with names that mostly differ. */
static void
put_members(document *doc, unsigned depth)
{
	unsigned	count = random_below(3);
	char		name[32];

	while (count > 0)
	{
		snprintf(name, sizeof(name), random_below(8) ? "\"m%u\":" : "\"\\u006d%u\":", random_below(5000));
		put(doc, name);
		put_value(doc, depth);
		if (--count > 0)
			put(doc, ",");
	}
}

static void
put_record(document *doc)
{
	bool		data_first = random_below(4) == 0;
	int			i;

	put_space(doc);
	put(doc, "{");
	for (i = 0; i < 2; i++)
	{
		put_space(doc);
		if (i > 0)
			put(doc, ",");
		if (data_first == (i == 0))
		{
			put(doc, "\"data\":");
			put_string(doc);
		}
		else
		{
			put(doc, "\"ts\":");
			put_space(doc);
			put_number(doc);
		}
	}
	if (random_below(6) == 0)
	{
		put(doc, ",\"extra\":");
		put_value(doc, 3);
	}
	put_space(doc);
	put(doc, "}");
}

static void
put_items(document *doc, ltdbp_shape shape)
{
	bool		map = shape == LTDBP_SHAPE_RECORD_MAP || shape == LTDBP_SHAPE_STRING_MAP;
	unsigned	count = random_below(5);
	unsigned	i;
	char		key[32];

	if (shape == LTDBP_SHAPE_STRING)
	{
		put_string(doc);
		return;
	}
	put(doc, map ? "{" : "[");
	for (i = 0; i < count; i++)
	{
		if (i > 0)
			put(doc, ",");
		put_space(doc);
		snprintf(key, sizeof(key), random_below(4) ? "\"k%u\":" : "\"\\u00e4\\n%u\" : ", i);
		if (map)
			put(doc, key);
		if (shape == LTDBP_SHAPE_RECORD_ARRAY || shape == LTDBP_SHAPE_RECORD_MAP)
			put_record(doc);
		else
			put_string(doc);
		put_space(doc);
	}
	put(doc, map ? "}" : "]");
}

static void
generate(document *doc, ltdb_request_type type)
{
	ltdbp_decoder words;
	bool		id_first = random_below(4) != 0;

	ltdbp_decoder_init(&words, &ltdb_dialect_ltdb, type);
	doc->len = 0;
	put_space(doc);
	put(doc, "{");
	put_space(doc);
	if (id_first)
		put(doc, "\"id\":\"17\"");
	else
		put(doc, "\"first\" :\n7");
	if (words.items != NULL)
	{
		put(doc, ",\"");
		put(doc, words.items);
		put(doc, "\":");
		put_space(doc);
		put_items(doc, words.shape);
	}
	if (random_below(5) == 0)
	{
		put(doc, ",\"unknown\":");
		put_value(doc, 1);
	}
	if (!id_first)
		put(doc, ",\"id\":\"17\"");
	put_space(doc);
	put(doc, "}");
	put_space(doc);
}

/* Changes a few bytes, with a liking for those that mean something. */
static void
mutate(document *doc)
{
	static const char bytes[] = "\"\\{}[],:0e.-u \n\x80\xff";
	unsigned	count = random_below(3);

	while (count-- > 0 && doc->len > 1)
	{
		size_t		at = random_below((unsigned) doc->len);
		char		byte = bytes[random_below(sizeof(bytes))];

		switch (random_below(4))
		{
			case 0:
				doc->bytes[at] = byte;
				break;
			case 1:
				document_remove(doc, at);
				break;
			case 2:
				document_insert(doc, at, byte);
				break;
			default:
				if (random_below(10) == 0)
					doc->len = at;
				break;
		}
	}
}

#endif							/* GENERATE_H */
