/*-------------------------------------------------------------------------
 *
 * writeset.c
 *		A write set: writes to a collection that have yet to be sent, in an
 *		order in which they can be found, read, taken back, and sent.
 *
 * A record has steps, newest first: one for each command that wrote it, since
 * a command must not see what it writes itself, and a cursor sees what was
 * written before it was opened.  A key, and the collection, have steps too,
 * each of which erases all there was before it, on the server and here.
 *
 * How records are found is writetree.c's business, which sets a transaction
 * has commit.c's, sending them deliver.c's; reader.c merges them with what the
 * server has.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "writetree.h"

#include "access/xact.h"
#include "utils/memutils.h"

struct LtfdwWriteSet
{
	bool		can_undo;		/* subtransactions may take writes back */
	bool		has_deletions;	/* or had, before they were taken back */
	bool		has_erasures;
	MemoryContext account;		/* whose memory is bounded */
	WriteTree  *tree;
	WriteStep  *erased;			/* the whole collection */
};

/* The step that erases what there was of a key or a collection. */
typedef struct Erasure
{
	WriteStep	step;
	int64		until_sec; /* what is newer on the server was added since */
	int64		count;	 /* records there, as far as known */
	int			writer;
} Erasure;

/* The newest step at a place before a write within a subtransaction. */
typedef struct Undo
{
	WriteStep **place;
	WriteStep  *newest;
} Undo;

/* The log of the current transaction; the memory goes with it. */
static Undo *undo_log = NULL;
static int64 undo_count = 0;
static int64 undo_allocated = 0;

/*
 * Lives as long as the context, whose memory is what the setting bounds.  Only
 * what lives as long as the transaction can be taken back.
 */
LtfdwWriteSet *
ltfdw_writeset_new(const char *collection, MemoryContext account, bool can_undo)
{
	LtfdwWriteSet *set = MemoryContextAllocZero(account, sizeof(LtfdwWriteSet));

	set->can_undo = can_undo;
	set->account = account;
	set->tree = ltfdw_writetree_new(collection, account);
	return set;
}

/* ---- writing ---- */

/* Remember what a subtransaction would bring back if it were rolled back. */
static void
log_undo(const LtfdwWriteSet *set, WriteStep **place)
{
	if (!set->can_undo || GetCurrentTransactionNestLevel() == 1)
		return;
	if (undo_count == undo_allocated)
	{
		undo_allocated = undo_allocated ? undo_allocated * 2 : 1024;
		undo_log = undo_log ? repalloc_huge(undo_log, undo_allocated * sizeof(Undo))
							: MemoryContextAllocHuge(set->account, undo_allocated * sizeof(Undo));
	}
	undo_log[undo_count].place = place;
	undo_log[undo_count++].newest = *place;
}

/* What a command wrote itself it never sees, so only its last step counts. */
static void
add_step(LtfdwWriteSet *set, WriteStep **place, WriteStep *step, CommandId cid)
{
	WriteStep  *newest = *place;

	step->older = newest && newest->cid == cid ? newest->older : newest;
	step->cid = cid;
	log_undo(set, place);
	*place = step;
}

/* A step that writes a record. */
static WriteStep *
new_step(LtfdwWriteSet *set, int writer, bool deleted, ltdb_text data)
{
	Size		head_bytes = sizeof(WriteStep) + (writer > 0 ? sizeof(int32) : 0);
	WriteStep  *step = ltfdw_writetree_cut(set->tree, head_bytes + data.len_bytes);

	step->len_bytes = data.len_bytes;
	step->deleted = deleted;
	step->by_other = writer > 0;
	if (writer > 0)
		*(int32 *) (step + 1) = writer;
	if (data.len_bytes > 0)
		memcpy((char *) step + head_bytes, data.bytes, data.len_bytes);
	return step;
}

/* Store a record when the set is sent. */
void
ltfdw_writeset_put(LtfdwWriteSet *set, int writer, text *key, int64 ts_sec, ltdb_text data,
				   CommandId cid)
{
	WriteEntry *entry = ltfdw_writetree_add_entry(set->tree, key, ts_sec);

	add_step(set, &entry->newest, new_step(set, writer, false, data), cid);
}

/*
 * Claim a record that a command is about to update or delete, as it was before
 * the command; false if the command has done so already: a join may find a row
 * twice, and as in a local table the first time counts.
 */
bool
ltfdw_writeset_take(LtfdwWriteSet *set, text *key, int64 ts_sec, CommandId cid)
{
	WriteEntry *entry = ltfdw_writetree_add_entry(set->tree, key, ts_sec);

	if (entry->taken_by == cid)
		return false;
	entry->taken_by = cid;
	return true;
}

/*
 * Delete a record, unless the command itself has put another in its place:
 * UPDATE ... SET ts = ts + 1 moves one record to where the next was.
 */
void
ltfdw_writeset_delete(LtfdwWriteSet *set, int writer, text *key, int64 ts_sec, CommandId cid)
{
	WriteEntry *entry = ltfdw_writetree_add_entry(set->tree, key, ts_sec);
	ltdb_text	nothing = {NULL, 0};

	if (entry->newest && entry->newest->cid == cid)
		return;
	add_step(set, &entry->newest, new_step(set, writer, true, nothing), cid);
	set->has_deletions = true;
}

/*
 * An erasure inherits what the one before it knew of the server, which was
 * hidden from it.
 */
static void
add_erasure(LtfdwWriteSet *set, int writer, WriteStep **place, int64 until_sec, int64 count,
			CommandId cid)
{
	Erasure	   *erasure = ltfdw_writetree_cut(set->tree, sizeof(Erasure));
	const Erasure *before = (const Erasure *) *place;

	memset(erasure, 0, sizeof(Erasure));
	erasure->writer = writer;
	erasure->until_sec = before ? Max(until_sec, before->until_sec) : until_sec;
	erasure->count = before ? Max(count, before->count) : count;
	add_step(set, place, &erasure->step, cid);
	set->has_erasures = true;
}

/*
 * Erase all records of a key.  A command that read them found count of them,
 * none newer than until_sec; what is in the set is known as well, even if it
 * deletes what is on the server.
 */
void
ltfdw_writeset_erase_key(LtfdwWriteSet *set, int writer, text *key, int64 until_sec,
						 int64 count, CommandId cid)
{
	WriteKey   *node = ltfdw_writetree_add_key(set->tree, key);
	WriteEntry *last = node->last;

	if (last)
		until_sec = Max(until_sec, last->ts_sec);
	add_erasure(set, writer, &node->erased, until_sec, count, cid);
}

/* Erase everything. */
void
ltfdw_writeset_erase_all(LtfdwWriteSet *set, int writer, CommandId cid)
{
	add_erasure(set, writer, &set->erased, PG_INT64_MAX, 0, cid);
}

/* ---- reading ---- */

/* What a command sees of steps: what earlier commands did. */
static const WriteStep *
visible_step(const WriteStep *step, CommandId cid)
{
	while (step && step->cid >= cid)
		step = step->older;
	return step;
}

/* The last erasure of a key that a command sees; the node may be NULL. */
static const WriteStep *
visible_erasure(const LtfdwWriteSet *set, const WriteKey *node, CommandId cid)
{
	const WriteStep *of_all = visible_step(set->erased, cid);
	const WriteStep *of_key = node ? visible_step(node->erased, cid) : NULL;

	if (of_all == NULL || (of_key && of_key->cid > of_all->cid))
		return of_key;
	return of_all;
}

/*
 * Whether a step is one that was erased.  Rows that a command stores outlive
 * what the same command erases: it erases what was there before it.
 */
static bool
is_before(const WriteStep *step, const WriteStep *erasure)
{
	return erasure && step->cid < erasure->cid;
}

/* Whether a command sees nothing of what the server has of a key. */
bool
ltfdw_writeset_hides_key(const LtfdwWriteSet *set, text *key, CommandId cid)
{
	return visible_erasure(set, ltfdw_writetree_find_key(set->tree, key), cid) != NULL;
}

/* ... of the whole collection. */
bool
ltfdw_writeset_hides_all(const LtfdwWriteSet *set, CommandId cid)
{
	return visible_step(set->erased, cid) != NULL;
}

static void
show_step(const WriteEntry *entry, const WriteStep *step, LtfdwWrite *write)
{
	const char *bytes = (const char *) (step + 1);

	write->writer = step->by_other ? *(const int32 *) bytes : 0;
	write->ts_sec = entry->ts_sec;
	write->deleted = step->deleted;
	write->data.bytes = step->by_other ? bytes + sizeof(int32) : bytes;
	write->data.len_bytes = step->len_bytes;
}

/*
 * The first record of a key from from_sec to to_sec, or the last if reverse,
 * as a command sees it, deletions included; false if there is none.
 */
bool
ltfdw_writeset_seek(const LtfdwWriteSet *set, text *key, LtfdwInterval interval, bool reverse,
					CommandId cid, LtfdwWrite *write)
{
	WriteKey   *node = ltfdw_writetree_find_key(set->tree, key);
	const WriteStep *erasure = visible_erasure(set, node, cid);
	WriteEntry *entry;

	if (node == NULL)
		return false;
	entry = reverse ? ltfdw_writetree_until(node, interval.to_sec)
					: ltfdw_writetree_from(node, interval.from_sec);
	while (entry && entry->ts_sec >= interval.from_sec && entry->ts_sec <= interval.to_sec)
	{
		const WriteStep *step = visible_step(entry->newest, cid);

		if (step && !is_before(step, erasure))
		{
			show_step(entry, step, write);
			return true;
		}
		entry = reverse ? ltfdw_writetree_until(node, entry->ts_sec - 1) : entry->next[0];
	}
	return false;
}

/* Add the keys that a command has written records of in an interval. */
void
ltfdw_writeset_add_keys(const LtfdwWriteSet *set, LtfdwInterval interval, CommandId cid,
						LtfdwKeys *keys)
{
	int64		count = ltfdw_writetree_count(set->tree);
	WriteKey  **nodes = ltfdw_writetree_keys(set->tree, false);
	text	  **items =
		MemoryContextAllocHuge(CurrentMemoryContext, (keys->count + count + 1) * sizeof(text *));
	LtfdwWrite	write;

	if (keys->count > 0)
		memcpy(items, keys->items, keys->count * sizeof(text *));
	keys->items = items;
	for (int64 i = 0; i < count; i++)
		if (ltfdw_writeset_seek(set, nodes[i]->key, interval, false, cid, &write))
			keys->items[keys->count++] = nodes[i]->key;
	pfree(nodes);
	ltfdw_keys_normalize(keys);
}

/* ---- all of a set, as it is to be sent ---- */

/* Whether all there was is to be erased, and as whom. */
bool
ltfdw_writeset_is_erased(const LtfdwWriteSet *set, int *writer)
{
	if (set->erased)
		*writer = ((const Erasure *) set->erased)->writer;
	return set->erased != NULL;
}

/* Whether a record of a key in an interval is to be stored. */
bool
ltfdw_writeset_stores(const LtfdwWriteSet *set, text *key, LtfdwInterval interval)
{
	LtfdwWrite	write;

	while (ltfdw_writeset_seek(set, key, interval, false, InvalidCommandId, &write))
	{
		if (!write.deleted)
			return true;
		interval.from_sec = write.ts_sec + 1;
	}
	return false;
}

/* Whether any record is to be stored. */
bool
ltfdw_writeset_stores_any(const LtfdwWriteSet *set)
{
	LtfdwInterval always = {PG_INT64_MIN, PG_INT64_MAX};
	int64		nkeys = ltfdw_writetree_count(set->tree);
	WriteKey  **nodes = ltfdw_writetree_keys(set->tree, false);
	bool		result = false;

	for (int64 i = 0; i < nkeys && !result; i++)
		result = ltfdw_writeset_stores(set, nodes[i]->key, always);
	pfree(nodes);
	return result;
}

/* What is to become of an entry; false if nothing. */
static bool
part_of(const WriteEntry *entry, const WriteStep *erasure, LtfdwPart *part)
{
	const WriteStep *step = entry->newest;

	if (step == NULL || is_before(step, erasure))
		return false;
	if (!step->deleted)
		*part = LTFDW_ADDED;
	else if (erasure)
		return false; /* what was put after the erasure, and deleted again */
	else
		*part = LTFDW_REMOVED;
	return true;
}

/* Whether there can be writes in a part, without looking at all of them. */
bool
ltfdw_writeset_may_have(const LtfdwWriteSet *set, LtfdwPart part)
{
	switch (part)
	{
		case LTFDW_ADDED:
			return true;
		case LTFDW_ERASED:
			return set->has_erasures;
		case LTFDW_REMOVED:
			return set->has_deletions;
	}
	return false;
}

/* The number of writes in a set. */
int64
ltfdw_writeset_count(const LtfdwWriteSet *set)
{
	int64		nkeys = ltfdw_writetree_count(set->tree);
	WriteKey  **nodes = ltfdw_writetree_keys(set->tree, false);
	int64		result = set->erased ? 1 : 0;

	for (int64 i = 0; i < nkeys; i++)
	{
		const WriteStep *erasure = visible_erasure(set, nodes[i], InvalidCommandId);
		LtfdwPart	part;

		if (nodes[i]->erased && set->erased == NULL)
			result++;
		for (WriteEntry *entry = nodes[i]->first[0]; entry; entry = entry->next[0])
			result += part_of(entry, erasure, &part);
	}
	pfree(nodes);
	return result;
}

/*
 * Call a function for each write in a part, ordered by the bytes of the key
 * and by ts.
 */
void
ltfdw_writeset_walk(const LtfdwWriteSet *set, LtfdwPart wanted,
					void (*visit) (text *key, const LtfdwWrite *write, void *arg), void *arg)
{
	int64		nkeys = ltfdw_writetree_count(set->tree);
	WriteKey  **nodes = ltfdw_writetree_keys(set->tree, true);

	for (int64 i = 0; i < nkeys; i++)
	{
		const WriteStep *erasure = visible_erasure(set, nodes[i], InvalidCommandId);

		for (WriteEntry *entry = nodes[i]->first[0]; entry; entry = entry->next[0])
		{
			LtfdwPart	part;
			LtfdwWrite	write;

			/* records of a key mostly lie far apart */
			__builtin_prefetch(entry->next[0]);
			if (!part_of(entry, erasure, &part) || part != wanted)
				continue;
			show_step(entry, entry->newest, &write);
			visit(nodes[i]->key, &write, arg);
		}
	}
	pfree(nodes);
}

/* The keys that are to be erased, by their bytes; in the current context. */
LtfdwErasedKey *
ltfdw_writeset_erased_keys(const LtfdwWriteSet *set, int *count)
{
	int64		nkeys = ltfdw_writetree_count(set->tree);
	WriteKey  **nodes = ltfdw_writetree_keys(set->tree, true);
	LtfdwErasedKey *result =
		MemoryContextAllocHuge(CurrentMemoryContext, (nkeys + 1) * sizeof(LtfdwErasedKey));

	*count = 0;
	for (int64 i = 0; i < nkeys; i++)
	{
		const Erasure *erasure = (const Erasure *) nodes[i]->erased;

		if (erasure == NULL)
			continue;
		result[*count].key = nodes[i]->key;
		result[*count].until_sec = erasure->until_sec;
		result[*count].writer = erasure->writer;
		result[(*count)++].count = erasure->count;
	}
	pfree(nodes);
	return result;
}

/* ---- subtransactions ---- */

/* How much there is to undo; what follows is undone by ltfdw_undo_to(). */
int64
ltfdw_undo_mark(void)
{
	return undo_count;
}

/* Bring back what was there at a mark. */
void
ltfdw_undo_to(int64 mark)
{
	while (undo_count > mark)
	{
		undo_count--;
		*undo_log[undo_count].place = undo_log[undo_count].newest;
	}
}

/* At the end of the transaction; the memory is the transaction's. */
void
ltfdw_undo_forget(void)
{
	undo_log = NULL;
	undo_count = undo_allocated = 0;
}
