/*-------------------------------------------------------------------------
 *
 * handle.h
 *		One handler a request type; included by dispatch.c and handle.c only.
 *
 * A handler finds the payload in req->payload, still to be read, and adds the
 * members of its answer behind the id.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef HANDLE_H
#define HANDLE_H

#include "../protocol.h"
#include "dispatch.h"
#include "reader.h"

typedef struct request
{
	store	   *store;
	dispatch_peer *peer;
	reader		payload;
	answer	   *ans;			/* begun with the id, and not yet closed */
} request;

typedef dispatch_outcome (*handler) (request *req);

/* The wire's words as far as dispatch.c and its handlers use them. */
extern const ltdb_dialect *const handle_dialect;

/* NULL where dispatch.c does the work itself. */
extern const handler handle_request[LTDB_REQ_COUNT];

#endif							/* HANDLE_H */
