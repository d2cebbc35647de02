/*-------------------------------------------------------------------------
 *
 * reader.c
 *		Reads what a query asks for: walks its keys, the intervals of each
 *		key, and the pages of each interval, with requests in flight.
 *
 * LTDB answers one key and one interval at a time, and it has no cursor: a
 * "query-user" request has a limit, and a full page is followed by the next,
 * from the last ts + 1, or, newest first, to the last ts - 1.
 *
 * Pages are asked for ahead of the one being read, in the order in which they
 * will be read, as many as a budget of bytes allows; a page's limit follows
 * from the size of the records seen so far.  So memory does not grow with the
 * result, and LTDB never has to hold many answers for us.
 *
 * Key-value pairs are read like records whose one ts is LTFDW_PAIR_TS: a
 * "get-value" request for each key.  A key that this transaction has erased is
 * not asked for.
 *
 * Which keys there are is known before (keys.c); this file knows nothing of
 * plans and slots.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"


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
	int64		limit;			/* 0 = none */
	int64		count;			/* records read */
	int64		last_sec;		/* of the last of them */
	ltdb_reply *reply;
	bool		looked_ahead;	/* the answer is complete, and was looked at */
	bool		followed;		/* the next page in flight is the rest of its interval */

	/* merging with the write set */
	LtfdwInterval writes_left;	/* what of the interval we have not merged yet */
	LtfdwRecord item;			/* the server's next record */
	bool		peeked;			/* ... is there */
	bool		held;			/* ... and is a copy */
	bool		ended;			/* the server has no more on this page */
} LtfdwPage;

struct LtfdwReader
{
	LtfdwConn  *conn;
	const LtfdwTable *table;	/* its collection and fetch_size */
	LtfdwCounters *counters;	/* may be NULL */
	MemoryContextCallback release;

	LtfdwQuery	query;
	LtfdwReading reading;
	ltdb_text	collection;
	int64		shown;			/* records handed out, in all */
	int64		shown_of_key;	/* ... and of the key being read */
	int			current_key;

	/* the next page that nobody has asked for yet */
	int			next_key;
	int			next_interval;

	/* pages in flight, in the order in which they are read: a ring */
	LtfdwPage		pages[WINDOW];
	int			head;
	int			npages;

	StringInfoData held;		/* data of a record that is kept */

	/* what was read so far, to judge the size of pages by */
	double		records;
	double		record_bytes;
	double		pages_read;
};

static void
release_page(LtfdwReader *reader, LtfdwPage *page)
{
	ltfdw_counters_add(reader->counters, page->reply);
	ltdb_reply_free(page->reply);
	page->reply = NULL;
}

static void
release_pages(void *arg)
{
	LtfdwReader *reader = arg;

	for (int i = 0; i < reader->npages; i++)
	{
		LtfdwPage	   *page = &reader->pages[(reader->head + i) % WINDOW];

		release_page(reader, page);
	}
	reader->npages = 0;
}

/* Lives in the current context, and frees its replies with it. */
LtfdwReader *
ltfdw_reader_new(LtfdwConn *conn, const LtfdwTable *table, LtfdwCounters *counters)
{
	LtfdwReader *reader = palloc0(sizeof(LtfdwReader));

	reader->conn = conn;
	reader->table = table;
	reader->counters = counters;
	reader->collection = ltfdw_text_to_ltdb(table->collection, strlen(table->collection));
	initStringInfo(&reader->held);
	reader->release.func = release_pages;
	reader->release.arg = reader;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &reader->release);
	return reader;
}

/*
 * Begin with a query that outlives its reading: some intervals, and the keys
 * in the order in which they are to be read.
 */
void
ltfdw_reader_start(LtfdwReader *reader, const LtfdwQuery *query, LtfdwReading reading)
{
	Assert(!query->keys.all && query->times.count > 0);
	reader->query = *query;
	reader->reading = reading;
	reader->shown = 0;
	reader->shown_of_key = 0;
	reader->current_key = 0;
	reader->next_key = 0;
	reader->next_interval = 0;
	reader->head = 0;
}

/* Forget the query; what is in flight for it will be dropped. */
void
ltfdw_reader_stop(LtfdwReader *reader)
{
	release_pages(reader);
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

	limit = Max(1.0, Min(limit, reader->table->fetch_size));
	if (reader->reading.limit >= 0)
		limit = Min(limit, reader->reading.limit - reader->shown);
	if (reader->reading.key_limit >= 0)
		limit = Min(limit, reader->reading.key_limit);
	return (int64) limit;
}

/* Whether one more page may be asked for. */
static bool
window_has_room(const LtfdwReader *reader)
{
	double		page_records = page_limit(reader);

	if (reader->npages == 0)
		return true;

	/* a page in flight is expected to have a record at least */
	if (reader->reading.limit >= 0 &&
		reader->npages >= reader->reading.limit - reader->shown)
		return false;
	if (reader->pages_read > 0)
		page_records = Min(page_records, reader->records / reader->pages_read + 1);
	return reader->npages < WINDOW &&
		(reader->npages + 1) * page_records * expected_record_bytes(reader) <= WINDOW_BYTES;
}

/* LTDB refuses to <= 0: then it sends more than is wanted, up to ts 1. */
static int64
sent_to_sec(const LtfdwPage *page)
{
	return Max(page->interval.to_sec, 1);
}

static ltdb_reply *
send_fetch(const LtfdwReader *reader, const LtfdwPage *page, ltdb_text key)
{
	ltdb_fetch	fetch = {0};

	fetch.collection = reader->collection;
	fetch.key = key;
	fetch.from_sec = page->interval.from_sec;
	fetch.to_sec = sent_to_sec(page);
	fetch.limit = page->limit;
	fetch.reverse = reader->reading.reverse;
	fetch.raw_data = reader->reading.raw_data;
	return ltdb_send_fetch(ltfdw_connection_handle(reader->conn), &fetch);
}

static int64
limit_of(const LtfdwReader *reader, const LtfdwPage *page)
{
	/* newest first, what is not wanted comes first: a limit would cut the rest */
	if (reader->table->kind == LTFDW_PAIRS ||
		(reader->reading.reverse && page->interval.to_sec < sent_to_sec(page)))
		return 0;
	return page_limit(reader);
}

static void
send_page(LtfdwReader *reader, LtfdwPage *page)
{
	text	   *key = reader->query.keys.items[page->key_no];
	ltdb_text	sent_key;

	page->count = 0;
	page->limit = 0;
	page->looked_ahead = page->followed = false;
	page->peeked = false;
	page->ended = reader->reading.writes &&
		ltfdw_writeset_hides_key(reader->reading.writes, key, reader->reading.cid);
	if (page->ended)
		return;

	page->limit = limit_of(reader, page);
	if (reader->counters)
		reader->counters->requests++;
	sent_key = ltfdw_datum_to_ltdb(key);
	page->reply = reader->table->kind == LTFDW_PAIRS
		? ltdb_send_get_value(ltfdw_connection_handle(reader->conn), reader->collection, sent_key)
		: send_fetch(reader, page, sent_key);
	if (page->reply == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	if ((char *) sent_key.bytes != VARDATA_ANY(key))
		pfree(unconstify(char *, sent_key.bytes));
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
		page->interval = query->times.items[reader->reading.reverse
											? query->times.count - 1 - reader->next_interval
											: reader->next_interval];
		page->reply = NULL;
		page->writes_left = page->interval;
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

/* The next record of the page at the head of the window; LTDB_DONE at its end. */
static ltdb_next
next_of_page(LtfdwReader *reader, LtfdwPage *page, LtfdwRecord *record, bool wait)
{
	ltdb_record item;
	ltdb_next	next;

	for (;;)
	{
		next = ltfdw_connection_ask(reader->conn, page->reply, &item, reader->counters, wait);
		if (next != LTDB_ITEM)
			return next;
		page->count++;
		page->last_sec = item.ts_sec;
		reader->records++;
		reader->record_bytes += item.data.len_bytes;
		if (item.ts_sec > page->interval.to_sec)
		{
			if (reader->reading.reverse)
				continue;
			return LTDB_DONE;
		}
		record->key = reader->query.keys.items[page->key_no];
		record->ts_sec = item.ts_sec;
		record->data = item.data;
		return LTDB_ITEM;
	}
}

/* Bytes of answers that are being read, and not in the counters yet. */
int64
ltfdw_reader_bytes(const LtfdwReader *reader)
{
	int64		bytes = 0;

	for (int i = 0; i < reader->npages; i++)
	{
		const ltdb_reply *reply = reader->pages[(reader->head + i) % WINDOW].reply;

		if (reply)
			bytes += ltdb_reply_bytes(reply);
	}
	return bytes;
}

/* What a page, read to its end, leaves of its interval; false if nothing. */
static bool
rest_of_page(const LtfdwReader *reader, const LtfdwPage *page, LtfdwInterval *rest)
{
	*rest = page->interval;
	if (page->limit == 0 || page->count < page->limit || page->last_sec > page->interval.to_sec)
		return false;
	if (reader->reading.reverse)
		rest->to_sec = page->last_sec - 1;
	else
		rest->from_sec = page->last_sec + 1;
	return rest->from_sec <= rest->to_sec;
}

/*
 * The only page in flight has arrived.  If it is full, ask for the one that
 * follows before its records are read, so that LTDB is not idle meanwhile.
 */
static void
look_ahead(LtfdwReader *reader, LtfdwPage *page)
{
	LtfdwPage  *next = &reader->pages[(reader->head + 1) % WINDOW];
	LtfdwPage	read = *page;
	LtfdwInterval rest;

	page->looked_ahead = true;
	if (reader->npages > 1 || reader->reading.limit >= 0 || reader->reading.key_limit >= 0)
		return;
	read.count += ltdb_reply_left(page->reply, &read.last_sec);
	if (read.count == page->count || !rest_of_page(reader, &read, &rest))
		return;
	*next = *page;
	next->interval = rest;
	next->reply = NULL;
	send_page(reader, next);
	reader->npages++;
	page->followed = true;
	ltdb_poll(ltfdw_connection_handle(reader->conn));
}

/* Whether the page in flight behind this one is its rest; if not, drop that. */
static bool
is_followed(LtfdwReader *reader, LtfdwPage *page, const LtfdwInterval *rest)
{
	LtfdwPage  *next = &reader->pages[(reader->head + 1) % WINDOW];

	if (!page->followed)
		return false;
	if (rest && next->interval.from_sec == rest->from_sec && next->interval.to_sec == rest->to_sec)
	{
		next->writes_left = page->writes_left;
		return true;
	}

	/* nothing was asked for behind it: see look_ahead() */
	Assert(reader->npages == 2);
	release_page(reader, next);
	reader->npages--;
	page->followed = false;
	return false;
}

/* Go on behind a page: with the rest of its interval, unless it is enough. */
static void
finish_page(LtfdwReader *reader, LtfdwPage *page, bool enough)
{
	LtfdwInterval rest;
	bool		has_rest = !enough && rest_of_page(reader, page, &rest);

	release_page(reader, page);
	reader->pages_read++;
	if (!is_followed(reader, page, has_rest ? &rest : NULL) && has_rest)
	{
		page->interval = rest;
		send_page(reader, page);
		ltdb_poll(ltfdw_connection_handle(reader->conn));
		return;
	}
	reader->head = (reader->head + 1) % WINDOW;
	reader->npages--;
	fill_window(reader);
}

/* Whether the key of the page at the head has given all that is wanted of it. */
static bool
enough_of_key(LtfdwReader *reader, const LtfdwPage *page)
{
	if (page->key_no != reader->current_key)
	{
		reader->current_key = page->key_no;
		reader->shown_of_key = 0;
	}
	return reader->reading.key_limit >= 0 &&
		reader->shown_of_key >= reader->reading.key_limit;
}

/* ---- what this transaction has written ---- */

/*
 * Keep the server's record while one of ours is shown before it: it is lent
 * only until the connection is polled again, perhaps for another scan.
 */
static void
hold_item(LtfdwReader *reader, LtfdwPage *page)
{
	if (page->held)
		return;
	resetStringInfo(&reader->held);
	appendBinaryStringInfo(&reader->held, page->item.data.bytes, page->item.data.len_bytes);
	page->item.data.bytes = reader->held.data;
	page->held = true;
}

static bool
comes_before(const LtfdwReader *reader, int64 a_sec, int64 b_sec)
{
	return reader->reading.reverse ? a_sec > b_sec : a_sec < b_sec;
}

/* Take what comes of our own writes, and leave out what it replaces. */
static void
take_write(LtfdwReader *reader, LtfdwPage *page, const LtfdwWrite *write)
{
	if (reader->reading.reverse)
		page->writes_left.to_sec = write->ts_sec - 1;
	else
		page->writes_left.from_sec = write->ts_sec + 1;
	if (page->peeked && page->item.ts_sec == write->ts_sec)
		page->peeked = false;
}

/*
 * The next record of the page at the head of the window, merged with the write
 * set.  Our own records behind the last of a full page wait for the page that
 * follows.
 */
static ltdb_next
next_merged(LtfdwReader *reader, LtfdwPage *page, LtfdwRecord *record, bool wait)
{
	text	   *key = reader->query.keys.items[page->key_no];

	for (;;)
	{
		LtfdwInterval rest;
		LtfdwWrite	write;
		bool		has_write;

		if (!page->peeked && !page->ended)
		{
			ltdb_next	next = next_of_page(reader, page, &page->item, wait);

			if (next == LTDB_WAIT)
				return next;
			page->peeked = next == LTDB_ITEM;
			page->ended = next == LTDB_DONE;
			page->held = false;
		}
		if (page->ended && rest_of_page(reader, page, &rest))
			return LTDB_DONE;

		has_write = page->writes_left.from_sec <= page->writes_left.to_sec &&
			ltfdw_writeset_seek(reader->reading.writes, key, page->writes_left,
								reader->reading.reverse, reader->reading.cid, &write);
		if (!has_write || (page->peeked && comes_before(reader, page->item.ts_sec, write.ts_sec)))
		{
			if (!page->peeked)
				return LTDB_DONE;
			*record = page->item;
			page->peeked = false;
			return LTDB_ITEM;
		}
		take_write(reader, page, &write);
		if (write.deleted)
			continue;
		if (page->peeked)
			hold_item(reader, page);
		record->key = key;
		record->ts_sec = write.ts_sec;
		record->data = write.data;
		return LTDB_ITEM;
	}
}

/*
 * The next record of the query: LTDB_ITEM, or LTDB_DONE when there are no
 * more, or, unless we are to wait, LTDB_WAIT if it has not arrived.
 */
ltdb_next
ltfdw_reader_next(LtfdwReader *reader, LtfdwRecord *record, bool wait)
{
	if (reader->reading.limit >= 0 && reader->shown >= reader->reading.limit)
		return LTDB_DONE;
	if (reader->npages == 0)
		fill_window(reader);
	while (reader->npages > 0)
	{
		LtfdwPage  *page = &reader->pages[reader->head];
		bool		enough = enough_of_key(reader, page);
		ltdb_next	next;

		if (page->reply && !page->looked_ahead && ltdb_reply_complete(page->reply))
			look_ahead(reader, page);
		next = enough ? LTDB_DONE :
			reader->reading.writes ? next_merged(reader, page, record, wait) :
			next_of_page(reader, page, record, wait);

		if (next == LTDB_ITEM)
		{
			reader->shown++;
			reader->shown_of_key++;
		}
		if (next != LTDB_DONE)
			return next;
		finish_page(reader, page, enough);
	}
	return LTDB_DONE;
}
