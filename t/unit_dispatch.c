/*-------------------------------------------------------------------------
 *
 * unit_dispatch.c
 *		Requests in, answers out, without a socket: the conversation of the
 *		fixtures, what ltdbd does where that says nothing, long answers by
 *		pieces, memory that runs out.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <jansson.h>
#include <stdlib.h>

#include "server/dispatch.h"
#include "server/store_int.h"
#include "fixtures.h"
#include "tap.h"

static dispatch disp;

/* ---- the n-th allocation from now on fails, and all after it ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_calloc(size_t count, size_t size);

/* Volatile, for compilers know that malloc() does not look at it. */
static volatile long allocations_left = -1;

/* What gcc defines of its own accord. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

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

/* ---- the fixtures ---- */

static store *
open_store(const char *key)
{
	char		reason[256];
	store	   *st = store_open(NULL, false, reason, sizeof(reason));

	tap_ok(st != NULL && dispatch_init(&disp, st, key), "an empty store");
	return st;
}

static char *
message_text(json_t *message, size_t flags)
{
	return json_is_string(message) ? strdup(json_string_value(message)) :
		json_dumps(message, flags);
}

/* Whether every name of one list is in the other: their order is free. */
static bool
same_names(json_t *got, json_t *expected)
{
	size_t		i;
	size_t		j;
	json_t	   *name;
	json_t	   *other;

	json_array_foreach(expected, i, name)
	{
		bool		found = false;

		json_array_foreach(got, j, other)
			found |= json_equal(other, name);
		if (!found)
			return false;
	}
	return json_array_size(got) == json_array_size(expected);
}

static bool
same_answer(json_t *got, json_t *expected)
{
	const char *name;
	json_t	   *value;

	if (!json_is_object(got) || json_object_size(got) != json_object_size(expected))
		return json_equal(got, expected);
	json_object_foreach(expected, name, value)
	{
		json_t	   *other = json_object_get(got, name);
		bool		names = json_is_array(other) && json_is_string(json_array_get(value, 0));

		if (names ? !same_names(other, value) : !json_equal(other, value))
			return false;
	}
	return true;
}

/* What was sent back: an object, "" for an empty message, or null for none. */
static json_t *
answer_json(dispatch_outcome outcome, const answer *ans)
{
	if (outcome == DISPATCH_CLOSE)
		return json_null();
	if (ans->len_bytes == 0)
		return json_string("");
	return json_loadb((const char *) ans->memory + ANSWER_ROOM_BYTES, ans->len_bytes,
					  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

/* Sends a message and takes all pieces of its answer; the caller frees *got. */
static dispatch_outcome
converse(dispatch_peer *peer, json_t *request, size_t flags, json_t **got)
{
	char	   *text = message_text(request, flags);
	answer		ans = {0};
	dispatch_outcome outcome = run_bytes(peer, text, strlen(text), &ans);

	while (outcome == DISPATCH_PIECE)
		outcome = dispatch_continue(&disp, peer, &ans);
	*got = answer_json(outcome, &ans);
	store_commit(disp.store);
	answer_free(&ans);
	free(text);
	return outcome;
}

static void
present_key(dispatch_peer *peer, const char *api_key)
{
	json_t	   *request = json_pack("{s:s,s:s,s:s}", "id", "key", "type", "api-key", "data", api_key);
	json_t	   *got;

	converse(peer, request, 0, &got);
	json_decref(got);
	json_decref(request);
}

/* Returns whether the connection is still open. */
static bool
play(const exchange *ex, dispatch_peer *peer, size_t flags)
{
	json_t	   *got;
	dispatch_outcome outcome = converse(peer, ex->request, flags, &got);
	bool		open = outcome == DISPATCH_ANSWER;
	bool		closed = outcome == DISPATCH_CLOSE || outcome == DISPATCH_ANSWER_AND_CLOSE;

	if (!tap_ok((ex->closes ? closed : open) && same_answer(got, ex->answer),
				"%s", exchange_name(ex)))
	{
		char	   *text = json_dumps(got, JSON_ENCODE_ANY);

		printf("# outcome %d, answer %s\n", outcome, text ? text : "not JSON");
		free(text);
	}
	json_decref(got);
	return open;
}

/* Plays it from an empty store, with requests written in a way of jansson's. */
static void
test_conversation(size_t flags)
{
	conversation talk = conversation_load();
	store	   *st = open_store(talk.api_key);
	dispatch_peer peer = {0};
	bool		open = false;

	for (size_t i = 0; i < conversation_length(&talk); i++)
	{
		exchange	ex = conversation_get(&talk, i);

		if (ex.stranger || !open)
			peer = (dispatch_peer) {0};
		if (!ex.stranger && !open)
			present_key(&peer, talk.api_key);
		open = play(&ex, &peer, flags);
	}
	store_close(st);
	conversation_free(&talk);
}

/* ---- what ltdbd does beyond them, in order, on one store ---- */

typedef struct step
{
	const char *type;
	const char *payload;
	const char *expected;
} step;

#define DONE "{\"id\":\"1\"}"
#define RECORDS(list) "{\"id\":\"1\",\"records\":" list "}"

static const step steps[] = {
	/* a payload of another shape, or with something behind it */
	{"collections", "[]", "CLOSE"},
	{"collections", "{} {}", "CLOSE"},
	{"insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":7}]x", "CLOSE"},

	/* a ts that could not be kept */
	{"insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":2147483648}]", "CLOSE"},
	{"insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":-2147483649}]", "CLOSE"},
	{"insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":7},{\"collection\":\"c\",\"key\":\"k\",\"ts\":1.5}]", "CLOSE"},
	{"insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":\"7\"}]", "CLOSE"},
	{"collections", "{}", "{\"id\":\"1\",\"collections\":[]}"},

	/* members that are absent, null, or of another type */
	{"insert", "[{\"data\":\"x\",\"ts\":2,\"key\":\"k\",\"collection\":\"c\"}]", DONE},
	{"query-user", "{\"collection\":\"c\",\"key\":\"k\",\"to\":5,\"limit\":null}",
	RECORDS("[{\"ts\":2,\"data\":\"x\"}]")},
	{"query-user", "{\"collection\":\"c\",\"key\":\"k\",\"from\":1.5,\"to\":5}", "CLOSE"},
	{"query-user", "{\"collection\":\"c\",\"key\":\"k\",\"from\":1,\"to\":5,\"reverse\":1}", "CLOSE"},
	{"query", "{\"collection\":\"c\",\"ts\":2}", RECORDS("{\"k\":{\"ts\":2,\"data\":\"x\"}}")},
	{"query", "{\"ts\":5}", "CLOSE"},
	{"set-value", "{\"collection\":\"c\",\"key\":\"p\",\"value\":\"1\\u0000\\n\"}", DONE},
	{"get-value", "{\"collection\":\"c\",\"key\":\"p\"}", "{\"id\":\"1\",\"value\":\"1\\u0000\\n\"}"},
	{"get-value", "{\"collection\":1,\"key\":\"p\"}", "CLOSE"},
	{"get-all-values", "{\"collection\":\"c\"}", "{\"id\":\"1\",\"values\":{\"p\":\"1\\u0000\\n\"}}"},
	{"delete-record", "{\"collection\":\"c\",\"key\":\"k\",\"ts\":\"2\"}", "CLOSE"},
	{"delete-record", "{\"collection\":\"c\",\"key\":\"k\"}", "CLOSE"},
	{"delete-user", "{\"collection\":\"c\"}", "CLOSE"},
	{"delete-collection", "{}", "CLOSE"},

	/* a key that is absent from a collection without keys */
	{"delete-record", "{\"collection\":\"c\",\"key\":\"k\",\"ts\":2}", DONE},
	{"delete-user", "{\"collection\":\"c\",\"key\":\"no\"}", DONE},
	{"collections", "{}", "{\"id\":\"1\",\"collections\":[\"c\"]}"},
	{"delete-user", "{\"key\":\"no\"}", DONE},
	{"collections", "{}", "{\"id\":\"1\",\"collections\":[]}"},

	/* the key once more */
	{"api-key", "sesame", DONE},
	{"api-key", "sesam", "CLOSE"},
};

static void
test_steps(void)
{
	dispatch_peer peer = {0};

	tap_is_str(outcome_text(&peer, envelope("api-key", "sesame\n")), "CLOSE",
			   "a key that only begins like the right one");
	tap_is_str(outcome_text(&peer, envelope("nonsense", "{}")), "CLOSE",
			   "a stranger is not told which types there are");
	tap_ok(!peer.authenticated, "the door is still closed");
	tap_is_str(outcome_text(&peer, envelope("api-key", "sesame")), DONE, "the right key");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		tap_is_str(outcome_text(&peer, envelope(steps[i].type, steps[i].payload)),
				   steps[i].expected, "%s %.60s", steps[i].type, steps[i].payload);
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
	store	   *st;

	test_conversation(JSON_COMPACT);
	test_conversation(JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH | JSON_SORT_KEYS);

	st = open_store("sesame");
	test_steps();
	test_long_answers();
	if (can_fail_allocations())
	{
		/* or each rollback reads all of it back */
		store_begin(st);
		store_flush(st);
		store_commit(st);
		test_allocations("insert", "[{\"collection\":\"c\",\"key\":\"k\",\"ts\":1,\"data\":\"x\"}]");
		test_allocations("query-user", "{\"collection\":\"long\",\"key\":\"k\",\"to\":20}");
		test_allocations("query", "{\"collection\":\"long\",\"ts\":20}");
		test_allocations("get-all-values", "{\"collection\":\"long\"}");
		test_allocations("delete-user", "{\"collection\":\"\",\"key\":\"k\"}");
	}
	tap_ok(!dispatch_init(&disp, st, ""), "an empty key will not do");
	store_close(st);
	return tap_done();
}
