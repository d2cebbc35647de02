/*-------------------------------------------------------------------------
 *
 * async.c
 *		Scans of several foreign tables at once, below an Append node.
 *
 * Append asks each of its children for a row and goes on to the next while
 * the answer is on its way; when nothing is left to do it waits on the sockets
 * of all.  Several of the children may share one connection.  Its socket is
 * then waited on for the first of them, and when something has arrived all of
 * them are asked again, for it may have been for any.
 *
 * What a scan does with the rows is scan.c's business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "executor/execAsync.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timeout.h"

/* Wakes the backend when a deadline of the client's may have passed. */
static TimeoutId deadline_timeout = MAX_TIMEOUTS;

bool
ltfdw_IsForeignPathAsyncCapable(ForeignPath *path)
{
	return ((LtfdwRel *) path->path.parent->fdw_private)->table->prices.async;
}

static LtfdwScan *
scan_of(AsyncRequest *areq)
{
	return castNode(ForeignScanState, areq->requestee)->fdw_state;
}

/* Answer a request with a row, with the end of the scan, or with patience. */
static void
produce(AsyncRequest *areq)
{
	TupleTableSlot *slot = areq->requestee->ExecProcNodeReal(areq->requestee);

	if (!TupIsNull(slot))
		ExecAsyncRequestDone(areq, slot);
	else if (scan_of(areq)->pending)
		ExecAsyncRequestPending(areq);
	else
		ExecAsyncRequestDone(areq, NULL);
}

/* Ask a waiting child again, of our own accord; Append need not. */
static void
produce_and_respond(AsyncRequest *areq)
{
	PlanState  *requestee = areq->requestee;

	if (requestee->instrument)
		InstrStartNode(requestee->instrument);
	areq->callback_pending = false;
	produce(areq);
	if (requestee->instrument)
		InstrStopNode(requestee->instrument,
					  areq->request_complete && !TupIsNull(areq->result) ? 1.0 : 0.0);
	if (areq->request_complete)
		ExecAsyncResponse(areq);
}

/* Whether a child of the Append is ours, waits, and shares a connection. */
static bool
waits_on(AsyncRequest *areq, const LtfdwConn *conn)
{
	ForeignScanState *node;

	if (areq == NULL || !areq->callback_pending || !IsA(areq->requestee, ForeignScanState))
		return false;
	node = (ForeignScanState *) areq->requestee;
	return node->fdwroutine->ForeignAsyncRequest == ltfdw_ForeignAsyncRequest &&
		scan_of(areq)->conn == conn;
}

/* The first child that waits on a connection, or NULL. */
static AsyncRequest *
first_waiting(AppendState *append, const LtfdwConn *conn)
{
	int			i = -1;

	while ((i = bms_next_member(append->as_asyncplans, i)) >= 0)
		if (waits_on(append->as_asyncrequests[i], conn))
			return append->as_asyncrequests[i];
	return NULL;
}

static void
ask_all_waiting(AppendState *append, const LtfdwConn *conn)
{
	int			i = -1;

	while ((i = bms_next_member(append->as_asyncplans, i)) >= 0)
		if (waits_on(append->as_asyncrequests[i], conn))
			produce_and_respond(append->as_asyncrequests[i]);
}

void
ltfdw_ForeignAsyncRequest(AsyncRequest *areq)
{
	produce(areq);
}

static void
on_deadline(void)
{
	SetLatch(MyLatch);
}

/*
 * Append waits without a limit, so the client's deadlines need an alarm of
 * their own: it makes Append come back here, where they are checked.
 */
static void
set_alarm(int timeout_ms)
{
	if (deadline_timeout == MAX_TIMEOUTS)
		deadline_timeout = RegisterTimeout(USER_TIMEOUT, on_deadline);
	if (timeout_ms >= 0)
		enable_timeout_after(deadline_timeout, timeout_ms + 1);
}

/*
 * Append is about to wait for this child and others.  It waits for sockets to
 * become readable only, so what there is to connect and to send is done first.
 */
void
ltfdw_ForeignAsyncConfigureWait(AsyncRequest *areq)
{
	AppendState *append = (AppendState *) areq->requestor;
	LtfdwConn  *conn = scan_of(areq)->conn;
	ltdb_conn  *handle = ltfdw_connection_handle(conn);

	if (append->as_nasyncresults > 0 || first_waiting(append, conn) != areq)
		return;
	ltfdw_connection_push(conn);
	ask_all_waiting(append, conn);

	/*
	 * Append waits even if a row is at hand by now, as long as any child has
	 * asked it to.  A socket that can be written to ends the wait at once.
	 */
	if (append->as_nasyncresults > 0)
		AddWaitEventToSet(append->as_eventset, WL_SOCKET_WRITEABLE, ltdb_socket(handle),
						  NULL, areq);

	/* if this child has come to its end, the next of the connection waits */
	else if (first_waiting(append, conn) == areq)
	{
		AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE, ltdb_socket(handle),
						  NULL, areq);
		set_alarm(ltdb_wait_ms(handle));
	}
}

/* Something has arrived: for this child, or for one that shares its connection. */
void
ltfdw_ForeignAsyncNotify(AsyncRequest *areq)
{
	LtfdwConn  *conn = scan_of(areq)->conn;

	ltdb_poll(ltfdw_connection_handle(conn));
	produce(areq);
	ask_all_waiting((AppendState *) areq->requestor, conn);
}
