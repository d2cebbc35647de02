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
#include "utils/timestamp.h"

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

/* The scan of a child of the Append, if it is one of ours and waits. */
static LtfdwScan *
waiting_scan(AsyncRequest *areq)
{
	if (areq == NULL || !areq->callback_pending || !IsA(areq->requestee, ForeignScanState) ||
		((ForeignScanState *) areq->requestee)->fdwroutine->ForeignAsyncRequest !=
		ltfdw_ForeignAsyncRequest)
		return NULL;
	return scan_of(areq);
}

/* The first child that waits on a connection, or NULL. */
static AsyncRequest *
first_waiting(AppendState *append, const LtfdwConn *conn)
{
	int			i = -1;

	while ((i = bms_next_member(append->as_asyncplans, i)) >= 0)
	{
		LtfdwScan  *scan = waiting_scan(append->as_asyncrequests[i]);

		if (scan && scan->conn == conn)
			return append->as_asyncrequests[i];
	}
	return NULL;
}

/* Ask the children that wait on a connection, but one; whether any got on. */
static bool
ask_all_waiting(AppendState *append, const LtfdwConn *conn, const AsyncRequest *but)
{
	bool		progress = false;
	int			i = -1;

	while ((i = bms_next_member(append->as_asyncplans, i)) >= 0)
	{
		AsyncRequest *areq = append->as_asyncrequests[i];
		LtfdwScan  *scan = waiting_scan(areq);
		int64		records;

		if (scan == NULL || scan->conn != conn || areq == but)
			continue;
		records = scan->counters.records;
		produce_and_respond(areq);
		if (areq->request_complete || scan->counters.records != records)
			progress = true;
	}
	return progress;
}

void
ltfdw_ForeignAsyncRequest(AsyncRequest *areq)
{
	produce(areq);
}

/* ---- waiting ---- */

static void
on_deadline(void)
{
	SetLatch(MyLatch);
}

/*
 * Append waits without a limit, so the client's deadlines need an alarm of
 * their own: it makes Append come back here, where they are checked.  One
 * alarm serves all connections, hence it stands at the earliest deadline.  An
 * alarm that was for an earlier wait costs no more than another look.
 */
static void
set_alarm(int timeout_ms)
{
	TimestampTz at;

	if (timeout_ms < 0)
		return;
	if (deadline_timeout == MAX_TIMEOUTS)
		deadline_timeout = RegisterTimeout(USER_TIMEOUT, on_deadline);
	at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) timeout_ms + 1);
	if (!get_timeout_active(deadline_timeout) || get_timeout_finish_time(deadline_timeout) > at)
		enable_timeout_at(deadline_timeout, at);
}

/*
 * For the client, waiting ends with a poll.  Whoever is given the next row may
 * take his time before he asks for another, and no connection shall count it.
 */
static void
stop_clocks(AppendState *append)
{
	int			i = -1;

	while ((i = bms_next_member(append->as_asyncplans, i)) >= 0)
	{
		AsyncRequest *areq = append->as_asyncrequests[i];
		LtfdwScan  *scan = waiting_scan(areq);

		if (scan && first_waiting(append, scan->conn) == areq)
			ltdb_poll(ltfdw_connection_handle(scan->conn));
	}
}

/* Without a socket, between attempts to reconnect, there is the alarm only. */
static void
wait_for_arrival(AsyncRequest *areq)
{
	AppendState *append = (AppendState *) areq->requestor;
	ltdb_conn  *handle = ltfdw_connection_handle(scan_of(areq)->conn);
	pgsocket	sock = ltdb_socket(handle);
	int			events = WL_SOCKET_READABLE;
	int			timeout_ms;

	if (ltdb_wants(handle) & LTDB_WANT_WRITE)
		events |= WL_SOCKET_WRITEABLE;
	if (sock >= 0)
		AddWaitEventToSet(append->as_eventset, events, sock, NULL, areq);

	/* with children left that do not wait, Append just looks */
	if (!append->as_syncdone)
		return;
	timeout_ms = ltdb_wait_ms(handle);
	if (timeout_ms == 0)
		SetLatch(MyLatch);
	else
		set_alarm(timeout_ms);
}

/*
 * Append is about to wait for this child and others: for as long as any child
 * has asked it to, even if a row is at hand by now.  So if this child, or one
 * that shares its connection, gets on, the latch ends the wait at once.  That
 * is for children without a row as well: a filter may have run a query of its
 * own, which takes from the sockets what others would wait for.
 */
void
ltfdw_ForeignAsyncConfigureWait(AsyncRequest *areq)
{
	AppendState *append = (AppendState *) areq->requestor;
	LtfdwConn  *conn = scan_of(areq)->conn;
	ltdb_conn  *handle = ltfdw_connection_handle(conn);

	if (append->as_nasyncresults > 0 || first_waiting(append, conn) != areq)
		return;
	ltdb_poll(handle);

	/* Append returns at once if it has nothing to wait for */
	if (append->as_syncdone && ltdb_socket(handle) < 0 &&
		GetNumRegisteredWaitEvents(append->as_eventset) == 1)
		ltfdw_connection_await_socket(conn);
	if (ask_all_waiting(append, conn, NULL))
	{
		stop_clocks(append);
		SetLatch(MyLatch);
	}
	else
		wait_for_arrival(areq);
}

/* Something has arrived: for this child, or for one that shares its connection. */
void
ltfdw_ForeignAsyncNotify(AsyncRequest *areq)
{
	AppendState *append = (AppendState *) areq->requestor;
	LtfdwConn  *conn = scan_of(areq)->conn;

	ltdb_poll(ltfdw_connection_handle(conn));
	produce(areq);

	/* the answer to this request is taken by who called us, and only once */
	ask_all_waiting(append, conn, areq);
	stop_clocks(append);
}
