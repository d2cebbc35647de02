/*-------------------------------------------------------------------------
 *
 * store_value.c
 *		Writes and deletes the key-value pairs of a collection.
 *
 * Reading them is left to store_scan.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "store_int.h"

/* Binds what names a pair; *found tells whether its collection exists. */
static bool
bind_pair(store *st, statement which, store_text collection, store_text key, bool add,
		  bool *found)
{
	int64_t		collection_id;

	if (!store_find_collection(st, collection, add, &collection_id))
		return false;
	*found = collection_id != 0;
	sqlite3_bind_int64(st->stmt[which], 1, collection_id);
	return store_bind_text(st, which, 2, key);
}

bool
store_set_value(store *st, store_text collection, store_text key, store_text value)
{
	bool		found;

	return store_begin(st) &&
		bind_pair(st, STMT_SET_VALUE, collection, key, true, &found) &&
		store_bind_text(st, STMT_SET_VALUE, 3, value) &&
		store_run(st, STMT_SET_VALUE);
}

bool
store_delete_value(store *st, store_text collection, store_text key)
{
	bool		found;

	return store_begin(st) &&
		bind_pair(st, STMT_DELETE_VALUE, collection, key, false, &found) &&
		(!found || store_run(st, STMT_DELETE_VALUE));
}
