/*-------------------------------------------------------------------------
 *
 * samples.h
 *		Answers made by hand, most of them wrong, and what should come of each.
 *
 * Sound ones of every request stand in the fixtures.  Decoding these is left to
 * the programs that include them.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "client/ltdb.h"

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
	{LTDB_REQ_INSERT, "{\"id\":\"1\",\"error\":7}", PROTOCOL, "in member \"error\": not a string"},
	{LTDB_REQ_INSERT, "{\"id\":1}", PROTOCOL, "in member \"id\": not a string"},
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
	{LATEST, "{\"id\":\"1\",\"records\":{\"a\":{\"ts\":1,\"data\":\"x\"},\"\\u0061\":{\"ts\":1,\"data\":\"x\"}}}", PROTOCOL, "duplicate"},
	{LATEST, "{\"id\":\"1\",\"records\":[]}", PROTOCOL, "not an object"},
	{LATEST, "{\"id\":\"1\",\"records\":{\"a\":null}}", PROTOCOL, "not an object"},
	{LATEST, "{\"id\":\"1\",\"records\":{\"a\" {\"ts\":1,\"data\":\"x\"}}}", PROTOCOL, "colon"},

	{LTDB_REQ_COLLECTIONS, "{\"id\":\"1\",\"collections\":[\"a\",\"\",\"\\u0000\"]}", 3},
	{LTDB_REQ_COLLECTIONS, "{\"id\":\"1\",\"collections\":[1]}", PROTOCOL, "not a string"},
	{LTDB_REQ_COLLECTIONS, "{\"id\":\"1\",\"keys\":[\"a\"]}", PROTOCOL, "collections"},
	{LTDB_REQ_LIST_VALUES, "{\"id\":\"1\",\"values\":{\"a\":\"1\",\"b\":\"\"}}", 2},
	{LTDB_REQ_LIST_VALUES, "{\"id\":\"1\",\"values\":{\"a\":\"1\",\"b\":\"\",\"a\":\"\"}}", PROTOCOL, "duplicate"},
	{LTDB_REQ_LIST_VALUES, "{\"id\":\"1\",\"values\":{\"a\":1}}", PROTOCOL, "not a string"},
	{LTDB_REQ_GET_VALUE, "{\"id\":\"1\",\"value\":\"\xff\"}", PROTOCOL, "UTF-8"},
	{LTDB_REQ_GET_VALUE, "{\"id\":\"1\",\"value\":\"\xe2\x82\"}", PROTOCOL, "UTF-8"},
	{LTDB_REQ_GET_VALUE, "{\"id\":\"1\",\"value\":\"\xf0\x90\"}", PROTOCOL, "UTF-8"},
	{LTDB_REQ_GET_VALUE, "{\"id\":\"1\",\"value\":\"\xed\xa0\"}", PROTOCOL, "UTF-8"},
	{LTDB_REQ_GET_VALUE, "{\"id\":\"1\",\"value\":null}", PROTOCOL, "not a string"},
	{LTDB_REQ_GET_VALUE, "{\"id\":\"1\",\"value\":\"a\",\"value\":\"b\"}", PROTOCOL, "duplicate"},
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

#undef FETCH
#undef LATEST
#undef PROTOCOL

#endif							/* SAMPLES_H */
