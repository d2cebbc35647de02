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
	journal    *jnl = &st->pending.jnl;
	store_text	part;

	while (journal_unsaved(jnl, &part))
	{
		if (!store_bind_text(st, STMT_SAVE_JOURNAL, 1, part) || !store_run(st, STMT_SAVE_JOURNAL))
			return false;
		journal_saved(jnl, sqlite3_last_insert_rowid(st->db));
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
		   pending_load(&st->pending, store_column_text(stmt, 1), sqlite3_column_int64(stmt, 0),
						&damaged))
		;
	if (rc == SQLITE_ROW)
		store_fail_because(st, damaged ? "the journal is damaged" : "out of memory");
	else if (rc != SQLITE_DONE)
		store_fail(st);
	sqlite3_reset(stmt);
	return !st->failed;
}

bool
store_journal_drop(store *st, int64_t last_row_id)
{
	return last_row_id == 0 || store_run_for_id(st, STMT_DROP_JOURNAL, last_row_id);
}
