/*-------------------------------------------------------------------------
 *
 * store_journal.c
 *		Keeps what is pending in a table, from where it comes back.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "store_int.h"

bool
store_journal_save(store *st)
{
	store_text	part;

	while (journal_save(&st->pending.jnl, &part))
	{
		if (!store_bind_text(st, STMT_SAVE_JOURNAL, 1, part) || !store_run(st, STMT_SAVE_JOURNAL))
			return false;
	}
	return true;
}

bool
store_journal_load(store *st)
{
	sqlite3_stmt *stmt = st->stmt[STMT_LOAD_JOURNAL];
	bool		damaged = false;
	int			rc;

	pending_clear(&st->pending);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW &&
		   pending_load(&st->pending, store_column_text(stmt, 0), &damaged))
		;
	if (rc == SQLITE_ROW)
		store_fail_because(st, damaged ? "the journal is damaged" : "out of memory");
	else if (rc != SQLITE_DONE)
		store_fail(st);
	sqlite3_reset(stmt);
	return !st->failed;
}

bool
store_journal_clear(store *st)
{
	pending_clear(&st->pending);
	st->flush_due = false;
	return store_run(st, STMT_CLEAR_JOURNAL);
}
