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

#include "executor/executor.h"
#include "executor/tuptable.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "portability/instr_time.h"
#include "utils/relcache.h"
#include "utils/tuplestore.h"

#include "../client/ltdb.h"
#include "compat.h"
#include "field.h"

#define LTFDW_USECS_PER_SEC INT64CONST(1000000)

/* Seconds from the Unix epoch to PostgreSQL's, 2000-01-01. */
#define LTFDW_PG_EPOCH_SEC INT64CONST(946684800)

/* The member of an LTDB record that a column shows. */
typedef enum LtfdwRole
{
	LTFDW_NOTHING,				/* a dropped column */
	LTFDW_KEY,
	LTFDW_TS,
	LTFDW_DATA,
	LTFDW_FIELD					/* a member of the JSON object in data */
} LtfdwRole;

typedef struct LtfdwColumn
{
	LtfdwRole	role;
	Oid			type;			/* a domain's base type */
	LtfdwField *field;			/* NULL unless the role is LTFDW_FIELD */
} LtfdwColumn;

/* What the planner reckons with, in units of a sequential page read. */
typedef struct LtfdwPrices
{
	double		startup;		/* a connection */
	double		request;		/* a request and its answer */
	double		record;			/* a record in an answer */
	bool		remote_estimate;	/* ask the server while planning */
	bool		async;			/* may be scanned beside other tables */
} LtfdwPrices;

/* What of a collection a table shows. */
typedef enum LtfdwKind
{
	LTFDW_RECORDS,				/* time-series records */
	LTFDW_PAIRS					/* key-value pairs: records without a ts */
} LtfdwKind;

/* The ts that a pair has where one is needed. */
#define LTFDW_PAIR_TS 0

/* What the catalogs say of one foreign table: option.c, column.c. */
typedef struct LtfdwTable
{
	Oid			relid;
	Oid			serverid;
	LtfdwKind	kind;
	char	   *collection;		/* in the database's encoding */
	int			fetch_size;		/* records a request */
	int			batch_size;		/* rows a message */
	bool		invalid_json_is_null;
	bool		write_at_commit;	/* write_mode */
	LtfdwPrices prices;
	int			ncolumns;
	LtfdwColumn *columns;		/* by attribute number - 1 */
	AttrNumber	key_att;		/* 0 = the table does not show it */
	AttrNumber	ts_att;
	AttrNumber	data_att;
	int			nfields;		/* columns that show a field */
} LtfdwTable;

/* Shows records as rows, some columns of them: convert.c. */
typedef struct LtfdwProjection
{
	const LtfdwTable *table;
	bool	   *wanted;			/* by attribute number - 1 */
	int			nfields;		/* fields among the wanted */
	LtfdwField **fields;
	AttrNumber *field_atts;
	ltdb_text  *found;			/* room for the values of a record */
	LtfdwShape	shape;
} LtfdwProjection;

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

/* The order in which a scan shows its rows: by key, then by ts. */
typedef struct LtfdwOrder
{
	int			key_direction;	/* 1 ascending, -1 descending, 0 any order */
	Oid			collation;		/* of the keys, if they are in order */
	bool		reverse;		/* within a key: newest first */
} LtfdwOrder;

/* Which rows the rest of the query can do without: reduce.c. */
typedef enum LtfdwReduction
{
	LTFDW_ALL_ROWS,
	LTFDW_FIRST_ROWS,			/* the first n of the scan are enough */
	LTFDW_FIRST_OF_KEY,			/* the first n of each key are enough */
	LTFDW_ONE_OF_KEY			/* the first of each key is enough */
} LtfdwReduction;

/* What a scan asks LTDB for, values known. */
typedef struct LtfdwQuery
{
	LtfdwKeys	keys;
	LtfdwIntervals times;
} LtfdwQuery;

/* How much of what a query asks for is read, and in which order. */
typedef struct LtfdwReading
{
	bool		reverse;		/* within a key: newest first */
	int64		limit;			/* records in all, -1 = no limit */
	int64		key_limit;		/* records of each key, -1 = no limit */
	struct LtfdwWriteSet *writes;	/* to merge with what the server has, or NULL */
	CommandId	cid;			/* the command that reads */
	bool		raw_data;		/* nobody is going to look at data */
} LtfdwReading;

/*
 * What the planner found that LTDB can answer: pushdown.c.  The conditions
 * are trees of Lists and Integers (see condition.c) whose leaves point into
 * exprs.
 */
typedef struct LtfdwPushdown
{
	List	   *remote;			/* RestrictInfos that the request answers */
	List	   *key_filters;	/* RestrictInfos on the key, checked for each key */
	List	   *local;			/* RestrictInfos that the executor must check */
	List	   *conditions;		/* of remote, in the same order */
	List	   *exprs;			/* values to compute when the scan starts */
	bool		all_keys;		/* no condition on key: the server lists them */
	bool		single_key;		/* the conditions leave one key or none */
} LtfdwPushdown;

/* fdw_private of a ForeignPath: its one element. */
typedef struct LtfdwPath
{
	LtfdwPushdown *pushdown;
	LtfdwOrder	order;
	LtfdwReduction reduction;
} LtfdwPath;

/* fdw_private of a RelOptInfo. */
typedef struct LtfdwRel
{
	LtfdwTable *table;
	LtfdwPushdown *pushdown;	/* of the restrictions without any join */
	double		key_count;		/* keys in the collection */
} LtfdwRel;

/* fdw_private of a ForeignScan, in this order. */
enum LtfdwScanPrivate
{
	LTFDW_SCAN_CONDITIONS,		/* as LtfdwPushdown.conditions */
	LTFDW_SCAN_WANTED,			/* List of Integers: attributes that are read */
	LTFDW_SCAN_KEY_DIRECTION,	/* Integer */
	LTFDW_SCAN_COLLATION,		/* Integer */
	LTFDW_SCAN_REVERSE,			/* Integer */
	LTFDW_SCAN_REDUCTION,		/* Integer */
	LTFDW_SCAN_SET_PROCESSED	/* Integer, of a direct DELETE only: count its rows */
};

/* fdw_exprs of a ForeignScan: a List each, in this order. */
enum LtfdwScanExprs
{
	LTFDW_SCAN_VALUES,			/* as LtfdwPushdown.exprs */
	LTFDW_SCAN_KEY_FILTERS,		/* clauses that a key must satisfy */
	LTFDW_SCAN_LIMIT			/* LIMIT and OFFSET, NULL Consts where absent */
};

/* One session's connection for one user mapping: connection.c. */
typedef struct LtfdwConn LtfdwConn;

/* What a scan has cost so far, for EXPLAIN ANALYZE. */
typedef struct LtfdwCounters
{
	int64		requests;
	int64		records;
	int64		bytes;			/* of answers */
	bool		timing;			/* measure wait_time */
	instr_time	wait_time;
} LtfdwCounters;

/* A reply with an owner: freed at the latest with its memory context. */
typedef struct LtfdwReply
{
	ltdb_reply *reply;			/* NULL = none */
	MemoryContextCallback release;
} LtfdwReply;

/* A list of keys on its way from the server: keys.c. */
typedef struct LtfdwKeyList LtfdwKeyList;

/* All key-value pairs of a collection: pairs.c. */
typedef struct LtfdwPairs LtfdwPairs;

/* Walks keys, intervals and pages with requests in flight: reader.c. */
typedef struct LtfdwReader LtfdwReader;

/* Writes to a collection that have yet to be sent: writeset.c. */
typedef struct LtfdwWriteSet LtfdwWriteSet;

/* Where the writes of one statement to one table go: target.c. */
typedef struct LtfdwTarget LtfdwTarget;

/* What a reader hands out: one record and the key it belongs to. */
typedef struct LtfdwRecord
{
	text	   *key;			/* in the database's encoding */
	int64		ts_sec;
	ltdb_text	data;			/* UTF-8; lent until the next record */
} LtfdwRecord;

/* How far a run of a scan has come. */
typedef enum LtfdwPhase
{
	LTFDW_BEFORE,				/* nothing computed yet */
	LTFDW_EMPTY,				/* the conditions contradict each other */
	LTFDW_LISTING,				/* waiting for the keys */
	LTFDW_COLLECTING,			/* waiting for the newest records, or for all pairs */
	LTFDW_READING,
	LTFDW_STORED				/* all rows are in stored: read from there */
} LtfdwPhase;

/* fdw_state of a ForeignScanState: scan.c. */
typedef struct LtfdwScan
{
	LtfdwTable *table;
	LtfdwProjection *projection;	/* of what is read */
	LtfdwProjection *key_projection;	/* of the key alone */
	List	   *conditions;
	LtfdwOrder	order;
	LtfdwReduction reduction;
	bool		keep;			/* keep the rows, in case of a rescan */

	List	   *value_states;	/* ExprStates: conditions' values, key filters' parameters */
	ExprState  *key_filter;		/* NULL = none */
	List	   *limit_states;

	MemoryContext query_cxt;	/* what one run computes */
	LtfdwValue *values;
	LtfdwQuery	query;
	Oid			userid;
	LtfdwConn  *conn;			/* NULL until the first row is asked for */
	LtfdwWriteSet *writes;		/* of this transaction, or NULL */
	CommandId	cid;			/* of the command that reads */
	LtfdwPhase	phase;
	bool		again;			/* begin a run with the next row */
	bool		pending;		/* the last call found no row, but there may be more */
	LtfdwKeyList *key_list;
	LtfdwReply *latest;			/* the newest records, or NULL */
	LtfdwPairs *pairs;			/* all pairs, or NULL */
	LtfdwReader *reader;
	LtfdwTarget *target;		/* of a direct DELETE */
	Tuplestorestate *stored;	/* rows kept, or collected before the first is shown */
	TupleTableSlot *stored_slot;
	LtfdwCounters counters;
} LtfdwScan;

/* in ltdb_fdw.c */
extern PGDLLEXPORT Datum ltfdw_handler(PG_FUNCTION_ARGS);

/* in option.c */
extern const char *ltfdw_option_get(List *options, const char *name);
extern bool ltfdw_server_is_ltdb(ForeignServer *server);
extern void ltfdw_server_options(ForeignServer *server, ltdb_options *options,
								 bool *keep_connections);
extern const char *ltfdw_user_api_key(UserMapping *user);
extern const char *ltfdw_column_option(Oid relid, AttrNumber attnum, const char *name);

/* in table.c */
extern LtfdwTable *ltfdw_table_load(Relation rel);
extern LtfdwTable *ltfdw_table_load_by_oid(Oid relid);
extern LtfdwTable *ltfdw_table_of_collection(Oid serverid, LtfdwKind kind,
											 const char *collection);
extern bool ltfdw_same_collection(const LtfdwTable *a, const LtfdwTable *b);
extern bool ltfdw_table_updatable(Oid relid);
extern bool ltfdw_table_truncatable(Oid relid);

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
extern bool ltfdw_condition_is_true(List *condition);
extern LtfdwQuery ltfdw_query_evaluate(List *conditions, const LtfdwValue *values);
extern bool ltfdw_query_is_empty(const LtfdwQuery *query);

/* in interval.c */
extern LtfdwOperand ltfdw_operand_kind(Oid column_type, Oid type);
extern LtfdwIntervals ltfdw_intervals_all(void);
extern LtfdwIntervals ltfdw_intervals_compare(int strategy, Datum value, LtfdwOperand kind);
extern LtfdwIntervals ltfdw_intervals_intersect(LtfdwIntervals a, LtfdwIntervals b);
extern LtfdwIntervals ltfdw_intervals_normalize(LtfdwInterval *items, int count);
extern LtfdwInterval ltfdw_intervals_span(LtfdwIntervals times);

/* in keys.c */
extern int	ltfdw_key_compare(const text *a, const text *b);
extern void ltfdw_keys_normalize(LtfdwKeys *keys);
extern LtfdwKeys ltfdw_keys_intersect(LtfdwKeys a, LtfdwKeys b);
extern void ltfdw_warn_about_empty_key(const char *collection);
extern void ltfdw_keys_order(LtfdwKeys *keys, const LtfdwOrder *order);
extern int64 ltfdw_latest_from(int64 from_sec);
extern LtfdwKeyList *ltfdw_key_list_start(LtfdwConn *conn, const char *collection,
										  LtfdwInterval interval, LtfdwCounters *counters);
extern ltdb_next ltfdw_key_list_next(LtfdwKeyList *list, LtfdwKeys *keys, bool wait);
extern LtfdwKeys ltfdw_keys_list(LtfdwConn *conn, const char *collection,
								 LtfdwInterval interval, LtfdwCounters *counters);

/* in plan.c */
extern void ltfdw_GetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void ltfdw_GetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern ForeignScan *ltfdw_GetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid,
										 ForeignPath *best_path, List *tlist,
										 List *scan_clauses, Plan *outer_plan);

/* in order.c */
extern List *ltfdw_order_candidates(PlannerInfo *root, RelOptInfo *rel);
extern List *ltfdw_order_match(PlannerInfo *root, RelOptInfo *rel, bool single_key,
							   List *pathkeys, LtfdwOrder *order);
extern LtfdwRole ltfdw_pathkey_role(PlannerInfo *root, RelOptInfo *rel, PathKey *pathkey);

/* in reduce.c */
extern LtfdwReduction ltfdw_reduce_rows(PlannerInfo *root, RelOptInfo *rel,
										const LtfdwPushdown *pushdown, List *pathkeys,
										LtfdwOrder *order);
extern List *ltfdw_limit_exprs(PlannerInfo *root);

/* in estimate.c */
extern void ltfdw_estimate_path(PlannerInfo *root, RelOptInfo *rel, const LtfdwPath *path,
								ParamPathInfo *param_info, double *rows,
								Cost *startup_cost, Cost *total_cost);
extern void ltfdw_estimate_collection(RelOptInfo *rel, LtfdwRel *lrel);

/* in connection.c */
extern LtfdwConn *ltfdw_connection_get(Oid userid, Oid serverid);
extern ltdb_conn *ltfdw_connection_handle(LtfdwConn *conn);
extern ltdb_next ltfdw_connection_next(LtfdwConn *conn, ltdb_reply *reply,
									   ltdb_record *item, LtfdwCounters *counters);
extern ltdb_next ltfdw_connection_ask(LtfdwConn *conn, ltdb_reply *reply, ltdb_record *item,
									  LtfdwCounters *counters, bool wait);
extern void ltfdw_connection_await_socket(LtfdwConn *conn);
extern void ltfdw_connection_finish(LtfdwConn *conn, ltdb_reply *reply);
extern LtfdwReply *ltfdw_reply_own(ltdb_reply *reply);
extern void ltfdw_reply_release(LtfdwReply *owned);
extern void ltfdw_counters_add(LtfdwCounters *counters, const ltdb_reply *reply);

/* in reader.c */
extern LtfdwReader *ltfdw_reader_new(LtfdwConn *conn, const LtfdwTable *table,
									 LtfdwCounters *counters);
extern void ltfdw_reader_start(LtfdwReader *reader, const LtfdwQuery *query,
							   LtfdwReading reading);
extern ltdb_next ltfdw_reader_next(LtfdwReader *reader, LtfdwRecord *record, bool wait);
extern int64 ltfdw_reader_bytes(const LtfdwReader *reader);
extern void ltfdw_reader_stop(LtfdwReader *reader);

/* in pairs.c */
extern const LtfdwInterval ltfdw_pair_interval;

extern LtfdwPairs *ltfdw_pairs_start(LtfdwConn *conn, const LtfdwTable *table, bool keys_only,
									 LtfdwWriteSet *writes, CommandId cid,
									 LtfdwCounters *counters);
extern ltdb_next ltfdw_pairs_next(LtfdwPairs *pairs, LtfdwRecord *record, bool wait);
extern double ltfdw_pairs_count(LtfdwConn *conn, const LtfdwTable *table);

/* in values.c */
extern List *ltfdw_values_of_run(List *values, List *filters);
extern LtfdwValue *ltfdw_values_compute(ForeignScanState *node, LtfdwScan *scan);
extern bool ltfdw_values_same(const LtfdwScan *scan, const LtfdwValue *a, const LtfdwValue *b);

/* in scan.c */
extern void ltfdw_BeginForeignScan(ForeignScanState *node, int eflags);
extern bool ltfdw_scan_next_record(ForeignScanState *node, LtfdwRecord *record);
extern TupleTableSlot *ltfdw_IterateForeignScan(ForeignScanState *node);
extern void ltfdw_ReScanForeignScan(ForeignScanState *node);
extern void ltfdw_EndForeignScan(ForeignScanState *node);

/* in async.c */
extern bool ltfdw_IsForeignPathAsyncCapable(ForeignPath *path);
extern void ltfdw_ForeignAsyncRequest(AsyncRequest *areq);
extern void ltfdw_ForeignAsyncConfigureWait(AsyncRequest *areq);
extern void ltfdw_ForeignAsyncNotify(AsyncRequest *areq);

/* in convert.c */
extern text *ltfdw_text_from_ltdb(ltdb_text value, const char *what, const char *collection);
extern ltdb_text ltfdw_text_to_ltdb(const char *bytes, int len_bytes);
extern ltdb_text ltfdw_datum_to_ltdb(text *value);
extern bool ltfdw_text_fits_here(ltdb_text value);
extern bool ltfdw_text_fits_ltdb(const char *bytes, int len_bytes);
extern Datum ltfdw_ts_to_datum(int64 ts_sec, Oid type);
extern int64 ltfdw_usecs_floor_sec(int64 usecs);
extern LtfdwProjection *ltfdw_projection_new(const LtfdwTable *table, List *attnums);
extern bool ltfdw_projection_reads_data(const LtfdwProjection *projection);
extern void ltfdw_record_to_slot(LtfdwProjection *projection, const LtfdwRecord *record,
								 TupleTableSlot *slot);
extern void ltfdw_clear_system_columns(TupleTableSlot *slot);
extern Datum ltfdw_data_to_datum(const LtfdwTable *table, const LtfdwRecord *record,
								 bool *isnull);
extern ltdb_record ltfdw_record_from_datums(const LtfdwTable *table, Datum key, Datum ts);
extern ltdb_record ltfdw_identity_from_slot(const LtfdwTable *table, TupleTableSlot *slot);
extern ltdb_text ltfdw_data_column_to_ltdb(const LtfdwTable *table, TupleTableSlot *slot);
extern void ltfdw_check_data(const LtfdwTable *table, ltdb_text data);
extern ltdb_record ltfdw_record_from_slot(const LtfdwTable *table, TupleTableSlot *slot);

/* in field_value.c */
extern text *ltfdw_fields_to_json(const LtfdwTable *table, TupleTableSlot *slot);
extern text *ltfdw_fields_patch(const LtfdwTable *table, ltdb_text data,
								TupleTableSlot *old_row, TupleTableSlot *new_row);
extern bool ltfdw_fields_changed(const LtfdwTable *table, TupleTableSlot *old_row,
								 TupleTableSlot *new_row);

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
extern TupleTableSlot *ltfdw_ExecForeignUpdate(EState *estate, ResultRelInfo *result_rel,
											   TupleTableSlot *slot,
											   TupleTableSlot *plan_slot);
extern TupleTableSlot *ltfdw_ExecForeignDelete(EState *estate, ResultRelInfo *result_rel,
											   TupleTableSlot *slot,
											   TupleTableSlot *plan_slot);

/* in direct.c */
extern bool ltfdw_PlanDirectModify(PlannerInfo *root, ModifyTable *plan,
								   Index result_relation, int subplan_index);
extern void ltfdw_BeginDirectModify(ForeignScanState *node, int eflags);
extern TupleTableSlot *ltfdw_IterateDirectModify(ForeignScanState *node);
extern void ltfdw_EndDirectModify(ForeignScanState *node);

/* in commit.c; more of it, and of its neighbours, in write.h */
extern void ltfdw_transaction_init(void);

/* in truncate.c */
extern void ltfdw_ExecForeignTruncate(List *rels, DropBehavior behavior, bool restart_seqs);

/* in explain.c */
extern void ltfdw_ExplainForeignScan(ForeignScanState *node, ExplainState *es);
extern void ltfdw_ExplainDirectModify(ForeignScanState *node, ExplainState *es);
extern void ltfdw_ExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *result_rel,
									   List *fdw_private, int subplan_index,
									   ExplainState *es);

/* in analyze.c */
extern bool ltfdw_AnalyzeForeignTable(Relation rel, AcquireSampleRowsFunc *func,
									  BlockNumber *total_pages);

/* in import.c */
extern List *ltfdw_ImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverid);
extern char *ltfdw_identifier(const char *name);

/* in infer.c */
extern char *ltfdw_infer_columns(LtfdwConn *conn, Oid serverid, const char *collection);

#endif							/* LTFDW_FDW_H */
