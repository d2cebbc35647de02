/*-------------------------------------------------------------------------
 *
 * unit_conn_violation.c
 *		Tests of a peer that breaks the protocol, or the bounds of memory.
 *
 * What a single answer may look like is left to unit_decode_*.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* peer.h wants it */
#include "client.h"

static const char *nonsense;

static void
handle_nonsense(peer *p, const peer_request *request)
{
	if (!handle_key(p, request))
		peer_send(p, nonsense);
}

static void
check_violation(const char *message, const char *words)
{
	nonsense = message;
	begin(handle_nonsense);
	options.max_reconnects = 1;
	start();
	drain(fetch(1, 1, 0, false));
	tap_ok(strstr(line, "error 10") != NULL && strstr(line, words) != NULL, "violation: %s", line);
	tap_is_int(server.connections, 2, "... after another attempt");
	finish();
}

/* Answers the request before again, then this one twice. */
static void
handle_repeating(peer *p, const peer_request *request)
{
	if (handle_key(p, request))
		return;
	if (p->held[0][0] != '\0')
		peer_answer(p, p->held[0], ",\"records\":[{\"ts\":1,\"data\":\"late\"}]");
	handle_well(p, request);
	handle_well(p, request);
	snprintf(p->held[0], sizeof(p->held[0]), "%s", request->id);
}

static void
handle_disorder(peer *p, const peer_request *request)
{
	if (!handle_key(p, request))
		peer_answer(p, request->id, ",\"records\":[{\"ts\":2,\"data\":\"\"},{\"ts\":1,\"data\":\"\"}]");
}

static void
test_violations(void)
{
	check_violation("{\"id\":\"99\"}", "never sent");
	check_violation("{\"id\":\"x\"}", "never sent");
	check_violation("{\"id\":7}", "not JSON");
	check_violation("hello", "not JSON");
	check_violation("{\"id\"", "not JSON");
	check_violation("{\"message\":\"hello\"}", "neither an answer nor an error");

	begin(handle_repeating);
	start();
	tap_is_str(drain(fetch(1, 1, 0, false)), "/1/d1 done", "answered twice");
	tap_is_str(drain(fetch(2, 2, 0, false)), "/2/d2 done", "... and again later");
	tap_is_int(server.connections, 1, "... which is tolerated");
	finish();

	begin(handle_disorder);
	start();
	drain(fetch(1, 2, 0, false));
	tap_ok(strstr(line, "error 10: malformed answer: records out of order") != NULL, "%s", line);
	drain(fetch(1, 1, 0, false));
	tap_ok(strstr(line, "outside of the interval") != NULL, "%s", line);
	drain(fetch(1, 2, 1, true));
	tap_ok(strstr(line, "more records than asked for") != NULL, "%s", line);
	tap_is_str(drain(ltdb_send_delete_collection(conn, T("c"))), "done", "the connection survives");
	finish();
}

/* A record of 100 kB, and whom it is for comes last. */
static void
handle_id_last(peer *p, const peer_request *request)
{
	static char answer[110000];

	if (handle_key(p, request))
		return;
	snprintf(answer, sizeof(answer), "{\"records\":[{\"ts\":1,\"data\":\"%0100000d\"}],\"id\":\"%s\"}",
			 7, request->id);
	peer_send(p, answer);
}

static void
test_too_big(void)
{
	ltdb_reply *reply;
	ltdb_record item;

	begin(handle_well);
	options.max_buffer_bytes = 1000;
	start();
	reply = fetch(1, 200, 0, false);
	tap_ok(strstr(drain(reply), "error 11: answer has more than 1000 bytes") != NULL, "an answer that is too big");
	tap_is_str(drain(fetch(1, 1, 0, false)), "/1/d1 done", "... does not hurt the next");
	finish();

	begin(handle_id_last);
	start();
	reply = fetch(1, 1, 0, false);
	tap_ok(next(reply, &item) == LTDB_ITEM && item.data.len_bytes == 100000, "an answer with its id at the end");
	ltdb_reply_free(reply);
	tap_is_int((int64_t) conn->incoming.size_bytes, 0, "... leaves no memory behind");
	finish();

	begin(handle_id_last);
	options.max_buffer_bytes = 1000;
	start();
	tap_is_str(drain(fetch(1, 1, 0, false)), "error 11: answer has more than 1000 bytes before its id",
			   "... which is too big, too");
	finish();
}

int
main(void)
{
	test_violations();
	test_too_big();
	return client_done();
}
