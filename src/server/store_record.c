/*-------------------------------------------------------------------------
 *
 * store_record.c
 *		Writes records, and deletes records, keys and collections.
 *
 * Single records are pending at first; how they get into blocks is left to
 * store_flush.c, reading them to store_scan.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "store_int.h"

static bool
write_record(store *st, journal_write wr)
{
	if (!store_begin(st))
		return false;
	st->writes++;
	return pending_add(&st->pending, wr) || store_fail_because(st, "out of memory");
}

bool
store_insert(store *st, store_text collection, store_text key, int32_t ts_sec,
			 store_text data)
{
	return write_record(st, (journal_write) {
		collection, key, {data.bytes, data.len_bytes, ts_sec}
	});
}

bool
store_delete_record(store *st, store_text collection, store_text key, int64_t ts_sec)
{
	if (ts_sec < INT32_MIN || ts_sec > INT32_MAX)
		return store_begin(st);
	return write_record(st, (journal_write) {
		collection, key, {NULL, 0, (int32_t) ts_sec}
	});
}

/*
 * Whatever deletes more than a record is carried out at once, on all that was
 * written before.
 */
static bool
begin_flushed(store *st)
{
	return store_begin(st) && store_flush(st);
}

bool
store_delete_blocks(store *st, int64_t first_id, int64_t last_id)
{
	sqlite3_bind_int64(st->stmt[STMT_DELETE_BLOCKS], 1, first_id);
	sqlite3_bind_int64(st->stmt[STMT_DELETE_BLOCKS], 2, last_id);
	return store_run(st, STMT_DELETE_BLOCKS);
}

/* The blocks of the keys of these ids and between. */
static bool
delete_blocks_between(store *st, int64_t first_key_id, int64_t last_key_id)
{
	return store_delete_blocks(st, BLOCK_ID(first_key_id, INT32_MIN),
							   BLOCK_ID(last_key_id, INT32_MAX));
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

static bool
delete_key_with_blocks(store *st, int64_t collection_id, store_text key, int64_t key_id)
{
	return delete_blocks_between(st, key_id, key_id) && store_remove_key(st, collection_id, key);
}

bool
store_delete_key(store *st, store_text collection, store_text key)
{
	store_ids	ids;
	int64_t		has_key;

	if (!begin_flushed(st) || !store_find_key(st, collection, key, &ids))
		return false;
	if (ids.key == 0)
		return true;
	if (!delete_key_with_blocks(st, ids.collection, key, ids.key))
		return false;

	sqlite3_bind_int64(st->stmt[STMT_COLLECTION_HAS_KEY], 1, ids.collection);
	if (!store_run_for_value(st, STMT_COLLECTION_HAS_KEY, &has_key))
		return false;
	return has_key || remove_collection_rows(st, ids.collection);
}

/*
 * Deletes the blocks of all keys of a collection.  Ids one after the other, as
 * keys get them that are new together, go at a time.
 */
static bool
delete_blocks_of_collection(store *st, int64_t collection_id)
{
	int64_t		first = 0;
	int64_t		last = -1;		/* of the ids not yet gone */
	bool		good = store_keys_start(st, collection_id, (store_text) {"", 0});

	while (good && store_keys_next(st))
	{
		int64_t		key_id = st->keys.reader.key.id;

		if (key_id != last + 1)
		{
			good = last < first || delete_blocks_between(st, first, last);
			first = key_id;
		}
		last = key_id;
	}
	store_keys_end(st);
	return good && !st->failed && (last < first || delete_blocks_between(st, first, last));
}

bool
store_delete_key_everywhere(store *st, store_text key)
{
	sqlite3_stmt *collections = st->stmt[STMT_COLLECTION_IDS];
	bool		good = begin_flushed(st);
	int			rc = SQLITE_DONE;

	while (good && (rc = sqlite3_step(collections)) == SQLITE_ROW)
	{
		int64_t		collection_id = sqlite3_column_int64(collections, 0);
		int64_t		key_id;

		good = store_look_up_key(st, collection_id, key, &key_id) &&
			(key_id == 0 || delete_key_with_blocks(st, collection_id, key, key_id));
	}
	if (good && rc != SQLITE_DONE)
		good = store_fail(st);
	sqlite3_reset(collections);
	store_names_forget(st->names);
	return good && store_run(st, STMT_DELETE_VALUES_WITHOUT_KEYS) &&
		store_run(st, STMT_DELETE_COLLECTIONS_WITHOUT_KEYS);
}

bool
store_delete_collection(store *st, store_text collection)
{
	int64_t		collection_id;

	if (!begin_flushed(st) || !store_find_collection(st, collection, false, &collection_id))
		return false;
	return collection_id == 0 ||
		(delete_blocks_of_collection(st, collection_id) &&
		 remove_collection_rows(st, collection_id));
}
