/*-------------------------------------------------------------------------
 *
 * bypass.c
 *		Writes that did not wait for the commit (write_mode 'immediate'): how
 *		many there were, to say what stays when a transaction, or a
 *		subtransaction, is rolled back.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

#include "access/xact.h"
#include "utils/memutils.h"

typedef struct Bypass
{
	char	   *collection;
	LtfdwKind	kind;
	int			level;			/* of the subtransaction that wrote */
	int64		count;
} Bypass;

/* The current transaction's; the memory goes with it. */
static List *bypasses = NIL;
static Bypass *last = NULL;

static Bypass *
find_bypass(const char *collection, LtfdwKind kind, int level)
{
	ListCell   *cell;

	foreach(cell, bypasses)
	{
		Bypass	   *bypass = lfirst(cell);

		if (bypass->level == level && bypass->kind == kind &&
			strcmp(bypass->collection, collection) == 0)
			return bypass;
	}
	return NULL;
}

/* Writes to a table's collection were sent, or are about to be. */
void
ltfdw_bypassed(const LtfdwTable *table, int64 count)
{
	int			level = GetCurrentTransactionNestLevel();

	if (last == NULL || last->level != level || last->kind != table->kind ||
		strcmp(last->collection, table->collection) != 0)
		last = find_bypass(table->collection, table->kind, level);
	if (last == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

		last = palloc0(sizeof(Bypass));
		last->collection = pstrdup(table->collection);
		last->kind = table->kind;
		last->level = level;
		bypasses = lappend(bypasses, last);
		MemoryContextSwitchTo(old);
	}
	last->count += count;
}

/*
 * A level of subtransactions is being rolled back, or with level 1 all of the
 * transaction.  Only a warning can be raised at that time.
 */
void
ltfdw_bypass_warn(int level)
{
	ListCell   *cell;

	foreach(cell, bypasses)
	{
		Bypass	   *bypass = lfirst(cell);

		if (bypass->level < level)
			continue;
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 bypass->kind == LTFDW_PAIRS
				 ? errmsg("writes of key-value pairs to LTDB collection \"%s\" cannot be rolled back",
						  bypass->collection)
				 : errmsg("writes to LTDB collection \"%s\" cannot be rolled back",
						  bypass->collection),
				 errdetail_plural(INT64_FORMAT " write was sent with write_mode 'immediate'; it stays if LTDB has stored it.",
								  INT64_FORMAT " writes were sent with write_mode 'immediate'; what LTDB has stored of them stays.",
								  (unsigned long) bypass->count, bypass->count)));
		bypasses = foreach_delete_current(bypasses, cell);
	}
	last = NULL;
}

/* A subtransaction ends well: what it wrote is its parent's from now on. */
void
ltfdw_bypass_merge(int level)
{
	ListCell   *cell;

	foreach(cell, bypasses)
	{
		Bypass	   *bypass = lfirst(cell);
		Bypass	   *parents;

		if (bypass->level < level)
			continue;
		parents = find_bypass(bypass->collection, bypass->kind, level - 1);
		if (parents == NULL)
		{
			bypass->level = level - 1;
			continue;
		}
		parents->count += bypass->count;
		bypasses = foreach_delete_current(bypasses, cell);
	}
	last = NULL;
}

/* At the end of the transaction. */
void
ltfdw_bypass_forget(void)
{
	bypasses = NIL;
	last = NULL;
}
