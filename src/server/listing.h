/*-------------------------------------------------------------------------
 *
 * listing.h
 *		Answers that are lists, written piece by piece.
 *
 * A listing remembers what was asked for and how far it has come, by
 * position: between two pieces nothing is held open in the store, so others
 * may read, write and commit there.  What is written behind the position is
 * seen, what is deleted there is not, as if the request had come later.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LISTING_H
#define LISTING_H

#include "answer.h"
#include "store.h"

typedef struct listing listing;

typedef enum listing_type
{
	LISTING_RECORDS,			/* of one key */
	LISTING_LATEST,				/* the newest record of every key */
	LISTING_LATEST_OF_KEY,		/* of one key, in the same form */
	LISTING_COLLECTIONS,
	LISTING_KEYS,				/* of pairs */
	LISTING_VALUES				/* pairs */
} listing_type;

typedef struct listing_request
{
	listing_type type;
	store_text	collection;
	store_text	key;
	int64_t		from_sec;
	int64_t		to_sec;
	int64_t		limit;			/* 0 = all */
	bool		reverse;
} listing_request;

typedef enum listing_state
{
	LISTING_DONE,				/* written to the end, brackets included */
	LISTING_MORE,
	LISTING_FAILED				/* the store failed */
} listing_state;

/* Copies the request; NULL if out of memory. */
extern listing *listing_new(const listing_request *request);
extern void listing_free(listing *list);

/* Appends the next piece; it may be empty where much was looked at in vain. */
extern listing_state listing_continue(listing *list, store *st, answer *ans);

#endif							/* LISTING_H */
