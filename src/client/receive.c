/*-------------------------------------------------------------------------
 *
 * receive.c
 *		Pieces of messages, to the replies they are for.
 *
 * Called with whatever the socket delivers; a message ends where it is said
 * to be final.  Finding the id is left to route.c, reading the answer to
 * whoever holds the reply.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "ltdb_int.h"

/* Receiving this much is progress, even within one answer. */
#define PROGRESS_BYTES (64 * 1024)

/* If the id is not within these, look for it when all is there. */
#define EARLY_BYTES 256

/* Memory for longer messages is not kept from one to the next. */
#define KEPT_BYTES (64 * 1024)

/* Forgets a message that was being received. */
void
ltdbp_receive_reset(ltdb_conn *conn)
{
	conn->target = LTDBP_TARGET_UNKNOWN;
	conn->receiving = NULL;
	conn->incoming.len_bytes = 0;
	if (conn->incoming.size_bytes > KEPT_BYTES)
		ltdbp_buffer_free(&conn->incoming);
}

static void
note_progress(ltdb_conn *conn, size_t len)
{
	conn->stats.bytes_received += len;
	conn->progress_bytes += len;
	if (conn->progress_bytes >= PROGRESS_BYTES)
	{
		conn->progress_bytes = 0;
		conn->waited_ms = 0;
	}
}

static bool
violate(ltdb_conn *conn, const char *what)
{
	conn->violated = true;
	conn->violation = what;
	return false;
}

/* Decides where the message goes, by its id. */
static bool
choose_target(ltdb_conn *conn, uint64_t id)
{
	ltdb_reply *reply = conn->first;

	if (conn->auth != NULL && conn->auth->id == id)
		reply = conn->auth;
	else
	{
		while (reply != NULL && reply->id != id)
			reply = reply->next;
	}

	if (id == 0 || id > conn->last_id || (reply != NULL && !reply->sent))
		return violate(conn, "answer to a request that was never sent");
	conn->receiving = reply;
	conn->target = reply ? LTDBP_TARGET_REPLY : LTDBP_TARGET_NONE;
	return true;
}

/* A complete message without an id. */
static bool
take_refusal(ltdb_conn *conn, const char *bytes, size_t len)
{
	if (!ltdbp_route_error(conn->dialect, bytes, len, conn->refusal, sizeof(conn->refusal)))
		return violate(conn, "message that is neither an answer nor an error");
	conn->target = LTDBP_TARGET_NONE;
	return true;
}

/* Tries to find out whom the message is for; it may be too early to say. */
static bool
route(ltdb_conn *conn, char *bytes, size_t len, bool final)
{
	uint64_t	id;

	if (!final && len > EARLY_BYTES && conn->incoming.len_bytes > EARLY_BYTES)
		return true;
	switch (ltdbp_route_find(conn->dialect, bytes, len, final, &id))
	{
		case LTDBP_ROUTE_MORE:
			return true;
		case LTDBP_ROUTE_ID:
			return choose_target(conn, id);
		case LTDBP_ROUTE_NO_ID:
			return take_refusal(conn, bytes, len);
		default:
			return violate(conn, "message that is not JSON");
	}
}

/* A piece of a message not yet routed. */
static bool
collect(ltdb_conn *conn, char *bytes, size_t len, bool final)
{
	ltdbp_buffer *incoming = &conn->incoming;
	bool		fresh = incoming->len_bytes == 0;

	/* the server says nothing before it closes */
	if (fresh && len == 0)
		return true;

	/* mostly the id is in the first piece, which then need not be kept */
	if (fresh && !route(conn, bytes, len, final))
		return false;
	if (!fresh || conn->target == LTDBP_TARGET_UNKNOWN)
	{
		if (len > conn->max_buffer_bytes - incoming->len_bytes)
		{
			ltdbp_conn_fail(conn, LTDB_ERROR_TOO_BIG, "answer has more than %zu bytes before its id",
							conn->max_buffer_bytes);
			return false;
		}
		ltdbp_buffer_append(incoming, bytes, len);
		if (incoming->failed)
		{
			ltdbp_conn_fail(conn, LTDB_ERROR_MEMORY, "out of memory");
			return false;
		}
		bytes = incoming->bytes;
		len = incoming->len_bytes;
		if (!fresh && !route(conn, bytes, len, final))
			return false;
	}

	if (conn->target == LTDBP_TARGET_REPLY)
		ltdbp_reply_receive(conn->receiving, bytes, len);
	return true;
}

/* The message has ended: it was an answer, or nothing. */
static void
complete(ltdb_conn *conn)
{
	ltdb_reply *reply = conn->receiving;

	ltdbp_receive_reset(conn);
	if (reply == NULL)
		return;

	ltdbp_decoder_finish(&reply->decoder);
	if (reply == conn->auth)
		return;
	conn->stats.answers++;
	conn->attempts = 0;
	conn->waited_ms = 0;
	ltdbp_conn_unlink(conn, reply);
	if (reply->abandoned)
		ltdbp_reply_destroy(reply);
}

/*
 * Takes a piece of a message.  False if the connection cannot go on: the peer
 * broke the protocol, or the connection has failed.
 */
bool
ltdbp_receive(ltdb_conn *conn, char *bytes, size_t len, bool final)
{
	note_progress(conn, len);
	switch (conn->target)
	{
		case LTDBP_TARGET_UNKNOWN:
			if (!collect(conn, bytes, len, final))
				return false;
			break;
		case LTDBP_TARGET_REPLY:
			ltdbp_reply_receive(conn->receiving, bytes, len);
			break;
		case LTDBP_TARGET_NONE:
			break;
	}
	if (final)
		complete(conn);
	return true;
}
