/*-------------------------------------------------------------------------
 *
 * name.h
 *		What names of collections and keys have: an order, and a hash.
 *
 * The hash is FNV-1a: short, and good enough for names that clients who know
 * the key have chosen.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef NAME_H
#define NAME_H

#include <string.h>

#include "store.h"

/* In the order of their bytes; a name comes behind those it begins with. */
static inline int
name_compare(store_text a, store_text b)
{
	size_t		common = a.len_bytes < b.len_bytes ? a.len_bytes : b.len_bytes;
	int			order = memcmp(a.bytes, b.bytes, common);

	if (order != 0)
		return order;
	return (a.len_bytes > b.len_bytes) - (a.len_bytes < b.len_bytes);
}

#define HASH_BEGIN UINT64_C(14695981039346656037)

/* Of what was hashed before and a text behind it. */
static inline uint64_t
hash_text(uint64_t hash, store_text text)
{
	for (size_t i = 0; i < text.len_bytes; i++)
		hash = (hash ^ (unsigned char) text.bytes[i]) * UINT64_C(1099511628211);
	return hash;
}

/* For tables whose size is a power of two: the upper half brought down. */
static inline uint64_t
hash_end(uint64_t hash)
{
	return hash ^ hash >> 32;
}

#endif							/* NAME_H */
