/*-------------------------------------------------------------------------
 *
 * pairs.c
 *		All key-value pairs of a collection, from one answer of the server and
 *		from what this transaction has written.
 *
 * Single pairs are reader.c's business: there they are records without a ts.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

const LtfdwInterval ltfdw_pair_interval = {LTFDW_PAIR_TS, LTFDW_PAIR_TS};

struct LtfdwPairs
{
	LtfdwConn  *conn;
	const LtfdwTable *table;
	LtfdwWriteSet *writes;		/* of this transaction, or NULL */
	CommandId	cid;
	LtfdwCounters *counters;	/* may be NULL */
	MemoryContext cxt;
	LtfdwReply *owned;			/* NULL = nothing of the server's is to be seen */
	LtfdwKeys	written;		/* our own, once the server's are at an end */
	int			next_written;	/* -1 = not yet there */
};

/*
 * Ask for all pairs, or for their keys alone.  Lives in the current context,
 * and what it hands out is valid until the next is asked for.
 */
LtfdwPairs *
ltfdw_pairs_start(LtfdwConn *conn, const LtfdwTable *table, bool keys_only,
				  LtfdwWriteSet *writes, CommandId cid, LtfdwCounters *counters)
{
	LtfdwPairs *pairs = palloc0(sizeof(LtfdwPairs));
	ltdb_conn  *handle = ltfdw_connection_handle(conn);
	ltdb_text	collection = ltfdw_text_to_ltdb(table->collection, strlen(table->collection));

	pairs->conn = conn;
	pairs->table = table;
	pairs->writes = writes;
	pairs->cid = cid;
	pairs->counters = counters;
	pairs->cxt = CurrentMemoryContext;
	pairs->next_written = -1;
	if (writes && ltfdw_writeset_hides_all(writes, cid))
		return pairs;
	if (counters)
		counters->requests++;
	pairs->owned = ltfdw_reply_own(keys_only ? ltdb_send_list_keys(handle, collection)
								   : ltdb_send_list_values(handle, collection));
	ltdb_poll(handle);
	return pairs;
}

/* The next pair of the server's that this transaction has not replaced. */
static ltdb_next
next_of_server(LtfdwPairs *pairs, LtfdwRecord *record, bool wait)
{
	ltdb_record item;
	ltdb_next	next;

	for (;;)
	{
		LtfdwWrite	write;

		next = ltfdw_connection_ask(pairs->conn, pairs->owned->reply, &item, pairs->counters, wait);
		if (next != LTDB_ITEM)
			return next;
		record->key = ltfdw_text_from_ltdb(item.key, "key", pairs->table->collection);
		record->ts_sec = LTFDW_PAIR_TS;
		record->data = item.data;
		if (pairs->writes == NULL ||
			!ltfdw_writeset_seek(pairs->writes, record->key, ltfdw_pair_interval, false,
								 pairs->cid, &write))
			return LTDB_ITEM;
		pfree(record->key);
	}
}

/* The next pair that this transaction has written. */
static ltdb_next
next_of_written(LtfdwPairs *pairs, LtfdwRecord *record)
{
	while (pairs->next_written < pairs->written.count)
	{
		LtfdwWrite	write;

		record->key = pairs->written.items[pairs->next_written++];
		record->ts_sec = LTFDW_PAIR_TS;
		if (ltfdw_writeset_seek(pairs->writes, record->key, ltfdw_pair_interval, false,
								pairs->cid, &write) && !write.deleted)
		{
			record->data = write.data;
			return LTDB_ITEM;
		}
	}
	return LTDB_DONE;
}

/*
 * The next pair, in no order: LTDB_ITEM, its key in the current context;
 * LTDB_DONE at the end; LTDB_RESTART if all that came so far is void; or,
 * unless we are to wait, LTDB_WAIT.
 */
ltdb_next
ltfdw_pairs_next(LtfdwPairs *pairs, LtfdwRecord *record, bool wait)
{
	if (pairs->owned)
	{
		ltdb_next	next = next_of_server(pairs, record, wait);

		if (next != LTDB_DONE)
			return next;
		ltfdw_counters_add(pairs->counters, pairs->owned->reply);
		ltfdw_reply_release(pairs->owned);
		pairs->owned = NULL;
	}
	if (pairs->writes == NULL)
		return LTDB_DONE;
	if (pairs->next_written < 0)
	{
		MemoryContext old = MemoryContextSwitchTo(pairs->cxt);

		ltfdw_writeset_add_keys(pairs->writes, ltfdw_pair_interval, pairs->cid, &pairs->written);
		pairs->next_written = 0;
		MemoryContextSwitchTo(old);
	}
	return next_of_written(pairs, record);
}

/* The number of pairs on the server, from the list of their keys. */
double
ltfdw_pairs_count(LtfdwConn *conn, const LtfdwTable *table)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw pairs",
											  ALLOCSET_DEFAULT_SIZES);
	LtfdwPairs *pairs = ltfdw_pairs_start(conn, table, true, NULL, InvalidCommandId, NULL);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	double		count = 0;
	LtfdwRecord record;
	ltdb_next	next;

	while ((next = ltfdw_pairs_next(pairs, &record, true)) != LTDB_DONE)
	{
		count = next == LTDB_ITEM ? count + 1 : 0;
		MemoryContextReset(cxt);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	return count;
}
