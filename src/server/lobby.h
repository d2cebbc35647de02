/*-------------------------------------------------------------------------
 *
 * lobby.h
 *		Counts connections, and bounds those that are not authenticated.
 *
 * Strangers are bounded in number, and in the time they may take for the
 * handshake: one too many turns away the one that has been there longest, so
 * that a flood of them keeps nobody out who knows the key.  How long the key
 * may take, and everything after it, is up to session.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LOBBY_H
#define LOBBY_H

#include <libwebsockets.h>
#include <stdbool.h>

typedef struct lobby
{
	unsigned	strangers_max;
	unsigned	members_max;	/* authenticated ones */
	int			handshake_sec;
	lws_dll2_owner_t strangers; /* the oldest first */
	unsigned	members;

	/* lws accepts as long as somebody waits: the others are to have a turn */
	struct lws *listener;		/* paused; NULL = it is not */
	unsigned	entered;		/* since the last turn */

	/* when the log said so last: it is not to be flooded, either */
	lws_usec_t	said_full_usec;
	lws_usec_t	said_crowded_usec;
} lobby;

/* Whether one more may come in at all through this listening socket. */
extern bool lobby_has_room(lobby *l, struct lws *listener);

/* Each time all connections have had their turn. */
extern void lobby_next_turn(lobby *l);

/* Takes in a connection just accepted; false if out of memory. */
extern bool lobby_enter(lobby *l, struct lws *wsi);
extern void lobby_handshake_done(struct lws *wsi);

/* Makes it an authenticated one. */
extern void lobby_admit(lobby *l, struct lws *wsi);

/* When the connection is destroyed, whatever it was. */
extern void lobby_leave(lobby *l, struct lws *wsi);

#endif							/* LOBBY_H */
