/*-------------------------------------------------------------------------
 *
 * wire_load.c
 *		A bare client that measures what a server and a socket can do.
 *
 * It sends the requests that ltdb_fdw sends, answers it only counts.  So its
 * times are the floor under any real client of the same server.  Its records
 * are made by number, so that what a request has to ask for is known
 * beforehand.  The connection is left to wire.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "wire.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The ts of each key's first record; the others follow second by second. */
#define FIRST_TS 1000000000L

#define LAST_TS 2147483647L

/* The length of data that has all members. */
#define FULL_DATA_BYTES 45

/* What the command line says. */
typedef struct load
{
	wire		wire;
	const char *collection;
	long		records;
	long		keys;
	long		data_bytes;
	long		batch;			/* records in an insert */
	long		page;			/* records in an answer */
	long		window;			/* requests in flight */
	long		requests;		/* of the modes that send single ones */
} load;

typedef void (*request_writer) (const load *ld, long i, text *out);

/* Keeps `window` requests in flight; returns when all are answered. */
static void
run_requests(load *ld, long count, long window, request_writer write_request)
{
	text		out = {0};
	long		sent = 0;

	for (long answered = 0; answered < count;)
	{
		if (sent < count && sent - answered < window)
		{
			out.len = 0;
			write_request(ld, sent++, &out);
			wire_send(&ld->wire, &out);
		}
		else
		{
			wire_receive(&ld->wire);
			answered++;
		}
	}
	free(out.bytes);
}

/* Rounded up. */
static long
ceiling(long dividend, long divisor)
{
	return (dividend + divisor - 1) / divisor;
}

/* ---- requests ---- */

static void
write_data(const load *ld, long n, text *out)
{
	long		padding = ld->data_bytes - FULL_DATA_BYTES;

	text_append(out, "{\\\\\\\"n\\\\\\\": %ld", 10000000 + n);
	if (padding >= 0)
		text_append(out, ", \\\\\\\"t\\\\\\\": %ld.%ld, \\\\\\\"u\\\\\\\": \\\\\\\"C\\\\\\\", "
					"\\\\\\\"p\\\\\\\": \\\\\\\"%0*d\\\\\\\"",
					10 + n % 30, n % 10, (int) padding, 0);
	text_append(out, "}");
}

/* Records lie round robin over the keys, so that every batch has many keys. */
static void
write_insert(const load *ld, long i, text *out)
{
	long		first = i * ld->batch;
	long		last = first + ld->batch < ld->records ? first + ld->batch : ld->records;

	text_append(out, "{\"id\":\"i%ld\",\"type\":\"insert\",\"data\":\"[", i);
	for (long n = first; n < last; n++)
	{
		text_append(out, "%s{\\\"ts\\\":%ld,\\\"key\\\":\\\"key-%ld\\\",\\\"data\\\":\\\"",
					n > first ? "," : "", FIRST_TS + n / ld->keys, n % ld->keys);
		write_data(ld, n, out);
		text_append(out, "\\\",\\\"collection\\\":\\\"%s\\\"}", ld->collection);
	}
	text_append(out, "]\"}");
}

static void
write_latest(const load *ld, long i, text *out)
{
	text_append(out, "{\"id\":\"l%ld\",\"type\":\"query\",\"data\":\"{\\\"collection\\\":\\\"%s\\\","
				"\\\"ts\\\":%ld,\\\"key\\\":\\\"\\\",\\\"from\\\":0}\"}",
				i, ld->collection, LAST_TS);
}

static void
write_fetch(const load *ld, long i, long key, long from, long to, long limit, text *out)
{
	text_append(out, "{\"id\":\"f%ld\",\"type\":\"query-user\",\"data\":\"{\\\"collection\\\":\\\"%s\\\","
				"\\\"key\\\":\\\"key-%ld\\\",\\\"from\\\":%ld,\\\"to\\\":%ld,\\\"limit\\\":%ld}\"}",
				i, ld->collection, key, from, to, limit);
}

/* Pages of one key; a full one is followed by another, be it empty. */
static long
pages_of_key(const load *ld)
{
	return ld->records / ld->keys / ld->page + 1;
}

static void
write_page(const load *ld, long i, text *out)
{
	long		pages = pages_of_key(ld);

	write_fetch(ld, i, i / pages, FIRST_TS + i % pages * ld->page, LAST_TS, ld->page, out);
}

static void
write_point(const load *ld, long i, text *out)
{
	long		ts = FIRST_TS + i * 7919 % ceiling(ld->records, ld->keys);

	write_fetch(ld, i, i % ld->keys, ts, ts, ld->page, out);
}

static void
write_whole_key(const load *ld, long i, text *out)
{
	write_fetch(ld, i, i % ld->keys, -2147483648L, LAST_TS, ld->page, out);
}

static void
write_delete(const load *ld, long i, text *out)
{
	text_append(out, "{\"id\":\"d%ld\",\"type\":\"delete-collection\","
				"\"data\":\"{\\\"collection\\\":\\\"%s\\\"}\"}", i, ld->collection);
}

/* ---- loads; each returns how many of its units it has done ---- */

static long
run_insert(load *ld)
{
	run_requests(ld, ceiling(ld->records, ld->batch), ld->window, write_insert);
	return ld->records;
}

/* The names of the keys, and then page after page of each. */
static long
run_scan(load *ld)
{
	run_requests(ld, 1, 1, write_latest);
	run_requests(ld, ld->keys * pages_of_key(ld), ld->window, write_page);
	return ld->records;
}

/* The pages without the names, as when the key is given. */
static long
run_fetch(load *ld)
{
	run_requests(ld, ld->keys * pages_of_key(ld), ld->window, write_page);
	return ld->records;
}

static long
run_latest(load *ld)
{
	run_requests(ld, 1, 1, write_latest);
	return ld->keys;
}

static long
run_point(load *ld)
{
	run_requests(ld, ld->requests, 1, write_point);
	return ld->requests;
}

static long
run_lookup(load *ld)
{
	run_requests(ld, ld->requests, 1, write_whole_key);
	return ld->requests;
}

static long
run_connect(load *ld)
{
	for (long i = 0; i < ld->requests; i++)
	{
		wire_close(&ld->wire);
		wire_open(&ld->wire);
	}
	return ld->requests;
}

static long
run_delete(load *ld)
{
	run_requests(ld, 1, 1, write_delete);
	return 1;
}

static const struct mode
{
	const char *name;
	long		(*run) (load *ld);
	const char *unit;
}			modes[] = {
	{"insert", run_insert, "records"},
	{"scan", run_scan, "records"},
	{"fetch", run_fetch, "records"},
	{"latest", run_latest, "keys"},
	{"point", run_point, "requests"},
	{"lookup", run_lookup, "requests"},
	{"connect", run_connect, "connections"},
	{"delete", run_delete, "collections"},
	{NULL, NULL, NULL}
};

static double
now_sec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void
run_mode(load *ld, const char *name)
{
	const struct mode *mode = modes;
	double		begin_sec;
	double		elapsed_sec;
	long		count;

	while (mode->name != NULL && strcmp(mode->name, name) != 0)
		mode++;
	if (mode->name == NULL)
		die("unknown mode \"%s\"", name);
	ld->wire.bytes = ld->wire.records = 0;
	begin_sec = now_sec();
	count = mode->run(ld);
	elapsed_sec = now_sec() - begin_sec;
	printf("%s %.6f s, %ld %s, %.0f %s/s, %llu bytes in", mode->name, elapsed_sec, count, mode->unit,
		   count / elapsed_sec, mode->unit, (unsigned long long) ld->wire.bytes);
	if (ld->wire.counting)
		printf(", %llu records in", (unsigned long long) ld->wire.records);
	putchar('\n');
}

/* ---- the command line ---- */

static const char usage[] =
	"Usage: wire_load [OPTION]... ws://HOST:PORT MODE...\n"
	"Modes, run in the order given: insert, scan (the keys and all pages), fetch (all\n"
	"pages), latest (of each key), point (one record a request), lookup (one key a\n"
	"request), connect, delete (the collection).\n"
	"The api key is taken from LTDB_SECRET_KEY; it must need no escaping.\n"
	"  --collection NAME  (load)   --records N  (1000000)   --keys N  (100)\n"
	"  --data-bytes N  (50)   --batch N  records in an insert (1000)\n"
	"  --page N  records in an answer (10000)   --window N  requests in flight (8)\n"
	"  --requests N  of point, lookup and connect (10000)\n"
	"  --count  count the records received, too\n";

static void __attribute__((noreturn))
show_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static void
parse_url(wire *w, char *url)
{
	char	   *colon;

	if (strncmp(url, "ws://", 5) != 0 || (colon = strrchr(url + 5, ':')) == NULL)
		die("the url must look like ws://HOST:PORT");
	*colon = '\0';
	w->host = url + 5;
	snprintf(w->port, sizeof(w->port), "%d", atoi(colon + 1));
}

static void
parse_options(load *ld, int argc, char **argv)
{
	static const struct option options[] = {
		{"collection", required_argument, NULL, 'c'},
		{"count", no_argument, NULL, 'C'},
		{"records", required_argument, NULL, 0},
		{"keys", required_argument, NULL, 0},
		{"data-bytes", required_argument, NULL, 0},
		{"batch", required_argument, NULL, 0},
		{"page", required_argument, NULL, 0},
		{"window", required_argument, NULL, 0},
		{"requests", required_argument, NULL, 0},
		{NULL, 0, NULL, 0}
	};
	long	   *numbers[] = {NULL, NULL, &ld->records, &ld->keys, &ld->data_bytes,
		&ld->batch, &ld->page, &ld->window, &ld->requests
	};
	int			option;
	int			i;

	while ((option = getopt_long(argc, argv, "", options, &i)) != -1)
	{
		if (option == 'c')
			ld->collection = optarg;
		else if (option == 'C')
			ld->wire.counting = true;
		else if (option != 0 || (*numbers[i] = atol(optarg)) <= 0)
			show_usage();
	}
}

int
main(int argc, char **argv)
{
	load		ld = {.collection = "load",.records = 1000000,.keys = 100,.data_bytes = 50,
		.batch = 1000,.page = 10000,.window = 8,.requests = 10000
	};

	parse_options(&ld, argc, argv);
	ld.wire.key = getenv("LTDB_SECRET_KEY");
	if (argc - optind < 2 || ld.wire.key == NULL)
		show_usage();
	parse_url(&ld.wire, argv[optind]);
	wire_open(&ld.wire);
	for (int i = optind + 1; i < argc; i++)
		run_mode(&ld, argv[i]);
	wire_close(&ld.wire);
	return 0;
}
