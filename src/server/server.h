/*-------------------------------------------------------------------------
 *
 * server.h
 *		The listening socket and the loop that serves all sessions.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "store.h"

typedef struct server server;

typedef struct server_options
{
	const char *listen_address;
	int			port;			/* 0 = any */
	const char *key;
	size_t		max_message_bytes;
	unsigned	max_connections;
	int			login_timeout_sec;
	int			stall_timeout_sec;

	/* PEM files; NULL = no TLS, and clients without certificates */
	const char *tls_cert;
	const char *tls_key;
	const char *tls_client_ca;
} server_options;

/*
 * Starts to listen; the store and the strings are lent.  On failure returns
 * NULL and writes why into reason.
 */
extern server *server_new(const server_options *options, store *st,
						  char *reason, size_t reason_size);
extern void server_free(server *srv);

/* The port it listens on. */
extern int	server_port(const server *srv);

/* Serves until server_stop(); false if it cannot go on. */
extern bool server_run(server *srv);

/* May be called from a signal handler. */
extern void server_stop(server *srv);

#endif							/* SERVER_H */
