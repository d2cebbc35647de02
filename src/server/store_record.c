/*-------------------------------------------------------------------------
 *
 * store_record.c
 *		Writes records, and deletes records, keys and collections.
 *
 * Reading them is left to store_scan.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "store_int.h"

bool
store_insert(store *st, store_text collection, store_text key, int32_t ts_sec,
			 store_text data)
{
	store_ids	ids;

	if (!store_begin(st) || !store_find_key(st, collection, key, true, &ids) ||
		!store_bind_text(st, STMT_INSERT, 2, data))
		return false;
	return store_run_for_id(st, STMT_INSERT, RECORD_ID(ids.key, ts_sec));
}

static bool
remove_key_row(store *st, int64_t key_id)
{
	store_names_forget(st->names);
	return store_run_for_id(st, STMT_DELETE_KEY, key_id);
}

bool
store_delete_record(store *st, store_text collection, store_text key, int64_t ts_sec)
{
	store_ids	ids;
	int64_t		has_record;

	if (!store_begin(st) || !store_find_key(st, collection, key, false, &ids))
		return false;
	if (ids.key == 0 || ts_sec < INT32_MIN || ts_sec > INT32_MAX)
		return true;
	if (!store_run_for_id(st, STMT_DELETE_RECORD, RECORD_ID(ids.key, ts_sec)))
		return false;

	sqlite3_bind_int64(st->stmt[STMT_KEY_HAS_RECORD], 1, ids.key);
	if (!store_run_for_value(st, STMT_KEY_HAS_RECORD, &has_record))
		return false;
	return has_record || remove_key_row(st, ids.key);
}

/* A collection's row, its pairs and, if still there, its key rows. */
static bool
remove_collection_rows(store *st, int64_t collection_id)
{
	store_names_forget(st->names);
	return store_run_for_id(st, STMT_DELETE_KEYS_OF_COLLECTION, collection_id) &&
		store_run_for_id(st, STMT_DELETE_VALUES_OF_COLLECTION, collection_id) &&
		store_run_for_id(st, STMT_DELETE_COLLECTION, collection_id);
}

bool
store_delete_key(store *st, store_text collection, store_text key)
{
	store_ids	ids;
	int64_t		has_key;

	if (!store_begin(st) || !store_find_key(st, collection, key, false, &ids))
		return false;
	if (ids.key == 0)
		return true;
	if (!store_run_for_id(st, STMT_DELETE_RECORDS_OF_KEY, ids.key) ||
		!remove_key_row(st, ids.key))
		return false;

	sqlite3_bind_int64(st->stmt[STMT_COLLECTION_HAS_KEY], 1, ids.collection);
	if (!store_run_for_value(st, STMT_COLLECTION_HAS_KEY, &has_key))
		return false;
	return has_key || remove_collection_rows(st, ids.collection);
}

/*
 * Deletes the records of every key that a statement, already bound, selects
 * the id of; the key rows stay, so that the selection is not disturbed.
 */
static bool
delete_records_of(store *st, statement which)
{
	sqlite3_stmt *keys = st->stmt[which];
	int			rc;

	while ((rc = sqlite3_step(keys)) == SQLITE_ROW &&
		   store_run_for_id(st, STMT_DELETE_RECORDS_OF_KEY, sqlite3_column_int64(keys, 0)))
		;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		store_fail(st);
	sqlite3_reset(keys);
	return !st->failed;
}

bool
store_delete_key_everywhere(store *st, store_text key)
{
	if (!store_begin(st))
		return false;
	store_names_forget(st->names);
	return store_bind_text(st, STMT_KEYS_NAMED, 1, key) &&
		delete_records_of(st, STMT_KEYS_NAMED) &&
		store_bind_text(st, STMT_DELETE_KEYS_NAMED, 1, key) &&
		store_run(st, STMT_DELETE_KEYS_NAMED) &&
		store_run(st, STMT_DELETE_VALUES_WITHOUT_KEYS) &&
		store_run(st, STMT_DELETE_COLLECTIONS_WITHOUT_KEYS);
}

bool
store_delete_collection(store *st, store_text collection)
{
	int64_t		collection_id;

	if (!store_begin(st) || !store_find_collection(st, collection, false, &collection_id))
		return false;
	if (collection_id == 0)
		return true;
	sqlite3_bind_int64(st->stmt[STMT_KEYS_OF_COLLECTION], 1, collection_id);
	return delete_records_of(st, STMT_KEYS_OF_COLLECTION) &&
		remove_collection_rows(st, collection_id);
}
