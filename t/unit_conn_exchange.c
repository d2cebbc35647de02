/*-------------------------------------------------------------------------
 *
 * unit_conn_exchange.c
 *		Tests that requests and answers reach each other, whole and in any order.
 *
 * The peer means well, but sends and reads in its own way.  Peers that refuse,
 * break or vanish are left to the other unit_conn_*.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* peer.h wants it */
#include "client.h"

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

int
main(void)
{
	test_happy();
	test_pieces();
	test_big_messages();
	test_slow_reader();
	test_ping();
	test_pipeline();
	test_id_last();
	return client_done();
}
