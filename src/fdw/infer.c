/*-------------------------------------------------------------------------
 *
 * infer.c
 *		Guesses the field columns of a collection from a sample of its
 *		records: IMPORT FOREIGN SCHEMA ... OPTIONS (fields 'infer').
 *
 * The sample is the newest records of some keys.  A guess must hold for
 * records that were not seen, so it is cautious: every number is numeric,
 * whatever is not always of one kind is jsonb, and a string is a timestamptz
 * only if each one seen says its time zone.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include <ctype.h>

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#define SAMPLE_KEYS 20
#define SAMPLE_RECORDS 50		/* of each key */

/* What values of a member were seen. */
#define SEEN_NUMBER		0x01
#define SEEN_BOOLEAN	0x02
#define SEEN_TIMESTAMP	0x04
#define SEEN_STRING		0x08
#define SEEN_OTHER		0x10

typedef struct Member
{
	char	   *name;			/* in the database's encoding */
	int			seen;
} Member;

/* ---- what is seen ---- */

/* 2020-01-01T00:00:00, perhaps a fraction, and a zone: Z or +hh:mm. */
static bool
is_timestamp(ltdb_text string)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:dd";
	const char *p = string.bytes;
	const char *end = p + string.len_bytes;

	for (const char *want = pattern; *want; want++, p++)
		if (p >= end || (*want == 'd' ? !isdigit((unsigned char) *p)
						 : *want == 'T' ? *p != 'T' && *p != ' ' : *p != *want))
			return false;
	if (p < end && *p == '.')
		for (p++; p < end && isdigit((unsigned char) *p);)
			p++;
	if (end - p == 1)
		return *p == 'Z';
	return end - p >= 3 && (*p == '+' || *p == '-') && isdigit((unsigned char) p[1]) &&
		isdigit((unsigned char) p[2]);
}

static int
kind_of(ltdb_text value)
{
	ltdb_text	content = {value.bytes + 1, value.len_bytes - 2};

	switch (value.bytes[0])
	{
		case 'n':
			return 0;
		case 't':
		case 'f':
			return SEEN_BOOLEAN;
		case '"':
			return is_timestamp(content) ? SEEN_TIMESTAMP : SEEN_STRING;
		case '{':
		case '[':
			return SEEN_OTHER;
		default:
			return SEEN_NUMBER;
	}
}

static void
see_member(ltdb_text name, ltdb_text value, void *arg)
{
	List	  **members = arg;
	Member	   *member;
	ListCell   *cell;
	char	   *string;

	/* a member without a name is reachable through data only */
	if (name.len_bytes == 0 || memchr(name.bytes, '\0', name.len_bytes) != NULL)
		return;
	string = text_to_cstring(ltfdw_text_from_ltdb(name, "name", ""));
	foreach(cell, *members)
	{
		member = lfirst(cell);
		if (strcmp(member->name, string) == 0)
		{
			member->seen |= kind_of(value);
			return;
		}
	}

	/* a table has at most that many columns */
	if (list_length(*members) >= MaxHeapAttributeNumber - 2)
		return;
	member = palloc(sizeof(Member));
	member->name = string;
	member->seen = kind_of(value);
	*members = lappend(*members, member);
}

/* ---- the sample ---- */

static void
see_newest_records(LtfdwConn *conn, LtfdwTable *table, text *key, List **members)
{
	LtfdwReader *reader = ltfdw_reader_new(conn, table, NULL);
	LtfdwQuery	query = {{false, 1, &key}, ltfdw_intervals_all()};
	LtfdwReading reading = {true, SAMPLE_RECORDS, -1, NULL, 0};
	LtfdwRecord record;

	ltfdw_reader_start(reader, &query, reading);
	while (ltfdw_reader_next(reader, &record, true) == LTDB_ITEM)
		(void) ltfdw_json_members(record.data, see_member, members);
	ltfdw_reader_stop(reader);
}

/* ---- columns ---- */

static const char *
type_of(int seen)
{
	switch (seen)
	{
		case SEEN_NUMBER:
			return "numeric";
		case SEEN_BOOLEAN:
			return "boolean";
		case SEEN_TIMESTAMP:
			return "timestamptz";
		case SEEN_STRING:
		case SEEN_STRING | SEEN_TIMESTAMP:
			return "text";
		default:
			return "jsonb";
	}
}

/* A member's name as a path to it. */
static char *
path_of(const char *name)
{
	StringInfoData buf;

	if (strpbrk(name, ".[]\"") == NULL)
		return pstrdup(name);
	initStringInfo(&buf);
	appendStringInfoChar(&buf, '"');
	for (; *name; name++)
	{
		if (*name == '"')
			appendStringInfoChar(&buf, '"');
		appendStringInfoChar(&buf, *name);
	}
	appendStringInfoChar(&buf, '"');
	return buf.data;
}

/* A name for the column that no other has: the member's, as far as it goes. */
static char *
column_name(const char *name, List *taken)
{
	char	   *result = ltfdw_identifier(name);

	for (int n = 2;; n++)
	{
		bool		is_taken = strcmp(result, "key") == 0 || strcmp(result, "ts") == 0;
		ListCell   *cell;

		foreach(cell, taken)
			is_taken |= strcmp(lfirst(cell), result) == 0;
		if (!is_taken)
			return result;
		result = ltfdw_identifier(psprintf("%s_%d", name, n));
	}
}

/*
 * Definitions of columns for what the records of a collection have in common,
 * each after a comma; NULL if no record of the sample has a JSON object.
 */
char *
ltfdw_infer_columns(LtfdwConn *conn, Oid serverid, const char *collection)
{
	LtfdwTable *table = ltfdw_table_of_collection(serverid, LTFDW_RECORDS, collection);
	LtfdwKeys	keys = ltfdw_keys_list(conn, collection,
									   ltfdw_intervals_span(ltfdw_intervals_all()), NULL);
	List	   *members = NIL;
	List	   *taken = NIL;
	StringInfoData buf;
	ListCell   *cell;

	/* keys spread over all of them, in case like names have like records */
	for (int i = 0; i < Min(keys.count, SAMPLE_KEYS); i++)
		see_newest_records(conn, table,
						   keys.items[(int64) i * keys.count / Min(keys.count, SAMPLE_KEYS)],
						   &members);
	if (members == NIL)
		return NULL;

	initStringInfo(&buf);
	foreach(cell, members)
	{
		Member	   *member = lfirst(cell);
		char	   *name = column_name(member->name, taken);

		taken = lappend(taken, name);
		appendStringInfo(&buf, ", %s %s OPTIONS (field %s)", quote_identifier(name),
						 type_of(member->seen), quote_literal_cstr(path_of(member->name)));
	}
	return buf.data;
}
