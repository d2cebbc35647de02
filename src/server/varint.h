/*-------------------------------------------------------------------------
 *
 * varint.h
 *		Numbers in as few bytes as they need, seven bits in each.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef VARINT_H
#define VARINT_H

#include <stdbool.h>
#include <stdint.h>

#define VARINT_MAX_BYTES 10

static inline unsigned
varint_bytes(uint64_t value)
{
	unsigned	bytes = 1;

	for (; value >= 0x80; value >>= 7)
		bytes++;
	return bytes;
}

/* Returns the place behind what it wrote. */
static inline unsigned char *
varint_put(unsigned char *to, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = 0x80 | (value & 0x7f);
	*to++ = value;
	return to;
}

/* Moves *at behind the number; false if there is none before the end. */
static inline bool
varint_get(const unsigned char **at, const unsigned char *end, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64 && *at < end; shift += 7)
	{
		unsigned char byte = *(*at)++;

		*value |= (uint64_t) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

#endif							/* VARINT_H */
