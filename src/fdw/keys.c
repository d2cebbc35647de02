/*-------------------------------------------------------------------------
 *
 * keys.c
 *		Sets of keys: made, combined, put in order, and listed by the server.
 *
 * A set is kept in byte order, which is cheap and the same everywhere; a scan
 * that promises an order walks its keys in that of a collation instead.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "utils/memutils.h"
#include "utils/varlena.h"

/* The order of two keys by their bytes. */
int
ltfdw_key_compare(const text *a, const text *b)
{
	int			alen = VARSIZE_ANY_EXHDR(a);
	int			blen = VARSIZE_ANY_EXHDR(b);
	int			order = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(alen, blen));

	return order ? order : (alen > blen) - (alen < blen);
}

static int
compare_bytes(const void *a, const void *b)
{
	return ltfdw_key_compare(*(text *const *) a, *(text *const *) b);
}

/* Sort by bytes and drop what comes twice; the array is the set's from now on. */
void
ltfdw_keys_normalize(LtfdwKeys *keys)
{
	int			kept = 0;

	if (keys->count > 1)
		qsort(keys->items, keys->count, sizeof(text *), compare_bytes);
	for (int i = 0; i < keys->count; i++)
		if (kept == 0 || ltfdw_key_compare(keys->items[kept - 1], keys->items[i]) != 0)
			keys->items[kept++] = keys->items[i];
	keys->count = kept;
}

LtfdwKeys
ltfdw_keys_intersect(LtfdwKeys a, LtfdwKeys b)
{
	LtfdwKeys	result = {false, 0, NULL};
	int			i = 0;
	int			j = 0;

	if (a.all)
		return b;
	if (b.all)
		return a;
	result.items = palloc(Max(a.count, 1) * sizeof(text *));
	while (i < a.count && j < b.count)
	{
		int			order = ltfdw_key_compare(a.items[i], b.items[j]);

		if (order == 0)
			result.items[result.count++] = a.items[i];
		if (order <= 0)
			i++;
		if (order >= 0)
			j++;
	}
	return result;
}

/* ---- the order of a scan ---- */

static int
compare_collated(const void *a, const void *b, void *arg)
{
	const text *x = *(text *const *) a;
	const text *y = *(text *const *) b;
	const LtfdwOrder *order = arg;
	int			result = varstr_cmp(VARDATA_ANY(x), VARSIZE_ANY_EXHDR(x),
									VARDATA_ANY(y), VARSIZE_ANY_EXHDR(y), order->collation);

	return order->key_direction < 0 ? -result : result;
}

/* Put the keys in the order in which the scan promises to show them. */
void
ltfdw_keys_order(LtfdwKeys *keys, const LtfdwOrder *order)
{
	if (order->key_direction != 0 && keys->count > 1)
		qsort_arg(keys->items, keys->count, sizeof(text *), compare_collated,
				  unconstify(LtfdwOrder *, order));
}

/* ---- the keys of a collection ---- */

/*
 * LTDB cannot fetch the records of a key without a name, which other clients
 * may have stored; say so rather than leave them out in silence.
 */
void
ltfdw_warn_about_empty_key(const char *collection)
{
	ereport(WARNING,
			(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
			 errmsg("collection \"%s\" has records with an empty key, which LTDB cannot fetch",
					collection),
			 errhint("The function ltdb_latest shows the newest of them.")));
}

static void
append_key(LtfdwKeys *keys, int *allocated, const char *collection, ltdb_text key)
{
	if (key.len_bytes == 0)
	{
		ltfdw_warn_about_empty_key(collection);
		return;
	}
	if (keys->count == *allocated)
	{
		*allocated = *allocated ? *allocated * 2 : 64;
		keys->items = keys->items
			? repalloc_huge(keys->items, *allocated * sizeof(text *))
			: palloc(*allocated * sizeof(text *));
	}
	keys->items[keys->count++] = ltfdw_text_from_ltdb(key, "key", collection);
}

/*
 * The lower bound in a "query" request, where 0 means that there is none; so
 * a bound that is no bound is sent as every other client sends it.
 */
int64
ltfdw_latest_from(int64 from_sec)
{
	return from_sec <= LTDB_TS_MIN ? 0 : from_sec;
}

struct LtfdwKeyList
{
	LtfdwConn  *conn;
	const char *collection;
	LtfdwCounters *counters;
	LtfdwReply *owned;
	LtfdwKeys	keys;
	int			allocated;
	MemoryContext cxt;
};

/*
 * Ask for every key with a record in an interval: one "query" request, whose
 * answer holds the newest record of each key.  Keys go to the current context.
 */
LtfdwKeyList *
ltfdw_key_list_start(LtfdwConn *conn, const char *collection, LtfdwInterval interval,
					 LtfdwCounters *counters)
{
	LtfdwKeyList *list = palloc0(sizeof(LtfdwKeyList));
	ltdb_latest request = {{0}};

	list->conn = conn;
	list->collection = collection;
	list->counters = counters;
	list->cxt = CurrentMemoryContext;

	/* LTDB refuses at <= 0; then some keys may be listed for nothing */
	request.collection = ltfdw_text_to_ltdb(collection, strlen(collection));
	request.at_sec = Max(interval.to_sec, 1);
	request.from_sec = ltfdw_latest_from(interval.from_sec);
	if (counters)
		counters->requests++;
	list->owned = ltfdw_reply_own(ltdb_send_latest(ltfdw_connection_handle(conn), &request));
	ltdb_poll(ltfdw_connection_handle(conn));
	return list;
}

/* The keys, if they have all arrived: LTDB_DONE, or LTDB_WAIT if not. */
ltdb_next
ltfdw_key_list_next(LtfdwKeyList *list, LtfdwKeys *keys, bool wait)
{
	MemoryContext old = MemoryContextSwitchTo(list->cxt);
	ltdb_record item;
	ltdb_next	next;

	for (;;)
	{
		next = ltfdw_connection_ask(list->conn, list->owned->reply, &item, list->counters, wait);
		if (next == LTDB_ITEM)
			append_key(&list->keys, &list->allocated, list->collection, item.key);
		else if (next == LTDB_RESTART)
			list->keys.count = 0;
		else
			break;
	}
	if (next == LTDB_DONE)
	{
		ltfdw_counters_add(list->counters, list->owned->reply);
		ltfdw_reply_release(list->owned);
		ltfdw_keys_normalize(&list->keys);
		*keys = list->keys;
	}
	MemoryContextSwitchTo(old);
	return next;
}

/* All of that at once, waiting. */
LtfdwKeys
ltfdw_keys_list(LtfdwConn *conn, const char *collection, LtfdwInterval interval,
				LtfdwCounters *counters)
{
	LtfdwKeys	keys;

	(void) ltfdw_key_list_next(ltfdw_key_list_start(conn, collection, interval, counters),
							   &keys, true);
	return keys;
}
