/*-------------------------------------------------------------------------
 *
 * unit_conn_timeout.c
 *		Tests of servers that do not answer in time.
 *
 * The client waits for them, and no longer than it was told to.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* peer.h wants it */
#include "client.h"

static void
test_connect_timeout(void)
{
	int64_t		began_ms;

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

int
main(void)
{
	test_connect_timeout();
	test_request_timeout();
	return client_done();
}
