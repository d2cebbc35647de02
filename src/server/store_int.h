/*-------------------------------------------------------------------------
 *
 * store_int.h
 *		What the store's own files share; included by store*.c only.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef STORE_INT_H
#define STORE_INT_H

#include <sqlite3.h>

#include "store.h"

/*
 * A record's row id is its key's id in the upper half and its ts, moved to
 * start at 0, in the lower: records lie in (key, ts) order in one b-tree, and
 * a range of one key is a range of row ids.
 */
#define RECORD_ID(key_id, ts_sec) \
	(((int64_t) (key_id) << 32) + ((int64_t) (ts_sec) - INT32_MIN))
#define RECORD_TS(record_id) ((int64_t) ((record_id) & UINT32_MAX) + INT32_MIN)

/* So that a record's id stays positive. */
#define KEY_ID_MAX INT32_MAX

typedef enum statement
{
	STMT_BEGIN,
	STMT_COMMIT,
	STMT_ROLLBACK,
	STMT_FIND_COLLECTION,
	STMT_ADD_COLLECTION,
	STMT_FIND_KEY,
	STMT_ADD_KEY,
	STMT_INSERT,
	STMT_DELETE_RECORD,
	STMT_KEY_HAS_RECORD,
	STMT_DELETE_RECORDS_OF_KEY,
	STMT_DELETE_KEY,
	STMT_COLLECTION_HAS_KEY,
	STMT_KEYS_OF_COLLECTION,
	STMT_KEYS_NAMED,
	STMT_DELETE_KEYS_NAMED,
	STMT_DELETE_KEYS_OF_COLLECTION,
	STMT_DELETE_VALUES_OF_COLLECTION,
	STMT_DELETE_COLLECTION,
	STMT_DELETE_VALUES_WITHOUT_KEYS,
	STMT_DELETE_COLLECTIONS_WITHOUT_KEYS,
	STMT_SET_VALUE,
	STMT_DELETE_VALUE,
	STMT_SCAN_RECORDS,
	STMT_SCAN_RECORDS_REVERSE,
	STMT_SCAN_LATEST,
	STMT_SCAN_COLLECTIONS,
	STMT_SCAN_VALUES,
	STMT_SCAN_VALUE
} statement;

#define STMT_COUNT (STMT_SCAN_VALUE + 1)

typedef struct name_cache name_cache;

/* Absent collections and keys have id 0; SQLite counts from 1. */
typedef struct store_ids
{
	int64_t		collection;
	int64_t		key;
} store_ids;

struct store
{
	sqlite3    *db;
	sqlite3_stmt *stmt[STMT_COUNT];
	statement	scan;			/* the scan in progress */
	name_cache *names;
	bool		in_transaction;
	bool		failed;
	char		message[256];
};

/* ---- in store.c ---- */

/* Records what SQLite says as the failure; always returns false. */
extern bool store_fail(store *st);

/* Records a failure of our own; always returns false. */
extern bool store_fail_because(store *st, const char *message);

/* To be called before anything is written. */
extern bool store_begin(store *st);
extern bool store_bind_text(store *st, statement which, int position, store_text text);

/* Binds an id to the first parameter, runs a statement that yields no rows. */
extern bool store_run(store *st, statement which);
extern bool store_run_for_id(store *st, statement which, int64_t id);

/*
 * Runs a statement for its first row: the first column becomes *value, 0 if
 * there is no row.
 */
extern bool store_run_for_value(store *st, statement which, int64_t *value);
extern store_text store_column_text(sqlite3_stmt *stmt, int column);

/* ---- in store_name.c ---- */

extern name_cache *store_names_new(void);
extern void store_names_free(name_cache *names);

/* After anything that may make a remembered id wrong. */
extern void store_names_forget(name_cache *names);

/* The id of a collection, 0 if there is none and it is not to be added. */
extern bool store_find_collection(store *st, store_text collection, bool add,
								  int64_t *collection_id);

/* The ids of a collection and a key in it; likewise. */
extern bool store_find_key(store *st, store_text collection, store_text key,
						   bool add, store_ids *ids);

#endif							/* STORE_INT_H */
