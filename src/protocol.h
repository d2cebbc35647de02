/*-------------------------------------------------------------------------
 *
 * protocol.h
 *		The words of the wire: message types, member names, limits.
 *
 * One table per dialect, so that adding a dialect is adding a table.  How the
 * words are put together is the business of client/encode.c and
 * client/decode.c on one side and of server/dispatch.c on the other; this
 * header has no code and depends on nothing.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LTDB_PROTOCOL_H
#define LTDB_PROTOCOL_H

/* Every request a client can make; the index into ltdb_dialect.type. */
typedef enum ltdb_request_type
{
	LTDB_REQ_AUTHENTICATE,
	LTDB_REQ_INSERT,
	LTDB_REQ_FETCH,				/* records of one key */
	LTDB_REQ_LATEST,			/* newest record of each key */
	LTDB_REQ_COLLECTIONS,
	LTDB_REQ_DELETE_RECORD,
	LTDB_REQ_DELETE_RECORDS,
	LTDB_REQ_DELETE_KEY,
	LTDB_REQ_DELETE_COLLECTION,
	LTDB_REQ_SET_VALUE,
	LTDB_REQ_GET_VALUE,
	LTDB_REQ_DELETE_VALUE,
	LTDB_REQ_LIST_KEYS,
	LTDB_REQ_LIST_VALUES
} ltdb_request_type;

#define LTDB_REQ_COUNT (LTDB_REQ_LIST_VALUES + 1)

typedef struct ltdb_dialect
{
	const char *name;

	/* the envelope of a request, and what an answer repeats of it */
	const char *m_id;
	const char *m_type;
	const char *m_payload;		/* a JSON document serialised into a string */
	const char *m_error;		/* in an answer: why the server refused */

	/* members of a payload */
	const char *m_collection;
	const char *m_key;			/* of a record */
	const char *m_value_key;	/* of a key-value pair */
	const char *m_ts;
	const char *m_data;
	const char *m_from;
	const char *m_to;
	const char *m_limit;
	const char *m_reverse;
	const char *m_value;

	/* members of an answer that hold what was asked for */
	const char *m_records;		/* array (fetch) or object by key (latest) */
	const char *m_collections;
	const char *m_keys;
	const char *m_values;

	const char *type[LTDB_REQ_COUNT];
} ltdb_dialect;

static const ltdb_dialect ltdb_dialect_ltdb = {
	.name = "ltdb",
	.m_id = "id",
	.m_type = "type",
	.m_payload = "data",
	.m_error = "error",
	.m_collection = "collection",
	.m_key = "key",
	.m_value_key = "key",
	.m_ts = "ts",
	.m_data = "data",
	.m_from = "from",
	.m_to = "to",
	.m_limit = "limit",
	.m_reverse = "reverse",
	.m_value = "value",
	.m_records = "records",
	.m_collections = "collections",
	.m_keys = "keys",
	.m_values = "values",
	.type = {
		[LTDB_REQ_AUTHENTICATE] = "api-key",
		[LTDB_REQ_INSERT] = "insert",
		[LTDB_REQ_FETCH] = "query-user",
		[LTDB_REQ_LATEST] = "query",
		[LTDB_REQ_COLLECTIONS] = "collections",
		[LTDB_REQ_DELETE_RECORD] = "delete-record",
		[LTDB_REQ_DELETE_RECORDS] = "delete-multiple-records",
		[LTDB_REQ_DELETE_KEY] = "delete-user",
		[LTDB_REQ_DELETE_COLLECTION] = "delete-collection",
		[LTDB_REQ_SET_VALUE] = "set-value",
		[LTDB_REQ_GET_VALUE] = "get-value",
		[LTDB_REQ_DELETE_VALUE] = "remove-value",
		[LTDB_REQ_LIST_KEYS] = "get-all-keys",
		[LTDB_REQ_LIST_VALUES] = "get-all-values",
	},
};

/*
 * LTDB keeps a timestamp, in whole seconds since the Unix epoch, faithfully
 * only if it fits 32 bits signed; anything else it stores at 0.
 */
#define LTDB_TS_MIN (-2147483647 - 1)
#define LTDB_TS_MAX 2147483647

#define LTDB_DEFAULT_PORT 8080

/* What an unknown message type is answered with, before the close. */
#define LTDB_UNKNOWN_TYPE_TEXT "Unknown message type"

/* WebSocket close codes (RFC 6455, section 7.4.1). */
#define LTDB_CLOSE_NORMAL 1000
#define LTDB_CLOSE_GOING_AWAY 1001
#define LTDB_CLOSE_TOO_BIG 1009

#endif							/* LTDB_PROTOCOL_H */
