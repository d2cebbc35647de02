/*-------------------------------------------------------------------------
 *
 * unit_conn_tls.c
 *		Tests of what TLS does to the process around it.
 *
 * Certificates, and what is said about them, are the subject of 200_tls.pl.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* peer.h wants it */
#include "client.h"
#include "tls_peer.h"

static volatile sig_atomic_t sigpipes;

static void
count_sigpipe(int signal_number)
{
	sigpipes++;
}

/* Ends the stream in order, and then refuses what the client has sent. */
static void
hang_up(SSL *ssl)
{
	usleep(20 * 1000);
	shutdown(SSL_get_fd(ssl), SHUT_WR);
	usleep(20 * 1000);
	close(SSL_get_fd(ssl));
}

/* Reads nothing any more. */
static void
vanish(SSL *ssl)
{
	close(SSL_get_fd(ssl));
}

/* Somebody is still sending when the server has gone. */
static void
send_into_the_void(tls_behaviour behave, int pause_ms)
{
	static char big[4 * 1024 * 1024];
	ltdb_record record = {T("k"), 1, {big, sizeof(big)}};
	ltdb_reply *replies[4];
	tls_peer	p;
	int			i;

	begin(handle_well);
	tls_peer_start(&p, behave);
	memset(big, 'x', sizeof(big));
	snprintf(url, sizeof(url), "wss://127.0.0.1:%d", p.port);
	options.tls.verify = LTDB_VERIFY_NOTHING;
	options.max_reconnects = 0;
	start();
	replies[0] = latest();
	settle();
	for (i = 1; i < 4; i++)
		replies[i] = ltdb_send_insert(conn, T("c"), &record, 1);
	for (i = 0; i < 5; i++)
	{
		usleep(1000);
		ltdb_poll(conn);
	}
	usleep((useconds_t) pause_ms * 1000);
	for (i = 0; i < 4; i++)
		drain(replies[i]);
	tap_ok(ltdb_poll(conn) == LTDB_FAILED, "the server has gone: %s", ltdb_conn_message(conn));
	finish();
	tls_peer_end(&p);
}

static void
test_sigpipe(void)
{
	struct sigaction action = {.sa_handler = count_sigpipe};
	struct sigaction after;
	sigset_t	mask;
	sigset_t	pending;
	int			i;

	sigaction(SIGPIPE, &action, NULL);
	for (i = 0; i < 5; i++)
	{
		send_into_the_void(hang_up, i * 20);
		send_into_the_void(vanish, i * 20);
	}
	tap_is_int(sigpipes, 0, "no SIGPIPE is felt");
	sigpending(&pending);
	tap_is_int(sigismember(&pending, SIGPIPE), 0, "... or left for later");
	sigprocmask(SIG_BLOCK, NULL, &mask);
	tap_is_int(sigismember(&mask, SIGPIPE), 0, "... nor is it blocked");
	sigaction(SIGPIPE, NULL, &after);
	tap_ok(after.sa_handler == count_sigpipe, "... nor its handler another");
	raise(SIGPIPE);
	tap_is_int(sigpipes, 1, "one from elsewhere is");
}

int
main(void)
{
	test_sigpipe();
	return client_done();
}
