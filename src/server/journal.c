/*-------------------------------------------------------------------------
 *
 * journal.c
 *		The memory of a journal, and the form of its writes.
 *
 * Where its parts are kept is left to store_journal.c, what its writes amount
 * to, to pending.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "journal.h"

#include <stdlib.h>
#include <string.h>

#include "varint.h"

/* A write that is longer has a chunk of its own. */
#define CHUNK_BYTES (256 * 1024)

struct journal_chunk
{
	journal_chunk *next;
	uint64_t	place;
	int64_t		last_row_id;	/* 0 if it is in none */
	size_t		size_bytes;
	size_t		len_bytes;
	size_t		saved_bytes;
	unsigned char bytes[];
};

/* Room for so many bytes in one piece, not yet counted as used. */
static unsigned char *
reserve(journal *jnl, size_t len_bytes)
{
	journal_chunk *chunk = jnl->last;
	size_t		size_bytes = len_bytes > CHUNK_BYTES ? len_bytes : CHUNK_BYTES;

	if (chunk != NULL && chunk->size_bytes - chunk->len_bytes >= len_bytes)
		return chunk->bytes + chunk->len_bytes;
	chunk = malloc(sizeof(journal_chunk) + size_bytes);
	if (chunk == NULL)
		return NULL;
	*chunk = (journal_chunk) {.place = ++jnl->last_place,.size_bytes = size_bytes};
	if (jnl->last == NULL)
		jnl->first = jnl->unsaved = chunk;
	else
		jnl->last->next = chunk;
	jnl->last = chunk;
	jnl->bytes += sizeof(journal_chunk) + size_bytes;
	return chunk->bytes;
}

static uint64_t
fold(int32_t ts_sec)
{
	return (uint32_t) ts_sec << 1 ^ (ts_sec < 0 ? UINT32_MAX : 0);
}

static int32_t
unfold(uint64_t folded)
{
	return (int32_t) (folded >> 1) ^ -(int32_t) (folded & 1);
}

static unsigned char *
put_text(unsigned char *to, store_text text)
{
	memcpy(to, text.bytes, text.len_bytes);
	return to + text.len_bytes;
}

bool
journal_append(journal *jnl, journal_write *wr)
{
	store_text	data = {wr->rec.bytes, wr->rec.len_bytes};
	unsigned char *to = reserve(jnl, 4 * VARINT_MAX_BYTES + wr->collection.len_bytes +
								wr->key.len_bytes + data.len_bytes);

	if (to == NULL)
		return false;
	to = varint_put(to, wr->collection.len_bytes);
	to = varint_put(to, wr->key.len_bytes);
	to = put_text(to, wr->collection);
	to = put_text(to, wr->key);
	to = varint_put(to, fold(wr->rec.ts_sec));
	to = varint_put(to, data.bytes != NULL ? data.len_bytes + 1 : 0);
	if (data.bytes != NULL)
	{
		wr->rec.bytes = (char *) to;
		to = put_text(to, data);
	}
	jnl->last->len_bytes = to - jnl->last->bytes;
	return true;
}

bool
journal_append_saved(journal *jnl, store_text *part, int64_t row_id)
{
	unsigned char *to = reserve(jnl, part->len_bytes);

	if (to == NULL)
		return false;
	put_text(to, *part);
	part->bytes = (char *) to;
	jnl->last->len_bytes += part->len_bytes;
	jnl->last->saved_bytes = jnl->last->len_bytes;
	jnl->last->last_row_id = row_id;
	return true;
}

static bool
take_text(const unsigned char **at, const unsigned char *end, uint64_t len_bytes, store_text *text)
{
	if (len_bytes > (uint64_t) (end - *at))
		return false;
	*text = (store_text) {(const char *) *at, len_bytes};
	*at += len_bytes;
	return true;
}

bool
journal_read(store_text *part, journal_write *wr)
{
	const unsigned char *at = (const unsigned char *) part->bytes;
	const unsigned char *end = at + part->len_bytes;
	store_text	data = {NULL, 0};
	uint64_t	collection_len;
	uint64_t	key_len;
	uint64_t	ts;
	uint64_t	data_len;

	if (!varint_get(&at, end, &collection_len) || !varint_get(&at, end, &key_len) ||
		!take_text(&at, end, collection_len, &wr->collection) ||
		!take_text(&at, end, key_len, &wr->key) ||
		!varint_get(&at, end, &ts) || ts > UINT32_MAX ||
		!varint_get(&at, end, &data_len) || data_len > UINT32_MAX ||
		(data_len > 0 && !take_text(&at, end, data_len - 1, &data)))
		return false;
	wr->rec = (block_record) {data.bytes, data.len_bytes, unfold(ts)};
	*part = (store_text) {(const char *) at, end - at};
	return true;
}

bool
journal_unsaved(journal *jnl, store_text *part)
{
	journal_chunk *chunk = jnl->unsaved;

	while (chunk != NULL && chunk->saved_bytes == chunk->len_bytes && chunk->next != NULL)
		chunk = chunk->next;
	jnl->unsaved = chunk;
	if (chunk == NULL || chunk->saved_bytes == chunk->len_bytes)
		return false;
	*part = (store_text) {(char *) chunk->bytes + chunk->saved_bytes,
	chunk->len_bytes - chunk->saved_bytes};
	return true;
}

void
journal_saved(journal *jnl, int64_t row_id)
{
	jnl->unsaved->saved_bytes = jnl->unsaved->len_bytes;
	jnl->unsaved->last_row_id = row_id;
}

uint64_t
journal_place_behind(const journal *jnl, size_t bytes)
{
	const journal_chunk *chunk = jnl->first;

	for (size_t seen = 0; chunk != NULL && seen < bytes; chunk = chunk->next)
		seen += chunk->size_bytes;
	return chunk != NULL ? chunk->place : jnl->last_place + 1;
}

int64_t
journal_give_up(journal *jnl, uint64_t place)
{
	int64_t		last_row_id = 0;

	while (jnl->first != NULL && jnl->first->place < place)
	{
		journal_chunk *done = jnl->first;

		if (done->last_row_id != 0)
			last_row_id = done->last_row_id;
		jnl->first = done->next;
		if (jnl->unsaved == done)
			jnl->unsaved = done->next;
		jnl->bytes -= sizeof(journal_chunk) + done->size_bytes;
		free(done);
	}
	if (jnl->first == NULL)
		jnl->last = NULL;
	return last_row_id;
}

void
journal_clear(journal *jnl)
{
	journal_give_up(jnl, UINT64_MAX);
}
