/*-------------------------------------------------------------------------
 *
 * unit_cost.c
 *		What a record costs the client, in instructions: a guard against
 *		changes that make reading or writing much slower.
 *
 * Instructions are the same on a busy machine as on an idle one.  The program
 * has valgrind count its own, once with few records and once with more; the
 * bounds are about half as much again as what was counted when they were set.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "client/ltdb_int.h"
#include "tap.h"

#define FEW 1000
#define MANY 5000

/* Fifty bytes with the quotes that JSON has. */
static const char data[] = "{\"n\": 10000000, \"t\": 10.0, \"u\": \"C\", \"p\": \"00000\"}";
static const char escaped[] = "{\\\"n\\\": 10000000, \\\"t\\\": 10.0, \\\"u\\\": \\\"C\\\", \\\"p\\\": \\\"00000\\\"}";

static int
decode(int count, bool raw)
{
	static const char head[] = "{\"id\":\"1\",\"records\":[";
	char		record[256];
	ltdbp_decoder decoder;
	ltdb_record item;
	int			items = 0;

	ltdbp_decoder_init(&decoder, &ltdb_dialect_ltdb, LTDB_REQ_FETCH);
	decoder.raw = raw;
	ltdbp_decoder_feed(&decoder, head, strlen(head));
	snprintf(record, sizeof(record), "{\"ts\":1000000000,\"data\":\"%s\"},", escaped);
	for (int i = 0; i < MANY; i++)
		ltdbp_decoder_feed(&decoder, record, strlen(record));
	while (items < count && ltdbp_decoder_next(&decoder, &item) == LTDB_ITEM)
		items++;
	ltdbp_decoder_free(&decoder);
	return items != count;
}

static int
encode(int count)
{
	static ltdb_record records[MANY];
	ltdbp_buffer out = {0};
	ltdbp_flaw	flaw = {LTDB_OK, ""};
	ltdbp_request request = {.type = LTDB_REQ_INSERT,.collection = {"load", 4},.records = records};
	bool		good;

	for (int i = 0; i < MANY; i++)
		records[i] = (ltdb_record) {{"key-7", 5}, 1000000000 + i, {data, strlen(data)}};
	request.count = (size_t) count;
	ltdbp_buffer_reserve(&out, 1024 * 1024);
	good = ltdbp_request_check(&request, &flaw) && ltdbp_encode(&out, &ltdb_dialect_ltdb, 1, &request, &flaw);
	ltdbp_buffer_free(&out);
	return !good;
}

/* The instructions of a run of this program, or -1. */
static long
instructions(const char *program, const char *what, int count)
{
	char		command[512];
	char		line[256];
	long		result = -1;
	FILE	   *out;

	snprintf(command, sizeof(command),
			 "valgrind --tool=callgrind --callgrind-out-file=/dev/null '%s' %s %d 2>&1", program, what, count);
	out = popen(command, "r");
	while (out != NULL && fgets(line, sizeof(line), out) != NULL)
	{
		char	   *found = strstr(line, "Collected : ");

		if (found != NULL)
			result = atol(found + strlen("Collected : "));
	}
	return out != NULL && pclose(out) == 0 ? result : -1;
}

static void
test_cost(const char *program, const char *what, long bound)
{
	long		few = instructions(program, what, FEW);
	long		many = instructions(program, what, MANY);
	long		each = (many - few) / (MANY - FEW);

	if (few < 0 || many < 0)
		tap_ok(true, "%s # SKIP valgrind cannot count here", what);
	else
		tap_ok(each > 0 && each <= bound, "%s: %ld instructions a record, at most %ld", what, each, bound);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "encode") == 0)
		return encode(atoi(argv[2]));
	if (argc == 3)
		return decode(atoi(argv[2]), strcmp(argv[1], "decode-raw") == 0);
	test_cost(argv[0], "decode", 1700);
	test_cost(argv[0], "decode-raw", 1250);
	test_cost(argv[0], "encode", 2100);
	return tap_done();
}
