/*-------------------------------------------------------------------------
 *
 * reader.c
 *		Reads what a query asks for: walks its keys, the intervals of each
 *		key, and the pages of each interval, with requests in flight.
 *
 * LTDB answers one key and one interval at a time, and it has no cursor, so
 *
 *		no condition on key:  one "query" request lists the keys
 *		each key, interval:   "query-user" with a limit; a full page is
 *							  followed by the next, from the last ts + 1
 *
 * Pages are asked for ahead of the one being read, in the order in which they
 * will be read, as many as a budget of bytes allows; a page's limit follows
 * from the size of the records seen so far.  So memory does not grow with the
 * result, and LTDB never has to hold many answers for us.
 *
 * This file knows nothing of plans and slots.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "utils/memutils.h"

/* Requests in flight at most. */
#define WINDOW 64

/* Bytes that the requests in flight may be answered with, as far as we know. */
#define WINDOW_BYTES (8.0 * 1024 * 1024)

/* Bytes that one page should have. */
#define PAGE_BYTES (1024.0 * 1024)

/* Before any record was seen: a small page, so that the first row comes soon. */
#define FIRST_LIMIT 256
#define FIRST_RECORD_BYTES 4096.0

/* What an answer spends on a record besides its data. */
#define RECORD_OVERHEAD_BYTES 32.0

typedef struct LtfdwPage
{
	int			key_no;
	LtfdwInterval interval;		/* what of it is still to come */
	int64		limit;
	int64		count;			/* records read */
	int64		last_sec;		/* of these */
	ltdb_reply *reply;
} LtfdwPage;

struct LtfdwReader
{
	LtfdwConn  *conn;
	const LtfdwTable *table;	/* its collection and fetch_size */
	MemoryContext keys_cxt;		/* the keys that LTDB listed */
	MemoryContextCallback release;

	LtfdwQuery	query;
	ltdb_text	collection;
	bool		started;		/* keys are known */

	/* the next page that nobody has asked for yet */
	int			next_key;
	int			next_interval;

	/* pages in flight, in the order in which they are read: a ring */
	LtfdwPage		pages[WINDOW];
	int			head;
	int			npages;

	/* what was read so far, to judge the size of pages by */
	double		records;
	double		record_bytes;
	double		pages_read;
};

static void
release_pages(void *arg)
{
	LtfdwReader *reader = arg;

	for (int i = 0; i < reader->npages; i++)
	{
		LtfdwPage	   *page = &reader->pages[(reader->head + i) % WINDOW];

		ltdb_reply_free(page->reply);
		page->reply = NULL;
	}
	reader->npages = 0;
}

/* Lives in the current context, and frees its replies with it. */
LtfdwReader *
ltfdw_reader_new(LtfdwConn *conn, const LtfdwTable *table)
{
	LtfdwReader *reader = palloc0(sizeof(LtfdwReader));

	reader->conn = conn;
	reader->table = table;
	reader->collection = ltfdw_text_to_ltdb(table->collection, strlen(table->collection));
	reader->keys_cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw keys",
											 ALLOCSET_DEFAULT_SIZES);
	reader->release.func = release_pages;
	reader->release.arg = reader;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &reader->release);
	return reader;
}

/* Begin with a query that outlives its reading; it is not empty. */
void
ltfdw_reader_start(LtfdwReader *reader, const LtfdwQuery *query)
{
	reader->query = *query;
	reader->started = false;
	reader->next_key = 0;
	reader->next_interval = 0;
	reader->head = 0;
}

/* Forget the query; what is in flight for it will be dropped. */
void
ltfdw_reader_stop(LtfdwReader *reader)
{
	release_pages(reader);
	MemoryContextReset(reader->keys_cxt);
}

/* ---- the keys ---- */

/*
 * LTDB cannot fetch the records of a key without a name, which other clients
 * may have stored; say so rather than leave them out in silence.
 */
static void
warn_about_empty_key(LtfdwReader *reader)
{
	ereport(WARNING,
			(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
			 errmsg("collection \"%s\" has records with an empty key, which LTDB cannot fetch",
					reader->table->collection),
			 errhint("The function ltdb_latest shows the newest of them.")));
}

static void
append_key(LtfdwReader *reader, LtfdwKeys *keys, int *allocated, ltdb_text key)
{
	if (key.len_bytes == 0)
	{
		warn_about_empty_key(reader);
		return;
	}
	if (keys->count == *allocated)
	{
		*allocated = *allocated ? *allocated * 2 : 64;
		keys->items = keys->items
			? repalloc_huge(keys->items, *allocated * sizeof(text *))
			: palloc(*allocated * sizeof(text *));
	}
	keys->items[keys->count++] = ltfdw_text_from_ltdb(key, "key", reader->table->collection);
}

/* Every key with a record between the first and the last second asked for. */
static void
list_keys(LtfdwReader *reader)
{
	const LtfdwIntervals *times = &reader->query.times;
	int64		to_sec = times->items[times->count - 1].to_sec;
	MemoryContext old = MemoryContextSwitchTo(reader->keys_cxt);
	LtfdwKeys	keys = {false, 0, NULL};
	int			allocated = 0;
	ltdb_latest request = {0};
	LtfdwReply *owned;
	ltdb_record item;
	ltdb_next	next;

	/* LTDB refuses at <= 0; then some keys may be listed for nothing */
	request.collection = reader->collection;
	request.at_sec = Max(to_sec, 1);
	request.from_sec = times->items[0].from_sec;
	owned = ltfdw_reply_own(reader->conn,
							ltdb_send_latest(ltfdw_connection_handle(reader->conn), &request));
	while ((next = ltfdw_connection_next(reader->conn, owned->reply, &item)) != LTDB_DONE)
	{
		if (next == LTDB_RESTART)
			keys.count = 0;
		else
			append_key(reader, &keys, &allocated, item.key);
	}
	ltfdw_reply_release(owned);
	ltfdw_keys_normalize(&keys);
	reader->query.keys = keys;
	MemoryContextSwitchTo(old);
}

/* ---- the pages ---- */

static double
expected_record_bytes(const LtfdwReader *reader)
{
	if (reader->records == 0)
		return FIRST_RECORD_BYTES;
	return reader->record_bytes / reader->records + RECORD_OVERHEAD_BYTES;
}

static int64
page_limit(const LtfdwReader *reader)
{
	double		limit = reader->records == 0
		? FIRST_LIMIT
		: PAGE_BYTES / expected_record_bytes(reader);

	return (int64) Max(1.0, Min(limit, reader->table->fetch_size));
}

/* Whether one more page may be asked for. */
static bool
window_has_room(const LtfdwReader *reader)
{
	double		page_records = page_limit(reader);

	if (reader->npages == 0)
		return true;
	if (reader->pages_read > 0)
		page_records = Min(page_records, reader->records / reader->pages_read + 1);
	return reader->npages < WINDOW &&
		(reader->npages + 1) * page_records * expected_record_bytes(reader) <= WINDOW_BYTES;
}

static void
send_page(LtfdwReader *reader, LtfdwPage *page)
{
	text	   *key = reader->query.keys.items[page->key_no];
	ltdb_fetch	fetch = {0};

	page->limit = page_limit(reader);
	page->count = 0;

	fetch.collection = reader->collection;
	fetch.key = ltfdw_datum_to_ltdb(key);
	fetch.from_sec = page->interval.from_sec;
	/* LTDB refuses to <= 0; next_of_page() leaves out what comes too much */
	fetch.to_sec = Max(page->interval.to_sec, 1);
	fetch.limit = page->limit;
	page->reply = ltdb_send_fetch(ltfdw_connection_handle(reader->conn), &fetch);
	if (page->reply == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	if ((char *) fetch.key.bytes != VARDATA_ANY(key))
		pfree(unconstify(char *, fetch.key.bytes));
}

/* Ask for pages ahead, as many as the window takes. */
static void
fill_window(LtfdwReader *reader)
{
	const LtfdwQuery *query = &reader->query;
	bool		sent = false;

	while (reader->next_key < query->keys.count && window_has_room(reader))
	{
		LtfdwPage	   *page = &reader->pages[(reader->head + reader->npages) % WINDOW];

		page->key_no = reader->next_key;
		page->interval = query->times.items[reader->next_interval];
		page->reply = NULL;
		send_page(reader, page);
		reader->npages++;
		sent = true;
		if (++reader->next_interval == query->times.count)
		{
			reader->next_interval = 0;
			reader->next_key++;
		}
	}
	if (sent)
		ltdb_poll(ltfdw_connection_handle(reader->conn));
}

/* A server that answers something else than it was asked must not be believed. */
static void
check_record(LtfdwReader *reader, const LtfdwPage *page, int64 ts_sec)
{
	if (ts_sec >= page->interval.from_sec &&
		ts_sec <= Max(page->interval.to_sec, 1) &&
		(page->count == 0 || ts_sec > page->last_sec) &&
		page->count < page->limit)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("LTDB server: %s: the answer has a record with ts " INT64_FORMAT " that was not asked for",
					ltdb_reply_request(page->reply), ts_sec),
			 errdetail("Asked for at most " INT64_FORMAT " records from " INT64_FORMAT " to " INT64_FORMAT ", ascending.",
					   page->limit, page->interval.from_sec, page->interval.to_sec)));
}

/* The next record of the page at the head of the window; false at its end. */
static bool
next_of_page(LtfdwReader *reader, LtfdwPage *page, LtfdwRecord *record)
{
	ltdb_record item;

	while (ltfdw_connection_next(reader->conn, page->reply, &item) == LTDB_ITEM)
	{
		check_record(reader, page, item.ts_sec);
		page->count++;
		page->last_sec = item.ts_sec;
		reader->records++;
		reader->record_bytes += item.data.len_bytes;
		if (item.ts_sec > page->interval.to_sec)
			continue;
		record->key = reader->query.keys.items[page->key_no];
		record->ts_sec = item.ts_sec;
		record->data = item.data;
		return true;
	}
	return false;
}

/* Go on behind a page that was read to its end. */
static void
finish_page(LtfdwReader *reader, LtfdwPage *page)
{
	ltdb_reply_free(page->reply);
	page->reply = NULL;
	reader->pages_read++;
	if (page->count == page->limit && page->last_sec < page->interval.to_sec)
	{
		page->interval.from_sec = page->last_sec + 1;
		send_page(reader, page);
		ltdb_poll(ltfdw_connection_handle(reader->conn));
		return;
	}
	reader->head = (reader->head + 1) % WINDOW;
	reader->npages--;
	fill_window(reader);
}

/* The next record of the query; false when there are no more. */
bool
ltfdw_reader_next(LtfdwReader *reader, LtfdwRecord *record)
{
	if (!reader->started)
	{
		if (reader->query.keys.all)
			list_keys(reader);
		reader->started = true;
		fill_window(reader);
	}
	while (reader->npages > 0)
	{
		LtfdwPage	   *page = &reader->pages[reader->head];

		if (next_of_page(reader, page, record))
			return true;
		finish_page(reader, page);
	}
	return false;
}
