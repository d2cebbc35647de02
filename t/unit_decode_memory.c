/*-------------------------------------------------------------------------
 *
 * unit_decode_memory.c
 *		Tests of the client's decoder with every allocation failing in turn.
 *
 * Running out must be reported as such, whatever the answer; what the answers
 * hold is left to unit_decode_fixtures.c and unit_decode_samples.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "failing_realloc.h"
#include "fixtures.h"
#include "outcome.h"
#include "samples.h"
#include "tap.h"

/*
 * Decodes it with the nth allocation failing, for every nth.  Counts the
 * failures reported; returns whether the outcome was right where none was.
 */
static bool
survives_failures(ltdb_request_type type, const char *answer, bool accepted, int *failed)
{
	bool		hit = true;
	bool		good = true;

	for (int nth = 0; hit; nth++)
	{
		outcome		out;

		allocations_left = nth;
		out = decode(type, answer, strlen(answer), 3, 3);
		hit = allocations_left == 0;
		allocations_left = -1;
		if (out.verdict == OUT_OF_MEMORY)
			(*failed)++;
		else if (!hit && (out.verdict == ACCEPTED) != accepted)
			good = false;
		free_outcome(&out);
	}
	return good;
}

static void
test_out_of_memory(void)
{
	conversation talk = conversation_load();
	size_t		i;
	int			answers = 0;
	int			failed = 0;
	bool		good = true;

	for (i = 0; i < SAMPLES; i++)
		good &= survives_failures(samples[i].type, samples[i].answer,
								  samples[i].error == LTDB_OK, &failed);
	tap_ok(good && failed > (int) SAMPLES, "every allocation failing in turn: %d failures reported", failed);

	failed = 0;
	for (i = 0; i < conversation_length(&talk); i++)
	{
		exchange	ex = conversation_get(&talk, i);
		char	   *answer;

		if (ex.items == NULL)
			continue;
		answers++;
		answer = json_dumps(ex.answer, JSON_COMPACT);
		good &= survives_failures(ex.type, answer, true, &failed);
		free(answer);
	}
	tap_ok(good && failed >= answers, "... with the answers of the fixtures: %d", failed);
	conversation_free(&talk);
}

int
main(void)
{
	ltdbp_realloc = failing_realloc;
	test_out_of_memory();
	return tap_done();
}
