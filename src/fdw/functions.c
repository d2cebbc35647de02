/*-------------------------------------------------------------------------
 *
 * functions.c
 *		The SQL functions: collections, latest records, key-value pairs, and
 *		deleting whole keys and collections.
 *
 * Each names a foreign server; the caller needs USAGE on it and a user
 * mapping for it.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ltfdw_collections);
PG_FUNCTION_INFO_V1(ltfdw_latest);
PG_FUNCTION_INFO_V1(ltfdw_kv_set);
PG_FUNCTION_INFO_V1(ltfdw_kv_get);
PG_FUNCTION_INFO_V1(ltfdw_kv_keys);
PG_FUNCTION_INFO_V1(ltfdw_kv_all);
PG_FUNCTION_INFO_V1(ltfdw_kv_delete);
PG_FUNCTION_INFO_V1(ltfdw_delete_key);
PG_FUNCTION_INFO_V1(ltfdw_delete_collection);

/* ---- arguments ---- */

/* An argument that must not be NULL, by number and by name. */
static text *
required_text(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return PG_GETARG_TEXT_PP(argno);
}

static ltdb_text
required_ltdb_text(FunctionCallInfo fcinfo, int argno, const char *name)
{
	return ltfdw_datum_to_ltdb(required_text(fcinfo, argno, name));
}

/* The server that argument 0 names, if the caller may use it. */
static Oid
server_argument(FunctionCallInfo fcinfo)
{
	char	   *name = text_to_cstring(required_text(fcinfo, 0, "server"));
	ForeignServer *server = GetForeignServerByName(name, false);
	AclResult	acl = ltfdw_server_aclcheck(server->serverid, GetUserId());

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FOREIGN_SERVER, name);
	if (!ltfdw_server_is_ltdb(server))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not an LTDB server", name),
				 errhint("Name a server of the foreign data wrapper ltdb_fdw.")));
	return server->serverid;
}

static LtfdwConn *
connection_argument(FunctionCallInfo fcinfo)
{
	return ltfdw_connection_get(GetUserId(), server_argument(fcinfo));
}

/* ---- results ---- */

/* Send a request that is only acknowledged, and wait for that. */
static void
acknowledge(LtfdwConn *conn, ltdb_reply *reply)
{
	LtfdwReply *owned = ltfdw_reply_own(reply);

	ltfdw_connection_finish(conn, owned->reply);
	ltfdw_reply_release(owned);
}

/* The rows of a set-returning function. */
typedef struct Rows
{
	Tuplestorestate *store;
	TupleDesc	desc;
	MemoryContext item_cxt;		/* what one row is made of */
} Rows;

static Rows
begin_rows(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	Rows		rows;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) ||
		(rsinfo->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));

	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &rows.desc) != TYPEFUNC_COMPOSITE)
	{
		rows.desc = CreateTemplateTupleDesc(1);
		TupleDescInitEntry(rows.desc, 1, "value", TEXTOID, -1, 0);
	}
	rows.store = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0,
									   false, work_mem);
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult = rows.store;
	rsinfo->setDesc = rows.desc;
	MemoryContextSwitchTo(old);
	rows.item_cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw item",
										  ALLOCSET_DEFAULT_SIZES);
	return rows;
}

/* Which parts of an item a row shows, in this order. */
typedef enum ItemPart
{
	PART_KEY,
	PART_TS,
	PART_DATA
} ItemPart;

typedef struct RowShape
{
	const char *collection;		/* for messages */
	int			nparts;
	ItemPart	parts[3];
	int64		since_sec;		/* items before it are left out */
	LtfdwWriteSet *pairs;		/* pairs that this transaction has written */
} RowShape;

static void
put_item(const Rows *rows, const RowShape *shape, const ltdb_record *item)
{
	MemoryContext old = MemoryContextSwitchTo(rows->item_cxt);
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	for (int i = 0; i < shape->nparts; i++)
		switch (shape->parts[i])
		{
			case PART_KEY:
				values[i] = PointerGetDatum(ltfdw_text_from_ltdb(item->key, "key", shape->collection));
				break;
			case PART_TS:
				values[i] = ltfdw_ts_to_datum(item->ts_sec, TIMESTAMPTZOID);
				break;
			case PART_DATA:
				values[i] = PointerGetDatum(ltfdw_text_from_ltdb(item->data, "data", shape->collection));
				break;
		}
	tuplestore_putvalues(rows->store, rows->desc, values, nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(rows->item_cxt);
}

/* ---- pairs that this transaction has yet to send ---- */

static const LtfdwInterval pair_interval = {LTFDW_PAIR_TS, LTFDW_PAIR_TS};

static bool
find_written(LtfdwWriteSet *pairs, text *key, LtfdwWrite *write)
{
	return pairs && ltfdw_writeset_seek(pairs, key, pair_interval, false,
										GetCurrentCommandId(false), write);
}

/* Whether the server's pair has been replaced or deleted here. */
static bool
is_written(const RowShape *shape, const ltdb_record *item)
{
	LtfdwWrite	write;
	text	   *key;
	bool		result;

	if (shape->pairs == NULL)
		return false;
	key = ltfdw_text_from_ltdb(item->key, "key", shape->collection);
	result = find_written(shape->pairs, key, &write);
	pfree(key);
	return result;
}

static void
put_written_pairs(const Rows *rows, const RowShape *shape)
{
	LtfdwKeys	keys = {false, 0, NULL};

	ltfdw_writeset_add_keys(shape->pairs, pair_interval, GetCurrentCommandId(false), &keys);
	for (int i = 0; i < keys.count; i++)
	{
		ltdb_record item = {ltfdw_datum_to_ltdb(keys.items[i])};
		LtfdwWrite	write;

		if (!find_written(shape->pairs, keys.items[i], &write) || write.deleted)
			continue;
		item.data = write.data;
		put_item(rows, shape, &item);
	}
}

/* ---- all rows of a function ---- */

/* Turn a reply's items into the function's rows. */
static Datum
rows_of_reply(FunctionCallInfo fcinfo, LtfdwConn *conn, ltdb_reply *reply, const RowShape *shape)
{
	LtfdwReply *owned = ltfdw_reply_own(reply);
	Rows		rows = begin_rows(fcinfo);
	ltdb_record item;
	ltdb_next	next;

	while ((next = ltfdw_connection_next(conn, owned->reply, &item, NULL)) != LTDB_DONE)
	{
		if (next == LTDB_RESTART)
			tuplestore_clear(rows.store);
		else if (item.ts_sec >= shape->since_sec && !is_written(shape, &item))
			put_item(&rows, shape, &item);
	}
	ltfdw_reply_release(owned);
	if (shape->pairs)
		put_written_pairs(&rows, shape);
	return (Datum) 0;
}

/* ---- collections and records ---- */

Datum
ltfdw_collections(PG_FUNCTION_ARGS)
{
	RowShape	shape = {"", 1, {PART_KEY}, PG_INT64_MIN};
	LtfdwConn  *conn = connection_argument(fcinfo);

	return rows_of_reply(fcinfo, conn, ltdb_send_collections(ltfdw_connection_handle(conn)),
						 &shape);
}

/* The last second that is not after an instant. */
static int64
at_argument(TimestampTz at)
{
	int64		sec;

	if (TIMESTAMP_IS_NOEND(at))
		return LTDB_TS_MAX;
	sec = TIMESTAMP_IS_NOBEGIN(at) ? PG_INT64_MIN : ltfdw_usecs_floor_sec(at);
	if (sec <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"at\" must be after 1970-01-01 00:00:00+00"),
				 errdetail("LTDB answers no question about the time before.")));
	return Min(sec, (int64) LTDB_TS_MAX);
}

/* The first second that is not before an instant. */
static int64
since_argument(TimestampTz since)
{
	if (TIMESTAMP_IS_NOBEGIN(since))
		return LTDB_TS_MIN;
	if (TIMESTAMP_IS_NOEND(since))
		return (int64) LTDB_TS_MAX + 1;
	return ltfdw_usecs_floor_sec(since) + (since % LTFDW_USECS_PER_SEC != 0);
}

/*
 * The newest records where this transaction has written to the collection: key
 * by key, since the newest on the server may be one that it has deleted.
 */
static Datum
latest_with_writes(FunctionCallInfo fcinfo, LtfdwConn *conn, LtfdwTable *table, text *key,
				   const ltdb_latest *request, const RowShape *shape)
{
	LtfdwInterval interval = {Max(shape->since_sec, (int64) LTDB_TS_MIN), request->at_sec};
	LtfdwQuery	query = {{false, 1, &key}, {1, &interval}};
	CommandId	cid = GetCurrentCommandId(false);
	LtfdwReading reading = {true, -1, 1, ltfdw_transaction_writes(GetUserId(), table, LTFDW_RECORDS), cid};
	LtfdwReader *reader = ltfdw_reader_new(conn, table, NULL);
	Rows		rows = begin_rows(fcinfo);
	LtfdwRecord record;

	if (key == NULL)
	{
		query.keys = ltfdw_keys_list(conn, table->collection, interval, NULL);
		ltfdw_writeset_add_keys(reading.writes, interval, cid, &query.keys);
	}
	ltfdw_reader_start(reader, &query, reading);
	while (ltfdw_reader_next(reader, &record, true) == LTDB_ITEM)
	{
		ltdb_record item = {ltfdw_datum_to_ltdb(record.key), record.ts_sec, record.data};

		put_item(&rows, shape, &item);
	}
	return (Datum) 0;
}

Datum
ltfdw_latest(PG_FUNCTION_ARGS)
{
	RowShape	shape = {NULL, 3, {PART_KEY, PART_TS, PART_DATA}, PG_INT64_MIN};
	ltdb_latest request = {{0}};
	Oid			serverid;
	LtfdwTable *table;
	LtfdwConn  *conn;

	request.collection = required_ltdb_text(fcinfo, 1, "collection");
	request.at_sec = PG_ARGISNULL(2) ? LTDB_TS_MAX : at_argument(PG_GETARG_TIMESTAMPTZ(2));
	if (!PG_ARGISNULL(3))
		request.key = required_ltdb_text(fcinfo, 3, "key");
	if (!PG_ARGISNULL(4))
	{
		/* to LTDB from = 0 means no bound, hence the check of each item too */
		shape.since_sec = since_argument(PG_GETARG_TIMESTAMPTZ(4));
		request.from_sec = ltfdw_latest_from(shape.since_sec);
	}
	shape.collection = text_to_cstring(required_text(fcinfo, 1, "collection"));

	/* an empty key would mean every key, and an empty interval is not asked for */
	if ((!PG_ARGISNULL(3) && request.key.len_bytes == 0) || shape.since_sec > request.at_sec)
	{
		begin_rows(fcinfo);
		return (Datum) 0;
	}
	serverid = server_argument(fcinfo);
	conn = ltfdw_connection_get(GetUserId(), serverid);
	table = ltfdw_table_of_collection(serverid, unconstify(char *, shape.collection));
	if (ltfdw_transaction_writes(GetUserId(), table, LTFDW_RECORDS) != NULL)
		return latest_with_writes(fcinfo, conn, table,
								  PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3),
								  &request, &shape);
	return rows_of_reply(fcinfo, conn,
						 ltdb_send_latest(ltfdw_connection_handle(conn), &request), &shape);
}

/* Unlike LTDB's own request it keeps the key-value pairs: see truncate.c. */
Datum
ltfdw_delete_key(PG_FUNCTION_ARGS)
{
	char	   *collection = text_to_cstring(required_text(fcinfo, 1, "collection"));
	text	   *key = required_text(fcinfo, 2, "key");

	ltfdw_delete_records(GetUserId(),
						 ltfdw_table_of_collection(server_argument(fcinfo), collection), key);
	PG_RETURN_VOID();
}

Datum
ltfdw_delete_collection(PG_FUNCTION_ARGS)
{
	ltdb_text	collection = required_ltdb_text(fcinfo, 1, "collection");
	LtfdwConn  *conn = connection_argument(fcinfo);

	acknowledge(conn, ltdb_send_delete_collection(ltfdw_connection_handle(conn), collection));
	PG_RETURN_VOID();
}

/* ---- key-value pairs ---- */

/* The collection that argument 1 names, with what its server's options say. */
static LtfdwTable *
collection_argument(FunctionCallInfo fcinfo)
{
	return ltfdw_table_of_collection(server_argument(fcinfo),
									 text_to_cstring(required_text(fcinfo, 1, "collection")));
}

/* Refuse now what the server would refuse when the transaction commits. */
static void
require_nonempty(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (VARSIZE_ANY_EXHDR(required_text(fcinfo, argno, name)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name),
				 errdetail("LTDB keeps no pair without a collection, a key and a value.")));
}

/* Set a pair, or delete it if there is no value: now, or at the commit. */
static void
write_pair(FunctionCallInfo fcinfo, const ltdb_text *value)
{
	LtfdwTable *table = collection_argument(fcinfo);
	text	   *key = required_text(fcinfo, 2, "key");
	CommandId	cid = GetCurrentCommandId(true);
	LtfdwSender *sender;

	require_nonempty(fcinfo, 1, "collection");
	require_nonempty(fcinfo, 2, "key");
	if (table->write_at_commit)
	{
		LtfdwWriteSet *pairs = ltfdw_transaction_write_to(GetUserId(), table, LTFDW_PAIRS);

		if (value)
			ltfdw_writeset_put(pairs, key, LTFDW_PAIR_TS, *value, cid);
		else
			ltfdw_writeset_remove(pairs, key, LTFDW_PAIR_TS, cid);
		return;
	}
	ltfdw_transaction_bypassed(table->collection);
	sender = ltfdw_sender_new(ltfdw_connection_get(GetUserId(), table->serverid),
							  table->collection, table->batch_size, false);
	ltfdw_sender_set_value(sender, ltfdw_datum_to_ltdb(key), value);
	ltfdw_sender_finish(sender);
}

Datum
ltfdw_kv_set(PG_FUNCTION_ARGS)
{
	ltdb_text	value = required_ltdb_text(fcinfo, 3, "value");

	require_nonempty(fcinfo, 3, "value");
	write_pair(fcinfo, &value);
	PG_RETURN_VOID();
}

Datum
ltfdw_kv_delete(PG_FUNCTION_ARGS)
{
	write_pair(fcinfo, NULL);
	PG_RETURN_VOID();
}

Datum
ltfdw_kv_get(PG_FUNCTION_ARGS)
{
	LtfdwTable *table = collection_argument(fcinfo);
	text	   *key = required_text(fcinfo, 2, "key");
	LtfdwWriteSet *pairs = ltfdw_transaction_writes(GetUserId(), table, LTFDW_PAIRS);
	LtfdwWrite	write;
	LtfdwConn  *conn;
	LtfdwReply *owned;
	ltdb_record item;
	text	   *value = NULL;

	if (find_written(pairs, key, &write))
	{
		if (write.deleted)
			PG_RETURN_NULL();
		PG_RETURN_TEXT_P(ltfdw_text_from_ltdb(write.data, "value", table->collection));
	}
	conn = ltfdw_connection_get(GetUserId(), table->serverid);
	owned = ltfdw_reply_own(ltdb_send_get_value(ltfdw_connection_handle(conn),
												required_ltdb_text(fcinfo, 1, "collection"),
												ltfdw_datum_to_ltdb(key)));
	while (ltfdw_connection_next(conn, owned->reply, &item, NULL) == LTDB_ITEM)
		value = ltfdw_text_from_ltdb(item.data, "value", table->collection);
	ltfdw_reply_release(owned);
	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(value);
}

Datum
ltfdw_kv_keys(PG_FUNCTION_ARGS)
{
	LtfdwTable *table = collection_argument(fcinfo);
	RowShape	shape = {table->collection, 1, {PART_KEY}, PG_INT64_MIN,
	ltfdw_transaction_writes(GetUserId(), table, LTFDW_PAIRS)};
	LtfdwConn  *conn = ltfdw_connection_get(GetUserId(), table->serverid);

	return rows_of_reply(fcinfo, conn,
						 ltdb_send_list_keys(ltfdw_connection_handle(conn),
											 required_ltdb_text(fcinfo, 1, "collection")), &shape);
}

Datum
ltfdw_kv_all(PG_FUNCTION_ARGS)
{
	LtfdwTable *table = collection_argument(fcinfo);
	RowShape	shape = {table->collection, 2, {PART_KEY, PART_DATA}, PG_INT64_MIN,
	ltfdw_transaction_writes(GetUserId(), table, LTFDW_PAIRS)};
	LtfdwConn  *conn = ltfdw_connection_get(GetUserId(), table->serverid);

	return rows_of_reply(fcinfo, conn,
						 ltdb_send_list_values(ltfdw_connection_handle(conn),
											   required_ltdb_text(fcinfo, 1, "collection")), &shape);
}
