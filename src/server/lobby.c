/*-------------------------------------------------------------------------
 *
 * lobby.c
 *		Counts connections, and turns strangers away that are too many or slow.
 *
 * What a connection says is left to session.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "lobby.h"

#include <stdlib.h>

#include "log.h"

/* Connections accepted before those that there are have their turn. */
#define ENTER_IN_TURN 16

/* Hangs on lws' connection as long as that lives. */
typedef struct visitor
{
	struct lws *wsi;
	lws_dll2_t	in_strangers;	/* detached: a member */
	lws_sorted_usec_list_t deadline;	/* of the handshake */
} visitor;

static void
complain(lws_usec_t *said_usec, unsigned count, const char *what)
{
	lws_usec_t	now = lws_now_usecs();

	if (*said_usec != 0 && now - *said_usec < LWS_USEC_PER_SEC)
		return;
	*said_usec = now;
	log_event("ltdbd", "%u %s", count, what);
}

/* Not at once: lws may be in the middle of something with it. */
static void
turn_away(visitor *v)
{
	lws_set_timeout(v->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
}

static void
deadline_missed(lws_sorted_usec_list_t *deadline)
{
	turn_away(lws_container_of(deadline, visitor, deadline));
}

static void
set_deadline(visitor *v, lws_usec_t usec)
{
	lws_sul_schedule(lws_get_context(v->wsi), 0, &v->deadline, deadline_missed, usec);
}

bool
lobby_has_room(lobby *l, struct lws *listener)
{
	if (++l->entered >= ENTER_IN_TURN && l->listener == NULL)
	{
		l->listener = listener;
		lws_rx_flow_control(listener, 0);
	}
	if (l->members < l->members_max)
		return true;
	complain(&l->said_full_usec, l->members, "clients are connected: others are refused");
	return false;
}

void
lobby_next_turn(lobby *l)
{
	l->entered = 0;
	if (l->listener != NULL)
		lws_rx_flow_control(l->listener, 1);
	l->listener = NULL;
}

bool
lobby_enter(lobby *l, struct lws *wsi)
{
	visitor    *v = lws_get_opaque_user_data(wsi);

	if (v != NULL)
		return true;
	v = calloc(1, sizeof(visitor));
	if (v == NULL)
		return false;
	v->wsi = wsi;
	lws_set_opaque_user_data(wsi, v);
	if (l->strangers.count >= l->strangers_max)
	{
		visitor    *oldest = lws_container_of(lws_dll2_get_head(&l->strangers), visitor, in_strangers);

		complain(&l->said_crowded_usec, l->strangers.count,
				 "connections have yet to say the key: the oldest are turned away");

		/* it goes in a moment, and counts no more */
		lws_dll2_remove(&oldest->in_strangers);
		l->members++;
		turn_away(oldest);
	}
	lws_dll2_add_tail(&v->in_strangers, &l->strangers);
	set_deadline(v, l->handshake_sec * LWS_USEC_PER_SEC);
	return true;
}

void
lobby_handshake_done(struct lws *wsi)
{
	set_deadline(lws_get_opaque_user_data(wsi), LWS_SET_TIMER_USEC_CANCEL);
}

void
lobby_admit(lobby *l, struct lws *wsi)
{
	visitor    *v = lws_get_opaque_user_data(wsi);

	if (lws_dll2_is_detached(&v->in_strangers))
		return;
	lws_dll2_remove(&v->in_strangers);
	l->members++;
}

void
lobby_leave(lobby *l, struct lws *wsi)
{
	visitor    *v = lws_get_opaque_user_data(wsi);

	if (v == NULL)
		return;
	if (lws_dll2_is_detached(&v->in_strangers))
		l->members--;
	lws_dll2_remove(&v->in_strangers);
	set_deadline(v, LWS_SET_TIMER_USEC_CANCEL);
	lws_set_opaque_user_data(wsi, NULL);
	free(v);
}
