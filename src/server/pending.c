/*-------------------------------------------------------------------------
 *
 * pending.c
 *		Finds, and sorts, what is pending.
 *
 * Records and names are brought into order only when somebody wants them so:
 * they mostly come in it.  Keys that were written are likely to be again, so
 * they are forgotten only when most of them are idle.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "pending.h"

#include <stdlib.h>
#include <string.h>

#include "name.h"

#define TABLE_FIRST_SIZE 1024

/* What a key takes besides: itself, its name, and its places in lists. */
#define KEY_BYTES 160

/* So many idle keys are never too many. */
#define IDLE_MIN 1024

/* ---- the table ---- */

static uint64_t
hash_name(const pending_name *owner, store_text text)
{
	return hash_end(hash_text(owner != NULL ? owner->hash : HASH_BEGIN, text));
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

static void
fill_table_with(pending *p, const pending_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		*place_of(p, names->name[i]->owner, names->name[i]->text, names->name[i]->hash) =
			(pending_place) {names->name[i]->hash, names->name[i]};
}

/* Puts all names into a table that has room for them. */
static void
fill_table(pending *p)
{
	memset(p->table, 0, p->table_size * sizeof(pending_place));
	fill_table_with(p, &p->collections);
	for (size_t i = 0; i < p->collections.count; i++)
		fill_table_with(p, &((pending_collection *) p->collections.name[i])->keys);
}

/* So that there is always room, and half of it more. */
static bool
grow_table(pending *p)
{
	size_t		size = p->table_size ? 2 * p->table_size : TABLE_FIRST_SIZE;
	pending_place *table;

	if (2 * p->named < p->table_size)
		return true;
	table = malloc(size * sizeof(pending_place));
	if (table == NULL)
		return false;
	free(p->table);
	p->table = table;
	p->table_size = size;
	fill_table(p);
	return true;
}

static bool
add_to_names(pending_names *names, pending_name *name)
{
	if (names->count == names->size)
	{
		size_t		size = names->size ? 2 * names->size : 16;
		pending_name **memory = realloc(names->name, size * sizeof(pending_name *));

		if (memory == NULL)
			return false;
		names->name = memory;
		names->size = size;
	}
	if (names->count > 0 && name_compare(names->name[names->count - 1]->text, name->text) > 0)
		names->unsorted = true;
	names->name[names->count++] = name;
	return true;
}

/*
 * What has a name, made if missing, with its text behind a structure of that
 * size; NULL if out of memory.
 */
static void *
find_or_add(pending *p, pending_names *names, pending_name *owner, store_text text, size_t size)
{
	uint64_t	hash = hash_name(owner, text);
	pending_place *place;
	pending_name *name;

	if (!grow_table(p))
		return NULL;
	place = place_of(p, owner, text, hash);
	if (place->name != NULL)
		return place->name;
	name = calloc(1, size + text.len_bytes);
	if (name == NULL)
		return NULL;
	memcpy((char *) name + size, text.bytes, text.len_bytes);
	*name = (pending_name) {{(char *) name + size, text.len_bytes}, owner, hash};
	if (!add_to_names(names, name))
	{
		free(name);
		return NULL;
	}
	*place = (pending_place) {hash, name};
	p->named++;
	return name;
}

/* ---- writing ---- */

static void
enqueue(pending *p, pending_key *key)
{
	key->place = p->jnl.last_place;
	key->next = NULL;
	if (p->last == NULL)
		p->first = key;
	else
		p->last->next = key;
	p->last = key;
	p->active++;
}

/* Many keys have one record and no more: that takes no memory of its own. */
static bool
add_record(pending_key *key, const block_record *rec)
{
	block_list	list = {0};

	if (key->list.count == 0)
	{
		key->only = *rec;
		key->list = (block_list) {&key->only, 1, 1};
		return true;
	}
	if (key->list.record != &key->only)
		return block_list_add(&key->list, rec);
	if (!block_list_add(&list, &key->only) || !block_list_add(&list, rec))
	{
		block_list_free(&list);
		return false;
	}
	key->list = list;
	return true;
}

static void
free_records(pending_key *key)
{
	if (key->list.record != &key->only)
		block_list_free(&key->list);
	key->list = (block_list) {0};
}

/* Adds a write whose data lies at the journal's last place. */
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
	if (key->list.count == 0)
		enqueue(p, key);
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
	if (!add_record(key, &wr->rec))
		return false;
	p->list_bytes += (key->list.size - size_before) * sizeof(block_record);
	return true;
}

bool
pending_add(pending *p, journal_write wr)
{
	return journal_append(&p->jnl, &wr) && add_kept(p, &wr);
}

bool
pending_load(pending *p, store_text part, int64_t row_id, bool *damaged)
{
	journal_write wr;

	*damaged = false;
	if (!journal_append_saved(&p->jnl, &part, row_id))
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
	return p->first == NULL && p->batch_at == p->batch_count;
}

size_t
pending_bytes(const pending *p)
{
	return p->jnl.bytes + p->list_bytes + p->active * KEY_BYTES;
}

static void
free_collection(pending_collection *collection)
{
	for (size_t i = 0; i < collection->keys.count; i++)
	{
		pending_key *key = (pending_key *) collection->keys.name[i];

		free_records(key);
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
	free(p->batch);
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
	pending_key *found_key = found != NULL ? (pending_key *) find(p, &found->name, key) : NULL;

	return found_key != NULL && found_key->list.count > 0 ? found_key : NULL;
}

static int
compare_names(const void *a, const void *b)
{
	return name_compare((*(pending_name *const *) a)->text, (*(pending_name *const *) b)->text);
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

		if (name_compare(names->name[middle]->text, text) < 0)
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
	if (good)
	{
		memcpy(list->record, sorted.record, sorted.count * sizeof(block_record));
		list->count = sorted.count;
		key->unsorted = false;
	}
	block_list_free(&sorted);
	return good;
}

/* ---- batches ---- */

static int
compare_keys(const void *a, const void *b)
{
	const pending_key *left = *(pending_key *const *) a;
	const pending_key *right = *(pending_key *const *) b;
	int			order = 0;

	if (left->name.owner != right->name.owner)
		order = name_compare(left->name.owner->text, right->name.owner->text);
	return order != 0 ? order : name_compare(left->name.text, right->name.text);
}

bool
pending_start_batch(pending *p, size_t bytes)
{
	uint64_t	end = journal_place_behind(&p->jnl, bytes);
	size_t		count = 0;

	if (p->batch_at < p->batch_count)
		return true;
	for (const pending_key *key = p->first; key != NULL && key->place < end; key = key->next)
		count++;
	if (count == 0)
		return true;
	free(p->batch);
	p->batch_at = p->batch_count = 0;
	p->batch = malloc(count * sizeof(pending_key *));
	if (p->batch == NULL)
		return false;
	while (p->batch_count < count)
	{
		p->batch[p->batch_count++] = p->first;
		p->first = p->first->next;
	}
	if (p->first == NULL)
		p->last = NULL;
	qsort(p->batch, count, sizeof(pending_key *), compare_keys);
	return true;
}

pending_key *const *
pending_rest(const pending *p, size_t *count)
{
	*count = p->batch_count - p->batch_at;
	return *count > 0 ? p->batch + p->batch_at : NULL;
}

void
pending_gone(pending *p)
{
	pending_key *key = p->batch[p->batch_at++];

	p->list_bytes -= key->list.size * sizeof(block_record);
	free_records(key);
	key->unsorted = key->inserts = key->deletes = false;
	p->active--;
}

/* Moves those that are not idle together; what is in no list any more is freed. */
static void
forget_idle_keys(pending *p, pending_names *keys)
{
	size_t		kept = 0;

	for (size_t i = 0; i < keys->count; i++)
	{
		pending_key *key = (pending_key *) keys->name[i];

		if (key->list.count > 0)
		{
			keys->name[kept++] = &key->name;
			continue;
		}
		p->named--;
		free(key);
	}
	keys->count = kept;
}

/* Forgets idle keys, collections without others, and makes the table anew. */
static void
forget_idle(pending *p)
{
	size_t		kept = 0;

	for (size_t i = 0; i < p->collections.count; i++)
	{
		pending_collection *collection = (pending_collection *) p->collections.name[i];

		forget_idle_keys(p, &collection->keys);
		if (collection->keys.count > 0)
		{
			p->collections.name[kept++] = &collection->name;
			continue;
		}
		p->named--;
		free_collection(collection);
	}
	p->collections.count = kept;
	fill_table(p);
}

int64_t
pending_end_batch(pending *p)
{
	uint64_t	place = p->first != NULL ? p->first->place : UINT64_MAX;
	size_t		idle = p->named - p->collections.count - p->active;

	if (idle > IDLE_MIN && idle > p->named / 2)
		forget_idle(p);
	return journal_give_up(&p->jnl, place);
}
