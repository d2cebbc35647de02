/*-------------------------------------------------------------------------
 *
 * wire_load.c
 *		A bare client that measures what a server and a socket can do.
 *
 * It sends prepared frames and looks at answers just enough to count records:
 * no WebSocket library, no JSON.  So its numbers are the ceiling for any real
 * client of the same server.  Build: cc -O2 -o wire_load bench/wire_load.c
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_BYTES (1024 * 1024)
#define HEADER_MAX_BYTES 14
#define OPCODE_CLOSE 8

typedef struct load
{
	/* what to do */
	const char *host;
	char		port[8];
	const char *key;
	long		records;
	long		keys;
	long		data_bytes;
	long		batch;
	long		window;

	/* the connection */
	int			fd;
	unsigned char *in;
	size_t		in_begin;
	size_t		in_end;

	/* counted */
	uint64_t	answers;
	uint64_t	records_seen;
	uint64_t	bytes_seen;
	int			match;			/* of record_begin, so far */
} load;

typedef struct text
{
	char	   *bytes;
	size_t		len;
	size_t		size;
} text;

static void __attribute__((noreturn, format(printf, 1, 2)))
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

static double
now_sec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void __attribute__((format(printf, 2, 3)))
append(text *t, const char *format,...)
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

/* ---- the wire ---- */

static void
write_all(load *ld, const void *bytes, size_t len)
{
	while (len > 0)
	{
		ssize_t		count = send(ld->fd, bytes, len, MSG_NOSIGNAL);

		if (count < 0 && errno != EINTR)
			die("cannot send: %s", strerror(errno));
		if (count > 0)
		{
			bytes = (const char *) bytes + count;
			len -= count;
		}
	}
}

static void
fill(load *ld)
{
	ssize_t		count;

	if (ld->in_begin > 0)
	{
		memmove(ld->in, ld->in + ld->in_begin, ld->in_end - ld->in_begin);
		ld->in_end -= ld->in_begin;
		ld->in_begin = 0;
	}
	count = recv(ld->fd, ld->in + ld->in_end, RECEIVE_BYTES - ld->in_end, 0);
	if (count <= 0)
		die("the server closed the connection");
	ld->in_end += count;
}

/* A client must mask; a mask of zeros leaves the text as it is. */
static void
send_text(load *ld, const char *bytes, size_t len)
{
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
	write_all(ld, header, header_len + 4);
	write_all(ld, bytes, len);
}

/*
 * A record begins with these bytes and nothing else does: inside its data the
 * quotes are escaped.
 */
static const char record_begin[] = "{\"ts\":";

static void
count_records(load *ld, const unsigned char *bytes, size_t len)
{
	const unsigned char *end = bytes + len;

	while (bytes < end)
	{
		if (ld->match == 0)
		{
			bytes = memchr(bytes, record_begin[0], end - bytes);
			if (bytes == NULL)
				return;
		}
		if (*bytes == (unsigned char) record_begin[ld->match])
		{
			ld->match++;
			bytes++;
		}
		else
			ld->match = 0;
		if (record_begin[ld->match] == '\0')
		{
			ld->records_seen++;
			ld->match = 0;
		}
	}
}

/* Receives to the end of an answer, over all its frames. */
static void
receive_answer(load *ld)
{
	bool		final = false;

	while (!final)
	{
		uint64_t	len;
		size_t		header_len = 2;
		unsigned char *header;

		while (ld->in_end - ld->in_begin < HEADER_MAX_BYTES &&
			   (ld->in_end - ld->in_begin < 2 ||
				(ld->in[ld->in_begin + 1] > 125 && ld->in_end - ld->in_begin < 10)))
			fill(ld);
		header = ld->in + ld->in_begin;
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
		ld->in_begin += header_len;
		ld->bytes_seen += len;
		while (len > 0)
		{
			size_t		here = ld->in_end - ld->in_begin;

			if (here > len)
				here = len;
			count_records(ld, ld->in + ld->in_begin, here);
			ld->in_begin += here;
			len -= here;
			if (len > 0)
				fill(ld);
		}
	}
	ld->answers++;
}

static void
start(load *ld)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	const int	on = 1;
	text		out = {0};
	unsigned char *end;

	if (getaddrinfo(ld->host, ld->port, &hints, &found) != 0)
		die("cannot resolve %s", ld->host);
	ld->fd = socket(found->ai_family, SOCK_STREAM, 0);
	if (ld->fd < 0 || connect(ld->fd, found->ai_addr, found->ai_addrlen) != 0)
		die("cannot connect to %s port %s: %s", ld->host, ld->port, strerror(errno));
	freeaddrinfo(found);
	setsockopt(ld->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

	append(&out, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		   ld->host);
	write_all(ld, out.bytes, out.len);
	do
		fill(ld);
	while ((end = memmem(ld->in, ld->in_end, "\r\n\r\n", 4)) == NULL);
	ld->in_begin = end + 4 - ld->in;

	out.len = 0;
	append(&out, "{\"id\":\"0\",\"type\":\"api-key\",\"data\":\"%s\"}", ld->key);
	send_text(ld, out.bytes, out.len);
	receive_answer(ld);
	free(out.bytes);
}

/* ---- the loads ---- */

static void
report(load *ld, const char *what, const char *unit, uint64_t count, double begin_sec)
{
	double		elapsed_sec = now_sec() - begin_sec;

	printf("%-10s %10llu %s %8.3f s %12.0f %s/s %8.1f MB/s in\n", what,
		   (unsigned long long) count, unit, elapsed_sec, count / elapsed_sec, unit,
		   ld->bytes_seen / elapsed_sec / 1e6);
	ld->bytes_seen = ld->records_seen = ld->answers = 0;
}

/* Keeps `window` requests in flight; returns when all are answered. */
static void
run_requests(load *ld, long count, void (*write_request) (load *ld, long i, text *out))
{
	text		out = {0};
	long		sent = 0;

	for (long answered = 0; answered < count;)
	{
		if (sent < count && sent - answered < ld->window)
		{
			out.len = 0;
			write_request(ld, sent++, &out);
			send_text(ld, out.bytes, out.len);
		}
		else
		{
			receive_answer(ld);
			answered++;
		}
	}
	free(out.bytes);
}

/* Records lie round robin over the keys, so that every batch has many keys. */
static void
write_insert(load *ld, long i, text *out)
{
	static const char filler[] = ", \\\\\\\"unit\\\\\\\": \\\\\\\"celsius\\\\\\\"";
	long		first = i * ld->batch;
	long		last = first + ld->batch < ld->records ? first + ld->batch : ld->records;

	append(out, "{\"id\":\"i%ld\",\"type\":\"insert\",\"data\":\"[", i);
	for (long n = first; n < last; n++)
	{
		append(out, "%s{\\\"ts\\\":%ld,\\\"key\\\":\\\"key-%ld\\\",\\\"collection\\\":\\\"load\\\","
			   "\\\"data\\\":\\\"{\\\\\\\"value\\\\\\\": %08ld", n > first ? "," : "",
			   1000000 + n / ld->keys, n % ld->keys, n);
		for (long have = 18; have < ld->data_bytes; have += 19)
			append(out, "%s", filler);
		append(out, "}\\\"}");
	}
	append(out, "]\"}");
}

static void
write_fetch(load *ld, long i, text *out)
{
	append(out, "{\"id\":\"f%ld\",\"type\":\"query-user\",\"data\":\"{\\\"collection\\\":\\\"load\\\","
		   "\\\"key\\\":\\\"key-%ld\\\",\\\"from\\\":0,\\\"to\\\":2147483647}\"}", i, i % ld->keys);
}

static void
write_point(load *ld, long i, text *out)
{
	long		ts = 1000000 + i % (ld->records / ld->keys ? ld->records / ld->keys : 1);

	append(out, "{\"id\":\"p%ld\",\"type\":\"query-user\",\"data\":\"{\\\"collection\\\":\\\"load\\\","
		   "\\\"key\\\":\\\"key-%ld\\\",\\\"from\\\":%ld,\\\"to\\\":%ld}\"}", i, i % ld->keys, ts, ts);
}

static void
write_latest(load *ld __attribute__((unused)), long i, text *out)
{
	append(out, "{\"id\":\"l%ld\",\"type\":\"query\",\"data\":\"{\\\"collection\\\":\\\"load\\\","
		   "\\\"key\\\":\\\"\\\",\\\"from\\\":0,\\\"ts\\\":2147483647}\"}", i);
}

static void
run_mode(load *ld, const char *mode)
{
	double		begin_sec = now_sec();

	if (strcmp(mode, "insert") == 0)
	{
		run_requests(ld, (ld->records + ld->batch - 1) / ld->batch, write_insert);
		report(ld, mode, "records", ld->records, begin_sec);
	}
	else if (strcmp(mode, "fetch") == 0)
	{
		run_requests(ld, ld->keys, write_fetch);
		report(ld, mode, "records", ld->records_seen, begin_sec);
	}
	else if (strcmp(mode, "latest") == 0)
	{
		run_requests(ld, 1, write_latest);
		report(ld, mode, "records", ld->records_seen, begin_sec);
	}
	else if (strcmp(mode, "point") == 0)
	{
		long		window = ld->window;

		ld->window = 1;
		run_requests(ld, 10000, write_point);
		ld->window = window;
		report(ld, mode, "answers", ld->answers, begin_sec);
	}
	else
		die("unknown mode \"%s\"", mode);
}

/* ---- the command line ---- */

static const char usage[] =
	"Usage: wire_load [OPTION]... ws://HOST:PORT MODE...\n"
	"Modes, run in the order given: insert, fetch, latest, point (round trips).\n"
	"The key is taken from LTDB_SECRET_KEY; it must need no escaping.\n"
	"  --records N  (1000000)   --keys N  (100)   --data-bytes N  (50)\n"
	"  --batch N  records in an insert (1000)   --window N  requests in flight (8)\n";

static void
parse_url(load *ld, char *url)
{
	char	   *colon;

	if (strncmp(url, "ws://", 5) != 0 || (colon = strrchr(url + 5, ':')) == NULL)
		die("the url must look like ws://HOST:PORT");
	*colon = '\0';
	ld->host = url + 5;
	snprintf(ld->port, sizeof(ld->port), "%d", atoi(colon + 1));
}

int
main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"records", required_argument, NULL, 'r'},
		{"keys", required_argument, NULL, 'k'},
		{"data-bytes", required_argument, NULL, 'd'},
		{"batch", required_argument, NULL, 'b'},
		{"window", required_argument, NULL, 'w'},
		{NULL, 0, NULL, 0}
	};
	load		ld = {.records = 1000000,.keys = 100,.data_bytes = 50,.batch = 1000,.window = 8};
	int			option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
	{
		long		value = optarg != NULL ? atol(optarg) : 0;

		if (option == '?' || value <= 0)
		{
			fputs(usage, stderr);
			return 2;
		}
		*(option == 'r' ? &ld.records : option == 'k' ? &ld.keys :
		  option == 'd' ? &ld.data_bytes : option == 'b' ? &ld.batch : &ld.window) = value;
	}
	ld.key = getenv("LTDB_SECRET_KEY");
	ld.in = malloc(RECEIVE_BYTES);
	if (argc - optind < 2 || ld.key == NULL || ld.in == NULL)
	{
		fputs(usage, stderr);
		return 2;
	}
	parse_url(&ld, argv[optind]);
	start(&ld);
	for (int i = optind + 1; i < argc; i++)
		run_mode(&ld, argv[i]);
	close(ld.fd);
	free(ld.in);
	return 0;
}
