/*-------------------------------------------------------------------------
 *
 * target.c
 *		Where the writes of one statement to one table go.
 *
 * With write_mode 'commit' that is the transaction's write set.  With
 * 'immediate' they are sent as they come, or, where that would be wrong, held
 * in a write set of the statement's own and sent at its end.
 *
 * Whose rows they are is modify.c's business, and direct.c's, truncate.c's,
 * functions.c's.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

#include "access/xact.h"
#include "utils/memutils.h"

struct LtfdwTarget
{
	Oid			userid;
	const LtfdwTable *table;
	bool		hold;			/* send nothing before the end */
	LtfdwDestination *destination;	/* NULL until needed, or if all is sent at once */
	int			writer;
	LtfdwSender *sender;		/* NULL until something is sent */
	MemoryContext cxt;
	CommandId	cid;			/* of this statement */
};

/*
 * Lives in the current context, as the table must.  A statement that must not
 * meet its own writes, or of whose writes only the last to a record counts,
 * has them held; so has one that erases.
 */
LtfdwTarget *
ltfdw_target_new(Oid userid, const LtfdwTable *table, bool hold)
{
	LtfdwTarget *target = palloc0(sizeof(LtfdwTarget));

	target->userid = userid;
	target->table = table;
	target->hold = hold;
	target->cxt = CurrentMemoryContext;
	target->cid = GetCurrentCommandId(true);
	return target;
}

/* A destination for this statement alone. */
static LtfdwDestination *
new_held(const LtfdwTarget *target)
{
	MemoryContext cxt = AllocSetContextCreate(target->cxt, "ltdb_fdw held writes",
											  ALLOCSET_SMALL_SIZES);
	LtfdwDestination *held = MemoryContextAllocZero(cxt, sizeof(LtfdwDestination));

	held->table = target->table;
	held->writes = ltfdw_writeset_new(target->table->collection, cxt, false);
	return held;
}

/* The set to write to, or NULL if writes are to be sent. */
static LtfdwWriteSet *
get_writes(LtfdwTarget *target)
{
	if (!target->table->write_at_commit && !target->hold)
		return NULL;
	if (target->destination == NULL)
	{
		target->destination = target->table->write_at_commit
			? ltfdw_transaction_write_to(target->table) : new_held(target);
		target->writer = ltfdw_destination_writer(target->destination, target->userid);
	}
	return target->destination->writes;
}

/* The connection is opened with the first write: a statement may have none. */
static LtfdwSender *
get_sender(LtfdwTarget *target)
{
	if (target->sender == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(target->cxt);

		target->sender = ltfdw_sender_new(ltfdw_connection_get(target->userid,
															   target->table->serverid),
										  target->table);
		MemoryContextSwitchTo(old);
	}
	return target->sender;
}

/* Store a record; its key twice, in the database's encoding and in LTDB's. */
void
ltfdw_target_put(LtfdwTarget *target, text *key, const ltdb_record *record)
{
	LtfdwWriteSet *writes = get_writes(target);

	if (writes)
		ltfdw_writeset_put(writes, target->writer, key, record->ts_sec, record->data, target->cid);
	else
		ltfdw_sender_put(get_sender(target), record);
}

/*
 * Claim a record that is about to be updated or deleted; false if the
 * statement has done so already.  What is sent at once is not remembered.
 */
bool
ltfdw_target_take(LtfdwTarget *target, text *key, int64 ts_sec)
{
	LtfdwWriteSet *writes = get_writes(target);

	return writes == NULL || ltfdw_writeset_take(writes, key, ts_sec, target->cid);
}

/* Delete a record, unless the statement has put another in its place. */
void
ltfdw_target_delete(LtfdwTarget *target, text *key, const ltdb_record *record)
{
	LtfdwWriteSet *writes = get_writes(target);

	if (writes)
		ltfdw_writeset_delete(writes, target->writer, key, record->ts_sec, target->cid);
	else
		ltfdw_sender_delete(get_sender(target), record);
}

/* Erase a key: see ltfdw_writeset_erase_key(). */
void
ltfdw_target_erase_key(LtfdwTarget *target, text *key, int64 until_sec, int64 count)
{
	LtfdwWriteSet *writes = get_writes(target);

	Assert(writes);
	ltfdw_writeset_erase_key(writes, target->writer, key, until_sec, count, target->cid);
}

/* Erase all that the table shows. */
void
ltfdw_target_erase_all(LtfdwTarget *target)
{
	LtfdwWriteSet *writes = get_writes(target);

	Assert(writes);
	ltfdw_writeset_erase_all(writes, target->writer, target->cid);
}

/* Let whoever reads next see what was written; held writes stay held. */
void
ltfdw_target_flush(LtfdwTarget *target)
{
	if (target->sender)
		ltfdw_sender_flush(target->sender);
}

/* At the end of the statement; what was sent is acknowledged afterwards. */
void
ltfdw_target_finish(LtfdwTarget *target)
{
	if (target->sender)
		ltfdw_sender_finish(target->sender);
	if (target->destination && !target->table->write_at_commit)
		ltfdw_deliver(list_make1(target->destination));
}
