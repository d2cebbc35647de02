/*-------------------------------------------------------------------------
 *
 * unit_store_random.c
 *		The store against a model of it, over random writes and reads.
 *
 * Little may be pending, so that records go into blocks, and are merged with
 * what is there, over and over.
 *
 *		unit_store_random [SEED [STEPS]]
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <unistd.h>

#include "random.h"
#include "server/store_int.h"
#include "store_tables.h"
#include "tap.h"

#define COLLECTIONS 3
#define KEYS 5
#define TIMES 96
#define PAIRS 2
#define DATA_MAX_BYTES 20000

/* Keys of one record each, in a collection of their own. */
#define CROWD 6000

/* The longest of their names; what has so many bytes fills a row by itself. */
#define CROWD_NAME_BYTES 3000

/* 0: there is none; else its data is that version's. */
typedef struct model_key
{
	unsigned	version[TIMES];
} model_key;

typedef struct model_collection
{
	bool		exists;
	model_key	key[KEYS];
	unsigned	pair[PAIRS];
} model_collection;

typedef struct model
{
	model_collection collection[COLLECTIONS];
	unsigned	crowd[CROWD];
	bool		crowd_exists;
} model;

static char dir[] = "/tmp/unit_store_random.XXXXXX";
static store *st;
static model now;
static model committed;
static unsigned versions;
static long step;
static bool failed;

/* ---- what the numbers stand for ---- */

static store_text
collection_name(int c)
{
	static const char *const names[COLLECTIONS] = {"c", "", "co"};

	return (store_text) {names[c], strlen(names[c])};
}

static const store_text crowd_name = {"crowd", 5};

/* In order, and here and there as long as a row of keys, or longer. */
static store_text
key_of_crowd(int i)
{
	static char memory[CROWD_NAME_BYTES];
	size_t		len = snprintf(memory, sizeof(memory), "%05d", i);

	memset(memory + len, 'x', sizeof(memory) - len);
	if (i % 211 == 0)
		len = CROWD_NAME_BYTES - i % 1500;
	else if (i % 17 == 0)
		len += i % 400;
	return (store_text) {memory, len};
}

/* In the order of their bytes. */
static store_text
key_name(int k)
{
	static const store_text names[KEYS] = {{"", 0}, {"a", 1}, {"a\0", 2}, {"a\0b", 3}, {"b", 1}};

	return names[k];
}

/* The ends of the range, their neighbours, and what is around 0. */
static int32_t
time_of(int t)
{
	if (t < 4)
		return INT32_MIN + t;
	if (t >= TIMES - 4)
		return INT32_MAX - (TIMES - 1 - t);
	return (t - TIMES / 2) * (1 + abs(t - TIMES / 2) / 8);
}

/* A version's data: mostly short, now and then longer than a block. */
static store_text
data_of(unsigned version)
{
	static char memory[DATA_MAX_BYTES];
	size_t		len = version * 2654435761u >> 8;

	if (version % 97 == 0)
		len %= DATA_MAX_BYTES;
	else if (version % 7 == 0)
		len %= 2000;
	else
		len %= 100;
	memset(memory, 'a' + version % 26, len);
	if (len >= sizeof(version))
		memcpy(memory, &version, sizeof(version));
	return (store_text) {memory, len};
}

static void
check(bool good, const char *what)
{
	if (good || failed)
		return;
	failed = true;
	printf("# step %ld: %s%s%s\n", step, what, store_failed(st) ? ": " : "",
		   store_failed(st) ? store_message(st) : "");
}

/* ---- the model's rules ---- */

static bool
key_has_records(const model_key *key)
{
	for (int t = 0; t < TIMES; t++)
	{
		if (key->version[t] != 0)
			return true;
	}
	return false;
}

static bool
collection_has_records(const model_collection *collection)
{
	for (int k = 0; k < KEYS; k++)
	{
		if (key_has_records(&collection->key[k]))
			return true;
	}
	return false;
}

static void
model_delete_key(int c, int k)
{
	model_collection *collection = &now.collection[c];

	if (!key_has_records(&collection->key[k]))
		return;
	collection->key[k] = (model_key) {0};
	if (!collection_has_records(collection))
		*collection = (model_collection) {0};
}

static bool
crowd_has_records(void)
{
	for (int i = 0; i < CROWD; i++)
	{
		if (now.crowd[i] != 0)
			return true;
	}
	return false;
}

/* What deleting some key everywhere does to all collections. */
static void
model_drop_empty(void)
{
	now.crowd_exists = crowd_has_records();
	for (int c = 0; c < COLLECTIONS; c++)
	{
		if (!collection_has_records(&now.collection[c]))
			now.collection[c] = (model_collection) {0};
	}
}

static void
model_delete_key_everywhere(int k)
{
	for (int c = 0; c < COLLECTIONS; c++)
		now.collection[c].key[k] = (model_key) {0};
	model_drop_empty();
}

/* ---- writes ---- */

static void
write_record(int c, int k)
{
	int			t = random_below(TIMES);
	bool		deletes = random_below(4) == 0;

	/* runs of them, in order or not */
	for (int left = random_below(random_below(8) == 0 ? TIMES : 4); left >= 0 && t < TIMES; left--)
	{
		unsigned	version = deletes ? 0 : ++versions;

		check(deletes ?
			  store_delete_record(st, collection_name(c), key_name(k), time_of(t)) :
			  store_insert(st, collection_name(c), key_name(k), time_of(t), data_of(version)),
			  "write of a record");
		now.collection[c].key[k].version[t] = version;
		now.collection[c].exists |= !deletes;
		t = random_below(3) == 0 ? (int) random_below(TIMES) : t + 1;
	}
}

static void
write_crowd(void)
{
	int			i = random_below(CROWD);
	int			stride = 1 + random_below(50);
	bool		deletes = random_below(3) == 0;

	for (int left = random_below(600); left >= 0; left--)
	{
		now.crowd[i] = deletes ? 0 : ++versions;
		check(deletes ?
			  store_delete_record(st, crowd_name, key_of_crowd(i), i) :
			  store_insert(st, crowd_name, key_of_crowd(i), i, data_of(now.crowd[i])),
			  "write of one of many keys");
		now.crowd_exists |= !deletes;
		i = (i + stride) % CROWD;
	}
}

static void
write_pair(int c)
{
	int			p = random_below(PAIRS);
	store_text	name = {p == 0 ? "p" : "q", 1};

	now.collection[c].pair[p] = random_below(3) == 0 ? 0 : ++versions;
	if (now.collection[c].pair[p] == 0)
		check(store_delete_value(st, collection_name(c), name), "delete of a pair");
	else
	{
		now.collection[c].exists = true;
		check(store_set_value(st, collection_name(c), name, data_of(versions)), "write of a pair");
	}
}

static void
delete_from_crowd(void)
{
	int			i = random_below(CROWD);
	bool		existed = now.crowd[i] != 0;

	now.crowd[i] = 0;
	if (random_below(2) == 0)
	{
		check(store_delete_key_everywhere(st, key_of_crowd(i)), "delete of one of many keys");
		model_drop_empty();
		return;
	}
	check(store_delete_key(st, crowd_name, key_of_crowd(i)), "delete of one of many keys");
	if (existed)
		now.crowd_exists = crowd_has_records();
}

static void
delete_much(int c, int k)
{
	switch (random_below(5))
	{
		case 4:
			delete_from_crowd();
			break;
		case 0:
			check(store_delete_collection(st, collection_name(c)), "delete of a collection");
			now.collection[c] = (model_collection) {0};
			if (random_below(4) > 0)
				break;
			check(store_delete_collection(st, crowd_name), "delete of a collection of many keys");
			memset(now.crowd, 0, sizeof(now.crowd));
			now.crowd_exists = false;
			break;
		case 1:
			check(store_delete_key_everywhere(st, key_name(k)), "delete of a key everywhere");
			model_delete_key_everywhere(k);
			break;
		default:
			check(store_delete_key(st, collection_name(c), key_name(k)), "delete of a key");
			model_delete_key(c, k);
			break;
	}
}

static void
open_store(void)
{
	char		reason[512];

	st = store_open(dir, true, reason, sizeof(reason));
	if (st == NULL)
	{
		printf("Bail out! step %ld: %s\n", step, reason);
		exit(1);
	}
	st->pending_max_bytes = random_below(3) == 0 ? 1 : 300000 + random_below(1000000);
}

static void
end_transaction(void)
{
	switch (random_below(40))
	{
		case 0:
		case 1:
			store_rollback(st);
			now = committed;
			return;
		case 2:
		case 3:
			store_close(st);
			open_store();
			now = committed;
			return;
		case 4:
			st->flush_due = true;
			break;
	}
	check(store_commit(st), "commit");
	committed = now;
}

/* ---- reads ---- */

static bool
same_data(const store_item *item, unsigned version)
{
	store_text	wanted = data_of(version);

	return item->data.len_bytes == wanted.len_bytes &&
		memcmp(item->data.bytes, wanted.bytes, wanted.len_bytes) == 0;
}

static int64_t
random_bound(void)
{
	switch (random_below(8))
	{
		case 0:
			return INT64_MIN;
		case 1:
			return INT64_MAX;
		default:
			return (int64_t) time_of(random_below(TIMES)) + random_below(3) - 1;
	}
}

static void
read_records(int c, int k)
{
	int64_t		from_sec = random_bound();
	int64_t		to_sec = random_bound();
	bool		reverse = random_below(2);
	int			limit = random_below(2) ? TIMES : 1 + random_below(4);
	store_item	item;

	check(store_scan_records(st, collection_name(c), key_name(k), from_sec, to_sec, reverse),
		  "start of records");
	for (int i = 0; i < TIMES && limit > 0; i++)
	{
		int			t = reverse ? TIMES - 1 - i : i;
		unsigned	version = now.collection[c].key[k].version[t];

		if (version == 0 || time_of(t) < from_sec || time_of(t) > to_sec)
			continue;
		check(store_scan_next(st, &item), "a record is missing");
		check(failed || item.ts_sec == time_of(t), "another record than expected");
		check(failed || same_data(&item, version), "other data than expected");
		limit--;
	}
	check(limit == 0 || !store_scan_next(st, &item), "a record too many");
	check(!store_failed(st), "records");
	store_scan_end(st);
}

/* The newest of a key's times within bounds, -1 if there is none. */
static int
newest(const model_key *key, int64_t from_sec, int64_t at_sec)
{
	for (int t = TIMES - 1; t >= 0; t--)
	{
		if (key->version[t] != 0 && time_of(t) >= from_sec && time_of(t) <= at_sec)
			return t;
	}
	return -1;
}

static void
read_latest(int c)
{
	int64_t		from_sec = random_bound();
	int64_t		at_sec = random_bound();
	int			first = random_below(KEYS);
	store_item	item;

	check(store_scan_latest(st, collection_name(c), key_name(first), from_sec, at_sec),
		  "start of the latest");
	for (int k = first; k < KEYS; k++)
	{
		const model_key *key = &now.collection[c].key[k];
		int			t = newest(key, from_sec, at_sec);
		bool		more;

		if (t < 0)
			continue;
		while ((more = store_scan_next(st, &item)) && !item.found)
			;
		check(more, "a key is missing");
		check(failed || (item.name.len_bytes == key_name(k).len_bytes &&
						 memcmp(item.name.bytes, key_name(k).bytes, item.name.len_bytes) == 0),
			  "another key than expected");
		check(failed || item.ts_sec == time_of(t), "not the newest record");
		check(failed || same_data(&item, key->version[t]), "other data than expected");
	}
	while (store_scan_next(st, &item))
		check(!item.found, "a key too many");
	check(!store_failed(st), "the latest");
	store_scan_end(st);
}

static void
read_crowd(void)
{
	int			first = random_below(CROWD);
	store_item	item;

	check(store_scan_latest(st, crowd_name, key_of_crowd(first), INT32_MIN, INT32_MAX),
		  "start of the latest of many keys");
	for (int i = first; i < CROWD && !failed; i++)
	{
		bool		more;

		if (now.crowd[i] == 0)
			continue;
		while ((more = store_scan_next(st, &item)) && !item.found)
			;
		check(more, "one of many keys is missing");
		check(failed || item.ts_sec == i, "another one of many keys than expected");
		check(failed || same_data(&item, now.crowd[i]), "other data of one of many keys");
	}
	while (store_scan_next(st, &item))
		check(!item.found, "one of many keys too many");
	store_scan_end(st);
}

static void
read_collections(void)
{
	static const int order[COLLECTIONS] = {1, 0, 2};
	store_item	item;

	check(store_scan_collections(st, (store_text) {"", 0}), "start of collections");
	for (int i = 0; i < COLLECTIONS; i++)
	{
		store_text	name = collection_name(order[i]);

		if (!now.collection[order[i]].exists)
			continue;
		check(store_scan_next(st, &item), "a collection is missing");
		check(failed || (item.name.len_bytes == name.len_bytes &&
						 memcmp(item.name.bytes, name.bytes, name.len_bytes) == 0),
			  "another collection than expected");
	}
	if (now.crowd_exists)
		check(store_scan_next(st, &item) && item.name.len_bytes == crowd_name.len_bytes,
			  "the collection of many keys is missing");
	check(!store_scan_next(st, &item), "a collection too many");
	store_scan_end(st);
}

static void
read_pairs(int c)
{
	store_item	item;

	check(store_scan_values(st, collection_name(c), (store_text) {"", 0}), "start of pairs");
	for (int p = 0; p < PAIRS; p++)
	{
		if (now.collection[c].pair[p] == 0)
			continue;
		check(store_scan_next(st, &item), "a pair is missing");
		check(failed || same_data(&item, now.collection[c].pair[p]), "another value than expected");
	}
	check(!store_scan_next(st, &item), "a pair too many");
	store_scan_end(st);
}

/* ---- all of it ---- */

static void
check_tables(void)
{
	const char *wrong = store_tables_wrong(st);

	check(wrong == NULL, wrong);
}

static void
take_step(void)
{
	int			c = random_below(COLLECTIONS);
	int			k = random_below(KEYS);
	unsigned	kind = random_below(100);

	if (kind < 1)
		write_crowd();
	else if (kind < 45)
		write_record(c, k);
	else if (kind < 48)
		write_pair(c);
	else if (kind < 49)
		delete_much(c, k);
	else if (kind < 60)
		end_transaction();
	else if (kind < 85)
		read_records(c, k);
	else if (kind < 95)
		read_latest(c);
	else if (kind < 96)
		read_crowd();
	else if (kind < 98)
		read_collections();
	else if (kind < 99)
		read_pairs(c);
	else
		check_tables();
}

int
main(int argc, char **argv)
{
	long		steps = argc > 2 ? atol(argv[2]) : 30000;

	random_start(argc, argv);
	if (mkdtemp(dir) == NULL)
		return 1;
	open_store();
	for (step = 1; step <= steps && !failed; step++)
		take_step();
	tap_ok(!failed, "%ld random steps", steps);
	store_close(st);
	for (int i = 0; i < 2; i++)
	{
		static const char *const names[] = {"ltdb.sqlite", "ltdb.sqlite-wal"};
		char		path[64];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	return tap_done();
}
