/*-------------------------------------------------------------------------
 *
 * store.c
 *		The database: file, schema, statements, transaction, failure.
 *
 * What the statements mean is left to store_record.c, store_value.c and
 * store_scan.c; how names become ids to store_name.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "store_int.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATABASE_FILE "ltdb.sqlite"

/* In the file's header, to know our own: "LTDB". */
#define APPLICATION_ID 0x4c544442
#define SCHEMA_VERSION 3

/*
 * What is pending longest is written into blocks once it takes this much
 * memory: the more there is, the more of a key's records go at once.
 */
#define PENDING_MAX_BYTES (48 * 1024 * 1024)

/* Up to this size a database is checked at every start: about a second. */
#define CHECK_MAX_BYTES (256 * 1024 * 1024)

#define TEXT_OF(number) #number
#define SQL_NUMBER(number) TEXT_OF(number)

/*
 * The exclusive lock keeps a second ltdbd out and spares SQLite its shared
 * memory.  FULL is what makes a commit in WAL mode survive a power cut.  The
 * pages of the log are copied to their places once it has 128 MiB of them: by
 * then a page that is written all the time, as the journal's are, is in it
 * several times, and copied once.
 */
static const char settings_sql[] =
	"PRAGMA page_size = " SQL_NUMBER(BLOCK_PAGE_BYTES) ";"
	"PRAGMA locking_mode = EXCLUSIVE;"
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = FULL;"
	"PRAGMA cache_size = -65536;"
	"PRAGMA wal_autocheckpoint = 16384;";

/*
 * A key exists as long as it has a block, and no longer; a block, as long as it
 * has a record.  The journal has what is written and in no block.  A row of
 * keys has several, of which the first gives it its name.
 */
static const char schema_sql[] =
	"BEGIN;"
	"CREATE TABLE collection (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);"
	"CREATE TABLE key (collection_id INTEGER NOT NULL, first BLOB NOT NULL,"
	"  keys BLOB NOT NULL, PRIMARY KEY (collection_id, first)) WITHOUT ROWID;"
	"CREATE TABLE block (id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE journal (id INTEGER PRIMARY KEY, writes BLOB NOT NULL);"
	"CREATE TABLE value (collection_id INTEGER NOT NULL, key BLOB NOT NULL,"
	"  value BLOB NOT NULL, PRIMARY KEY (collection_id, key)) WITHOUT ROWID;"
	"PRAGMA application_id = " SQL_NUMBER(APPLICATION_ID) ";"
	"PRAGMA user_version = " SQL_NUMBER(SCHEMA_VERSION) ";"
	"COMMIT;";

/*
 * From ?2 to ?3, the id of a key's first possible block being ?1: the first
 * record wanted may lie in a block that begins before it.
 */
#define BLOCKS_THAT_REACH \
	"FROM block WHERE id BETWEEN" \
	" coalesce((SELECT max(id) FROM block WHERE id BETWEEN ?1 AND ?2), ?2) AND ?3"

static const char *const statement_sql[STMT_COUNT] = {
	[STMT_BEGIN] = "BEGIN IMMEDIATE",
	[STMT_COMMIT] = "COMMIT",
	[STMT_ROLLBACK] = "ROLLBACK",
	[STMT_FIND_COLLECTION] = "SELECT id FROM collection WHERE name = ?1",
	[STMT_ADD_COLLECTION] = "INSERT INTO collection (name) VALUES (?1)",
	[STMT_COLLECTION_IDS] = "SELECT id FROM collection",
	[STMT_KEYS_UP_TO] =
	"SELECT first, keys FROM key WHERE collection_id = ?1 AND first <= ?2"
	" ORDER BY first DESC LIMIT 1",
	[STMT_KEYS_BEHIND] =
	"SELECT first, keys FROM key WHERE collection_id = ?1 AND first > ?2 ORDER BY first LIMIT 1",
	[STMT_PUT_KEYS] = "REPLACE INTO key (collection_id, first, keys) VALUES (?1, ?2, ?3)",
	[STMT_DELETE_KEYS_ROW] = "DELETE FROM key WHERE collection_id = ?1 AND first = ?2",
	[STMT_LAST_BLOCK_ID] = "SELECT max(id) FROM block",
	[STMT_BLOCK_UP_TO] =
	"SELECT id, data FROM block WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1",
	[STMT_BLOCK_FROM] =
	"SELECT id, data FROM block WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1",
	[STMT_BLOCK_ID_FROM] =
	"SELECT id FROM block WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1",
	[STMT_PUT_BLOCK] = "REPLACE INTO block (id, data) VALUES (?1, ?2)",
	[STMT_ADD_BLOCKS] =
	"INSERT OR IGNORE INTO block (id, data) VALUES"
	" (?1, ?2), (?3, ?4), (?5, ?6), (?7, ?8), (?9, ?10), (?11, ?12), (?13, ?14), (?15, ?16)",
	[STMT_DELETE_BLOCKS] = "DELETE FROM block WHERE id BETWEEN ?1 AND ?2",
	[STMT_COLLECTION_HAS_KEY] = "SELECT 1 FROM key WHERE collection_id = ?1 LIMIT 1",
	[STMT_DELETE_KEYS_OF_COLLECTION] = "DELETE FROM key WHERE collection_id = ?1",
	[STMT_DELETE_VALUES_OF_COLLECTION] = "DELETE FROM value WHERE collection_id = ?1",
	[STMT_DELETE_COLLECTION] = "DELETE FROM collection WHERE id = ?1",
	[STMT_DELETE_VALUES_WITHOUT_KEYS] =
	"DELETE FROM value WHERE collection_id NOT IN (SELECT collection_id FROM key)",
	[STMT_DELETE_COLLECTIONS_WITHOUT_KEYS] =
	"DELETE FROM collection WHERE id NOT IN (SELECT collection_id FROM key)",
	[STMT_SET_VALUE] =
	"REPLACE INTO value (collection_id, key, value) VALUES (?1, ?2, ?3)",
	[STMT_DELETE_VALUE] = "DELETE FROM value WHERE collection_id = ?1 AND key = ?2",
	[STMT_SAVE_JOURNAL] = "INSERT INTO journal (writes) VALUES (?1)",
	[STMT_LOAD_JOURNAL] = "SELECT id, writes FROM journal ORDER BY id",
	[STMT_DROP_JOURNAL] = "DELETE FROM journal WHERE id <= ?1",
	[STMT_SCAN_BLOCKS] = "SELECT id, data " BLOCKS_THAT_REACH " ORDER BY id",
	[STMT_SCAN_BLOCKS_REVERSE] = "SELECT id, data " BLOCKS_THAT_REACH " ORDER BY id DESC",
	[STMT_SCAN_KEYS] =
	"SELECT first, keys FROM key WHERE collection_id = ?1 AND first >= coalesce("
	"(SELECT max(first) FROM key WHERE collection_id = ?1 AND first <= ?2), ?2) ORDER BY first",
	[STMT_SCAN_COLLECTIONS] =
	"SELECT NULL, NULL, name FROM collection WHERE name >= ?1 ORDER BY name",
	[STMT_SCAN_VALUES] =
	"SELECT NULL, value, key FROM value WHERE collection_id = ?1 AND key >= ?2 ORDER BY key",
	[STMT_SCAN_VALUE] =
	"SELECT NULL, value, key FROM value WHERE collection_id = ?1 AND key = ?2"
};

/* ---- failure ---- */

bool
store_fail(store *st)
{
	return store_fail_because(st, sqlite3_errmsg(st->db));
}

bool
store_fail_because(store *st, const char *message)
{
	if (!st->failed)
		snprintf(st->message, sizeof(st->message), "%s", message);
	st->failed = true;
	return false;
}

bool
store_failed(const store *st)
{
	return st->failed;
}

const char *
store_message(const store *st)
{
	return st->message;
}

/* ---- statements ---- */

bool
store_bind_text(store *st, statement which, int position, store_text text)
{
	if (sqlite3_bind_blob64(st->stmt[which], position, text.bytes, text.len_bytes,
							SQLITE_STATIC) != SQLITE_OK)
		return store_fail(st);
	return true;
}

store_text
store_column_text(sqlite3_stmt *stmt, int column)
{
	store_text	text = {"", 0};
	const void *bytes = sqlite3_column_blob(stmt, column);

	/* SQLite gives NULL for what is empty. */
	if (bytes != NULL)
	{
		text.bytes = bytes;
		text.len_bytes = sqlite3_column_bytes(stmt, column);
	}
	return text;
}

bool
store_block_is(store *st, block_outcome outcome)
{
	if (outcome == BLOCK_GOOD)
		return true;
	return store_fail_because(st, outcome == BLOCK_DAMAGED ?
							  "a block of records is damaged" : "out of memory");
}

bool
store_run(store *st, statement which)
{
	bool		done = sqlite3_step(st->stmt[which]) == SQLITE_DONE;

	if (!done)
		store_fail(st);
	sqlite3_reset(st->stmt[which]);
	return done;
}

bool
store_run_for_id(store *st, statement which, int64_t id)
{
	sqlite3_bind_int64(st->stmt[which], 1, id);
	return store_run(st, which);
}

bool
store_run_for_value(store *st, statement which, int64_t *value)
{
	sqlite3_stmt *stmt = st->stmt[which];
	int			rc = sqlite3_step(stmt);

	*value = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		store_fail(st);
	sqlite3_reset(stmt);
	return !st->failed;
}

/* ---- transaction ---- */

bool
store_in_transaction(const store *st)
{
	return st->in_transaction;
}

bool
store_ready(store *st)
{
	if (st->failed)
		return false;
	if (st->stale)
		st->stale = !store_journal_load(st);
	return !st->stale;
}

bool
store_begin(store *st)
{
	if (!store_ready(st))
		return false;
	if (!st->in_transaction)
		st->in_transaction = store_run(st, STMT_BEGIN);
	return st->in_transaction;
}

/* What is pending goes where it is safe. */
static bool
keep_pending(store *st)
{
	bool		good = st->flush_due ? store_flush(st) : store_flush_some(st, st->writes);

	st->flush_due = false;
	st->writes = 0;
	return good && store_journal_save(st);
}

/* What was needed for long names and data. */
static void
give_back_rooms(store *st)
{
	room_give_back(&st->copy);
	room_give_back(&st->packed);
	room_give_back(&st->key_copy);
	room_give_back(&st->key_merged);
	room_give_back(&st->key_packed);
}

bool
store_commit(store *st)
{
	if (st->failed)
		return false;
	if (st->in_transaction && (!keep_pending(st) || !store_run(st, STMT_COMMIT)))
		return false;
	st->in_transaction = false;
	give_back_rooms(st);
	return true;
}

void
store_rollback(store *st)
{
	/* After some errors, a full disk for one, SQLite has rolled back already. */
	if (!sqlite3_get_autocommit(st->db))
		store_run(st, STMT_ROLLBACK);
	store_names_forget(st->names);
	st->in_transaction = false;
	st->stale = true;
	st->failed = false;
}

/* ---- open and close ---- */

static bool
read_pragma(store *st, const char *sql, int64_t *value)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(st->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return store_fail(st);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*value = sqlite3_column_int64(stmt, 0);
	else
		store_fail(st);
	sqlite3_finalize(stmt);
	return !st->failed;
}

/* Makes a new database ours, and refuses one that is not. */
static bool
check_schema(store *st)
{
	int64_t		application_id;
	int64_t		version;
	int64_t		objects;
	char		message[128];

	if (!read_pragma(st, "PRAGMA application_id", &application_id) ||
		!read_pragma(st, "PRAGMA user_version", &version) ||
		!read_pragma(st, "SELECT count(*) FROM sqlite_master", &objects))
		return false;
	if (application_id == 0 && version == 0 && objects == 0)
		return sqlite3_exec(st->db, schema_sql, NULL, NULL, NULL) == SQLITE_OK ||
			store_fail(st);
	if (application_id != APPLICATION_ID)
		return store_fail_because(st, "it is a database of another program");
	if (version != SCHEMA_VERSION)
	{
		snprintf(message, sizeof(message),
				 "its schema version is %lld, this ltdbd knows version %d only",
				 (long long) version, SCHEMA_VERSION);
		return store_fail_because(st, message);
	}
	return true;
}

/*
 * Looks for damage, in the structure of all there is; a large database takes
 * too long for that to be done at every start.
 */
static bool
check_structure(store *st, bool whatever_size)
{
	sqlite3_stmt *stmt;
	int64_t		pages;
	int64_t		page_bytes;

	if (!read_pragma(st, "PRAGMA page_count", &pages) ||
		!read_pragma(st, "PRAGMA page_size", &page_bytes))
		return false;
	if (!whatever_size && pages * page_bytes > CHECK_MAX_BYTES)
		return true;
	if (sqlite3_prepare_v2(st->db, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK)
		return store_fail(st);
	if (sqlite3_step(stmt) != SQLITE_ROW)
		store_fail(st);
	else
	{
		store_text	verdict = store_column_text(stmt, 0);
		char		message[200];

		snprintf(message, sizeof(message), "it is damaged: %.*s",
				 (int) strcspn(verdict.bytes, "\n"), verdict.bytes);
		if (verdict.len_bytes != 2 || memcmp(verdict.bytes, "ok", 2) != 0)
			store_fail_because(st, message);
	}
	sqlite3_finalize(stmt);
	return !st->failed;
}

static bool
prepare_statements(store *st)
{
	for (int i = 0; i < STMT_COUNT; i++)
	{
		if (sqlite3_prepare_v3(st->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
							   &st->stmt[i], NULL) != SQLITE_OK)
			return store_fail(st);
	}
	return true;
}

/* There is no key without a block. */
static bool
read_last_key_id(store *st)
{
	int64_t		last_block_id;

	if (!store_run_for_value(st, STMT_LAST_BLOCK_ID, &last_block_id))
		return false;
	st->last_key_id = BLOCK_KEY(last_block_id);
	return true;
}

static bool
open_database(store *st, const char *path, bool check)
{
	int			rc = sqlite3_open_v2(path, &st->db,
									 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
									 SQLITE_OPEN_NOMUTEX, NULL);

	if (st->db == NULL)
		return store_fail_because(st, "out of memory");
	if (rc != SQLITE_OK)
	{
		char		message[200];

		snprintf(message, sizeof(message), "%s: %s", sqlite3_errmsg(st->db),
				 strerror(sqlite3_system_errno(st->db)));
		return store_fail_because(st, message);
	}
	if (sqlite3_db_readonly(st->db, "main") == 1)
		return store_fail_because(st, "it cannot be written");
	sqlite3_extended_result_codes(st->db, 1);

	/* Writing takes the exclusive lock, so a lock held shows here. */
	rc = sqlite3_exec(st->db, settings_sql, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(st->db, "BEGIN IMMEDIATE; COMMIT", NULL, NULL, NULL);
	if ((rc & 0xff) == SQLITE_BUSY)
		return store_fail_because(st, "another program, perhaps another ltdbd, has it open");
	if (rc != SQLITE_OK)
		return store_fail(st);
	return check_schema(st) && check_structure(st, check) && prepare_statements(st) &&
		read_last_key_id(st) && store_ready(st);
}

store *
store_open(const char *data_dir, bool check, char *reason, size_t reason_size)
{
	char		path[PATH_MAX] = ":memory:";
	store	   *st;

	if (data_dir != NULL)
	{
		if (mkdir(data_dir, 0700) != 0 && errno != EEXIST)
		{
			snprintf(reason, reason_size, "cannot create directory \"%s\": %s",
					 data_dir, strerror(errno));
			return NULL;
		}

		/* SQLite would try less than to write, and blame what it meets then */
		if ((size_t) snprintf(path, sizeof(path), "%s/.", data_dir) < sizeof(path) &&
			access(path, R_OK | W_OK | X_OK) != 0)
		{
			snprintf(reason, reason_size, "cannot use directory \"%s\": %s",
					 data_dir, strerror(errno));
			return NULL;
		}
		if ((size_t) snprintf(path, sizeof(path), "%s/" DATABASE_FILE, data_dir) >= sizeof(path))
		{
			snprintf(reason, reason_size, "the name of the data directory is too long");
			return NULL;
		}
	}

	st = calloc(1, sizeof(store));
	if (st == NULL || (st->names = store_names_new()) == NULL)
	{
		free(st);
		snprintf(reason, reason_size, "out of memory");
		return NULL;
	}
	st->pending_max_bytes = PENDING_MAX_BYTES;
	st->stale = true;
	if (!open_database(st, path, check))
	{
		snprintf(reason, reason_size, "cannot use the database \"%s\": %s", path, st->message);
		store_close(st);
		return NULL;
	}
	return st;
}

void
store_close(store *st)
{
	if (st == NULL)
		return;
	for (int i = 0; i < STMT_COUNT; i++)
		sqlite3_finalize(st->stmt[i]);
	sqlite3_close(st->db);
	store_names_free(st->names);
	pending_clear(&st->pending);
	block_list_free(&st->unpacked);
	block_list_free(&st->merged);
	room_free(&st->copy);
	room_free(&st->packed);
	room_free(&st->key_copy);
	room_free(&st->key_merged);
	room_free(&st->key_packed);
	free(st);
}
