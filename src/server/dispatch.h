/*-------------------------------------------------------------------------
 *
 * dispatch.h
 *		From the text of a request to the text of its answer.
 *
 * A plain function without sockets: when messages come in, and when answers
 * may go out (see store.h), is up to session.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "answer.h"
#include "listing.h"
#include "store.h"

#define DISPATCH_KEY_MAX_BYTES 1024

/* What all connections share; the store is lent. */
typedef struct dispatch
{
	store	   *store;
	size_t		key_len_bytes;
	char		key[DISPATCH_KEY_MAX_BYTES];	/* zeros behind it */
} dispatch;

/* What is known of one connection; all zeros at its start. */
typedef struct dispatch_peer
{
	bool		authenticated;
	listing    *rest;			/* of an answer of which pieces are still to come */
	const char *reason;			/* after DISPATCH_CLOSE and _ANSWER_AND_CLOSE: why */
} dispatch_peer;

typedef enum dispatch_outcome
{
	DISPATCH_ANSWER,			/* the answer, or its last piece */
	DISPATCH_PIECE,				/* more is to come from dispatch_continue() */
	DISPATCH_CLOSE,				/* no answer, close */
	DISPATCH_ANSWER_AND_CLOSE,	/* the answer, which may be empty, then close */
	DISPATCH_FAILED				/* the store, or memory: nothing is to be sent */
} dispatch_outcome;

/* False if the key is empty or too long. */
extern bool dispatch_init(dispatch *disp, store *st, const char *key);

/*
 * Carries out one message and appends the answer.  The message is destroyed;
 * a NUL byte must follow it.  Not to be called while peer->rest is set.
 */
extern dispatch_outcome dispatch_message(dispatch *disp, dispatch_peer *peer,
										 char *message, size_t len_bytes,
										 answer *ans);

/* Appends the next piece of the answer that peer->rest stands for. */
extern dispatch_outcome dispatch_continue(dispatch *disp, dispatch_peer *peer, answer *ans);

/* Forgets an answer in progress. */
extern void dispatch_peer_reset(dispatch_peer *peer);

#endif							/* DISPATCH_H */
