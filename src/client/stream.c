/*-------------------------------------------------------------------------
 *
 * stream.c
 *		What arrives at the socket of an open connection, and what leaves.
 *
 * Once the WebSocket handshake is over, libwebsockets has no part in it: bytes
 * are read here, through TLS or not, and go by way of frames.c to receive.c;
 * messages become frames in outbox.c, and are written here.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ltdb_int.h"

/*
 * What is read at once.  A record of TLS has 16 KiB at most, and OpenSSL reads
 * no further: so it never has any left that the socket does not announce.
 */
#define READ_BYTES (64 * 1024)

/* The bound of one call, after which the caller gets a look in. */
#define MAX_CALL_BYTES (1024 * 1024)

/*
 * Begins with whatever comes next from a socket; ssl is the SSL on it, if any.
 * False if there is no memory.
 */
bool
ltdbp_stream_start(ltdbp_stream *stream, int fd, void *ssl)
{
	stream->fd = fd;
	stream->ssl = ssl;
	stream->pong_due = false;
	stream->frames = ltdbp_frames_new();
	stream->inbox = ltdbp_realloc(NULL, READ_BYTES);
	stream->started = ltdbp_outbox_start(&stream->outbox) && stream->frames != NULL &&
		stream->inbox != NULL;
	return stream->started;
}

void
ltdbp_stream_end(ltdbp_stream *stream)
{
	ltdbp_frames_free(stream->frames);
	free(stream->inbox);
	ltdbp_outbox_end(&stream->outbox);
	memset(stream, 0, sizeof(*stream));
}

/* ---- reading ---- */

/* As recv(): -1 with EAGAIN if nothing is there, 0 if nothing will be. */
static ssize_t
read_some(ltdb_conn *conn, ltdbp_stream *stream)
{
	ssize_t		len;

	if (stream->ssl != NULL)
		return ltdbp_tls_read(conn->socket.tls, stream->ssl, stream->inbox, READ_BYTES);
	do
		len = recv(stream->fd, stream->inbox, READ_BYTES, MSG_DONTWAIT);
	while (len < 0 && errno == EINTR);
	return len;
}

static void
keep_ping(ltdbp_stream *stream, const ltdbp_piece *piece)
{
	/* a ping not yet answered gives way to a newer one (RFC 6455, section 5.5.3) */
	memcpy(stream->pong, piece->bytes, piece->len_bytes);
	stream->pong_len = piece->len_bytes;
	stream->pong_due = true;
}

/* Hands on a piece of a message; false if the connection has ended with it. */
bool
ltdbp_stream_hand_on(ltdb_conn *conn, char *bytes, size_t len, bool final)
{
	if (ltdbp_receive(conn, bytes, len, final))
		return true;
	ltdbp_socket_fail(&conn->socket, conn->violated ? conn->violation : "connection failed");
	return false;
}

/* Hands on what was read; false if the connection has ended with it. */
static bool
take_frames(ltdb_conn *conn, ltdbp_stream *stream, size_t len)
{
	ltdbp_piece piece;

	ltdbp_frames_feed(stream->frames, stream->inbox, len);
	for (;;)
	{
		switch (ltdbp_frames_next(stream->frames, &piece))
		{
			case LTDBP_FRAME_MORE:
				return true;
			case LTDBP_FRAME_DATA:
				if (!ltdbp_stream_hand_on(conn, piece.bytes, piece.len_bytes, piece.final))
					return false;
				break;
			case LTDBP_FRAME_PING:
				keep_ping(stream, &piece);
				break;
			case LTDBP_FRAME_CLOSE:
				ltdbp_socket_closed(&conn->socket, piece.bytes, piece.len_bytes);
				return false;
			case LTDBP_FRAME_BAD:
				conn->violated = true;
				conn->violation = ltdbp_frames_flaw(stream->frames);
				ltdbp_socket_fail(&conn->socket, conn->violation);
				return false;
		}
	}
}

/* Takes what has arrived, within bounds; the socket may have ended then. */
void
ltdbp_stream_read(ltdb_conn *conn)
{
	ltdbp_stream *stream = &conn->socket.stream;
	size_t		taken = 0;

	while (taken < MAX_CALL_BYTES)
	{
		ssize_t		len = read_some(conn, stream);

		if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (len <= 0)
		{
			ltdbp_socket_fail(&conn->socket, "connection closed by the peer");
			return;
		}
		taken += (size_t) len;
		if (!take_frames(conn, stream, (size_t) len))
			return;

		/* TLS hands out one of its own records at a time */
		if (stream->ssl == NULL && len < READ_BYTES)
			return;
	}
}

/* ---- writing ---- */

/* As send(). */
static ssize_t
write_some(ltdb_conn *conn, ltdbp_stream *stream)
{
	const ltdbp_outbox *outbox = &stream->outbox;
	const char *bytes = outbox->bytes + outbox->sent_bytes;
	size_t		left = outbox->len_bytes - outbox->sent_bytes;
	ssize_t		len;

	if (stream->ssl != NULL)
		return ltdbp_tls_write(conn->socket.tls, stream->ssl, bytes, left);
	do
		len = send(stream->fd, bytes, left, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (len < 0 && errno == EINTR);
	return len;
}

/* The next piece of the message that is being sent. */
static bool
put_piece(ltdb_conn *conn, const ltdb_reply *reply, size_t room)
{
	ltdbp_socket *socket = &conn->socket;
	size_t		left = reply->message.len_bytes - socket->sent_bytes;
	size_t		len = left < room ? left : room;
	unsigned	first_byte = socket->sent_bytes == 0 ? LTDBP_FRAME_TEXT : LTDBP_FRAME_CONTINUED;

	if (len == left)
		first_byte |= LTDBP_FRAME_FINAL;
	if (!ltdbp_outbox_put(&socket->stream.outbox, first_byte,
						  reply->message.bytes + socket->sent_bytes, len))
		return false;
	socket->sent_bytes += len;
	if (len == left)
	{
		socket->sent_bytes = 0;
		ltdbp_conn_sent(conn);
	}
	return true;
}

static bool
put_pong(ltdbp_stream *stream)
{
	stream->pong_due = false;
	return ltdbp_outbox_put(&stream->outbox, LTDBP_FRAME_FINAL | LTDBP_FRAME_PONG, stream->pong,
							stream->pong_len);
}

/* Fills an outbox that is empty; false if that failed. */
static bool
fill_outbox(ltdb_conn *conn, ltdbp_stream *stream)
{
	ltdb_reply *reply;
	size_t		room;
	bool		good = true;

	if (stream->pong_due)
		good = put_pong(stream);
	while (good && (room = ltdbp_outbox_room(&stream->outbox)) > 0 &&
		   (reply = ltdbp_conn_sending(conn)) != NULL)
		good = put_piece(conn, reply, room);
	return good;
}

/* Sends what there is to be sent, within bounds; the socket may have ended then. */
void
ltdbp_stream_write(ltdb_conn *conn)
{
	ltdbp_stream *stream = &conn->socket.stream;
	size_t		written = 0;

	while (written < MAX_CALL_BYTES)
	{
		ssize_t		len;

		if (ltdbp_outbox_is_empty(&stream->outbox) && !fill_outbox(conn, stream))
		{
			ltdbp_socket_fail(&conn->socket, "could not get random numbers");
			return;
		}
		if (ltdbp_outbox_is_empty(&stream->outbox))
			return;
		len = write_some(conn, stream);
		if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (len <= 0)
		{
			ltdbp_socket_lost(conn, "connection lost while sending");
			return;
		}
		written += (size_t) len;
		ltdbp_outbox_sent(&stream->outbox, (size_t) len);
	}
}

/* Whether there is something for when the socket takes more, messages apart. */
bool
ltdbp_stream_wants_write(const ltdbp_stream *stream)
{
	return stream->pong_due || !ltdbp_outbox_is_empty(&stream->outbox);
}
