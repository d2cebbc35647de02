/*-------------------------------------------------------------------------
 *
 * unit_decode_fixtures.c
 *		Tests that the client finds in the answers of the fixtures what stands there.
 *
 * Answers that are wrong, and agreement with jansson, are left to
 * unit_decode_samples.c and unit_decode_random.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "failing_realloc.h"
#include "fixtures.h"
#include "outcome.h"
#include "tap.h"

static outcome
expected_items(json_t *items)
{
	outcome		out = {.verdict = ACCEPTED};
	json_t	   *item;
	size_t		i;

	json_array_foreach(items, i, item)
	{
		add_item(&out, (ltdb_record) {
			text_of(json_object_get(item, "key")),
			json_integer_value(json_object_get(item, "ts")),
			text_of(json_object_get(item, "data"))
		});
	}
	return out;
}

/* Whether the answer, written so, finds its request and its items are found. */
static bool
is_decoded(const exchange *ex, size_t flags, const outcome *expected)
{
	const char *id = json_string_value(json_object_get(ex->request, "id"));
	char	   *bytes = json_dumps(ex->answer, flags);
	size_t		len = strlen(bytes);
	uint64_t	found;
	bool		good = ltdbp_route_find(&ltdb_dialect_ltdb, bytes, len, true, &found) == LTDBP_ROUTE_ID &&
		found == strtoull(id, NULL, 10) &&
		agrees_when_cut(ex->type, bytes, len, expected);

	free(bytes);
	return good;
}

static void
test_answer(const exchange *ex)
{
	outcome		expected = expected_items(ex->items);

	tap_ok(is_decoded(ex, JSON_COMPACT, &expected), "%s", exchange_name(ex));
	tap_ok(is_decoded(ex, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH, &expected),
		   "... written at length");
	free_outcome(&expected);
}

/* The answer to a message that the server does not know: it names no request. */
static void
test_error(const exchange *ex)
{
	char	   *bytes = json_dumps(ex->answer, JSON_COMPACT);
	size_t		len = strlen(bytes);
	char		text[64] = "";
	uint64_t	found;

	tap_ok(ltdbp_route_find(&ltdb_dialect_ltdb, bytes, len, true, &found) == LTDBP_ROUTE_NO_ID &&
		   ltdbp_route_error(&ltdb_dialect_ltdb, bytes, len, text, sizeof(text)),
		   "%s", exchange_name(ex));
	tap_is_str(text, json_string_value(json_object_get(ex->answer, "error")), "... and its text");
	free(bytes);
}

static void
test_conversation(void)
{
	conversation talk = conversation_load();
	int			answers[LTDB_REQ_COUNT] = {0};
	int			errors = 0;

	for (size_t i = 0; i < conversation_length(&talk); i++)
	{
		exchange	ex = conversation_get(&talk, i);

		if (ex.items != NULL)
		{
			answers[ex.type]++;
			test_answer(&ex);
		}
		else if (json_object_get(ex.answer, "error") != NULL)
		{
			errors++;
			test_error(&ex);
		}
	}
	for (int type = 0; type < LTDB_REQ_COUNT; type++)
		tap_ok(answers[type] > 0, "the fixtures have an answer to %s", ltdb_dialect_ltdb.type[type]);
	tap_ok(errors > 0, "... and an error");
	conversation_free(&talk);
}

int
main(void)
{
	ltdbp_realloc = failing_realloc;
	test_conversation();
	return tap_done();
}
