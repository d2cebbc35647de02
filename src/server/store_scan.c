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
#include "store_int.h"

/* The columns of every scan. */
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

/* The part common to the scans of one collection by name. */
static bool
start_collection(store *st, store_text collection, store_text first)
{
	sqlite3_stmt *rows = st->stmt[st->scan.which];
	int64_t		collection_id;

	if (!store_find_collection(st, collection, false, &collection_id))
		return false;
	sqlite3_bind_int64(rows, 1, collection_id);
	return store_bind_text(st, st->scan.which, 2, first);
}

bool
store_scan_latest(store *st, store_text collection, store_text first, int64_t from_sec,
				  int64_t at_sec)
{
	pending_collection *pending;

	if (!store_ready(st))
		return false;
	pending = pending_find_collection(&st->pending, collection);
	start_names(st, STMT_SCAN_LATEST, pending != NULL ? &pending->keys : NULL, first);

	/* Bounds that no ts can meet: the lower above the upper. */
	if (!clamp_bounds(&from_sec, &at_sec))
	{
		from_sec = INT32_MAX;
		at_sec = INT32_MIN;
	}
	st->scan.from_sec = from_sec;
	st->scan.to_sec = at_sec;
	st->scan.reverse = true;
	sqlite3_bind_int64(st->stmt[STMT_SCAN_LATEST], 3, BLOCK_ID(0, at_sec));
	return start_collection(st, collection, first);
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
	start_names(st, STMT_SCAN_VALUES, NULL, first);
	return start_collection(st, collection, first);
}

bool
store_scan_value(store *st, store_text collection, store_text key)
{
	start_names(st, STMT_SCAN_VALUE, NULL, key);
	return start_collection(st, collection, key);
}

/* SQLite's next row, unless there is one already. */
static bool
fill_row(store *st)
{
	scan_state *scan = &st->scan;
	int			rc;

	if (scan->has_row || scan->rows_end)
		return true;
	rc = sqlite3_step(st->stmt[scan->which]);
	scan->has_row = rc == SQLITE_ROW;
	scan->rows_end = !scan->has_row;
	return scan->has_row || rc == SQLITE_DONE || store_fail(st);
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

/* The newest record in the row's block; a key has records before the bounds only, too. */
static bool
newest_in_block(store *st, store_item *item)
{
	sqlite3_stmt *rows = st->stmt[st->scan.which];
	store_text	data = store_column_text(rows, COLUMN_DATA);
	int64_t		block_id = sqlite3_column_int64(rows, COLUMN_BLOCK_ID);
	block_record rec;

	/* No block has id 0: that is how SQLite reads a NULL as a number. */
	if (block_id == 0)
	{
		item_of(item, NULL);
		return true;
	}
	if (!store_block_is(st, block_last(data.bytes, data.len_bytes, BLOCK_TS(block_id),
									   st->scan.to_sec, &rec)))
		return false;
	item_of(item, rec.ts_sec >= st->scan.from_sec ? &rec : NULL);
	return true;
}

/* The newest record of a key of which something is pending. */
static bool
newest_with_pending(store *st, pending_key *pending, bool has_row, store_item *item)
{
	int64_t		block_id = 0;

	sqlite3_reset(st->stmt[STMT_SCAN_BLOCKS_REVERSE]);
	if (has_row)
		block_id = sqlite3_column_int64(st->stmt[st->scan.which], COLUMN_BLOCK_ID);
	if (st->scan.from_sec > st->scan.to_sec)
		item_of(item, NULL);
	else if (start_records(st, BLOCK_KEY(block_id), pending))
		item_of(item, next_record(st));
	return !st->failed;
}

/* Which of SQLite's name and the pending one comes first, as a comparison says it. */
static int
compare_next(const scan_state *scan, store_text row_name, const pending_name *name)
{
	if (name == NULL)
		return -1;
	return scan->has_row ? pending_compare(row_name, name->text) : 1;
}

/* The smaller of SQLite's name and the pending one, with what belongs to it. */
static bool
next_by_name(store *st, store_item *item)
{
	scan_state *scan = &st->scan;
	sqlite3_stmt *rows = st->stmt[scan->which];
	pending_name *name = next_pending_name(scan);
	store_text	row_name = {"", 0};
	int			order;

	if (!fill_row(st) || (!scan->has_row && name == NULL))
		return false;
	if (scan->has_row)
		row_name = store_column_text(rows, COLUMN_NAME);
	order = compare_next(scan, row_name, name);
	item->found = true;
	item->name = order <= 0 ? row_name : name->text;
	if (scan->which != STMT_SCAN_LATEST)
		item->data = order <= 0 ? store_column_text(rows, COLUMN_DATA) : (store_text) {"", 0};
	else if (!(order < 0 ? newest_in_block(st, item) :
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
}
