/*-------------------------------------------------------------------------
 *
 * store.h
 *		Collections, keys, records and pairs, kept in SQLite.
 *
 * The store knows nothing of requests, JSON or connections.  The first write
 * opens a transaction that stays open until store_commit() or
 * store_rollback(): when to call them, and not to acknowledge a write before,
 * is the caller's part.  Reads see the open transaction.
 *
 * A function that fails returns false, and from then on store_failed() is
 * true and store_message() says why, until store_rollback().
 *
 * Texts are bytes with a length and may hold NULs.  Pointers handed out are
 * lent until the next call.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct store store;

typedef struct store_text
{
	const char *bytes;			/* never NULL */
	size_t		len_bytes;
} store_text;

/* What a scan yields; fields not named at its function are not to be used. */
typedef struct store_item
{
	store_text	name;
	bool		found;			/* false only where store_scan_latest() says so */
	int64_t		ts_sec;
	store_text	data;
} store_item;

/* ---- in store.c ---- */

/*
 * Opens the database in a directory, creating both if missing; in memory if
 * data_dir is NULL.  A database of moderate size is searched for damage, any
 * if check is true.  On failure returns NULL and writes why into reason.
 */
extern store *store_open(const char *data_dir, bool check, char *reason, size_t reason_size);
extern void store_close(store *st);
extern bool store_in_transaction(const store *st);
extern bool store_commit(store *st);

/* Also forgets the failure. */
extern void store_rollback(store *st);
extern bool store_failed(const store *st);
extern const char *store_message(const store *st);

/* ---- in store_record.c ---- */

/* Adds a record or replaces the one with the same collection, key and ts. */
extern bool store_insert(store *st, store_text collection, store_text key,
						 int32_t ts_sec, store_text data);

/* A missing record, whatever its ts, is fine; the collection stays. */
extern bool store_delete_record(store *st, store_text collection, store_text key,
								int64_t ts_sec);

/* With its last key a collection goes, pairs included. */
extern bool store_delete_key(store *st, store_text collection, store_text key);

/* In all collections; drops every collection that then has no record. */
extern bool store_delete_key_everywhere(store *st, store_text key);
extern bool store_delete_collection(store *st, store_text collection);

/* ---- in store_value.c ---- */

extern bool store_set_value(store *st, store_text collection, store_text key,
							store_text value);

extern bool store_delete_value(store *st, store_text collection, store_text key);

/* ---- in store_scan.c ---- */

/*
 * One scan at a time: start, store_scan_next() until false, store_scan_end().
 * Nothing may be written in between.  Scans by name start at the first name
 * >= first, in byte order, so that a scan resumes after a name from that name
 * and a NUL byte.
 */

/* ts_sec, data: of one key, from_sec <= ts <= to_sec, ascending or reverse. */
extern bool store_scan_records(store *st, store_text collection, store_text key,
							   int64_t from_sec, int64_t to_sec, bool reverse);

/*
 * name, found; ts_sec, data if found: every key with its newest record of
 * from_sec <= ts <= at_sec.  Keys without one are yielded too, for the caller
 * to see how much work was done.
 */
extern bool store_scan_latest(store *st, store_text collection, store_text first,
							  int64_t from_sec, int64_t at_sec);

/* name */
extern bool store_scan_collections(store *st, store_text first);

/* name, data: the pairs of a collection. */
extern bool store_scan_values(store *st, store_text collection, store_text first);

/* name, data: one pair, if it exists. */
extern bool store_scan_value(store *st, store_text collection, store_text key);

/* False at the end and on failure. */
extern bool store_scan_next(store *st, store_item *item);
extern void store_scan_end(store *st);

#endif							/* STORE_H */
