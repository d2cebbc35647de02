/*-------------------------------------------------------------------------
 *
 * store_key.c
 *		Finds, adds, removes and lists the keys of a collection.
 *
 * A row has as many of them as make a block, in the order of their names: so
 * many are added, and read, for the price of one.  A name belongs into the
 * last row that does not begin behind it, else into the first.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "name.h"
#include "store_int.h"

#define COLUMN_FIRST 0
#define COLUMN_KEYS 1

/* A row, in store.key_copy. */
typedef struct key_row
{
	bool		found;
	store_text	first;
	store_text	keys;
} key_row;

/* A row's keys with others added, in store.key_merged. */
typedef struct key_merge
{
	key_entry  *entry;
	size_t		count;
	size_t		added;
	bool		appended;		/* those that were added come last */
} key_merge;

static bool
fail_for_memory(store *st)
{
	return store_fail_because(st, "out of memory");
}

static bool
is_whole(store *st, const key_reader *reader)
{
	return !reader->damaged || store_fail_because(st, "a block of keys is damaged");
}

static bool
bind_place(store *st, statement which, int64_t collection_id, store_text name)
{
	sqlite3_bind_int64(st->stmt[which], 1, collection_id);
	return store_bind_text(st, which, 2, name);
}

/* Whether there is a row, which is then lent until the statement is reset. */
static bool
step_to_row(store *st, statement which, bool *found)
{
	int			rc = sqlite3_step(st->stmt[which]);

	*found = rc == SQLITE_ROW;
	return *found || rc == SQLITE_DONE || store_fail(st);
}

static key_reader
read_keys(store *st, statement which)
{
	return key_block_read(store_column_text(st->stmt[which], COLUMN_FIRST),
						  store_column_text(st->stmt[which], COLUMN_KEYS));
}

bool
store_look_up_key(store *st, int64_t collection_id, store_text name, int64_t *key_id)
{
	key_reader	reader = {0};
	bool		found = false;

	*key_id = 0;
	if (bind_place(st, STMT_KEYS_UP_TO, collection_id, name) &&
		step_to_row(st, STMT_KEYS_UP_TO, &found) && found)
		reader = read_keys(st, STMT_KEYS_UP_TO);
	while (key_block_next(&reader))
	{
		int			order = name_compare(reader.key.name, name);

		if (order < 0)
			continue;
		if (order == 0)
			*key_id = reader.key.id;
		break;
	}
	sqlite3_reset(st->stmt[STMT_KEYS_UP_TO]);
	return is_whole(st, &reader) && !st->failed;
}

/* ---- rows ---- */

static bool
copy_row(store *st, statement which, int64_t collection_id, store_text name, key_row *row)
{
	*row = (key_row) {false, {"", 0}, {"", 0}};
	if (bind_place(st, which, collection_id, name) && step_to_row(st, which, &row->found) &&
		row->found)
	{
		store_text	first = store_column_text(st->stmt[which], COLUMN_FIRST);
		store_text	keys = store_column_text(st->stmt[which], COLUMN_KEYS);
		char	   *copy;

		if (room_make(&st->key_copy, 0, first.len_bytes + keys.len_bytes))
		{
			copy = st->key_copy.bytes;
			memcpy(copy, first.bytes, first.len_bytes);
			memcpy(copy + first.len_bytes, keys.bytes, keys.len_bytes);
			row->first = (store_text) {copy, first.len_bytes};
			row->keys = (store_text) {copy + first.len_bytes, keys.len_bytes};
		}
		else
			fail_for_memory(st);
	}
	sqlite3_reset(st->stmt[which]);
	return !st->failed;
}

static bool
copy_row_for(store *st, int64_t collection_id, store_text name, key_row *row)
{
	if (!copy_row(st, STMT_KEYS_UP_TO, collection_id, name, row))
		return false;
	return row->found || copy_row(st, STMT_KEYS_BEHIND, collection_id, name, row);
}

/* Room for all that a row has, and some more. */
static key_entry *
room_for_merge(store *st, const key_row *row, size_t more)
{
	size_t		count = row->keys.len_bytes + 1 + more;

	if (!room_make(&st->key_merged, 0, count * sizeof(key_entry)))
	{
		fail_for_memory(st);
		return NULL;
	}
	return st->key_merged.bytes;
}

static bool
delete_row(store *st, int64_t collection_id, store_text first)
{
	return bind_place(st, STMT_DELETE_KEYS_ROW, collection_id, first) &&
		store_run(st, STMT_DELETE_KEYS_ROW);
}

static bool
put_row(store *st, int64_t collection_id, const key_entry *entry, size_t count, size_t bytes)
{
	unsigned char *packed;
	unsigned char *end;

	if (!room_make(&st->key_packed, 0, bytes))
		return fail_for_memory(st);
	packed = st->key_packed.bytes;
	end = key_block_pack(entry, count, packed);
	return bind_place(st, STMT_PUT_KEYS, collection_id, entry->name) &&
		store_bind_text(st, STMT_PUT_KEYS, 3, (store_text) {(char *) packed, end - packed}) &&
		store_run(st, STMT_PUT_KEYS);
}

/* Puts keys into as many rows as they need. */
static bool
put_rows(store *st, int64_t collection_id, const key_entry *entry, size_t count, bool appended)
{
	const key_entry *end = entry + count;
	size_t		wanted_bytes = 0;

	for (size_t i = 0; i < count; i++)
		wanted_bytes += key_entry_bytes(i > 0 ? &entry[i - 1] : NULL, &entry[i]);
	wanted_bytes = block_part_bytes(wanted_bytes, KEY_BLOCK_MAX_BYTES, appended);
	while (entry < end)
	{
		size_t		bytes = key_entry_bytes(NULL, entry);
		size_t		part = 1;

		while (entry + part < end && bytes < wanted_bytes)
		{
			size_t		more = key_entry_bytes(&entry[part - 1], &entry[part]);

			if (bytes + more > KEY_BLOCK_MAX_BYTES)
				break;
			bytes += more;
			part++;
		}
		if (!put_row(st, collection_id, entry, part, bytes))
			return false;
		entry += part;
	}
	return true;
}

/* Puts what has become of a row in its place. */
static bool
replace_row(store *st, int64_t collection_id, const key_row *row, const key_entry *entry,
			size_t count, bool appended)
{
	if (row->found && (count == 0 || name_compare(entry->name, row->first) != 0) &&
		!delete_row(st, collection_id, row->first))
		return false;
	return put_rows(st, collection_id, entry, count, appended);
}

/* ---- adding ---- */

/* How many of the names, in order, belong into a row: those before the next one. */
static bool
count_of_row(store *st, int64_t collection_id, const key_row *row, store_key *const *key,
			 size_t count, size_t *taken)
{
	bool		found = false;

	*taken = count;
	if (!row->found)
		return true;
	if (bind_place(st, STMT_KEYS_BEHIND, collection_id, row->first) &&
		step_to_row(st, STMT_KEYS_BEHIND, &found) && found)
	{
		store_text	next = store_column_text(st->stmt[STMT_KEYS_BEHIND], COLUMN_FIRST);

		*taken = 1;
		while (*taken < count && name_compare(key[*taken]->name, next) < 0)
			(*taken)++;
	}
	sqlite3_reset(st->stmt[STMT_KEYS_BEHIND]);
	return !st->failed;
}

static bool
add_entry(store *st, key_merge *merge, store_key *key)
{
	if (st->last_key_id >= KEY_ID_MAX)
		return store_fail_because(st, "there are too many keys");
	key->id = ++st->last_key_id;
	key->is_new = true;
	merge->entry[merge->count++] = (key_entry) {key->name, key->id};
	merge->added++;
	return true;
}

/* Merges keys with a row's; what those have that are there already is filled in. */
static bool
merge_keys(store *st, const key_row *row, store_key *const *key, size_t count, key_merge *merge)
{
	key_reader	reader = key_block_read(row->first, row->keys);
	bool		has_old = row->found && key_block_next(&reader);
	size_t		i = 0;

	*merge = (key_merge) {.entry = room_for_merge(st, row, count),.appended = true};
	if (merge->entry == NULL)
		return false;
	while (has_old || i < count)
	{
		int			order = 1;

		if (has_old)
			order = i < count ? name_compare(reader.key.name, key[i]->name) : -1;
		if (order > 0)
		{
			if (!add_entry(st, merge, key[i++]))
				return false;
			continue;
		}
		if (order == 0)
		{
			key[i]->id = reader.key.id;
			key[i++]->is_new = false;
		}
		merge->entry[merge->count++] = reader.key;
		merge->appended = merge->added == 0;
		has_old = key_block_next(&reader);
	}
	return is_whole(st, &reader);
}

bool
store_add_to_keys(store *st, int64_t collection_id, store_key *const *key, size_t count)
{
	while (count > 0)
	{
		key_row		row;
		key_merge	merge;
		size_t		taken;

		if (!copy_row_for(st, collection_id, key[0]->name, &row) ||
			!count_of_row(st, collection_id, &row, key, count, &taken) ||
			!merge_keys(st, &row, key, taken, &merge))
			return false;
		if (merge.added > 0 &&
			!replace_row(st, collection_id, &row, merge.entry, merge.count, merge.appended))
			return false;
		key += taken;
		count -= taken;
	}
	return true;
}

/* ---- removing ---- */

bool
store_remove_key(store *st, int64_t collection_id, store_text name)
{
	key_row		row;
	key_reader	reader;
	key_entry  *entry;
	size_t		count = 0;
	bool		removed = false;

	store_names_forget(st->names);
	if (!copy_row(st, STMT_KEYS_UP_TO, collection_id, name, &row))
		return false;
	if (!row.found)
		return true;
	if ((entry = room_for_merge(st, &row, 0)) == NULL)
		return false;
	reader = key_block_read(row.first, row.keys);
	while (key_block_next(&reader))
	{
		if (name_compare(reader.key.name, name) == 0)
			removed = true;
		else
			entry[count++] = reader.key;
	}
	if (!is_whole(st, &reader))
		return false;
	return !removed || replace_row(st, collection_id, &row, entry, count, false);
}

/* ---- listing ---- */

bool
store_keys_start(store *st, int64_t collection_id, store_text first)
{
	st->keys = (key_scan) {.first = first};
	return bind_place(st, STMT_SCAN_KEYS, collection_id, first);
}

bool
store_keys_next(store *st)
{
	key_scan   *scan = &st->keys;
	bool		found;

	for (;;)
	{
		while (key_block_next(&scan->reader))
		{
			if (name_compare(scan->reader.key.name, scan->first) >= 0)
				return true;
		}
		if (!is_whole(st, &scan->reader) || !step_to_row(st, STMT_SCAN_KEYS, &found) || !found)
			return false;
		scan->reader = read_keys(st, STMT_SCAN_KEYS);
	}
}

void
store_keys_end(store *st)
{
	sqlite3_reset(st->stmt[STMT_SCAN_KEYS]);
}
