/*-------------------------------------------------------------------------
 *
 * client.h
 *		A client and its peer, driven from one loop.
 *
 * One test after the other: begin(), change server and options as the test
 * wants them, start(), ask, finish().  Everything is one thread and one order
 * of events.  What the peer answers is left to handlers.h, and whether messages
 * are right to unit_encode.c and unit_decode_*.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <time.h>

#include "client/ltdb_int.h"
#include "handlers.h"
#include "tap.h"

#define T(string) ((ltdb_text) {string, sizeof(string) - 1})

/* Nothing takes that long; a test that hangs fails. */
#define PATIENCE_MS 20000
#define TEST_MAX_SEC 120

static peer server;
static ltdb_options options;
static ltdb_conn *conn;
static char url[64];
static int	waits;

/* What drain() found. */
static char line[4096];

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the life of a test ---- */

static void
begin(peer_handler handler)
{
	alarm(TEST_MAX_SEC);
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

static void
finish(void)
{
	ltdb_conn_free(conn);
	peer_free(&server);
}

/* ---- waiting ---- */

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

static ltdb_state __attribute__((unused))
settle(void)
{
	int64_t		began_ms = now_ms();
	ltdb_state	state;

	while ((state = ltdb_poll(conn)) == LTDB_CONNECTING && now_ms() - began_ms < PATIENCE_MS)
		wait_once();
	return state;
}

static ltdb_next __attribute__((unused))
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

/* ---- asking ---- */

static __attribute__((unused)) ltdb_reply *
fetch(int64_t from_sec, int64_t to_sec, int64_t limit, bool reverse)
{
	ltdb_fetch	f = {T("c"), T("k"), from_sec, to_sec, limit, reverse};

	return ltdb_send_fetch(conn, &f);
}

static __attribute__((unused)) ltdb_reply *
latest(void)
{
	ltdb_latest l = {T("c"), T(""), 100, 0};

	return ltdb_send_latest(conn, &l);
}

/* The reply's items as one line, and how it ended; frees it. */
static __attribute__((unused)) const char *
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

/* What libwebsockets logged meanwhile must not hold the key; then the plan. */
static int
client_done(void)
{
	char		text[300];
	int			leaks = 0;

	while (ltdb_log_take(text, sizeof(text)))
	{
		printf("# %s\n", text);
		leaks += strstr(text, "secret") != NULL;
	}
	tap_is_int(leaks, 0, "no key in the log");
	return tap_done();
}

#endif							/* CLIENT_H */
