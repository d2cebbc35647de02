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

bool
store_add_key(store *st, store_text collection, store_text key, store_ids *ids, bool *added)
{
	cache_slot *slot = slot_of(st->names, collection, key);
	sqlite3_stmt *stmt = st->stmt[STMT_ADD_KEY];

	*added = false;
	if (recall(st, slot, collection, key, ids))
		return true;
	if (st->last_key_id >= KEY_ID_MAX)
		return store_fail_because(st, "there are too many keys");
	ids->key = st->last_key_id + 1;
	sqlite3_bind_int64(stmt, 1, ids->collection);
	sqlite3_bind_int64(stmt, 3, ids->key);
	if (!store_bind_text(st, STMT_ADD_KEY, 2, key) || !store_run(st, STMT_ADD_KEY))
		return false;
	*added = sqlite3_changes(st->db) > 0;
	if (*added)
	{
		/* not to be remembered: of many new keys few are wanted again soon */
		st->last_key_id++;
		return true;
	}
	if (!look_up_key(st, key, ids))
		return false;
	if (slot != NULL)
		slot_fill(st->names, slot, collection, key, *ids);
	return true;
}
