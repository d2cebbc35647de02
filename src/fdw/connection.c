/*-------------------------------------------------------------------------
 *
 * connection.c
 *		The session's connections, one for each user mapping; the one place
 *		that waits; and how the client's errors become PostgreSQL's.
 *
 * A connection is opened when it is first needed and kept.  If its server or
 * user mapping changes, or it failed, it is closed at the end of the
 * transaction, not before: a scan may still read from it.
 *
 * What a session is shown of its connections is observe.c's business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "connection.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/*
 * The socket, and what libwebsockets wakes itself with.  PostgreSQL wants to
 * know of descriptors that it has not opened itself, to close some of its own.
 */
#define DESCRIPTORS 3

static HTAB *connections = NULL;

/* How a client's error is told: here and nowhere else. */
static const struct
{
	ltdb_error	error;
	int			sqlstate;
	const char *hint;
}			error_table[] = {
	{LTDB_ERROR_MEMORY, ERRCODE_OUT_OF_MEMORY, NULL},
	{LTDB_ERROR_URL, ERRCODE_FDW_INVALID_STRING_FORMAT, NULL},
	{LTDB_ERROR_ARGUMENT, ERRCODE_INVALID_PARAMETER_VALUE, NULL},
	{LTDB_ERROR_CONNECT, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	"Check that the server runs and that the option url of the foreign server names it."},
	{LTDB_ERROR_CONNECT_TIMEOUT, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	"The option connect_timeout of the foreign server sets how long to wait."},
	{LTDB_ERROR_AUTHENTICATION, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
	"Check the option api_key of the user mapping."},
	{LTDB_ERROR_LOST, ERRCODE_CONNECTION_FAILURE, NULL},
	{LTDB_ERROR_TIMEOUT, ERRCODE_CONNECTION_FAILURE,
	"The option request_timeout of the foreign server sets how long to wait."},
	{LTDB_ERROR_REFUSED, ERRCODE_FDW_ERROR, NULL},
	{LTDB_ERROR_PROTOCOL, ERRCODE_PROTOCOL_VIOLATION,
	"Check that the server speaks the protocol of LTDB."},
	{LTDB_ERROR_TOO_BIG, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
	"The option max_message_size of the foreign server sets how much of one answer may wait in memory."},
	{LTDB_ERROR_TLS, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	"The options sslmode, sslrootcert, sslcrl, sslcert and sslkey of the foreign server say whom to trust, and who we are."},
};

pg_noreturn static void
report_error(LtfdwConn *conn, ltdb_error error, const char *request, const char *message)
{
	int			sqlstate = ERRCODE_FDW_ERROR;
	const char *hint = NULL;
	char		line[256];

	conn->errors++;

	/* libwebsockets' own words, for those who look for them */
	while (ltdb_log_take(line, sizeof(line)))
		ereport(DEBUG1, (errmsg_internal("libwebsockets: %s", line)));

	for (int i = 0; i < lengthof(error_table); i++)
		if (error_table[i].error == error)
		{
			sqlstate = error_table[i].sqlstate;
			hint = error_table[i].hint;
		}
	ereport(ERROR,
			(errcode(sqlstate),
			 request ? errmsg("LTDB server \"%s\": %s: %s", conn->server_name, request, message)
			 : errmsg("LTDB server \"%s\": %s", conn->server_name, message),
			 hint ? errhint("%s", hint) : 0));
}

/* ---- the cache ---- */

static void
release_descriptors(int count)
{
	while (count-- > 0)
		ReleaseExternalFD();
}

/* One more must be left: to wait takes one. */
static void
acquire_descriptors(LtfdwConn *conn)
{
	for (int i = 0; i < DESCRIPTORS + 1; i++)
		if (!AcquireExternalFD())
		{
			release_descriptors(i);
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("LTDB server \"%s\": could not connect: too many open files", conn->server_name),
					 errhint("Raise max_files_per_process and the limit of the operating system, or set keep_connections to false.")));
		}
	release_descriptors(1);
}

/* What all its connections so far have done. */
ltdb_stats
ltfdw_connection_stats(const LtfdwConn *conn)
{
	ltdb_stats	sum = conn->closed;

	if (conn->handle)
	{
		const ltdb_stats *open = ltdb_conn_stats(conn->handle);

		sum.requests += open->requests;
		sum.answers += open->answers;
		sum.bytes_sent += open->bytes_sent;
		sum.bytes_received += open->bytes_received;
		sum.reconnects += open->reconnects;
	}
	return sum;
}

void
ltfdw_connection_close(LtfdwConn *conn)
{
	conn->closed = ltfdw_connection_stats(conn);
	if (conn->handle)
	{
		ltdb_conn_free(conn->handle);
		release_descriptors(DESCRIPTORS);
	}
	conn->handle = NULL;
	conn->in_use = false;
	conn->waited_for = false;
	conn->invalidated = false;
}

/*
 * At the end of a transaction nothing reads from a connection any more.  One
 * with answers outstanding after an abort, or not established yet, is closed
 * rather than read out: it may be what has hung.  That needs no wait.  Nothing
 * here may raise an error.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	HASH_SEQ_STATUS seq;
	LtfdwConn  *conn;
	bool		aborted = event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT;

	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			break;
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			return;
	}

	hash_seq_init(&seq, connections);
	while ((conn = hash_seq_search(&seq)) != NULL)
	{
		/* that of a dropped user mapping will not be used again, but is open */
		if (conn->handle == NULL || !(conn->in_use || conn->invalidated))
			continue;
		conn->in_use = false;
		if (conn->invalidated || !conn->keep || ltdb_conn_error(conn->handle) != LTDB_OK ||
			(aborted && ltdb_is_encumbered(conn->handle)))
			ltfdw_connection_close(conn);
	}
}

/* Only a flag: whoever reads from the connection may go on. */
static void
on_invalidation(Datum arg, int cacheid, uint32 hash)
{
	HASH_SEQ_STATUS seq;
	LtfdwConn  *conn;

	hash_seq_init(&seq, connections);
	while ((conn = hash_seq_search(&seq)) != NULL)
	{
		/* hash 0 means all of them */
		if (hash == 0 ||
			(cacheid == FOREIGNSERVEROID && conn->server_hash == hash) ||
			(cacheid == USERMAPPINGOID && conn->mapping_hash == hash))
			conn->invalidated = true;
	}
}

/* Say goodbye to the servers when the session ends. */
static void
at_session_end(int code, Datum arg)
{
	HASH_SEQ_STATUS seq;
	LtfdwConn  *conn;

	hash_seq_init(&seq, connections);
	while ((conn = hash_seq_search(&seq)) != NULL)
		ltfdw_connection_close(conn);
}

static void
create_cache(void)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(LtfdwConn);
	ctl.hcxt = CacheMemoryContext;
	connections = hash_create("ltdb_fdw connections", 8, &ctl,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	RegisterXactCallback(at_transaction_end, NULL);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, on_invalidation, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, on_invalidation, (Datum) 0);
	on_proc_exit(at_session_end, (Datum) 0);
}

static void
open_connection(LtfdwConn *conn, UserMapping *user)
{
	ForeignServer *server = GetForeignServer(user->serverid);
	ltdb_options options;
	char		client_name[64];

	ltfdw_server_options(server, &options, &conn->keep);
	options.api_key = ltfdw_user_api_key(user);
	if (options.api_key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("user mapping for server \"%s\" has no api key", server->servername),
				 errhint("Use ALTER USER MAPPING ... OPTIONS (ADD api_key '...').")));

	/* enough to find the session in pg_stat_activity */
	snprintf(client_name, sizeof(client_name), "ltdb_fdw/" LTFDW_VERSION " PostgreSQL/" PG_MAJORVERSION " (pid %d)", MyProcPid);
	options.client_name = client_name;

	if (conn->server_name == NULL || strcmp(conn->server_name, server->servername) != 0)
	{
		char	   *old_name = conn->server_name;

		conn->server_name = MemoryContextStrdup(CacheMemoryContext, server->servername);
		if (old_name)
			pfree(old_name);
	}
	conn->server_hash = GetSysCacheHashValue1(FOREIGNSERVEROID,
											  ObjectIdGetDatum(server->serverid));
	conn->mapping_hash = GetSysCacheHashValue1(USERMAPPINGOID, ObjectIdGetDatum(user->umid));
	conn->invalidated = false;
	conn->serverid = server->serverid;
	acquire_descriptors(conn);
	conn->opened++;
	conn->handle = ltdb_connect_start(&options);
	if (conn->handle == NULL)
	{
		release_descriptors(DESCRIPTORS);
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	}
}

/* Call a function for each connection of this session, open or not. */
void
ltfdw_connections_walk(void (*visit) (LtfdwConn *conn, void *arg), void *arg)
{
	HASH_SEQ_STATUS seq;
	LtfdwConn  *conn;

	if (connections == NULL)
		return;
	hash_seq_init(&seq, connections);
	while ((conn = hash_seq_search(&seq)) != NULL)
		visit(conn, arg);
}

/*
 * Whether a connection is to be replaced: it has failed; its options have
 * changed; or a statement was interrupted waiting for it, after which a
 * savepoint lets the transaction go on, and nobody else waits for it.
 */
static bool
is_spent(LtfdwConn *conn)
{
	return ltdb_conn_error(conn->handle) != LTDB_OK ||
		(conn->invalidated && !conn->in_use) ||
		(conn->waited_for && ltdb_in_flight(conn->handle) == 0 && ltdb_is_encumbered(conn->handle));
}

/*
 * The connection of a user for a server, opened if need be but not waited
 * for: requests can be queued at once.
 */
LtfdwConn *
ltfdw_connection_get(Oid userid, Oid serverid)
{
	UserMapping *user = GetUserMapping(userid, serverid);
	LtfdwConn  *conn;
	bool		found;

	if (connections == NULL)
		create_cache();

	conn = hash_search(connections, &user->umid, HASH_ENTER, &found);
	if (!found)
		memset((char *) conn + sizeof(conn->umid), 0, sizeof(LtfdwConn) - sizeof(conn->umid));

	if (conn->handle && is_spent(conn))
		ltfdw_connection_close(conn);
	if (conn->handle == NULL)
		open_connection(conn, user);
	conn->in_use = true;
	return conn;
}

ltdb_conn *
ltfdw_connection_handle(LtfdwConn *conn)
{
	return conn->handle;
}

/* ---- waiting ---- */

/* The one wait: latch and socket, a deadline, and interrupts checked. */
static void
wait_for_server(LtfdwConn *conn, LtfdwCounters *counters)
{
	ltdb_conn  *handle = conn->handle;
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
	pgsocket	sock = ltdb_socket(handle);
	unsigned	wants = ltdb_wants(handle);
	int			timeout_ms = ltdb_wait_ms(handle);
	int			occurred;
	instr_time	start;
	instr_time	end;

	INSTR_TIME_SET_CURRENT(start);
	if (timeout_ms >= 0)
		events |= WL_TIMEOUT;
	if (sock >= 0)
		events |= ((wants & LTDB_WANT_READ) ? WL_SOCKET_READABLE : 0) |
			((wants & LTDB_WANT_WRITE) ? WL_SOCKET_WRITEABLE : 0);

	conn->waited_for = true;
	occurred = WaitLatchOrSocket(MyLatch, events, sock >= 0 ? sock : PGINVALID_SOCKET,
								 timeout_ms, ltfdw_wait_event(ltdb_conn_phase(handle)));
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_ACCUM_DIFF(conn->wait_time, end, start);
	if (counters && counters->timing)
		INSTR_TIME_ACCUM_DIFF(counters->wait_time, end, start);
	if (occurred & WL_LATCH_SET)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	conn->waited_for = false;
	ltdb_poll(handle);
}

/*
 * The next item of a reply, if it has arrived; LTDB_WAIT if not.  An error is
 * raised, not returned.  The counters may be NULL.
 */
static ltdb_next
try_next(LtfdwConn *conn, ltdb_reply *reply, ltdb_record *item,
		 LtfdwCounters *counters)
{
	for (bool polled = false;; polled = true)
	{
		ltdb_next	next = ltdb_reply_next(reply, item);

		if (next == LTDB_ERROR)
			report_error(conn, ltdb_reply_error(reply), ltdb_reply_request(reply),
						 ltdb_reply_message(reply));
		if (next == LTDB_ITEM)
		{
			conn->records++;
			if (counters)
				counters->records++;
		}
		if (next == LTDB_DONE)
			ereport(DEBUG2,
					(errmsg_internal("LTDB server \"%s\": %s: answered with %zu bytes",
									 conn->server_name, ltdb_reply_request(reply),
									 ltdb_reply_bytes(reply))));
		if (next != LTDB_WAIT || polled)
			return next;
		ltdb_poll(conn->handle);
	}
}

/* The same, waiting for it. */
ltdb_next
ltfdw_connection_next(LtfdwConn *conn, ltdb_reply *reply, ltdb_record *item,
					  LtfdwCounters *counters)
{
	ltdb_next	next;

	while ((next = try_next(conn, reply, item, counters)) == LTDB_WAIT)
		wait_for_server(conn, counters);
	return next;
}

/* Either of the two. */
ltdb_next
ltfdw_connection_ask(LtfdwConn *conn, ltdb_reply *reply, ltdb_record *item,
					 LtfdwCounters *counters, bool wait)
{
	return wait ? ltfdw_connection_next(conn, reply, item, counters)
		: try_next(conn, reply, item, counters);
}

/* Wait while a lost connection has no socket, until the next attempt to reconnect. */
void
ltfdw_connection_await_socket(LtfdwConn *conn)
{
	while (ltdb_poll(conn->handle) == LTDB_CONNECTING && ltdb_socket(conn->handle) < 0)
		wait_for_server(conn, NULL);
}

/* Wait until a request without items is acknowledged. */
void
ltfdw_connection_finish(LtfdwConn *conn, ltdb_reply *reply)
{
	ltdb_record item;

	while (ltfdw_connection_next(conn, reply, &item, NULL) != LTDB_DONE)
		;
}

/* Count an answer that is done with. */
void
ltfdw_counters_add(LtfdwCounters *counters, const ltdb_reply *reply)
{
	if (counters && reply)
		counters->bytes += ltdb_reply_bytes(reply);
}

/* ---- replies that free themselves ---- */

static void
release_callback(void *arg)
{
	ltfdw_reply_release(arg);
}

/*
 * Take a reply that was just received from the client: whatever happens, it
 * is freed with the current memory context.
 */
LtfdwReply *
ltfdw_reply_own(ltdb_reply *reply)
{
	LtfdwReply *owned;

	if (reply == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	owned = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(LtfdwReply),
									   MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
	if (owned == NULL)
	{
		ltdb_reply_free(reply);
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	}
	owned->reply = reply;
	owned->release.func = release_callback;
	owned->release.arg = owned;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &owned->release);
	return owned;
}

void
ltfdw_reply_release(LtfdwReply *owned)
{
	ltdb_reply_free(owned->reply);
	owned->reply = NULL;
}
