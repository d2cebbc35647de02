/*-------------------------------------------------------------------------
 *
 * unit_decode_samples.c
 *		Tests of the client's decoder with answers made by hand.
 *
 * Each is decoded twice: by the decoder, cut at every byte, and by jansson.
 * Random answers are left to unit_decode_random.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "failing_realloc.h"
#include "reference.h"
#include "samples.h"
#include "tap.h"

static void
test_samples(void)
{
	size_t		i;

	for (i = 0; i < SAMPLES; i++)
	{
		const sample *s = &samples[i];
		size_t		len = strlen(s->answer);
		outcome		expected = reference(s->type, s->answer, len);
		outcome		got = decode(s->type, s->answer, len, len, 0);
		bool		good = true;

		if (s->error == LTDB_OK)
			good = got.verdict == ACCEPTED && got.count == s->count;
		else
			good = got.verdict == REJECTED && got.error == s->error && strstr(got.message, s->words) != NULL;
		tap_ok(good, "%s: %s%s", ltdb_dialect_ltdb.type[s->type],
			   got.verdict == ACCEPTED ? "accepted" : "refused: ", got.message);

		tap_ok(agrees_when_cut(s->type, s->answer, len, &expected),
			   "... like jansson, cut at every byte");
		free_outcome(&expected);
		free_outcome(&got);
	}
}

/* ---- where the decoder differs from jansson on purpose ---- */

static void
test_deliberate_differences(void)
{
	const char *nul_key = "{\"id\":\"1\",\"values\":{\"a\\u0000b\":\"1\"}}";
	outcome		out = decode(LTDB_REQ_LIST_VALUES, nul_key, strlen(nul_key), 1, 1);

	tap_ok(out.verdict == ACCEPTED && out.count == 1, "a key with a NUL is data");
	free_outcome(&out);
}

int
main(void)
{
	ltdbp_realloc = failing_realloc;
	test_samples();
	test_deliberate_differences();
	return tap_done();
}
