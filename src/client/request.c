/*-------------------------------------------------------------------------
 *
 * request.c
 *		The ltdb_send_...() functions: from arguments to a queued message.
 *
 * What LTDB would refuse, and the message itself, are left to encode.c; when
 * the message goes out is decided by conn.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ltdb_int.h"

/* The request for messages: what, how much, of what, where.  NULL = no memory. */
char *
ltdbp_request_words(const ltdb_dialect *dialect, const ltdbp_request *request)
{
	ltdbp_buffer words = {0};
	const char *preposition = " of";
	char		count[64];

	ltdbp_buffer_puts(&words, dialect->type[request->type]);
	if (request->type != LTDB_REQ_AUTHENTICATE)
	{
		if (request->count > 0)
		{
			snprintf(count, sizeof(count), " of %zu record%s",
					 request->count, request->count == 1 ? "" : "s");
			ltdbp_buffer_puts(&words, count);
			preposition = " in";
		}
		if (request->key.len_bytes > 0)
		{
			ltdbp_buffer_puts(&words, " of key ");
			ltdbp_buffer_put_quoted(&words, request->key);
			preposition = " in";
		}
		if (request->collection.len_bytes > 0)
		{
			ltdbp_buffer_puts(&words, preposition);
			ltdbp_buffer_puts(&words, " collection ");
			ltdbp_buffer_put_quoted(&words, request->collection);
		}
	}
	ltdbp_buffer_append(&words, "", 1);
	if (words.failed)
		ltdbp_buffer_free(&words);
	return words.bytes;
}

/* Nothing is sent: the reply fails at once, and never was the connection's. */
static ltdb_reply *
fail_unsent(ltdb_reply *reply, ltdb_error error, const char *text)
{
	ltdbp_buffer_free(&reply->message);
	ltdbp_reply_fail(reply, error, text);
	reply->conn = NULL;
	return reply;
}

/* Queues the request, or lets its reply fail. */
static ltdb_reply *
send_request(ltdb_conn *conn, const ltdbp_request *request)
{
	ltdbp_flaw	flaw = {LTDB_OK, ""};
	ltdb_reply *reply = ltdbp_reply_new(conn, request);

	if (reply == NULL)
		return NULL;
	if (conn->life == LTDBP_LIFE_FAILED)
		return fail_unsent(reply, conn->error, conn->message);

	if (!ltdbp_request_check(request, &flaw) ||
		!ltdbp_encode(&reply->message, conn->dialect, reply->id, request, &flaw))
	{
		if (flaw.error == LTDB_ERROR_MEMORY)
		{
			ltdbp_reply_destroy(reply);
			return NULL;
		}
		return fail_unsent(reply, flaw.error, flaw.reason);
	}
	ltdbp_conn_queue(conn, reply);
	return reply;
}

/* A request about many records. */
static ltdb_reply *
send_records(ltdb_conn *conn, ltdb_request_type type, ltdb_text collection,
			 const ltdb_record *records, size_t count)
{
	return send_request(conn, &(ltdbp_request) {
		.type = type,
		.collection = collection,
		.records = records,
		.count = count
	});
}

/* A request about one key, or about a whole collection. */
static ltdb_reply *
send_named(ltdb_conn *conn, ltdb_request_type type, ltdb_text collection, ltdb_text key)
{
	return send_request(conn, &(ltdbp_request) {
		.type = type,
		.collection = collection,
		.key = key
	});
}

ltdb_reply *
ltdb_send_insert(ltdb_conn *conn, ltdb_text collection, const ltdb_record *records, size_t count)
{
	return send_records(conn, LTDB_REQ_INSERT, collection, records, count);
}

ltdb_reply *
ltdb_send_fetch(ltdb_conn *conn, const ltdb_fetch *fetch)
{
	return send_request(conn, &(ltdbp_request) {
		.type = LTDB_REQ_FETCH,
		.collection = fetch->collection,
		.key = fetch->key,
		.from_sec = fetch->from_sec,
		.to_sec = fetch->to_sec,
		.limit = fetch->limit,
		.reverse = fetch->reverse,
		.raw = fetch->raw_data
	});
}

ltdb_reply *
ltdb_send_latest(ltdb_conn *conn, const ltdb_latest *latest)
{
	return send_request(conn, &(ltdbp_request) {
		.type = LTDB_REQ_LATEST,
		.collection = latest->collection,
		.key = latest->key,
		.ts_sec = latest->at_sec,
		.from_sec = latest->from_sec
	});
}

ltdb_reply *
ltdb_send_collections(ltdb_conn *conn)
{
	return send_request(conn, &(ltdbp_request) {.type = LTDB_REQ_COLLECTIONS});
}

ltdb_reply *
ltdb_send_delete_record(ltdb_conn *conn, ltdb_text collection, ltdb_text key, int64_t ts_sec)
{
	return send_request(conn, &(ltdbp_request) {
		.type = LTDB_REQ_DELETE_RECORD,
		.collection = collection,
		.key = key,
		.ts_sec = ts_sec
	});
}

ltdb_reply *
ltdb_send_delete_records(ltdb_conn *conn, ltdb_text collection,
						 const ltdb_record *records, size_t count)
{
	return send_records(conn, LTDB_REQ_DELETE_RECORDS, collection, records, count);
}

ltdb_reply *
ltdb_send_delete_key(ltdb_conn *conn, ltdb_text collection, ltdb_text key)
{
	return send_named(conn, LTDB_REQ_DELETE_KEY, collection, key);
}

ltdb_reply *
ltdb_send_delete_collection(ltdb_conn *conn, ltdb_text collection)
{
	return send_named(conn, LTDB_REQ_DELETE_COLLECTION, collection, (ltdb_text) {"", 0});
}

ltdb_reply *
ltdb_send_set_value(ltdb_conn *conn, ltdb_text collection, ltdb_text key, ltdb_text value)
{
	return send_request(conn, &(ltdbp_request) {
		.type = LTDB_REQ_SET_VALUE,
		.collection = collection,
		.key = key,
		.value = value
	});
}

ltdb_reply *
ltdb_send_get_value(ltdb_conn *conn, ltdb_text collection, ltdb_text key)
{
	return send_named(conn, LTDB_REQ_GET_VALUE, collection, key);
}

ltdb_reply *
ltdb_send_delete_value(ltdb_conn *conn, ltdb_text collection, ltdb_text key)
{
	return send_named(conn, LTDB_REQ_DELETE_VALUE, collection, key);
}

ltdb_reply *
ltdb_send_list_keys(ltdb_conn *conn, ltdb_text collection)
{
	return send_named(conn, LTDB_REQ_LIST_KEYS, collection, (ltdb_text) {"", 0});
}

ltdb_reply *
ltdb_send_list_values(ltdb_conn *conn, ltdb_text collection)
{
	return send_named(conn, LTDB_REQ_LIST_VALUES, collection, (ltdb_text) {"", 0});
}
