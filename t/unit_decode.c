/*-------------------------------------------------------------------------
 *
 * unit_decode.c
 *		Tests of the client's decoder, above all that it agrees with jansson.
 *
 * The answers of the fixtures must give the items that stand there.  Every
 * other answer is decoded twice: by the decoder, in pieces of all sorts, and
 * by jansson with a few lines that check the shape.  Both must accept the
 * same answers and find the same items in them.  Sockets are left to
 * unit_conn.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "client/ltdb_int.h"
#include "fixtures.h"
#include "tap.h"

#define GENERATED 30000
#define MAX_MESSAGE (64 * 1024)

typedef enum verdict
{
	ACCEPTED,
	REJECTED,
	OUT_OF_MEMORY,
	UNDECIDED					/* where decoder and jansson differ on purpose */
} verdict;

/* What an answer was found to hold, flattened so that it can be compared. */
typedef struct outcome
{
	verdict		verdict;
	ltdb_error	error;
	char		message[320];
	int			count;
	ltdbp_buffer items;
} outcome;

static void
add_item(outcome *out, ltdb_record item)
{
	out->count++;
	ltdbp_buffer_append(&out->items, &item.key.len_bytes, sizeof(size_t));
	ltdbp_buffer_append(&out->items, item.key.bytes, item.key.len_bytes);
	ltdbp_buffer_append(&out->items, &item.ts_sec, sizeof(item.ts_sec));
	ltdbp_buffer_append(&out->items, &item.data.len_bytes, sizeof(size_t));
	ltdbp_buffer_append(&out->items, item.data.bytes, item.data.len_bytes);
}

static bool
same_items(const outcome *a, const outcome *b)
{
	return a->count == b->count && a->items.len_bytes == b->items.len_bytes &&
		(a->count == 0 || memcmp(a->items.bytes, b->items.bytes, a->items.len_bytes) == 0);
}

static void
free_outcome(outcome *out)
{
	ltdbp_buffer_free(&out->items);
}

/* ---- jansson's view ---- */

static ltdb_text
text_of(json_t *string)
{
	return (ltdb_text) {json_string_value(string), json_string_length(string)};
}

static bool
reference_record(json_t *value, const char *key, size_t key_len, outcome *out)
{
	json_t	   *ts = json_object_get(value, "ts");
	json_t	   *data = json_object_get(value, "data");

	if (!json_is_integer(ts) || !json_is_string(data))
		return false;
	add_item(out, (ltdb_record) {{key, key_len}, json_integer_value(ts), text_of(data)});
	return true;
}

static bool
reference_items(json_t *items, ltdbp_shape shape, outcome *out)
{
	size_t		i;
	size_t		key_len;
	const char *key;
	json_t	   *value;

	switch (shape)
	{
		case LTDBP_SHAPE_NOTHING:
			return true;
		case LTDBP_SHAPE_STRING:
			if (!json_is_string(items))
				return false;
			if (json_string_length(items) > 0)
				add_item(out, (ltdb_record) {{"", 0}, 0, text_of(items)});
			return true;
		case LTDBP_SHAPE_RECORD_ARRAY:
			json_array_foreach(items, i, value)
			{
				if (!reference_record(value, "", 0, out))
					return false;
			}
			return json_is_array(items);
		case LTDBP_SHAPE_STRING_ARRAY:
			json_array_foreach(items, i, value)
			{
				if (!json_is_string(value))
					return false;
				add_item(out, (ltdb_record) {text_of(value), 0, {"", 0}});
			}
			return json_is_array(items);
		case LTDBP_SHAPE_RECORD_MAP:
			json_object_keylen_foreach(items, key, key_len, value)
			{
				if (!reference_record(value, key, key_len, out))
					return false;
			}
			return json_is_object(items);
		case LTDBP_SHAPE_STRING_MAP:
			json_object_keylen_foreach(items, key, key_len, value)
			{
				if (!json_is_string(value))
					return false;
				add_item(out, (ltdb_record) {{key, key_len}, 0, text_of(value)});
			}
			return json_is_object(items);
	}
	return false;
}

static outcome
reference(ltdb_request_type type, const char *bytes, size_t len)
{
	ltdbp_decoder words;
	outcome		out = {.verdict = REJECTED};
	json_error_t error;
	json_t	   *root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	json_t	   *id = json_object_get(root, "id");

	ltdbp_decoder_init(&words, &ltdb_dialect_ltdb, type);

	/* jansson overlooks a NUL behind a number or literal; no JSON has one */
	if (memchr(bytes, '\0', len) != NULL)
	{
		json_decref(root);
		return out;
	}
	if (root == NULL)
	{
		bool		map = words.shape == LTDBP_SHAPE_RECORD_MAP || words.shape == LTDBP_SHAPE_STRING_MAP;
		enum json_error_code code = json_error_code(&error);

		if (map && (code == json_error_duplicate_key || code == json_error_null_byte_in_key))
			out.verdict = UNDECIDED;
		return out;
	}
	if (json_is_object(root) && (id == NULL || json_is_string(id)) &&
		json_object_get(root, "error") == NULL &&
		reference_items(words.items ? json_object_get(root, words.items) : NULL, words.shape, &out))
		out.verdict = ACCEPTED;
	json_decref(root);
	return out;
}

/* ---- the decoder's view ---- */

/* Reads what there is.  Returns false once the answer has ended. */
static bool
read_items(ltdbp_decoder *decoder, outcome *out)
{
	ltdb_record item;

	for (;;)
	{
		switch (ltdbp_decoder_next(decoder, &item))
		{
			case LTDB_ITEM:
				add_item(out, item);
				break;
			case LTDB_WAIT:
				return true;
			case LTDB_DONE:
				out->verdict = ACCEPTED;
				return false;
			default:
				out->error = decoder->error;
				out->verdict = decoder->error == LTDB_ERROR_MEMORY ? OUT_OF_MEMORY : REJECTED;
				snprintf(out->message, sizeof(out->message), "%s", decoder->message);
				return false;
		}
	}
}

/*
 * Decodes in pieces: the first of that length, the others of step bytes
 * (0 = all the rest), reading after each.
 */
static outcome
decode(ltdb_request_type type, const char *bytes, size_t len, size_t first, size_t step)
{
	ltdbp_decoder decoder;
	outcome		out = {.verdict = REJECTED};
	size_t		at = 0;
	size_t		piece = first;

	ltdbp_decoder_init(&decoder, &ltdb_dialect_ltdb, type);
	while (at < len)
	{
		if (piece > len - at)
			piece = len - at;
		if (!ltdbp_decoder_feed(&decoder, bytes + at, piece))
		{
			out.verdict = OUT_OF_MEMORY;
			ltdbp_decoder_free(&decoder);
			return out;
		}
		at += piece;
		piece = step ? step : len - at;
		if (!read_items(&decoder, &out))
			break;
	}
	ltdbp_decoder_finish(&decoder);
	read_items(&decoder, &out);
	ltdbp_decoder_free(&decoder);
	return out;
}

/* Whether the decoder, fed so, sees what jansson sees. */
static bool
agrees(ltdb_request_type type, const char *bytes, size_t len, size_t first, size_t step,
	   const outcome *expected)
{
	outcome		got = decode(type, bytes, len, first, step);
	bool		same = expected->verdict == UNDECIDED ||
		(got.verdict == expected->verdict &&
		 (got.verdict != ACCEPTED || same_items(&got, expected)));

	if (!same)
		printf("# type %d, pieces of %zu and %zu, %s: %.*s\n#   got %d (%s, %d items), expected %d (%d items)\n",
			   type, first, step, ltdb_dialect_ltdb.type[type], (int) len, bytes,
			   got.verdict, got.message, got.count, expected->verdict, expected->count);
	free_outcome(&got);
	return same;
}

/* Whether it does so with one cut at any byte, and with one at each from there on. */
static bool
agrees_when_cut(ltdb_request_type type, const char *bytes, size_t len, const outcome *expected)
{
	bool		good = true;

	for (size_t cut = 0; good && cut <= len; cut++)
		good = agrees(type, bytes, len, cut, 0, expected) &&
			agrees(type, bytes, len, cut, 1, expected);
	return good;
}

/* ---- the answers of the fixtures ---- */

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

/* ---- answers made by hand ---- */

typedef struct sample
{
	ltdb_request_type type;
	const char *answer;
	int			count;			/* of items, or -1 */
	ltdb_error	error;
	const char *words;			/* that the message must contain */
} sample;

#define FETCH LTDB_REQ_FETCH
#define LATEST LTDB_REQ_LATEST
#define PROTOCOL -1, LTDB_ERROR_PROTOCOL

static const sample samples[] = {
	{LTDB_REQ_INSERT, " {\t\"id\" : \"1\" }\r\n", 0},
	{LTDB_REQ_INSERT, "{\"ok\":true,\"n\":[1,{\"a\":null}],\"id\":\"1\"}", 0},
	{LTDB_REQ_INSERT, "{\"id\":\"1\",\"error\":\"not \\u0061llowed\"}", -1, LTDB_ERROR_REFUSED, "not allowed"},
	{LTDB_REQ_INSERT, "{\"id\":\"1\",\"error\":7}", PROTOCOL, "not a string"},
	{LTDB_REQ_INSERT, "{\"id\":\"1\"} x", PROTOCOL, "after its end"},
	{LTDB_REQ_INSERT, "{\"id\":\"1\",}", PROTOCOL, "string"},
	{LTDB_REQ_INSERT, "{\"id\":\"1\"", PROTOCOL, "ends too early"},
	{LTDB_REQ_INSERT, "{\"id\":\"1\",\"\\u0069d\":\"1\"}", PROTOCOL, "duplicate"},
	{LTDB_REQ_INSERT, "{\"id\":\"1\",\"x\":1,\"\\u0078\":2}", PROTOCOL, "duplicate"},
	{LTDB_REQ_INSERT, "{\"id\":\"1\",\"x\":{\"a\":1,\"a\":2}}", PROTOCOL, "not JSON"},
	{LTDB_REQ_INSERT, "{\"id\":\"1\",\"x\":1e999}", PROTOCOL, "not JSON"},
	{LTDB_REQ_INSERT, "{\"id\":\"1\",\"x\":9223372036854775808}", PROTOCOL, "not JSON"},
	{LTDB_REQ_INSERT, "{\"id\":\"1\",\"x\\u0000\":1}", PROTOCOL, "NUL"},
	{LTDB_REQ_INSERT, "[]", PROTOCOL, "object"},
	{LTDB_REQ_INSERT, "\"id\"", PROTOCOL, "object"},
	{LTDB_REQ_INSERT, "   ", PROTOCOL, "ends too early"},

	{FETCH, "{\"records\":[ ],\"id\":\"1\"}", 0},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"a\"},{\"data\":\"\",\"ts\":-2}]}", 2},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":9223372036854775807,\"data\":\"\\u0000\\ud83d\\ude00\\/\\\"\\b\\f\\n\\r\\t\"}]}", 1},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":-9223372036854775808,\"data\":\"\xf0\x9f\x98\x80\xc3\xa4\xe2\x82\xac\"}]}", 1},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":-0,\"data\":\"x\",\"more\":{\"ts\":[]}}],\"took\":1.5}", 1},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"t\\u0073\":1,\"data\":\"x\"}]}", 1},
	{FETCH, "{\"id\":\"1\"}", PROTOCOL, "no member \"records\""},
	{FETCH, "{\"id\":\"1\",\"records\":null}", PROTOCOL, "not an array"},
	{FETCH, "{\"id\":\"1\",\"records\":{}}", PROTOCOL, "not an array"},
	{FETCH, "{\"id\":\"1\",\"records\":[1]}", PROTOCOL, "not an object"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1}]}", PROTOCOL, "without data"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"data\":\"x\"}]}", PROTOCOL, "without a timestamp"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":2}]}", PROTOCOL, "not a string"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":null}]}", PROTOCOL, "not a string"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":\"1\",\"data\":\"x\"}]}", PROTOCOL, "not an integer"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1.0,\"data\":\"x\"}]}", PROTOCOL, "not an integer"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1e3,\"data\":\"x\"}]}", PROTOCOL, "not an integer"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":01,\"data\":\"x\"}]}", PROTOCOL, "leading zero"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":9223372036854775808,\"data\":\"x\"}]}", PROTOCOL, "64 bits"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":-9223372036854775809,\"data\":\"x\"}]}", PROTOCOL, "64 bits"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"ts\":1,\"data\":\"x\"}]}", PROTOCOL, "duplicate"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"x\",\"d\\u0061ta\":\"x\"}]}", PROTOCOL, "duplicate"},
	{FETCH, "{\"id\":\"1\",\"records\":[],\"records\":[]}", PROTOCOL, "duplicate"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"x\"},]}", PROTOCOL, "not an object"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"x\"} {\"ts\":2,\"data\":\"x\"}]}", PROTOCOL, "comma"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"\\ud800\"}]}", PROTOCOL, "surrogate"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"\\ud800\\u0041\"}]}", PROTOCOL, "surrogate"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"\\udc00\"}]}", PROTOCOL, "surrogate"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"\\u12G4\"}]}", PROTOCOL, "escape"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"\\x\"}]}", PROTOCOL, "escape"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"a\nb\"}]}", PROTOCOL, "control character"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"\xff\"}]}", PROTOCOL, "UTF-8"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"\xed\xa0\x80\"}]}", PROTOCOL, "UTF-8"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"\xc0\x80\"}]}", PROTOCOL, "UTF-8"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"\xf4\x90\x80\x80\"}]}", PROTOCOL, "UTF-8"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"\xe2\x82\"}]}", PROTOCOL, "UTF-8"},
	{FETCH, "{\"id\":\"1\",\"records\":[{\"ts\":1,\"data\":\"x\"}],\"error\":\"half\"}", -1, LTDB_ERROR_REFUSED, "half"},

	{LATEST, "{\"id\":\"1\",\"records\":{\"a\":{\"ts\":1,\"data\":\"x\"},\"\":{\"data\":\"y\",\"ts\":2}}}", 2},
	{LATEST, "{\"id\":\"1\",\"records\":{\"\\u00e4\\ud83d\\ude00\":{\"ts\":1,\"data\":\"\\\\\"}}}", 1},
	{LATEST, "{\"id\":\"1\",\"records\":[]}", PROTOCOL, "not an object"},
	{LATEST, "{\"id\":\"1\",\"records\":{\"a\":null}}", PROTOCOL, "not an object"},
	{LATEST, "{\"id\":\"1\",\"records\":{\"a\" {\"ts\":1,\"data\":\"x\"}}}", PROTOCOL, "colon"},

	{LTDB_REQ_COLLECTIONS, "{\"id\":\"1\",\"collections\":[\"a\",\"\",\"\\u0000\"]}", 3},
	{LTDB_REQ_COLLECTIONS, "{\"id\":\"1\",\"collections\":[1]}", PROTOCOL, "not a string"},
	{LTDB_REQ_COLLECTIONS, "{\"id\":\"1\",\"keys\":[\"a\"]}", PROTOCOL, "collections"},
	{LTDB_REQ_LIST_VALUES, "{\"id\":\"1\",\"values\":{\"a\":\"1\",\"b\":\"\"}}", 2},
	{LTDB_REQ_LIST_VALUES, "{\"id\":\"1\",\"values\":{\"a\":1}}", PROTOCOL, "not a string"},
	{LTDB_REQ_GET_VALUE, "{\"id\":\"1\",\"value\":null}", PROTOCOL, "not a string"},
	{LTDB_REQ_GET_VALUE, "{\"id\":\"1\",\"value\":\"a\",\"value\":\"b\"}", PROTOCOL, "duplicate"},
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

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

/* ---- generated answers ---- */

static uint64_t seed;

static unsigned
any(unsigned bound)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned) (seed >> 33) % bound;
}

typedef struct text
{
	char		bytes[MAX_MESSAGE];
	size_t		len;
} text;

static void
put(text *t, const char *bytes)
{
	size_t		len = strlen(bytes);

	if (t->len + len < sizeof(t->bytes))
	{
		memcpy(t->bytes + t->len, bytes, len);
		t->len += len;
	}
}

static void
put_space(text *t)
{
	static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t\r", "  "};

	put(t, spaces[any(8)]);
}

static void
put_string(text *t)
{
	static const char *const pieces[] = {
		"a", "bc", "\\\"", "\\\\", "\\/", "\\n", "\\u0041", "\\u00e4", "\\ud83d\\ude00",
		"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "{", "]", ",", ":", " ", "\x7f", "\\u0000",
		"\\ud800", "\\u12", "\xff", "\n", "\\x", "\xe2\x82", "\"", "\\"
	};
	unsigned	valid = any(400) == 0 ? 27 : 19;
	unsigned	count = any(6);

	put(t, "\"");
	while (count-- > 0)
		put(t, pieces[any(valid)]);
	put(t, "\"");
}

static void
put_number(text *t)
{
	static const char *const numbers[] = {
		"0", "1", "-1", "1700000000", "-0", "2147483648", "-9223372036854775808", "9223372036854775807",
		"9223372036854775808", "-9223372036854775809", "1.5", "1e2", "01", "-", "1.", "+1", "1e", "1e999", "0x1", "1E+2"
	};

	put(t, numbers[any(any(200) == 0 ? 20 : 8)]);
}

static void put_members(text *t, unsigned depth);

static void
put_value(text *t, unsigned depth)
{
	static const char *const words[] = {"true", "false", "null", "nul", "TRUE"};
	unsigned	kind = any(depth > 3 ? 3 : 5);

	if (kind == 0)
		put_string(t);
	else if (kind == 1)
		put_number(t);
	else if (kind == 2)
		put(t, words[any(any(200) == 0 ? 5 : 3)]);
	else if (kind == 3)
	{
		put(t, "{");
		put_members(t, depth + 1);
		put(t, "}");
	}
	else
	{
		unsigned	count = any(3);

		put(t, "[");
		while (count > 0)
		{
			put_value(t, depth + 1);
			if (--count > 0)
				put(t, ",");
		}
		put(t, "]");
	}
}

/* Unknown members with names that mostly differ. */
static void
put_members(text *t, unsigned depth)
{
	unsigned	count = any(3);
	char		name[32];

	while (count > 0)
	{
		snprintf(name, sizeof(name), any(8) ? "\"m%u\":" : "\"\\u006d%u\":", any(5000));
		put(t, name);
		put_value(t, depth);
		if (--count > 0)
			put(t, ",");
	}
}

static void
put_record(text *t)
{
	bool		data_first = any(4) == 0;
	int			i;

	put_space(t);
	put(t, "{");
	for (i = 0; i < 2; i++)
	{
		put_space(t);
		if (i > 0)
			put(t, ",");
		if (data_first == (i == 0))
		{
			put(t, "\"data\":");
			put_string(t);
		}
		else
		{
			put(t, "\"ts\":");
			put_space(t);
			put_number(t);
		}
	}
	if (any(6) == 0)
	{
		put(t, ",\"extra\":");
		put_value(t, 3);
	}
	put_space(t);
	put(t, "}");
}

static void
put_items(text *t, ltdbp_shape shape)
{
	bool		map = shape == LTDBP_SHAPE_RECORD_MAP || shape == LTDBP_SHAPE_STRING_MAP;
	unsigned	count = any(5);
	unsigned	i;
	char		key[32];

	if (shape == LTDBP_SHAPE_STRING)
	{
		put_string(t);
		return;
	}
	put(t, map ? "{" : "[");
	for (i = 0; i < count; i++)
	{
		if (i > 0)
			put(t, ",");
		put_space(t);
		snprintf(key, sizeof(key), any(4) ? "\"k%u\":" : "\"\\u00e4\\n%u\" : ", i);
		if (map)
			put(t, key);
		if (shape == LTDBP_SHAPE_RECORD_ARRAY || shape == LTDBP_SHAPE_RECORD_MAP)
			put_record(t);
		else
			put_string(t);
		put_space(t);
	}
	put(t, map ? "}" : "]");
}

static void
generate(text *t, ltdb_request_type type)
{
	ltdbp_decoder words;
	bool		id_first = any(4) != 0;

	ltdbp_decoder_init(&words, &ltdb_dialect_ltdb, type);
	t->len = 0;
	put_space(t);
	put(t, "{");
	put_space(t);
	if (id_first)
		put(t, "\"id\":\"17\"");
	else
		put(t, "\"first\" :\n7");
	if (words.items != NULL)
	{
		put(t, ",\"");
		put(t, words.items);
		put(t, "\":");
		put_space(t);
		put_items(t, words.shape);
	}
	if (any(5) == 0)
	{
		put(t, ",\"unknown\":");
		put_value(t, 1);
	}
	if (!id_first)
		put(t, ",\"id\":\"17\"");
	put_space(t);
	put(t, "}");
	put_space(t);
}

/* Changes a few bytes, with a liking for those that mean something. */
static void
mutate(text *t)
{
	static const char bytes[] = "\"\\{}[],:0e.-u \n\x80\xff";
	unsigned	count = any(3);

	while (count-- > 0 && t->len > 1)
	{
		size_t		at = any((unsigned) t->len);
		char		byte = bytes[any(sizeof(bytes))];

		switch (any(4))
		{
			case 0:
				t->bytes[at] = byte;
				break;
			case 1:
				memmove(t->bytes + at, t->bytes + at + 1, t->len - at - 1);
				t->len--;
				break;
			case 2:
				if (t->len + 1 < sizeof(t->bytes))
				{
					memmove(t->bytes + at + 1, t->bytes + at, t->len - at);
					t->bytes[at] = byte;
					t->len++;
				}
				break;
			default:
				if (any(10) == 0)
					t->len = at;
				break;
		}
	}
}

static void
test_generated(void)
{
	static const ltdb_request_type types[] = {
		LTDB_REQ_INSERT, FETCH, FETCH, LATEST, LTDB_REQ_COLLECTIONS, LTDB_REQ_LIST_VALUES, LTDB_REQ_GET_VALUE
	};
	static text t;
	uint64_t	first_seed = seed;
	int			counts[4] = {0};
	bool		good = true;
	int			i;

	printf("# seed %llu\n", (unsigned long long) first_seed);
	for (i = 0; good && i < GENERATED; i++)
	{
		ltdb_request_type type = types[any(7)];
		outcome		expected;

		generate(&t, type);
		if (any(2) == 0)
			mutate(&t);
		expected = reference(type, t.bytes, t.len);
		counts[expected.verdict]++;
		good = agrees(type, t.bytes, t.len, t.len, 0, &expected) &&
			agrees(type, t.bytes, t.len, 1, 1, &expected) &&
			agrees(type, t.bytes, t.len, any((unsigned) t.len + 1), any(7), &expected);
		free_outcome(&expected);
	}
	tap_ok(good, "like jansson on %d generated answers", i);
	tap_ok(counts[ACCEPTED] > GENERATED / 4 && counts[REJECTED] > GENERATED / 8,
		   "... of which %d were good and %d bad", counts[ACCEPTED], counts[REJECTED]);
	tap_ok(counts[UNDECIDED] < GENERATED / 50, "... and %d left open", counts[UNDECIDED]);
}

/* ---- limits and differences from jansson ---- */

static void
test_deliberate_differences(void)
{
	const char *nul_key = "{\"id\":\"1\",\"values\":{\"a\\u0000b\":\"1\"}}";
	const char *same_key = "{\"id\":\"1\",\"values\":{\"a\":\"1\",\"a\":\"2\"}}";
	outcome		out = decode(LTDB_REQ_LIST_VALUES, nul_key, strlen(nul_key), 1, 1);

	tap_ok(out.verdict == ACCEPTED && out.count == 1, "a key with a NUL is data");
	free_outcome(&out);
	out = decode(LTDB_REQ_LIST_VALUES, same_key, strlen(same_key), 1, 1);
	tap_ok(out.verdict == ACCEPTED && out.count == 2, "keys of a map are not compared");
	free_outcome(&out);
}

/* A value nested that deep in an answer, and jansson's opinion of it. */
static bool
nesting_agrees(int depth)
{
	static text t;
	outcome		expected;
	bool		good;
	int			i;

	t.len = 0;
	put(&t, "{\"id\":\"1\",\"deep\":");
	for (i = 0; i < depth; i++)
		put(&t, "[");
	for (i = 0; i < depth; i++)
		put(&t, "]");
	put(&t, "}");
	expected = reference(LTDB_REQ_INSERT, t.bytes, t.len);
	good = expected.verdict == (depth < 2048 ? ACCEPTED : REJECTED) &&
		agrees(LTDB_REQ_INSERT, t.bytes, t.len, t.len, 0, &expected);
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
	out = decode(FETCH, big.bytes, big.len_bytes, 1, 1);
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

	ltdbp_decoder_init(&decoder, &ltdb_dialect_ltdb, FETCH);
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

/* ---- out of memory ---- */

static int	allocations_left = -1;

/*
 * Fails when told to.  New memory is full of quotes, so that reading beyond
 * what was received changes the result.
 */
static void *
test_realloc(void *pointer, size_t size)
{
	char	   *bytes;

	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	bytes = realloc(pointer, size);
	if (bytes != NULL && pointer == NULL)
		memset(bytes, '"', size);
	return bytes;
}

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
main(int argc, char **argv)
{
	seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t) time(NULL);
	ltdbp_realloc = test_realloc;

	test_conversation();
	test_samples();
	test_generated();
	test_deliberate_differences();
	test_limits();
	test_trickle();
	test_memory_is_bounded();
	test_out_of_memory();
	return tap_done();
}
