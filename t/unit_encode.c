/*-------------------------------------------------------------------------
 *
 * unit_encode.c
 *		Tests of the messages the client makes of requests.
 *
 * Messages are taken apart again with jansson, so what is compared is what a
 * server would understand.  Sending them is left to unit_conn.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "client/ltdb_int.h"
#include "tap.h"

#define T(string) ((ltdb_text) {string, sizeof(string) - 1})

static bool
encode(ltdbp_buffer *out, const ltdbp_request *request, ltdbp_flaw *flaw)
{
	memset(flaw, 0, sizeof(*flaw));
	return ltdbp_request_check(request, flaw) &&
		ltdbp_encode(out, &ltdb_dialect_ltdb, 42, request, flaw);
}

/* ---- what the messages say ---- */

/*
 * Checks the envelope of the request's message and compares its payload with
 * what is expected, as JSON.
 */
static void
is_payload(const ltdbp_request *request, const char *type, const char *expected)
{
	ltdbp_buffer out = {0};
	ltdbp_flaw	flaw;
	bool		encoded = encode(&out, request, &flaw);
	json_t	   *message = json_loadb(out.bytes, encoded ? out.len_bytes : 0, JSON_REJECT_DUPLICATES, NULL);
	json_t	   *data = json_object_get(message, "data");
	json_t	   *payload = json_is_string(data) ? json_loads(json_string_value(data), JSON_REJECT_DUPLICATES, NULL) : NULL;
	json_t	   *wanted = json_loads(expected, 0, NULL);
	const char *got_type = json_string_value(json_object_get(message, "type"));
	const char *id = json_string_value(json_object_get(message, "id"));

	if (!tap_ok(payload != NULL && json_equal(payload, wanted) && json_object_size(message) == 3 &&
				id && strcmp(id, "42") == 0 && got_type && strcmp(got_type, type) == 0,
				"%s: %s", type, expected))
		printf("# %.*s %s\n", (int) out.len_bytes, out.bytes, flaw.reason);
	json_decref(message);
	json_decref(payload);
	json_decref(wanted);
	ltdbp_buffer_free(&out);
}

static void
test_requests(void)
{
	ltdb_record records[] = {
		{T("k1"), 1, T("{\"a\": \"b\\\\c\"}")},
		{T("k\"2"), -2147483648LL, T("")},
	};
	ltdb_record identities[] = {{T("k1"), 1, T("ignored")}, {T("k2"), 2147483647, {NULL, 0}}};
	ltdbp_request request = {.collection = T("c"), .key = T("k"), .records = records, .count = 2};

	request.type = LTDB_REQ_INSERT;
	is_payload(&request, "insert",
			   "[{\"ts\":1,\"key\":\"k1\",\"data\":\"{\\\"a\\\": \\\"b\\\\\\\\c\\\"}\",\"collection\":\"c\"},"
			   "{\"ts\":-2147483648,\"key\":\"k\\\"2\",\"data\":\"\",\"collection\":\"c\"}]");
	request.type = LTDB_REQ_DELETE_RECORDS;
	request.records = identities;
	is_payload(&request, "delete-multiple-records",
			   "[{\"ts\":1,\"key\":\"k1\",\"collection\":\"c\"},{\"ts\":2147483647,\"key\":\"k2\",\"collection\":\"c\"}]");

	request = (ltdbp_request) {LTDB_REQ_FETCH, .collection = T("c"), .key = T("k"), .from_sec = INT64_MIN, .to_sec = INT64_MAX};
	is_payload(&request, "query-user",
			   "{\"collection\":\"c\",\"key\":\"k\",\"from\":-9223372036854775808,\"to\":9223372036854775807}");
	request.from_sec = 0;
	request.to_sec = 9;
	request.limit = 7;
	request.reverse = true;
	is_payload(&request, "query-user",
			   "{\"collection\":\"c\",\"key\":\"k\",\"from\":0,\"to\":9,\"limit\":7,\"reverse\":true}");

	request = (ltdbp_request) {LTDB_REQ_LATEST, .collection = T("c"), .ts_sec = 5, .from_sec = -3};
	is_payload(&request, "query", "{\"collection\":\"c\",\"key\":\"\",\"ts\":5,\"from\":-3}");
	request.type = LTDB_REQ_COLLECTIONS;
	is_payload(&request, "collections", "{}");

	request = (ltdbp_request) {LTDB_REQ_DELETE_RECORD, .collection = T("c/d"), .key = T("\xc3\xa4"), .ts_sec = -1, .value = T("v")};
	is_payload(&request, "delete-record", "{\"collection\":\"c/d\",\"key\":\"\\u00e4\",\"ts\":-1}");
	request.type = LTDB_REQ_DELETE_KEY;
	is_payload(&request, "delete-user", "{\"collection\":\"c/d\",\"key\":\"\\u00e4\"}");
	request.type = LTDB_REQ_DELETE_COLLECTION;
	is_payload(&request, "delete-collection", "{\"collection\":\"c/d\"}");
	request.type = LTDB_REQ_SET_VALUE;
	is_payload(&request, "set-value", "{\"collection\":\"c/d\",\"key\":\"\\u00e4\",\"value\":\"v\"}");
	request.type = LTDB_REQ_GET_VALUE;
	is_payload(&request, "get-value", "{\"collection\":\"c/d\",\"key\":\"\\u00e4\"}");
	request.type = LTDB_REQ_DELETE_VALUE;
	is_payload(&request, "remove-value", "{\"collection\":\"c/d\",\"key\":\"\\u00e4\"}");
	request.type = LTDB_REQ_LIST_KEYS;
	is_payload(&request, "get-all-keys", "{\"collection\":\"c/d\"}");
	request.type = LTDB_REQ_LIST_VALUES;
	is_payload(&request, "get-all-values", "{\"collection\":\"c/d\"}");
}

/* The api key is the payload itself, escaped once. */
static void
test_api_key(void)
{
	ltdbp_request request = {LTDB_REQ_AUTHENTICATE, .key = T("s\"e\\c\nret")};
	ltdbp_buffer out = {0};
	ltdbp_flaw	flaw;
	json_t	   *message;

	encode(&out, &request, &flaw);
	message = json_loadb(out.bytes, out.len_bytes, 0, NULL);
	tap_is_str(json_string_value(json_object_get(message, "data")), "s\"e\\c\nret", "api-key");
	json_decref(message);
	ltdbp_buffer_free(&out);
}

/* ---- texts ---- */

static uint64_t seed;

static unsigned
any(unsigned bound)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned) (seed >> 33) % bound;
}

/* A random text of characters that LTDB takes. */
static ltdb_text
random_text(char *bytes, size_t max)
{
	size_t		len = 0;
	size_t		end = any((unsigned) max - 4);

	while (len < end)
	{
		unsigned	kind = any(8);

		if (kind < 4)
			bytes[len++] = (char) (1 + any(127));
		else if (kind == 4)
			bytes[len++] = "\"\\/\x1f"[any(4)];
		else
		{
			static const char *const characters[] = {"\xc2\x80", "\xc3\xa4", "\xe2\x82\xac", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"};
			const char *c = characters[any(5)];

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
	bool		encoded = encode(&out, &request, &flaw);
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

	printf("# seed %llu\n", (unsigned long long) seed);
	for (i = 0; good && i < 5000; i++)
	{
		ltdb_record record = {random_text(key, sizeof(key)), (int32_t) (any(65536) << 16 | any(65536)), random_text(data, sizeof(data))};
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
		bool		got = encode(&out, &request, &flaw);

		sent += got;
		differing += got != expected;
		json_decref(string);
		ltdbp_buffer_free(&out);
	}
	tap_ok(sent > 1000 && differing == 0, "UTF-8 is told from what is not, like jansson does (%d of %u sent)", sent, n);
}

/* ---- what is not sent ---- */

static void
is_refused(const ltdbp_request *request, const char *words)
{
	ltdbp_buffer out = {0};
	ltdbp_flaw	flaw;

	encode(&out, request, &flaw);
	if (!tap_ok(flaw.error == LTDB_ERROR_ARGUMENT && strstr(flaw.reason, words) != NULL,
				"refused: %s", words))
		printf("# %d %s\n", flaw.error, flaw.reason);
	ltdbp_buffer_free(&out);
}

static void
test_arguments(void)
{
	ltdb_record record = {T("k"), 1, T("d")};
	ltdbp_request insert = {LTDB_REQ_INSERT, .collection = T("c"), .records = &record, .count = 1};
	ltdbp_request fetch = {LTDB_REQ_FETCH, .collection = T("c"), .key = T("k"), .from_sec = 1, .to_sec = 2};
	ltdbp_request latest = {LTDB_REQ_LATEST, .collection = T("c"), .ts_sec = 0};
	ltdbp_request value = {LTDB_REQ_SET_VALUE, .collection = T("c"), .key = T("k")};
	ltdbp_request bad;

	bad = insert;
	bad.collection.len_bytes = 0;
	is_refused(&bad, "collection must not be empty");
	bad = insert;
	bad.count = 0;
	is_refused(&bad, "no record");
	bad = insert;
	bad.collection = T("a\0b");
	is_refused(&bad, "collection contains a NUL");

	record.ts_sec = 2147483648LL;
	is_refused(&insert, "ts 2147483648 is outside the range -2147483648 to 2147483647");
	record.ts_sec = -2147483649LL;
	is_refused(&insert, "ts -2147483649 is outside");
	record.ts_sec = 0;
	bad = insert;
	bad.type = LTDB_REQ_DELETE_RECORDS;
	is_refused(&bad, "ts 0 is not positive");
	record.key.len_bytes = 0;
	is_refused(&insert, "key must not be empty (record 1)");
	record.key = T("\xff");
	is_refused(&insert, "key of record 1 is not valid UTF-8");
	record.key = T("k");
	record.data = T("\0");
	is_refused(&insert, "data of record 1 contains a NUL");

	bad = fetch;
	bad.to_sec = 0;
	bad.from_sec = -5;
	is_refused(&bad, "to 0 is not positive");
	bad = fetch;
	bad.from_sec = 3;
	is_refused(&bad, "from 3 is greater than to 2");
	bad = fetch;
	bad.limit = -1;
	is_refused(&bad, "limit -1 is negative");
	bad = fetch;
	bad.key.len_bytes = 0;
	is_refused(&bad, "key must not be empty");
	is_refused(&latest, "ts 0 to look back from is not positive");
	is_refused(&value, "value must not be empty");
	bad = value;
	bad.type = LTDB_REQ_DELETE_RECORD;
	bad.ts_sec = 1LL << 40;
	is_refused(&bad, "ts 1099511627776");
	bad.type = LTDB_REQ_AUTHENTICATE;
	bad.key.len_bytes = 0;
	is_refused(&bad, "api key must not be empty");
}

/* ---- out of memory ---- */

static int	allocations_left = -1;

static void *
test_realloc(void *pointer, size_t size)
{
	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	return realloc(pointer, size);
}

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
		encoded = encode(&out, &request, &flaw);
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
	seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t) time(NULL);
	ltdbp_realloc = test_realloc;

	test_requests();
	test_api_key();
	test_random_texts();
	test_utf8();
	test_arguments();
	test_out_of_memory();
	return tap_done();
}
