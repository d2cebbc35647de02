/*-------------------------------------------------------------------------
 *
 * store_tables.h
 *		Whether what a store has in its tables fits together.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef STORE_TABLES_H
#define STORE_TABLES_H

#include <stdio.h>

#include "server/name.h"
#include "server/store_int.h"

/* The longest name of a key. */
#define STORE_TABLES_NAME_BYTES 4096

/* Notes the keys of a row, and its last name; NULL, or what is wrong with it. */
static const char *
store_tables_row(sqlite3_stmt *insert, int64_t collection_id, store_text first, store_text keys,
				 store_text *last_name)
{
	key_reader	reader = key_block_read(first, keys);
	int			count = 0;

	for (; key_block_next(&reader); count++)
	{
		sqlite3_bind_int64(insert, 1, collection_id);
		sqlite3_bind_int64(insert, 2, reader.key.id);
		if (sqlite3_step(insert) != SQLITE_DONE)
			return "keys cannot be noted";
		sqlite3_reset(insert);
	}
	*last_name = reader.key.name;
	if (reader.damaged)
		return "a row of keys is damaged";
	if (count > 1 && first.len_bytes + keys.len_bytes > KEY_BLOCK_MAX_BYTES)
		return "a row of keys is too long";
	return NULL;
}

/* Lists all keys in a table of its own; NULL, or what is wrong with their rows. */
static const char *
store_tables_list(sqlite3 *db)
{
	static char memory[STORE_TABLES_NAME_BYTES];
	store_text	name_before = {memory, 0};
	int64_t		collection_before = 0;
	const char *wrong = NULL;
	sqlite3_stmt *rows = NULL;
	sqlite3_stmt *insert = NULL;

	if (sqlite3_exec(db, "CREATE TEMP TABLE IF NOT EXISTS listed (collection_id, id);"
					 "DELETE FROM listed", NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(db, "SELECT first, keys, collection_id FROM key ORDER BY 3, 1", -1,
						   &rows, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(db, "INSERT INTO listed VALUES (?1, ?2)", -1,
						   &insert, NULL) != SQLITE_OK)
		wrong = "keys cannot be listed";
	while (wrong == NULL && sqlite3_step(rows) == SQLITE_ROW)
	{
		store_text	first = store_column_text(rows, 0);
		int64_t		collection_id = sqlite3_column_int64(rows, 2);
		store_text	last_name;

		if (collection_id == collection_before && name_compare(name_before, first) >= 0)
			wrong = "rows of keys are not in order";
		else
			wrong = store_tables_row(insert, collection_id, first, store_column_text(rows, 1),
									 &last_name);
		if (wrong == NULL)
		{
			collection_before = collection_id;
			name_before.len_bytes = last_name.len_bytes;
			memcpy(memory, last_name.bytes, last_name.len_bytes);
		}
	}
	sqlite3_finalize(rows);
	sqlite3_finalize(insert);
	return wrong;
}

/* NULL, or what is wrong: a key without blocks, a block without a key, and the like. */
static const char *
store_tables_wrong(store *st)
{
	static const char *const sums[] = {
		"SELECT count(*) FROM listed WHERE id NOT IN (SELECT id >> 32 FROM block)",
		"SELECT count(*) FROM block WHERE id >> 32 NOT IN (SELECT id FROM listed)",
		"SELECT count(*) - count(DISTINCT id) FROM listed",
		"SELECT count(*) FROM key WHERE collection_id NOT IN (SELECT id FROM collection)",
		"SELECT count(*) FROM value WHERE collection_id NOT IN (SELECT id FROM collection)"
	};
	const char *wrong = store_tables_list(st->db);

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]) && wrong == NULL; i++)
	{
		sqlite3_stmt *stmt;

		if (sqlite3_prepare_v2(st->db, sums[i], -1, &stmt, NULL) != SQLITE_OK ||
			sqlite3_step(stmt) != SQLITE_ROW || sqlite3_column_int64(stmt, 0) != 0)
			wrong = sums[i];
		sqlite3_finalize(stmt);
	}
	return wrong;
}

#endif							/* STORE_TABLES_H */
