/*-------------------------------------------------------------------------
 *
 * key_block.c
 *		Packs and reads blocks of keys.
 *
 * Which keys belong into which block is left to store_key.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "key_block.h"

#include <string.h>

#include "name.h"
#include "varint.h"

static uint64_t
distance(int64_t before, int64_t id)
{
	int64_t		step = id - before;

	return step < 0 ? ((uint64_t) -step << 1 | 1) : (uint64_t) step << 1;
}

size_t
key_entry_bytes(const key_entry *before, const key_entry *key)
{
	if (before == NULL)
		return key->name.len_bytes + varint_bytes(distance(0, key->id));
	return varint_bytes(key->name.len_bytes) + key->name.len_bytes +
		varint_bytes(distance(before->id, key->id));
}

unsigned char *
key_block_pack(const key_entry *key, size_t count, unsigned char *to)
{
	to = varint_put(to, distance(0, key->id));
	for (size_t i = 1; i < count; i++)
	{
		to = varint_put(to, key[i].name.len_bytes);
		memcpy(to, key[i].name.bytes, key[i].name.len_bytes);
		to = varint_put(to + key[i].name.len_bytes, distance(key[i - 1].id, key[i].id));
	}
	return to;
}

key_reader
key_block_read(store_text first_name, store_text block)
{
	const unsigned char *at = (const unsigned char *) block.bytes;

	return (key_reader) {at, at + block.len_bytes, true, false, {first_name, 0}};
}

static inline bool
next_id(key_reader *reader)
{
	uint64_t	step;

	if (!varint_get(&reader->at, reader->end, &step) || step >> 1 > KEY_ID_MAX)
		return false;
	reader->key.id += step & 1 ? -(int64_t) (step >> 1) : (int64_t) (step >> 1);
	return reader->key.id > 0 && reader->key.id <= KEY_ID_MAX;
}

static inline bool
next_name(key_reader *reader)
{
	store_text	name;
	uint64_t	len_bytes;

	if (!varint_get(&reader->at, reader->end, &len_bytes) ||
		len_bytes > (uint64_t) (reader->end - reader->at))
		return false;
	name = (store_text) {(const char *) reader->at, len_bytes};
	if (name_compare(reader->key.name, name) >= 0)
		return false;
	reader->key.name = name;
	reader->at += len_bytes;
	return true;
}

bool
key_block_next(key_reader *reader)
{
	bool		first = reader->before_first;

	if (reader->damaged || (!first && reader->at == reader->end))
		return false;
	reader->before_first = false;
	reader->damaged = !((first || next_name(reader)) && next_id(reader));
	return !reader->damaged;
}
