/*-------------------------------------------------------------------------
 *
 * names.c
 *		Names of an object's members that nobody expects.
 *
 * They are kept to find out whether one comes twice.  Those that are keys may
 * be millions, and are keyset.c's business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ltdb_int.h"

/* They are compared with each other: bound what that can cost. */
#define MAX_UNKNOWN_MEMBERS 64

/*
 * The name's text: in place if it has no escapes, else unescaped at the end
 * of names, where it is overwritten next.
 */
ltdbp_scan
ltdbp_names_text(ltdbp_names *names, const ltdbp_string *name, ltdb_text *text)
{
	*text = (ltdb_text) {name->bytes, name->len_bytes};
	if (!name->escaped)
		return LTDBP_SCAN_OK;

	/* behind the room that ltdbp_names_add() needs for the length */
	if (!ltdbp_buffer_reserve(&names->bytes, sizeof(size_t) + name->len_bytes))
		return LTDBP_SCAN_MEMORY;
	text->bytes = names->bytes.bytes + names->bytes.len_bytes + sizeof(size_t);
	text->len_bytes = ltdbp_unescape((char *) text->bytes, name->bytes, name->len_bytes);
	return LTDBP_SCAN_OK;
}

/* Takes note of an unknown member; refuses one that was there before. */
ltdbp_scan
ltdbp_names_add(ltdbp_names *names, ltdb_text text, const char **flaw)
{
	size_t		at = 0;
	size_t		len;

	while (at < names->bytes.len_bytes)
	{
		memcpy(&len, names->bytes.bytes + at, sizeof(len));
		at += sizeof(len);
		if (len == text.len_bytes && memcmp(names->bytes.bytes + at, text.bytes, len) == 0)
		{
			*flaw = "duplicate member";
			return LTDBP_SCAN_BAD;
		}
		at += len;
	}
	if (++names->count > MAX_UNKNOWN_MEMBERS)
	{
		*flaw = "more than 64 unknown members in one object";
		return LTDBP_SCAN_BAD;
	}

	if (!ltdbp_buffer_reserve(&names->bytes, sizeof(size_t) + text.len_bytes))
		return LTDBP_SCAN_MEMORY;
	len = text.len_bytes;
	memmove(names->bytes.bytes + at + sizeof(len), text.bytes, len);
	memcpy(names->bytes.bytes + at, &len, sizeof(len));
	names->bytes.len_bytes += sizeof(len) + len;
	return LTDBP_SCAN_OK;
}

void
ltdbp_names_forget(ltdbp_names *names)
{
	names->bytes.len_bytes = 0;
	names->count = 0;
}
