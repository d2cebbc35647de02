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

#include "key_block.h"
#include "pending.h"
#include "room.h"
#include "store.h"

/*
 * A block's row id is its key's id in the upper half and the ts of its first
 * record, moved to start at 0, in the lower: blocks lie in (key, ts) order in
 * one b-tree, and a range of one key is a range of row ids.
 */
#define BLOCK_ID(key_id, ts_sec) \
	(((int64_t) (key_id) << 32) + ((int64_t) (ts_sec) - INT32_MIN))
#define BLOCK_TS(block_id) ((int32_t) ((int64_t) ((block_id) & UINT32_MAX) + INT32_MIN))
#define BLOCK_KEY(block_id) ((block_id) >> 32)

typedef enum statement
{
	STMT_BEGIN,
	STMT_COMMIT,
	STMT_ROLLBACK,
	STMT_FIND_COLLECTION,
	STMT_ADD_COLLECTION,
	STMT_COLLECTION_IDS,
	STMT_KEYS_UP_TO,
	STMT_KEYS_BEHIND,
	STMT_PUT_KEYS,
	STMT_DELETE_KEYS_ROW,
	STMT_LAST_BLOCK_ID,
	STMT_BLOCK_UP_TO,
	STMT_BLOCK_FROM,
	STMT_BLOCK_ID_FROM,
	STMT_PUT_BLOCK,
	STMT_ADD_BLOCKS,
	STMT_DELETE_BLOCKS,
	STMT_COLLECTION_HAS_KEY,
	STMT_DELETE_KEYS_OF_COLLECTION,
	STMT_DELETE_VALUES_OF_COLLECTION,
	STMT_DELETE_COLLECTION,
	STMT_DELETE_VALUES_WITHOUT_KEYS,
	STMT_DELETE_COLLECTIONS_WITHOUT_KEYS,
	STMT_SET_VALUE,
	STMT_DELETE_VALUE,
	STMT_SAVE_JOURNAL,
	STMT_LOAD_JOURNAL,
	STMT_DROP_JOURNAL,
	STMT_SCAN_BLOCKS,
	STMT_SCAN_BLOCKS_REVERSE,
	STMT_SCAN_KEYS,
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

/* So many rows does STMT_ADD_BLOCKS add. */
#define ADDED_BLOCKS 8

/* So many keys are found, and added, together at most. */
#define FOUND_KEYS 256

/* A key by name, and what was found of it. */
typedef struct store_key
{
	store_text	name;
	int64_t		id;
	bool		is_new;			/* has been added just now */
} store_key;

/* The keys of a collection, listed from a name on. */
typedef struct key_scan
{
	key_reader	reader;			/* of the row; its key is the one listed last */
	store_text	first;
} key_scan;

/* A block that is packed, and not yet in the table. */
typedef struct packed_block
{
	int64_t		id;
	size_t		at;				/* in store.packed */
	size_t		len_bytes;
} packed_block;

/* Where a scan is; the statement says which kind it is of. */
typedef struct scan_state
{
	statement	which;
	int64_t		from_sec;
	int64_t		to_sec;

	/* by name: SQLite's row and the pending name that come next */
	bool		has_row;
	bool		rows_end;
	store_text	row_name;
	const pending_names *names; /* NULL if none of them count */
	size_t		name_at;

	/* records: what is unpacked of blocks, what is pending, both half open */
	bool		reverse;
	bool		blocks_end;
	size_t		block_at;
	size_t		block_behind;
	const block_record *pending;
	size_t		pending_at;
	size_t		pending_behind;
} scan_state;

struct store
{
	sqlite3    *db;
	sqlite3_stmt *stmt[STMT_COUNT];
	name_cache *names;
	int64_t		last_key_id;	/* the highest given to a key */
	pending		pending;
	size_t		pending_max_bytes;
	bool		stale;			/* pending is not what the journal says */
	bool		flush_due;		/* all of it, with the next commit */
	size_t		writes;			/* since the last commit */
	block_list	unpacked;		/* the block that a scan or a flush is at */
	block_list	merged;			/* by a flush */
	room		copy;			/* of a flush's block */
	room		packed;			/* by a flush */
	room		key_copy;		/* of a row of keys */
	room		key_merged;		/* its keys, some added or removed */
	room		key_packed;
	packed_block new_blocks[ADDED_BLOCKS];
	int			new_blocks_count;
	scan_state	scan;			/* the one in progress */
	key_scan	keys;
	bool		in_transaction;
	bool		failed;
	char		message[256];
};

/* ---- in store.c ---- */

/* Records what SQLite says as the failure; always returns false. */
extern bool store_fail(store *st);

/* Records a failure of our own; always returns false. */
extern bool store_fail_because(store *st, const char *message);

/* To be called before anything is read of what may be pending; false if it can't. */
extern bool store_ready(store *st);

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

/* Records why a block could not be read; true if it could. */
extern bool store_block_is(store *st, block_outcome outcome);

/* ---- in store_journal.c ---- */

/* What is pending and not in the journal's table gets there. */
extern bool store_journal_save(store *st);

/* What is pending is what the journal's table says. */
extern bool store_journal_load(store *st);

/* The rows of the journal's table up to one are no longer needed; 0 is none. */
extern bool store_journal_drop(store *st, int64_t last_row_id);

/* ---- in store_record.c ---- */

/* The blocks of these ids and between. */
extern bool store_delete_blocks(store *st, int64_t first_id, int64_t last_id);

/* ---- in store_key.c ---- */

/* The id of a key, 0 if there is none. */
extern bool store_look_up_key(store *st, int64_t collection_id, store_text name, int64_t *key_id);

/* Fills in the ids of keys, in the order of their names, and adds those that are missing. */
extern bool store_add_to_keys(store *st, int64_t collection_id, store_key *const *key,
							  size_t count);

/* A key that has no blocks. */
extern bool store_remove_key(store *st, int64_t collection_id, store_text name);

/* Lists the keys of names >= first, in order, in store.keys; nothing may be written meanwhile. */
extern bool store_keys_start(store *st, int64_t collection_id, store_text first);

/* False at the end and on failure. */
extern bool store_keys_next(store *st);
extern void store_keys_end(store *st);

/* ---- in store_flush.c ---- */

/* All that is pending goes into blocks. */
extern bool store_flush(store *st);

/* As much as is good for so many writes. */
extern bool store_flush_some(store *st, size_t writes);

/* ---- in store_name.c ---- */

extern name_cache *store_names_new(void);
extern void store_names_free(name_cache *names);

/* After anything that may make a remembered id wrong. */
extern void store_names_forget(name_cache *names);

/* The id of a collection, 0 if there is none and it is not to be added. */
extern bool store_find_collection(store *st, store_text collection, bool add,
								  int64_t *collection_id);

/* The ids of a collection and a key in it. */
extern bool store_find_key(store *st, store_text collection, store_text key, store_ids *ids);

/* The same for FOUND_KEYS keys at most, with what is remembered. */
extern bool store_add_keys(store *st, store_text collection, int64_t collection_id,
						   store_key *key, size_t count);

#endif							/* STORE_INT_H */
