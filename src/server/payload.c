/*-------------------------------------------------------------------------
 *
 * payload.c
 *		Takes members of the expected type out of a parsed payload.
 *
 * Which members a request has, and what values it accepts, is left to
 * dispatch.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "payload.h"

bool
payload_has(const json_t *payload, const char *name)
{
	const json_t *member = json_object_get(payload, name);

	return member != NULL && !json_is_null(member);
}

bool
payload_text(const json_t *payload, const char *name, store_text *value)
{
	const json_t *member = json_object_get(payload, name);

	if (json_is_string(member))
		*value = (store_text) {json_string_value(member), json_string_length(member)};
	return member == NULL || json_is_string(member) || json_is_null(member);
}

bool
payload_integer(const json_t *payload, const char *name, int64_t *value)
{
	const json_t *member = json_object_get(payload, name);

	if (json_is_integer(member))
		*value = json_integer_value(member);
	return member == NULL || json_is_integer(member) || json_is_null(member);
}

bool
payload_boolean(const json_t *payload, const char *name, bool *value)
{
	const json_t *member = json_object_get(payload, name);

	if (json_is_boolean(member))
		*value = json_is_true(member);
	return member == NULL || json_is_boolean(member) || json_is_null(member);
}
