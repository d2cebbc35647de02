/*-------------------------------------------------------------------------
 *
 * dial.c
 *		From the host of the url to a socket: its addresses, one after the other.
 *
 * An address that refuses, or does not react while there are others, gives way
 * to the next.  One where somebody answers is the one: what goes wrong from
 * then on is no reason to try another.  Finding the addresses is left to
 * resolve.c, connecting to socket.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "ltdb_int.h"

/* For how long an address may stay silent while there are others, at most. */
#define ADDRESS_MS 3000

static bool
is_address(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static int
addresses_left(const ltdbp_dial *dial)
{
	return dial->lookup != NULL ? ltdbp_lookup_count(dial->lookup) - dial->next : 0;
}

/* Connects to the next address; false if there is none. */
static bool
try_next(ltdb_conn *conn)
{
	ltdbp_dial *dial = &conn->dial;
	int			left = addresses_left(dial);

	if (left == 0)
		return false;

	/* what is left of the time is for all that are left */
	dial->silent_until_ms = -1;
	if (left > 1)
	{
		int64_t		share_ms = (conn->connect_timeout_ms - conn->waited_ms) / left;

		if (conn->connect_timeout_ms == 0 || share_ms > ADDRESS_MS)
			share_ms = ADDRESS_MS;
		dial->silent_until_ms = conn->waited_ms + share_ms;
	}
	ltdbp_socket_open(conn, ltdbp_lookup_address(dial->lookup, dial->next++));
	return true;
}

/* Begins an attempt to connect. */
void
ltdbp_dial_start(ltdb_conn *conn)
{
	ltdbp_dial *dial = &conn->dial;

	ltdbp_dial_end(conn);
	ltdbp_socket_close(&conn->socket);
	dial->silent_until_ms = -1;
	if (is_address(conn->url.host))
	{
		ltdbp_socket_open(conn, conn->url.host);
		return;
	}
	dial->lookup = ltdbp_lookup_start(conn->url.host);
	dial->resolving = dial->lookup != NULL;
	if (!dial->resolving)
		ltdbp_socket_fail(&conn->socket, "out of memory, threads or descriptors to resolve the host name");
}

/* The name has been looked up: with what result? */
static void
take_addresses(ltdb_conn *conn)
{
	char		text[LTDBP_REASON_BYTES];

	conn->dial.resolving = false;
	if (try_next(conn))
		return;
	snprintf(text, sizeof(text), "host name could not be resolved: %s",
			 ltdbp_lookup_error(conn->dial.lookup));
	ltdbp_socket_fail(&conn->socket, text);
}

/* Gets on as far as that is possible without waiting. */
void
ltdbp_dial_poll(ltdb_conn *conn)
{
	ltdbp_dial *dial = &conn->dial;
	ltdbp_socket *socket = &conn->socket;

	if (dial->resolving && ltdbp_lookup_done(dial->lookup))
		take_addresses(conn);
	if (dial->resolving)
		return;

	do
	{
		if (socket->state != LTDBP_SOCKET_ENDED)
			ltdbp_socket_service(conn);
		if (!socket->reached && dial->silent_until_ms >= 0 && conn->waited_ms >= dial->silent_until_ms)
			ltdbp_socket_fail(socket, "no answer");
	} while (socket->state == LTDBP_SOCKET_ENDED && !socket->reached && try_next(conn));
}

/* It has led somewhere, or is given up. */
void
ltdbp_dial_end(ltdb_conn *conn)
{
	ltdbp_lookup_free(conn->dial.lookup);
	conn->dial.lookup = NULL;
	conn->dial.resolving = false;
	conn->dial.next = 0;
}
