/*-------------------------------------------------------------------------
 *
 * connection.h
 *		What is known of a session's connection: for connection.c, which keeps
 *		it, and observe.c, which shows it.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LTFDW_CONNECTION_H
#define LTFDW_CONNECTION_H

#include "fdw.h"

#define LTFDW_VERSION "1.0"

struct LtfdwConn
{
	Oid			umid;			/* user mapping; the key of the cache */
	ltdb_conn  *handle;			/* NULL = not connected */
	char	   *server_name;	/* for messages */
	Oid			serverid;
	uint32		server_hash;	/* what the syscaches report when it changes */
	uint32		mapping_hash;
	bool		invalidated;	/* its options have changed */
	bool		in_use;			/* in this transaction */
	bool		waited_for;		/* now, or until it was interrupted */
	bool		keep;			/* after this transaction */

	/* since the session began */
	int64		opened;			/* connections, without those re-established */
	ltdb_stats	closed;			/* of those closed by now */
	int64		records;
	int64		errors;			/* raised */
	instr_time	wait_time;
};

extern ltdb_stats ltfdw_connection_stats(const LtfdwConn *conn);
extern void ltfdw_connection_close(LtfdwConn *conn);
extern void ltfdw_connections_walk(void (*visit) (LtfdwConn *conn, void *arg), void *arg);

#endif							/* LTFDW_CONNECTION_H */
