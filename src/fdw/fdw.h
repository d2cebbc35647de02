/*-------------------------------------------------------------------------
 *
 * fdw.h
 *		What the files of the foreign data wrapper know of each other.
 *
 * Structs first, from the catalogs to the wire; then the prototypes, under
 * the name of the file they live in.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LTFDW_FDW_H
#define LTFDW_FDW_H

#include "postgres.h"

#include "commands/explain.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "utils/relcache.h"

#include "../client/ltdb.h"

#define LTFDW_USECS_PER_SEC INT64CONST(1000000)

/* Seconds from the Unix epoch to PostgreSQL's, 2000-01-01. */
#define LTFDW_PG_EPOCH_SEC INT64CONST(946684800)

/* The member of an LTDB record that a column shows. */
typedef enum LtfdwRole
{
	LTFDW_NOTHING,				/* a dropped column */
	LTFDW_KEY,
	LTFDW_TS,
	LTFDW_DATA
} LtfdwRole;

/* Roles as a set. */
#define LTFDW_ROLE_BIT(role) ((uint32) 1 << (role))

typedef struct LtfdwColumn
{
	LtfdwRole	role;
	Oid			type;
} LtfdwColumn;

/* What the catalogs say of one foreign table: option.c, column.c. */
typedef struct LtfdwTable
{
	Oid			relid;
	Oid			serverid;
	char	   *collection;		/* in the database's encoding */
	int			fetch_size;		/* records a request */
	int			batch_size;		/* rows a message */
	bool		invalid_json_is_null;
	int			ncolumns;
	LtfdwColumn *columns;		/* by attribute number - 1 */
	AttrNumber	key_att;		/* 0 = the table does not show it */
	AttrNumber	ts_att;
	AttrNumber	data_att;
} LtfdwTable;

/* An interval of whole seconds, both ends inside. */
typedef struct LtfdwInterval
{
	int64		from_sec;
	int64		to_sec;
} LtfdwInterval;

/* Intervals in ascending order, apart from each other. */
typedef struct LtfdwIntervals
{
	int			count;
	LtfdwInterval *items;
} LtfdwIntervals;

/* Keys in the database's encoding, in byte order, each once. */
typedef struct LtfdwKeys
{
	bool		all;			/* no condition: whatever keys there are */
	int			count;
	text	  **items;
} LtfdwKeys;

/* How an operand compared with ts is read: interval.c. */
typedef enum LtfdwOperand
{
	LTFDW_OPERAND_NONE,			/* not at all */
	LTFDW_OPERAND_INT2,			/* seconds since the Unix epoch */
	LTFDW_OPERAND_INT4,
	LTFDW_OPERAND_INT8,
	LTFDW_OPERAND_USECS,		/* as the column's own type counts them */
	LTFDW_OPERAND_LOCAL_TIMESTAMP,	/* in the session's time zone */
	LTFDW_OPERAND_LOCAL_DATE,
	LTFDW_OPERAND_DATE			/* in UTC */
} LtfdwOperand;

/* The strategies are btree's; it has none for <>. */
#define LTFDW_NOT_EQUAL 0

/* One comparison of a column with a value or the elements of an array. */
typedef struct LtfdwLeaf
{
	int			exprno;			/* of the value */
	bool		is_array;
	int			strategy;
	LtfdwOperand kind;			/* of the value, where the column is ts */
} LtfdwLeaf;

/* A value in a condition, computed. */
typedef struct LtfdwValue
{
	Datum		value;
	bool		isnull;
} LtfdwValue;

/* What a scan asks LTDB for, values known. */
typedef struct LtfdwQuery
{
	LtfdwKeys	keys;
	LtfdwIntervals times;
} LtfdwQuery;

/*
 * What the planner found that LTDB can answer: pushdown.c.  The conditions
 * are trees of Lists and Integers (see there) whose leaves point into exprs.
 */
typedef struct LtfdwPushdown
{
	List	   *remote;			/* RestrictInfos that the request answers */
	List	   *local;			/* RestrictInfos that the executor must check */
	List	   *conditions;
	List	   *exprs;			/* values to compute when the scan starts */
} LtfdwPushdown;

/* fdw_private of a ForeignScan, in this order. */
enum LtfdwScanPrivate
{
	LTFDW_SCAN_CONDITIONS,		/* as LtfdwPushdown.conditions */
	LTFDW_SCAN_WANTED			/* List of Integers: roles that are read */
};

/* One session's connection for one user mapping: connection.c. */
typedef struct LtfdwConn LtfdwConn;

/* A reply with an owner: freed at the latest with its memory context. */
typedef struct LtfdwReply
{
	LtfdwConn  *conn;
	ltdb_reply *reply;			/* NULL = none */
	MemoryContextCallback release;
} LtfdwReply;

/* Walks keys, intervals and pages with requests in flight: reader.c. */
typedef struct LtfdwReader LtfdwReader;

/* Batches writes and sends them with requests in flight: sender.c. */
typedef struct LtfdwSender LtfdwSender;

/* What a reader hands out: one record and the key it belongs to. */
typedef struct LtfdwRecord
{
	text	   *key;			/* in the database's encoding */
	int64		ts_sec;
	ltdb_text	data;			/* UTF-8; lent until the next record */
} LtfdwRecord;

/* fdw_state of a ForeignScanState: scan.c. */
typedef struct LtfdwScan
{
	LtfdwTable *table;
	List	   *conditions;
	List	   *expr_states;	/* of the values in the conditions */
	LtfdwValue *values;			/* computed */
	uint32		wanted;			/* roles that are read */
	MemoryContext query_cxt;	/* what one run computes */
	LtfdwReader *reader;		/* NULL until the first row is asked for */
	bool		started;
	bool		empty;			/* the conditions contradict each other */
} LtfdwScan;

/* in ltdb_fdw.c */
extern PGDLLEXPORT Datum ltfdw_handler(PG_FUNCTION_ARGS);

/* in option.c */
extern bool ltfdw_server_is_ltdb(ForeignServer *server);
extern LtfdwTable *ltfdw_table_load(Relation rel);
extern LtfdwTable *ltfdw_table_of_collection(Oid serverid, const char *collection);
extern LtfdwTable *ltfdw_table_load_by_oid(Oid relid);
extern void ltfdw_server_options(ForeignServer *server, ltdb_options *options,
								 bool *keep_connections);
extern const char *ltfdw_user_api_key(UserMapping *user);
extern bool ltfdw_table_updatable(Oid relid);
extern const char *ltfdw_column_option(Oid relid, AttrNumber attnum, const char *name);

/* in column.c */
extern void ltfdw_columns_load(LtfdwTable *table, Relation rel);

/* in pushdown.c */
extern LtfdwPushdown *ltfdw_pushdown_classify(PlannerInfo *root, RelOptInfo *rel,
											  const LtfdwTable *table, List *clauses);

/* in condition.c */
extern List *ltfdw_condition_key(Expr *value, bool is_array, List **exprs);
extern List *ltfdw_condition_ts(int strategy, LtfdwOperand kind, Expr *value,
								bool is_array, List **exprs);
extern List *ltfdw_condition_combine(bool any, List *children);
extern LtfdwRole ltfdw_condition_role(List *condition);
extern bool ltfdw_condition_leaf(List *condition, LtfdwLeaf *leaf);
extern LtfdwQuery ltfdw_query_evaluate(List *conditions, const LtfdwValue *values);
extern bool ltfdw_query_is_empty(const LtfdwQuery *query);
extern void ltfdw_keys_normalize(LtfdwKeys *keys);

/* in interval.c */
extern LtfdwOperand ltfdw_operand_kind(Oid column_type, Oid type);
extern LtfdwIntervals ltfdw_intervals_all(void);
extern LtfdwIntervals ltfdw_intervals_compare(int strategy, Datum value, LtfdwOperand kind);
extern LtfdwIntervals ltfdw_intervals_intersect(LtfdwIntervals a, LtfdwIntervals b);
extern LtfdwIntervals ltfdw_intervals_unite(LtfdwIntervals a, LtfdwIntervals b);
extern LtfdwIntervals ltfdw_intervals_normalize(LtfdwInterval *items, int count);

/* in plan.c */
extern void ltfdw_GetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void ltfdw_GetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern ForeignScan *ltfdw_GetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
										 ForeignPath *best_path, List *tlist,
										 List *scan_clauses, Plan *outer_plan);

/* in connection.c */
extern LtfdwConn *ltfdw_connection_get(Oid userid, Oid serverid);
extern ltdb_conn *ltfdw_connection_handle(LtfdwConn *conn);
extern ltdb_next ltfdw_connection_next(LtfdwConn *conn, ltdb_reply *reply,
									   ltdb_record *item);
extern void ltfdw_connection_finish(LtfdwConn *conn, ltdb_reply *reply);
extern LtfdwReply *ltfdw_reply_own(LtfdwConn *conn, ltdb_reply *reply);
extern void ltfdw_reply_release(LtfdwReply *owned);

/* in reader.c */
extern LtfdwReader *ltfdw_reader_new(LtfdwConn *conn, const LtfdwTable *table);
extern void ltfdw_reader_start(LtfdwReader *reader, const LtfdwQuery *query);
extern bool ltfdw_reader_next(LtfdwReader *reader, LtfdwRecord *record);
extern void ltfdw_reader_stop(LtfdwReader *reader);

/* in scan.c */
extern void ltfdw_BeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *ltfdw_IterateForeignScan(ForeignScanState *node);
extern void ltfdw_ReScanForeignScan(ForeignScanState *node);
extern void ltfdw_EndForeignScan(ForeignScanState *node);

/* in convert.c */
extern text *ltfdw_text_from_ltdb(ltdb_text value, const char *what, const char *collection);
extern ltdb_text ltfdw_text_to_ltdb(const char *bytes, int len_bytes);
extern ltdb_text ltfdw_datum_to_ltdb(text *value);
extern bool ltfdw_text_fits_ltdb(const char *bytes, int len_bytes);
extern Datum ltfdw_ts_to_datum(int64 ts_sec, Oid type);
extern int64 ltfdw_ts_from_datum(Datum value, Oid type);
extern int64 ltfdw_usecs_floor_sec(int64 usecs);
extern void ltfdw_record_to_slot(const LtfdwTable *table, const LtfdwRecord *record,
								 uint32 wanted, TupleTableSlot *slot);
extern ltdb_record ltfdw_record_from_datums(const LtfdwTable *table, Datum key, Datum ts);
extern ltdb_record ltfdw_record_from_slot(const LtfdwTable *table, TupleTableSlot *slot);

/* in modify.c */
extern int	ltfdw_IsForeignRelUpdatable(Relation rel);
extern void ltfdw_AddForeignUpdateTargets(PlannerInfo *root, Index rtindex,
										  RangeTblEntry *target_rte, Relation target);
extern List *ltfdw_PlanForeignModify(PlannerInfo *root, ModifyTable *plan,
									 Index result_relation, int subplan_index);
extern void ltfdw_BeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *result_rel,
									 List *fdw_private, int subplan_index, int eflags);
extern void ltfdw_EndForeignModify(EState *estate, ResultRelInfo *result_rel);
extern void ltfdw_BeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *result_rel);
extern void ltfdw_EndForeignInsert(EState *estate, ResultRelInfo *result_rel);
extern TupleTableSlot *ltfdw_ExecForeignInsert(EState *estate, ResultRelInfo *result_rel,
											   TupleTableSlot *slot,
											   TupleTableSlot *plan_slot);
extern TupleTableSlot *ltfdw_ExecForeignDelete(EState *estate, ResultRelInfo *result_rel,
											   TupleTableSlot *slot,
											   TupleTableSlot *plan_slot);

/* in sender.c */
extern LtfdwSender *ltfdw_sender_new(LtfdwConn *conn, const char *collection,
									 int batch_size, bool at_end);
extern void ltfdw_sender_insert(LtfdwSender *sender, const ltdb_record *record);
extern void ltfdw_sender_delete(LtfdwSender *sender, const ltdb_record *record);
extern void ltfdw_sender_flush(LtfdwSender *sender);
extern void ltfdw_sender_finish(LtfdwSender *sender);

/* in explain.c */
extern void ltfdw_ExplainForeignScan(ForeignScanState *node, ExplainState *es);
extern void ltfdw_ExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *result_rel,
									   List *fdw_private, int subplan_index,
									   ExplainState *es);

/* in import.c */
extern List *ltfdw_ImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverid);

#endif							/* LTFDW_FDW_H */
