/*-------------------------------------------------------------------------
 *
 * commit.c
 *		The writes of a transaction: kept, a write set for each collection,
 *		sent when it commits, dropped when it does not.
 *
 * LTDB has no transactions.  With write_mode 'commit' all is sent just before
 * PostgreSQL commits, and acknowledged before it goes on; if that fails the
 * transaction is aborted here, and what had been stored there stays.  Doing
 * all of it again is safe: each write stores or deletes a record by key and
 * ts.  ROLLBACK TO SAVEPOINT drops what was written since the savepoint.
 *
 * What a write set is made of is writeset.c's business, in which order it is
 * sent deliver.c's, what does not wait for the commit bypass.c's.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* All of this is the current transaction's; the memory goes with it. */
static MemoryContext transaction_cxt = NULL;	/* of the write sets */
static List *destinations = NIL;
static int64 *marks = NULL;		/* of the undo log, when each level began */
static int	marks_allocated = 0;

/* ---- the write sets of a transaction ---- */

static LtfdwDestination *
find_destination(const LtfdwTable *table)
{
	ListCell   *cell;

	foreach(cell, destinations)
	{
		LtfdwDestination *destination = lfirst(cell);

		if (destination->table->kind == table->kind &&
			ltfdw_same_collection(destination->table, table))
			return destination;
	}
	return NULL;
}

/*
 * The write set of what a table shows of a collection, or NULL if none of it
 * was written.  In a set of pairs every ts is LTFDW_PAIR_TS.
 */
LtfdwWriteSet *
ltfdw_transaction_writes(const LtfdwTable *table)
{
	LtfdwDestination *destination = find_destination(table);

	return destination ? destination->writes : NULL;
}

/* The number of a user among those who write to a destination. */
int
ltfdw_destination_writer(LtfdwDestination *destination, Oid userid)
{
	Oid			umid = GetUserMapping(userid, destination->table->serverid)->umid;
	int			count = destination->nwriters;

	for (int i = 0; i < count; i++)
		if (destination->writers[i].umid == umid)
			return i;
	destination->writers = destination->writers
		? repalloc(destination->writers, (count + 1) * sizeof(LtfdwWriter))
		: MemoryContextAlloc(GetMemoryChunkContext(destination), sizeof(LtfdwWriter));
	destination->writers[count].userid = userid;
	destination->writers[count].umid = umid;
	destination->nwriters++;
	return count;
}

/* What of a table is needed to write to it, whatever becomes of its columns. */
static LtfdwTable *
copy_table(const LtfdwTable *table)
{
	LtfdwTable *copy = palloc(sizeof(LtfdwTable));

	*copy = *table;
	copy->collection = pstrdup(table->collection);
	copy->ncolumns = copy->nfields = 0;
	copy->columns = NULL;
	return copy;
}

/* Where writes to what a table shows go, made if need be. */
LtfdwDestination *
ltfdw_transaction_write_to(const LtfdwTable *table)
{
	LtfdwDestination *destination = find_destination(table);
	MemoryContext old;

	if (destination)
		return destination;
	if (transaction_cxt == NULL)
		transaction_cxt = AllocSetContextCreate(TopTransactionContext, "ltdb_fdw transaction",
												ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(transaction_cxt);
	destination = palloc0(sizeof(LtfdwDestination));
	destination->table = copy_table(table);
	destination->writes = ltfdw_writeset_new(table->collection, transaction_cxt, true);
	destinations = lappend(destinations, destination);
	MemoryContextSwitchTo(old);
	return destination;
}

/* ---- the events of a transaction ---- */

/*
 * PostgreSQL stops its clock for statement_timeout before a commit, which is
 * over in no time as a rule.  A commit that waits for a server is not.
 */
static void
send_all(void)
{
	bool		timed = StatementTimeout > 0 && !get_timeout_active(STATEMENT_TIMEOUT);

	if (timed)
		enable_timeout_at(STATEMENT_TIMEOUT,
						  TimestampTzPlusMilliseconds(GetCurrentStatementStartTimestamp(),
													  StatementTimeout));
	ltfdw_deliver(destinations);
	if (timed)
		disable_timeout(STATEMENT_TIMEOUT, false);
}

/* A subtransaction may have taken all of it back. */
static bool
is_anything_to_send(void)
{
	ListCell   *cell;

	foreach(cell, destinations)
		if (ltfdw_writeset_count(((LtfdwDestination *) lfirst(cell))->writes) > 0)
			return true;
	return false;
}

static void
forget_all(void)
{
	/* the memory itself belongs to the transaction */
	transaction_cxt = NULL;
	destinations = NIL;
	marks = NULL;
	marks_allocated = 0;
	ltfdw_undo_forget();
	ltfdw_bypass_forget();
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
			if (is_anything_to_send())
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that has written to LTDB foreign tables")));
			break;
		case XACT_EVENT_ABORT:
			ltfdw_bypass_warn(1);
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

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		/* a level that is older than this library began with nothing written */
		ltfdw_undo_to(level < marks_allocated ? marks[level] : 0);
		ltfdw_bypass_warn(level);
	}
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		ltfdw_bypass_merge(level);
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
							"Memory that the writes of a transaction may take until they are sent.",
							"A transaction that needs more fails; write_mode 'immediate' needs none.",
							&ltfdw_write_set_memory_kb,
							2 * 1024 * 1024, 64, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	RegisterXactCallback(at_transaction_event, NULL);
	RegisterSubXactCallback(at_subtransaction_event, NULL);
}
