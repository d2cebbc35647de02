/*-------------------------------------------------------------------------
 *
 * reply.c
 *		What the caller holds of a request, until it frees it.
 *
 * A reply knows how to receive its answer and how to begin it anew after the
 * connection was lost.  Taking the answer apart is left to decode.c; when a
 * reply receives and when it is sent again, to receive.c and conn.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ltdb_int.h"

/* The texts of a request that may have to be encoded again. */
static bool
copy_names(ltdb_reply *reply, const ltdbp_request *request)
{
	size_t		collection_len = request->collection.len_bytes;
	size_t		key_len = request->key.len_bytes;

	reply->copies = ltdbp_alloc_zeroed(collection_len + key_len + 1);
	if (reply->copies == NULL)
		return false;
	if (collection_len > 0)
		memcpy(reply->copies, request->collection.bytes, collection_len);
	if (key_len > 0)
		memcpy(reply->copies + collection_len, request->key.bytes, key_len);
	reply->request.collection.bytes = reply->copies;
	reply->request.key.bytes = reply->copies + collection_len;
	return true;
}

static void
init_decoder(ltdb_reply *reply)
{
	ltdbp_decoder_init(&reply->decoder, reply->conn->dialect, reply->request.type);
	reply->decoder.raw = reply->request.raw;
}

/* A reply without a message yet, in no list; NULL when out of memory. */
ltdb_reply *
ltdbp_reply_new(ltdb_conn *conn, const ltdbp_request *request)
{
	ltdb_reply *reply = ltdbp_alloc_zeroed(sizeof(*reply));

	if (reply == NULL)
		return NULL;
	reply->conn = conn;
	reply->id = ++conn->last_id;
	reply->request = *request;
	reply->request.records = NULL;
	reply->words = ltdbp_request_words(conn->dialect, request);
	init_decoder(reply);
	if (reply->words == NULL ||
		(request->type == LTDB_REQ_FETCH && !copy_names(reply, request)))
	{
		ltdbp_reply_destroy(reply);
		return NULL;
	}
	return reply;
}

void
ltdbp_reply_destroy(ltdb_reply *reply)
{
	ltdbp_decoder_free(&reply->decoder);
	ltdbp_buffer_free(&reply->message);
	free(reply->copies);
	free(reply->words);
	free(reply->error_text);
	free(reply);
}

/* The first error wins. */
void
ltdbp_reply_fail(ltdb_reply *reply, ltdb_error error, const char *text)
{
	if (reply->error != LTDB_OK)
		return;
	reply->error = error;
	reply->error_text = ltdbp_strdup(text);
	ltdbp_decoder_free(&reply->decoder);
	memset(&reply->decoder, 0, sizeof(reply->decoder));
}

/* A piece of the answer; dropped if nobody will read it. */
void
ltdbp_reply_receive(ltdb_reply *reply, const char *bytes, size_t len)
{
	size_t		max = reply->conn->max_buffer_bytes;
	size_t		held = ltdbp_decoder_unread(&reply->decoder) + ltdbp_keyset_bytes(&reply->decoder.keys);
	char		text[128];

	reply->received_bytes += len;
	if (reply->abandoned || reply->error != LTDB_OK)
		return;
	if (len > max || held > max - len)
	{
		snprintf(text, sizeof(text), "answer has more than %zu bytes waiting to be read", max);
		ltdbp_reply_fail(reply, LTDB_ERROR_TOO_BIG, text);
	}
	else if (!ltdbp_decoder_feed(&reply->decoder, bytes, len))
		ltdbp_reply_fail(reply, LTDB_ERROR_MEMORY, "out of memory");
}

/* ---- beginning anew ---- */

/*
 * Narrows a fetch to what lies behind the last record handed out; false if
 * there is nothing left.
 */
static bool
narrow_fetch(ltdb_reply *reply)
{
	ltdbp_request *request = &reply->request;

	if (request->limit > 0)
	{
		request->limit -= reply->items;
		if (request->limit == 0)
			return false;
	}
	if (request->reverse)
	{
		if (reply->last_ts_sec <= request->from_sec)
			return false;
		request->to_sec = reply->last_ts_sec - 1;
	}
	else
	{
		if (reply->last_ts_sec >= request->to_sec)
			return false;
		request->from_sec = reply->last_ts_sec + 1;
	}
	return true;
}

/*
 * Makes the message of a narrowed fetch.  LTDB refuses an interval that ends
 * before 1, so a descending fetch that has got there asks again for the
 * records from 1 down to the last one handed out, which are skipped when they
 * come; the limit has to make room for them.
 */
static bool
encode_again(ltdb_reply *reply)
{
	ltdbp_request request = reply->request;
	ltdbp_flaw	flaw = {LTDB_OK, ""};

	reply->overlaps = request.to_sec < 1;
	if (reply->overlaps)
	{
		if (request.limit > 0)
			request.limit += 1 - request.to_sec;
		request.to_sec = 1;
	}
	reply->message.len_bytes = 0;
	if (ltdbp_encode(&reply->message, reply->conn->dialect, reply->id, &request, &flaw))
		return true;
	ltdbp_reply_fail(reply, flaw.error, flaw.reason);
	return false;
}

/* There is nothing more to come. */
static bool
settle(ltdb_reply *reply)
{
	reply->decoder.phase = LTDBP_PHASE_DONE;
	return false;
}

/*
 * The connection was lost before the answer was complete.  Returns whether
 * the request is to be sent again; if not, the reply has ended.
 */
bool
ltdbp_reply_rewind(ltdb_reply *reply)
{
	if (reply->abandoned || reply->error != LTDB_OK)
		return false;

	reply->sent = false;
	ltdbp_decoder_free(&reply->decoder);
	init_decoder(reply);
	if (reply->items == 0)
		return true;

	if (reply->request.type == LTDB_REQ_FETCH)
	{
		if (!narrow_fetch(reply))
			return settle(reply);
		reply->items = 0;
		return encode_again(reply);
	}
	if (reply->decoder.shape == LTDBP_SHAPE_STRING)
		return settle(reply);
	reply->items = 0;
	reply->restart = true;
	return true;
}

/* ---- reading ---- */

/*
 * Whether a fetched record is the next one.  Resuming relies on the order, so
 * a server that does not keep it must not pass; what is known to come twice
 * is skipped.
 */
static bool
is_next_record(ltdb_reply *reply, const ltdb_record *item, bool *skip)
{
	const ltdbp_request *request = &reply->request;
	int64_t		ts_sec = item->ts_sec;
	const char *flaw = NULL;

	*skip = false;
	if (reply->has_last &&
		(request->reverse ? ts_sec >= reply->last_ts_sec : ts_sec <= reply->last_ts_sec))
	{
		*skip = reply->overlaps;
		flaw = "malformed answer: records out of order";
	}
	else if (ts_sec < request->from_sec || ts_sec > request->to_sec)
		flaw = "malformed answer: record outside of the interval asked for";
	else if (request->limit > 0 && reply->items >= request->limit)
	{
		*skip = reply->overlaps;
		flaw = "malformed answer: more records than asked for";
	}

	if (flaw != NULL && !*skip)
	{
		ltdbp_reply_fail(reply, LTDB_ERROR_PROTOCOL, flaw);
		return false;
	}
	return true;
}

static ltdb_next
next_item(ltdb_reply *reply, ltdb_record *item)
{
	bool		skip = false;
	ltdb_next	next;

	do
	{
		next = ltdbp_decoder_next(&reply->decoder, item);
		if (next == LTDB_ITEM && reply->request.type == LTDB_REQ_FETCH &&
			!is_next_record(reply, item, &skip))
			return LTDB_ERROR;
	} while (next == LTDB_ITEM && skip);
	return next;
}

ltdb_next
ltdb_reply_next(ltdb_reply *reply, ltdb_record *item)
{
	ltdb_next	next;

	if (reply->error != LTDB_OK)
		return LTDB_ERROR;
	if (reply->restart)
	{
		reply->restart = false;
		return LTDB_RESTART;
	}

	next = next_item(reply, item);
	if (next == LTDB_ITEM)
	{
		reply->items++;
		reply->has_last = true;
		reply->last_ts_sec = item->ts_sec;
	}
	else if (next == LTDB_ERROR && reply->error == LTDB_OK)
	{
		char		text[sizeof(reply->decoder.message) + 32];

		snprintf(text, sizeof(text), "%s%s",
				 reply->decoder.error == LTDB_ERROR_REFUSED ? "server refused the request: " : "",
				 reply->decoder.message);
		ltdbp_reply_fail(reply, reply->decoder.error, text);
	}
	return next;
}

bool
ltdb_reply_complete(const ltdb_reply *reply)
{
	return reply->error != LTDB_OK || reply->decoder.final ||
		reply->decoder.phase == LTDBP_PHASE_DONE ||
		reply->decoder.phase == LTDBP_PHASE_FAILED;
}

size_t
ltdb_reply_left(const ltdb_reply *reply, int64_t *last_ts_sec)
{
	if (reply->request.type != LTDB_REQ_FETCH || reply->error != LTDB_OK || !reply->decoder.final)
		return 0;
	return ltdbp_records_left(&reply->decoder, last_ts_sec);
}

ltdb_error
ltdb_reply_error(const ltdb_reply *reply)
{
	return reply->error;
}

const char *
ltdb_reply_message(const ltdb_reply *reply)
{
	if (reply->error == LTDB_OK)
		return "";
	return reply->error_text ? reply->error_text : "out of memory";
}

size_t
ltdb_reply_bytes(const ltdb_reply *reply)
{
	return reply->received_bytes;
}

const char *
ltdb_reply_request(const ltdb_reply *reply)
{
	return reply->words;
}

void
ltdb_reply_free(ltdb_reply *reply)
{
	if (reply == NULL)
		return;
	if (reply->conn != NULL)
		ltdbp_conn_abandon(reply->conn, reply);
	else
		ltdbp_reply_destroy(reply);
}
