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
	*chunk = (journal_chunk) {.size_bytes = size_bytes};
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
	return (uint32_t) ts_sec << 1 ^ (uint32_t) (ts_sec >> 31);
}

static int32_t
unfold(uint64_t folded)
{
	return (int32_t) (folded >> 1) ^ -(int32_t) (folded & 1);
}

static unsigned char *
put_text(unsigned char *to, store_text *text)
{
	memcpy(to, text->bytes, text->len_bytes);
	text->bytes = (char *) to;
	return to + text->len_bytes;
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
	to = put_text(to, &wr->collection);
	to = put_text(to, &wr->key);
	to = varint_put(to, fold(wr->rec.ts_sec));
	to = varint_put(to, data.bytes != NULL ? data.len_bytes + 1 : 0);
	if (data.bytes != NULL)
		to = put_text(to, &data);
	wr->rec.bytes = data.bytes;
	jnl->last->len_bytes = to - jnl->last->bytes;
	return true;
}

bool
journal_append_saved(journal *jnl, store_text *part)
{
	unsigned char *to = reserve(jnl, part->len_bytes);

	if (to == NULL)
		return false;
	put_text(to, part);
	jnl->last->len_bytes += part->len_bytes;
	jnl->last->saved_bytes = jnl->last->len_bytes;
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
journal_save(journal *jnl, store_text *part)
{
	journal_chunk *chunk = jnl->unsaved;

	while (chunk != NULL && chunk->saved_bytes == chunk->len_bytes && chunk->next != NULL)
		chunk = chunk->next;
	jnl->unsaved = chunk;
	if (chunk == NULL || chunk->saved_bytes == chunk->len_bytes)
		return false;
	*part = (store_text) {(char *) chunk->bytes + chunk->saved_bytes,
	chunk->len_bytes - chunk->saved_bytes};
	chunk->saved_bytes = chunk->len_bytes;
	return true;
}

void
journal_clear(journal *jnl)
{
	while (jnl->first != NULL)
	{
		journal_chunk *done = jnl->first;

		jnl->first = done->next;
		free(done);
	}
	*jnl = (journal) {0};
}
