/*-------------------------------------------------------------------------
 *
 * stream.c
 *		What arrives at the socket of an open connection.
 *
 * Once the WebSocket handshake is over, libwebsockets sends, and no longer
 * receives: the bytes are read here, through TLS or not, and go by way of
 * frames.c to receive.c.  What is to be answered to a ping is kept for socket.c,
 * who sends.
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
	stream->started = stream->frames != NULL && stream->inbox != NULL;
	return stream->started;
}

void
ltdbp_stream_end(ltdbp_stream *stream)
{
	ltdbp_frames_free(stream->frames);
	free(stream->inbox);
	memset(stream, 0, sizeof(*stream));
}

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
