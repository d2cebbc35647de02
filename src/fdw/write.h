/*-------------------------------------------------------------------------
 *
 * write.h
 *		What the files behind INSERT, UPDATE, DELETE and COMMIT know of each
 *		other, and what readers need of it to see a transaction's own writes.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LTFDW_WRITE_H
#define LTFDW_WRITE_H

#include "fdw.h"

/* One write of a write set. */
typedef struct LtfdwWrite
{
	int64		ts_sec;
	bool		deleted;
	ltdb_text	data;			/* UTF-8 */
	int			writer;			/* as whom: see LtfdwDestination */
} LtfdwWrite;

/* The parts of a write set, in the order in which they are sent: deliver.c. */
typedef enum LtfdwPart
{
	LTFDW_ADDED,				/* records to store */
	LTFDW_ERASED,				/* keys, or the collection, to erase; not what is added */
	LTFDW_REMOVED				/* records to delete */
} LtfdwPart;

#define LTFDW_NPARTS 3

/* A key whose records are to be erased. */
typedef struct LtfdwErasedKey
{
	text	   *key;
	int64		until_sec;		/* what is newer was added since, by someone else */
	int64		count;			/* records, as far as known */
	int			writer;
} LtfdwErasedKey;

/* Somebody who writes. */
typedef struct LtfdwWriter
{
	Oid			userid;
	Oid			umid;			/* user mapping */
} LtfdwWriter;

/*
 * A write set and where it goes: commit.c, target.c, deliver.c.  There is one
 * for all who write to a collection, since which write counts does not depend
 * on who made it; each is sent as whoever did.
 */
typedef struct LtfdwDestination
{
	const LtfdwTable *table;
	LtfdwWriteSet *writes;
	int			nwriters;
	LtfdwWriter *writers;
} LtfdwDestination;

/* Batches writes and sends them with requests in flight: sender.c. */
typedef struct LtfdwSender LtfdwSender;

/* in modify.c */
extern bool ltfdw_statement_reads(EState *estate, const LtfdwTable *table, Index target);

/* in target.c */
extern LtfdwTarget *ltfdw_target_new(Oid userid, const LtfdwTable *table, bool hold);
extern void ltfdw_target_put(LtfdwTarget *target, text *key, const ltdb_record *record);
extern bool ltfdw_target_take(LtfdwTarget *target, text *key, int64 ts_sec);
extern void ltfdw_target_delete(LtfdwTarget *target, text *key, const ltdb_record *record);
extern void ltfdw_target_erase_key(LtfdwTarget *target, text *key, int64 until_sec, int64 count);
extern void ltfdw_target_erase_all(LtfdwTarget *target);
extern void ltfdw_target_flush(LtfdwTarget *target);
extern void ltfdw_target_finish(LtfdwTarget *target);

/* in sender.c */
extern LtfdwSender *ltfdw_sender_new(LtfdwConn *conn, const LtfdwTable *table);
extern void ltfdw_sender_put(LtfdwSender *sender, const ltdb_record *record);
extern void ltfdw_sender_delete(LtfdwSender *sender, const ltdb_record *record);
extern void ltfdw_sender_delete_key(LtfdwSender *sender, ltdb_text key);
extern void ltfdw_sender_delete_collection(LtfdwSender *sender);
extern void ltfdw_sender_flush(LtfdwSender *sender);
extern void ltfdw_sender_finish(LtfdwSender *sender);

/* in writeset.c */
extern int	ltfdw_write_set_memory_kb;

extern LtfdwWriteSet *ltfdw_writeset_new(const char *collection, MemoryContext account,
										 bool can_undo);
extern void ltfdw_writeset_put(LtfdwWriteSet *set, int writer, text *key, int64 ts_sec,
							   ltdb_text data, CommandId cid);
extern bool ltfdw_writeset_take(LtfdwWriteSet *set, text *key, int64 ts_sec, CommandId cid);
extern void ltfdw_writeset_delete(LtfdwWriteSet *set, int writer, text *key, int64 ts_sec,
								  CommandId cid);
extern void ltfdw_writeset_erase_key(LtfdwWriteSet *set, int writer, text *key, int64 until_sec,
									 int64 count, CommandId cid);
extern void ltfdw_writeset_erase_all(LtfdwWriteSet *set, int writer, CommandId cid);
extern bool ltfdw_writeset_hides_key(const LtfdwWriteSet *set, text *key, CommandId cid);
extern bool ltfdw_writeset_hides_all(const LtfdwWriteSet *set, CommandId cid);
extern bool ltfdw_writeset_seek(const LtfdwWriteSet *set, text *key, LtfdwInterval interval,
								bool reverse, CommandId cid, LtfdwWrite *write);
extern void ltfdw_writeset_add_keys(const LtfdwWriteSet *set, LtfdwInterval interval,
									CommandId cid, LtfdwKeys *keys);
extern bool ltfdw_writeset_is_erased(const LtfdwWriteSet *set, int *writer);
extern bool ltfdw_writeset_stores(const LtfdwWriteSet *set, text *key, LtfdwInterval interval);
extern bool ltfdw_writeset_stores_any(const LtfdwWriteSet *set);
extern bool ltfdw_writeset_may_have(const LtfdwWriteSet *set, LtfdwPart part);
extern int64 ltfdw_writeset_count(const LtfdwWriteSet *set);
extern void ltfdw_writeset_walk(const LtfdwWriteSet *set, LtfdwPart wanted,
								void (*visit) (text *key, const LtfdwWrite *write, void *arg),
								void *arg);
extern LtfdwErasedKey *ltfdw_writeset_erased_keys(const LtfdwWriteSet *set, int *count);
extern int64 ltfdw_undo_mark(void);
extern void ltfdw_undo_to(int64 mark);
extern void ltfdw_undo_forget(void);

/* in commit.c */
extern int	ltfdw_destination_writer(LtfdwDestination *destination, Oid userid);
extern LtfdwWriteSet *ltfdw_transaction_writes(const LtfdwTable *table);
extern LtfdwDestination *ltfdw_transaction_write_to(const LtfdwTable *table);

/* in bypass.c */
extern void ltfdw_bypassed(const LtfdwTable *table, int64 count);
extern void ltfdw_bypass_warn(int level);
extern void ltfdw_bypass_merge(int level);
extern void ltfdw_bypass_forget(void);

/* in deliver.c */
extern void ltfdw_deliver(List *destinations);

/* in erase.c */
extern void ltfdw_erase_collection(LtfdwConn *conn, const LtfdwTable *table);
extern void ltfdw_erase_records(LtfdwConn *conn, const LtfdwTable *table,
								const LtfdwWriteSet *writes);
extern void ltfdw_erase_keys(LtfdwConn *conn, const LtfdwTable *table,
							 const LtfdwWriteSet *writes, const LtfdwErasedKey *keys, int count);
extern void ltfdw_erase_pairs(LtfdwConn *conn, const LtfdwTable *table,
							  const LtfdwWriteSet *writes);

#endif							/* LTFDW_WRITE_H */
