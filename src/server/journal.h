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

/*
 * A place is where a write is, as a number that grows; several have the same,
 * and are given up together.  Zeroed, a journal is empty.
 */
typedef struct journal
{
	journal_chunk *first;
	journal_chunk *last;
	journal_chunk *unsaved;		/* the first that may have unsaved bytes */
	uint64_t	last_place;
	size_t		bytes;			/* of memory */
} journal;

/*
 * Appends a write, at last_place; its data is then that in the journal, which
 * stays where it is.  False if out of memory.
 */
extern bool journal_append(journal *jnl, journal_write *wr);

/* Appends a part that is kept in a row; part is then the one in the journal. */
extern bool journal_append_saved(journal *jnl, store_text *part, int64_t row_id);

/* The next write of a part, which is moved behind it; false if it is damaged. */
extern bool journal_read(store_text *part, journal_write *wr);

/* The next part that is in no row yet; false if there is none. */
extern bool journal_unsaved(journal *jnl, store_text *part);

/* It is in a row now. */
extern void journal_saved(journal *jnl, int64_t row_id);

/* The first place behind those that take so many bytes. */
extern uint64_t journal_place_behind(const journal *jnl, size_t bytes);

/* Gives up all places before one; returns the last row with one, 0 if none. */
extern int64_t journal_give_up(journal *jnl, uint64_t place);
extern void journal_clear(journal *jnl);

#endif							/* JOURNAL_H */
