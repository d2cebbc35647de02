/*-------------------------------------------------------------------------
 *
 * session.h
 *		One peer: its messages in, its answers out.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef SESSION_H
#define SESSION_H

#include <libwebsockets.h>

#include "dispatch.h"
#include "lobby.h"

/* What all sessions share; server.c fills it in and watches it. */
typedef struct session_hub
{
	dispatch	dispatch;
	size_t		max_message_bytes;
	int			login_timeout_sec;
	int			stall_timeout_sec;
	lobby		lobby;			/* who has connected, as one of which kind */
	lws_dll2_owner_t sessions;	/* all of them */
	lws_dll2_owner_t held;		/* those with answers that wait for the commit */
	bool		input_seen;		/* set when anything is received */
	size_t		uncommitted_bytes;	/* of messages since the last commit */
} session_hub;

/* The callback to be given to libwebsockets, and the size of its user data. */
extern int	session_callback(struct lws *wsi, enum lws_callback_reasons reason,
							 void *user, void *in, size_t len_bytes);
extern size_t session_size(void);

/* After a commit: held answers may go out. */
extern void session_release_held(session_hub *hub);

/* After a rollback: nobody whose answer was held gets it. */
extern void session_fail_held(session_hub *hub, const char *reason);

/* Sends what can be sent at once, then says goodbye. */
extern void session_close_all(session_hub *hub);

#endif							/* SESSION_H */
