/*-------------------------------------------------------------------------
 *
 * unit_reader.c
 *		The server's JSON reader against jansson, on generated documents,
 *		sound and damaged.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "document.h"
#include "reader_reference.h"
#include "tap.h"

#define DOCUMENTS 60000
#define SEED 20260101			/* the same documents in every run */

/* ---- documents ---- */

static void
put_string(document *doc)
{
	put(doc, "\"");
	for (unsigned i = random_below(8); i > 0; i--)
		PUT_ONE_OF(doc, "a", "key", " ", "/", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
				   "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0041",
				   "\\u0000", "\\u00e4", "\\u20AC", "\\ud83d\\ude00", "\\ud83d", "\\ude00",
				   "\\u12", "\\x", "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
				   "\xe0\x80\x80", "\xf4\x90\x80\x80", "\x7f", "\t");
	put(doc, "\"");
}

static void
put_space(document *doc)
{
	PUT_ONE_OF(doc, "", "", "", "", " ", "\n\t", "\r ");
}

static void put_object(document *doc, int depth);

static void
put_value(document *doc, int depth)
{
	put_space(doc);
	switch (random_below(depth < 4 ? 6 : 4))
	{
		case 0:
		case 1:
			put_string(doc);
			break;
		case 2:
			PUT_ONE_OF(doc, "0", "-0", "7", "-12", "2147483648", "9223372036854775807",
					   "-9223372036854775808", "9223372036854775808",
					   "-9223372036854775809", "1.5", "-0.25e3", "1e5", "1E+2", "2e-3",
					   "01", "1.", ".5", "+1", "-", "1e", "0x1", "--1");
			break;
		case 3:
			PUT_ONE_OF(doc, "true", "false", "null", "nul", "True", "");
			break;
		case 4:
			put_object(doc, depth + 1);
			break;
		default:
			put(doc, "[");
			for (unsigned i = random_below(4); i > 0; i--)
			{
				put_value(doc, depth + 1);
				put(doc, i > 1 ? "," : "");
			}
			put(doc, "]");
	}
	put_space(doc);
}

static void
put_object(document *doc, int depth)
{
	put_space(doc);
	put(doc, "{");
	put_space(doc);
	for (unsigned i = random_below(5); i > 0; i--)
	{
		PUT_ONE_OF(doc, "\"ts\"", "\"key\"", "\"data\"", "\"\xc3\xa4\"", "\"k\\u0065y\"",
				   "\"\\u00e4\"", "\"other\"", "\"\"");
		put_space(doc);
		put(doc, ":");
		put_value(doc, depth);
		put(doc, i > 1 ? "," : "");
	}
	put(doc, "}");
	put_space(doc);
}

/* Half of the documents get a byte changed, dropped or put in, or an end cut off. */
static void
damage(document *doc)
{
	size_t		at = random_below((unsigned) doc->len);

	switch (random_below(8))
	{
		case 0:
			doc->bytes[at] = "{}[]\",:\\0u\x01\xc3 "[random_below(13)];
			break;
		case 1:
			document_remove(doc, at);
			break;
		case 2:
			document_insert(doc, at, doc->bytes[at]);
			break;
		case 3:
			doc->len = at;
			break;
	}
}

/* ---- the comparison ---- */

static void
test_documents(void)
{
	static document doc;
	int			accepted_count = 0;
	int			wrong_count = 0;

	random_seed = SEED;
	for (int i = 0; i < DOCUMENTS; i++)
	{
		bool		accepted;

		doc.len = 0;
		put_object(&doc, 0);
		if (i % 2 == 1)
			damage(&doc);
		if (!agree(doc.bytes, doc.len, &accepted) && wrong_count++ < 5)
			printf("# differs: %.*s\n", (int) doc.len, doc.bytes);
		accepted_count += accepted;
	}
	tap_is_int(wrong_count, 0, "%d documents are read as jansson reads them", DOCUMENTS);
	tap_ok(accepted_count > DOCUMENTS / 20, "enough of them are sound: %d", accepted_count);
	tap_ok(accepted_count < DOCUMENTS / 2, "and enough are not");
}

/* ---- arrays and limits ---- */

/* The integers of member ts in an array of objects, as "1 2 3"; or "refused". */
static const char *
read_array(const char *json)
{
	static char result[256];
	char	   *text = strdup(json);
	const store_text wanted = {"ts", 2};
	reader_value value;
	bool		in_array = false;
	bool		good;
	reader		rd;

	result[0] = '\0';
	reader_init(&rd, text, strlen(text));
	while ((good = reader_element(&rd, &in_array)) && in_array &&
		   (good = reader_object(&rd, &wanted, 1, &value)))
	{
		size_t		len = strlen(result);

		snprintf(result + len, sizeof(result) - len, "%s%lld", len > 0 ? " " : "",
				 value.type == READER_INTEGER ? (long long) value.integer : -1);
	}
	if (!good || !reader_done(&rd))
		snprintf(result, sizeof(result), "refused");
	free(text);
	return result;
}

static void
test_arrays(void)
{
	tap_is_str(read_array(" [ ] "), "", "an empty array");
	tap_is_str(read_array("[{\"ts\":1},{\"ts\":2,\"x\":[{}]} , {}]"), "1 2 -1", "an array of objects");
	tap_is_str(read_array("[{\"ts\":1},]"), "refused", "a comma too many");
	tap_is_str(read_array("[{\"ts\":1} {\"ts\":2}]"), "refused", "a comma missing");
	tap_is_str(read_array("[{\"ts\":1}"), "refused", "no end");
	tap_is_str(read_array("[{\"ts\":1}]]"), "refused", "two ends");
	tap_is_str(read_array("[{\"ts\":1},5]"), "refused", "an element of another type");
	tap_is_str(read_array("{\"ts\":1}"), "refused", "no array");
	tap_is_str(read_array(""), "refused", "nothing");
}

static bool
nested_is_read(int depth)
{
	char	   *text = malloc(2 * depth + 16);
	char	   *to = text + sprintf(text, "{\"ts\":");
	bool		done;
	reader		rd;

	memset(to, '[', depth);
	memset(to + depth, ']', depth);
	strcpy(to + 2 * depth, "}");
	reader_init(&rd, text, strlen(text));
	done = reader_object(&rd, NULL, 0, NULL) && reader_done(&rd);
	free(text);
	return done;
}

int
main(void)
{
	test_documents();
	test_arrays();
	tap_ok(nested_is_read(500), "nesting of 500");
	tap_ok(!nested_is_read(100000), "nesting of 100,000 is refused");
	return tap_done();
}
