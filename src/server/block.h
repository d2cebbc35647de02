/*-------------------------------------------------------------------------
 *
 * block.h
 *		Records of one key, side by side in ascending order of ts, as bytes.
 *
 * What SQLite keeps are blocks rather than records: its price is by row.  A
 * block knows neither its key nor its first ts; the row it is kept in does.
 *
 *		block = record ...
 *		record = ts less the one before (0 in the first), length of data, data
 *
 * with both numbers as in varint.h.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef BLOCK_H
#define BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The longest block of more than one record, chosen so that a row with it just
 * fits a page of SQLite's: what does not is spread over several.
 */
#define BLOCK_PAGE_BYTES 8192
#define BLOCK_MAX_BYTES (BLOCK_PAGE_BYTES - 64)

/* One record; where deletions are spoken of, bytes is NULL in them. */
typedef struct block_record
{
	const char *bytes;
	uint32_t	len_bytes;
	int32_t		ts_sec;
} block_record;

/* Zeroed, it is empty. */
typedef struct block_list
{
	block_record *record;
	size_t		count;
	size_t		size;
} block_list;

/* False if out of memory. */
extern bool block_list_add(block_list *list, const block_record *rec);
extern void block_list_free(block_list *list);

/* Behind the last record; like the first, NULL if there never was one. */
static inline const block_record *
block_list_end(const block_list *list)
{
	return list->count > 0 ? list->record + list->count : list->record;
}

/* The index of the first record of ts >= ts_sec, count if there is none. */
extern size_t block_search(const block_record *rec, size_t count, int64_t ts_sec);

/* What a record takes behind another one, or as the first with itself for one. */
extern size_t block_record_bytes(const block_record *before, const block_record *rec);

/*
 * How long each of several blocks is to become that so many bytes make.  What
 * is appended leaves full ones behind; what comes in between makes equal ones,
 * so that there is room for more.
 */
static inline size_t
block_part_bytes(size_t bytes, size_t max_bytes, bool appended)
{
	size_t		parts = (bytes + max_bytes - 1) / max_bytes;

	return appended || parts <= 1 ? max_bytes : bytes / parts + 1;
}

/* Packs records, of which there is one at least, into as many bytes. */
extern void block_pack(const block_record *rec, size_t count, unsigned char *to);

typedef enum block_outcome
{
	BLOCK_GOOD,
	BLOCK_DAMAGED,
	BLOCK_OUT_OF_MEMORY
} block_outcome;

/* The list's records are replaced; their bytes lie in the block. */
extern block_outcome block_unpack(const char *bytes, size_t len_bytes, int32_t first_ts,
								  block_list *list);

/* The last record of ts <= to_sec; the first is known to be one. */
extern block_outcome block_last(const char *bytes, size_t len_bytes, int32_t first_ts,
								int64_t to_sec, block_record *rec);

#endif							/* BLOCK_H */
