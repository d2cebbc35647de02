/*-------------------------------------------------------------------------
 *
 * reader_reference.h
 *		Whether the server's JSON reader and jansson say the same of a document.
 *
 * Where the documents come from is left to those who include this.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef READER_REFERENCE_H
#define READER_REFERENCE_H

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "server/reader.h"

#define NAMES 4

static const char *const names[NAMES] = {"ts", "key", "data", "\xc3\xa4"};

/* What jansson alone refuses, and a server has no reason to. */
static bool
jansson_is_narrower(const json_error_t *error)
{
	return json_error_code(error) == json_error_null_byte_in_key ||
		json_error_code(error) == json_error_numeric_overflow;
}

static bool
same_value(const reader_value *value, const json_t *expected)
{
	if (expected == NULL)
		return value->type == READER_ABSENT;
	switch (json_typeof(expected))
	{
		case JSON_OBJECT:
			return value->type == READER_OBJECT;
		case JSON_ARRAY:
			return value->type == READER_ARRAY;
		case JSON_STRING:
			return value->type == READER_STRING &&
				value->text.len_bytes == json_string_length(expected) &&
				memcmp(value->text.bytes, json_string_value(expected), value->text.len_bytes) == 0;
		case JSON_INTEGER:
			return value->type == READER_INTEGER &&
				value->integer == json_integer_value(expected);
		case JSON_REAL:
			return value->type == READER_REAL;
		case JSON_TRUE:
			return value->type == READER_TRUE;
		case JSON_FALSE:
			return value->type == READER_FALSE;
		case JSON_NULL:
			return value->type == READER_NULL;
	}
	return false;
}

/* Whether both say the same of a document; *accepted is what they said. */
static bool
agree(const char *bytes, size_t len, bool *accepted)
{
	store_text	wanted[NAMES];
	reader_value values[NAMES];
	json_error_t error;
	json_t	   *expected = json_loadb(bytes, len, JSON_ALLOW_NUL, &error);
	char	   *text = malloc(len + 1);	/* no byte more, for the sanitizers */
	bool		same;
	reader		rd;

	memcpy(text, bytes, len);
	text[len] = '\0';
	for (int i = 0; i < NAMES; i++)
		wanted[i] = (store_text) {names[i], strlen(names[i])};
	reader_init(&rd, text, len);
	*accepted = reader_object(&rd, wanted, NAMES, values) && reader_done(&rd);

	same = *accepted == json_is_object(expected) ||
		(expected == NULL && jansson_is_narrower(&error));
	if (*accepted && expected != NULL)
	{
		for (int i = 0; i < NAMES; i++)
			same = same && same_value(&values[i], json_object_get(expected, names[i]));
	}
	json_decref(expected);
	free(text);
	return same;
}

#endif							/* READER_REFERENCE_H */
