/*-------------------------------------------------------------------------
 *
 * journal.h
 *		Writes one after the other, as bytes: in memory, and to be kept.
 *
 *		journal = write ...
 *		write = lengths of collection and key, collection, key, ts, length of
 *			data and 1, or 0 for a deletion, data
 *
 * with all numbers as in varint.h, ts with its sign in the lowest bit.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "block.h"
#include "store.h"

typedef struct journal_write
{
	store_text	collection;
	store_text	key;
	block_record rec;			/* bytes NULL: deletes */
} journal_write;

typedef struct journal_chunk journal_chunk;

/* Zeroed, it is empty. */
typedef struct journal
{
	journal_chunk *first;
	journal_chunk *last;
	journal_chunk *unsaved;		/* the first that may have unsaved bytes */
	size_t		bytes;			/* of memory */
} journal;

/*
 * Appends a write, whose texts are then those in the journal, which stay where
 * they are; false if out of memory.
 */
extern bool journal_append(journal *jnl, journal_write *wr);

/* Appends a part that is kept already; part is then the one in the journal. */
extern bool journal_append_saved(journal *jnl, store_text *part);

/* The next write of a part, which is moved behind it; false if it is damaged. */
extern bool journal_read(store_text *part, journal_write *wr);

/* The next part that was appended and not handed out by this; false if none. */
extern bool journal_save(journal *jnl, store_text *part);
extern void journal_clear(journal *jnl);

#endif							/* JOURNAL_H */
