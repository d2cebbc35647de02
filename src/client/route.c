/*-------------------------------------------------------------------------
 *
 * route.c
 *		Which request a message answers, before it is decoded.
 *
 * Servers usually put the id first: then a few bytes tell, and the rest can
 * be decoded while it arrives.  Otherwise the complete message is searched,
 * going behind the other members' values without looking at them; whether
 * they are JSON is found out by decode.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <limits.h>
#include <string.h>

#include <jansson.h>

#include "ltdb_int.h"

/* A message without an id holds an error text: anything longer is not one. */
#define MAX_ERROR_MESSAGE_BYTES (64 * 1024)

/* Longest name or id that could be ours, with every byte written as \u00XX. */
#define MAX_ESCAPED_BYTES 128

/* Whether the string, unescaped, is that text. */
static bool
string_is(const ltdbp_string *string, const char *expected)
{
	char		text[MAX_ESCAPED_BYTES];
	size_t		len;

	if (string->len_bytes > sizeof(text))
		return false;
	len = ltdbp_unescape(text, string->bytes, string->len_bytes);
	return len == strlen(expected) && memcmp(text, expected, len) == 0;
}

/* An id as this client writes it; 0, which is never used, for any other. */
static uint64_t
parse_id(const ltdbp_string *string)
{
	char		text[MAX_ESCAPED_BYTES];
	uint64_t	id = 0;
	size_t		len;
	size_t		i;

	if (string->len_bytes > sizeof(text))
		return 0;
	len = ltdbp_unescape(text, string->bytes, string->len_bytes);
	if (len == 0 || len > 19 || text[0] == '0')
		return 0;
	for (i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return 0;
		id = id * 10 + (uint64_t) (text[i] - '0');
	}
	return id;
}

/* Looks at one member after the other for the id. */
static ltdbp_scan
find_id(const ltdb_dialect *dialect, ltdbp_cursor *cursor, bool final, bool *found, uint64_t *id)
{
	ltdbp_scan	scan = ltdbp_scan_char(cursor, '{', "not an object");
	ltdbp_string string;

	if (scan == LTDBP_SCAN_OK)
		scan = ltdbp_scan_space(cursor);
	if (scan == LTDBP_SCAN_OK && *cursor->p == '}')
		return LTDBP_SCAN_OK;
	while (scan == LTDBP_SCAN_OK)
	{
		scan = ltdbp_scan_name(cursor, &string);
		if (scan == LTDBP_SCAN_OK && string_is(&string, dialect->m_id))
		{
			scan = ltdbp_scan_string(cursor, &string);
			*found = scan == LTDBP_SCAN_OK;
			if (*found)
				*id = parse_id(&string);
			return scan;
		}
		if (scan == LTDBP_SCAN_OK && !final)
			return LTDBP_SCAN_MORE;
		if (scan == LTDBP_SCAN_OK)
			scan = ltdbp_scan_extent(cursor, INT_MAX);
		if (scan == LTDBP_SCAN_OK)
			scan = ltdbp_scan_space(cursor);
		if (scan == LTDBP_SCAN_OK && *cursor->p == '}')
			return LTDBP_SCAN_OK;
		if (scan == LTDBP_SCAN_OK)
			scan = ltdbp_scan_char(cursor, ',', "no comma");
		if (scan == LTDBP_SCAN_OK)
			scan = ltdbp_scan_space(cursor);
	}
	return scan;
}

/* Finds *id, which is 0 if it cannot be one of this client's. */
ltdbp_route
ltdbp_route_find(const ltdb_dialect *dialect, char *bytes, size_t len, bool final, uint64_t *id)
{
	ltdbp_cursor cursor = {bytes, bytes + len, NULL};
	bool		found = false;

	*id = 0;
	switch (find_id(dialect, &cursor, final, &found, id))
	{
		case LTDBP_SCAN_OK:
			return found ? LTDBP_ROUTE_ID : LTDBP_ROUTE_NO_ID;
		case LTDBP_SCAN_MORE:
			return final ? LTDBP_ROUTE_BAD : LTDBP_ROUTE_MORE;
		default:
			return LTDBP_ROUTE_BAD;
	}
}

/* Gets the text of an error that names no request; false if it is not one. */
bool
ltdbp_route_error(const ltdb_dialect *dialect, const char *bytes, size_t len,
				  char *text, size_t text_size)
{
	json_t	   *tree;
	json_t	   *error;

	if (len > MAX_ERROR_MESSAGE_BYTES)
		return false;
	tree = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	error = json_object_get(tree, dialect->m_error);
	if (json_is_string(error))
		ltdbp_copy_message(text, text_size, json_string_value(error), json_string_length(error));
	error = json_is_string(error) ? error : NULL;
	json_decref(tree);
	return error != NULL;
}
