/*-------------------------------------------------------------------------
 *
 * unit_dispatch.c
 *		Requests in, answers out, without a socket: each request type, each
 *		refusal, long answers by pieces, memory that runs out.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <jansson.h>
#include <stdlib.h>

#include "server/dispatch.h"
#include "tap.h"

static dispatch disp;

/* ---- the n-th allocation from now on fails, and all after it ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_calloc(size_t count, size_t size);

/* Volatile, for compilers know that malloc() does not look at it. */
static volatile long allocations_left = -1;

#if !defined(__SANITIZE_ADDRESS__)

static bool
allocation_fails(void)
{
	if (allocations_left > 0)
		allocations_left--;
	return allocations_left == 0;
}

void *
malloc(size_t size)
{
	return allocation_fails() ? NULL : __libc_malloc(size);
}

void *
realloc(void *memory, size_t size)
{
	return allocation_fails() ? NULL : __libc_realloc(memory, size);
}

void *
calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __libc_calloc(count, size);
}
#endif

/* ---- one message ---- */

static dispatch_outcome
run_bytes(dispatch_peer *peer, const char *bytes, size_t len, answer *ans)
{
	char	   *message = malloc(len + 1);
	dispatch_outcome outcome;

	memcpy(message, bytes, len);
	message[len] = '\0';
	outcome = dispatch_message(&disp, peer, message, len, ans);
	free(message);
	return outcome;
}

/* What came of a message: the answer, with a mark for how it ended. */
static const char *
outcome_text(dispatch_peer *peer, const char *message)
{
	static char result[4096];
	answer		ans = {0};
	dispatch_outcome outcome = run_bytes(peer, message, strlen(message), &ans);
	static const char *const mark[] = {
		[DISPATCH_ANSWER] = "",[DISPATCH_PIECE] = " MORE",[DISPATCH_CLOSE] = "CLOSE",
		[DISPATCH_ANSWER_AND_CLOSE] = " CLOSE",[DISPATCH_FAILED] = "FAILED"
	};
	bool		answered = outcome != DISPATCH_CLOSE && outcome != DISPATCH_FAILED;

	snprintf(result, sizeof(result), "%.*s%s", answered ? (int) ans.len_bytes : 0,
			 ans.memory ? (const char *) ans.memory + ANSWER_ROOM_BYTES : "", mark[outcome]);
	answer_free(&ans);
	store_commit(disp.store);
	return result;
}

/* Puts a payload into an envelope with id "1". */
static const char *
envelope(const char *type, const char *payload)
{
	static char message[8192];
	json_t	   *built = json_pack("{s:s,s:s,s:s}", "id", "1", "type", type, "data", payload);

	json_dumpb(built, message, sizeof(message) - 1, 0);
	message[json_dumpb(built, NULL, 0, 0)] = '\0';
	json_decref(built);
	return message;
}

/* ---- the exchanges, in order, on one store ---- */

typedef struct exchange
{
	const char *type;
	const char *payload;
	const char *expected;
} exchange;

#define DONE "{\"id\":\"1\"}"
#define RECORDS(list) "{\"id\":\"1\",\"records\":" list "}"

static const exchange exchanges[] = {
	{"collections", "{}", "{\"id\":\"1\",\"collections\":[]}"},
	{"collections", "[]", "CLOSE"},
	{"collections", "{} {}", "CLOSE"},
	{"nonsense", "{}", "{\"error\":\"Unknown message type\"} CLOSE"},
	{"insert", "[]", DONE},
	{"insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":2,\"data\":\"{\\\"a\\\":1}\"},"
	"{\"data\":\"x\",\"ts\":-1,\"key\":\"k\",\"collection\":\"c\"}]", DONE},
	{"query-user", "{\"collection\":\"c\",\"key\":\"k\",\"from\":-5,\"to\":5}",
	RECORDS("[{\"ts\":-1,\"data\":\"x\"},{\"ts\":2,\"data\":\"{\\\"a\\\":1}\"}]")},
	{"query-user", "{\"collection\":\"c\",\"key\":\"k\",\"from\":-5,\"to\":5,\"reverse\":true,"
	"\"limit\":1}", RECORDS("[{\"ts\":2,\"data\":\"{\\\"a\\\":1}\"}]")},
	{"query-user", "{\"collection\":\"c\",\"key\":\"k\",\"to\":5,\"limit\":null}",
	RECORDS("[{\"ts\":2,\"data\":\"{\\\"a\\\":1}\"}]")},
	{"query-user", "{\"collection\":\"c\",\"key\":\"k\",\"from\":6,\"to\":5}", "CLOSE"},
	{"query-user", "{\"collection\":\"c\",\"key\":\"k\",\"from\":-9,\"to\":0}", "CLOSE"},
	{"query-user", "{\"collection\":\"c\",\"key\":\"\",\"from\":1,\"to\":5}", "CLOSE"},
	{"query-user", "{\"collection\":\"c\",\"key\":\"k\",\"from\":1.5,\"to\":5}", "CLOSE"},
	{"query-user", "{\"collection\":\"c\",\"key\":\"k\",\"from\":1,\"to\":5,\"reverse\":1}", "CLOSE"},
	{"insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":7,\"data\":\"\"},7]", "CLOSE"},
	{"insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":2147483648}]", "CLOSE"},
	{"insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":7}]x", "CLOSE"},
	{"query", "{\"collection\":\"c\",\"ts\":9,\"key\":\"\",\"from\":0}",
	RECORDS("{\"k\":{\"ts\":2,\"data\":\"{\\\"a\\\":1}\"}}")},
	{"query", "{\"collection\":\"c\",\"ts\":1}", RECORDS("{\"k\":{\"ts\":-1,\"data\":\"x\"}}")},
	{"query", "{\"collection\":\"c\",\"ts\":1,\"from\":1}", RECORDS("{}")},
	{"query", "{\"collection\":\"c\",\"ts\":9,\"key\":\"k\",\"from\":1}",
	RECORDS("{\"k\":{\"ts\":2,\"data\":\"{\\\"a\\\":1}\"}}")},
	{"query", "{\"collection\":\"c\",\"ts\":9,\"key\":\"no\"}", RECORDS("{}")},
	{"query", "{\"collection\":\"c\",\"ts\":0}", "CLOSE"},
	{"query", "{\"ts\":5}", "CLOSE"},
	{"set-value", "{\"collection\":\"c\",\"key\":\"p\",\"value\":\"1\\u0000\\n\"}", DONE},
	{"set-value", "{\"collection\":\"c\",\"key\":\"p\",\"value\":\"\"}", "CLOSE"},
	{"get-value", "{\"collection\":\"c\",\"key\":\"p\"}", "{\"id\":\"1\",\"value\":\"1\\u0000\\n\"}"},
	{"get-value", "{\"collection\":\"c\",\"key\":\"k\"}", "{\"id\":\"1\",\"value\":\"\"}"},
	{"get-value", "{\"collection\":\"no\",\"key\":\"p\"}", "{\"id\":\"1\",\"value\":\"\"}"},
	{"get-value", "{\"collection\":1,\"key\":\"p\"}", "CLOSE"},
	{"get-all-keys", "{\"collection\":\"c\"}", "{\"id\":\"1\",\"keys\":[\"p\"]}"},
	{"get-all-values", "{\"collection\":\"c\"}", "{\"id\":\"1\",\"values\":{\"p\":\"1\\u0000\\n\"}}"},
	{"get-all-values", "{\"collection\":\"no\"}", "{\"id\":\"1\",\"values\":{}}"},
	{"remove-value", "{\"collection\":\"c\",\"key\":\"p\"}", DONE},
	{"get-all-keys", "{\"collection\":\"c\"}", "{\"id\":\"1\",\"keys\":[]}"},
	{"delete-record", "{\"collection\":\"c\",\"key\":\"k\",\"ts\":-1}", DONE},
	{"delete-record", "{\"collection\":\"c\",\"key\":\"k\",\"ts\":\"2\"}", "CLOSE"},
	{"delete-record", "{\"collection\":\"c\",\"key\":\"k\"}", "CLOSE"},
	{"delete-multiple-records", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":2},"
	"{\"collection\":\"c\",\"key\":\"k\",\"ts\":0}]", "CLOSE"},
	{"query", "{\"collection\":\"c\",\"ts\":9}",
	RECORDS("{\"k\":{\"ts\":2,\"data\":\"{\\\"a\\\":1}\"}}")},
	{"delete-multiple-records", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":2}]", DONE},
	{"query", "{\"collection\":\"c\",\"ts\":9}", RECORDS("{}")},
	{"collections", "{}", "{\"id\":\"1\",\"collections\":[\"c\"]}"},
	{"delete-user", "{\"collection\":\"c\"}", "CLOSE"},
	{"delete-user", "{\"collection\":\"c\",\"key\":\"no\"}", DONE},
	{"collections", "{}", "{\"id\":\"1\",\"collections\":[\"c\"]}"},
	{"delete-user", "{\"key\":\"no\"}", DONE},
	{"collections", "{}", "{\"id\":\"1\",\"collections\":[]}"},
	{"delete-collection", "{\"collection\":\"c\"}", DONE},
	{"delete-collection", "{}", "CLOSE"},
	{"api-key", "sesame", DONE},
	{"api-key", "sesam", "CLOSE"},
};

static void
test_exchanges(void)
{
	dispatch_peer peer = {0};

	tap_is_str(outcome_text(&peer, envelope("collections", "{}")), "CLOSE",
			   "nothing before authentication");
	tap_is_str(outcome_text(&peer, envelope("api-key", "sesame\n")), "CLOSE", "a wrong key");
	tap_is_str(outcome_text(&peer, "x"), " CLOSE", "no request: an empty answer and a close");
	tap_ok(!peer.authenticated, "the door is still closed");
	tap_is_str(outcome_text(&peer, envelope("api-key", "sesame")), DONE, "the right key");
	for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++)
		tap_is_str(outcome_text(&peer, envelope(exchanges[i].type, exchanges[i].payload)),
				   exchanges[i].expected, "%s %.60s", exchanges[i].type, exchanges[i].payload);
}

/* ---- long answers ---- */

/*
 * Asks and collects all pieces; between two of them something is written, as
 * other sessions may.  The caller frees the result.
 */
static json_t *
collect(dispatch_peer *peer, const char *message, int *pieces)
{
	answer		whole = {0};
	dispatch_outcome outcome = run_bytes(peer, message, strlen(message), &whole);
	json_t	   *parsed;

	for (*pieces = 1; outcome == DISPATCH_PIECE; (*pieces)++)
	{
		store_insert(disp.store, (store_text) {"other", 5}, (store_text) {"k", 1}, *pieces,
					 (store_text) {"", 0});
		store_commit(disp.store);
		outcome = dispatch_continue(&disp, peer, &whole);
	}
	if (outcome != DISPATCH_ANSWER)
		printf("# outcome %d\n", outcome);
	parsed = json_loadb((const char *) whole.memory + ANSWER_ROOM_BYTES, whole.len_bytes, 0, NULL);
	answer_free(&whole);
	return parsed;
}

static void
test_long_answers(void)
{
	dispatch_peer peer = {.authenticated = true};
	const int	count = 20000;
	int			pieces;
	bool		good = true;
	json_t	   *ans;
	json_t	   *records;

	for (int i = 0; i < count; i++)
	{
		char		key[16];

		snprintf(key, sizeof(key), "key %05d", i);
		store_insert(disp.store, (store_text) {"long", 4}, (store_text) {"k", 1}, i,
					 (store_text) {key, strlen(key)});
		store_insert(disp.store, (store_text) {"wide", 4}, (store_text) {key, strlen(key)},
					 i < 100 ? 50 : 1, (store_text) {"x", 1});
	}
	store_commit(disp.store);

	ans = collect(&peer, envelope("query-user", "{\"collection\":\"long\",\"key\":\"k\",\"to\":99999}"),
				  &pieces);
	records = json_object_get(ans, "records");
	for (int i = 0; i < count && good; i++)
		good = json_integer_value(json_object_get(json_array_get(records, i), "ts")) == i;
	tap_ok(good && json_array_size(records) == (size_t) count, "20000 records, in order");
	tap_ok(pieces > 2, "in pieces: %d", pieces);
	json_decref(ans);

	ans = collect(&peer, envelope("query-user", "{\"collection\":\"long\",\"key\":\"k\",\"to\":99999,"
								  "\"reverse\":true,\"limit\":15000}"), &pieces);
	records = json_object_get(ans, "records");
	tap_is_int(json_array_size(records), 15000, "reverse, limited across pieces");
	tap_is_int(json_integer_value(json_object_get(json_array_get(records, 14999), "ts")), 5000,
			   "ends where it should");
	json_decref(ans);

	ans = collect(&peer, envelope("query", "{\"collection\":\"wide\",\"ts\":99}"), &pieces);
	tap_is_int(json_object_size(json_object_get(ans, "records")), count, "the newest of 20000 keys");
	json_decref(ans);
	ans = collect(&peer, envelope("query", "{\"collection\":\"wide\",\"ts\":99,\"from\":9}"), &pieces);
	tap_is_int(json_object_size(json_object_get(ans, "records")), 100, "of which 100 qualify");
	tap_ok(pieces > 2, "those in vain count, too: %d pieces", pieces);
	json_decref(ans);
	tap_ok(peer.rest == NULL, "nothing is left over");
}

/* ---- memory that runs out ---- */

/*
 * Fails every allocation from the n-th on, for growing n, until the request
 * succeeds: it must fail cleanly each time, and leave a store that works.
 */
static void
test_allocations(const char *type, const char *payload)
{
	const char *message = envelope(type, payload);
	size_t		len = strlen(message);
	char	   *copy = malloc(len + 1);
	dispatch_outcome outcome = DISPATCH_FAILED;
	long		n;

	for (n = 1; n < 10000 && outcome == DISPATCH_FAILED; n++)
	{
		dispatch_peer peer = {.authenticated = true};
		answer		ans = {0};

		memcpy(copy, message, len + 1);
		allocations_left = n;
		outcome = dispatch_message(&disp, &peer, copy, len, &ans);
		allocations_left = -1;
		dispatch_peer_reset(&peer);
		answer_free(&ans);
		store_rollback(disp.store);
	}
	free(copy);
	tap_ok(outcome == DISPATCH_ANSWER && n > 2, "%s with the n-th allocation failing, n < %ld",
		   type, n);
}

/* Not if a sanitizer or valgrind has put its own functions before ours. */
static bool
can_fail_allocations(void)
{
	void	   *volatile memory;	/* or the call is dropped */

	allocations_left = 1;
	memory = malloc(1);
	allocations_left = -1;
	free(memory);
	return memory == NULL;
}

int
main(void)
{
	char		reason[256];
	store	   *st = store_open(NULL, reason, sizeof(reason));

	tap_ok(!dispatch_init(&disp, st, ""), "an empty key will not do");
	tap_ok(dispatch_init(&disp, st, "sesame"), "a key");
	test_exchanges();
	test_long_answers();
	if (can_fail_allocations())
	{
		test_allocations("insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":1,\"data\":\"x\"}]");
		test_allocations("query-user", "{\"collection\":\"long\",\"key\":\"k\",\"to\":20}");
		test_allocations("query", "{\"collection\":\"long\",\"ts\":20}");
		test_allocations("get-all-values", "{\"collection\":\"long\"}");
		test_allocations("delete-user", "{\"collection\":\"\",\"key\":\"k\"}");
	}
	store_close(st);
	return tap_done();
}
