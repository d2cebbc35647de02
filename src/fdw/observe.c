/*-------------------------------------------------------------------------
 *
 * observe.c
 *		What a session can ask about its connections, and closing them: the SQL
 *		functions ltdb_fdw_...().
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "connection.h"

#include "access/htup_details.h"
#include "catalog/pg_user_mapping.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(ltfdw_version);
PG_FUNCTION_INFO_V1(ltfdw_get_connections);
PG_FUNCTION_INFO_V1(ltfdw_get_stats);
PG_FUNCTION_INFO_V1(ltfdw_disconnect);
PG_FUNCTION_INFO_V1(ltfdw_disconnect_all);

Datum
ltfdw_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(LTFDW_VERSION));
}

/* ---- rows ---- */

/* The name of whom a connection's user mapping is for; NULL if it was dropped. */
static Datum
user_name(const LtfdwConn *conn, bool *isnull)
{
	HeapTuple	tuple = SearchSysCache1(USERMAPPINGOID, ObjectIdGetDatum(conn->umid));
	char	   *name = NULL;

	if (HeapTupleIsValid(tuple))
	{
		Oid			userid = ((Form_pg_user_mapping) GETSTRUCT(tuple))->umuser;

		name = OidIsValid(userid) ? GetUserNameFromId(userid, true) : "public";
		ReleaseSysCache(tuple);
	}
	*isnull = name == NULL;
	return name ? CStringGetTextDatum(name) : (Datum) 0;
}

static void
put_connection(LtfdwConn *conn, void *arg)
{
	static const char *const states[] = {
		[LTDB_CONNECTING] = "connecting",
		[LTDB_READY] = "ready",
		[LTDB_FAILED] = "failed"
	};
	ReturnSetInfo *rsinfo = arg;
	Datum		values[5];
	bool		nulls[5] = {0};

	if (conn->handle == NULL)
		return;
	values[0] = CStringGetTextDatum(conn->server_name);
	values[1] = user_name(conn, &nulls[1]);
	values[2] = CStringGetTextDatum(states[ltdb_poll(conn->handle)]);
	values[3] = BoolGetDatum(!conn->invalidated);
	values[4] = BoolGetDatum(conn->in_use);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
put_stats(LtfdwConn *conn, void *arg)
{
	ReturnSetInfo *rsinfo = arg;
	ltdb_stats	stats = ltfdw_connection_stats(conn);
	Datum		values[10];
	bool		nulls[10] = {0};

	/* the first attempt may have found no api key */
	if (conn->server_name == NULL)
		return;
	values[0] = CStringGetTextDatum(conn->server_name);
	values[1] = user_name(conn, &nulls[1]);
	values[2] = Int64GetDatum(conn->opened);
	values[3] = Int64GetDatum(stats.reconnects);
	values[4] = Int64GetDatum(stats.requests);
	values[5] = Int64GetDatum(conn->records);
	values[6] = Int64GetDatum(stats.bytes_sent);
	values[7] = Int64GetDatum(stats.bytes_received);
	values[8] = Float8GetDatum(INSTR_TIME_GET_MILLISEC(conn->wait_time));
	values[9] = Int64GetDatum(conn->errors);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
ltfdw_get_connections(PG_FUNCTION_ARGS)
{
	ltfdw_init_materialized_srf(fcinfo);
	ltfdw_connections_walk(put_connection, fcinfo->resultinfo);
	return (Datum) 0;
}

Datum
ltfdw_get_stats(PG_FUNCTION_ARGS)
{
	ltfdw_init_materialized_srf(fcinfo);
	ltfdw_connections_walk(put_stats, fcinfo->resultinfo);
	return (Datum) 0;
}

/* ---- closing ---- */

typedef struct Closing
{
	Oid			serverid;		/* 0 = any */
	bool		any;			/* one was closed */
} Closing;

/* What this transaction still uses stays open, as with postgres_fdw. */
static void
close_if_idle(LtfdwConn *conn, void *arg)
{
	Closing    *closing = arg;

	if (conn->handle == NULL ||
		(OidIsValid(closing->serverid) && conn->serverid != closing->serverid))
		return;
	if (conn->in_use)
	{
		ereport(WARNING,
				(errmsg("cannot close connection for server \"%s\" because it is still in use",
						conn->server_name)));
		return;
	}
	ltfdw_connection_close(conn);
	closing->any = true;
}

Datum
ltfdw_disconnect(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Closing		closing = {GetForeignServerByName(name, false)->serverid, false};

	ltfdw_connections_walk(close_if_idle, &closing);
	PG_RETURN_BOOL(closing.any);
}

Datum
ltfdw_disconnect_all(PG_FUNCTION_ARGS)
{
	Closing		closing = {InvalidOid, false};

	ltfdw_connections_walk(close_if_idle, &closing);
	PG_RETURN_BOOL(closing.any);
}
