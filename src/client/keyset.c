/*-------------------------------------------------------------------------
 *
 * keyset.c
 *		Which keys an answer has had already.
 *
 * An object must not have a member twice, and a server that says so of a key
 * would have it counted twice.  An answer may have millions of keys and is
 * read as it comes, so what is kept of each is a hash of 64 bits: that two
 * keys of a million share one happens in one answer of 30 millions.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "ltdb_int.h"

#define FIRST_SLOTS 64

/* Odd numbers without a pattern: the fractions of the square roots of 2 and 3. */
#define MIX_A UINT64_C(0x6a09e667f3bcc909)
#define MIX_B UINT64_C(0xbb67ae8584caa73b)

/* The halves of the product, folded: each bit depends on all of both. */
static uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128) a * b;

	return (uint64_t) product ^ (uint64_t) (product >> 64);
}

/* Never 0, which stands for an empty slot. */
static uint64_t
hash(ltdb_text key, uint64_t seed)
{
	uint64_t	sum = seed ^ mix(key.len_bytes ^ MIX_A, MIX_B);
	uint64_t	word;
	size_t		at;

	for (at = 0; key.len_bytes - at > sizeof(word); at += sizeof(word))
	{
		memcpy(&word, key.bytes + at, sizeof(word));
		sum = mix(sum ^ word, MIX_A ^ seed);
	}
	word = 0;
	if (key.len_bytes > at)
		memcpy(&word, key.bytes + at, key.len_bytes - at);
	sum = mix(mix(sum ^ word, MIX_B ^ seed), MIX_A);
	return sum != 0 ? sum : 1;
}

/* The slot of a hash, or the empty one where it belongs. */
static uint64_t *
find(const ltdbp_keyset *set, uint64_t sum)
{
	size_t		at = (size_t) sum & (set->slot_count - 1);

	while (set->slots[at] != 0 && set->slots[at] != sum)
		at = (at + 1) & (set->slot_count - 1);
	return &set->slots[at];
}

static bool
grow(ltdbp_keyset *set)
{
	ltdbp_keyset bigger = *set;

	bigger.slot_count = set->slot_count > 0 ? 2 * set->slot_count : FIRST_SLOTS;
	bigger.slots = ltdbp_alloc_zeroed(bigger.slot_count * sizeof(uint64_t));
	if (bigger.slots == NULL)
		return false;

	/* a server that cannot foresee the hashes cannot have them collide */
	if (set->slot_count == 0)
		bigger.seed = mix((uint64_t) (uintptr_t) bigger.slots ^ MIX_A, (uint64_t) ltdbp_now_ms() ^ MIX_B);
	for (size_t i = 0; i < set->slot_count; i++)
	{
		if (set->slots[i] != 0)
			*find(&bigger, set->slots[i]) = set->slots[i];
	}
	free(set->slots);
	*set = bigger;
	return true;
}

/* LTDBP_SCAN_BAD if the key was there before, LTDBP_SCAN_MEMORY if there is no memory. */
ltdbp_scan
ltdbp_keyset_add(ltdbp_keyset *set, ltdb_text key)
{
	uint64_t	sum;
	uint64_t   *slot;

	if (2 * set->count >= set->slot_count && !grow(set))
		return LTDBP_SCAN_MEMORY;
	sum = hash(key, set->seed);
	slot = find(set, sum);
	if (*slot != 0)
		return LTDBP_SCAN_BAD;
	*slot = sum;
	set->count++;
	return LTDBP_SCAN_OK;
}

size_t
ltdbp_keyset_bytes(const ltdbp_keyset *set)
{
	return set->slot_count * sizeof(uint64_t);
}

void
ltdbp_keyset_free(ltdbp_keyset *set)
{
	free(set->slots);
	memset(set, 0, sizeof(*set));
}
