/*-------------------------------------------------------------------------
 *
 * functions.c
 *		The SQL functions: collections, latest records, key-value pairs, and
 *		deleting whole keys and collections.
 *
 * Each names a foreign server; the caller needs USAGE on it and a user
 * mapping for it.  What a function writes is part of the transaction like what
 * INSERT and DELETE write, and those that read see it from the next statement
 * on.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
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

/* The collection that argument 1 names, with what its server's options say. */
static LtfdwTable *
collection_argument(FunctionCallInfo fcinfo, LtfdwKind kind)
{
	return ltfdw_table_of_collection(server_argument(fcinfo), kind,
									 text_to_cstring(required_text(fcinfo, 1, "collection")));
}

/* Refuse now what the server would refuse when the transaction commits. */
static void
require_nonempty(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (VARSIZE_ANY_EXHDR(required_text(fcinfo, argno, name)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name)));
}

/* ---- the transaction ---- */

/* As a statement sees its tables: without what it writes itself. */
static CommandId
reading_command(void)
{
	return GetActiveSnapshot()->curcid;
}

/*
 * A function that has written is a command by itself, so that the next one in
 * the same statement comes after it.
 */
static void
end_of_writing(LtfdwTarget *target)
{
	ltfdw_target_finish(target);
	CommandCounterIncrement();
}

/* A function that writes is as good as INSERT or DELETE. */
static void
prevent_if_read_only(FunctionCallInfo fcinfo)
{
	PreventCommandIfReadOnly(psprintf("%s()", get_func_name(fcinfo->flinfo->fn_oid)));
}

/* ---- results ---- */

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
	Rows		rows;

	ltfdw_init_materialized_srf(fcinfo);
	rows.store = rsinfo->setResult;
	rows.desc = rsinfo->setDesc;
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
		else if (item.ts_sec >= shape->since_sec)
			put_item(&rows, shape, &item);
	}
	ltfdw_reply_release(owned);
	return (Datum) 0;
}

/* ---- collections and records ---- */

Datum
ltfdw_collections(PG_FUNCTION_ARGS)
{
	RowShape	shape = {"", 1, {PART_KEY}, PG_INT64_MIN};
	LtfdwConn  *conn = ltfdw_connection_get(GetUserId(), server_argument(fcinfo));

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
	CommandId	cid = reading_command();
	LtfdwReading reading = {true, -1, 1, ltfdw_transaction_writes(table), cid};
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
	table = ltfdw_table_of_collection(serverid, LTFDW_RECORDS, shape.collection);
	if (ltfdw_transaction_writes(table) != NULL)
		return latest_with_writes(fcinfo, conn, table,
								  PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3),
								  &request, &shape);
	return rows_of_reply(fcinfo, conn,
						 ltdb_send_latest(ltfdw_connection_handle(conn), &request), &shape);
}

/* ---- deleting ---- */

/* Unlike LTDB's own request it keeps the key-value pairs: see erase.c. */
Datum
ltfdw_delete_key(PG_FUNCTION_ARGS)
{
	LtfdwTable *table = collection_argument(fcinfo, LTFDW_RECORDS);
	LtfdwTarget *target = ltfdw_target_new(GetUserId(), table, true);

	prevent_if_read_only(fcinfo);
	require_nonempty(fcinfo, 1, "collection");
	require_nonempty(fcinfo, 2, "key");
	ltfdw_target_erase_key(target, required_text(fcinfo, 2, "key"), LTDB_TS_MAX, 0);
	end_of_writing(target);
	PG_RETURN_VOID();
}

/* With write_mode 'immediate' one request does it, else both kinds are erased. */
Datum
ltfdw_delete_collection(PG_FUNCTION_ARGS)
{
	LtfdwTable *table = collection_argument(fcinfo, LTFDW_RECORDS);

	prevent_if_read_only(fcinfo);
	require_nonempty(fcinfo, 1, "collection");
	if (table->write_at_commit)
	{
		LtfdwTarget *records = ltfdw_target_new(GetUserId(), table, true);
		LtfdwTarget *pairs = ltfdw_target_new(GetUserId(),
											  collection_argument(fcinfo, LTFDW_PAIRS), true);

		ltfdw_target_erase_all(records);
		ltfdw_target_erase_all(pairs);
		end_of_writing(records);
	}
	else
		ltfdw_erase_collection(ltfdw_connection_get(GetUserId(), table->serverid), table);
	PG_RETURN_VOID();
}

/* ---- key-value pairs ---- */

/* Set a pair, or delete it if there is no value: now, or at the commit. */
static void
write_pair(FunctionCallInfo fcinfo, const ltdb_text *value)
{
	LtfdwTarget *target = ltfdw_target_new(GetUserId(), collection_argument(fcinfo, LTFDW_PAIRS),
										   false);
	text	   *key = required_text(fcinfo, 2, "key");
	ltdb_record pair = {ltfdw_datum_to_ltdb(key), LTFDW_PAIR_TS, {"", 0}};

	prevent_if_read_only(fcinfo);
	require_nonempty(fcinfo, 1, "collection");
	require_nonempty(fcinfo, 2, "key");
	if (value)
	{
		pair.data = *value;
		ltfdw_target_put(target, key, &pair);
	}
	else
		ltfdw_target_delete(target, key, &pair);
	end_of_writing(target);
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
	LtfdwTable *table = collection_argument(fcinfo, LTFDW_PAIRS);
	text	   *key = required_text(fcinfo, 2, "key");
	LtfdwQuery	query = {{false, 1, &key}, {1, unconstify(LtfdwInterval *, &ltfdw_pair_interval)}};
	LtfdwReading reading = {false, -1, -1, ltfdw_transaction_writes(table),
	reading_command()};
	LtfdwReader *reader = ltfdw_reader_new(ltfdw_connection_get(GetUserId(), table->serverid),
										   table, NULL);
	LtfdwRecord record;
	text	   *value = NULL;

	ltfdw_reader_start(reader, &query, reading);
	/* to the end of the answer, which may be wrong there */
	while (ltfdw_reader_next(reader, &record, true) == LTDB_ITEM)
		value = ltfdw_text_from_ltdb(record.data, "value", table->collection);
	ltfdw_reader_stop(reader);
	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(value);
}

/* Pairs, or their keys alone, as rows. */
static Datum
rows_of_pairs(FunctionCallInfo fcinfo, bool keys_only)
{
	LtfdwTable *table = collection_argument(fcinfo, LTFDW_PAIRS);
	RowShape	shape = {table->collection, keys_only ? 1 : 2, {PART_KEY, PART_DATA}, PG_INT64_MIN};
	LtfdwPairs *pairs = ltfdw_pairs_start(ltfdw_connection_get(GetUserId(), table->serverid),
										  table, keys_only,
										  ltfdw_transaction_writes(table),
										  reading_command(), NULL);
	Rows		rows = begin_rows(fcinfo);
	LtfdwRecord record;
	ltdb_next	next;

	while ((next = ltfdw_pairs_next(pairs, &record, true)) != LTDB_DONE)
	{
		if (next == LTDB_RESTART)
			tuplestore_clear(rows.store);
		else
		{
			ltdb_record item = {ltfdw_datum_to_ltdb(record.key), record.ts_sec, record.data};

			put_item(&rows, &shape, &item);
		}
	}
	return (Datum) 0;
}

Datum
ltfdw_kv_keys(PG_FUNCTION_ARGS)
{
	return rows_of_pairs(fcinfo, true);
}

Datum
ltfdw_kv_all(PG_FUNCTION_ARGS)
{
	return rows_of_pairs(fcinfo, false);
}
