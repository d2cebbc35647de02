/*-------------------------------------------------------------------------
 *
 * store_name.c
 *		From the names of collections and keys to their ids.
 *
 * Batches name the same few collections and keys over and over, so the ids
 * found last are remembered.  What the ids are used for is left to the other
 * files of the store.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "hash.h"
#include "store_int.h"

#include <stdlib.h>
#include <string.h>

/*
 * Each pair of names has one place where it can be remembered; the next pair
 * with the same place takes it over.  Pairs with long names are looked up
 * anew each time, which bounds the memory to some 20 MiB.
 */
#define CACHE_SLOTS 65536
#define CACHE_NAMES_MAX_BYTES 256

typedef struct cache_slot
{
	char	   *names;			/* collection and key, one after the other */
	size_t		collection_len_bytes;
	size_t		key_len_bytes;
	unsigned	generation;		/* valid if the cache's own */
	store_ids	ids;
} cache_slot;

struct name_cache
{
	unsigned	generation;
	cache_slot	slot[CACHE_SLOTS];
};

name_cache *
store_names_new(void)
{
	name_cache *names = calloc(1, sizeof(name_cache));

	if (names != NULL)
		names->generation = 1;
	return names;
}

void
store_names_free(name_cache *names)
{
	if (names == NULL)
		return;
	for (int i = 0; i < CACHE_SLOTS; i++)
		free(names->slot[i].names);
	free(names);
}

void
store_names_forget(name_cache *names)
{
	names->generation++;
}

/* The place of a pair of names, NULL if they are too long for one. */
static cache_slot *
slot_of(name_cache *names, store_text collection, store_text key)
{
	if (collection.len_bytes > CACHE_NAMES_MAX_BYTES ||
		key.len_bytes > CACHE_NAMES_MAX_BYTES - collection.len_bytes)
		return NULL;
	return &names->slot[hash_end(hash_text(hash_text(HASH_BEGIN, collection), key)) % CACHE_SLOTS];
}

static bool
slot_holds(const name_cache *names, const cache_slot *slot, store_text collection,
		   store_text key)
{
	return slot->generation == names->generation &&
		slot->collection_len_bytes == collection.len_bytes &&
		slot->key_len_bytes == key.len_bytes &&
		memcmp(slot->names, collection.bytes, collection.len_bytes) == 0 &&
		memcmp(slot->names + collection.len_bytes, key.bytes, key.len_bytes) == 0;
}

static void
slot_fill(name_cache *names, cache_slot *slot, store_text collection, store_text key,
		  store_ids ids)
{
	/* One byte more, for malloc may give NULL for none. */
	char	   *copy = malloc(collection.len_bytes + key.len_bytes + 1);

	if (copy == NULL)
		return;					/* then it is not remembered */
	memcpy(copy, collection.bytes, collection.len_bytes);
	memcpy(copy + collection.len_bytes, key.bytes, key.len_bytes);
	free(slot->names);
	slot->names = copy;
	slot->collection_len_bytes = collection.len_bytes;
	slot->key_len_bytes = key.len_bytes;
	slot->generation = names->generation;
	slot->ids = ids;
}

bool
store_find_collection(store *st, store_text collection, bool add, int64_t *collection_id)
{
	if (!store_bind_text(st, STMT_FIND_COLLECTION, 1, collection) ||
		!store_run_for_value(st, STMT_FIND_COLLECTION, collection_id))
		return false;
	if (*collection_id != 0 || !add)
		return true;
	if (!store_bind_text(st, STMT_ADD_COLLECTION, 1, collection) ||
		!store_run(st, STMT_ADD_COLLECTION))
		return false;
	*collection_id = sqlite3_last_insert_rowid(st->db);
	return true;
}

/* Fills in the ids if they are remembered. */
static bool
recall(const store *st, const cache_slot *slot, store_text collection, store_text key,
	   store_ids *ids)
{
	if (slot == NULL || !slot_holds(st->names, slot, collection, key))
		return false;
	*ids = slot->ids;
	return true;
}

static bool
look_up_key(store *st, store_text key, store_ids *ids)
{
	sqlite3_bind_int64(st->stmt[STMT_FIND_KEY], 1, ids->collection);
	return store_bind_text(st, STMT_FIND_KEY, 2, key) &&
		store_run_for_value(st, STMT_FIND_KEY, &ids->key);
}

bool
store_find_key(store *st, store_text collection, store_text key, store_ids *ids)
{
	cache_slot *slot = slot_of(st->names, collection, key);

	if (recall(st, slot, collection, key, ids))
		return true;
	ids->key = 0;
	if (!store_find_collection(st, collection, false, &ids->collection))
		return false;
	if (ids->collection != 0 && !look_up_key(st, key, ids))
		return false;

	/* Absence is not remembered: it would have to be forgotten at each insert. */
	if (slot != NULL && ids->key != 0)
		slot_fill(st->names, slot, collection, key, *ids);
	return true;
}

/* One key; remembered unless it is new: of many new ones few are wanted again soon. */
static bool
add_key(store *st, store_text collection, int64_t collection_id, store_key *key)
{
	cache_slot *slot = slot_of(st->names, collection, key->name);
	sqlite3_stmt *stmt = st->stmt[STMT_ADD_KEY];
	store_ids	ids;

	key->is_new = false;
	if (recall(st, slot, collection, key->name, &ids))
	{
		key->id = ids.key;
		return true;
	}
	if (st->last_key_id >= KEY_ID_MAX)
		return store_fail_because(st, "there are too many keys");
	key->id = st->last_key_id + 1;
	sqlite3_bind_int64(stmt, 1, collection_id);
	sqlite3_bind_int64(stmt, 3, key->id);
	if (!store_bind_text(st, STMT_ADD_KEY, 2, key->name) || !store_run(st, STMT_ADD_KEY))
		return false;
	key->is_new = sqlite3_changes(st->db) > 0;
	if (key->is_new)
	{
		st->last_key_id++;
		return true;
	}
	ids.collection = collection_id;
	if (!look_up_key(st, key->name, &ids))
		return false;
	key->id = ids.key;
	if (slot != NULL)
		slot_fill(st->names, slot, collection, key->name, ids);
	return true;
}

/* ADDED_ROWS keys that are likely to be new, by one statement. */
static bool
add_keys_together(store *st, int64_t collection_id, store_key *key)
{
	sqlite3_stmt *stmt = st->stmt[STMT_ADD_KEYS];
	int64_t		first_id = st->last_key_id + 1;
	bool		all_new;

	sqlite3_bind_int64(stmt, 1, collection_id);
	for (int i = 0; i < ADDED_ROWS; i++)
	{
		key[i].id = first_id + i;
		sqlite3_bind_int64(stmt, 2 * i + 3, key[i].id);
		if (!store_bind_text(st, STMT_ADD_KEYS, 2 * i + 2, key[i].name))
			return false;
	}
	if (!store_run(st, STMT_ADD_KEYS))
		return false;
	all_new = sqlite3_changes(st->db) == ADDED_ROWS;
	for (int i = 0; i < ADDED_ROWS; i++)
	{
		store_ids	ids = {collection_id, key[i].id};

		if (!all_new && !look_up_key(st, key[i].name, &ids))
			return false;
		key[i].id = ids.key;
		key[i].is_new = ids.key >= first_id;
		if (key[i].is_new)
			st->last_key_id = ids.key;
	}
	st->new_keys = all_new ? ADDED_ROWS : 0;
	return true;
}

/*
 * Those before tell whether these are likely to be new: where some are not, the
 * statement for all of them is work for nothing.
 */
bool
store_add_keys(store *st, store_text collection, int64_t collection_id, store_key *key,
			   size_t count)
{
	if (count == ADDED_ROWS && st->new_keys == ADDED_ROWS &&
		st->last_key_id <= KEY_ID_MAX - ADDED_ROWS)
		return add_keys_together(st, collection_id, key);
	for (size_t i = 0; i < count; i++)
	{
		if (!add_key(st, collection, collection_id, &key[i]))
			return false;
		if (!key[i].is_new)
			st->new_keys = 0;
		else if (st->new_keys < ADDED_ROWS)
			st->new_keys++;
	}
	return true;
}
