/*-------------------------------------------------------------------------
 *
 * unit_conn.c
 *		Tests of the client's connection against a server that misbehaves.
 *
 * The server is t/peer.h, driven from the same loop that waits for the
 * client, so every test is one thread and one order of events.  Whether
 * messages are right is left to unit_encode.c and unit_decode.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <time.h>

#include "client/ltdb_int.h"
#include "peer.h"
#include "tap.h"

#define KEY "top-secret"
#define T(string) ((ltdb_text) {string, sizeof(string) - 1})

/* Nothing here takes that long; a test that hangs fails. */
#define PATIENCE_MS 20000

static peer server;
static ltdb_options options;
static ltdb_conn *conn;
static char url[64];
static int	waits;

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the caller's side ---- */

/* Waits as the client asks to, while the server goes on. */
static ltdb_state
wait_once(void)
{
	struct pollfd fds[3] = {{.fd = ltdb_socket(conn)}, {.fd = server.listener, .events = POLLIN}, {.fd = server.fd, .events = POLLIN}};
	unsigned	wants = ltdb_wants(conn);
	int			wait_ms = ltdb_wait_ms(conn);

	if (wants & LTDB_WANT_READ)
		fds[0].events |= POLLIN;
	if (wants & LTDB_WANT_WRITE)
		fds[0].events |= POLLOUT;
	if (server.out.len > 0)
		fds[2].events |= POLLOUT;
	if (server.fd >= 0)
		fds[1].fd = -1;
	if (server.stalled)
		fds[2].fd = -1;
	if (server.dropping)
		wait_ms = 0;
	waits++;
	poll(fds, 3, wait_ms < 0 || wait_ms > 1000 ? 1000 : wait_ms);
	peer_step(&server);
	return ltdb_poll(conn);
}

static ltdb_next
next(ltdb_reply *reply, ltdb_record *item)
{
	int64_t		began_ms = now_ms();
	ltdb_next	result;

	while ((result = ltdb_reply_next(reply, item)) == LTDB_WAIT)
	{
		if (now_ms() - began_ms > PATIENCE_MS)
		{
			printf("Bail out! %s hangs\n", ltdb_reply_request(reply));
			exit(1);
		}
		wait_once();
	}
	return result;
}

/* What drain() found. */
static char line[4096];

/* The reply's items as one line, and how it ended; frees it. */
static const char *
drain(ltdb_reply *reply)
{
	size_t		len = 0;
	ltdb_record item;
	ltdb_next	result;

	line[0] = '\0';
	while ((result = next(reply, &item)) == LTDB_ITEM || result == LTDB_RESTART)
	{
		if (len > sizeof(line) - 256)
			continue;
		if (result == LTDB_RESTART)
			len += (size_t) sprintf(line + len, "restart ");
		else
			len += (size_t) snprintf(line + len, 200, "%.*s/%d/%.*s ",
									 (int) item.key.len_bytes, item.key.bytes, (int) item.ts_sec,
									 (int) item.data.len_bytes, item.data.bytes);
	}
	if (result == LTDB_DONE)
		sprintf(line + len, "done");
	else
		snprintf(line + len, 256, "error %d: %s", ltdb_reply_error(reply), ltdb_reply_message(reply));
	ltdb_reply_free(reply);
	return line;
}

static void
begin(peer_handler handler)
{
	memset(&server, 0, sizeof(server));
	server.fd = -1;
	server.handler = handler;
	peer_listen(&server);
	snprintf(url, sizeof(url), "ws://127.0.0.1:%d", server.port);
	ltdb_options_init(&options);
	options.url = url;
	options.api_key = KEY;
	conn = NULL;
}

static void
start(void)
{
	conn = ltdb_connect_start(&options);
}

static ltdb_state
settle(void)
{
	int64_t		began_ms = now_ms();
	ltdb_state	state;

	while ((state = ltdb_poll(conn)) == LTDB_CONNECTING && now_ms() - began_ms < PATIENCE_MS)
		wait_once();
	return state;
}

static void
finish(void)
{
	ltdb_conn_free(conn);
	peer_free(&server);
}

static ltdb_reply *
fetch(int64_t from_sec, int64_t to_sec, int64_t limit, bool reverse)
{
	ltdb_fetch	f = {T("c"), T("k"), from_sec, to_sec, limit, reverse};

	return ltdb_send_fetch(conn, &f);
}

static ltdb_reply *
latest(void)
{
	ltdb_latest l = {T("c"), T(""), 100, 0};

	return ltdb_send_latest(conn, &l);
}

/* ---- the server's side ---- */

/* Takes care of the api key; returns whether that was the request. */
static bool
handle_key(peer *p, const peer_request *request)
{
	if (strcmp(request->type, "api-key") != 0)
		return false;
	if (strcmp(json_string_value(request->data), KEY) == 0)
		peer_answer(p, request->id, "");
	else
		peer_send_close(p, 1000);
	return true;
}

/*
 * A collection in which the key has one record each second, from -20 on up to
 * 1000: answered as LTDB would.
 */
static void
answer_fetch(peer *p, const peer_request *request)
{
	int64_t		from = json_integer_value(json_object_get(request->data, "from"));
	int64_t		to = json_integer_value(json_object_get(request->data, "to"));
	int64_t		limit = json_integer_value(json_object_get(request->data, "limit"));
	bool		reverse = json_is_true(json_object_get(request->data, "reverse"));
	char		members[65536] = ",\"records\":[";
	size_t		len = strlen(members);
	int64_t		i;

	if (to <= 0 || from > to)
	{
		peer_send_close(p, 1000);
		return;
	}
	from = from < -20 ? -20 : from;
	to = to > 1000 ? 1000 : to;
	for (i = 0; from + i <= to && (limit == 0 || i < limit); i++)
	{
		int64_t		ts = reverse ? to - i : from + i;

		len += (size_t) sprintf(members + len, "%s{\"ts\":%d,\"data\":\"d%d\"}", i ? "," : "", (int) ts, (int) ts);
	}
	strcpy(members + len, "]");
	peer_answer(p, request->id, members);
}

/* Behaves. */
static void
handle_well(peer *p, const peer_request *request)
{
	if (handle_key(p, request))
		return;
	if (strcmp(request->type, "query-user") == 0)
		answer_fetch(p, request);
	else if (strcmp(request->type, "query") == 0)
		peer_answer(p, request->id, ",\"records\":{\"a\":{\"ts\":1,\"data\":\"x\"},\"b\":{\"ts\":2,\"data\":\"y\"}}");
	else if (strcmp(request->type, "collections") == 0)
		peer_answer(p, request->id, ",\"collections\":[\"c\",\"d\"]");
	else if (strcmp(request->type, "get-value") == 0)
		peer_answer(p, request->id, strcmp(json_string_value(json_object_get(request->data, "key")), "k") ?
					",\"value\":\"\"" : ",\"value\":\"v\"");
	else if (strcmp(request->type, "get-all-keys") == 0)
		peer_answer(p, request->id, ",\"keys\":[\"k\"]");
	else if (strcmp(request->type, "get-all-values") == 0)
		peer_answer(p, request->id, ",\"values\":{\"k\":\"v\"}");
	else
		peer_answer(p, request->id, "");
}

/* ---- all is well ---- */

static void
check_all_requests(const char *how)
{
	ltdb_record records[] = {{T("a"), 1, T("x")}, {T("b"), 2, T("y")}};

	tap_is_str(drain(ltdb_send_insert(conn, T("c"), records, 2)), "done", "insert %s", how);
	tap_is_str(drain(fetch(1, 3, 0, false)), "/1/d1 /2/d2 /3/d3 done", "fetch %s", how);
	tap_is_str(drain(fetch(1, 3, 2, true)), "/3/d3 /2/d2 done", "... the newest first");
	tap_is_str(drain(latest()), "a/1/x b/2/y done", "latest %s", how);
	tap_is_str(drain(ltdb_send_collections(conn)), "c/0/ d/0/ done", "collections %s", how);
	tap_is_str(drain(ltdb_send_delete_record(conn, T("c"), T("a"), 1)), "done", "delete a record");
	tap_is_str(drain(ltdb_send_delete_records(conn, T("c"), records, 2)), "done", "delete records");
	tap_is_str(drain(ltdb_send_delete_key(conn, T("c"), T("a"))), "done", "delete a key");
	tap_is_str(drain(ltdb_send_delete_collection(conn, T("c"))), "done", "delete a collection");
	tap_is_str(drain(ltdb_send_set_value(conn, T("c"), T("k"), T("v"))), "done", "set a value");
	tap_is_str(drain(ltdb_send_get_value(conn, T("c"), T("k"))), "/0/v done", "get a value %s", how);
	tap_is_str(drain(ltdb_send_get_value(conn, T("c"), T("none"))), "done", "... which is absent");
	tap_is_str(drain(ltdb_send_list_keys(conn, T("c"))), "k/0/ done", "list keys");
	tap_is_str(drain(ltdb_send_list_values(conn, T("c"))), "k/0/v done", "list values %s", how);
	tap_is_str(drain(ltdb_send_delete_value(conn, T("c"), T("k"))), "done", "delete a value");
}

static void
test_happy(void)
{
	begin(handle_well);
	start();
	tap_is_int(settle(), LTDB_READY, "connected and authenticated");
	check_all_requests("in one piece");
	tap_ok(ltdb_conn_stats(conn)->requests == 15 && ltdb_conn_stats(conn)->answers == 15 &&
		   ltdb_conn_stats(conn)->reconnects == 0 && ltdb_conn_stats(conn)->bytes_sent > 15 * 30 &&
		   ltdb_in_flight(conn) == 0, "counted");
	finish();
}

static void
test_pieces(void)
{
	begin(handle_well);
	server.frame_bytes = 3;
	start();
	check_all_requests("in frames of 3 bytes with pings between");
	finish();

	begin(handle_well);
	server.write_bytes = 1;
	start();
	check_all_requests("byte by byte");
	finish();
}

static void
test_big_messages(void)
{
	static char data[300000];
	ltdb_record records[20];
	int			i;

	memset(data, 'x', sizeof(data));
	for (i = 0; i < 20; i++)
		records[i] = (ltdb_record) {T("k"), i, {data, sizeof(data)}};
	begin(handle_well);
	start();
	tap_is_str(drain(ltdb_send_insert(conn, T("c"), records, 20)), "done", "a message of 6 MB is sent");
	tap_ok(server.frames > 90 && server.messages == 1, "... in %d frames", server.frames);
	finish();
}

/*
 * A server that does not read for a while: what could not be sent must go out
 * once it can, whatever is left of it.
 */
static void
test_slow_reader(void)
{
	static char value[7 * 1024 * 1024];
	size_t		len;

	memset(value, 'x', sizeof(value));
	for (len = 3 * 1024 * 1024; len < sizeof(value); len += 413 * 1024)
	{
		ltdb_reply *reply;
		int			i;

		begin(handle_well);
		options.request_timeout_ms = 5000;
		start();
		settle();
		server.stalled = true;
		reply = ltdb_send_set_value(conn, T("c"), T("k"), (ltdb_text) {value, len});
		for (i = 0; i < 200 && (ltdb_conn_stats(conn)->requests == 0 || i < 100); i++)
		{
			ltdb_wait_ms(conn);
			ltdb_poll(conn);
		}
		server.stalled = false;
		tap_is_str(drain(reply), "done", "%zu bytes to a server that reads late", len);
		finish();
	}
}

/* A ping is answered even while nothing else happens. */
static void
test_ping(void)
{
	ltdb_reply *reply;
	int			i;

	begin(handle_well);
	start();
	settle();
	for (i = 0; i < 3; i++)
	{
		peer_send_frame(&server, 0x89, "ping", 4);
		wait_once();
		wait_once();
		peer_step(&server);
	}
	tap_is_int(server.pongs, 3, "pings are answered");
	reply = fetch(1, 1, 0, false);
	tap_is_str(drain(reply), "/1/d1 done", "... and the connection goes on");
	finish();
}

/* Holds three requests, then answers them in the opposite order. */
static void
handle_backwards(peer *p, const peer_request *request)
{
	if (handle_key(p, request))
		return;
	snprintf(p->held[p->step++], sizeof(p->held[0]), "%s", request->id);
	while (p->step > 0 && p->messages == 3)
	{
		char		members[64];

		p->step--;
		snprintf(members, sizeof(members), ",\"records\":[{\"ts\":%d,\"data\":\"\"}]", p->step + 1);
		peer_answer(p, p->held[p->step], members);
	}
}

static void
test_pipeline(void)
{
	ltdb_reply *replies[3];
	int			i;

	begin(handle_backwards);
	start();
	for (i = 0; i < 3; i++)
		replies[i] = fetch(i + 1, i + 1, 0, false);
	tap_is_int(ltdb_in_flight(conn), 3, "three requests in flight");
	tap_is_str(drain(replies[0]), "/1/ done", "the first is answered last");
	tap_ok(ltdb_reply_complete(replies[1]) && ltdb_reply_complete(replies[2]) && ltdb_reply_bytes(replies[2]) > 0,
		   "the others are complete by then");
	tap_is_str(drain(replies[2]), "/3/ done", "the third");
	tap_is_str(drain(replies[1]), "/2/ done", "the second");
	finish();
}

/* The id at the end, after strings that look like one. */
static void
handle_id_last(peer *p, const peer_request *request)
{
	char		text[256];

	if (handle_key(p, request))
		return;
	snprintf(text, sizeof(text), "{\"x\":{\"id\":\"0\",\"y\":[\"}\",\"\\\"\"]},\"records\":[{\"ts\":1,\"data\":\"\\\"id\\\":\"}],\"id\" : \"%s\"}", request->id);
	peer_send(p, text);
}

static void
test_id_last(void)
{
	begin(handle_id_last);
	server.write_bytes = 1;
	start();
	tap_is_str(drain(fetch(1, 1, 0, false)), "/1/\"id\": done", "an answer with its id at the end");
	finish();
}

/* ---- the server says no ---- */

static void
test_wrong_key(void)
{
	ltdb_reply *reply;

	begin(handle_well);
	options.api_key = "wrong-secret";
	start();
	reply = fetch(1, 2, 0, false);
	tap_is_int(settle(), LTDB_FAILED, "a wrong key fails");
	tap_is_int(ltdb_conn_error(conn), LTDB_ERROR_AUTHENTICATION, "... as such");
	tap_ok(strstr(ltdb_conn_message(conn), "api key") && !strstr(ltdb_conn_message(conn), "secret") &&
		   strstr(ltdb_conn_message(conn), url + 5), "... and says so: %s", ltdb_conn_message(conn));
	tap_is_int(server.connections, 1, "... at once");
	tap_ok(strstr(drain(reply), "error 6") != NULL, "the request waiting for it fails too");
	tap_ok(strstr(drain(fetch(1, 2, 0, false)), "error 6") != NULL, "and so does a later one");
	tap_ok(ltdb_wait_ms(conn) == 0 && ltdb_socket(conn) == -1, "there is nothing to wait for");
	finish();
}

/* Closes at a request of the collection "bad", having said why if asked to. */
static void
handle_refusing(peer *p, const peer_request *request)
{
	const char *collection;

	if (handle_key(p, request))
		return;
	collection = json_string_value(json_object_get(request->data, "collection"));
	if (collection == NULL || strcmp(collection, "bad") != 0)
	{
		handle_well(p, request);
		return;
	}
	if (p->step > 0)
		peer_send(p, "{\"error\":\"Unknown message type\"}");
	else
		peer_send(p, "");
	peer_send_close(p, 1000);
}

static void
test_refused(bool with_text)
{
	ltdb_reply *good1;
	ltdb_reply *bad;
	ltdb_reply *good2;

	begin(handle_refusing);
	server.step = with_text;
	start();
	good1 = fetch(1, 2, 0, false);
	bad = ltdb_send_delete_key(conn, T("bad"), T("b\"x"));
	good2 = fetch(3, 3, 0, false);
	drain(bad);
	tap_ok(strstr(line, "error 9: server closed the connection at this request (twice): "
				  "delete-user of key \"b\"x\" in collection \"bad\"") != NULL, "refused: %s", line);
	tap_is_int(strstr(line, "Unknown message type") != NULL, with_text, "... with the server's own words, if any");
	tap_is_str(drain(good1), "/1/d1 /2/d2 done", "the request before is answered");
	tap_is_str(drain(good2), "/3/d3 done", "the one after it too");
	tap_is_int(server.connections, 3, "the request was tried twice");
	finish();
}

/* More refusals in a row than there may be attempts without an answer. */
static void
test_many_refused(void)
{
	ltdb_reply *bad[4];
	ltdb_reply *good;
	int			i;

	begin(handle_refusing);
	options.max_reconnects = 3;
	start();
	for (i = 0; i < 4; i++)
		bad[i] = ltdb_send_delete_collection(conn, T("bad"));
	good = ltdb_send_collections(conn);
	tap_is_str(drain(good), "c/0/ d/0/ done", "a good request behind four bad ones is answered");
	for (i = 0; i < 4; i++)
		tap_ok(strstr(drain(bad[i]), "error 9: server closed") != NULL, "... and each bad one refused");
	finish();
}

/* An abandoned request that is refused casts no blame on the next. */
static void
test_abandoned_refused(void)
{
	ltdb_reply *bad;
	ltdb_reply *good;

	begin(handle_refusing);
	start();
	settle();
	bad = ltdb_send_delete_collection(conn, T("bad"));
	good = ltdb_send_collections(conn);
	ltdb_wait_ms(conn);
	ltdb_poll(conn);
	ltdb_reply_free(bad);
	tap_is_int(good->closes, 0, "nothing closed yet");
	while (!ltdb_reply_complete(good))
		wait_once();
	tap_is_int(good->closes, 0, "nobody is blamed for an abandoned request");
	tap_is_str(drain(good), "c/0/ d/0/ done", "... and the next is answered");
	finish();
}

/* Closes as soon as the beginning of a big message arrives. */
static void
test_too_big_for_server(void)
{
	static char value[8 * 1024 * 1024];
	ltdb_reply *reply;
	bool		closing = false;

	memset(value, 'x', sizeof(value));
	begin(handle_well);
	start();
	settle();
	reply = ltdb_send_set_value(conn, T("c"), T("k"), (ltdb_text) {value, sizeof(value)});
	while (!ltdb_reply_complete(reply))
	{
		wait_once();
		if (server.fd >= 0 && server.upgraded && server.frames > 20 && !closing)
		{
			peer_send_close(&server, 1009);
			closing = true;
		}
		if (server.fd < 0)
		{
			server.frames = 0;
			closing = false;
		}
	}
	drain(reply);
	tap_ok(strstr(line, "error 9: server closed") != NULL, "closed while it was being sent: %s", line);
	finish();
}

static void
handle_error(peer *p, const peer_request *request)
{
	if (!handle_key(p, request))
		peer_answer(p, request->id, ",\"error\":\"permission denied\"");
}

static void
test_error_answer(void)
{
	begin(handle_error);
	start();
	tap_is_str(drain(fetch(1, 2, 0, false)), "error 9: server refused the request: permission denied", "an error as answer");
	tap_is_int(server.connections, 1, "... is no reason to reconnect");
	finish();
}

static void
test_arguments(void)
{
	begin(handle_well);
	start();
	tap_ok(strstr(drain(fetch(5, 1, 0, false)), "error 3: from 5") != NULL, "an interval that ends before it begins");
	tap_ok(strstr(drain(ltdb_send_get_value(conn, T("c"), T(""))), "error 3: key") != NULL, "an empty key");
	tap_ok(strstr(drain(ltdb_send_collections(conn)), "done") != NULL, "the connection is as good as before");
	tap_is_int(server.messages, 1, "... and they were not sent");
	finish();
}

/* ---- connections that break ---- */

/* Drops the first few connections some bytes into an answer. */
static size_t drop_at;
static int	drops;

/* libwebsockets hands out a small frame only when it is complete. */
#define SMALL_FRAME 16

static void
handle_dropping(peer *p, const peer_request *request)
{
	handle_well(p, request);
	if (p->messages > 0 && p->step < drops)
	{
		p->step++;
		p->drop_after = drop_at;
	}
}

static void
check_resumed(int64_t from, int64_t to, int64_t limit, bool reverse, const char *what)
{
	char		expected[4096];
	size_t		len = 0;
	int64_t		low = from < -20 ? -20 : from;
	int64_t		i;
	ltdb_reply *reply;

	for (i = 0; low + i <= to && (limit == 0 || i < limit); i++)
	{
		int			ts = (int) (reverse ? to - i : low + i);

		len += (size_t) sprintf(expected + len, "/%d/d%d ", ts, ts);
	}
	strcpy(expected + len, "done");

	begin(handle_dropping);
	server.frame_bytes = SMALL_FRAME;
	start();
	reply = fetch(from, to, limit, reverse);
	tap_is_str(drain(reply), expected, "%s, cut at %zu bytes", what, drop_at);
	tap_ok((int) ltdb_conn_stats(conn)->reconnects >= (drops + 1) / 2, "... after %d reconnects",
		   (int) ltdb_conn_stats(conn)->reconnects);
	finish();
}

static void
test_resume(void)
{
	drops = 1;
	for (drop_at = 1; drop_at <= 145; drop_at += 8)
		check_resumed(1, 6, 0, false, "resumed");
	drops = 3;
	for (drop_at = 90; drop_at <= 130; drop_at += 20)
	{
		check_resumed(1, 20, 0, false, "resumed again and again");
		check_resumed(1, 20, 15, false, "... with a limit");
		check_resumed(1, 20, 15, true, "... newest first");
		check_resumed(-100, 4, 0, true, "... down to before 1970");
		check_resumed(-100, 4, 18, true, "... down to before 1970, with a limit");
		check_resumed(-100, 4, 18, false, "... up from before 1970");
	}

	/* lost behind the last record: there is nothing to come back for */
	drops = 1;
	drop_at = 45;
	begin(handle_dropping);
	server.frame_bytes = 41;
	start();
	tap_is_str(drain(fetch(1, 1, 0, false)), "/1/d1 done", "lost when all records had come");
	tap_ok(server.connections == 1 && ltdb_poll(conn) == LTDB_READY, "... which needs no other connection");
	finish();
}

static void
test_restart(void)
{
	begin(handle_dropping);
	drops = 1;
	drop_at = 80;
	server.frame_bytes = SMALL_FRAME;
	start();
	tap_is_str(drain(latest()), "a/1/x restart a/1/x b/2/y done", "an answer that cannot be resumed begins anew");
	tap_is_int(server.connections, 2, "... after one reconnect");
	finish();
}

static void
test_idle_restart(void)
{
	int			i;

	begin(handle_well);
	start();
	tap_is_str(drain(fetch(1, 1, 0, false)), "/1/d1 done", "before the server restarts");
	peer_send_close(&server, 1001);
	peer_flush(&server);
	peer_hang_up(&server);
	peer_stop_listening(&server);
	for (i = 0; i < 5; i++)
	{
		struct pollfd fd = {ltdb_socket(conn), POLLIN, 0};

		poll(&fd, 1, 20);
		ltdb_wait_ms(conn);
		tap_is_int(ltdb_poll(conn), LTDB_READY, "an idle connection that was lost is of no concern");
	}
	tap_ok(ltdb_socket(conn) == -1 && ltdb_wait_ms(conn) == -1, "... and does not reconnect by itself");
	peer_listen(&server);
	tap_is_str(drain(fetch(1, 1, 0, false)), "/1/d1 done", "the next request does not notice");
	tap_is_int(server.connections, 2, "... one reconnect");

	/* again, with the request sent before the loss is noticed */
	peer_hang_up(&server);
	tap_is_str(drain(fetch(2, 2, 0, false)), "/2/d2 done", "nor does one sent into a dead connection");
	finish();
}

static void
test_going_away(void)
{
	static const int codes[] = {1001, 1012, 1013, 1014};
	int			closes = 0;
	ltdb_reply *reply;

	begin(handle_backwards);
	start();
	reply = fetch(1, 1, 0, false);
	while (closes < 4)
	{
		wait_once();
		if (server.step > 0)
		{
			server.step = 0;
			server.messages = 0;
			peer_send_close(&server, codes[closes++]);
			peer_flush(&server);
			peer_hang_up(&server);
		}
	}
	server.handler = handle_well;
	tap_is_int(reply->closes, 0, "a server that goes away blames nobody");
	tap_is_str(drain(reply), "/1/d1 done", "... and answers later");
	finish();
}

static void
test_gone(void)
{
	ltdb_reply *reply;
	ltdb_reply *other;

	begin(handle_backwards);
	options.max_reconnects = 3;
	start();
	reply = fetch(1, 1, 0, false);
	other = latest();
	while (server.messages < 2)
		wait_once();
	peer_hang_up(&server);
	peer_stop_listening(&server);
	tap_ok(strstr(drain(reply), "error 7: connection to server \"127.0.0.1:") != NULL, "a server that stays away");
	tap_ok(strstr(ltdb_conn_message(conn), "3 attempts") != NULL, "... %s", ltdb_conn_message(conn));
	tap_ok(strstr(drain(other), "error 7") != NULL, "... fails all that was in flight");
	tap_is_int(ltdb_poll(conn), LTDB_FAILED, "... and the connection");
	finish();
}

/* ---- connections that never come to be ---- */

static void
check_handshake(const char *handshake, const char *words)
{
	begin(handle_well);
	server.handshake = handshake;
	server.drop_after = strlen(handshake);
	start();
	tap_ok(settle() == LTDB_FAILED && ltdb_conn_error(conn) == LTDB_ERROR_CONNECT &&
		   strstr(ltdb_conn_message(conn), words) != NULL && server.connections == 1,
		   "handshake: %s", ltdb_conn_message(conn));
	finish();
}

static void
test_no_connection(void)
{
	int64_t		began_ms;

	check_handshake("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "401");
	check_handshake("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404");
	check_handshake("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "500");
	check_handshake("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
					"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", "handshake");
	check_handshake("220 mail.example.com ESMTP\r\n", "handshake");

	begin(handle_well);
	peer_stop_listening(&server);
	start();
	tap_ok(settle() == LTDB_FAILED && ltdb_conn_error(conn) == LTDB_ERROR_CONNECT, "refused: %s", ltdb_conn_message(conn));
	finish();

	begin(handle_well);
	options.url = "ws://user:pw@127.0.0.1";
	start();
	tap_ok(settle() == LTDB_FAILED && ltdb_conn_error(conn) == LTDB_ERROR_URL && !strstr(ltdb_conn_message(conn), "pw"),
		   "bad url: %s", ltdb_conn_message(conn));
	finish();

	begin(handle_well);
	options.api_key = "";
	start();
	tap_ok(settle() == LTDB_FAILED && ltdb_conn_error(conn) == LTDB_ERROR_ARGUMENT && server.connections == 0,
		   "no key: %s", ltdb_conn_message(conn));
	finish();

	begin(handle_well);
	server.deaf = true;
	options.connect_timeout_ms = 200;
	start();
	began_ms = now_ms();
	waits = 0;
	tap_ok(settle() == LTDB_FAILED && ltdb_conn_error(conn) == LTDB_ERROR_CONNECT_TIMEOUT, "timeout: %s", ltdb_conn_message(conn));
	tap_ok(now_ms() - began_ms >= 200 && now_ms() - began_ms < 2000, "... in time");
	tap_ok(waits < 50, "... waiting, not spinning: %d waits", waits);
	finish();
}

static void
test_request_timeout(void)
{
	ltdb_reply *reply;
	ltdb_reply *other;
	int64_t		began_ms;

	begin(handle_backwards);
	options.request_timeout_ms = 200;
	start();
	reply = fetch(1, 1, 0, false);
	other = latest();
	settle();
	began_ms = now_ms();
	waits = 0;
	tap_ok(strstr(drain(reply), "error 8: no answer from server") != NULL, "a request timeout");
	tap_ok(now_ms() - began_ms >= 200 && now_ms() - began_ms < 2000, "... in time");
	tap_ok(waits < 50, "... waiting, not spinning: %d waits", waits);
	tap_ok(strstr(drain(other), "error 8") != NULL && ltdb_poll(conn) == LTDB_FAILED, "... ends the connection");
	finish();

	begin(handle_well);
	options.request_timeout_ms = 100;
	start();
	settle();
	reply = fetch(1, 1, 0, false);
	wait_once();
	usleep(300 * 1000);
	tap_is_str(drain(reply), "/1/d1 done", "time spent elsewhere does not count");
	finish();
}

/* ---- a peer that breaks the protocol ---- */

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

static void
test_too_big(void)
{
	ltdb_reply *reply;

	begin(handle_well);
	options.max_buffer_bytes = 1000;
	start();
	reply = fetch(1, 200, 0, false);
	tap_ok(strstr(drain(reply), "error 11: answer has more than 1000 bytes") != NULL, "an answer that is too big");
	tap_is_str(drain(fetch(1, 1, 0, false)), "/1/d1 done", "... does not hurt the next");
	finish();
}

/* ---- who frees what, when ---- */

static void
test_abandon(void)
{
	ltdb_reply *kept;
	ltdb_record item;

	begin(handle_well);
	server.write_bytes = 7;
	start();
	settle();
	ltdb_reply_free(NULL);
	ltdb_reply_free(latest());
	tap_is_int(ltdb_in_flight(conn), 0, "abandoned before it was sent");
	tap_is_str(drain(latest()), "a/1/x b/2/y done", "... and not missed");

	kept = fetch(1, 20, 0, false);
	next(kept, &item);
	ltdb_reply_free(kept);
	tap_is_int(ltdb_in_flight(conn), 0, "abandoned in the middle of its answer");
	kept = fetch(5, 5, 0, false);
	tap_is_str(drain(kept), "/5/d5 done", "the next is answered all the same");
	tap_is_int((int64_t) ltdb_conn_stats(conn)->requests, 3, "what was abandoned unsent is not sent");

	/* lost with an abandoned request in flight */
	kept = fetch(1, 20, 0, false);
	next(kept, &item);
	ltdb_reply_free(kept);
	peer_hang_up(&server);
	tap_is_str(drain(fetch(6, 6, 0, false)), "/6/d6 done", "... nor sent again");
	tap_is_int(server.messages, 5, "... by the server's count");
	finish();
}

/* A request that is refused here never was in flight, and leaves alone what is. */
static void
test_refused_here(void)
{
	ltdb_reply *kept;

	begin(handle_well);
	start();
	kept = fetch(1, 3, 0, false);
	tap_ok(strstr(drain(ltdb_send_set_value(conn, T("c"), T("k"), T(""))), "error 3") != NULL, "%s", line);
	tap_is_int(ltdb_in_flight(conn), 1, "... does not count as in flight");
	tap_is_str(drain(kept), "/1/d1 /2/d2 /3/d3 done", "... and leaves alone the one sent before");
	finish();
}

static void
test_free_orders(void)
{
	int			order;

	for (order = 0; order < 8; order++)
	{
		ltdb_reply *replies[3];
		ltdb_record item;
		int			i;

		begin(handle_well);
		start();
		if (order & 1)
			settle();
		for (i = 0; i < 3; i++)
			replies[i] = fetch(1, 50, 0, false);
		if (order & 2)
			next(replies[1], &item);
		if (order & 4)
		{
			ltdb_conn_free(conn);
			conn = NULL;
			tap_is_int(ltdb_reply_next(replies[2], &item) == LTDB_WAIT, 0, "a reply outlives its connection");
			for (i = 0; i < 3; i++)
				ltdb_reply_free(replies[i]);
		}
		else
		{
			for (i = 2; i >= 0; i--)
				ltdb_reply_free(replies[i]);
			tap_is_int(ltdb_in_flight(conn), 0, "nothing in flight once all is freed");
		}
		finish();
	}
	ltdb_conn_free(NULL);
}

/* ---- the process around us ---- */

static int
open_fds(void)
{
	DIR		   *dir = opendir("/proc/self/fd");
	int			count = 0;

	while (dir != NULL && readdir(dir) != NULL)
		count++;
	if (dir != NULL)
		closedir(dir);
	return count;
}

static void
test_process(void)
{
	int			before = open_fds();
	struct sigaction action;
	char		line[300];
	int			lines = 0;
	int			i;

	setenv("http_proxy", "127.0.0.1:9", 1);
	for (i = 0; i < 3; i++)
	{
		begin(handle_well);
		start();
		tap_is_int(settle(), LTDB_READY, "no proxy of the environment's is used");
		finish();
	}
	unsetenv("http_proxy");
	tap_is_int(open_fds(), before, "no descriptor is left open");
	sigaction(SIGPIPE, NULL, &action);
	tap_ok(action.sa_handler == SIG_DFL, "SIGPIPE is as it was");
	while (ltdb_log_take(line, sizeof(line)))
	{
		printf("# %s\n", line);
		lines += strstr(line, "secret") != NULL;
	}
	tap_is_int(lines, 0, "no key in the log");
}

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

/* One conversation, from connecting to closing. */
static ltdb_error
converse(void)
{
	ltdb_error	error = LTDB_ERROR_MEMORY;
	ltdb_reply *reply;
	ltdb_record item;
	ltdb_next	result;

	start();
	if (conn == NULL)
		return error;
	reply = fetch(1, 100, 0, false);
	if (reply == NULL)
		return error;
	while ((result = next(reply, &item)) == LTDB_ITEM)
		;
	error = result == LTDB_DONE ? LTDB_OK : ltdb_reply_error(reply);
	tap_ok(error == LTDB_OK || strstr(ltdb_reply_message(reply), "memory") || strstr(ltdb_reply_message(reply), "set up"),
		   "... %s", ltdb_reply_message(reply));
	ltdb_reply_free(reply);
	return error;
}

static void
test_out_of_memory(void)
{
	ltdb_error	error = LTDB_ERROR_MEMORY;
	int			nth;

	ltdbp_realloc = test_realloc;
	for (nth = 0; error != LTDB_OK && nth < 200; nth++)
	{
		begin(handle_well);
		allocations_left = nth;
		error = converse();
		allocations_left = -1;
		finish();
	}
	tap_ok(error == LTDB_OK && nth > 10, "every allocation failing in turn, %d in all", nth - 1);
	ltdbp_realloc = realloc;
}

int
main(void)
{
	alarm(300);
	test_happy();
	test_pieces();
	test_big_messages();
	test_slow_reader();
	test_ping();
	test_pipeline();
	test_id_last();
	test_wrong_key();
	test_refused(false);
	test_refused(true);
	test_many_refused();
	test_abandoned_refused();
	test_too_big_for_server();
	test_error_answer();
	test_arguments();
	test_resume();
	test_restart();
	test_idle_restart();
	test_going_away();
	test_gone();
	test_no_connection();
	test_request_timeout();
	test_violations();
	test_too_big();
	test_abandon();
	test_refused_here();
	test_free_orders();
	test_process();
	test_out_of_memory();
	return tap_done();
}
