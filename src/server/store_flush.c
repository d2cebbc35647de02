/*-------------------------------------------------------------------------
 *
 * store_flush.c
 *		Puts what is pending into blocks.
 *
 * Key by key, block by block: what is pending for the time that a block covers
 * is merged with its records, and they are packed anew, into one block or
 * several.
 *
 * With each commit some keys go, twice as many as there were writes: so nobody
 * has to wait for very much at once, and no more is pending in the end.  They
 * go in the order of their names, as that is how they lie side by side.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "store_int.h"

#include <string.h>

/* What part of the journal a batch gives up. */
#define BATCH_PART 4

/* Blocks that wait for others do not take more than this. */
#define WAITING_MAX_BYTES (ADDED_BLOCKS * BLOCK_PAGE_BYTES)

/* The key that is flushed.  Ids of blocks that there are not are 0. */
typedef struct flush_key
{
	int64_t		id;
	bool		is_new;
	int64_t		last_block_id;
	int64_t		unpacked_id;	/* of the block that is unpacked */
	const block_record *at;		/* what is still to be flushed */
	const block_record *end;
} flush_key;

/* The collection of the key before. */
typedef struct flush_collection
{
	const pending_name *pending;
	int64_t		id;
} flush_collection;

static void
bind_ids(store *st, statement which, int64_t first, int64_t last)
{
	sqlite3_bind_int64(st->stmt[which], 1, first);
	sqlite3_bind_int64(st->stmt[which], 2, last);
}

/* ---- reading ---- */

/* Unpacks the block of a statement's row, if there is one, out of a copy that stays. */
static bool
read_block(store *st, statement which, flush_key *key, int64_t first_id, int64_t last_id)
{
	sqlite3_stmt *stmt = st->stmt[which];
	int			rc;

	key->unpacked_id = 0;
	st->unpacked.count = 0;
	bind_ids(st, which, first_id, last_id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
	{
		store_text	data = store_column_text(stmt, 1);

		key->unpacked_id = sqlite3_column_int64(stmt, 0);
		if (room_make(&st->copy, 0, data.len_bytes + 1))
		{
			memcpy(st->copy.bytes, data.bytes, data.len_bytes);
			store_block_is(st, block_unpack(st->copy.bytes, data.len_bytes,
											BLOCK_TS(key->unpacked_id), &st->unpacked));
		}
		else
			store_fail_because(st, "out of memory");
	}
	else if (rc != SQLITE_DONE)
		store_fail(st);
	sqlite3_reset(stmt);
	return !st->failed;
}

/* Mostly records come behind all others of their key: its last block first. */
static bool
read_last_block(store *st, flush_key *key)
{
	if (!read_block(st, STMT_BLOCK_UP_TO, key, BLOCK_ID(key->id, INT32_MIN),
					BLOCK_ID(key->id, INT32_MAX)))
		return false;
	key->last_block_id = key->unpacked_id;
	return true;
}

/*
 * Unpacks the block for the first pending record: the one that covers its
 * time, else the key's first, which then begins later.
 */
static bool
read_block_for_first(store *st, flush_key *key)
{
	int64_t		wanted = BLOCK_ID(key->id, key->at->ts_sec);

	if (wanted >= key->last_block_id && key->unpacked_id == key->last_block_id)
		return true;
	if (!read_block(st, STMT_BLOCK_UP_TO, key, BLOCK_ID(key->id, INT32_MIN), wanted))
		return false;
	return key->unpacked_id != 0 ||
		read_block(st, STMT_BLOCK_FROM, key, wanted, BLOCK_ID(key->id, INT32_MAX));
}

/* Behind the last pending record that comes before the next block. */
static bool
find_end(store *st, const flush_key *key, const block_record **end)
{
	int64_t		next_id;

	*end = key->end;
	if (key->unpacked_id == key->last_block_id)
		return true;
	bind_ids(st, STMT_BLOCK_ID_FROM, key->unpacked_id + 1, key->last_block_id);
	if (!store_run_for_value(st, STMT_BLOCK_ID_FROM, &next_id))
		return false;
	*end = key->at + block_search(key->at, key->end - key->at, BLOCK_TS(next_id));
	return true;
}

/* ---- merging ---- */

/* Of two records of one ts the pending one counts, and none if that deletes it. */
static bool
merge(store *st, const block_record *pending, const block_record *end)
{
	const block_record *old = st->unpacked.record;
	const block_record *old_end = block_list_end(&st->unpacked);
	bool		good = true;

	st->merged.count = 0;
	while (good && (old < old_end || pending < end))
	{
		const block_record *next;

		if (pending == end || (old < old_end && old->ts_sec < pending->ts_sec))
			next = old++;
		else
		{
			if (old < old_end && old->ts_sec == pending->ts_sec)
				old++;
			next = pending++;
		}
		if (next->bytes != NULL)
			good = block_list_add(&st->merged, next);
	}
	return good || store_fail_because(st, "out of memory");
}

/* How long the blocks of the merged records are to become. */
static size_t
part_bytes(const store *st, bool appended)
{
	const block_record *rec = st->merged.record;
	size_t		bytes = 0;

	for (size_t i = 0; i < st->merged.count && !appended; i++)
		bytes += block_record_bytes(&rec[i > 0 ? i - 1 : 0], &rec[i]);
	return block_part_bytes(bytes, BLOCK_MAX_BYTES, appended);
}

/* The first so many records that make a block, and how long it is. */
static size_t
count_part(const block_record *rec, const block_record *end, size_t wanted_bytes, size_t *bytes)
{
	size_t		count = 1;

	*bytes = block_record_bytes(rec, rec);
	while (rec + count < end && *bytes < wanted_bytes)
	{
		size_t		more = block_record_bytes(&rec[count - 1], &rec[count]);

		if (*bytes + more > BLOCK_MAX_BYTES)
			break;
		*bytes += more;
		count++;
	}
	return count;
}

/* ---- writing ---- */

static bool
bind_block(store *st, statement which, int position, const packed_block *block)
{
	sqlite3_bind_int64(st->stmt[which], position, block->id);
	return store_bind_text(st, which, position + 1, (store_text) {
		(char *) st->packed.bytes + block->at, block->len_bytes
	});
}

/*
 * Blocks of new keys go several at a time: a good part of a small row's price
 * is the statement's.  With REPLACE, SQLite would keep aside what a statement
 * of several rows changes; with IGNORE there is nothing to take back.
 */
static bool
put_new_blocks(store *st)
{
	int			count = st->new_blocks_count;
	bool		good = true;

	st->new_blocks_count = 0;
	if (count == ADDED_BLOCKS)
	{
		for (int i = 0; i < count && good; i++)
			good = bind_block(st, STMT_ADD_BLOCKS, 2 * i + 1, &st->new_blocks[i]);
		if (!good || !store_run(st, STMT_ADD_BLOCKS))
			return false;
		return sqlite3_changes(st->db) == count ||
			store_fail_because(st, "a new key has a block already");
	}
	for (int i = 0; i < count && good; i++)
		good = bind_block(st, STMT_PUT_BLOCK, 1, &st->new_blocks[i]) &&
			store_run(st, STMT_PUT_BLOCK);
	return good;
}

/* Where those that wait for others end, in store.packed. */
static size_t
packed_bytes(const store *st)
{
	const packed_block *last;

	if (st->new_blocks_count == 0)
		return 0;
	last = &st->new_blocks[st->new_blocks_count - 1];
	return last->at + last->len_bytes;
}

static bool
put_block(store *st, bool new_key, int64_t id, const block_record *rec, size_t count, size_t bytes)
{
	packed_block block = {id, packed_bytes(st), bytes};

	if (!room_make(&st->packed, block.at, block.at + bytes))
		return store_fail_because(st, "out of memory");
	block_pack(rec, count, (unsigned char *) st->packed.bytes + block.at);
	if (!new_key)
		return bind_block(st, STMT_PUT_BLOCK, 1, &block) && store_run(st, STMT_PUT_BLOCK);
	st->new_blocks[st->new_blocks_count++] = block;
	return (st->new_blocks_count < ADDED_BLOCKS && block.at + bytes < WAITING_MAX_BYTES) ||
		put_new_blocks(st);
}

static bool
put_merged(store *st, const flush_key *key, bool appended)
{
	const block_record *rec = st->merged.record;
	const block_record *end = block_list_end(&st->merged);
	size_t		wanted_bytes = part_bytes(st, appended);

	while (rec < end)
	{
		size_t		bytes;
		size_t		count = count_part(rec, end, wanted_bytes, &bytes);

		if (!put_block(st, key->is_new, BLOCK_ID(key->id, rec->ts_sec), rec, count, bytes))
			return false;
		rec += count;
	}
	return true;
}

/* Puts as much of what is pending of a key as belongs to one block. */
static bool
flush_block(store *st, flush_key *key)
{
	const block_list *old = &st->unpacked;
	const block_record *end;
	bool		appended;

	if (!read_block_for_first(st, key) || !find_end(st, key, &end) || !merge(st, key->at, end))
		return false;
	appended = old->count == 0 || old->record[old->count - 1].ts_sec < key->at->ts_sec;
	key->at = end;

	/* it begins with another record, or is empty */
	if (key->unpacked_id != 0 &&
		(st->merged.count == 0 ||
		 BLOCK_ID(key->id, st->merged.record[0].ts_sec) != key->unpacked_id) &&
		!store_delete_blocks(st, key->unpacked_id, key->unpacked_id))
		return false;
	return put_merged(st, key, appended);
}

/* ---- keys and collections ---- */

static bool
drop_key_without_blocks(store *st, const store_ids *ids, store_text name)
{
	int64_t		block_id;

	bind_ids(st, STMT_BLOCK_ID_FROM, BLOCK_ID(ids->key, INT32_MIN), BLOCK_ID(ids->key, INT32_MAX));
	if (!put_new_blocks(st) || !store_run_for_value(st, STMT_BLOCK_ID_FROM, &block_id))
		return false;
	return block_id != 0 || store_remove_key(st, ids->collection, name);
}

/* The id of a key's collection, 0 if there is none and nothing is to be in it. */
static bool
find_collection(store *st, const pending_key *pending, flush_collection *known)
{
	if (known->id != 0 && known->pending == pending->name.owner)
		return true;
	known->pending = pending->name.owner;
	return store_find_collection(st, pending->name.owner->text, pending->inserts, &known->id);
}

/*
 * Finds the keys that the batch begins with, one at least and so many at most:
 * those of one collection that may have to be added.  Returns how many, 0 if
 * that failed.
 */
static size_t
find_keys(store *st, size_t max_count, flush_collection *known, store_key *found)
{
	size_t		left;
	pending_key *const *batch = pending_rest(&st->pending, &left);
	const pending_name *owner = batch[0]->name.owner;
	size_t		count = 0;

	if (!find_collection(st, batch[0], known))
		return 0;
	if (!batch[0]->inserts)
	{
		store_ids	ids;

		if (!store_find_key(st, owner->text, batch[0]->name.text, &ids))
			return 0;
		found[0] = (store_key) {.id = ids.key};
		return 1;
	}
	for (; count < left && count < max_count; count++)
	{
		if (batch[count]->name.owner != owner || !batch[count]->inserts)
			break;
		found[count].name = batch[count]->name.text;
	}
	return store_add_keys(st, owner->text, known->id, found, count) ? count : 0;
}

static bool
flush_pending_key(store *st, pending_key *pending, const store_ids *ids, bool is_new)
{
	flush_key	key;

	if (ids->key == 0)
		return true;			/* there is nothing to delete */
	if (!pending_sort_records(pending))
		return store_fail_because(st, "out of memory");
	key = (flush_key) {
		.id = ids->key,.is_new = is_new,.at = pending->list.record,.end = block_list_end(&pending->list)
	};
	st->unpacked.count = 0;
	if (!is_new && !read_last_block(st, &key))
		return false;
	while (key.at < key.end)
	{
		if (!flush_block(st, &key))
			return false;
	}
	return !pending->deletes || drop_key_without_blocks(st, ids, pending->name.text);
}

/* ---- batches ---- */

/* So many keys of the batch, at most. */
static bool
flush_keys(store *st, size_t count)
{
	flush_collection known = {0};
	store_key	found[FOUND_KEYS];
	size_t		left;

	st->new_blocks_count = 0;
	while (count > 0 && pending_rest(&st->pending, &left) != NULL)
	{
		size_t		found_count = find_keys(st, count < FOUND_KEYS ? count : FOUND_KEYS,
											&known, found);

		if (found_count == 0)
			return false;
		for (size_t i = 0; i < found_count; i++)
		{
			store_ids	ids = {known.id, found[i].id};

			if (!flush_pending_key(st, *pending_rest(&st->pending, &left), &ids, found[i].is_new))
				return false;
			pending_gone(&st->pending);
		}
		count -= found_count;
	}
	if (!put_new_blocks(st))
		return false;
	if (pending_rest(&st->pending, &left) != NULL)
		return true;
	return store_journal_drop(st, pending_end_batch(&st->pending));
}

bool
store_flush(store *st)
{
	while (!pending_is_empty(&st->pending))
	{
		if (!pending_start_batch(&st->pending, SIZE_MAX))
			return store_fail_because(st, "out of memory");
		if (!flush_keys(st, SIZE_MAX))
			return false;
	}

	/* idle names, too: what is deleted next would make them wrong */
	pending_clear(&st->pending);
	return true;
}

bool
store_flush_some(store *st, size_t writes)
{
	pending    *p = &st->pending;
	size_t		left;

	if (pending_bytes(p) > st->pending_max_bytes &&
		!pending_start_batch(p, p->jnl.bytes / BATCH_PART))
		return store_fail_because(st, "out of memory");
	return pending_rest(p, &left) == NULL || flush_keys(st, 2 * writes);
}
