/*-------------------------------------------------------------------------
 *
 * conn.c
 *		The life of a connection: connect, authenticate, send, poll, fail.
 *
 * Decides what to do next from what the socket says and from the clock.
 * Moving the bytes is left to socket.c, handing them to the replies to
 * receive.c, a connection that was lost to reconnect.c.  Nothing here waits: the caller does, between ltdb_wait_ms()
 * and ltdb_poll().
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ltdb_int.h"

/*
 * While connecting, look again after this: the steps of a TLS handshake do
 * not all show at the socket.
 */
#define CONNECT_LOOK_MS 50

int64_t
ltdbp_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- making and ending ---- */

void
ltdb_options_init(ltdb_options *options)
{
	memset(options, 0, sizeof(*options));
	options->connect_timeout_ms = 10 * 1000;
	options->request_timeout_ms = 30 * 1000;
	options->max_reconnects = 5;
	options->max_buffer_bytes = (size_t) 1024 * 1024 * 1024 - 1;
}

static bool
copy_text(const char **copy, const char *text)
{
	*copy = text ? ltdbp_strdup(text) : NULL;
	return text == NULL || *copy != NULL;
}

static bool
copy_tls_options(ltdb_tls_options *copy, const ltdb_tls_options *options)
{
	copy->verify = options->verify;
	return copy_text(&copy->root_cert, options->root_cert) &&
		copy_text(&copy->crl, options->crl) &&
		copy_text(&copy->cert, options->cert) &&
		copy_text(&copy->key, options->key);
}

static void
free_tls_options(ltdb_tls_options *options)
{
	free((char *) options->root_cert);
	free((char *) options->crl);
	free((char *) options->cert);
	free((char *) options->key);
}

ltdb_conn *
ltdb_connect_start(const ltdb_options *options)
{
	ltdb_conn  *conn = ltdbp_alloc_zeroed(sizeof(*conn));
	struct timespec now;
	char		reason[128];

	if (conn == NULL)
		return NULL;
	conn->connect_timeout_ms = options->connect_timeout_ms;
	conn->request_timeout_ms = options->request_timeout_ms;
	conn->max_reconnects = options->max_reconnects;
	conn->max_buffer_bytes = options->max_buffer_bytes;
	conn->dialect = &ltdb_dialect_ltdb;
	clock_gettime(CLOCK_REALTIME, &now);
	conn->random = (uint64_t) now.tv_nsec << 32 ^ (uint64_t) now.tv_sec << 16 ^ (uint64_t) getpid();
	conn->random |= 1;

	conn->api_key = ltdbp_strdup(options->api_key ? options->api_key : "");
	if (conn->api_key == NULL || !copy_text(&conn->client_name, options->client_name) ||
		!copy_tls_options(&conn->tls, &options->tls) ||
		(!ltdbp_url_parse(&conn->url, options->url, reason, sizeof(reason)) && reason[0] == '\0'))
	{
		ltdb_conn_free(conn);
		return NULL;
	}
	if (conn->url.host == NULL)
		ltdbp_conn_fail(conn, LTDB_ERROR_URL, "%s", reason);
	if (conn->api_key[0] == '\0')
		ltdbp_conn_fail(conn, LTDB_ERROR_ARGUMENT, "api key must not be empty");
	return conn;
}

/* Fails what has not been answered, and lets go of it. */
static void
fail_replies(ltdb_conn *conn, ltdb_error error, const char *text)
{
	while (conn->first != NULL)
	{
		ltdb_reply *reply = conn->first;

		ltdbp_conn_unlink(conn, reply);
		if (reply->abandoned)
			ltdbp_reply_destroy(reply);
		else
			ltdbp_reply_fail(reply, error, text);
	}
	if (conn->auth != NULL)
		ltdbp_reply_destroy(conn->auth);
	conn->auth = NULL;
	ltdbp_receive_reset(conn);
}

/*
 * Ends the connection for good.  The socket is closed by ltdb_poll(), as this
 * may be called from within it.
 */
void
ltdbp_conn_fail(ltdb_conn *conn, ltdb_error error, const char *format,...)
{
	va_list		args;

	if (conn->life == LTDBP_LIFE_FAILED)
		return;
	conn->life = LTDBP_LIFE_FAILED;
	conn->error = error;
	va_start(args, format);
	vsnprintf(conn->message, sizeof(conn->message), format, args);
	va_end(args);
	fail_replies(conn, error, conn->message);
}

/* Overwrites a secret in a way the compiler does not remove. */
static void
wipe(char *secret)
{
	volatile char *p = secret;

	while (p != NULL && *p != '\0')
		*p++ = '\0';
}

void
ltdb_conn_free(ltdb_conn *conn)
{
	if (conn == NULL)
		return;
	fail_replies(conn, LTDB_ERROR_LOST, "connection was closed");
	ltdbp_dial_end(conn);
	ltdbp_socket_close(&conn->socket);
	ltdbp_buffer_free(&conn->incoming);
	ltdbp_url_free(&conn->url);
	free_tls_options(&conn->tls);
	free((char *) conn->client_name);
	wipe(conn->api_key);
	free(conn->api_key);
	free(conn);
}

/* ---- the list of unanswered requests ---- */

void
ltdbp_conn_queue(ltdb_conn *conn, ltdb_reply *reply)
{
	reply->prev = conn->last;
	if (conn->last != NULL)
		conn->last->next = reply;
	else
		conn->first = reply;
	conn->last = reply;
	if (conn->unsent == NULL)
		conn->unsent = reply;
	conn->in_flight++;
}

/* The reply needs its connection no more. */
void
ltdbp_conn_unlink(ltdb_conn *conn, ltdb_reply *reply)
{
	if (reply->prev != NULL)
		reply->prev->next = reply->next;
	else
		conn->first = reply->next;
	if (reply->next != NULL)
		reply->next->prev = reply->prev;
	else
		conn->last = reply->prev;
	if (conn->unsent == reply)
		conn->unsent = reply->next;
	if (!reply->abandoned)
		conn->in_flight--;
	reply->prev = reply->next = NULL;
	reply->conn = NULL;
	ltdbp_buffer_free(&reply->message);
}

/*
 * The caller has freed a reply.  One that was sent, or is being sent, stays
 * in the list as a mark of what the server is going to answer next.
 */
void
ltdbp_conn_abandon(ltdb_conn *conn, ltdb_reply *reply)
{
	bool		sending = reply == ltdbp_conn_sending(conn) && conn->socket.sent_bytes > 0;

	if (!reply->sent && !sending)
	{
		ltdbp_conn_unlink(conn, reply);
		ltdbp_reply_destroy(reply);
		return;
	}
	reply->abandoned = true;
	conn->in_flight--;
	ltdbp_decoder_free(&reply->decoder);
	memset(&reply->decoder, 0, sizeof(reply->decoder));
	if (reply->sent)
		ltdbp_buffer_free(&reply->message);
}

/* The request to send next, or NULL. */
ltdb_reply *
ltdbp_conn_sending(const ltdb_conn *conn)
{
	if (conn->life == LTDBP_LIFE_AUTHENTICATING)
		return conn->auth->sent ? NULL : conn->auth;
	return conn->life == LTDBP_LIFE_READY ? conn->unsent : NULL;
}

/* It has been sent. */
void
ltdbp_conn_sent(ltdb_conn *conn)
{
	ltdb_reply *reply = ltdbp_conn_sending(conn);

	reply->sent = true;
	conn->stats.bytes_sent += reply->message.len_bytes;
	if (reply == conn->auth)
		return;
	if (!reply->counted)
		conn->stats.requests++;
	reply->counted = true;
	if (reply->abandoned)
		ltdbp_buffer_free(&reply->message);
	conn->unsent = reply->next;
}

/* ---- connecting ---- */

static void
start_attempt(ltdb_conn *conn)
{
	if (conn->was_ready)
		conn->attempts++;
	conn->life = LTDBP_LIFE_CONNECTING;
	conn->refusal[0] = '\0';
	conn->violated = false;
	ltdbp_receive_reset(conn);
	conn->waited_ms = 0;
	ltdbp_dial_start(conn);
}

/* The WebSocket is open: say the api key. */
static void
authenticate(ltdb_conn *conn)
{
	ltdbp_request request = {.type = LTDB_REQ_AUTHENTICATE};
	ltdbp_flaw	flaw = {LTDB_OK, ""};

	request.key = (ltdb_text) {conn->api_key, strlen(conn->api_key)};
	conn->auth = ltdbp_reply_new(conn, &request);
	if (conn->auth == NULL)
		ltdbp_conn_fail(conn, LTDB_ERROR_MEMORY, "out of memory");
	else if (!ltdbp_request_check(&request, &flaw) ||
			 !ltdbp_encode(&conn->auth->message, conn->dialect, conn->auth->id, &request, &flaw))
		ltdbp_conn_fail(conn, flaw.error, "%s", flaw.reason);
	else
		conn->life = LTDBP_LIFE_AUTHENTICATING;
}

static void
check_authenticated(ltdb_conn *conn)
{
	ltdb_record item;

	switch (ltdb_reply_next(conn->auth, &item))
	{
		case LTDB_WAIT:
			return;
		case LTDB_DONE:
			ltdbp_reply_destroy(conn->auth);
			conn->auth = NULL;
			if (conn->was_ready)
				conn->stats.reconnects++;
			conn->was_ready = true;
			conn->waited_ms = 0;
			conn->progress_bytes = 0;
			conn->life = LTDBP_LIFE_READY;
			return;
		default:
			if (ltdb_reply_error(conn->auth) == LTDB_ERROR_REFUSED)
				ltdbp_conn_fail(conn, LTDB_ERROR_AUTHENTICATION, "server \"%s\" refused the api key: %s",
								conn->url.peer, ltdb_reply_message(conn->auth));
			else
				ltdbp_conn_fail(conn, ltdb_reply_error(conn->auth),
								"server \"%s\" was sent the api key: %s",
								conn->url.peer, ltdb_reply_message(conn->auth));
			return;
	}
}

/* ---- polling ---- */

/* The limit on waiting in the present state; 0 = none. */
static int
waiting_limit_ms(const ltdb_conn *conn)
{
	switch (conn->life)
	{
		case LTDBP_LIFE_CONNECTING:
		case LTDBP_LIFE_AUTHENTICATING:
			return conn->connect_timeout_ms;
		case LTDBP_LIFE_READY:
			return conn->in_flight > 0 ? conn->request_timeout_ms : 0;
		default:
			return 0;
	}
}

static void
check_deadline(ltdb_conn *conn)
{
	static const char *const doing[LTDB_PHASE_COUNT] = {
		[LTDB_PHASE_RESOLVE] = "resolving its host name",
		[LTDB_PHASE_CONNECT] = "connecting",
		[LTDB_PHASE_TLS] = "in the TLS handshake",
		[LTDB_PHASE_HANDSHAKE] = "in the WebSocket handshake",
		[LTDB_PHASE_AUTHENTICATE] = "authenticating",
	};
	int			limit_ms = waiting_limit_ms(conn);
	char		reason[64];

	if (limit_ms <= 0 || conn->waited_ms < limit_ms)
		return;
	if (conn->life == LTDBP_LIFE_READY)
		ltdbp_conn_fail(conn, LTDB_ERROR_TIMEOUT, "no answer from server \"%s\" within %d ms",
				  conn->url.peer, limit_ms);
	else if (!conn->was_ready)
		ltdbp_conn_fail(conn, LTDB_ERROR_CONNECT_TIMEOUT, "could not connect to server \"%s\" within %d ms, still %s",
				  conn->url.peer, limit_ms, doing[ltdb_conn_phase(conn)]);
	else
	{
		snprintf(reason, sizeof(reason), "no connection within %d ms, still %s",
				 limit_ms, doing[ltdb_conn_phase(conn)]);
		memcpy(conn->socket.reason, reason, sizeof(reason));
		conn->socket.close_code = 0;
		ltdbp_reconnect(conn);
	}
}

/* Whether there is a reason to have a connection. */
static bool
is_needed(const ltdb_conn *conn)
{
	return !conn->was_ready || conn->in_flight > 0;
}

static ltdb_state
state_of(const ltdb_conn *conn)
{
	if (conn->life == LTDBP_LIFE_FAILED)
		return LTDB_FAILED;
	if (conn->life == LTDBP_LIFE_READY || !is_needed(conn))
		return LTDB_READY;
	return LTDB_CONNECTING;
}

static void
advance(ltdb_conn *conn)
{
	if (conn->life == LTDBP_LIFE_DOWN)
	{
		if (!is_needed(conn) || ltdbp_now_ms() < conn->retry_at_ms)
			return;
		if (conn->was_ready && conn->attempts >= conn->max_reconnects)
		{
			ltdbp_reconnect_later(conn, "no attempt is allowed");
			return;
		}
		start_attempt(conn);
	}

	if (conn->life == LTDBP_LIFE_CONNECTING)
		ltdbp_dial_poll(conn);
	else if (conn->socket.state != LTDBP_SOCKET_ENDED)
		ltdbp_socket_service(conn);
	if (conn->life == LTDBP_LIFE_CONNECTING && conn->socket.state == LTDBP_SOCKET_OPEN)
	{
		ltdbp_dial_end(conn);
		authenticate(conn);
		if (conn->life == LTDBP_LIFE_AUTHENTICATING)
			ltdbp_socket_service(conn);
	}
	if (conn->life == LTDBP_LIFE_AUTHENTICATING)
		check_authenticated(conn);
	if (conn->life != LTDBP_LIFE_FAILED && conn->socket.state == LTDBP_SOCKET_ENDED)
		ltdbp_reconnect(conn);
	else
		check_deadline(conn);
}

ltdb_state
ltdb_poll(ltdb_conn *conn)
{
	if (conn->waiting)
		conn->waited_ms += ltdbp_now_ms() - conn->waiting_since_ms;
	conn->waiting = false;

	if (conn->life != LTDBP_LIFE_FAILED)
		advance(conn);
	if (conn->life == LTDBP_LIFE_FAILED)
	{
		ltdbp_dial_end(conn);
		ltdbp_socket_close(&conn->socket);
	}
	return state_of(conn);
}

int
ltdb_socket(const ltdb_conn *conn)
{
	if (conn->dial.resolving)
		return ltdbp_lookup_fd(conn->dial.lookup);
	return ltdbp_socket_fd(&conn->socket);
}

unsigned
ltdb_wants(const ltdb_conn *conn)
{
	if (conn->dial.resolving)
		return LTDB_WANT_READ;
	if (conn->socket.state == LTDBP_SOCKET_NONE)
		return 0;
	if (ltdbp_conn_sending(conn) != NULL || ltdbp_socket_wants_write(&conn->socket))
		return LTDB_WANT_READ | LTDB_WANT_WRITE;
	return LTDB_WANT_READ;
}

/* The shorter of two waits, where a negative one is no limit. */
static int64_t
shorter(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

int
ltdb_wait_ms(ltdb_conn *conn)
{
	int64_t		wait_ms = -1;
	int			limit_ms = waiting_limit_ms(conn);

	conn->waiting = true;
	conn->waiting_since_ms = ltdbp_now_ms();
	if (conn->life == LTDBP_LIFE_FAILED || ltdbp_socket_has_work(&conn->socket))
		return 0;
	if (conn->life == LTDBP_LIFE_DOWN)
	{
		if (!is_needed(conn))
			return -1;
		wait_ms = conn->retry_at_ms - conn->waiting_since_ms;
		return wait_ms > 0 ? (int) wait_ms : 0;
	}

	if (limit_ms > 0)
		wait_ms = limit_ms > conn->waited_ms ? limit_ms - conn->waited_ms : 0;
	if (conn->life == LTDBP_LIFE_CONNECTING && !conn->dial.resolving)
		wait_ms = shorter(wait_ms, CONNECT_LOOK_MS);
	return (int) wait_ms;
}

/* ---- asking ---- */

static ltdb_phase
connecting_phase(const ltdb_conn *conn)
{
	if (conn->dial.resolving)
		return LTDB_PHASE_RESOLVE;
	if (!conn->socket.reached)
		return LTDB_PHASE_CONNECT;
	return conn->url.tls && !conn->socket.handshaking ? LTDB_PHASE_TLS : LTDB_PHASE_HANDSHAKE;
}

ltdb_phase
ltdb_conn_phase(const ltdb_conn *conn)
{
	switch (conn->life)
	{
		case LTDBP_LIFE_CONNECTING:
			return connecting_phase(conn);
		case LTDBP_LIFE_AUTHENTICATING:
			return LTDB_PHASE_AUTHENTICATE;
		case LTDBP_LIFE_DOWN:
			return LTDB_PHASE_RECONNECT;
		default:
			return ltdbp_conn_sending(conn) != NULL ? LTDB_PHASE_SEND : LTDB_PHASE_ANSWER;
	}
}

ltdb_error
ltdb_conn_error(const ltdb_conn *conn)
{
	return conn->error;
}

const char *
ltdb_conn_message(const ltdb_conn *conn)
{
	return conn->message;
}

int
ltdb_in_flight(const ltdb_conn *conn)
{
	return conn->in_flight;
}

bool
ltdb_is_encumbered(const ltdb_conn *conn)
{
	return conn->first != NULL || conn->life == LTDBP_LIFE_CONNECTING ||
		conn->life == LTDBP_LIFE_AUTHENTICATING;
}

const ltdb_stats *
ltdb_conn_stats(const ltdb_conn *conn)
{
	return &conn->stats;
}
