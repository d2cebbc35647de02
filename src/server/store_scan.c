/*-------------------------------------------------------------------------
 *
 * store_scan.c
 *		Reads lists: records of a key, newest of each key, names, pairs.
 *
 * A scan holds SQLite's read lock while it is open; not to keep it open for
 * long, and to resume from a position instead, is the caller's part.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "store_int.h"

/* The columns of every scan. */
#define COLUMN_RECORD_ID 0
#define COLUMN_DATA 1
#define COLUMN_NAME 2

/* Brings 64-bit bounds into what a record's ts can be; false if none can. */
static bool
clamp_bounds(int64_t *from_sec, int64_t *to_sec)
{
	if (*from_sec < INT32_MIN)
		*from_sec = INT32_MIN;
	if (*to_sec > INT32_MAX)
		*to_sec = INT32_MAX;
	return *from_sec <= *to_sec;
}

bool
store_scan_records(store *st, store_text collection, store_text key, int64_t from_sec,
				   int64_t to_sec, bool reverse)
{
	store_ids	ids;
	sqlite3_stmt *stmt;

	if (!store_find_key(st, collection, key, false, &ids))
		return false;
	st->scan = reverse ? STMT_SCAN_RECORDS_REVERSE : STMT_SCAN_RECORDS;
	stmt = st->stmt[st->scan];
	if (ids.key != 0 && clamp_bounds(&from_sec, &to_sec))
	{
		sqlite3_bind_int64(stmt, 1, RECORD_ID(ids.key, from_sec));
		sqlite3_bind_int64(stmt, 2, RECORD_ID(ids.key, to_sec));
	}
	else
		sqlite3_clear_bindings(stmt);	/* BETWEEN NULLs: no rows */
	return true;
}

/* The part common to the scans of one collection by name. */
static bool
scan_names(store *st, statement which, store_text collection, store_text first)
{
	int64_t		collection_id;

	if (!store_find_collection(st, collection, false, &collection_id))
		return false;
	st->scan = which;
	sqlite3_bind_int64(st->stmt[which], 1, collection_id);
	return store_bind_text(st, which, 2, first);
}

bool
store_scan_latest(store *st, store_text collection, store_text first, int64_t from_sec,
				  int64_t at_sec)
{
	sqlite3_stmt *stmt = st->stmt[STMT_SCAN_LATEST];

	/* Bounds that no ts can meet: the lower above the upper. */
	if (!clamp_bounds(&from_sec, &at_sec))
	{
		from_sec = INT32_MAX;
		at_sec = INT32_MIN;
	}
	sqlite3_bind_int64(stmt, 3, RECORD_ID(0, from_sec));
	sqlite3_bind_int64(stmt, 4, RECORD_ID(0, at_sec));
	return scan_names(st, STMT_SCAN_LATEST, collection, first);
}

bool
store_scan_collections(store *st, store_text first)
{
	st->scan = STMT_SCAN_COLLECTIONS;
	return store_bind_text(st, STMT_SCAN_COLLECTIONS, 1, first);
}

bool
store_scan_values(store *st, store_text collection, store_text first)
{
	return scan_names(st, STMT_SCAN_VALUES, collection, first);
}

bool
store_scan_value(store *st, store_text collection, store_text key)
{
	return scan_names(st, STMT_SCAN_VALUE, collection, key);
}

bool
store_scan_next(store *st, store_item *item)
{
	sqlite3_stmt *stmt = st->stmt[st->scan];
	int			rc = sqlite3_step(stmt);
	int64_t		record_id;

	if (rc != SQLITE_ROW)
	{
		if (rc != SQLITE_DONE)
			store_fail(st);
		return false;
	}

	/* No record has id 0: that is how SQLite reads a NULL as a number. */
	record_id = sqlite3_column_int64(stmt, COLUMN_RECORD_ID);
	item->found = record_id != 0 || st->scan != STMT_SCAN_LATEST;
	item->ts_sec = RECORD_TS(record_id);
	item->data = store_column_text(stmt, COLUMN_DATA);
	if (st->scan != STMT_SCAN_RECORDS && st->scan != STMT_SCAN_RECORDS_REVERSE)
		item->name = store_column_text(stmt, COLUMN_NAME);
	return true;
}

void
store_scan_end(store *st)
{
	sqlite3_reset(st->stmt[st->scan]);
}
