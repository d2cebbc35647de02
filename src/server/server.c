/*-------------------------------------------------------------------------
 *
 * server.c
 *		Listens, waits for events, and decides when to commit.
 *
 * Writes of many messages, of whichever sessions, share one transaction: it is
 * committed when no more input is there to be read at once, and at the latest
 * after a bound in time or in bytes.  What a session does is left to
 * session.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"
#include "session.h"

#define COMMIT_AFTER_USEC (10 * LWS_US_PER_MS)
#define COMMIT_AFTER_BYTES (8 * 1024 * 1024)

/* How long peers may take to answer the goodbye. */
#define STOP_USEC LWS_USEC_PER_SEC

/* What is read from a socket at a time. */
#define RECEIVE_BYTES (64 * 1024)

/* lws keeps tables of this size, so the system's limit may be too much. */
#define DESCRIPTORS_MAX 65536

/* Those of the database, of lws, of the listening socket and of the log. */
#define DESCRIPTORS_OWN 32

#define LIBRARY_LINES_PER_SEC 5

/* Connections that are not authenticated, unless descriptors are scarce. */
#define STRANGERS_MAX 512

/* A peer whose machine is gone is noticed by TCP. */
#define KEEPALIVE_IDLE_SEC 60
#define KEEPALIVE_INTERVAL_SEC 10
#define KEEPALIVE_PROBES 3

struct server
{
	session_hub hub;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct lws_protocols protocols[2];
	volatile sig_atomic_t stopping;
};

/* Much of it is about what strangers send, who are not to fill the log. */
static void
log_library(int level, const char *line)
{
	static lws_usec_t last_usec;
	static int	lines;
	lws_usec_t	now = lws_now_usecs();

	if (last_usec == 0 || now - last_usec >= LWS_USEC_PER_SEC)
	{
		last_usec = now;
		lines = 0;
	}
	if (++lines > LIBRARY_LINES_PER_SEC)
		return;
	log_event("ltdbd", "libwebsockets: %.*s", (int) strcspn(line, "\n"), line);
}

/* As many connections as the system lets us have. */
static unsigned
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;				/* lws then asks the system itself */
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur < DESCRIPTORS_MAX ? limit.rlim_cur : DESCRIPTORS_MAX;
}

/* Never more than there are descriptors for: accept() must not fail. */
static void
limit_connections(lobby *l, unsigned descriptors, const server_options *options)
{
	unsigned	available = descriptors > DESCRIPTORS_OWN ? descriptors - DESCRIPTORS_OWN : 1;
	unsigned	strangers = available / 4 < STRANGERS_MAX ? available / 4 : STRANGERS_MAX;

	if (descriptors == 0)
		available = options->max_connections + STRANGERS_MAX;
	l->strangers_max = strangers > 0 ? strangers : 1;
	available -= available > l->strangers_max ? l->strangers_max : 0;
	l->members_max = options->max_connections;
	if (available < l->members_max)
	{
		l->members_max = available;
		log_event("ltdbd", "the system's limit on open files leaves room for %u clients", available);
	}
	l->handshake_sec = options->login_timeout_sec;
}

static void
set_tls(struct lws_context_creation_info *info, const server_options *options)
{
	info->ssl_cert_filepath = options->tls_cert;
	info->ssl_private_key_filepath = options->tls_key;
	info->alpn = "http/1.1";
	info->ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION;
	if (options->tls_client_ca == NULL)
		return;
	info->ssl_ca_filepath = options->tls_client_ca;
	info->options |= LWS_SERVER_OPTION_REQUIRE_VALID_OPENSSL_CLIENT_CERT;
}

/* lws would go on without a certificate that is not there. */
static bool
can_read_files(const server_options *options, char *reason, size_t reason_size)
{
	const char *const files[] = {options->tls_cert, options->tls_key, options->tls_client_ca};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i] != NULL && access(files[i], R_OK) != 0)
		{
			snprintf(reason, reason_size, "cannot read %s: %s", files[i], strerror(errno));
			return false;
		}
	return true;
}

static bool
start_listening(server *srv, const server_options *options)
{
	/* Without pings of lws': an idle client need not be there to answer. */
	static const lws_retry_bo_t no_pings = {0};
	struct lws_context_creation_info info = {0};

	srv->protocols[0].name = "ltdb";
	srv->protocols[0].callback = session_callback;
	srv->protocols[0].per_session_data_size = session_size();
	srv->protocols[0].rx_buffer_size = RECEIVE_BYTES;

	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
		LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
	/* With IPv6 allowed, lws binds to every address when told an IPv4 one. */
	if (strchr(options->listen_address, ':') == NULL)
		info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
	if (options->tls_cert != NULL)
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	info.user = &srv->hub;
	info.fd_limit_per_thread = raise_descriptor_limit();
	limit_connections(&srv->hub.lobby, info.fd_limit_per_thread, options);
	info.pt_serv_buf_size = RECEIVE_BYTES;
	info.timeout_secs = options->login_timeout_sec;
	info.retry_and_idle_policy = &no_pings;
	srv->context = lws_create_context(&info);
	if (srv->context == NULL)
		return false;

	info.port = options->port;
	info.iface = options->listen_address;
	info.protocols = srv->protocols;
	info.ka_time = KEEPALIVE_IDLE_SEC;
	info.ka_interval = KEEPALIVE_INTERVAL_SEC;
	info.ka_probes = KEEPALIVE_PROBES;
	if (options->tls_cert != NULL)
		set_tls(&info, options);
	srv->vhost = lws_create_vhost(srv->context, &info);
	return srv->vhost != NULL;
}

server *
server_new(const server_options *options, store *st, char *reason, size_t reason_size)
{
	server	   *srv = calloc(1, sizeof(server));

	if (srv == NULL)
	{
		snprintf(reason, reason_size, "out of memory");
		return NULL;
	}
	srv->hub.max_message_bytes = options->max_message_bytes;
	srv->hub.login_timeout_sec = options->login_timeout_sec;
	srv->hub.stall_timeout_sec = options->stall_timeout_sec;
	if (!dispatch_init(&srv->hub.dispatch, st, options->key))
		snprintf(reason, reason_size, "the secret key must have 1 to %d bytes",
				 DISPATCH_KEY_MAX_BYTES);
	else if (can_read_files(options, reason, reason_size))
	{
		lws_set_log_level(LLL_ERR, log_library);
		if (start_listening(srv, options))
			return srv;
		snprintf(reason, reason_size, "cannot listen on %s port %d%s",
				 options->listen_address, options->port,
				 srv->context != NULL && options->tls_cert != NULL ?
				 ", or not with this certificate and key" : "");
	}
	server_free(srv);
	return NULL;
}

void
server_free(server *srv)
{
	if (srv == NULL)
		return;
	if (srv->context != NULL)
		lws_context_destroy(srv->context);
	free(srv);
}

int
server_port(const server *srv)
{
	return lws_get_vhost_listen_port(srv->vhost);
}

void
server_stop(server *srv)
{
	srv->stopping = true;
	lws_cancel_service(srv->context);
}

static void
commit(server *srv)
{
	store	   *st = srv->hub.dispatch.store;

	if (store_commit(st))
	{
		session_release_held(&srv->hub);
		return;
	}
	log_event("ltdbd", "commit failed: %s", store_message(st));
	store_rollback(st);
	session_fail_held(&srv->hub, "commit failed");
}

/* Lets peers take what is queued for them, for a moment. */
static bool
say_goodbye(server *srv)
{
	lws_usec_t	deadline = lws_now_usecs() + STOP_USEC;
	bool		alive = true;

	commit(srv);
	session_close_all(&srv->hub);

	/* Without lws' own waiting, which knows nothing of the deadline. */
	while (alive && srv->hub.sessions.count > 0 && lws_now_usecs() < deadline)
	{
		alive = lws_service(srv->context, -1) >= 0;
		if (srv->hub.sessions.count > 0)
			usleep(1000);
	}
	return alive;
}

bool
server_run(server *srv)
{
	store	   *st = srv->hub.dispatch.store;
	lws_usec_t	opened_usec = 0;

	while (!srv->stopping)
	{
		bool		was_open = store_in_transaction(st);

		srv->hub.input_seen = false;
		if (lws_service(srv->context, was_open ? -1 : 0) < 0)
			return false;
		lobby_next_turn(&srv->hub.lobby);
		if (!store_in_transaction(st))
			continue;
		if (!was_open)
			opened_usec = lws_now_usecs();
		if (!srv->hub.input_seen ||
			srv->hub.uncommitted_bytes >= COMMIT_AFTER_BYTES ||
			lws_now_usecs() - opened_usec >= COMMIT_AFTER_USEC)
			commit(srv);
	}
	return say_goodbye(srv);
}
