/*-------------------------------------------------------------------------
 *
 * store_scan.c
 *		Reads lists: records of a key, newest of each key, names, pairs.
 *
 * What is in SQLite's tables and what is pending come in the same order and
 * are merged on the way out.  A scan holds SQLite's read lock while it is
 * open; not to keep it open for long, and to resume from a position instead,
 * is the caller's part.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "name.h"
#include "store_int.h"

/* The columns of every statement here. */
#define COLUMN_BLOCK_ID 0
#define COLUMN_DATA 1
#define COLUMN_NAME 2

/*
 * A key that had more pending than this out of order is not to be sorted over
 * and over, as one that is written and read in turn would be.
 */
#define SORTED_MAX_RECORDS 4096

static const block_record no_record = {"", 0, 0};

/* Brings 64-bit bounds into what a record's ts can be; false if none can. */
static bool
clamp_bounds(int64_t *from_sec, int64_t *to_sec)
{
	if (*from_sec < INT32_MIN)
		*from_sec = INT32_MIN;
	if (*to_sec > INT32_MAX)
		*to_sec = INT32_MAX;
	return *from_sec <= *to_sec;
}

/* ---- the records of one key ---- */

static statement
blocks_statement(const scan_state *scan)
{
	return scan->reverse ? STMT_SCAN_BLOCKS_REVERSE : STMT_SCAN_BLOCKS;
}

/* Starts on a key's records within bounds; either part may have none. */
static bool
start_records(store *st, int64_t key_id, pending_key *pending)
{
	scan_state *scan = &st->scan;
	sqlite3_stmt *blocks = st->stmt[blocks_statement(scan)];

	scan->blocks_end = key_id == 0;
	scan->block_at = scan->block_behind = 0;
	sqlite3_bind_int64(blocks, 1, BLOCK_ID(key_id, INT32_MIN));
	sqlite3_bind_int64(blocks, 2, BLOCK_ID(key_id, scan->from_sec));
	sqlite3_bind_int64(blocks, 3, BLOCK_ID(key_id, scan->to_sec));

	scan->pending_at = scan->pending_behind = 0;
	if (pending == NULL)
		return true;
	if (pending->unsorted && pending->list.count > SORTED_MAX_RECORDS)
		st->flush_due = true;
	if (!pending_sort_records(pending))
		return store_fail_because(st, "out of memory");
	scan->pending = pending->list.record;
	scan->pending_at = block_search(scan->pending, pending->list.count, scan->from_sec);
	scan->pending_behind = block_search(scan->pending, pending->list.count, scan->to_sec + 1);
	return true;
}

/* Unpacks blocks until one has records within the bounds, or there is none. */
static bool
fill_block(store *st)
{
	scan_state *scan = &st->scan;
	sqlite3_stmt *blocks = st->stmt[blocks_statement(scan)];

	while (scan->block_at == scan->block_behind && !scan->blocks_end)
	{
		int			rc = sqlite3_step(blocks);
		store_text	data;

		if (rc != SQLITE_ROW)
		{
			scan->blocks_end = true;
			return rc == SQLITE_DONE || store_fail(st);
		}
		data = store_column_text(blocks, COLUMN_DATA);
		if (!store_block_is(st, block_unpack(data.bytes, data.len_bytes,
											 BLOCK_TS(sqlite3_column_int64(blocks, COLUMN_BLOCK_ID)),
											 &st->unpacked)))
			return false;
		scan->block_at = block_search(st->unpacked.record, st->unpacked.count, scan->from_sec);
		scan->block_behind = block_search(st->unpacked.record, st->unpacked.count,
										  scan->to_sec + 1);
	}
	return true;
}

static const block_record *
take(const block_record *list, size_t *at, size_t *behind, bool reverse)
{
	return reverse ? &list[--*behind] : &list[(*at)++];
}

/* The next record, deletions among them; NULL at the end and on failure. */
static const block_record *
next_version(store *st)
{
	scan_state *scan = &st->scan;
	const block_record *blocks;
	const block_record *pending;
	bool		has_block;
	bool		has_pending = scan->pending_at < scan->pending_behind;
	int64_t		order;

	if (scan->block_at == scan->block_behind && !fill_block(st))
		return NULL;
	has_block = scan->block_at < scan->block_behind;
	if (!has_pending)
		return has_block ? take(st->unpacked.record, &scan->block_at, &scan->block_behind,
								scan->reverse) : NULL;
	pending = &scan->pending[scan->reverse ? scan->pending_behind - 1 : scan->pending_at];
	if (has_block)
	{
		blocks = &st->unpacked.record[scan->reverse ? scan->block_behind - 1 : scan->block_at];
		order = (int64_t) blocks->ts_sec - pending->ts_sec;
		if (scan->reverse ? order > 0 : order < 0)
			return take(st->unpacked.record, &scan->block_at, &scan->block_behind, scan->reverse);
		if (order == 0)
			take(st->unpacked.record, &scan->block_at, &scan->block_behind, scan->reverse);
	}
	return take(scan->pending, &scan->pending_at, &scan->pending_behind, scan->reverse);
}

/* The next record that is not deleted; NULL at the end and on failure. */
static const block_record *
next_record(store *st)
{
	const block_record *rec;

	while ((rec = next_version(st)) != NULL && rec->bytes == NULL)
		;
	return rec;
}

bool
store_scan_records(store *st, store_text collection, store_text key, int64_t from_sec,
				   int64_t to_sec, bool reverse)
{
	store_ids	ids;

	st->scan = (scan_state) {.reverse = reverse};
	st->scan.which = blocks_statement(&st->scan);
	if (!store_ready(st) || !store_find_key(st, collection, key, &ids))
		return false;
	if (!clamp_bounds(&from_sec, &to_sec))
		return start_records(st, 0, NULL);
	st->scan.from_sec = from_sec;
	st->scan.to_sec = to_sec;
	return start_records(st, ids.key, pending_find_key(&st->pending, collection, key));
}

/* ---- by name ---- */

/* With names from a list, too, or NULL. */
static void
start_names(store *st, statement which, pending_names *names, store_text first)
{
	st->scan = (scan_state) {.which = which,.names = names};
	if (names == NULL)
		return;
	pending_sort_names(names);
	st->scan.name_at = pending_search(names, first);
}

/* The part common to the scans of one collection's pairs. */
static bool
start_values(store *st, statement which, store_text collection, store_text first)
{
	int64_t		collection_id;

	start_names(st, which, NULL, first);
	if (!store_find_collection(st, collection, false, &collection_id))
		return false;
	sqlite3_bind_int64(st->stmt[which], 1, collection_id);
	return store_bind_text(st, which, 2, first);
}

bool
store_scan_latest(store *st, store_text collection, store_text first, int64_t from_sec,
				  int64_t at_sec)
{
	pending_collection *pending;
	int64_t		collection_id;

	if (!store_ready(st))
		return false;
	pending = pending_find_collection(&st->pending, collection);
	start_names(st, STMT_SCAN_KEYS, pending != NULL ? &pending->keys : NULL, first);

	/* Bounds that no ts can meet: the lower above the upper. */
	if (!clamp_bounds(&from_sec, &at_sec))
	{
		from_sec = INT32_MAX;
		at_sec = INT32_MIN;
	}
	st->scan.from_sec = from_sec;
	st->scan.to_sec = at_sec;
	st->scan.reverse = true;
	return store_find_collection(st, collection, false, &collection_id) &&
		store_keys_start(st, collection_id, first);
}

bool
store_scan_collections(store *st, store_text first)
{
	if (!store_ready(st))
		return false;
	start_names(st, STMT_SCAN_COLLECTIONS, &st->pending.collections, first);
	return store_bind_text(st, STMT_SCAN_COLLECTIONS, 1, first);
}

bool
store_scan_values(store *st, store_text collection, store_text first)
{
	return start_values(st, STMT_SCAN_VALUES, collection, first);
}

bool
store_scan_value(store *st, store_text collection, store_text key)
{
	return start_values(st, STMT_SCAN_VALUE, collection, key);
}

/* SQLite's next name, unless there is one already. */
static bool
fill_row(store *st)
{
	scan_state *scan = &st->scan;
	sqlite3_stmt *rows = st->stmt[scan->which];
	int			rc;

	if (scan->has_row || scan->rows_end)
		return true;
	if (scan->which == STMT_SCAN_KEYS)
	{
		scan->has_row = store_keys_next(st);
		scan->row_name = st->keys.reader.key.name;
	}
	else
	{
		rc = sqlite3_step(rows);
		scan->has_row = rc == SQLITE_ROW;
		if (scan->has_row)
			scan->row_name = store_column_text(rows, COLUMN_NAME);
		else if (rc != SQLITE_DONE)
			store_fail(st);
	}
	scan->rows_end = !scan->has_row;
	return !st->failed;
}

/*
 * Whether a name counts: idle keys do not, nor does a collection that never had
 * a record, but deletions.
 */
static bool
is_pending(const pending_name *name)
{
	return name->owner != NULL ? ((const pending_key *) name)->list.count > 0 :
		((const pending_collection *) name)->inserts;
}

static pending_name *
next_pending_name(scan_state *scan)
{
	while (scan->names != NULL && scan->name_at < scan->names->count)
	{
		pending_name *name = scan->names->name[scan->name_at];

		if (is_pending(name))
			return name;
		scan->name_at++;
	}
	return NULL;
}

static void
item_of(store_item *item, const block_record *rec)
{
	item->found = rec != NULL;
	if (rec == NULL)
		rec = &no_record;
	item->ts_sec = rec->ts_sec;
	item->data = (store_text) {rec->bytes, rec->len_bytes};
}

/* The newest record in the blocks of the key listed last. */
static bool
newest_in_blocks(store *st, store_item *item)
{
	sqlite3_stmt *block = st->stmt[STMT_BLOCK_UP_TO];
	int64_t		key_id = st->keys.reader.key.id;
	store_text	data;
	block_record rec;
	int			rc;

	sqlite3_reset(block);
	sqlite3_bind_int64(block, 1, BLOCK_ID(key_id, INT32_MIN));
	sqlite3_bind_int64(block, 2, BLOCK_ID(key_id, st->scan.to_sec));
	rc = sqlite3_step(block);
	item_of(item, NULL);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE || store_fail(st);
	data = store_column_text(block, COLUMN_DATA);
	if (!store_block_is(st, block_last(data.bytes, data.len_bytes,
									   BLOCK_TS(sqlite3_column_int64(block, COLUMN_BLOCK_ID)),
									   st->scan.to_sec, &rec)))
		return false;
	if (rec.ts_sec >= st->scan.from_sec)
		item_of(item, &rec);
	return true;
}

/* The newest record of a key of which something is pending. */
static bool
newest_with_pending(store *st, pending_key *pending, bool has_row, store_item *item)
{
	sqlite3_reset(st->stmt[STMT_SCAN_BLOCKS_REVERSE]);
	if (st->scan.from_sec > st->scan.to_sec)
		item_of(item, NULL);
	else if (start_records(st, has_row ? st->keys.reader.key.id : 0, pending))
		item_of(item, next_record(st));
	return !st->failed;
}

/* Which of SQLite's name and the pending one comes first, as a comparison says it. */
static int
compare_next(const scan_state *scan, const pending_name *name)
{
	if (name == NULL)
		return -1;
	return scan->has_row ? name_compare(scan->row_name, name->text) : 1;
}

/* The smaller of SQLite's name and the pending one, with what belongs to it. */
static bool
next_by_name(store *st, store_item *item)
{
	scan_state *scan = &st->scan;
	sqlite3_stmt *rows = st->stmt[scan->which];
	pending_name *name = next_pending_name(scan);
	int			order;

	if (!fill_row(st) || (!scan->has_row && name == NULL))
		return false;
	order = compare_next(scan, name);
	item->found = true;
	item->name = order <= 0 ? scan->row_name : name->text;
	if (scan->which != STMT_SCAN_KEYS)
		item->data = order <= 0 ? store_column_text(rows, COLUMN_DATA) : (store_text) {"", 0};
	else if (!(order < 0 ? newest_in_blocks(st, item) :
			   newest_with_pending(st, (pending_key *) name, order == 0, item)))
		return false;
	if (order <= 0)
		scan->has_row = false;
	if (order >= 0)
		scan->name_at++;
	return true;
}

/* ---- all of them ---- */

bool
store_scan_next(store *st, store_item *item)
{
	const block_record *rec;

	if (st->scan.which != STMT_SCAN_BLOCKS && st->scan.which != STMT_SCAN_BLOCKS_REVERSE)
		return next_by_name(st, item);
	rec = next_record(st);
	if (rec == NULL)
		return false;
	item_of(item, rec);
	return true;
}

void
store_scan_end(store *st)
{
	sqlite3_reset(st->stmt[st->scan.which]);
	sqlite3_reset(st->stmt[STMT_SCAN_BLOCKS_REVERSE]);
	sqlite3_reset(st->stmt[STMT_BLOCK_UP_TO]);
}
