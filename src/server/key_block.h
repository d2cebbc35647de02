/*-------------------------------------------------------------------------
 *
 * key_block.h
 *		Keys of one collection, one after the other, as the bytes of a row.
 *
 *		block = distance, key ...
 *		key = length of name, name, distance
 *
 * Numbers are as in varint.h.  A distance is that of the key's id to the one
 * before, 0 for the first, with its sign in the lowest bit.  The first name has
 * a column of the row for itself, all others follow it in order.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef KEY_BLOCK_H
#define KEY_BLOCK_H

#include "store.h"

/*
 * The longest block of more than one key, first name included, chosen so that
 * its row just fits where SQLite keeps rows of an index: it puts four at least
 * on a page, and spreads longer ones over pages of their own.
 */
#define KEY_BLOCK_MAX_BYTES 2000

/* So that the id of a record's block stays positive. */
#define KEY_ID_MAX INT32_MAX

/* A key's name, and the number that its blocks of records go by. */
typedef struct key_entry
{
	store_text	name;
	int64_t		id;
} key_entry;

/* What a key takes behind another one, or as the first with NULL before it. */
extern size_t key_entry_bytes(const key_entry *before, const key_entry *key);

/*
 * Packs keys, of which there is one at least, into as many bytes, without the
 * first name's; returns the place behind them.
 */
extern unsigned char *key_block_pack(const key_entry *key, size_t count, unsigned char *to);

/* A block being read; zeroed, it is at its end. */
typedef struct key_reader
{
	const unsigned char *at;
	const unsigned char *end;
	bool		before_first;
	bool		damaged;
	key_entry	key;			/* the one that was read last */
} key_reader;

extern key_reader key_block_read(store_text first_name, store_text block);

/* Reads the next key; false if there is none, or damage in its place. */
extern bool key_block_next(key_reader *reader);

#endif							/* KEY_BLOCK_H */
