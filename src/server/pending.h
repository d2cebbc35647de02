/*-------------------------------------------------------------------------
 *
 * pending.h
 *		Records written and deleted that are not yet in any block.
 *
 * They are in the journal, and here by collection and key, so that reads see
 * them and that many of a key can go into its blocks at once.
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
	const struct pending_name *owner;	/* a key's collection */
	uint64_t	hash;
} pending_name;

typedef struct pending_names
{
	pending_name **name;
	size_t		count;
	size_t		size;
	bool		unsorted;
} pending_names;

typedef struct pending_key
{
	pending_name name;
	block_list	list;			/* deletions among them */
	bool		unsorted;
	bool		inserts;		/* something, be it deleted since */
	bool		deletes;
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

typedef struct pending
{
	journal		jnl;
	pending_names collections;
	pending_place *table;		/* of both */
	size_t		table_size;		/* a power of 2, or 0 */
	size_t		named;			/* how many there are in it */
	size_t		bytes;			/* of memory, without the journal's */
} pending;

/* In the order of their bytes; a name comes behind those it begins with. */
extern int	pending_compare(store_text a, store_text b);

/* Adds a write, the last of its record so far; false if out of memory. */
extern bool pending_add(pending *p, journal_write wr);

/* Adds the writes of a journal's part; *damaged tells why if not memory. */
extern bool pending_load(pending *p, store_text part, bool *damaged);
extern bool pending_is_empty(const pending *p);
extern size_t pending_bytes(const pending *p);
extern void pending_clear(pending *p);

/* NULL if there is nothing pending in it. */
extern pending_collection *pending_find_collection(const pending *p, store_text collection);
extern pending_key *pending_find_key(const pending *p, store_text collection, store_text key);

/* Brings names into their order. */
extern void pending_sort_names(pending_names *names);

/* The index of the first name >= text, of names in order. */
extern size_t pending_search(const pending_names *names, store_text text);

/* Leaves the last write of each ts, in order of ts; false if out of memory. */
extern bool pending_sort_records(pending_key *key);

#endif							/* PENDING_H */
