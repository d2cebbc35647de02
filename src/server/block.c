/*-------------------------------------------------------------------------
 *
 * block.c
 *		Packs and unpacks blocks of records.
 *
 * Which records belong into which block is left to store_flush.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "block.h"

#include <stdlib.h>
#include <string.h>

#include "varint.h"

bool
block_list_add(block_list *list, const block_record *rec)
{
	if (list->count == list->size)
	{
		size_t		size = list->size ? 2 * list->size : 1;
		block_record *memory = realloc(list->record, size * sizeof(block_record));

		if (memory == NULL)
			return false;
		list->record = memory;
		list->size = size;
	}
	list->record[list->count++] = *rec;
	return true;
}

void
block_list_free(block_list *list)
{
	free(list->record);
	*list = (block_list) {0};
}

size_t
block_search(const block_record *rec, size_t count, int64_t ts_sec)
{
	size_t		first = 0;

	while (first < count)
	{
		size_t		middle = first + (count - first) / 2;

		if (rec[middle].ts_sec < ts_sec)
			first = middle + 1;
		else
			count = middle;
	}
	return first;
}

static uint64_t
distance(const block_record *before, const block_record *rec)
{
	return (int64_t) rec->ts_sec - before->ts_sec;
}

size_t
block_record_bytes(const block_record *before, const block_record *rec)
{
	return varint_bytes(distance(before, rec)) + varint_bytes(rec->len_bytes) + rec->len_bytes;
}

void
block_pack(const block_record *rec, size_t count, unsigned char *to)
{
	const block_record *before = rec;

	for (const block_record *end = rec + count; rec < end; before = rec++)
	{
		to = varint_put(to, distance(before, rec));
		to = varint_put(to, rec->len_bytes);
		memcpy(to, rec->bytes, rec->len_bytes);
		to += rec->len_bytes;
	}
}

/* What is left to be read of a block. */
typedef struct remainder
{
	const unsigned char *at;
	const unsigned char *end;
	int64_t		ts_sec;			/* of the record before */
	bool		inside;			/* one was read */
} remainder;

/* False if what comes next is no record that could stand there. */
static inline bool
next_record(remainder *rest, block_record *rec)
{
	uint64_t	delta;
	uint64_t	len_bytes;

	if (!varint_get(&rest->at, rest->end, &delta) ||
		!varint_get(&rest->at, rest->end, &len_bytes) ||
		len_bytes > (uint64_t) (rest->end - rest->at) || len_bytes > UINT32_MAX ||
		(delta > 0) != rest->inside || delta > (uint64_t) (INT32_MAX - rest->ts_sec))
		return false;
	rest->ts_sec += (int64_t) delta;
	rest->inside = true;
	*rec = (block_record) {(const char *) rest->at, (uint32_t) len_bytes, (int32_t) rest->ts_sec};
	rest->at += len_bytes;
	return true;
}

static remainder
whole(const char *bytes, size_t len_bytes, int32_t first_ts)
{
	const unsigned char *at = (const unsigned char *) bytes;

	return (remainder) {at, at + len_bytes, first_ts, false};
}

block_outcome
block_unpack(const char *bytes, size_t len_bytes, int32_t first_ts, block_list *list)
{
	remainder	rest = whole(bytes, len_bytes, first_ts);

	list->count = 0;
	do
	{
		block_record rec;

		if (!next_record(&rest, &rec))
			return BLOCK_DAMAGED;
		if (!block_list_add(list, &rec))
			return BLOCK_OUT_OF_MEMORY;
	} while (rest.at < rest.end);
	return BLOCK_GOOD;
}

block_outcome
block_last(const char *bytes, size_t len_bytes, int32_t first_ts, int64_t to_sec,
		   block_record *rec)
{
	remainder	rest = whole(bytes, len_bytes, first_ts);
	block_record next;

	if (!next_record(&rest, rec))
		return BLOCK_DAMAGED;
	while (rest.at < rest.end)
	{
		if (!next_record(&rest, &next))
			return BLOCK_DAMAGED;
		if (next.ts_sec > to_sec)
			break;
		*rec = next;
	}
	return BLOCK_GOOD;
}
