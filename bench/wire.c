/*-------------------------------------------------------------------------
 *
 * wire.c
 *		Connects, frames, counts.
 *
 * Looks at what is in an answer only to count its records, if asked to.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define RECEIVE_BYTES (1024 * 1024)
#define HEADER_MAX_BYTES 14
#define OPCODE_CLOSE 8

void
die(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	fputs("wire_load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void
text_append(text *t, const char *format,...)
{
	va_list		args;
	int			len;

	for (;;)
	{
		va_start(args, format);
		len = vsnprintf(t->bytes + t->len, t->size - t->len, format, args);
		va_end(args);
		if (t->len + len < t->size)
			break;
		t->size = 2 * t->size + len + 1;
		t->bytes = realloc(t->bytes, t->size);
		if (t->bytes == NULL)
			die("out of memory");
	}
	t->len += len;
}

static void
write_all(wire *w, const char *bytes, size_t len)
{
	while (len > 0)
	{
		ssize_t		count = send(w->fd, bytes, len, MSG_NOSIGNAL);

		if (count < 0 && errno != EINTR)
			die("cannot send: %s", strerror(errno));
		if (count > 0)
		{
			bytes += count;
			len -= count;
		}
	}
}

static void
fill(wire *w)
{
	ssize_t		count;

	if (w->in_begin > 0)
	{
		memmove(w->in, w->in + w->in_begin, w->in_end - w->in_begin);
		w->in_end -= w->in_begin;
		w->in_begin = 0;
	}
	count = recv(w->fd, w->in + w->in_end, RECEIVE_BYTES - w->in_end, 0);
	if (count <= 0)
		die("the server closed the connection");
	w->in_end += count;
}

/* With one call of the system, as a rule. */
static void
send_both(wire *w, unsigned char *header, size_t header_len, const text *message)
{
	struct iovec parts[2] = {{header, header_len}, {message->bytes, message->len}};
	ssize_t		count = writev(w->fd, parts, 2);

	if (count < (ssize_t) header_len)
		die("cannot send: %s", strerror(errno));
	write_all(w, message->bytes + (count - header_len), message->len - (count - header_len));
}

/* A client must mask; a mask of zeros leaves the text as it is. */
void
wire_send(wire *w, const text *message)
{
	size_t		len = message->len;
	unsigned char header[HEADER_MAX_BYTES] = {0x81};
	size_t		header_len;

	if (len < 126)
	{
		header[1] = 0x80 | len;
		header_len = 2;
	}
	else if (len < 65536)
	{
		header[1] = 0x80 | 126;
		header[2] = len >> 8;
		header[3] = len & 255;
		header_len = 4;
	}
	else
	{
		header[1] = 0x80 | 127;
		for (int i = 0; i < 8; i++)
			header[2 + i] = (uint64_t) len >> (56 - 8 * i) & 255;
		header_len = 10;
	}
	memset(header + header_len, 0, 4);
	send_both(w, header, header_len + 4, message);
}

/*
 * A record begins with these bytes and nothing else does: inside its data the
 * quotes are escaped.
 */
static const char record_begin[] = "{\"ts\":";

static void
count_records(wire *w, const unsigned char *bytes, size_t len)
{
	const unsigned char *end = bytes + len;

	while (bytes < end)
	{
		if (w->match == 0)
		{
			bytes = memchr(bytes, record_begin[0], end - bytes);
			if (bytes == NULL)
				return;
		}
		if (*bytes == (unsigned char) record_begin[w->match])
		{
			w->match++;
			bytes++;
		}
		else
			w->match = 0;
		if (record_begin[w->match] == '\0')
		{
			w->records++;
			w->match = 0;
		}
	}
}

void
wire_receive(wire *w)
{
	bool		final = false;

	while (!final)
	{
		uint64_t	len;
		size_t		header_len = 2;
		unsigned char *header;

		while (w->in_end - w->in_begin < HEADER_MAX_BYTES &&
			   (w->in_end - w->in_begin < 2 ||
				(w->in[w->in_begin + 1] > 125 && w->in_end - w->in_begin < 10)))
			fill(w);
		header = w->in + w->in_begin;
		final = header[0] & 0x80;
		if ((header[0] & 15) == OPCODE_CLOSE)
			die("the server refused a request");
		len = header[1];
		if (len >= 126)
		{
			int			digits = len == 126 ? 2 : 8;

			len = 0;
			for (int i = 0; i < digits; i++)
				len = len << 8 | header[2 + i];
			header_len += digits;
		}
		w->in_begin += header_len;
		w->bytes += len;
		while (len > 0)
		{
			size_t		here = w->in_end - w->in_begin;

			if (here > len)
				here = len;
			if (w->counting)
				count_records(w, w->in + w->in_begin, here);
			w->in_begin += here;
			len -= here;
			if (len > 0)
				fill(w);
		}
	}
}

void
wire_open(wire *w)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	const int	on = 1;
	text		out = {0};
	unsigned char *end;

	if (w->in == NULL && (w->in = malloc(RECEIVE_BYTES)) == NULL)
		die("out of memory");
	w->in_begin = w->in_end = 0;
	if (getaddrinfo(w->host, w->port, &hints, &found) != 0)
		die("cannot resolve %s", w->host);
	w->fd = socket(found->ai_family, SOCK_STREAM, 0);
	if (w->fd < 0 || connect(w->fd, found->ai_addr, found->ai_addrlen) != 0)
		die("cannot connect to %s port %s: %s", w->host, w->port, strerror(errno));
	freeaddrinfo(found);
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

	text_append(&out, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		   w->host);
	write_all(w, out.bytes, out.len);
	do
		fill(w);
	while ((end = memmem(w->in, w->in_end, "\r\n\r\n", 4)) == NULL);
	w->in_begin = end + 4 - w->in;

	out.len = 0;
	text_append(&out, "{\"id\":\"0\",\"type\":\"api-key\",\"data\":\"%s\"}", w->key);
	wire_send(w, &out);
	wire_receive(w);
	free(out.bytes);
}

void
wire_close(wire *w)
{
	close(w->fd);
	free(w->in);
	w->in = NULL;
}
