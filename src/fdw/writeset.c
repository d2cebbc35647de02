/*-------------------------------------------------------------------------
 *
 * writeset.c
 *		A write set: writes to a collection that have yet to be sent, in an
 *		order in which they can be found, read, taken back, and sent.
 *
 * A set is a hash of keys, and below each key a skip list of its records by
 * ts.  A record has steps, newest first: one for each command that wrote it,
 * since a command must not see what it writes itself, and a cursor sees what
 * was written before it was opened.  A key, and the collection, have steps
 * too, each of which erases all there was before it, on the server and here.
 *
 * Which sets a transaction has is commit.c's business, sending them
 * deliver.c's; reader.c merges them with what the server has.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/memutils.h"

#define MAX_HEIGHT 12

/* Nothing of a set is freed before all of it is, so it is cut from blocks. */
#define FIRST_BLOCK_BYTES ((Size) 8 * 1024)
#define LAST_BLOCK_BYTES ((Size) 1024 * 1024)

/* What a command did: to a record if data follows, or to more of them. */
typedef struct Step
{
	struct Step *older;
	CommandId	cid;
	uint32		len_bytes;		/* of the data that follows, or DELETED */
} Step;

#define DELETED PG_UINT32_MAX

/* The step that erases what there was of a key or a collection. */
typedef struct Erasure
{
	Step		step;
	int64		until_sec;		/* what is newer on the server was added since */
	int64		count;			/* records there, as far as known */
} Erasure;

typedef struct Entry
{
	int64		ts_sec;
	Step	   *newest;			/* NULL = rolled back */
	CommandId	taken_by;		/* the last command to update or delete it as it was */
	struct Entry *next[FLEXIBLE_ARRAY_MEMBER];	/* by level of the skip list */
} Entry;

typedef struct KeyNode
{
	text	   *key;			/* in the database's encoding */
	Step	   *erased;			/* NULL = never, or rolled back */
	Entry	   *first[MAX_HEIGHT];
} KeyNode;

typedef struct KeySlot
{
	text	   *key;
	KeyNode    *node;
	uint32		hash;
	char		status;
} KeySlot;

static uint32 hash_key(const text *key);

#define SH_PREFIX keyhash
#define SH_ELEMENT_TYPE KeySlot
#define SH_KEY_TYPE text *
#define SH_KEY key
#define SH_HASH_KEY(tb, key) hash_key(key)
#define SH_EQUAL(tb, a, b) (ltfdw_key_compare(a, b) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) a->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct LtfdwWriteSet
{
	const char *collection;		/* for messages */
	bool		can_undo;		/* subtransactions may take writes back */
	MemoryContext account;		/* whose memory is bounded */
	MemoryContext cxt;
	char	   *block;			/* what is left of the newest one */
	Size		block_left;
	Size		block_bytes;
	keyhash_hash *keys;
	KeyNode    *last_node;		/* that was written to */
	Step	   *erased;			/* the whole collection */
};

/* The newest step at a place before a write within a subtransaction. */
typedef struct Undo
{
	Step	  **place;
	Step	   *newest;
} Undo;

/* The log of the current transaction; the memory goes with it. */
static Undo *undo_log = NULL;
static int64 undo_count = 0;
static int64 undo_allocated = 0;
static uint32 height_seed = 1;

/* setting ltdb_fdw.write_set_memory, in kB */
int			ltfdw_write_set_memory_kb;

static uint32
hash_key(const text *key)
{
	return hash_bytes((const unsigned char *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
}

/* ---- memory ---- */

static void
check_memory(const LtfdwWriteSet *set)
{
	if (MemoryContextMemAllocated(set->account, true) / 1024 <= (Size) ltfdw_write_set_memory_kb)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("the transaction's writes to LTDB collection \"%s\" exceed ltdb_fdw.write_set_memory (%d kB)",
					set->collection, ltfdw_write_set_memory_kb),
			 errhint("Raise the setting, commit more often, or use the option write_mode 'immediate' for such a load.")));
}

static void *
cut(LtfdwWriteSet *set, Size size)
{
	char	   *result;

	size = MAXALIGN(size);
	if (size > set->block_left)
	{
		if (size > LAST_BLOCK_BYTES / 8)
		{
			result = MemoryContextAllocHuge(set->cxt, size);
			check_memory(set);
			return result;
		}
		set->block_bytes = Min(Max(set->block_bytes * 2, FIRST_BLOCK_BYTES), LAST_BLOCK_BYTES);
		while (set->block_bytes < size)
			set->block_bytes *= 2;
		set->block = MemoryContextAlloc(set->cxt, set->block_bytes);
		set->block_left = set->block_bytes;
		check_memory(set);
	}
	result = set->block;
	set->block += size;
	set->block_left -= size;
	return result;
}

/*
 * Lives as long as the context, whose memory is what the setting bounds.  Only
 * what lives as long as the transaction can be taken back.
 */
LtfdwWriteSet *
ltfdw_writeset_new(const char *collection, MemoryContext account, bool can_undo)
{
	MemoryContext cxt = AllocSetContextCreate(account, "ltdb_fdw write set",
											  ALLOCSET_SMALL_SIZES);
	LtfdwWriteSet *set = MemoryContextAllocZero(cxt, sizeof(LtfdwWriteSet));

	set->collection = MemoryContextStrdup(cxt, collection);
	set->can_undo = can_undo;
	set->account = account;
	set->cxt = cxt;
	set->keys = keyhash_create(cxt, 64, NULL);
	return set;
}

/* ---- skip lists ---- */

/* A level holds a quarter of the entries of the one below. */
static int
random_height(void)
{
	int			height = 1;

	height_seed ^= height_seed << 13;
	height_seed ^= height_seed >> 17;
	height_seed ^= height_seed << 5;
	for (uint32 bits = height_seed; height < MAX_HEIGHT && (bits & 3) == 0; bits >>= 2)
		height++;
	return height;
}

/*
 * The last entry before ts on each level, as places that point to what comes
 * next; returns the first entry that is not before ts.
 */
static Entry *
search(KeyNode *node, int64 ts_sec, Entry ***places)
{
	Entry	  **next = node->first;
	Entry	   *before = NULL;

	for (int level = MAX_HEIGHT - 1; level >= 0; level--)
	{
		next = before ? before->next : node->first;
		while (next[level] && next[level]->ts_sec < ts_sec)
		{
			before = next[level];
			next = before->next;
		}
		if (places)
			places[level] = &next[level];
	}
	return next[0];
}

/* The last entry that is not after ts. */
static Entry *
search_backwards(KeyNode *node, int64 ts_sec)
{
	Entry	   *before = NULL;

	for (int level = MAX_HEIGHT - 1; level >= 0; level--)
	{
		Entry	  **next = before ? before->next : node->first;

		while (next[level] && next[level]->ts_sec <= ts_sec)
		{
			before = next[level];
			next = before->next;
		}
	}
	return before;
}

static KeyNode *
find_node(const LtfdwWriteSet *set, text *key)
{
	KeySlot    *slot = keyhash_lookup(set->keys, key);

	return slot ? slot->node : NULL;
}

/* Writes tend to come key by key. */
static KeyNode *
find_or_add_node(LtfdwWriteSet *set, text *key)
{
	KeyNode    *node = set->last_node;
	int			len_bytes = VARSIZE_ANY_EXHDR(key);
	bool		found;

	if (node && ltfdw_key_compare(node->key, key) == 0)
		return node;
	node = find_node(set, key);
	if (node == NULL)
	{
		text	   *copy = cut(set, len_bytes + VARHDRSZ);

		SET_VARSIZE(copy, len_bytes + VARHDRSZ);
		memcpy(VARDATA(copy), VARDATA_ANY(key), len_bytes);
		node = cut(set, sizeof(KeyNode));
		memset(node, 0, sizeof(KeyNode));
		node->key = copy;
		keyhash_insert(set->keys, copy, &found)->node = node;
	}
	set->last_node = node;
	return node;
}

static Entry *
find_or_add_entry(LtfdwWriteSet *set, text *key, int64 ts_sec)
{
	Entry	  **places[MAX_HEIGHT];
	Entry	   *entry = search(find_or_add_node(set, key), ts_sec, places);
	int			height;

	if (entry && entry->ts_sec == ts_sec)
		return entry;
	height = random_height();
	entry = cut(set, offsetof(Entry, next) + height * sizeof(Entry *));
	entry->ts_sec = ts_sec;
	entry->newest = NULL;
	entry->taken_by = InvalidCommandId;
	for (int level = 0; level < height; level++)
	{
		entry->next[level] = *places[level];
		*places[level] = entry;
	}
	return entry;
}

/* ---- writing ---- */

/* Remember what a subtransaction would bring back if it were rolled back. */
static void
log_undo(const LtfdwWriteSet *set, Step **place)
{
	if (!set->can_undo || GetCurrentTransactionNestLevel() == 1)
		return;
	if (undo_count == undo_allocated)
	{
		undo_allocated = undo_allocated ? undo_allocated * 2 : 1024;
		undo_log = undo_log
			? repalloc_huge(undo_log, undo_allocated * sizeof(Undo))
			: MemoryContextAllocHuge(set->account, undo_allocated * sizeof(Undo));
	}
	undo_log[undo_count].place = place;
	undo_log[undo_count++].newest = *place;
}

/* What a command wrote itself it never sees, so only its last step counts. */
static void
add_step(LtfdwWriteSet *set, Step **place, Step *step, CommandId cid)
{
	Step	   *newest = *place;

	step->older = newest && newest->cid == cid ? newest->older : newest;
	step->cid = cid;
	log_undo(set, place);
	*place = step;
}

/* Store a record when the set is sent. */
void
ltfdw_writeset_put(LtfdwWriteSet *set, text *key, int64 ts_sec, ltdb_text data, CommandId cid)
{
	Entry	   *entry = find_or_add_entry(set, key, ts_sec);
	Step	   *step = cut(set, sizeof(Step) + data.len_bytes);

	step->len_bytes = data.len_bytes;
	if (data.len_bytes > 0)
		memcpy(step + 1, data.bytes, data.len_bytes);
	add_step(set, &entry->newest, step, cid);
}

/*
 * Claim a record that a command is about to update or delete, as it was before
 * the command; false if the command has done so already: a join may find a row
 * twice, and as in a local table the first time counts.
 */
bool
ltfdw_writeset_take(LtfdwWriteSet *set, text *key, int64 ts_sec, CommandId cid)
{
	Entry	   *entry = find_or_add_entry(set, key, ts_sec);

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
ltfdw_writeset_delete(LtfdwWriteSet *set, text *key, int64 ts_sec, CommandId cid)
{
	Entry	   *entry = find_or_add_entry(set, key, ts_sec);
	Step	   *step;

	if (entry->newest && entry->newest->cid == cid)
		return;
	step = cut(set, sizeof(Step));
	step->len_bytes = DELETED;
	add_step(set, &entry->newest, step, cid);
}

/*
 * An erasure inherits what the one before it knew of the server, which was
 * hidden from it.
 */
static void
add_erasure(LtfdwWriteSet *set, Step **place, int64 until_sec, int64 count, CommandId cid)
{
	Erasure    *erasure = cut(set, sizeof(Erasure));
	const Erasure *before = (const Erasure *) *place;

	erasure->step.len_bytes = DELETED;
	erasure->until_sec = before ? Max(until_sec, before->until_sec) : until_sec;
	erasure->count = before ? Max(count, before->count) : count;
	add_step(set, place, &erasure->step, cid);
}

/*
 * Erase all records of a key.  A command that read them found count of them,
 * none newer than until_sec; what is in the set is known as well, even if it
 * deletes what is on the server.
 */
void
ltfdw_writeset_erase_key(LtfdwWriteSet *set, text *key, int64 until_sec, int64 count,
						 CommandId cid)
{
	KeyNode    *node = find_or_add_node(set, key);
	Entry	   *last = search_backwards(node, PG_INT64_MAX);

	if (last)
		until_sec = Max(until_sec, last->ts_sec);
	add_erasure(set, &node->erased, until_sec, count, cid);
}

/* Erase everything. */
void
ltfdw_writeset_erase_all(LtfdwWriteSet *set, CommandId cid)
{
	add_erasure(set, &set->erased, PG_INT64_MAX, 0, cid);
}

/* ---- reading ---- */

/* What a command sees of steps: what earlier commands did. */
static const Step *
visible_step(const Step *step, CommandId cid)
{
	while (step && step->cid >= cid)
		step = step->older;
	return step;
}

/* The last erasure of a key that a command sees; the node may be NULL. */
static const Step *
visible_erasure(const LtfdwWriteSet *set, const KeyNode *node, CommandId cid)
{
	const Step *of_all = visible_step(set->erased, cid);
	const Step *of_key = node ? visible_step(node->erased, cid) : NULL;

	if (of_all == NULL || (of_key && of_key->cid > of_all->cid))
		return of_key;
	return of_all;
}

/*
 * Whether a step is one that was erased.  Rows that a command stores outlive
 * what the same command erases: it erases what was there before it.
 */
static bool
is_before(const Step *step, const Step *erasure)
{
	return erasure && step->cid < erasure->cid;
}

/* Whether a command sees nothing of what the server has of a key. */
bool
ltfdw_writeset_hides_key(const LtfdwWriteSet *set, text *key, CommandId cid)
{
	return visible_erasure(set, find_node(set, key), cid) != NULL;
}

/* ... of the whole collection. */
bool
ltfdw_writeset_hides_all(const LtfdwWriteSet *set, CommandId cid)
{
	return visible_step(set->erased, cid) != NULL;
}

static void
show_step(const Entry *entry, const Step *step, LtfdwWrite *write)
{
	write->ts_sec = entry->ts_sec;
	write->deleted = step->len_bytes == DELETED;
	write->data.bytes = (const char *) (step + 1);
	write->data.len_bytes = write->deleted ? 0 : step->len_bytes;
}

/*
 * The first record of a key from from_sec to to_sec, or the last if reverse,
 * as a command sees it, deletions included; false if there is none.
 */
bool
ltfdw_writeset_seek(const LtfdwWriteSet *set, text *key, LtfdwInterval interval, bool reverse,
					CommandId cid, LtfdwWrite *write)
{
	KeyNode    *node = find_node(set, key);
	const Step *erasure = visible_erasure(set, node, cid);
	Entry	   *entry;

	if (node == NULL)
		return false;
	entry = reverse ? search_backwards(node, interval.to_sec)
		: search(node, interval.from_sec, NULL);
	while (entry && entry->ts_sec >= interval.from_sec && entry->ts_sec <= interval.to_sec)
	{
		const Step *step = visible_step(entry->newest, cid);

		if (step && !is_before(step, erasure))
		{
			show_step(entry, step, write);
			return true;
		}
		entry = reverse ? search_backwards(node, entry->ts_sec - 1) : entry->next[0];
	}
	return false;
}

/* Add the keys that a command has written records of in an interval. */
void
ltfdw_writeset_add_keys(const LtfdwWriteSet *set, LtfdwInterval interval, CommandId cid,
						LtfdwKeys *keys)
{
	text	  **items = MemoryContextAllocHuge(CurrentMemoryContext,
											   (keys->count + set->keys->members + 1) * sizeof(text *));
	keyhash_iterator iterator;
	KeySlot    *slot;
	LtfdwWrite	write;

	if (keys->count > 0)
		memcpy(items, keys->items, keys->count * sizeof(text *));
	keys->items = items;
	keyhash_start_iterate(set->keys, &iterator);
	while ((slot = keyhash_iterate(set->keys, &iterator)) != NULL)
		if (ltfdw_writeset_seek(set, slot->key, interval, false, cid, &write))
			keys->items[keys->count++] = slot->key;
	ltfdw_keys_normalize(keys);
}

/* ---- all of a set, as it is to be sent ---- */

/* Whether all there was is to be erased. */
bool
ltfdw_writeset_is_erased(const LtfdwWriteSet *set)
{
	return set->erased != NULL;
}

/* What is to become of an entry; false if nothing. */
static bool
part_of(const Entry *entry, const Step *erasure, LtfdwPart *part)
{
	const Step *step = entry->newest;

	if (step == NULL || is_before(step, erasure))
		return false;
	if (step->len_bytes != DELETED)
		*part = erasure ? LTFDW_REPLACING : LTFDW_ADDED;
	else if (erasure)
		return false;			/* what was put after the erasure, and deleted again */
	else
		*part = LTFDW_REMOVED;
	return true;
}

/* The number of writes in each part of a set. */
LtfdwParts
ltfdw_writeset_count(const LtfdwWriteSet *set)
{
	LtfdwParts	result = {{0}};
	keyhash_iterator iterator;
	KeySlot    *slot;

	keyhash_start_iterate(set->keys, &iterator);
	while ((slot = keyhash_iterate(set->keys, &iterator)) != NULL)
	{
		const Step *erasure = visible_erasure(set, slot->node, InvalidCommandId);
		LtfdwPart	part;

		if (erasure && erasure == slot->node->erased)
			result.count[LTFDW_ERASED]++;
		for (Entry *entry = slot->node->first[0]; entry; entry = entry->next[0])
			if (part_of(entry, erasure, &part))
				result.count[part]++;
	}
	if (set->erased)
		result.count[LTFDW_ERASED] = 1;
	for (int part = 0; part < LTFDW_NPARTS; part++)
		result.total += result.count[part];
	return result;
}

static int
compare_nodes(const void *a, const void *b)
{
	return ltfdw_key_compare((*(KeyNode *const *) a)->key, (*(KeyNode *const *) b)->key);
}

/* All keys by their bytes, in the current context. */
static KeyNode **
sorted_nodes(const LtfdwWriteSet *set)
{
	KeyNode   **nodes = MemoryContextAllocHuge(CurrentMemoryContext,
											   (set->keys->members + 1) * sizeof(KeyNode *));
	keyhash_iterator iterator;
	KeySlot    *slot;
	int64		count = 0;

	keyhash_start_iterate(set->keys, &iterator);
	while ((slot = keyhash_iterate(set->keys, &iterator)) != NULL)
		nodes[count++] = slot->node;
	if (count > 1)
		qsort(nodes, count, sizeof(KeyNode *), compare_nodes);
	return nodes;
}

/*
 * Call a function for each write in a part, ordered by the bytes of the key
 * and by ts.
 */
void
ltfdw_writeset_walk(const LtfdwWriteSet *set, LtfdwPart wanted,
					void (*visit) (text *key, const LtfdwWrite *write, void *arg), void *arg)
{
	KeyNode   **nodes = sorted_nodes(set);

	for (int64 i = 0; i < set->keys->members; i++)
	{
		const Step *erasure = visible_erasure(set, nodes[i], InvalidCommandId);

		for (Entry *entry = nodes[i]->first[0]; entry; entry = entry->next[0])
		{
			LtfdwPart	part;
			LtfdwWrite	write;

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
	KeyNode   **nodes = sorted_nodes(set);
	LtfdwErasedKey *result = MemoryContextAllocHuge(CurrentMemoryContext,
													(set->keys->members + 1) * sizeof(LtfdwErasedKey));

	*count = 0;
	for (int64 i = 0; i < set->keys->members; i++)
	{
		const Erasure *erasure = (const Erasure *) nodes[i]->erased;

		if (erasure == NULL)
			continue;
		result[*count].key = nodes[i]->key;
		result[*count].until_sec = erasure->until_sec;
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
