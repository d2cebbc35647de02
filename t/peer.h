/*-------------------------------------------------------------------------
 *
 * peer.h
 *		A WebSocket server for tests that does just what a test tells it to.
 *
 * It lives in the test's own process and thread: peer_step() moves what can be
 * moved without waiting, so that a test decides what happens when.  It speaks
 * enough of HTTP and RFC 6455 to be taken for a server, and nothing of LTDB:
 * each message goes to the test's handler.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef PEER_H
#define PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>
#include <libwebsockets.h>

typedef struct peer peer;

/* What came in; valid until the handler returns. */
typedef struct peer_request
{
	const char *id;
	const char *type;
	json_t	   *data;			/* the payload, parsed; a string for api-key */
} peer_request;

typedef void (*peer_handler) (peer *p, const peer_request *request);

typedef struct peer_bytes
{
	char	   *bytes;
	size_t		len;
	size_t		size;
} peer_bytes;

struct peer
{
	int			listener;
	int			port;
	int			fd;				/* one connection at a time; -1 = none */
	bool		upgraded;
	bool		dropping;
	peer_bytes	in;
	peer_bytes	message;		/* fragments joined so far */
	peer_bytes	out;

	/* how to behave */
	peer_handler handler;
	const char *handshake;		/* to send in place of the right answer */
	bool		deaf;			/* accept, and then do nothing */
	bool		stalled;		/* do not even read */
	size_t		frame_bytes;	/* longest frame to send, 0 = any */
	size_t		write_bytes;	/* longest write, 0 = any */
	size_t		drop_after;		/* after so many more bytes, close in the next step; 0 = never */

	/* what happened */
	int			connections;
	int			messages;		/* other than api keys */
	int			frames;			/* of messages received */
	int			pongs;
	char		host[128];		/* the header of the last handshake */

	/* for the handlers */
	int			step;
	char		held[16][32];	/* ids */
};

static void __attribute__((unused))
peer_append(peer_bytes *buffer, const void *bytes, size_t len)
{
	if (buffer->len + len > buffer->size)
	{
		buffer->size = (buffer->len + len) * 2;
		buffer->bytes = realloc(buffer->bytes, buffer->size);
	}
	if (len > 0)
		memcpy(buffer->bytes + buffer->len, bytes, len);
	buffer->len += len;
}

static void __attribute__((unused))
peer_remove(peer_bytes *buffer, size_t len)
{
	buffer->len -= len;
	memmove(buffer->bytes, buffer->bytes + len, buffer->len);
}

/* Listens on a free port, or again on the one it had. */
static void __attribute__((unused))
peer_listen(peer *p)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) p->port)};
	socklen_t	len = sizeof(address);
	int			on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(p->listener, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		listen(p->listener, 16) != 0 ||
		getsockname(p->listener, (struct sockaddr *) &address, &len) != 0)
	{
		perror("peer");
		exit(2);
	}
	p->port = ntohs(address.sin_port);
}

static void __attribute__((unused))
peer_hang_up(peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->in.len = p->message.len = p->out.len = 0;
	p->upgraded = p->dropping = false;
}

static void __attribute__((unused))
peer_stop_listening(peer *p)
{
	if (p->listener >= 0)
		close(p->listener);
	p->listener = -1;
}

static void __attribute__((unused))
peer_free(peer *p)
{
	peer_hang_up(p);
	peer_stop_listening(p);
	free(p->in.bytes);
	free(p->message.bytes);
	free(p->out.bytes);
}

/* ---- sending ---- */

static void __attribute__((unused))
peer_send_frame(peer *p, int first_byte, const char *bytes, size_t len)
{
	unsigned char head[10] = {(unsigned char) first_byte};
	size_t		head_len = 2;
	int			i;

	if (len < 126)
		head[1] = (unsigned char) len;
	else if (len < 65536)
	{
		head[1] = 126;
		head[2] = (unsigned char) (len >> 8);
		head[3] = (unsigned char) len;
		head_len = 4;
	}
	else
	{
		head[1] = 127;
		for (i = 0; i < 8; i++)
			head[2 + i] = (unsigned char) ((uint64_t) len >> (56 - 8 * i));
		head_len = 10;
	}
	peer_append(&p->out, head, head_len);
	peer_append(&p->out, bytes, len);
}

/* A text message, in frames as the test wants them, with pings between. */
static void __attribute__((unused))
peer_send_bytes(peer *p, const char *text, size_t len)
{
	size_t		at = 0;

	do
	{
		size_t		piece = len - at;
		int			first_byte = at == 0 ? 0x01 : 0x00;

		if (p->frame_bytes > 0 && piece > p->frame_bytes)
			piece = p->frame_bytes;
		if (at + piece == len)
			first_byte |= 0x80;
		if (at > 0)
			peer_send_frame(p, 0x89, "ping", 4);
		peer_send_frame(p, first_byte, text + at, piece);
		at += piece;
	} while (at < len);
}

static void __attribute__((unused))
peer_send(peer *p, const char *text)
{
	peer_send_bytes(p, text, strlen(text));
}

/* An answer: {"id":...} and more members, given with their comma in front. */
static void __attribute__((unused))
peer_answer(peer *p, const char *id, const char *members)
{
	size_t		size = strlen(id) + strlen(members) + 32;
	char	   *text = malloc(size);

	snprintf(text, size, "{\"id\":\"%s\"%s}", id, members);
	peer_send(p, text);
	free(text);
}

/* A close frame; code 0 = without a code. */
static void __attribute__((unused))
peer_send_close(peer *p, int code)
{
	char		payload[2] = {(char) (code >> 8), (char) code};

	peer_send_frame(p, 0x88, payload, code ? 2 : 0);
}

static void __attribute__((unused))
peer_flush(peer *p)
{
	while (p->fd >= 0 && p->out.len > 0 && !p->dropping)
	{
		size_t		len = p->out.len;
		ssize_t		sent;

		if (p->write_bytes > 0 && len > p->write_bytes)
			len = p->write_bytes;
		if (p->drop_after > 0 && len > p->drop_after)
			len = p->drop_after;
		sent = send(p->fd, p->out.bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent <= 0)
			return;
		peer_remove(&p->out, (size_t) sent);
		if (p->drop_after > 0)
		{
			p->drop_after -= (size_t) sent;
			if (p->drop_after == 0)
			{
				p->dropping = true;
				return;
			}
		}
		if (p->write_bytes > 0)
			return;
	}
}

/* ---- receiving ---- */

/* Answers the upgrade request once it is complete. */
static void __attribute__((unused))
peer_upgrade(peer *p)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char	   *end = memmem(p->in.bytes, p->in.len, "\r\n\r\n", 4);
	char	   *key;
	char	   *host;
	char		text[256];
	unsigned char digest[20];
	char		accept_key[64];

	if (end == NULL)
		return;
	*end = '\0';
	key = strcasestr(p->in.bytes, "sec-websocket-key: ");
	host = strcasestr(p->in.bytes, "host: ");
	if (host != NULL)
		snprintf(p->host, sizeof(p->host), "%.*s", (int) strcspn(host + 6, "\r"), host + 6);
	if (p->handshake != NULL)
		peer_append(&p->out, p->handshake, strlen(p->handshake));
	else if (key != NULL)
	{
		snprintf(text, sizeof(text), "%.24s%s", key + 19, guid);
		lws_SHA1((unsigned char *) text, strlen(text), digest);
		lws_b64_encode_string((char *) digest, sizeof(digest), accept_key, sizeof(accept_key));
		snprintf(text, sizeof(text), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
				 "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept_key);
		peer_append(&p->out, text, strlen(text));
		p->upgraded = true;
	}
	peer_remove(&p->in, (size_t) (end + 4 - p->in.bytes));
}

static void __attribute__((unused))
peer_handle(peer *p)
{
	json_t	   *message = json_loadb(p->message.bytes, p->message.len, 0, NULL);
	peer_request request = {
		json_string_value(json_object_get(message, "id")),
		json_string_value(json_object_get(message, "type")),
		NULL
	};
	json_t	   *data = json_object_get(message, "data");

	p->message.len = 0;
	if (request.type != NULL && strcmp(request.type, "api-key") == 0)
		request.data = json_incref(data);
	else
	{
		request.data = json_loads(json_string_value(data) ? json_string_value(data) : "", 0, NULL);
		p->messages++;
	}
	if (request.id == NULL || request.type == NULL || request.data == NULL)
		peer_send_close(p, 1002);
	else
		p->handler(p, &request);
	json_decref(request.data);
	json_decref(message);
}

/* Takes one frame from the input; false if none is complete. */
static bool __attribute__((unused))
peer_take_frame(peer *p)
{
	unsigned char *in = (unsigned char *) p->in.bytes;
	size_t		head_len = 6;
	uint64_t	len;
	size_t		i;
	int			opcode;
	bool		final;

	if (p->in.len < 2)
		return false;
	len = in[1] & 0x7F;
	if (len == 126)
		head_len = 8;
	else if (len == 127)
		head_len = 14;
	if (p->in.len < head_len)
		return false;
	if (len >= 126)
	{
		for (i = 2, len = 0; i < head_len - 4; i++)
			len = len << 8 | in[i];
	}
	if (p->in.len < head_len + len)
		return false;

	for (i = 0; i < len; i++)
		in[head_len + i] ^= in[head_len - 4 + i % 4];
	opcode = in[0] & 0x0F;
	final = (in[0] & 0x80) != 0;
	if (opcode < 8)
	{
		p->frames++;
		peer_append(&p->message, in + head_len, len);
	}
	peer_remove(&p->in, head_len + len);
	if (opcode < 8 && final)
		peer_handle(p);
	else if (opcode == 8)
		peer_hang_up(p);
	else if (opcode == 10)
		p->pongs++;
	return p->fd >= 0;
}

static void __attribute__((unused))
peer_receive(peer *p)
{
	char		bytes[65536];
	ssize_t		len = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (len == 0 || (len < 0 && errno != EAGAIN))
		peer_hang_up(p);
	else if (len > 0 && !p->deaf)
		peer_append(&p->in, bytes, (size_t) len);
}

/* Does all that can be done without waiting. */
static void __attribute__((unused))
peer_step(peer *p)
{
	if (p->dropping)
		peer_hang_up(p);
	if (p->listener >= 0 && p->fd < 0)
	{
		int			on = 1;

		p->fd = accept(p->listener, NULL, NULL);
		if (p->fd >= 0)
		{
			setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			p->connections++;
		}
	}
	if (p->fd >= 0 && !p->stalled)
		peer_receive(p);
	if (p->fd >= 0 && !p->upgraded && p->in.len > 0)
		peer_upgrade(p);
	while (p->fd >= 0 && p->upgraded && peer_take_frame(p))
		;
	peer_flush(p);
}

#endif							/* PEER_H */
