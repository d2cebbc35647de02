/*-------------------------------------------------------------------------
 *
 * writetree.h
 *		What writeset.c and writetree.c know of each other, and nobody else.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LTFDW_WRITETREE_H
#define LTFDW_WRITETREE_H

#include "write.h"

#include "utils/memutils.h"

/* What a command did to a record, or to more of them. */
typedef struct WriteStep
{
	struct WriteStep *older;
	CommandId	cid;
	uint32		len_bytes:30;	/* of the data that follows */
	uint32		deleted:1;
	uint32		by_other:1;		/* not by the set's first writer: the number of whoever
								 * it is comes before the data */
} WriteStep;

/* A PostgreSQL value fits. */
StaticAssertDecl(MaxAllocSize < ((Size) 1 << 30), "a record's data has less than 2^30 bytes");

/* A record that was written. */
typedef struct WriteEntry
{
	int64		ts_sec;
	WriteStep  *newest;			/* NULL = rolled back */
	CommandId	taken_by;		/* the last command to update or delete it as it was */
	struct WriteEntry *next[FLEXIBLE_ARRAY_MEMBER]; /* by level of the skip list */
} WriteEntry;

/* Levels hold a quarter each of the one below: enough for 4^12 records. */
#define WRITE_LEVELS 12

/* A key, and its records by ts. */
typedef struct WriteKey
{
	text	   *key;			/* in the database's encoding */
	WriteStep  *erased;			/* NULL = never, or rolled back */
	WriteEntry *first[WRITE_LEVELS];
	WriteEntry *last;			/* NULL = none */
	WriteEntry **ends[WRITE_LEVELS];	/* where what comes last is to be put */
} WriteKey;

typedef struct WriteTree WriteTree;

extern WriteTree *ltfdw_writetree_new(const char *collection, MemoryContext account);
extern void *ltfdw_writetree_cut(WriteTree *tree, Size size);
extern WriteKey *ltfdw_writetree_find_key(const WriteTree *tree, text *key);
extern WriteKey *ltfdw_writetree_add_key(WriteTree *tree, text *key);
extern WriteEntry *ltfdw_writetree_add_entry(WriteTree *tree, text *key, int64 ts_sec);
extern WriteEntry *ltfdw_writetree_from(WriteKey *node, int64 ts_sec);
extern WriteEntry *ltfdw_writetree_until(WriteKey *node, int64 ts_sec);
extern int64 ltfdw_writetree_count(const WriteTree *tree);
extern WriteKey **ltfdw_writetree_keys(const WriteTree *tree, bool sorted);

#endif							/* LTFDW_WRITETREE_H */
