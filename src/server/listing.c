/*-------------------------------------------------------------------------
 *
 * listing.c
 *		Writes the lists in answers, a bounded piece at a time.
 *
 * What may be asked for, and the envelope around the list, is left to
 * dispatch.c; when the next piece is wanted, to session.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../protocol.h"

/*
 * A piece ends after the item that makes it this long, or after this many
 * items were looked at: a millisecond of work or less, unless one item alone
 * is longer.
 */
#define PIECE_BYTES (128 * 1024)
#define PIECE_ITEMS 8192

/* The opening brace or a comma, a member's name in quotes, the colon. */
#define FRAME_MAX_BYTES 32

typedef struct listing_form
{
	bool		(*scan) (const listing *list, store *st);
	void		(*write) (const listing *list, const store_item *item, answer *ans);
	bool		by_name;		/* position: names; else ts */
	char		open;
	char		close;
} listing_form;

struct listing
{
	listing_request request;
	const listing_form *form;
	int64_t		left;			/* items until the limit, < 0 if there is none */
	bool		opened;
	bool		any;			/* an item was written */
	char	   *texts;			/* what request.collection and key point to */
	char		before_ts[FRAME_MAX_BYTES];	/* what is the same in every record */
	char		before_data[FRAME_MAX_BYTES];
	int			before_ts_len_bytes;
	int			before_data_len_bytes;
	store_text	position;		/* the first name not yet written */
	char	   *position_memory;
};

/* ---- the forms ---- */

static bool
scan_records(const listing *list, store *st)
{
	const listing_request *req = &list->request;

	return store_scan_records(st, req->collection, req->key, req->from_sec,
							  req->to_sec, req->reverse);
}

static bool
scan_latest(const listing *list, store *st)
{
	return store_scan_latest(st, list->request.collection, list->position,
							 list->request.from_sec, list->request.to_sec);
}

static bool
scan_collections(const listing *list, store *st)
{
	return store_scan_collections(st, list->position);
}

static bool
scan_values(const listing *list, store *st)
{
	return store_scan_values(st, list->request.collection, list->position);
}

static void
write_record(const listing *list, const store_item *item, answer *ans)
{
	answer_raw(ans, list->before_ts, list->before_ts_len_bytes);
	answer_integer(ans, item->ts_sec);
	answer_raw(ans, list->before_data, list->before_data_len_bytes);
	answer_string(ans, item->data.bytes, item->data.len_bytes);
	answer_raw(ans, "}", 1);
}

static void
write_named_record(const listing *list, const store_item *item, answer *ans)
{
	answer_string(ans, item->name.bytes, item->name.len_bytes);
	answer_raw(ans, ":", 1);
	write_record(list, item, ans);
}

static void
write_record_of_key(const listing *list, const store_item *item, answer *ans)
{
	answer_string(ans, list->request.key.bytes, list->request.key.len_bytes);
	answer_raw(ans, ":", 1);
	write_record(list, item, ans);
}

static void
write_name(const listing *list, const store_item *item, answer *ans)
{
	answer_string(ans, item->name.bytes, item->name.len_bytes);
}

static void
write_pair(const listing *list, const store_item *item, answer *ans)
{
	answer_string(ans, item->name.bytes, item->name.len_bytes);
	answer_raw(ans, ":", 1);
	answer_string(ans, item->data.bytes, item->data.len_bytes);
}

static const listing_form form_of[] = {
	[LISTING_RECORDS] = {scan_records, write_record, false, '[', ']'},
	[LISTING_LATEST] = {scan_latest, write_named_record, true, '{', '}'},
	[LISTING_LATEST_OF_KEY] = {scan_records, write_record_of_key, false, '{', '}'},
	[LISTING_COLLECTIONS] = {scan_collections, write_name, true, '[', ']'},
	[LISTING_KEYS] = {scan_values, write_name, true, '[', ']'},
	[LISTING_VALUES] = {scan_values, write_pair, true, '{', '}'},
};

/* ---- life ---- */

listing *
listing_new(const listing_request *request)
{
	size_t		collection_len = request->collection.len_bytes;
	size_t		key_len = request->key.len_bytes;
	listing    *list = calloc(1, sizeof(listing));

	if (list == NULL || (list->texts = malloc(collection_len + key_len + 1)) == NULL)
	{
		free(list);
		return NULL;
	}
	memcpy(list->texts, request->collection.bytes, collection_len);
	memcpy(list->texts + collection_len, request->key.bytes, key_len);
	list->request = *request;
	list->request.collection.bytes = list->texts;
	list->request.key.bytes = list->texts + collection_len;
	list->form = &form_of[request->type];
	list->left = request->limit > 0 ? request->limit : -1;
	list->position.bytes = "";
	list->before_ts_len_bytes = snprintf(list->before_ts, FRAME_MAX_BYTES, "{\"%s\":",
										 ltdb_dialect_ltdb.m_ts);
	list->before_data_len_bytes = snprintf(list->before_data, FRAME_MAX_BYTES, ",\"%s\":",
										   ltdb_dialect_ltdb.m_data);
	return list;
}

void
listing_free(listing *list)
{
	if (list == NULL)
		return;
	free(list->texts);
	free(list->position_memory);
	free(list);
}

/* ---- pieces ---- */

/*
 * Moves the position behind an item.  The smallest name behind a name is that
 * name and a NUL byte.
 */
static bool
move_behind(listing *list, const store_item *item)
{
	char	   *memory;

	if (!list->form->by_name)
	{
		if (list->request.reverse)
			list->request.to_sec = item->ts_sec - 1;
		else
			list->request.from_sec = item->ts_sec + 1;
		return true;
	}
	memory = realloc(list->position_memory, item->name.len_bytes + 1);
	if (memory == NULL)
		return false;
	memcpy(memory, item->name.bytes, item->name.len_bytes);
	memory[item->name.len_bytes] = '\0';
	list->position_memory = memory;
	list->position = (store_text) {memory, item->name.len_bytes + 1};
	return true;
}

static void
write_item(listing *list, const store_item *item, answer *ans)
{
	if (list->any)
		answer_raw(ans, ",", 1);
	list->any = true;
	list->form->write(list, item, ans);
	if (list->left > 0)
		list->left--;
}

/* The items of one piece, out of an open scan. */
static listing_state
write_items(listing *list, store *st, answer *ans)
{
	store_item	item;

	for (int looked_at = 1; list->left != 0 && store_scan_next(st, &item); looked_at++)
	{
		if (item.found)
			write_item(list, &item, ans);
		if (ans->len_bytes >= PIECE_BYTES || looked_at >= PIECE_ITEMS)
			return move_behind(list, &item) ? LISTING_MORE : LISTING_FAILED;
	}
	return store_failed(st) ? LISTING_FAILED : LISTING_DONE;
}

listing_state
listing_continue(listing *list, store *st, answer *ans)
{
	listing_state state;

	if (!list->opened)
		answer_raw(ans, &list->form->open, 1);
	list->opened = true;
	if (!list->form->scan(list, st))
		return LISTING_FAILED;
	state = write_items(list, st, ans);
	store_scan_end(st);
	if (state == LISTING_DONE)
		answer_raw(ans, &list->form->close, 1);
	return state;
}
