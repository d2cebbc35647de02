/*-------------------------------------------------------------------------
 *
 * unit_store.c
 *		The store by itself: order, positions, transactions, files.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/store.h"
#include "tap.h"

static char dir[] = "/tmp/unit_store.XXXXXX";
static char database[64];

static store_text
text(const char *bytes)
{
	return (store_text) {bytes, strlen(bytes)};
}

static store *
open_store(void)
{
	char		reason[512];
	store	   *st = store_open(dir, false, reason, sizeof(reason));

	if (st == NULL)
		printf("# %s\n", reason);
	return st;
}

/* Why a store does not open; "" if it does. */
static const char *
open_failure(void)
{
	static char reason[512];
	store	   *st = store_open(dir, false, reason, sizeof(reason));

	if (st != NULL)
		reason[0] = '\0';
	store_close(st);
	return reason;
}

static bool
put(store *st, const char *collection, const char *key, int32_t ts_sec, const char *data)
{
	return store_insert(st, text(collection), text(key), ts_sec, text(data));
}

/* What a started scan yields, as "name:ts=data ..."; "-" for a key not found. */
static const char *
drain(store *st, bool started, bool names, bool records)
{
	static char result[4096];
	size_t		len = 0;
	store_item	item;

	result[0] = '\0';
	while (started && store_scan_next(st, &item))
	{
		if (len > 0)
			result[len++] = ' ';
		if (names)
			len += snprintf(result + len, sizeof(result) - len, "%.*s:",
							(int) item.name.len_bytes, item.name.bytes);
		if (!item.found)
			len += snprintf(result + len, sizeof(result) - len, "-");
		else if (records)
			len += snprintf(result + len, sizeof(result) - len, "%lld=%.*s",
							(long long) item.ts_sec, (int) item.data.len_bytes, item.data.bytes);
	}
	store_scan_end(st);
	return store_failed(st) ? store_message(st) : result;
}

static const char *
records_of(store *st, const char *collection, const char *key, int64_t from_sec,
		   int64_t to_sec, bool reverse)
{
	return drain(st, store_scan_records(st, text(collection), text(key), from_sec, to_sec,
										reverse), false, true);
}

static const char *
collections(store *st)
{
	return drain(st, store_scan_collections(st, text("")), true, false);
}

/* ---- the tests ---- */

static void
test_records(store *st)
{
	tap_ok(!store_in_transaction(st), "no transaction at first");
	put(st, "c", "b", 1, "other key");
	put(st, "c", "a", INT32_MAX, "last");
	put(st, "c", "a", INT32_MIN, "first");
	put(st, "c", "a", 0, "zero");
	put(st, "c", "c", INT32_MIN, "other key");
	tap_ok(store_in_transaction(st), "the first write opens one");
	tap_is_str(records_of(st, "c", "a", INT64_MIN, INT64_MAX, false),
			   "-2147483648=first 0=zero 2147483647=last", "a key's records, and no others");
	tap_is_str(records_of(st, "c", "a", INT64_MIN, INT64_MAX, true),
			   "2147483647=last 0=zero -2147483648=first", "in reverse");
	tap_is_str(records_of(st, "c", "a", 0, 0, false), "0=zero", "one ts");
	tap_is_str(records_of(st, "c", "a", 1, 0, false), "", "contradicting bounds");
	tap_is_str(records_of(st, "c", "a", (int64_t) INT32_MAX + 1, INT64_MAX, false), "",
			   "bounds above every ts");
	put(st, "c", "a", 0, "");
	tap_is_str(records_of(st, "c", "a", 0, 0, false), "0=", "replaced by nothing");
	tap_is_str(records_of(st, "c", "no", 0, 0, false), "", "an unknown key");
	tap_ok(store_commit(st) && !store_in_transaction(st), "commit");
}

static void
test_latest(store *st)
{
	put(st, "l", "a", 5, "x");
	put(st, "l", "a", 9, "y");
	put(st, "l", "b", 3, "z");
	store_insert(st, text("l"), (store_text) {"a\0b", 3}, 7, text("nul"));
	tap_is_str(drain(st, store_scan_latest(st, text("l"), text(""), INT32_MIN, INT32_MAX), false,
					 true), "9=y 7=nul 3=z", "the newest of each key, in the order of names");
	tap_is_str(drain(st, store_scan_latest(st, text("l"), text(""), 4, 8), true, true),
			   "a:5=x a:7=nul b:-", "within bounds");
	tap_is_str(drain(st, store_scan_latest(st, text("l"), (store_text) {"a", 2}, INT32_MIN,
										   INT32_MAX), false, true),
			   "7=nul 3=z", "resumed behind a name");
	tap_is_str(drain(st, store_scan_latest(st, text("l"), text(""), 8, 4), true, true),
			   "a:- a:- b:-", "contradicting bounds");
	tap_is_str(drain(st, store_scan_latest(st, text("no"), text(""), 0, 9), true, true), "",
			   "an unknown collection");
	store_delete_collection(st, text("l"));
	tap_is_str(collections(st), "c:", "a deleted collection is gone");
	store_commit(st);
}

static void
test_deletes(store *st)
{
	store_item	pair;

	put(st, "d", "a", 1, "");
	put(st, "d", "a", 2, "");
	put(st, "d", "b", 1, "");
	store_set_value(st, text("d"), text("k"), text("v"));
	store_delete_record(st, text("d"), text("a"), 1);
	store_delete_record(st, text("d"), text("a"), INT64_MAX);
	store_delete_record(st, text("d"), text("no"), 1);
	tap_is_str(records_of(st, "d", "a", 0, 9, false), "2=", "delete of a record");
	store_delete_record(st, text("d"), text("a"), 2);
	tap_is_str(drain(st, store_scan_latest(st, text("d"), text(""), 0, 9), false, true), "- 1= -",
			   "a key goes with its last record");
	put(st, "d", "a", 3, "again");
	tap_is_str(records_of(st, "d", "a", 0, 9, false), "3=again", "and comes back with the next");

	store_delete_key(st, text("d"), text("a"));
	tap_is_str(collections(st), "c: d:", "a collection stays with its other key");
	store_delete_key(st, text("d"), text("b"));
	tap_is_str(collections(st), "c:", "and goes with its last");
	store_scan_value(st, text("d"), text("k"));
	tap_ok(!store_scan_next(st, &pair), "its pairs go, too");
	store_scan_end(st);
	put(st, "d", "a", 4, "new");
	tap_is_str(records_of(st, "d", "a", 0, 9, false), "4=new", "the same names again");
	store_delete_collection(st, text("d"));
	store_commit(st);
}

/* Ids that were remembered must not outlive the rollback that takes them back. */
static void
test_rollback(store *st)
{
	put(st, "r", "a", 1, "undone");
	tap_is_str(records_of(st, "r", "a", 0, 9, false), "1=undone", "a transaction reads its own");
	store_rollback(st);
	tap_is_str(records_of(st, "r", "a", 0, 9, false), "", "rolled back");
	put(st, "s", "b", 1, "kept");
	put(st, "r", "a", 2, "kept");
	store_commit(st);
	tap_is_str(records_of(st, "s", "b", 0, 9, false), "1=kept", "ids given out again are right");
	tap_is_str(records_of(st, "r", "a", 0, 9, false), "2=kept", "and so are the others");
	store_delete_collection(st, text("r"));
	store_delete_collection(st, text("s"));
	store_commit(st);
}

/* Many more names than are remembered, some of them long. */
static void
test_many_names(store *st)
{
	char		key[600];
	bool		good = true;

	for (int i = 0; i < 3000; i++)
	{
		snprintf(key, sizeof(key), "%0*d", i % 500 + 5, i);
		good = good && put(st, "many", key, i, key);
	}
	for (int i = 0; i < 3000 && good; i++)
	{
		char		expected[700];

		snprintf(key, sizeof(key), "%0*d", i % 500 + 5, i);
		snprintf(expected, sizeof(expected), "%d=%s", i, key);
		good = strcmp(records_of(st, "many", key, 0, INT32_MAX, false), expected) == 0;
	}
	tap_ok(good, "3000 keys, each with its own record");
	store_delete_collection(st, text("many"));
	store_commit(st);
}

static void
limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static void
test_full_disk(store *st)
{
	static char big[1000000];
	bool		good = true;

	memset(big, 'x', sizeof(big) - 1);
	signal(SIGXFSZ, SIG_IGN);
	limit_file_size(2000000);
	for (int i = 0; i < 100 && good; i++)
		good = put(st, "big", "k", i, big);
	good = good && store_commit(st);
	limit_file_size(RLIM_INFINITY);
	tap_ok(!good && store_failed(st) && store_message(st)[0] != '\0',
		   "no room: failed with \"%s\"", store_message(st));
	tap_ok(!put(st, "c", "a", 0, "") && !store_commit(st), "nothing goes on after a failure");
	store_rollback(st);
	tap_is_str(collections(st), "c:", "nothing of it is left");
	tap_ok(put(st, "c", "a", 7, "seven") && store_commit(st), "with room it works again");
}

static void
run_sql(const char *sql)
{
	sqlite3    *db;

	if (sqlite3_open(database, &db) != SQLITE_OK ||
		sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		printf("# %s: %s\n", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void
test_files(void)
{
	store	   *st = open_store();

	tap_is_str(records_of(st, "c", "a", 5, 9, false), "7=seven", "there after closing and opening");
	tap_ok(strstr(open_failure(), "perhaps another ltdbd") != NULL, "not to be opened twice");
	put(st, "c", "a", 8, "lost");
	store_close(st);
	st = open_store();
	tap_is_str(records_of(st, "c", "a", 5, 9, false), "7=seven", "not committed: not there");
	store_close(st);

	run_sql("UPDATE journal SET writes = x'0101ff'");
	tap_ok(strstr(open_failure(), "the journal is damaged") != NULL, "a damaged journal is refused");
	run_sql("DELETE FROM journal; INSERT INTO key SELECT min(collection_id), x'64', x'd00f' FROM key;"
			"INSERT INTO block VALUES (1000 << 32, x'0002ff')");
	st = open_store();
	tap_is_str(records_of(st, "c", "d", INT32_MIN, 0, false), "a block of records is damaged",
			   "a damaged block is not read");
	store_rollback(st);
	tap_is_str(drain(st, store_scan_latest(st, text("c"), text(""), 0, INT32_MAX), true, false),
			   "a block of records is damaged", "nor its newest record");
	store_close(st);

	run_sql("UPDATE key SET keys = x'00'");
	st = open_store();
	tap_is_str(records_of(st, "c", "d", INT32_MIN, 0, false), "a block of keys is damaged",
			   "a damaged row of keys is not read");
	store_rollback(st);
	tap_is_str(drain(st, store_scan_latest(st, text("c"), text(""), 0, INT32_MAX), true, false),
			   "a block of keys is damaged", "... nor by who wants all of them");
	store_rollback(st);
	tap_ok(put(st, "c", "e", 1, "x") && !store_delete_key(st, text("c"), text("e")) &&
		   strcmp(store_message(st), "a block of keys is damaged") == 0, "... nor is it added to");
	store_rollback(st);
	tap_ok(!store_delete_collection(st, text("c")) &&
		   strcmp(store_message(st), "a block of keys is damaged") == 0, "... nor deleted");
	store_close(st);

	run_sql("PRAGMA user_version = 4");
	tap_ok(strstr(open_failure(), "schema version is 4") != NULL, "a newer version is refused");
	run_sql("PRAGMA user_version = 3; PRAGMA application_id = 1");
	tap_ok(strstr(open_failure(), "another program") != NULL, "another program's file is refused");
	unlink(database);
	tap_is_str(open_failure(), "", "a new one is made");
}

int
main(void)
{
	char		reason[512];
	store	   *memory = store_open(NULL, false, reason, sizeof(reason));
	store	   *st;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(database, sizeof(database), "%s/ltdb.sqlite", dir);
	st = open_store();
	if (!tap_ok(st != NULL && memory != NULL, "stores open, on disk and in memory"))
		return 1;
	test_records(memory);
	test_deletes(memory);
	store_close(memory);

	test_records(st);
	test_latest(st);
	test_deletes(st);
	test_rollback(st);
	test_many_names(st);
	test_full_disk(st);
	store_close(st);
	test_files();
	unlink(database);
	rmdir(dir);
	return tap_done();
}
