/*-------------------------------------------------------------------------
 *
 * reference.h
 *		What jansson, with a few lines that check the shape, finds in an answer.
 *
 * The decoder must accept the same answers and find the same items in them;
 * comparing is left to outcome.h.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef REFERENCE_H
#define REFERENCE_H

#include "outcome.h"

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

		if (map && code == json_error_null_byte_in_key)
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

#endif							/* REFERENCE_H */
