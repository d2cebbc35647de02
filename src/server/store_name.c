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
#include "name.h"
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

bool
store_find_key(store *st, store_text collection, store_text key, store_ids *ids)
{
	cache_slot *slot = slot_of(st->names, collection, key);

	if (recall(st, slot, collection, key, ids))
		return true;
	ids->key = 0;
	if (!store_find_collection(st, collection, false, &ids->collection))
		return false;
	if (ids->collection != 0 && !store_look_up_key(st, ids->collection, key, &ids->key))
		return false;

	/* Absence is not remembered: it would have to be forgotten at each insert. */
	if (slot != NULL && ids->key != 0)
		slot_fill(st->names, slot, collection, key, *ids);
	return true;
}

bool
store_add_keys(store *st, store_text collection, int64_t collection_id, store_key *key,
			   size_t count)
{
	store_key  *unknown[FOUND_KEYS];
	size_t		unknown_count = 0;

	for (size_t i = 0; i < count; i++)
	{
		cache_slot *slot = slot_of(st->names, collection, key[i].name);
		store_ids	ids;

		if (recall(st, slot, collection, key[i].name, &ids))
			key[i] = (store_key) {key[i].name, ids.key, false};
		else
			unknown[unknown_count++] = &key[i];
	}
	if (unknown_count > 0 && !store_add_to_keys(st, collection_id, unknown, unknown_count))
		return false;

	/* of many new ones few are wanted again soon */
	for (size_t i = 0; i < unknown_count; i++)
	{
		cache_slot *slot = slot_of(st->names, collection, unknown[i]->name);

		if (slot != NULL && !unknown[i]->is_new)
			slot_fill(st->names, slot, collection, unknown[i]->name,
					  (store_ids) {collection_id, unknown[i]->id});
	}
	return true;
}
