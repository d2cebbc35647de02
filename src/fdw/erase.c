/*-------------------------------------------------------------------------
 *
 * erase.c
 *		Deletes all records of a key or of a collection, or all of its pairs.
 *
 * LTDB has requests for that which take a collection's key-value pairs with
 * them: delete-collection always, delete-user with the collection's last key.
 * So they are sent where no pair is lost by it.  If there are pairs and no
 * key is to be left, one key's records are deleted one by one, after the
 * others: that leaves an empty collection, and the pairs.
 *
 * What the transaction stores in the place of what it erases was sent before,
 * and stays: the other records of such a key are deleted one by one.
 *
 * Between the statement that erases a key and the commit that sends it, others
 * may have added to the key.  What is newer than all that the statement has
 * seen is left alone: then the others are deleted one by one, too.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

/* Up to so many keys are asked for by name, more by a list of all keys. */
#define FEW_KEYS 64

/* A key that is to be erased, and what the server has of it. */
typedef struct Target
{
	ltdb_text	key;			/* UTF-8 */
	int64		until_sec;
	int64		count;			/* as far as known */
	bool		present;
	int64		newest_sec;		/* if it is */
} Target;

typedef struct Eraser
{
	LtfdwConn  *conn;
	const LtfdwTable *table;
	const LtfdwWriteSet *writes;	/* what they store stays */
	ltdb_text	collection;
	LtfdwSender *sender;
	Target	   *targets;		/* by the bytes of the key */
	int			count;
	int			allocated;
	bool		others;			/* there are keys that are not to be erased */
} Eraser;

static Eraser
begin(LtfdwConn *conn, const LtfdwTable *table, const LtfdwWriteSet *writes)
{
	Eraser		eraser = {conn, table, writes};

	eraser.collection = ltfdw_text_to_ltdb(table->collection, strlen(table->collection));
	eraser.sender = ltfdw_sender_new(conn, table);
	return eraser;
}

static int
compare_targets(const void *a, const void *b)
{
	const ltdb_text *x = &((const Target *) a)->key;
	const ltdb_text *y = &((const Target *) b)->key;
	int			order = memcmp(x->bytes, y->bytes, Min(x->len_bytes, y->len_bytes));

	return order ? order : (x->len_bytes > y->len_bytes) - (x->len_bytes < y->len_bytes);
}

static Target *
add_target(Eraser *eraser)
{
	if (eraser->count == eraser->allocated)
	{
		eraser->allocated = Max(2 * eraser->allocated, 64);
		eraser->targets = eraser->targets
			? repalloc_huge(eraser->targets, eraser->allocated * sizeof(Target))
			: palloc(eraser->allocated * sizeof(Target));
	}
	return &eraser->targets[eraser->count++];
}

static ltdb_text
copy_text(ltdb_text value)
{
	ltdb_text	copy = {pnstrdup(value.bytes, value.len_bytes), value.len_bytes};

	return copy;
}

/* ---- what the server has ---- */

static bool
has_pairs(const Eraser *eraser)
{
	LtfdwReply *owned = ltfdw_reply_own(ltdb_send_list_keys(ltfdw_connection_handle(eraser->conn),
															eraser->collection));
	ltdb_record item;
	ltdb_next	next;

	do
		next = ltfdw_connection_next(eraser->conn, owned->reply, &item, NULL);
	while (next == LTDB_RESTART);
	ltfdw_reply_release(owned);
	return next == LTDB_ITEM;
}

static LtfdwReply *
ask_for_newest(const Eraser *eraser, ltdb_text key)
{
	ltdb_latest request = {eraser->collection, key, LTDB_TS_MAX, 0};

	return ltfdw_reply_own(ltdb_send_latest(ltfdw_connection_handle(eraser->conn), &request));
}

/* One request for each key. */
static void
find_few(Eraser *eraser)
{
	LtfdwReply **replies = palloc(eraser->count * sizeof(LtfdwReply *));

	for (int i = 0; i < eraser->count; i++)
		replies[i] = ask_for_newest(eraser, eraser->targets[i].key);
	for (int i = 0; i < eraser->count; i++)
	{
		Target	   *target = &eraser->targets[i];
		ltdb_record item;
		ltdb_next	next;

		while ((next = ltfdw_connection_next(eraser->conn, replies[i]->reply, &item,
											 NULL)) != LTDB_DONE)
		{
			target->present = next == LTDB_ITEM;
			target->newest_sec = item.ts_sec;
		}
		ltfdw_reply_release(replies[i]);
	}
}

/* One request for all keys, which tells of others, too. */
static void
find_among_all(Eraser *eraser)
{
	ltdb_text	every_key = {NULL, 0};
	LtfdwReply *owned = ask_for_newest(eraser, every_key);
	ltdb_record item;
	ltdb_next	next;

	while ((next = ltfdw_connection_next(eraser->conn, owned->reply, &item, NULL)) != LTDB_DONE)
	{
		Target		wanted = {item.key};
		Target	   *target;

		/* after a restart all keys are told of anew, and may be fewer */
		if (next == LTDB_RESTART)
		{
			eraser->others = false;
			for (int i = 0; i < eraser->count; i++)
				eraser->targets[i].present = false;
			continue;
		}
		target = eraser->count == 0 ? NULL
			: bsearch(&wanted, eraser->targets, eraser->count, sizeof(Target), compare_targets);
		if (target == NULL)
			eraser->others = true;
		else
		{
			target->present = true;
			target->newest_sec = item.ts_sec;
		}
	}
	ltfdw_reply_release(owned);
}

/* Let all keys that there are be erased. */
static void
take_all_keys(Eraser *eraser)
{
	ltdb_text	every_key = {NULL, 0};
	LtfdwReply *owned = ask_for_newest(eraser, every_key);
	ltdb_record item;
	ltdb_next	next;

	while ((next = ltfdw_connection_next(eraser->conn, owned->reply, &item, NULL)) != LTDB_DONE)
	{
		Target	   *target;

		if (next == LTDB_RESTART)
		{
			eraser->count = 0;
			continue;
		}
		if (item.key.len_bytes == 0)
		{
			ltfdw_warn_about_empty_key(eraser->table->collection);
			continue;
		}
		target = add_target(eraser);
		memset(target, 0, sizeof(Target));
		target->key = copy_text(item.key);
		target->until_sec = PG_INT64_MAX;
		target->present = true;
		target->newest_sec = item.ts_sec;
	}
	ltfdw_reply_release(owned);
}

/* ---- erasing ---- */

/* Whether the transaction stores something of a key in an interval. */
static bool
stores(const Eraser *eraser, ltdb_text key, LtfdwInterval interval)
{
	text	   *here;
	bool		result;

	/* what cannot be a text here is none of our keys */
	if (!ltfdw_text_fits_here(key))
		return false;
	here = ltfdw_text_from_ltdb(key, "key", eraser->table->collection);
	result = ltfdw_writeset_stores(eraser->writes, here, interval);
	pfree(here);
	return result;
}

/* Delete the records of a key one by one, but none that is newer, or stored by us. */
static void
delete_each(const Eraser *eraser, const Target *target)
{
	text	   *key = ltfdw_text_from_ltdb(target->key, "key", eraser->table->collection);
	LtfdwInterval interval = {LTDB_TS_MIN, Min(target->until_sec, (int64) LTDB_TS_MAX)};
	LtfdwQuery	query = {{false, 1, &key}, {1, &interval}};
	LtfdwReading reading = {false, -1, -1};
	LtfdwReader *reader = ltfdw_reader_new(eraser->conn, eraser->table, NULL);
	LtfdwRecord record;

	ltfdw_reader_start(reader, &query, reading);
	while (ltfdw_reader_next(reader, &record, true) == LTDB_ITEM)
	{
		LtfdwInterval second = {record.ts_sec, record.ts_sec};
		ltdb_record identity = {target->key, record.ts_sec, {"", 0}};

		if (!ltfdw_writeset_stores(eraser->writes, key, second))
			ltfdw_sender_delete(eraser->sender, &identity);
	}
	ltfdw_reader_stop(reader);
	ltfdw_sender_finish(eraser->sender);
}

/* Whether a key can be deleted as a whole; if not, its records are. */
static bool
can_delete_whole(Eraser *eraser, const Target *target)
{
	LtfdwInterval always = {PG_INT64_MIN, PG_INT64_MAX};

	if (!target->present)
		return false;
	if (target->newest_sec <= target->until_sec && !stores(eraser, target->key, always))
		return true;
	delete_each(eraser, target);
	eraser->others = true;
	return false;
}

/* Erase the keys that are there; with pairs to keep, one of them the long way. */
static void
erase_targets(Eraser *eraser, bool pairs)
{
	Target	   *last = NULL;
	int			count = 0;

	for (int i = 0; i < eraser->count; i++)
		if (can_delete_whole(eraser, &eraser->targets[i]))
			eraser->targets[count++] = eraser->targets[i];
	if (pairs && !eraser->others)
		for (int i = 0; i < count; i++)
			if (last == NULL || eraser->targets[i].count < last->count)
				last = &eraser->targets[i];
	for (int i = 0; i < count; i++)
		if (&eraser->targets[i] != last)
			ltfdw_sender_delete_key(eraser->sender, eraser->targets[i].key);
	ltfdw_sender_finish(eraser->sender);
	if (last)
		delete_each(eraser, last);
}

/* Erase keys, and nothing that came after what is known of them. */
void
ltfdw_erase_keys(LtfdwConn *conn, const LtfdwTable *table, const LtfdwWriteSet *writes,
				 const LtfdwErasedKey *keys, int count)
{
	Eraser		eraser = begin(conn, table, writes);
	bool		pairs = has_pairs(&eraser);

	for (int i = 0; i < count; i++)
	{
		Target	   *target = add_target(&eraser);

		memset(target, 0, sizeof(Target));
		target->key = ltfdw_datum_to_ltdb(keys[i].key);
		target->until_sec = keys[i].until_sec;
		target->count = keys[i].count;
	}
	qsort(eraser.targets, eraser.count, sizeof(Target), compare_targets);
	if (pairs || count > FEW_KEYS)
		find_among_all(&eraser);
	else
		find_few(&eraser);
	erase_targets(&eraser, pairs);
}

/* Erase a collection, records and pairs. */
void
ltfdw_erase_collection(LtfdwConn *conn, const LtfdwTable *table)
{
	LtfdwSender *sender = ltfdw_sender_new(conn, table);

	ltfdw_sender_delete_collection(sender);
	ltfdw_sender_finish(sender);
}

/* Erase all records of a collection. */
void
ltfdw_erase_records(LtfdwConn *conn, const LtfdwTable *table, const LtfdwWriteSet *writes)
{
	Eraser		eraser = begin(conn, table, writes);

	if (!ltfdw_writeset_stores_any(writes) && !has_pairs(&eraser))
	{
		ltfdw_erase_collection(conn, table);
		return;
	}
	take_all_keys(&eraser);
	erase_targets(&eraser, true);
}

/* Erase all pairs of a collection, one by one: LTDB has no other way. */
void
ltfdw_erase_pairs(LtfdwConn *conn, const LtfdwTable *table, const LtfdwWriteSet *writes)
{
	Eraser		eraser = begin(conn, table, writes);
	LtfdwReply *owned = ltfdw_reply_own(ltdb_send_list_keys(ltfdw_connection_handle(conn),
															eraser.collection));
	ltdb_record item;
	ltdb_next	next;

	while ((next = ltfdw_connection_next(conn, owned->reply, &item, NULL)) != LTDB_DONE)
	{
		if (next == LTDB_RESTART)
			eraser.count = 0;
		else
			add_target(&eraser)->key = copy_text(item.key);
	}
	ltfdw_reply_release(owned);
	for (int i = 0; i < eraser.count; i++)
	{
		ltdb_record pair = {eraser.targets[i].key};

		if (!stores(&eraser, pair.key, ltfdw_pair_interval))
			ltfdw_sender_delete(eraser.sender, &pair);
	}
	ltfdw_sender_finish(eraser.sender);
}
