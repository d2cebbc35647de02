/*-------------------------------------------------------------------------
 *
 * pending.h
 *		Records written and deleted that are not yet in any block.
 *
 * They are in the journal, and here by collection and key, so that reads see
 * them and that many of a key can go into its blocks at once.
 *
 * They go there, the longest pending ones first, in batches of keys.  A key
 * goes as a whole, with what was written to it last; but what the journal has
 * of a batch can be given up only when all of the batch has gone.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef PENDING_H
#define PENDING_H

#include "journal.h"

/* What collections and keys have in common, and first in them. */
typedef struct pending_name
{
	store_text	text;
	struct pending_name *owner; /* a key's collection */
	uint64_t	hash;
} pending_name;

typedef struct pending_names
{
	pending_name **name;
	size_t		count;
	size_t		size;
	bool		unsorted;
} pending_names;

/* It stays for a while when nothing of it is pending any more. */
typedef struct pending_key
{
	pending_name name;
	block_list	list;			/* deletions among them */
	block_record only;			/* the list's memory, as long as it has one */
	bool		unsorted;
	bool		inserts;		/* something, be it deleted since */
	bool		deletes;
	uint64_t	place;			/* in the journal, of the first of its writes */
	struct pending_key *next;	/* in the queue */
} pending_key;

typedef struct pending_collection
{
	pending_name name;
	pending_names keys;
	bool		inserts;
} pending_collection;

/* The hash is here, too, as most names looked at are not the one wanted. */
typedef struct pending_place
{
	uint64_t	hash;
	pending_name *name;			/* NULL if it is free */
} pending_place;

/* Zeroed, it is empty. */
typedef struct pending
{
	journal		jnl;
	pending_names collections;
	pending_place *table;		/* of both */
	size_t		table_size;		/* a power of 2, or 0 */
	size_t		named;			/* how many there are in it */
	size_t		active;			/* keys among them of which something is pending */
	size_t		list_bytes;		/* of memory, of their lists */

	/* keys of which something is: the batch, and the queue for the next ones */
	pending_key **batch;
	size_t		batch_count;
	size_t		batch_at;
	pending_key *first;
	pending_key *last;
} pending;

/* Adds a write, the last of its record so far; false if out of memory. */
extern bool pending_add(pending *p, journal_write wr);

/* Adds the writes that a row has; *damaged tells why if not memory. */
extern bool pending_load(pending *p, store_text part, int64_t row_id, bool *damaged);
extern bool pending_is_empty(const pending *p);

/* Of memory, about; without what is kept for idle keys, which are never most. */
extern size_t pending_bytes(const pending *p);
extern void pending_clear(pending *p);

/* NULL if nothing of it is pending. */
extern pending_collection *pending_find_collection(const pending *p, store_text collection);
extern pending_key *pending_find_key(const pending *p, store_text collection, store_text key);

/* Brings names into their order. */
extern void pending_sort_names(pending_names *names);

/* The index of the first name >= text, of names in order. */
extern size_t pending_search(const pending_names *names, store_text text);

/* Leaves the last write of each ts, in order of ts; false if out of memory. */
extern bool pending_sort_records(pending_key *key);

/* ---- batches ---- */

/*
 * Starts one with the keys in so many bytes of the journal, those that are
 * pending longest, unless there is one; false if out of memory.
 */
extern bool pending_start_batch(pending *p, size_t bytes);

/* The keys that are left of the batch, in the order of names; NULL if there are none. */
extern pending_key *const *pending_rest(const pending *p, size_t *count);

/* Nothing of the first of them is pending any more. */
extern void pending_gone(pending *p);

/*
 * When a batch has gone: gives up what the journal has of it, and returns the
 * last row that is no longer needed, 0 if there is none.
 */
extern int64_t pending_end_batch(pending *p);

#endif							/* PENDING_H */
