/*-------------------------------------------------------------------------
 *
 * unit_record.c
 *		Compares the decoder with itself: records read in one pass, and the
 *		same read token by token.
 *
 * What is read token by token is compared with jansson elsewhere.  A seed
 * given as argument repeats a run.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "document.h"
#include "outcome.h"
#include "tap.h"

#define ANSWERS 3000

static int	quick;
static int	slow;

static void
put_text(document *doc, unsigned pieces)
{
	static const char *const ordinary[] = {
		"a", "some text of sixteen", "\\\"", "\\\\", "\\/", "\\n\\r\\t\\b\\f", "\xc3\xa4", "\xe2\x82\xac",
		"\xf0\x9f\x98\x80", "{\\\"v\\\": 1.5}", ",", "}", "\x7f"
	};
	static const char *const rare[] = {
		"\\u00e4", "\\ud83d\\ude00", "\\u0000", "\xff", "\n", "\\x", "\xe2\x82", "\"", "\\", "\xed\xa0\x80"
	};

	while (pieces-- > 0)
	{
		if (random_below(500) == 0)
			put(doc, rare[random_below(random_below(20) == 0 ? 10 : 3)]);
		else
			put(doc, ordinary[random_below(13)]);
	}
}

static void
put_ts(document *doc)
{
	static const char *const odd[] = {"0", "-1", "-0", "-2147483648", "12345678901", "123456789012", "01", "1.5", "1e2", "-", "x", ""};
	char		number[16];

	snprintf(number, sizeof(number), "%u", random_below(2000000000));
	put(doc, random_below(100) == 0 ? odd[random_below(12)] : number);
}

static void
put_record(document *doc, unsigned longest)
{
	bool		data_first = random_below(3) == 0;

	put(doc, data_first ? "{\"data\":\"" : "{\"ts\":");
	if (data_first)
	{
		put_text(doc, random_below(longest));
		put(doc, "\",\"ts\":");
		put_ts(doc);
		put(doc, "}");
		return;
	}
	put_ts(doc);
	put(doc, random_below(300) == 0 ? ", \"data\":\"" : ",\"data\":\"");
	put_text(doc, random_below(longest));
	put(doc, random_below(300) == 0 ? "\",\"more\":1}" : "\"}");
}

static void
put_answer(document *doc, bool map)
{
	unsigned	count = random_below(12);
	unsigned	longest = random_below(10) == 0 ? 1000 : 12;
	char		key[16];

	doc->len = 0;
	put(doc, "{\"id\":\"1\",\"records\":");
	put(doc, map ? "{" : "[");
	for (unsigned i = 0; i < count; i++)
	{
		put(doc, i > 0 ? "," : "");
		snprintf(key, sizeof(key), "\"k%u\":", i);
		put(doc, map ? key : "");
		put_record(doc, longest);
	}
	put(doc, map ? "}}" : "]}");
}

/* The same without record.c. */
static outcome
decode_slowly(ltdb_request_type type, const char *bytes, size_t len)
{
	ltdbp_decoder decoder;
	outcome		out = {.verdict = REJECTED};

	ltdbp_decoder_init(&decoder, &ltdb_dialect_ltdb, type);
	ltdbp_literal_set(&decoder.ts_literal, "no such name", false);
	ltdbp_literal_set(&decoder.data_literal, "no such name", true);
	ltdbp_decoder_feed(&decoder, bytes, len);
	ltdbp_decoder_finish(&decoder);
	read_items(&decoder, &out);
	ltdbp_decoder_free(&decoder);
	return out;
}

/* How many of an answer's records are read in one pass. */
static void
count_quick(const document *doc)
{
	ltdbp_decoder decoder;
	char	   *copy = strndup(doc->bytes, doc->len);
	char	   *p = copy;

	ltdbp_decoder_init(&decoder, &ltdb_dialect_ltdb, LTDB_REQ_FETCH);
	while ((p = strchr(p + 1, '{')) != NULL)
	{
		ltdbp_cursor cursor = {p, copy + strlen(copy), NULL};
		ltdb_record item;

		if (p[1] != '"')
			continue;
		if (ltdbp_record_take(&decoder, &cursor, &item))
			quick++;
		else
			slow++;
	}
	ltdbp_decoder_free(&decoder);
	free(copy);
}

static void
test_same(ltdb_request_type type)
{
	static document doc;
	int			accepted = 0;
	bool		good = true;
	int			i;

	for (i = 0; i < ANSWERS && good; i++)
	{
		outcome		expected;

		put_answer(&doc, type == LTDB_REQ_LATEST);
		if (random_below(3) == 0 && doc.len > 40)
			document_remove(&doc, 20 + random_below((unsigned) doc.len - 20));
		expected = decode_slowly(type, doc.bytes, doc.len);
		accepted += expected.verdict == ACCEPTED;
		good = agrees(type, doc.bytes, doc.len, doc.len, 0, &expected) &&
			agrees(type, doc.bytes, doc.len, random_below((unsigned) doc.len), 1 + random_below(200), &expected);
		if (type == LTDB_REQ_FETCH)
			count_quick(&doc);
		free_outcome(&expected);
	}
	tap_ok(good, "the same in %d answers to %s", i, ltdb_dialect_ltdb.type[type]);
	tap_ok(accepted > ANSWERS / 4 && accepted < ANSWERS, "... of which %d were good", accepted);
}

/* Data that nobody reads stays as it came; the rest is the same. */
static void
test_raw(void)
{
	static const char answer[] = "{\"id\":\"1\",\"records\":[{\"ts\":5,\"data\":\"a\\nb\"},{\"data\":\"\\\"\",\"ts\":6},"
		"{\"ts\":7, \"data\":\"\\u0041\"},{\"ts\":8,\"data\":\"more than sixty-four bytes, for those that are near the end are read slowly\"}]}";
	static const char *const raw[] = {"a\\nb", "\\\"", "\\u0041"};
	ltdbp_decoder decoder;
	ltdb_record item;

	ltdbp_decoder_init(&decoder, &ltdb_dialect_ltdb, LTDB_REQ_FETCH);
	decoder.raw = true;
	ltdbp_decoder_feed(&decoder, answer, strlen(answer));
	ltdbp_decoder_finish(&decoder);
	for (int i = 0; i < 3; i++)
	{
		tap_ok(ltdbp_decoder_next(&decoder, &item) == LTDB_ITEM && item.ts_sec == 5 + i, "record %d", i);
		tap_ok(item.data.len_bytes == strlen(raw[i]) && memcmp(item.data.bytes, raw[i], strlen(raw[i])) == 0,
			   "... and its data, as it came");
	}
	ltdbp_decoder_free(&decoder);
}

static void
test_left(void)
{
	static const char answer[] = "{\"id\":\"1\",\"records\":[{\"ts\":5,\"data\":\"\\\"ts\\\":7\"},"
		"{\"data\":\"{\",\"ts\":-6},{\"ts\":17,\"data\":\"more than sixteen\"}]}";
	ltdbp_decoder decoder;
	ltdb_record item;
	int64_t		last = 0;

	ltdbp_decoder_init(&decoder, &ltdb_dialect_ltdb, LTDB_REQ_FETCH);
	tap_is_int((int64_t) ltdbp_records_left(&decoder, &last), 0, "nothing is left of nothing");
	ltdbp_decoder_feed(&decoder, answer, strlen(answer));
	ltdbp_decoder_finish(&decoder);
	for (int i = 0; i < 3; i++)
	{
		tap_is_int((int64_t) ltdbp_records_left(&decoder, &last), 3 - i, "%d are left", 3 - i);
		tap_is_int(last, 17, "... and the last is known");
		ltdbp_decoder_next(&decoder, &item);
	}
	tap_is_int((int64_t) ltdbp_records_left(&decoder, &last), 0, "nothing is left");
	ltdbp_decoder_free(&decoder);
}

int
main(int argc, char **argv)
{
	random_start(argc, argv);
	test_same(LTDB_REQ_FETCH);
	test_same(LTDB_REQ_LATEST);
	test_left();
	test_raw();
	tap_ok(quick > slow, "%d records were read in one pass, %d were not", quick, slow);
	return tap_done();
}
