/*-------------------------------------------------------------------------
 *
 * pending.c
 *		Finds, and sorts, what is pending.
 *
 * Records and names are brought into order only when somebody wants them so:
 * they mostly come in it.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "pending.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_FIRST_SIZE 1024

int
pending_compare(store_text a, store_text b)
{
	size_t		common = a.len_bytes < b.len_bytes ? a.len_bytes : b.len_bytes;
	int			order = memcmp(a.bytes, b.bytes, common);

	if (order != 0)
		return order;
	return (a.len_bytes > b.len_bytes) - (a.len_bytes < b.len_bytes);
}

/* ---- the table ---- */

/* FNV-1a, and its upper half brought down. */
static uint64_t
hash_name(const pending_name *owner, store_text text)
{
	uint64_t	hash = UINT64_C(14695981039346656037) ^ (owner != NULL ? owner->hash : 0);

	for (size_t i = 0; i < text.len_bytes; i++)
		hash = (hash ^ (unsigned char) text.bytes[i]) * UINT64_C(1099511628211);
	return hash ^ hash >> 32;
}

/* Where a name is, or would be. */
static pending_place *
place_of(const pending *p, const pending_name *owner, store_text text, uint64_t hash)
{
	size_t		at = hash & (p->table_size - 1);
	const pending_name *there;

	while ((there = p->table[at].name) != NULL &&
		   (p->table[at].hash != hash || there->owner != owner ||
			there->text.len_bytes != text.len_bytes ||
			memcmp(there->text.bytes, text.bytes, text.len_bytes) != 0))
		at = (at + 1) & (p->table_size - 1);
	return &p->table[at];
}

static pending_name *
find(const pending *p, const pending_name *owner, store_text text)
{
	if (p->table_size == 0)
		return NULL;
	return place_of(p, owner, text, hash_name(owner, text))->name;
}

/* So that there is always room, and half of it more. */
static bool
grow_table(pending *p)
{
	size_t		size = p->table_size ? 2 * p->table_size : TABLE_FIRST_SIZE;
	pending_place *old = p->table;
	size_t		old_size = p->table_size;
	pending_place *table;

	if (2 * p->named < old_size)
		return true;
	table = calloc(size, sizeof(pending_place));
	if (table == NULL)
		return false;
	p->table = table;
	p->table_size = size;
	p->bytes += (size - old_size) * sizeof(pending_place);
	for (size_t i = 0; i < old_size; i++)
	{
		if (old[i].name != NULL)
			*place_of(p, old[i].name->owner, old[i].name->text, old[i].hash) = old[i];
	}
	free(old);
	return true;
}

static bool
add_to_names(pending *p, pending_names *names, pending_name *name)
{
	if (names->count == names->size)
	{
		size_t		size = names->size ? 2 * names->size : 16;
		pending_name **memory = realloc(names->name, size * sizeof(pending_name *));

		if (memory == NULL)
			return false;
		p->bytes += (size - names->size) * sizeof(pending_name *);
		names->name = memory;
		names->size = size;
	}
	if (names->count > 0 && pending_compare(names->name[names->count - 1]->text, name->text) > 0)
		names->unsorted = true;
	names->name[names->count++] = name;
	return true;
}

/* What has a name in a list of them, made if missing, NULL if out of memory. */
static void *
find_or_add(pending *p, pending_names *names, const pending_name *owner, store_text text,
			size_t size)
{
	uint64_t	hash = hash_name(owner, text);
	pending_place *place;
	pending_name *name;

	if (!grow_table(p))
		return NULL;
	place = place_of(p, owner, text, hash);
	if (place->name != NULL)
		return place->name;
	name = calloc(1, size);
	if (name == NULL)
		return NULL;
	*name = (pending_name) {.text = text,.owner = owner,.hash = hash};
	if (!add_to_names(p, names, name))
	{
		free(name);
		return NULL;
	}
	p->bytes += size;
	p->named++;
	*place = (pending_place) {hash, name};
	return name;
}

/* ---- writing ---- */

/* Adds a write whose texts lie in the journal. */
static bool
add_kept(pending *p, const journal_write *wr)
{
	pending_collection *collection = find_or_add(p, &p->collections, NULL, wr->collection,
												 sizeof(pending_collection));
	pending_key *key;
	block_record *last;
	size_t		size_before;

	if (collection == NULL)
		return false;
	key = find_or_add(p, &collection->keys, &collection->name, wr->key, sizeof(pending_key));
	if (key == NULL)
		return false;
	if (wr->rec.bytes == NULL)
		key->deletes = true;
	else
		key->inserts = collection->inserts = true;

	last = key->list.count > 0 ? &key->list.record[key->list.count - 1] : NULL;
	if (last != NULL && last->ts_sec == wr->rec.ts_sec)
	{
		*last = wr->rec;
		return true;
	}
	if (last != NULL && last->ts_sec > wr->rec.ts_sec)
		key->unsorted = true;
	size_before = key->list.size;
	if (!block_list_add(&key->list, &wr->rec))
		return false;
	p->bytes += (key->list.size - size_before) * sizeof(block_record);
	return true;
}

bool
pending_add(pending *p, journal_write wr)
{
	return journal_append(&p->jnl, &wr) && add_kept(p, &wr);
}

bool
pending_load(pending *p, store_text part, bool *damaged)
{
	journal_write wr;

	*damaged = false;
	if (!journal_append_saved(&p->jnl, &part))
		return false;
	while (part.len_bytes > 0)
	{
		*damaged = !journal_read(&part, &wr);
		if (*damaged || !add_kept(p, &wr))
			return false;
	}
	return true;
}

bool
pending_is_empty(const pending *p)
{
	return p->collections.count == 0;
}

size_t
pending_bytes(const pending *p)
{
	return p->bytes + p->jnl.bytes;
}

static void
free_collection(pending_collection *collection)
{
	for (size_t i = 0; i < collection->keys.count; i++)
	{
		pending_key *key = (pending_key *) collection->keys.name[i];

		block_list_free(&key->list);
		free(key);
	}
	free(collection->keys.name);
	free(collection);
}

void
pending_clear(pending *p)
{
	for (size_t i = 0; i < p->collections.count; i++)
		free_collection((pending_collection *) p->collections.name[i]);
	free(p->collections.name);
	free(p->table);
	journal_clear(&p->jnl);
	*p = (pending) {0};
}

/* ---- reading ---- */

pending_collection *
pending_find_collection(const pending *p, store_text collection)
{
	return (pending_collection *) find(p, NULL, collection);
}

pending_key *
pending_find_key(const pending *p, store_text collection, store_text key)
{
	pending_collection *found = pending_find_collection(p, collection);

	return found != NULL ? (pending_key *) find(p, &found->name, key) : NULL;
}

static int
compare_names(const void *a, const void *b)
{
	return pending_compare((*(pending_name *const *) a)->text, (*(pending_name *const *) b)->text);
}

void
pending_sort_names(pending_names *names)
{
	if (names->unsorted)
		qsort(names->name, names->count, sizeof(pending_name *), compare_names);
	names->unsorted = false;
}

size_t
pending_search(const pending_names *names, store_text text)
{
	size_t		first = 0;
	size_t		behind = names->count;

	while (first < behind)
	{
		size_t		middle = first + (behind - first) / 2;

		if (pending_compare(names->name[middle]->text, text) < 0)
			first = middle + 1;
		else
			behind = middle;
	}
	return first;
}

/* A record's ts, and then its place among the writes. */
static int
compare_places(const void *a, const void *b)
{
	uint64_t	left = *(const uint64_t *) a;
	uint64_t	right = *(const uint64_t *) b;

	return (left > right) - (left < right);
}

bool
pending_sort_records(pending_key *key)
{
	block_list *list = &key->list;
	block_list	sorted = {0};
	uint64_t   *place;
	bool		good = true;

	if (!key->unsorted)
		return true;
	place = malloc(list->count * sizeof(uint64_t));
	if (place == NULL)
		return false;
	for (size_t i = 0; i < list->count; i++)
		place[i] = (uint64_t) ((int64_t) list->record[i].ts_sec - INT32_MIN) << 32 | i;
	qsort(place, list->count, sizeof(uint64_t), compare_places);
	for (size_t i = 0; i < list->count && good; i++)
	{
		if (i + 1 == list->count || place[i] >> 32 != place[i + 1] >> 32)
			good = block_list_add(&sorted, &list->record[place[i] & UINT32_MAX]);
	}
	free(place);
	if (!good)
	{
		block_list_free(&sorted);
		return false;
	}
	block_list_free(list);
	*list = sorted;
	key->unsorted = false;
	return true;
}
