/*-------------------------------------------------------------------------
 *
 * unit_decode_random.c
 *		Compares the client's decoder with jansson on random answers.
 *
 * Both must accept the same and find the same items, whatever the pieces an
 * answer comes in.  A seed given as argument repeats a run.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "failing_realloc.h"
#include "generate.h"
#include "reference.h"
#include "tap.h"

#define GENERATED 30000

static void
test_generated(void)
{
	static const ltdb_request_type types[] = {
		LTDB_REQ_INSERT, LTDB_REQ_FETCH, LTDB_REQ_FETCH, LTDB_REQ_LATEST, LTDB_REQ_COLLECTIONS, LTDB_REQ_LIST_VALUES, LTDB_REQ_GET_VALUE
	};
	static document doc;
	int			counts[4] = {0};
	bool		good = true;
	int			i;

	for (i = 0; good && i < GENERATED; i++)
	{
		ltdb_request_type type = types[random_below(7)];
		outcome		expected;

		generate(&doc, type);
		if (random_below(2) == 0)
			mutate(&doc);
		expected = reference(type, doc.bytes, doc.len);
		counts[expected.verdict]++;
		good = agrees(type, doc.bytes, doc.len, doc.len, 0, &expected) &&
			agrees(type, doc.bytes, doc.len, 1, 1, &expected) &&
			agrees(type, doc.bytes, doc.len, random_below((unsigned) doc.len + 1), random_below(7), &expected);
		free_outcome(&expected);
	}
	tap_ok(good, "like jansson on %d generated answers", i);
	tap_ok(counts[ACCEPTED] > GENERATED / 4 && counts[REJECTED] > GENERATED / 8,
		   "... of which %d were good and %d bad", counts[ACCEPTED], counts[REJECTED]);
	tap_ok(counts[UNDECIDED] < GENERATED / 50, "... and %d left open", counts[UNDECIDED]);
}

int
main(int argc, char **argv)
{
	ltdbp_realloc = failing_realloc;
	random_start(argc, argv);
	test_generated();
	return tap_done();
}
