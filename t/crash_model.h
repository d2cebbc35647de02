/*-------------------------------------------------------------------------
 *
 * crash_model.h
 *		What a collection holds after a request, as the protocol says, and what
 *		its records are called.
 *
 * Sending the requests, and looking at what is there, is left to those who
 * include this.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "client/ltdb.h"

#define KEYS 3
#define SLOTS 8
#define PAIRS 3
#define BATCH_MAX 8
#define DATA_MAX_BYTES 6000

/* What a collection holds: versions of records and pairs, 0 = absent. */
typedef struct state
{
	unsigned	record[KEYS][SLOTS];
	unsigned	pair[PAIRS];
} state;

typedef enum op_kind
{
	OP_INSERT,
	OP_DELETE_RECORDS,
	OP_DELETE_RECORD,
	OP_DELETE_KEY,
	OP_DELETE_COLLECTION,
	OP_SET_VALUE,
	OP_DELETE_VALUE
} op_kind;

typedef struct op
{
	op_kind		kind;
	unsigned	version;
	int			count;
	int			key[BATCH_MAX];
	int			slot[BATCH_MAX];	/* or pair */
	ltdb_reply *reply;
} op;

static bool
has_records(const state *st, int key)
{
	for (int slot = 0; slot < SLOTS; slot++)
		if (st->record[key][slot] != 0)
			return true;
	return false;
}

/* With its last key a collection goes, pairs included. */
static void
delete_key(state *st, int key)
{
	if (!has_records(st, key))
		return;
	memset(st->record[key], 0, sizeof(st->record[key]));
	for (int other = 0; other < KEYS; other++)
		if (has_records(st, other))
			return;
	memset(st, 0, sizeof(*st));
}

static void
apply(state *st, const op *o)
{
	switch (o->kind)
	{
		case OP_INSERT:
		case OP_DELETE_RECORDS:
		case OP_DELETE_RECORD:
			for (int i = 0; i < o->count; i++)
				st->record[o->key[i]][o->slot[i]] = o->kind == OP_INSERT ? o->version : 0;
			break;
		case OP_DELETE_KEY:
			delete_key(st, o->key[0]);
			break;
		case OP_DELETE_COLLECTION:
			memset(st, 0, sizeof(*st));
			break;
		case OP_SET_VALUE:
		case OP_DELETE_VALUE:
			st->pair[o->slot[0]] = o->kind == OP_SET_VALUE ? o->version : 0;
			break;
	}
}

/* ---- names and data ---- */

static ltdb_text
text(const char *string)
{
	return (ltdb_text) {string, strlen(string)};
}

static ltdb_text
key_name(int key)
{
	static const char *const names[] = {"k0", "k1", "k2"};

	return text(names[key]);
}

static int64_t
ts_of(int slot)
{
	return 1 + 1000 * slot;
}

/* What a version is stored as: its number, and so much of a letter. */
static ltdb_text
data_of(int owner, unsigned version, char *memory)
{
	int			len = sprintf(memory, "%d %u ", owner, version);
	int			more = version % 16 == 0 ? version * 7919 % (DATA_MAX_BYTES - 50) : version % 40;

	memset(memory + len, 'a' + version % 26, more);
	return (ltdb_text) {memory, len + more};
}

/* The version in what was read, 0 if it is not what was stored. */
static unsigned
version_in(int owner, ltdb_text data)
{
	char		memory[DATA_MAX_BYTES];
	char		head[32] = "";
	unsigned	version;
	int			found;
	ltdb_text	expected;

	memcpy(head, data.bytes, data.len_bytes < 31 ? data.len_bytes : 31);
	if (sscanf(head, "%d %u ", &found, &version) != 2 || version == 0)
		return 0;
	expected = data_of(owner, version, memory);
	if (data.len_bytes != expected.len_bytes || memcmp(data.bytes, memory, data.len_bytes) != 0)
		return 0;
	return version;
}

#endif							/* CRASH_MODEL_H */
