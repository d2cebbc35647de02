/*-------------------------------------------------------------------------
 *
 * unit_conn_reconnect.c
 *		Tests of connections that are lost: what was asked is answered all the same.
 *
 * Connections that never come to be are left to unit_conn_connect.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* peer.h wants it */
#include "client.h"

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

int
main(void)
{
	test_resume();
	test_restart();
	test_idle_restart();
	test_going_away();
	test_gone();
	return client_done();
}
