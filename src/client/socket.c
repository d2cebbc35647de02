/*-------------------------------------------------------------------------
 *
 * socket.c
 *		The WebSocket: with log.c, the one place that knows libwebsockets.
 *
 * One lws context for each connection, driven from the caller's wait loop by
 * lws_service() that does not wait.  It connects and shakes hands; what comes
 * after that is left to stream.c.  The callback merely notes what happened in
 * struct ltdbp_socket; what that means is decided by conn.c, and contexts are
 * destroyed outside of callbacks only.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "ltdb_int.h"

#if !defined(LWS_WITH_TLS) || defined(LWS_WITH_MBEDTLS) || defined(USE_WOLFSSL)
#error "needs a libwebsockets that was built with OpenSSL"
#endif

/* What lws reads at once, of the handshake and what comes with it. */
#define CHUNK_BYTES (64 * 1024)

/* The bound of one call of service, after which the caller gets a look in. */
#define MAX_ROUNDS 16

/* Steps a connection in the making takes, to no effect, before it waits for the peer. */
#define CONNECT_ROUNDS 4

/* The descriptors of a context: the socket, and lws' own event pipe. */
#define MAX_FDS 8

#define NOT_REACHED "connection refused or host unreachable"

static int	callback(struct lws *wsi, enum lws_callback_reasons reason,
					 void *user, void *in, size_t len);

static const struct lws_protocols protocols[] = {
	{.name = "ltdb", .callback = callback, .rx_buffer_size = CHUNK_BYTES},
	{.name = NULL}
};

/* No pings, and no hanging up for want of a pong: deadlines are conn.c's. */
static const lws_retry_bo_t no_keepalive = {0};

/* ---- callbacks ---- */

/* What TLS has to say about it comes first: it is the cause of the rest. */
static void
end(ltdbp_socket *socket, const char *reason)
{
	if (socket->state == LTDBP_SOCKET_ENDED)
		return;
	socket->state = LTDBP_SOCKET_ENDED;
	socket->tls_failed = socket->tls != NULL && ltdbp_tls_reason(socket->tls)[0] != '\0';
	if (socket->tls_failed)
		reason = ltdbp_tls_reason(socket->tls);
	ltdbp_copy_message(socket->reason, sizeof(socket->reason), reason, strlen(reason));
}

/* The same, for dial.c and stream.c, who have found it out. */
void
ltdbp_socket_fail(ltdbp_socket *socket, const char *reason)
{
	end(socket, reason);
}

static void
connection_error(ltdb_conn *conn, struct lws *wsi, const char *in, size_t len)
{
	ltdbp_socket *socket = &conn->socket;
	unsigned	status = lws_http_client_http_response(wsi);
	char		text[160];

	if (in == NULL || len == 0)
	{
		in = "no reason given";
		len = strlen(in);
	}

	/* once there is an HTTP status, it says more than lws does */
	if (socket->handshaking && status != 0 && status != 101)
		snprintf(text, sizeof(text), "WebSocket handshake was answered with HTTP status %u", status);
	else if (socket->handshaking)
		snprintf(text, sizeof(text), "WebSocket handshake failed: %.*s", (int) len, in);
	else if (socket->reached && conn->url.tls)
		snprintf(text, sizeof(text), "server closed the connection during the TLS handshake");
	else
		snprintf(text, sizeof(text), NOT_REACHED);
	end(socket, text);
}

/* The peer has sent a close frame with these contents. */
void
ltdbp_socket_closed(ltdbp_socket *socket, const char *contents, size_t len)
{
	/* a frame without a code stands for 1005 (RFC 6455, section 7.4.1) */
	char		text[64];

	if (socket->state == LTDBP_SOCKET_ENDED)
		return;
	socket->close_code = len >= 2 ?
		(unsigned char) contents[0] << 8 | (unsigned char) contents[1] : 1005;
	snprintf(text, sizeof(text), "server closed the connection with code %d", socket->close_code);
	end(socket, text);
}

/*
 * What lws has received together with the handshake.  Returns -1, as the
 * callback does, to have lws close the connection.
 */
static int
receive(ltdb_conn *conn, struct lws *wsi, char *in, size_t len)
{
	ltdbp_socket *socket = &conn->socket;
	bool		final = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;

	if (socket->state != LTDBP_SOCKET_OPEN)
		return -1;
	return ltdbp_stream_hand_on(conn, in, len, final) ? 0 : -1;
}

/* What TLS has been told last, before the connection ends. */
static void
hear_out(ltdbp_socket *socket, struct lws *wsi)
{
	if (socket->tls != NULL && socket->state != LTDBP_SOCKET_ENDED)
		ltdbp_tls_hear_out(socket->tls, lws_get_ssl(wsi) != NULL);
}

/*
 * The peer has hung up, but what it said before was not looked at: a server
 * that refuses a message says so, and need not wait for the rest of it.
 */
void
ltdbp_socket_lost(ltdb_conn *conn, const char *reason)
{
	ltdbp_socket *socket = &conn->socket;

	ltdbp_stream_read(conn);
	hear_out(socket, socket->wsi);
	end(socket, reason);
}

/* Says who we are, where lws puts together the request; in is as the callback's. */
static int
add_client_name(const char *name, struct lws *wsi, void *in, size_t len)
{
	unsigned char **p = in;

	return name != NULL &&
		lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_USER_AGENT, (const unsigned char *) name,
									 (int) strlen(name), p, *p + len) != 0 ? -1 : 0;
}

static int
callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	ltdb_conn  *conn = lws_context_user(lws_get_context(wsi));
	ltdbp_socket *socket = &conn->socket;

	/* while the context is made or destroyed, there is nobody to tell */
	if (socket->state == LTDBP_SOCKET_NONE)
		return 0;

	switch (reason)
	{
		case LWS_CALLBACK_WSI_CREATE:
			socket->reached = true;
			break;
		case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
			socket->handshaking = true;
			if (socket->tls != NULL)
				ltdbp_tls_remember(socket->tls, lws_get_ssl(wsi), (int) lws_get_socket_fd(wsi));
			socket->active = true;
			return add_client_name(conn->client_name, wsi, in, len);
		case LWS_CALLBACK_CLIENT_ESTABLISHED:
			if (socket->tls != NULL)
				ltdbp_tls_forget(socket->tls);
			if (socket->state == LTDBP_SOCKET_CONNECTING)
				socket->state = LTDBP_SOCKET_OPEN;
			break;
		case LWS_CALLBACK_CLIENT_RECEIVE:
			socket->active = true;
			return receive(conn, wsi, in, len);
		case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
			ltdbp_socket_closed(socket, in, len);
			break;
		case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
			hear_out(socket, wsi);
			connection_error(conn, wsi, in, len);
			break;
		case LWS_CALLBACK_CLIENT_CLOSED:
			hear_out(socket, wsi);
			end(socket, "connection closed by the peer");
			break;
		case LWS_CALLBACK_WSI_DESTROY:

			/* of some failures, lws tells by this alone */
			if (wsi == socket->wsi)
			{
				hear_out(socket, wsi);
				end(socket, "connection closed by the peer");
				socket->wsi = NULL;
			}
			break;
		default:
			return 0;
	}
	socket->active = true;
	return 0;
}

/* ---- a descriptor that libwebsockets may lose ---- */

/*
 * Destroying a context of 4.3, up to 4.3.5 at least, does not close the
 * descriptor by which other threads wake it: each connection would cost the
 * process one.  Only an event loop gets to see it, as the first to be added.
 * So this is the default loop, and a look at what is added to it.
 */
static int	first_fd = -1;

#if LWS_LIBRARY_VERSION_NUMBER >= 4003000
static int
note_first_fd(struct lws *wsi)
{
	if (first_fd < 0)
		first_fd = (int) lws_get_socket_fd(wsi);
	return 0;
}

static const struct lws_event_loop_ops loop_ops = {
	.name = "poll",
	.sock_accept = note_first_fd,
	.flags = LELOF_ISPOLL
};

static const lws_plugin_evlib_t loop = {
	.hdr = {"poll", "lws_evlib_plugin", "n/a", LWS_PLUGIN_API_MAGIC},
	.ops = &loop_ops
};
#endif

/* To be called as soon as the context is gone. */
static void
close_wake_fd(int wake_fd)
{
	if (wake_fd >= 0 && fcntl(wake_fd, F_GETFD) != -1)
		close(wake_fd);
}

/* ---- opening, serving, closing ---- */

/*
 * Creating a context changes the process' treatment of SIGPIPE.  It is not
 * needed (lws sends with MSG_NOSIGNAL) and not ours to change.
 */
static bool
create_context(ltdb_conn *conn)
{
	struct lws_context_creation_info info = {0};
	struct lws_context *context;
	struct sigaction sigpipe;

	/*
	 * The vhost is made by hand, so that TLS is an option of the vhost and not
	 * of the context: that of 4.1 would take another of OpenSSL's process-wide
	 * indexes for each connection.
	 */
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;

	info.port = CONTEXT_PORT_NO_LISTEN;
	info.protocols = protocols;
	info.user = conn;
	info.gid = (gid_t) -1;
	info.uid = (uid_t) -1;
	info.count_threads = 1;
	info.fd_limit_per_thread = MAX_FDS;
	info.pt_serv_buf_size = CHUNK_BYTES;
	info.retry_and_idle_policy = &no_keepalive;

	/* not the proxy that the environment of the process names for browsers */
	info.http_proxy_address = "";

	/* lws' own limit on connecting must not come before conn.c's */
	info.timeout_secs = (unsigned) conn->connect_timeout_ms / 1000 + 60;

#if LWS_LIBRARY_VERSION_NUMBER >= 4003000
	info.event_lib_custom = &loop;
#endif

	ltdbp_log_keep();
	first_fd = -1;
	sigaction(SIGPIPE, NULL, &sigpipe);
	context = lws_create_context(&info);
	sigaction(SIGPIPE, &sigpipe, NULL);
	conn->socket.wake_fd = first_fd;
	if (context == NULL)
	{
		close_wake_fd(first_fd);
		return false;
	}
	conn->socket.context = context;

	if (conn->socket.tls != NULL)
	{
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
#ifdef LWS_SERVER_OPTION_DISABLE_TLS_SESSION_CACHE
		info.options |= LWS_SERVER_OPTION_DISABLE_TLS_SESSION_CACHE;
#endif
		info.provided_client_ssl_ctx = ltdbp_tls_context(conn->socket.tls);
	}
	conn->socket.vhost = lws_create_vhost(context, &info);
	return conn->socket.vhost != NULL;
}

/* Loads certificates and so on; false, and the socket has ended, if it cannot. */
static bool
prepare_tls(ltdb_conn *conn)
{
	ltdbp_socket *socket = &conn->socket;

	socket->tls = ltdbp_tls_new(&conn->tls, conn->url.host);
	if (socket->tls == NULL)
		end(socket, "out of memory");
	else if (ltdbp_tls_reason(socket->tls)[0] != '\0')
		end(socket, "");
	return socket->state != LTDBP_SOCKET_ENDED;
}

/* Starts to connect to an address; how that goes shows in the state. */
void
ltdbp_socket_open(ltdb_conn *conn, const char *address)
{
	ltdbp_socket *socket = &conn->socket;
	struct lws_client_connect_info info = {0};

	ltdbp_socket_close(socket);
	socket->reached = false;
	socket->handshaking = false;
	socket->tls_failed = false;
	socket->close_code = 0;
	socket->sent_bytes = 0;
	socket->reason[0] = '\0';
	if (conn->url.tls && !prepare_tls(conn))
		return;
	if (!create_context(conn))
	{
		end(socket, "could not set up libwebsockets");
		return;
	}

	socket->state = LTDBP_SOCKET_CONNECTING;
	info.context = socket->context;
	info.vhost = socket->vhost;
	info.address = address;
	info.port = conn->url.port;
	info.path = conn->url.path;
	info.host = conn->url.peer;

	/* the api key goes where the url says, and tls.c looks at certificates */
	info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
	if (conn->url.tls)
		info.ssl_connection |= LCCSCF_USE_SSL | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
	info.alpn = "http/1.1";
	info.ietf_version_or_minus_one = -1;
	info.local_protocol_name = protocols[0].name;
	info.pwsi = &socket->wsi;

	if (lws_client_connect_via_info(&info) == NULL)
		end(socket, NOT_REACHED);
}

/* Has lws do what it can; returns whether it did anything. */
static bool
serve_lws(ltdb_conn *conn)
{
	conn->socket.active = false;
	lws_service(conn->socket.context, -1);
	return conn->socket.active;
}

static bool
is_over(const ltdb_conn *conn)
{
	return conn->socket.state == LTDBP_SOCKET_ENDED || conn->life == LTDBP_LIFE_FAILED;
}

/*
 * The handshake is over, and what came with it has been handed out: from now
 * on lws is not to look at the socket.
 */
static void
start_stream(ltdbp_socket *socket)
{
	lws_rx_flow_control(socket->wsi, 0);
	if (!ltdbp_stream_start(&socket->stream, (int) lws_get_socket_fd(socket->wsi),
							lws_get_ssl(socket->wsi)))
		end(socket, "out of memory");
}

static void
connect_further(ltdb_conn *conn)
{
	ltdbp_socket *socket = &conn->socket;
	int			idle = 0;

	for (int round = 0; round < MAX_ROUNDS && !is_over(conn); round++)
	{
		if (socket->state == LTDBP_SOCKET_OPEN && !ltdbp_socket_has_work(socket))
		{
			start_stream(socket);
			return;
		}
		if (!serve_lws(conn) && ++idle == CONNECT_ROUNDS)
			return;
	}
}

/*
 * Receives and sends what can be without waiting, within bounds.  What has
 * arrived comes first: it may be that the peer has closed.
 */
void
ltdbp_socket_service(ltdb_conn *conn)
{
	ltdbp_sigpipe hold;

	ltdbp_sigpipe_hold(&hold, conn->socket.tls != NULL);
	if (!conn->socket.stream.started)
		connect_further(conn);
	else
	{
		ltdbp_stream_read(conn);
		if (!is_over(conn))
			ltdbp_stream_write(conn);
	}
	ltdbp_sigpipe_release(&hold);
}

void
ltdbp_socket_close(ltdbp_socket *socket)
{
	ltdbp_sigpipe hold;

	socket->state = LTDBP_SOCKET_NONE;
	ltdbp_stream_end(&socket->stream);
	if (socket->context != NULL)
	{
		ltdbp_sigpipe_hold(&hold, socket->tls != NULL);
		lws_context_destroy(socket->context);
		ltdbp_sigpipe_release(&hold);
		close_wake_fd(socket->wake_fd);
	}
	socket->context = NULL;
	socket->vhost = NULL;
	socket->wsi = NULL;

	/* the context has used it until now */
	ltdbp_tls_free(socket->tls);
	socket->tls = NULL;
}

int
ltdbp_socket_fd(const ltdbp_socket *socket)
{
	if (socket->state == LTDBP_SOCKET_NONE || socket->wsi == NULL)
		return -1;
	return (int) lws_get_socket_fd(socket->wsi);
}

/*
 * Whether something waits for the socket to be writable, messages apart: frames
 * for the socket to take more, or lws for TCP to be connected.  Once it is, it
 * would be writable all the time.
 */
bool
ltdbp_socket_wants_write(const ltdbp_socket *socket)
{
	struct sockaddr_storage peer;
	socklen_t	peer_len = sizeof(peer);
	int			fd = ltdbp_socket_fd(socket);

	if (socket->state == LTDBP_SOCKET_OPEN)
		return ltdbp_stream_wants_write(&socket->stream);
	if (socket->state != LTDBP_SOCKET_CONNECTING || fd < 0)
		return false;
	return getpeername(fd, (struct sockaddr *) &peer, &peer_len) != 0;
}

/* Whether lws holds received bytes that no socket event will announce. */
bool
ltdbp_socket_has_work(const ltdbp_socket *socket)
{
	return socket->context != NULL && !socket->stream.started &&
		lws_service_adjust_timeout(socket->context, 1, 0) == 0;
}
