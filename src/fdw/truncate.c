/*-------------------------------------------------------------------------
 *
 * truncate.c
 *		Deletes all records of a key or of a collection: TRUNCATE, and the
 *		function ltdb_delete_key.
 *
 * LTDB's own requests for that take a collection's key-value pairs with them:
 * delete-collection always, delete-user with the collection's last key.  So
 * the records are deleted one by one, which keeps the pairs whatever others do
 * meanwhile, and lets a transaction take it back.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/rel.h"

/* Where the deletions go: one of the two. */
typedef struct Deletion
{
	LtfdwWriteSet *writes;		/* write_mode 'commit' */
	LtfdwSender *sender;		/* 'immediate' */
	CommandId	cid;
} Deletion;

static void
delete_record(const Deletion *deletion, const LtfdwTable *table, const LtfdwRecord *record)
{
	ltdb_record identity = {ltfdw_datum_to_ltdb(record->key), record->ts_sec, {"", 0}};

	if (deletion->writes)
	{
		ltfdw_writeset_delete(deletion->writes, record->key, record->ts_sec, deletion->cid);
		return;
	}
	ltfdw_transaction_bypassed(table->collection);
	ltfdw_sender_delete(deletion->sender, &identity);
}

/* Delete every record of a key, or of all keys if it is NULL. */
void
ltfdw_delete_records(Oid userid, LtfdwTable *table, text *key)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw deletion",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	LtfdwConn  *conn = ltfdw_connection_get(userid, table->serverid);
	Deletion	deletion = {NULL, NULL, GetCurrentCommandId(true)};
	LtfdwReading reading = {false, -1, -1, ltfdw_transaction_writes(userid, table, LTFDW_RECORDS),
	deletion.cid};
	LtfdwQuery	query = {{false, 1, &key}, ltfdw_intervals_all()};
	LtfdwInterval span = ltfdw_intervals_span(query.times);
	LtfdwReader *reader = ltfdw_reader_new(conn, table, NULL);
	LtfdwRecord record;

	if (key == NULL)
	{
		query.keys = ltfdw_keys_list(conn, table->collection, span, NULL);
		if (reading.writes)
			ltfdw_writeset_add_keys(reading.writes, span, deletion.cid, &query.keys);
	}
	if (table->write_at_commit)
		deletion.writes = ltfdw_transaction_write_to(userid, table, LTFDW_RECORDS);
	else
		deletion.sender = ltfdw_sender_new(conn, table->collection, table->batch_size, false);

	ltfdw_reader_start(reader, &query, reading);
	while (ltfdw_reader_next(reader, &record, true) == LTDB_ITEM)
		delete_record(&deletion, table, &record);
	if (deletion.sender)
		ltfdw_sender_finish(deletion.sender);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}

/* TRUNCATE of foreign tables of one server. */
void
ltfdw_ExecForeignTruncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
	ListCell   *cell;

	/* all of them may be truncated, or none is */
	foreach(cell, rels)
	{
		Relation	rel = lfirst(cell);

		if (!ltfdw_table_truncatable(RelationGetRelid(rel)))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("foreign table \"%s\" does not allow truncates",
							RelationGetRelationName(rel))));
	}
	foreach(cell, rels)
		ltfdw_delete_records(GetUserId(), ltfdw_table_load(lfirst(cell)), NULL);
}
