/*-------------------------------------------------------------------------
 *
 * writeset.c
 *		A write set: writes to a collection that have yet to be sent, in an
 *		order in which they can be found, read, taken back, and sent.
 *
 * A set is a hash of keys, and below each key a skip list of its records by
 * ts.  A record has versions, newest first: one for each command that wrote
 * it, since a command must not see what it writes itself, and a cursor sees
 * what was written before it was opened.
 *
 * Which sets a transaction has, and when they are sent, is commit.c's
 * business; reader.c merges them with what the server has.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/memutils.h"

#define MAX_HEIGHT 16

/* How often the memory of the sets is looked at. */
#define WRITES_PER_CHECK 1024

typedef struct Version
{
	struct Version *older;
	CommandId	cid;			/* the command that wrote it */
	bool		deleted;
	uint32		len_bytes;
	char		data[FLEXIBLE_ARRAY_MEMBER];	/* UTF-8 */
} Version;

typedef struct Entry
{
	int64		ts_sec;
	Version    *newest;			/* NULL = rolled back */
	CommandId	taken_by;		/* the last command to update or delete it as it was */
	struct Entry *next[FLEXIBLE_ARRAY_MEMBER];	/* by level of the skip list */
} Entry;

typedef struct KeyNode
{
	text	   *key;			/* in the database's encoding */
	uint32		hash;
	char		status;
	Entry	   *first[MAX_HEIGHT];
} KeyNode;

static uint32 hash_key(const text *key);

#define SH_PREFIX keyhash
#define SH_ELEMENT_TYPE KeyNode
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
	MemoryContext cxt;
	keyhash_hash *keys;
};

/* An entry's newest version before a write within a subtransaction. */
typedef struct Undo
{
	Entry	   *entry;
	Version    *newest;
} Undo;

/* The log of the current transaction; the memory goes with it. */
static Undo *undo_log = NULL;
static int64 undo_count = 0;
static int64 undo_allocated = 0;
static int64 writes = 0;
static uint32 height_seed = 1;

/* setting ltdb_fdw.write_set_memory, in kB */
int			ltfdw_write_set_memory_kb;

static uint32
hash_key(const text *key)
{
	return hash_bytes((const unsigned char *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
}

/*
 * Lives as long as the context.  Only what lives as long as the transaction
 * can be taken back.
 */
LtfdwWriteSet *
ltfdw_writeset_new(const char *collection, MemoryContext parent, bool can_undo)
{
	MemoryContext cxt = ltfdw_generation_context(parent, "ltdb_fdw write set");
	LtfdwWriteSet *set = MemoryContextAllocZero(cxt, sizeof(LtfdwWriteSet));

	set->collection = MemoryContextStrdup(cxt, collection);
	set->can_undo = can_undo;
	set->cxt = cxt;
	set->keys = keyhash_create(parent, 64, NULL);
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

static Entry *
find_or_add_entry(LtfdwWriteSet *set, text *key, int64 ts_sec)
{
	Entry	  **places[MAX_HEIGHT];
	KeyNode    *node = keyhash_lookup(set->keys, key);
	Entry	   *entry;
	int			height;

	if (node == NULL)
	{
		bool		found;
		text	   *copy = MemoryContextAlloc(set->cxt, VARSIZE_ANY_EXHDR(key) + VARHDRSZ);

		SET_VARSIZE(copy, VARSIZE_ANY_EXHDR(key) + VARHDRSZ);
		memcpy(VARDATA(copy), VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
		node = keyhash_insert(set->keys, copy, &found);
		memset(node->first, 0, sizeof(node->first));
	}
	entry = search(node, ts_sec, places);
	if (entry && entry->ts_sec == ts_sec)
		return entry;
	height = random_height();
	entry = MemoryContextAlloc(set->cxt, offsetof(Entry, next) + height * sizeof(Entry *));
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

static void
check_memory(LtfdwWriteSet *set)
{
	if (++writes % WRITES_PER_CHECK != 0 ||
		MemoryContextMemAllocated(set->cxt, true) / 1024 <= (Size) ltfdw_write_set_memory_kb)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("the transaction's writes to LTDB collection \"%s\" exceed ltdb_fdw.write_set_memory (%d kB)",
					set->collection, ltfdw_write_set_memory_kb),
			 errhint("Raise the setting, commit more often, or use the option write_mode 'immediate' for such a load.")));
}

/* Remember what a subtransaction would bring back if it were rolled back. */
static void
log_undo(const LtfdwWriteSet *set, Entry *entry)
{
	if (!set->can_undo || GetCurrentTransactionNestLevel() == 1)
		return;
	if (undo_count == undo_allocated)
	{
		undo_allocated = undo_allocated ? undo_allocated * 2 : 1024;
		undo_log = undo_log
			? repalloc_huge(undo_log, undo_allocated * sizeof(Undo))
			: MemoryContextAllocHuge(TopTransactionContext, undo_allocated * sizeof(Undo));
	}
	undo_log[undo_count].entry = entry;
	undo_log[undo_count++].newest = entry->newest;
}

static void
add_version(LtfdwWriteSet *set, Entry *entry, CommandId cid, bool deleted, ltdb_text data)
{
	Version    *version = MemoryContextAllocHuge(set->cxt,
												 offsetof(Version, data) + data.len_bytes);

	/* what a command wrote itself it never sees, so only its last write counts */
	version->older = entry->newest && entry->newest->cid == cid
		? entry->newest->older : entry->newest;
	version->cid = cid;
	version->deleted = deleted;
	version->len_bytes = data.len_bytes;
	if (data.len_bytes > 0)
		memcpy(version->data, data.bytes, data.len_bytes);
	log_undo(set, entry);
	entry->newest = version;
	check_memory(set);
}

/* Store a record when the transaction commits. */
void
ltfdw_writeset_put(LtfdwWriteSet *set, text *key, int64 ts_sec, ltdb_text data, CommandId cid)
{
	add_version(set, find_or_add_entry(set, key, ts_sec), cid, false, data);
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

/* Delete what is there, whoever wrote it. */
void
ltfdw_writeset_remove(LtfdwWriteSet *set, text *key, int64 ts_sec, CommandId cid)
{
	ltdb_text	nothing = {NULL, 0};

	add_version(set, find_or_add_entry(set, key, ts_sec), cid, true, nothing);
}

/*
 * Delete a record, unless the command itself has put another in its place:
 * UPDATE ... SET ts = ts + 1 moves one record to where the next was.
 */
void
ltfdw_writeset_delete(LtfdwWriteSet *set, text *key, int64 ts_sec, CommandId cid)
{
	Entry	   *entry = find_or_add_entry(set, key, ts_sec);
	ltdb_text	nothing = {NULL, 0};

	if (entry->newest == NULL || entry->newest->cid != cid)
		add_version(set, entry, cid, true, nothing);
}

/* ---- reading ---- */

/* What a command sees of an entry: what earlier commands wrote. */
static Version *
visible_version(const Entry *entry, CommandId cid)
{
	Version    *version = entry->newest;

	while (version && version->cid >= cid)
		version = version->older;
	return version;
}

/*
 * The first record of a key from from_sec to to_sec, or the last if reverse,
 * as a command sees it, deletions included; false if there is none.
 */
bool
ltfdw_writeset_seek(LtfdwWriteSet *set, text *key, LtfdwInterval interval, bool reverse,
					CommandId cid, LtfdwWrite *write)
{
	KeyNode    *node = keyhash_lookup(set->keys, key);
	Entry	   *entry;

	if (node == NULL)
		return false;
	entry = reverse ? search_backwards(node, interval.to_sec)
		: search(node, interval.from_sec, NULL);
	while (entry && entry->ts_sec >= interval.from_sec && entry->ts_sec <= interval.to_sec)
	{
		Version    *version = visible_version(entry, cid);

		if (version)
		{
			write->ts_sec = entry->ts_sec;
			write->deleted = version->deleted;
			write->data.bytes = version->data;
			write->data.len_bytes = version->len_bytes;
			return true;
		}
		entry = reverse ? search_backwards(node, entry->ts_sec - 1) : entry->next[0];
	}
	return false;
}

/* Add the keys that a command has written records of in an interval. */
void
ltfdw_writeset_add_keys(LtfdwWriteSet *set, LtfdwInterval interval, CommandId cid,
						LtfdwKeys *keys)
{
	text	  **items = MemoryContextAllocHuge(CurrentMemoryContext,
											   (keys->count + set->keys->members + 1) * sizeof(text *));
	keyhash_iterator iterator;
	KeyNode    *node;
	LtfdwWrite	write;

	if (keys->count > 0)
		memcpy(items, keys->items, keys->count * sizeof(text *));
	keys->items = items;
	keyhash_start_iterate(set->keys, &iterator);
	while ((node = keyhash_iterate(set->keys, &iterator)) != NULL)
		if (ltfdw_writeset_seek(set, node->key, interval, false, cid, &write))
			keys->items[keys->count++] = node->key;
	ltfdw_keys_normalize(keys);
}

/* ---- all of a set ---- */

static int
compare_nodes(const void *a, const void *b)
{
	return ltfdw_key_compare((*(KeyNode *const *) a)->key, (*(KeyNode *const *) b)->key);
}

/* The number of writes in a set. */
int64
ltfdw_writeset_count(LtfdwWriteSet *set)
{
	keyhash_iterator iterator;
	KeyNode    *node;
	int64		count = 0;

	keyhash_start_iterate(set->keys, &iterator);
	while ((node = keyhash_iterate(set->keys, &iterator)) != NULL)
		for (Entry *entry = node->first[0]; entry; entry = entry->next[0])
			count += entry->newest != NULL;
	return count;
}

/* Call a function for each write, ordered by the bytes of the key and by ts. */
void
ltfdw_writeset_walk(LtfdwWriteSet *set,
					void (*visit) (text *key, const LtfdwWrite *write, void *arg), void *arg)
{
	KeyNode   **nodes = MemoryContextAllocHuge(CurrentMemoryContext,
											   (set->keys->members + 1) * sizeof(KeyNode *));
	keyhash_iterator iterator;
	KeyNode    *node;
	int64		count = 0;

	keyhash_start_iterate(set->keys, &iterator);
	while ((node = keyhash_iterate(set->keys, &iterator)) != NULL)
		nodes[count++] = node;
	if (count > 1)
		qsort(nodes, count, sizeof(KeyNode *), compare_nodes);
	for (int64 i = 0; i < count; i++)
		for (Entry *entry = nodes[i]->first[0]; entry; entry = entry->next[0])
		{
			Version    *version = entry->newest;
			LtfdwWrite	write;

			if (version == NULL)
				continue;
			write.ts_sec = entry->ts_sec;
			write.deleted = version->deleted;
			write.data.bytes = version->data;
			write.data.len_bytes = version->len_bytes;
			visit(nodes[i]->key, &write, arg);
		}
	pfree(nodes);
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
		undo_log[undo_count].entry->newest = undo_log[undo_count].newest;
	}
}

/* At the end of the transaction; the memory is the transaction's. */
void
ltfdw_undo_forget(void)
{
	undo_log = NULL;
	undo_count = undo_allocated = 0;
}
