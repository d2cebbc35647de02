/*-------------------------------------------------------------------------
 *
 * unit_decode_limits.c
 *		Tests of how much the client's decoder takes: depth, length, number, time.
 *
 * What is found within those limits is left to the other unit_decode_*.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <time.h>
#include <unistd.h>

#include "document.h"
#include "failing_realloc.h"
#include "reference.h"
#include "tap.h"

/* A value nested that deep in an answer, and jansson's opinion of it. */
static bool
nesting_agrees(int depth)
{
	static document doc;
	outcome		expected;
	bool		good;
	int			i;

	doc.len = 0;
	put(&doc, "{\"id\":\"1\",\"deep\":");
	for (i = 0; i < depth; i++)
		put(&doc, "[");
	for (i = 0; i < depth; i++)
		put(&doc, "]");
	put(&doc, "}");
	expected = reference(LTDB_REQ_INSERT, doc.bytes, doc.len);
	good = expected.verdict == (depth < 2048 ? ACCEPTED : REJECTED) &&
		agrees(LTDB_REQ_INSERT, doc.bytes, doc.len, doc.len, 0, &expected);
	free_outcome(&expected);
	return good;
}

static void
test_limits(void)
{
	ltdbp_buffer big = {0};
	outcome		out;
	int			i;

	tap_ok(nesting_agrees(2047) && nesting_agrees(2048) && nesting_agrees(10000),
		   "values nested 2,048 deep and more are refused");

	ltdbp_buffer_puts(&big, "{\"id\":\"1\",\"x\":\"");
	for (i = 0; i < 300 * 1024; i++)
		ltdbp_buffer_puts(&big, "long");
	ltdbp_buffer_puts(&big, "\"}");
	out = decode(LTDB_REQ_INSERT, big.bytes, big.len_bytes, 1000, 1000);
	tap_ok(out.verdict == REJECTED && strstr(out.message, "1 MiB") != NULL, "an unknown member may not be huge");
	free_outcome(&out);

	big.len_bytes = 0;
	ltdbp_buffer_puts(&big, "{\"id\":\"1\"");
	for (i = 0; i < 65; i++)
	{
		char		name[32];

		snprintf(name, sizeof(name), ",\"m%d\":0", i);
		ltdbp_buffer_puts(&big, name);
	}
	ltdbp_buffer_puts(&big, "}");
	out = decode(LTDB_REQ_INSERT, big.bytes, big.len_bytes, 1, 1);
	tap_ok(out.verdict == REJECTED && strstr(out.message, "64") != NULL, "nor may there be too many");
	free_outcome(&out);
	ltdbp_buffer_free(&big);
}

/*
 * Trickled byte by byte, a long item must not be read again from its beginning
 * each time: with 4 MB that would take hours.
 */
static void
test_trickle(void)
{
	ltdbp_buffer big = {0};
	outcome		out;
	clock_t		began = clock();
	int			i;

	ltdbp_buffer_puts(&big, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"");
	for (i = 0; i < 1024 * 1024; i++)
		ltdbp_buffer_puts(&big, "\xc3\xa4\\n");
	ltdbp_buffer_puts(&big, "\"}]}");
	alarm(120);
	out = decode(LTDB_REQ_FETCH, big.bytes, big.len_bytes, 1, 1);
	alarm(0);
	tap_ok(out.verdict == ACCEPTED && out.count == 1, "a record of 4 MB, byte by byte");
	printf("# %.2f s\n", (double) (clock() - began) / CLOCKS_PER_SEC);
	free_outcome(&out);
	ltdbp_buffer_free(&big);
}

/* Consumed bytes are dropped while the answer arrives. */
static void
test_memory_is_bounded(void)
{
	const char *record = ",{\"ts\":1,\"data\":\"0123456789012345678901234567890123456789\"}";
	ltdbp_decoder decoder;
	outcome		out = {0};
	int			i;

	ltdbp_decoder_init(&decoder, &ltdb_dialect_ltdb, LTDB_REQ_FETCH);
	ltdbp_decoder_feed(&decoder, "{\"id\":\"1\",\"records\":[", 21);
	for (i = 0; i < 200000; i++)
	{
		ltdbp_decoder_feed(&decoder, record + (i == 0), strlen(record) - (i == 0));
		out.items.len_bytes = 0;
		read_items(&decoder, &out);
	}
	tap_ok(out.count >= 199990 && decoder.in.size_bytes <= 512 * 1024,
		   "%d records pass through %zu bytes", out.count, decoder.in.size_bytes);
	ltdbp_decoder_free(&decoder);
	free_outcome(&out);
}

int
main(void)
{
	ltdbp_realloc = failing_realloc;
	test_limits();
	test_trickle();
	test_memory_is_bounded();
	return tap_done();
}
