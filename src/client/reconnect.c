/*-------------------------------------------------------------------------
 *
 * reconnect.c
 *		What to do when the socket has ended: blame, rewind, try again, give up.
 *
 * Decides only; the next attempt is made by ltdb_poll() in conn.c when its
 * time has come.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "ltdb_int.h"

/* Delays before attempts to reconnect, in ms. */
#define FIRST_DELAY_MAX 50
#define SECOND_DELAY 100
#define DELAY_DOUBLINGS_MAX 3

/* xorshift: enough to keep clients from reconnecting in step. */
static uint64_t
next_random(ltdb_conn *conn)
{
	conn->random ^= conn->random << 13;
	conn->random ^= conn->random >> 7;
	conn->random ^= conn->random << 17;
	return conn->random;
}

/*
 * Whether the peer's close frame is about us, and not about itself.  Some
 * libwebsockets do not know the codes from 1012 on, and put "protocol error".
 */
static bool
is_refusal(int close_code)
{
	switch (close_code)
	{
		case 0:
		case LTDB_CLOSE_GOING_AWAY:
		case LTDBP_CLOSE_PROTOCOL_ERROR:
		case LTDBP_CLOSE_RESTART:
		case LTDBP_CLOSE_TRY_LATER:
		case LTDBP_CLOSE_BAD_GATEWAY:
			return false;
		default:
			return true;
	}
}

/*
 * The server reports an error by closing, and answers in order: so the oldest
 * request without an answer is the suspect.  At the second time it fails.
 */
static void
blame_suspect(ltdb_conn *conn)
{
	ltdb_reply *reply = conn->first;
	char		text[512];

	if (reply == NULL || reply->abandoned)
		return;

	/* having read the beginning may be enough to refuse it */
	if (!reply->sent && conn->socket.sent_bytes == 0)
		return;
	if (++reply->closes < 2)
		return;
	snprintf(text, sizeof(text), "server closed the connection at this request (twice): %s%s%s",
			 reply->words, conn->refusal[0] ? ": " : "", conn->refusal);
	ltdbp_conn_unlink(conn, reply);
	ltdbp_reply_fail(reply, LTDB_ERROR_REFUSED, text);

	/* one request less to be refused: that is progress */
	conn->attempts = 0;
}

/* Makes everything unanswered ready to be sent again. */
static void
rewind_replies(ltdb_conn *conn)
{
	ltdb_reply *reply = conn->first;

	while (reply != NULL)
	{
		ltdb_reply *next = reply->next;

		if (!ltdbp_reply_rewind(reply))
		{
			ltdbp_conn_unlink(conn, reply);
			if (reply->abandoned)
				ltdbp_reply_destroy(reply);
		}
		reply = next;
	}
	conn->unsent = conn->first;
}

/* Plans the next attempt to reconnect, or gives up. */
void
ltdbp_reconnect_later(ltdb_conn *conn, const char *reason)
{
	int64_t		delay_ms;

	conn->life = LTDBP_LIFE_DOWN;

	/* with nobody waiting, the next attempt is the first of another time */
	if (conn->in_flight == 0)
		conn->attempts = 0;
	else if (conn->attempts >= conn->max_reconnects)
	{
		ltdbp_conn_fail(conn, conn->violated ? LTDB_ERROR_PROTOCOL : LTDB_ERROR_LOST,
				  "connection to server \"%s\" was lost, and %d attempts to reconnect brought no answer: %s",
				  conn->url.peer, conn->attempts, reason);
		return;
	}

	if (conn->attempts == 0)
		delay_ms = (int64_t) (next_random(conn) % (FIRST_DELAY_MAX + 1));
	else
	{
		int			doublings = conn->attempts - 1;

		if (doublings > DELAY_DOUBLINGS_MAX)
			doublings = DELAY_DOUBLINGS_MAX;
		delay_ms = (int64_t) SECOND_DELAY << doublings;
		delay_ms = delay_ms / 2 + (int64_t) (next_random(conn) % (uint64_t) (delay_ms + 1));
	}
	conn->retry_at_ms = ltdbp_now_ms() + delay_ms;
}

/* The connection ended before it was ready. */
static void
attempt_ended(ltdb_conn *conn, const char *reason)
{
	bool		authenticating = conn->life == LTDBP_LIFE_AUTHENTICATING;

	if (authenticating && is_refusal(conn->socket.close_code))
		ltdbp_conn_fail(conn, LTDB_ERROR_AUTHENTICATION, "server \"%s\" closed the connection on the api key%s%s",
				  conn->url.peer, conn->refusal[0] ? ": " : "", conn->refusal);
	else if (!conn->was_ready)
		ltdbp_conn_fail(conn, conn->violated ? LTDB_ERROR_PROTOCOL :
				  conn->socket.tls_failed ? LTDB_ERROR_TLS : LTDB_ERROR_CONNECT,
				  "could not connect to server \"%s\": %s", conn->url.peer, reason);
	else
		ltdbp_reconnect_later(conn, reason);
}

/* The socket has ended, for the reason it gives. */
void
ltdbp_reconnect(ltdb_conn *conn)
{
	char		reason[sizeof(conn->socket.reason)];
	bool		was_ready = conn->life == LTDBP_LIFE_READY;

	memcpy(reason, conn->socket.reason, sizeof(reason));
	ltdbp_dial_end(conn);
	ltdbp_socket_close(&conn->socket);
	ltdbp_receive_reset(conn);
	if (conn->auth != NULL && !was_ready)
	{
		ltdbp_reply_destroy(conn->auth);
		conn->auth = NULL;
	}

	if (!was_ready)
	{
		attempt_ended(conn, reason);
		return;
	}
	if (is_refusal(conn->socket.close_code))
		blame_suspect(conn);
	rewind_replies(conn);
	ltdbp_reconnect_later(conn, reason);
}
