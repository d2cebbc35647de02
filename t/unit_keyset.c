/*-------------------------------------------------------------------------
 *
 * unit_keyset.c
 *		Tests of the set of keys that an answer has had.
 *
 * A seed given as argument repeats a run.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "client/ltdb_int.h"
#include "failing_realloc.h"
#include "random.h"
#include "tap.h"

#define KEYS 300000

static ltdb_text
text(const char *bytes, size_t len)
{
	return (ltdb_text) {bytes, len};
}

/* Keys that are alike, of which each is added once, and again some. */
static void
test_many(void)
{
	ltdbp_keyset set = {0};
	char		key[64];
	int			wrong = 0;

	for (int i = 0; i < KEYS; i++)
	{
		int			len = snprintf(key, sizeof(key), "sensor/%0*d", i % 40, i);
		ltdb_text	again;
		char		other[64];

		wrong += ltdbp_keyset_add(&set, text(key, (size_t) len)) != LTDBP_SCAN_OK;
		if (random_below(10) > 0)
			continue;
		len = (int) random_below((unsigned) i + 1);
		again = text(other, (size_t) snprintf(other, sizeof(other), "sensor/%0*d", len % 40, len));
		wrong += ltdbp_keyset_add(&set, again) != LTDBP_SCAN_BAD;
	}
	tap_is_int(wrong, 0, "%d keys are new once each, and then not", KEYS);
	tap_ok(set.count == KEYS && ltdbp_keyset_bytes(&set) <= 4 * KEYS * sizeof(uint64_t),
		   "... and take at most 32 bytes each");
	ltdbp_keyset_free(&set);
	tap_is_int((int64_t) ltdbp_keyset_bytes(&set), 0, "... until they are let go of");
}

/* Every length around those of a word, with all bytes the same but the last. */
static void
test_lengths(void)
{
	static const char zeros[64];
	ltdbp_keyset set = {0};
	char		key[64] = {0};
	int			wrong = 0;

	for (size_t len = 0; len < sizeof(key); len++)
	{
		wrong += ltdbp_keyset_add(&set, text(zeros, len)) != LTDBP_SCAN_OK;
		key[len] = 1;
		wrong += ltdbp_keyset_add(&set, text(key, len + 1)) != LTDBP_SCAN_OK;
		key[len] = 0;
	}
	for (size_t len = 0; len < sizeof(key); len++)
		wrong += ltdbp_keyset_add(&set, text(zeros, len)) != LTDBP_SCAN_BAD;
	tap_is_int(wrong, 0, "keys that differ in length, or in their last byte, are different");
	ltdbp_keyset_free(&set);
}

static void
test_memory(void)
{
	ltdbp_keyset set = {0};

	ltdbp_realloc = failing_realloc;
	allocations_left = 0;
	tap_ok(ltdbp_keyset_add(&set, text("k", 1)) == LTDBP_SCAN_MEMORY, "without memory it says so");
	allocations_left = -1;
	tap_ok(ltdbp_keyset_add(&set, text("k", 1)) == LTDBP_SCAN_OK, "... and has not taken the key");
	ltdbp_keyset_free(&set);
}

int
main(int argc, char **argv)
{
	random_start(argc, argv);
	test_many();
	test_lengths();
	test_memory();
	return tap_done();
}
