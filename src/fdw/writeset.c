/*-------------------------------------------------------------------------
 *
 * writeset.c
 *		What this transaction has yet to send: the write set.
 *
 * LTDB has no transactions.  With write_mode 'commit' a transaction's writes
 * are kept here, a set for each user mapping and collection, and sent when it
 * commits; ROLLBACK drops them, and so does ROLLBACK TO SAVEPOINT with those
 * since the savepoint.  Until then the transaction's own reads merge them with
 * what the server has (reader.c).
 *
 * A set is a hash of keys, and below each key a skip list of its records by
 * ts.  A record has versions, newest first: one for each command that wrote
 * it, since a command must not see what it writes itself, and a cursor sees
 * what was written before it was opened.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

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
static bool same_key(const text *a, const text *b);

#define SH_PREFIX keyhash
#define SH_ELEMENT_TYPE KeyNode
#define SH_KEY_TYPE text *
#define SH_KEY key
#define SH_HASH_KEY(tb, key) hash_key(key)
#define SH_EQUAL(tb, a, b) same_key(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) a->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct LtfdwWriteSet
{
	Oid			userid;
	Oid			serverid;
	Oid			umid;
	char	   *collection;
	int			batch_size;
	MemoryContext cxt;
	keyhash_hash *keys;
};

/* An entry's newest version before a write within a subtransaction. */
typedef struct Undo
{
	Entry	   *entry;
	Version    *newest;
} Undo;

/* All of this is the current transaction's; the memory goes with it. */
static List *sets = NIL;
static Undo *undo_log = NULL;
static int64 undo_count = 0;
static int64 undo_allocated = 0;
static int64 *marks = NULL;		/* length of the log when a level began */
static int	marks_allocated = 0;
static int64 writes = 0;
static uint32 height_seed = 1;

/* Records sent with write_mode 'immediate', and the first collection of them. */
static int64 sent_at_once = 0;
static char *sent_to = NULL;

/* setting ltdb_fdw.write_set_memory, in kB */
static int	write_set_memory_kb;

static uint32
hash_key(const text *key)
{
	return hash_bytes((const unsigned char *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
}

static bool
same_key(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

/* ---- the sets of a transaction ---- */

static void at_transaction_event(XactEvent event, void *arg);
static void at_subtransaction_event(SubXactEvent event, SubTransactionId mine,
									SubTransactionId parent, void *arg);

/* Called once when the library is loaded. */
void
ltfdw_writeset_init(void)
{
	DefineCustomIntVariable("ltdb_fdw.write_set_memory",
							"Memory that the writes of a transaction may take until they are sent.",
							"A transaction that needs more fails; write_mode 'immediate' needs none.",
							&write_set_memory_kb,
							2 * 1024 * 1024, 64, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	RegisterXactCallback(at_transaction_event, NULL);
	RegisterSubXactCallback(at_subtransaction_event, NULL);
}

static void
forget_all(void)
{
	/* the memory itself belongs to the transaction */
	sets = NIL;
	undo_log = NULL;
	undo_count = undo_allocated = 0;
	marks = NULL;
	marks_allocated = 0;
	writes = 0;
	sent_at_once = 0;
	sent_to = NULL;
}

/* A write did not wait for the commit: it will not be rolled back either. */
void
ltfdw_writeset_bypassed(const char *collection)
{
	if (sent_at_once++ == 0)
		sent_to = MemoryContextStrdup(TopTransactionContext, collection);
}

/* Only a warning can be raised while a transaction is aborted. */
static void
warn_about_bypass(void)
{
	if (sent_at_once > 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("writes to LTDB collection \"%s\" cannot be rolled back", sent_to),
				 errdetail_plural("The transaction sent " INT64_FORMAT " write with write_mode 'immediate'; it stays.",
								  "The transaction sent " INT64_FORMAT " writes with write_mode 'immediate'; they stay.",
								  (unsigned long) sent_at_once, sent_at_once)));
}

/* The set of a collection, or NULL if nothing of it was written. */
LtfdwWriteSet *
ltfdw_writeset_find(Oid userid, const LtfdwTable *table)
{
	ListCell   *cell;
	Oid			umid;

	if (sets == NIL)
		return NULL;
	umid = GetUserMapping(userid, table->serverid)->umid;
	foreach(cell, sets)
	{
		LtfdwWriteSet *set = lfirst(cell);

		if (set->umid == umid && strcmp(set->collection, table->collection) == 0)
			return set;
	}
	return NULL;
}

/*
 * A set that is nobody's but the caller's: a statement's own, which it sends
 * when it ends.  Lives as long as the context.
 */
LtfdwWriteSet *
ltfdw_writeset_new(Oid userid, const LtfdwTable *table, MemoryContext parent)
{
	MemoryContext cxt = ltfdw_generation_context(parent, "ltdb_fdw write set");
	MemoryContext old = MemoryContextSwitchTo(cxt);
	LtfdwWriteSet *set = palloc0(sizeof(LtfdwWriteSet));

	set->userid = userid;
	set->serverid = table->serverid;
	set->umid = GetUserMapping(userid, table->serverid)->umid;
	set->collection = pstrdup(table->collection);
	set->batch_size = table->batch_size;
	set->cxt = cxt;
	set->keys = keyhash_create(parent, 64, NULL);
	MemoryContextSwitchTo(old);
	return set;
}

/* The transaction's set of a collection, made if need be. */
LtfdwWriteSet *
ltfdw_writeset_get(Oid userid, const LtfdwTable *table)
{
	LtfdwWriteSet *set = ltfdw_writeset_find(userid, table);
	MemoryContext old;

	if (set)
		return set;
	set = ltfdw_writeset_new(userid, table, TopTransactionContext);
	old = MemoryContextSwitchTo(TopTransactionContext);
	sets = lappend(sets, set);
	MemoryContextSwitchTo(old);
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
		MemoryContextMemAllocated(set->cxt, true) / 1024 <= (Size) write_set_memory_kb)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("the transaction's writes to LTDB collection \"%s\" exceed ltdb_fdw.write_set_memory (%d kB)",
					set->collection, write_set_memory_kb),
			 errhint("Raise the setting, commit more often, or use the option write_mode 'immediate' for such a load.")));
}

/* Remember what a subtransaction would bring back if it were rolled back. */
static void
log_undo(Entry *entry)
{
	if (GetCurrentTransactionNestLevel() == 1)
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
	log_undo(entry);
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

/* ---- sending ---- */

typedef struct Progress
{
	const char *collection;
	int64		sent;
	int64		total;
} Progress;

static void
progress_callback(void *arg)
{
	const Progress *progress = arg;

	errcontext("sending the transaction's writes to LTDB collection \"%s\": up to " INT64_FORMAT " of " INT64_FORMAT " may have been stored",
			   progress->collection, progress->sent, progress->total);
}

static int
compare_nodes(const void *a, const void *b)
{
	const text *x = (*(KeyNode *const *) a)->key;
	const text *y = (*(KeyNode *const *) b)->key;
	int			xlen = VARSIZE_ANY_EXHDR(x);
	int			ylen = VARSIZE_ANY_EXHDR(y);
	int			order = memcmp(VARDATA_ANY(x), VARDATA_ANY(y), Min(xlen, ylen));

	return order ? order : (xlen > ylen) - (xlen < ylen);
}

/* The keys in byte order, so that a collection is written as it is read. */
static KeyNode **
sorted_nodes(LtfdwWriteSet *set, int64 *writes_in_all)
{
	KeyNode   **nodes = MemoryContextAllocHuge(CurrentMemoryContext,
											   (set->keys->members + 1) * sizeof(KeyNode *));
	keyhash_iterator iterator;
	KeyNode    *node;
	int64		count = 0;

	*writes_in_all = 0;
	keyhash_start_iterate(set->keys, &iterator);
	while ((node = keyhash_iterate(set->keys, &iterator)) != NULL)
	{
		nodes[count++] = node;
		for (Entry *entry = node->first[0]; entry; entry = entry->next[0])
			*writes_in_all += entry->newest != NULL;
	}
	if (count > 1)
		qsort(nodes, count, sizeof(KeyNode *), compare_nodes);
	return nodes;
}

static void
send_entry(LtfdwSender *sender, ltdb_text key, const Entry *entry)
{
	ltdb_record record = {key, entry->ts_sec, {NULL, 0}};

	if (entry->newest->deleted)
	{
		ltfdw_sender_delete(sender, &record);
		return;
	}
	record.data.bytes = entry->newest->data;
	record.data.len_bytes = entry->newest->len_bytes;
	ltfdw_sender_insert(sender, &record);
}

/* Send a set, and wait until all of it is acknowledged. */
void
ltfdw_writeset_send(LtfdwWriteSet *set)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw sending",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	Progress	progress = {set->collection, 0, 0};
	KeyNode   **nodes = sorted_nodes(set, &progress.total);
	LtfdwSender *sender;
	ErrorContextCallback callback;

	if (progress.total > 0)
	{
		callback.callback = progress_callback;
		callback.arg = &progress;
		callback.previous = error_context_stack;
		error_context_stack = &callback;
		sender = ltfdw_sender_new(ltfdw_connection_get(set->userid, set->serverid),
								  set->collection, set->batch_size, false);
		for (int64 i = 0; i < set->keys->members; i++)
		{
			ltdb_text	key = ltfdw_datum_to_ltdb(nodes[i]->key);

			for (Entry *entry = nodes[i]->first[0]; entry; entry = entry->next[0])
			{
				if (entry->newest == NULL)
					continue;
				progress.sent++;
				send_entry(sender, key, entry);
			}
		}
		ltfdw_sender_finish(sender);
		error_context_stack = callback.previous;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}

/* ---- the transaction ---- */

/*
 * PostgreSQL stops its clock for statement_timeout before a commit, which is
 * over in no time as a rule.  A commit that waits for a server is not.
 */
static void
send_all(void)
{
	bool		timed = StatementTimeout > 0 && !get_timeout_active(STATEMENT_TIMEOUT);
	ListCell   *cell;

	if (timed)
		enable_timeout_at(STATEMENT_TIMEOUT,
						  TimestampTzPlusMilliseconds(GetCurrentStatementStartTimestamp(),
													  StatementTimeout));
	foreach(cell, sets)
		ltfdw_writeset_send(lfirst(cell));
	if (timed)
		disable_timeout(STATEMENT_TIMEOUT, false);
}

static void
at_transaction_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (sets != NIL)
				send_all();
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (sets != NIL)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that has written to LTDB foreign tables")));
			break;
		case XACT_EVENT_ABORT:
			warn_about_bypass();
			forget_all();
			break;
		default:
			forget_all();
			break;
	}
}

/* Bring back what was there when a subtransaction began. */
static void
unwind_to(int64 mark)
{
	while (undo_count > mark)
	{
		undo_count--;
		undo_log[undo_count].entry->newest = undo_log[undo_count].newest;
	}
}

static void
at_subtransaction_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
						void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB && level < marks_allocated)
		unwind_to(marks[level]);
	if (event != SUBXACT_EVENT_START_SUB)
		return;
	if (level >= marks_allocated)
	{
		int			allocated = Max(2 * level, 16);
		int64	   *grown = MemoryContextAllocZero(TopTransactionContext,
												   allocated * sizeof(int64));

		if (marks_allocated > 0)
			memcpy(grown, marks, marks_allocated * sizeof(int64));
		marks = grown;
		marks_allocated = allocated;
	}
	marks[level] = undo_count;
}
