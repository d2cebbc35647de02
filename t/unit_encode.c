/*-------------------------------------------------------------------------
 *
 * unit_encode.c
 *		Tests of the messages the client makes of requests.
 *
 * What each request looks like, and what is not sent, stands in the fixtures.
 * Messages are taken apart again with jansson, so what is compared is what a
 * server would understand.  Sending them is left to unit_conn_exchange.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include <jansson.h>

#include "client/ltdb_int.h"
#include "failing_realloc.h"
#include "fixtures.h"
#include "random.h"
#include "tap.h"

#define T(string) ((ltdb_text) {string, sizeof(string) - 1})

static bool
encode(ltdbp_buffer *out, uint64_t id, const ltdbp_request *request, ltdbp_flaw *flaw)
{
	memset(flaw, 0, sizeof(*flaw));
	return ltdbp_request_check(request, flaw) &&
		ltdbp_encode(out, &ltdb_dialect_ltdb, id, request, flaw);
}

/* ---- the fixtures ---- */

static ltdb_text
text_of(json_t *string)
{
	return (ltdb_text) {json_string_value(string), json_string_length(string)};
}

/* The caller frees the result. */
static ltdb_record *
records_of(json_t *list)
{
	ltdb_record *records = calloc(json_array_size(list) + 1, sizeof(ltdb_record));
	json_t	   *record;
	size_t		i;

	json_array_foreach(list, i, record)
	{
		records[i].key = text_of(json_object_get(record, "key"));
		records[i].ts_sec = json_integer_value(json_object_get(record, "ts"));
		records[i].data = text_of(json_object_get(record, "data"));
	}
	return records;
}

/* Arguments that are absent are empty, 0 or false. */
static ltdbp_request
request_of(const exchange *ex, const ltdb_record *records)
{
	json_t	   *arguments = ex->arguments;
	const char *key = ex->type == LTDB_REQ_AUTHENTICATE ? "api_key" : "key";

	return (ltdbp_request) {
		.type = (ltdb_request_type) ex->type,
		.collection = text_of(json_object_get(arguments, "collection")),
		.key = text_of(json_object_get(arguments, key)),
		.value = text_of(json_object_get(arguments, "value")),
		.ts_sec = json_integer_value(json_object_get(arguments, "ts")),
		.from_sec = json_integer_value(json_object_get(arguments, "from")),
		.to_sec = json_integer_value(json_object_get(arguments, "to")),
		.limit = json_integer_value(json_object_get(arguments, "limit")),
		.reverse = json_is_true(json_object_get(arguments, "reverse")),
		.records = records,
		.count = json_array_size(json_object_get(arguments, "records")),
	};
}

/* Replaces a payload by the document it is; an api key is none. */
static bool
unwrap_payload(json_t *message, ltdb_request_type type)
{
	ltdb_text	payload = text_of(json_object_get(message, "data"));

	return type == LTDB_REQ_AUTHENTICATE ||
		json_object_set_new(message, "data",
							json_loadb(payload.bytes, payload.len_bytes,
									   JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL)) == 0;
}

/* Whether a message says what is expected, however both are written. */
static bool
says(const ltdbp_buffer *out, const exchange *ex)
{
	json_t	   *got = json_loadb(out->bytes, out->len_bytes, JSON_REJECT_DUPLICATES, NULL);
	json_t	   *expected = json_deep_copy(ex->request);
	bool		same = got != NULL && unwrap_payload(got, ex->type) &&
		unwrap_payload(expected, ex->type) && json_equal(got, expected);

	json_decref(got);
	json_decref(expected);
	return same;
}

static void
test_exchange(const exchange *ex)
{
	const char *id = json_string_value(json_object_get(ex->request, "id"));
	ltdb_record *records = records_of(json_object_get(ex->arguments, "records"));
	ltdbp_request request = request_of(ex, records);
	ltdbp_buffer out = {0};
	ltdbp_flaw	flaw;
	bool		sent = encode(&out, strtoull(id, NULL, 10), &request, &flaw);
	bool		good;

	if (ex->unsent == NULL)
		good = sent && says(&out, ex);
	else
		good = !sent && flaw.error == LTDB_ERROR_ARGUMENT &&
			strstr(flaw.reason, ex->unsent) != NULL;
	if (!tap_ok(good, "%s%s", exchange_name(ex), ex->unsent ? " (not sent)" : ""))
		printf("# %.*s %s\n", (int) out.len_bytes, out.bytes, flaw.reason);
	free(records);
	ltdbp_buffer_free(&out);
}

static void
test_conversation(void)
{
	conversation talk = conversation_load();
	int			sent[LTDB_REQ_COUNT] = {0};

	for (size_t i = 0; i < conversation_length(&talk); i++)
	{
		exchange	ex = conversation_get(&talk, i);

		if (ex.type < 0)
			continue;
		sent[ex.type] += ex.unsent == NULL;
		test_exchange(&ex);
	}
	for (int type = 0; type < LTDB_REQ_COUNT; type++)
		tap_ok(sent[type] > 0, "the fixtures have a request of type %s", ltdb_dialect_ltdb.type[type]);
	conversation_free(&talk);
}

/* ---- texts ---- */

/* A random text of characters that LTDB takes. */
static ltdb_text
random_text(char *bytes, size_t max)
{
	size_t		len = 0;
	size_t		end = random_below((unsigned) max - 4);

	while (len < end)
	{
		unsigned	kind = random_below(8);

		if (kind < 4)
			bytes[len++] = (char) (1 + random_below(127));
		else if (kind == 4)
			bytes[len++] = "\"\\/\x1f"[random_below(4)];
		else
		{
			static const char *const characters[] = {"\xc2\x80", "\xc3\xa4", "\xe2\x82\xac", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"};
			const char *c = characters[random_below(5)];

			memcpy(bytes + len, c, strlen(c));
			len += strlen(c);
		}
	}
	return (ltdb_text) {bytes, len};
}

static bool
json_is_text(json_t *string, ltdb_text text)
{
	return json_string_length(string) == text.len_bytes &&
		memcmp(json_string_value(string), text.bytes, text.len_bytes) == 0;
}

static bool
record_survives(ltdb_text collection, const ltdb_record *record)
{
	ltdbp_request request = {LTDB_REQ_INSERT, .collection = collection, .records = record, .count = 1};
	ltdbp_buffer out = {0};
	ltdbp_flaw	flaw;
	bool		encoded = encode(&out, 42, &request, &flaw);
	json_t	   *message = json_loadb(out.bytes, encoded ? out.len_bytes : 0, 0, NULL);
	json_t	   *data = json_object_get(message, "data");
	json_t	   *payload = json_loadb(json_string_value(data), json_string_length(data), 0, NULL);
	json_t	   *got = json_array_get(payload, 0);
	bool		good = json_is_text(json_object_get(got, "key"), record->key) &&
		json_is_text(json_object_get(got, "data"), record->data) &&
		json_is_text(json_object_get(got, "collection"), collection) &&
		json_integer_value(json_object_get(got, "ts")) == record->ts_sec;

	json_decref(message);
	json_decref(payload);
	ltdbp_buffer_free(&out);
	return good;
}

static void
test_random_texts(void)
{
	static char collection[300];
	static char key[300];
	static char data[3000];
	bool		good = true;
	int			i;

	for (i = 0; good && i < 5000; i++)
	{
		ltdb_record record = {random_text(key, sizeof(key)), (int32_t) (random_below(65536) << 16 | random_below(65536)), random_text(data, sizeof(data))};
		ltdb_text	where = random_text(collection, sizeof(collection));

		if (record.key.len_bytes > 0 && where.len_bytes > 0)
			good = record_survives(where, &record);
	}
	tap_ok(good, "%d random records come out as they went in", i);
}

/* Every sequence of up to four bytes is sent only if it is UTF-8 without NUL. */
static void
test_utf8(void)
{
	static const unsigned char heads[] = {0x00, 0x01, 0x41, 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
	static const unsigned char tails[] = {0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0};
	int			sent = 0;
	int			differing = 0;
	unsigned	n;

	for (n = 0; n < 22 * 9 * 9 * 9 * 4; n++)
	{
		char		bytes[4] = {(char) heads[n / (9 * 9 * 9 * 4)], (char) tails[n / (9 * 9 * 4) % 9], (char) tails[n / (9 * 4) % 9], (char) tails[n / 4 % 9]};
		ltdb_text	text = {bytes, 1 + n % 4};
		json_t	   *string = json_stringn(text.bytes, text.len_bytes);
		bool		expected = string != NULL && memchr(bytes, 0, text.len_bytes) == NULL;
		ltdbp_request request = {LTDB_REQ_DELETE_COLLECTION, .collection = text};
		ltdbp_buffer out = {0};
		ltdbp_flaw	flaw;
		bool		got = encode(&out, 42, &request, &flaw);

		sent += got;
		differing += got != expected;
		json_decref(string);
		ltdbp_buffer_free(&out);
	}
	tap_ok(sent > 1000 && differing == 0, "UTF-8 is told from what is not, like jansson does (%d of %u sent)", sent, n);
}

/* ---- what is not sent, for reasons the fixtures cannot hold or servers differ on ---- */

static void
is_refused(const ltdbp_request *request, const char *words)
{
	ltdbp_buffer out = {0};
	ltdbp_flaw	flaw;

	encode(&out, 42, request, &flaw);
	if (!tap_ok(flaw.error == LTDB_ERROR_ARGUMENT && strstr(flaw.reason, words) != NULL,
				"refused: %s", words))
		printf("# %d %s\n", flaw.error, flaw.reason);
	ltdbp_buffer_free(&out);
}

static void
test_arguments(void)
{
	ltdb_record records[] = {{T("j"), 1, T("")}, {T("k"), 1, T("d")}};
	ltdb_record *second = &records[1];
	ltdbp_request insert = {LTDB_REQ_INSERT, .collection = T("c"), .records = records, .count = 2};
	ltdbp_request value = {LTDB_REQ_SET_VALUE, .collection = T("c"), .key = T("k"), .value = T("a\0")};
	ltdbp_request api_key = {LTDB_REQ_AUTHENTICATE, .key = T("\xc3")};

	second->ts_sec = LTDB_TS_MAX + 1LL;
	is_refused(&insert, "ts 2147483648 is outside the range -2147483648 to 2147483647");
	second->ts_sec = LTDB_TS_MIN - 1LL;
	is_refused(&insert, "ts -2147483649 is outside");
	second->ts_sec = 1LL << 40;
	insert.type = LTDB_REQ_DELETE_RECORDS;
	is_refused(&insert, "ts 1099511627776 is outside");
	insert.type = LTDB_REQ_INSERT;
	second->ts_sec = 1;

	second->key = T("\xff");
	is_refused(&insert, "key of record 2 is not valid UTF-8");
	second->key = T("k");
	second->data = T("\xe2\x82");
	is_refused(&insert, "data of record 2 is not valid UTF-8");
	second->data = T("d");
	insert.collection = T("a\0b");
	is_refused(&insert, "collection contains a NUL");

	is_refused(&value, "value contains a NUL");
	is_refused(&api_key, "api key is not valid UTF-8");
}

/* ---- out of memory ---- */

static void
test_out_of_memory(void)
{
	ltdb_record records[100];
	ltdbp_request request = {LTDB_REQ_INSERT, .collection = T("c"), .records = records, .count = 100};
	bool		encoded = false;
	bool		good = true;
	int			nth;
	int			i;

	for (i = 0; i < 100; i++)
		records[i] = (ltdb_record) {T("key\n\n\n\n\n"), i, T("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"")};
	for (nth = 0; !encoded; nth++)
	{
		ltdbp_buffer out = {0};
		ltdbp_flaw	flaw;

		allocations_left = nth;
		encoded = encode(&out, 42, &request, &flaw);
		if (!encoded && flaw.error != LTDB_ERROR_MEMORY)
			good = false;
		allocations_left = -1;
		ltdbp_buffer_free(&out);
	}
	tap_ok(good && nth > 8, "every allocation failing in turn, %d in all", nth - 1);
}

int
main(int argc, char **argv)
{
	ltdbp_realloc = failing_realloc;
	random_start(argc, argv);

	test_conversation();
	test_random_texts();
	test_utf8();
	test_arguments();
	test_out_of_memory();
	return tap_done();
}
