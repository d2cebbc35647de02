/*-------------------------------------------------------------------------
 *
 * unit_key_block.c
 *		Blocks of keys: what is packed is read again, and damage is found.
 *
 * A seed given as argument repeats a run.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "random.h"
#include "server/key_block.h"
#include "server/name.h"
#include "tap.h"

#define ROUNDS 20000
#define KEYS 40
#define NAME_BYTES 300

static char names[KEYS][NAME_BYTES];
static key_entry keys[KEYS];

static int
compare_entries(const void *a, const void *b)
{
	return name_compare(((const key_entry *) a)->name, ((const key_entry *) b)->name);
}

/* Names in order, each another one, now and then empty, long, or with NULs. */
static size_t
make_keys(void)
{
	size_t		wanted = 1 + random_below(KEYS);
	size_t		count = 0;

	for (size_t i = 0; i < wanted; i++)
	{
		size_t		len = random_below(random_below(10) == 0 ? NAME_BYTES : 4);

		for (size_t j = 0; j < len; j++)
			names[i][j] = "\0abz\xff"[random_below(5)];
		keys[i].name = (store_text) {names[i], len};
		keys[i].id = 1 + random_below(random_below(3) == 0 ? KEY_ID_MAX : 100);
	}
	qsort(keys, wanted, sizeof(key_entry), compare_entries);
	for (size_t i = 0; i < wanted; i++)
	{
		if (i == 0 || compare_entries(&keys[count - 1], &keys[i]) != 0)
			keys[count++] = keys[i];
	}
	return count;
}

static size_t
packed_bytes(size_t count)
{
	size_t		bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += key_entry_bytes(i > 0 ? &keys[i - 1] : NULL, &keys[i]);
	return bytes - keys[0].name.len_bytes;
}

/* A block in memory of just that size, so that a sanitizer sees who reads on. */
static store_text
pack(size_t count, bool *good)
{
	size_t		bytes = packed_bytes(count);
	unsigned char *memory = malloc(bytes);

	if (memory == NULL)
		abort();
	*good = key_block_pack(keys, count, memory) == memory + bytes;
	return (store_text) {(char *) memory, bytes};
}

static bool
reads_back(store_text block, size_t count)
{
	key_reader	reader = key_block_read(keys[0].name, block);

	for (size_t i = 0; i < count; i++)
	{
		if (!key_block_next(&reader) || reader.key.id != keys[i].id ||
			name_compare(reader.key.name, keys[i].name) != 0)
			return false;
	}
	return !key_block_next(&reader) && !reader.damaged;
}

/* Whatever is in it: names in order and ids that there can be, or damage. */
static bool
reads_safely(store_text first, store_text block)
{
	key_reader	reader = key_block_read(first, block);
	store_text	before = {"", 0};
	size_t		count = 0;

	for (; key_block_next(&reader); count++)
	{
		if (reader.key.id < 1 || reader.key.id > KEY_ID_MAX ||
			(count > 0 && name_compare(before, reader.key.name) >= 0))
			return false;
		before = reader.key.name;
	}
	return reader.damaged ? !key_block_next(&reader) : count > 0;
}

static bool
is_damaged(store_text first, store_text block)
{
	key_reader	reader = key_block_read(first, block);

	while (key_block_next(&reader))
		;
	return reader.damaged;
}

static void
test_rounds(void)
{
	bool		good = true;
	bool		safe = true;
	bool		cut_found = true;

	for (int i = 0; i < ROUNDS && good && safe && cut_found; i++)
	{
		size_t		count = make_keys();
		store_text	block = pack(count, &good);
		char	   *bytes = (char *) block.bytes;

		good = good && reads_back(block, count);

		/* one byte short, the last id lacks some of itself */
		cut_found = is_damaged(keys[0].name, (store_text) {bytes, block.len_bytes - 1});
		bytes[random_below(block.len_bytes)] ^= 1 << random_below(8);
		safe = reads_safely(keys[0].name, block);
		free(bytes);
	}
	tap_ok(good, "%d blocks are read as they were packed", ROUNDS);
	tap_ok(cut_found, "blocks cut short are damaged");
	tap_ok(safe, "blocks with a bit changed are read safely");
}

static void
test_damage(void)
{
	static const struct
	{
		const char *bytes;
		size_t		len;
		const char *what;
	}			damaged[] = {
		{"", 0, "nothing"},
		{"\x00", 1, "id 0"},
		{"\x03", 1, "a negative id"},
		{"\x80", 1, "half a number"},
		{"\xfe\xff\xff\xff\x3f", 5, "an id too large"},
		{"\x02\x01", 2, "no name"},
		{"\x02\x01n", 3, "no id behind a name"},
		{"\x02\x01m\x02", 4, "a name twice"},
		{"\x02\x01" "a\x02", 4, "a name that comes before"},
		{"\x02\x00\x02", 3, "an empty name behind others"},
		{"\x02\x7fnn\x02", 5, "a name longer than the block"},
	};
	key_reader	nothing = {0};

	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++)
		tap_ok(is_damaged((store_text) {"m", 1}, (store_text) {damaged[i].bytes, damaged[i].len}),
			   "damaged: %s", damaged[i].what);
	tap_ok(!is_damaged((store_text) {"m", 1}, (store_text) {"\x02\x01n\x02", 4}), "... but not this");
	tap_ok(!key_block_next(&nothing) && !nothing.damaged, "a zeroed reader is at its end");
}

int
main(int argc, char **argv)
{
	random_start(argc, argv);
	test_rounds();
	test_damage();
	return tap_done();
}
