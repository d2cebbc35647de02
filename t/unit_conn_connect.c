/*-------------------------------------------------------------------------
 *
 * unit_conn_connect.c
 *		Tests of how a connection comes to be, or does not.
 *
 * A server that takes too long is left to unit_conn_timeout.c, and a key that is
 * refused to unit_conn_refusal.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* peer.h wants it */
#include <dirent.h>
#include <signal.h>

#include "client.h"

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
test_handshakes(void)
{
	check_handshake("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "401");
	check_handshake("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404");
	check_handshake("HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "302");
	check_handshake("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "500");
	check_handshake("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
					"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", "handshake");
	check_handshake("220 mail.example.com ESMTP\r\n", "handshake");
}

static void
test_no_connection(void)
{
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
}

int
main(void)
{
	test_handshakes();
	test_no_connection();
	test_process();
	return client_done();
}
