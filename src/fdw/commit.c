/*-------------------------------------------------------------------------
 *
 * commit.c
 *		The writes of a transaction: kept, a write set for each user mapping
 *		and collection, sent when it commits, dropped when it does not.
 *
 * LTDB has no transactions.  With write_mode 'commit' all is sent just before
 * PostgreSQL commits, and acknowledged before it goes on; if that fails the
 * transaction is aborted here, and what had been stored there stays.  Doing
 * all of it again is safe: each write stores or deletes a record by key and
 * ts.  ROLLBACK TO SAVEPOINT drops what was written since the savepoint.
 *
 * What a write set is made of is writeset.c's business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* A write set and where it goes. */
typedef struct Destination
{
	Oid			userid;
	Oid			serverid;
	Oid			umid;
	char	   *collection;
	int			batch_size;
	LtfdwWhat	what;
	LtfdwWriteSet *writes;
} Destination;

/* All of this is the current transaction's; the memory goes with it. */
static List *destinations = NIL;
static int64 *marks = NULL;		/* of the undo log, when each level began */
static int	marks_allocated = 0;

/* Records sent with write_mode 'immediate', and the first collection of them. */
static int64 sent_at_once = 0;
static char *sent_to = NULL;

/* ---- the write sets of a transaction ---- */

static Destination *
find_destination(Oid userid, const LtfdwTable *table, LtfdwWhat what)
{
	ListCell   *cell;
	Oid			umid;

	if (destinations == NIL)
		return NULL;
	umid = GetUserMapping(userid, table->serverid)->umid;
	foreach(cell, destinations)
	{
		Destination *destination = lfirst(cell);

		if (destination->umid == umid && destination->what == what &&
			strcmp(destination->collection, table->collection) == 0)
			return destination;
	}
	return NULL;
}

/*
 * The write set of a collection's records or key-value pairs, or NULL if none
 * of them was written.  In a set of pairs every ts is LTFDW_PAIR_TS.
 */
LtfdwWriteSet *
ltfdw_transaction_writes(Oid userid, const LtfdwTable *table, LtfdwWhat what)
{
	Destination *destination = find_destination(userid, table, what);

	return destination ? destination->writes : NULL;
}

/* The same, made if need be. */
LtfdwWriteSet *
ltfdw_transaction_write_to(Oid userid, const LtfdwTable *table, LtfdwWhat what)
{
	Destination *destination = find_destination(userid, table, what);
	MemoryContext old;

	if (destination)
		return destination->writes;
	old = MemoryContextSwitchTo(TopTransactionContext);
	destination = palloc0(sizeof(Destination));
	destination->userid = userid;
	destination->serverid = table->serverid;
	destination->umid = GetUserMapping(userid, table->serverid)->umid;
	destination->collection = pstrdup(table->collection);
	destination->batch_size = table->batch_size;
	destination->what = what;
	destination->writes = ltfdw_writeset_new(table->collection, TopTransactionContext, true);
	destinations = lappend(destinations, destination);
	MemoryContextSwitchTo(old);
	return destination->writes;
}

/* Whether anybody's records of a collection are among the writes: for EXPLAIN. */
bool
ltfdw_transaction_touches(const LtfdwTable *table)
{
	ListCell   *cell;

	foreach(cell, destinations)
	{
		Destination *destination = lfirst(cell);

		if (destination->serverid == table->serverid && destination->what == LTFDW_RECORDS &&
			strcmp(destination->collection, table->collection) == 0)
			return true;
	}
	return false;
}

/* A write did not wait for the commit: it will not be rolled back either. */
void
ltfdw_transaction_bypassed(const char *collection)
{
	if (sent_at_once++ == 0)
		sent_to = MemoryContextStrdup(TopTransactionContext, collection);
}

/* ---- sending ---- */

typedef struct Delivery
{
	LtfdwSender *sender;
	const char *collection;
	LtfdwWhat	what;
	int64		sent;
	int64		total;
} Delivery;

static void
delivery_callback(void *arg)
{
	const Delivery *delivery = arg;

	errcontext("sending the transaction's writes to LTDB collection \"%s\": up to " INT64_FORMAT " of " INT64_FORMAT " may have been stored",
			   delivery->collection, delivery->sent, delivery->total);
}

static void
send_write(text *key, const LtfdwWrite *write, void *arg)
{
	Delivery   *delivery = arg;
	ltdb_record record = {ltfdw_datum_to_ltdb(key), write->ts_sec, write->data};

	delivery->sent++;
	if (delivery->what == LTFDW_PAIRS)
		ltfdw_sender_set_value(delivery->sender, record.key,
							   write->deleted ? NULL : &write->data);
	else if (write->deleted)
		ltfdw_sender_delete(delivery->sender, &record);
	else
		ltfdw_sender_insert(delivery->sender, &record);
}

/* Send a set, and wait until all of it is acknowledged. */
void
ltfdw_send_writes(LtfdwConn *conn, const char *collection, int batch_size, LtfdwWhat what,
				  LtfdwWriteSet *writes)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw sending",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	Delivery	delivery = {NULL, collection, what, 0, ltfdw_writeset_count(writes)};
	ErrorContextCallback callback;

	callback.callback = delivery_callback;
	callback.arg = &delivery;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	delivery.sender = ltfdw_sender_new(conn, collection, batch_size, false);
	ltfdw_writeset_walk(writes, send_write, &delivery);
	ltfdw_sender_finish(delivery.sender);

	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}

/*
 * PostgreSQL stops its clock for statement_timeout before a commit, which is
 * over in no time as a rule.  A commit that waits for a server is not.
 */
static void
send_all(void)
{
	bool		timed = StatementTimeout > 0 && !get_timeout_active(STATEMENT_TIMEOUT);
	ListCell   *cell;

	if (timed)
		enable_timeout_at(STATEMENT_TIMEOUT,
						  TimestampTzPlusMilliseconds(GetCurrentStatementStartTimestamp(),
													  StatementTimeout));
	foreach(cell, destinations)
	{
		Destination *destination = lfirst(cell);

		/* a subtransaction may have taken all of it back */
		if (ltfdw_writeset_count(destination->writes) > 0)
			ltfdw_send_writes(ltfdw_connection_get(destination->userid, destination->serverid),
							  destination->collection, destination->batch_size,
							  destination->what, destination->writes);
	}
	if (timed)
		disable_timeout(STATEMENT_TIMEOUT, false);
}

/* ---- the events of a transaction ---- */

static void
forget_all(void)
{
	/* the memory itself belongs to the transaction */
	destinations = NIL;
	marks = NULL;
	marks_allocated = 0;
	sent_at_once = 0;
	sent_to = NULL;
	ltfdw_undo_forget();
}

/* Only a warning can be raised while a transaction is aborted. */
static void
warn_about_bypass(void)
{
	if (sent_at_once > 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("writes to LTDB collection \"%s\" cannot be rolled back", sent_to),
				 errdetail_plural("The transaction sent " INT64_FORMAT " write with write_mode 'immediate'; it stays.",
								  "The transaction sent " INT64_FORMAT " writes with write_mode 'immediate'; they stay.",
								  (unsigned long) sent_at_once, sent_at_once)));
}

static void
at_transaction_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (destinations != NIL)
				send_all();
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (destinations != NIL)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that has written to LTDB foreign tables")));
			break;
		case XACT_EVENT_ABORT:
			warn_about_bypass();
			forget_all();
			break;
		default:
			forget_all();
			break;
	}
}

static void
at_subtransaction_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
						void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB && level < marks_allocated)
		ltfdw_undo_to(marks[level]);
	if (event != SUBXACT_EVENT_START_SUB)
		return;
	if (level >= marks_allocated)
	{
		int			allocated = Max(2 * level, 16);
		int64	   *grown = MemoryContextAllocZero(TopTransactionContext,
												   allocated * sizeof(int64));

		if (marks_allocated > 0)
			memcpy(grown, marks, marks_allocated * sizeof(int64));
		marks = grown;
		marks_allocated = allocated;
	}
	marks[level] = ltfdw_undo_mark();
}

/* Called once when the library is loaded. */
void
ltfdw_transaction_init(void)
{
	DefineCustomIntVariable("ltdb_fdw.write_set_memory",
							"Memory that the writes of a transaction to a collection may take until they are sent.",
							"A transaction that needs more fails; write_mode 'immediate' needs none.",
							&ltfdw_write_set_memory_kb,
							2 * 1024 * 1024, 64, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	RegisterXactCallback(at_transaction_event, NULL);
	RegisterSubXactCallback(at_subtransaction_event, NULL);
}
