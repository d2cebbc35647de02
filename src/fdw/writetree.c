/*-------------------------------------------------------------------------
 *
 * writetree.c
 *		Where a write set keeps its records: a hash of keys, and below each key
 *		a skip list of its records by ts; and the memory that takes.
 *
 * What a record is, and who sees it, is writeset.c's business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "writetree.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

/* Nothing of a tree is freed before all of it is, so it is cut from blocks. */
#define FIRST_BLOCK_BYTES ((Size) 8 * 1024)
#define LAST_BLOCK_BYTES ((Size) 1024 * 1024)

typedef struct KeySlot
{
	text	   *key;
	WriteKey   *node;
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

struct WriteTree
{
	const char *collection; /* for messages */
	MemoryContext account;	/* whose memory is bounded */
	MemoryContext cxt;
	char	   *block; /* what is left of the newest one */
	Size		block_left;
	Size		block_bytes;
	keyhash_hash *keys;
	WriteKey   *last; /* that was written to */
};

static uint32 height_seed = 1;

/* setting ltdb_fdw.write_set_memory, in kB */
int ltfdw_write_set_memory_kb;

static uint32
hash_key(const text *key)
{
	return hash_bytes((const unsigned char *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
}

/* Lives as long as the context, whose memory is what the setting bounds. */
WriteTree *
ltfdw_writetree_new(const char *collection, MemoryContext account)
{
	MemoryContext cxt = AllocSetContextCreate(account, "ltdb_fdw write set", ALLOCSET_SMALL_SIZES);
	WriteTree  *tree = MemoryContextAllocZero(cxt, sizeof(WriteTree));

	tree->collection = MemoryContextStrdup(cxt, collection);
	tree->account = account;
	tree->cxt = cxt;
	tree->keys = keyhash_create(cxt, 64, NULL);
	return tree;
}

/* ---- memory ---- */

static void
check_memory(const WriteTree *tree)
{
	if (MemoryContextMemAllocated(tree->account, true) / 1024 <= (Size) ltfdw_write_set_memory_kb)
		return;
	ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					errmsg("the transaction's writes to LTDB collection \"%s\" exceed "
						   "ltdb_fdw.write_set_memory (%d kB)",
						   tree->collection, ltfdw_write_set_memory_kb),
					errhint("Raise the setting, commit more often, or use the option write_mode "
							"'immediate' for such a load.")));
}

static void
add_block(WriteTree *tree, Size size)
{
	tree->block_bytes = Min(Max(tree->block_bytes * 2, FIRST_BLOCK_BYTES), LAST_BLOCK_BYTES);
	while (tree->block_bytes < size)
		tree->block_bytes *= 2;
	tree->block = MemoryContextAlloc(tree->cxt, tree->block_bytes);
	tree->block_left = tree->block_bytes;
	check_memory(tree);
}

/* Memory that lives as long as the tree. */
void *
ltfdw_writetree_cut(WriteTree *tree, Size size)
{
	char	   *result;

	size = MAXALIGN(size);
	if (size > LAST_BLOCK_BYTES / 8)
	{
		result = MemoryContextAllocHuge(tree->cxt, size);
		check_memory(tree);
		return result;
	}
	if (size > tree->block_left)
		add_block(tree, size);
	result = tree->block;
	tree->block += size;
	tree->block_left -= size;
	return result;
}

/* ---- keys ---- */

/* NULL if nothing of it was written. */
WriteKey *
ltfdw_writetree_find_key(const WriteTree *tree, text *key)
{
	KeySlot	   *slot = keyhash_lookup(tree->keys, key);

	return slot ? slot->node : NULL;
}

/* The key, made if need be.  Writes tend to come key by key. */
WriteKey *
ltfdw_writetree_add_key(WriteTree *tree, text *key)
{
	WriteKey   *node = tree->last;
	int			len_bytes = VARSIZE_ANY_EXHDR(key);
	bool		found;

	if (node && ltfdw_key_compare(node->key, key) == 0)
		return node;
	node = ltfdw_writetree_find_key(tree, key);
	if (node == NULL)
	{
		text	   *copy = ltfdw_writetree_cut(tree, len_bytes + VARHDRSZ);

		SET_VARSIZE(copy, len_bytes + VARHDRSZ);
		memcpy(VARDATA(copy), VARDATA_ANY(key), len_bytes);
		node = ltfdw_writetree_cut(tree, sizeof(WriteKey));
		memset(node, 0, sizeof(WriteKey));
		node->key = copy;
		for (int level = 0; level < WRITE_LEVELS; level++)
			node->ends[level] = &node->first[level];
		keyhash_insert(tree->keys, copy, &found)->node = node;
	}
	tree->last = node;
	return node;
}

/* The number of keys. */
int64
ltfdw_writetree_count(const WriteTree *tree)
{
	return tree->keys->members;
}

static int
compare_keys(const void *a, const void *b)
{
	return ltfdw_key_compare((*(WriteKey *const *) a)->key, (*(WriteKey *const *) b)->key);
}

/* All keys, by their bytes or in any order; in the current context. */
WriteKey **
ltfdw_writetree_keys(const WriteTree *tree, bool sorted)
{
	WriteKey  **result = MemoryContextAllocHuge(CurrentMemoryContext,
											   (tree->keys->members + 1) * sizeof(WriteKey *));
	keyhash_iterator iterator;
	KeySlot	   *slot;
	int64		count = 0;

	keyhash_start_iterate(tree->keys, &iterator);
	while ((slot = keyhash_iterate(tree->keys, &iterator)) != NULL)
		result[count++] = slot->node;
	if (sorted && count > 1)
		qsort(result, count, sizeof(WriteKey *), compare_keys);
	return result;
}

/* ---- records of a key ---- */

/* A level holds a quarter of the entries of the one below. */
static int
random_height(void)
{
	int			height = 1;

	height_seed ^= height_seed << 13;
	height_seed ^= height_seed >> 17;
	height_seed ^= height_seed << 5;
	for (uint32 bits = height_seed; height < WRITE_LEVELS && (bits & 3) == 0; bits >>= 2)
		height++;
	return height;
}

/*
 * The last entry before ts on each level, as places that point to what comes
 * next; returns the first entry that is not before ts.
 */
static WriteEntry *
search(WriteKey *node, int64 ts_sec, WriteEntry ***places)
{
	WriteEntry **next = node->first;
	WriteEntry *before = NULL;

	for (int level = WRITE_LEVELS - 1; level >= 0; level--)
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

/* The first entry that is not before ts. */
WriteEntry *
ltfdw_writetree_from(WriteKey *node, int64 ts_sec)
{
	return search(node, ts_sec, NULL);
}

/* The last entry that is not after ts. */
WriteEntry *
ltfdw_writetree_until(WriteKey *node, int64 ts_sec)
{
	WriteEntry *before = NULL;

	for (int level = WRITE_LEVELS - 1; level >= 0; level--)
	{
		WriteEntry **next = before ? before->next : node->first;

		while (next[level] && next[level]->ts_sec <= ts_sec)
		{
			before = next[level];
			next = before->next;
		}
	}
	return before;
}

/*
 * Where an entry for ts is to be put, on each level; or the entry, if it is
 * there.  Records tend to come in order, and then nothing has to be searched.
 */
static WriteEntry *
find_places(WriteKey *node, int64 ts_sec, WriteEntry ***places)
{
	WriteEntry *entry;

	if (node->last == NULL || ts_sec > node->last->ts_sec)
	{
		memcpy(places, node->ends, sizeof(node->ends));
		return NULL;
	}
	entry = search(node, ts_sec, places);
	return entry && entry->ts_sec == ts_sec ? entry : NULL;
}

/* The entry for a record, made if need be. */
WriteEntry *
ltfdw_writetree_add_entry(WriteTree *tree, text *key, int64 ts_sec)
{
	WriteKey   *node = ltfdw_writetree_add_key(tree, key);
	WriteEntry **places[WRITE_LEVELS];
	WriteEntry *entry = find_places(node, ts_sec, places);
	int			height;

	if (entry)
		return entry;
	height = random_height();
	entry = ltfdw_writetree_cut(tree, offsetof(WriteEntry, next) + height * sizeof(WriteEntry *));
	entry->ts_sec = ts_sec;
	entry->newest = NULL;
	entry->taken_by = InvalidCommandId;
	for (int level = 0; level < height; level++)
	{
		entry->next[level] = *places[level];
		*places[level] = entry;
		if (entry->next[level] == NULL)
			node->ends[level] = &entry->next[level];
	}
	if (node->last == NULL || ts_sec > node->last->ts_sec)
		node->last = entry;
	return entry;
}
