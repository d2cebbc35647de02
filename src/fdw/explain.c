/*-------------------------------------------------------------------------
 *
 * explain.c
 *		EXPLAIN: what a scan or a write will send to LTDB, in LTDB's words.
 *
 * Nobody is contacted.  With VERBOSE a scan shows its request as it will be
 * sent, with $n or an expression in place of a value that is not known before
 * the scan starts, and * where there are several, which are then listed, or
 * shown by the request that lists them.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

#include "access/stratnum.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

/* Lists longer than this are cut short. */
#define MAX_SHOWN 10

typedef struct Explainer
{
	const LtfdwTable *table;
	List	   *conditions;
	List	   *exprs;			/* the values in them */
	List	   *quals;			/* the clauses that they are, then those on keys */
	List	   *key_filters;
	List	   *limit;			/* LIMIT and OFFSET, if they matter */
	const LtfdwScan *scan;
	List	   *deparse_context;
	ExplainState *es;
} Explainer;

/* The values, those that are constants by now; others are left NULL. */
static LtfdwValue *
constant_values(List *exprs)
{
	LtfdwValue *values = palloc0(Max(list_length(exprs), 1) * sizeof(LtfdwValue));
	int			i = 0;
	ListCell   *cell;

	foreach(cell, exprs)
	{
		Const	   *constant = lfirst(cell);

		values[i].isnull = !IsA(constant, Const) || constant->constisnull;
		if (!values[i].isnull)
			values[i].value = constant->constvalue;
		i++;
	}
	return values;
}

/* Whether all values in a condition, or in every one on a column, are known. */
static bool
is_known(const Explainer *ex, List *condition)
{
	LtfdwLeaf	leaf;
	ListCell   *cell;

	if (ltfdw_condition_leaf(condition, &leaf))
		return IsA(list_nth(ex->exprs, leaf.exprno), Const);
	for_each_from(cell, condition, 1)
		if (!is_known(ex, lfirst_node(List, cell)))
			return false;
	return true;
}

static List *
conditions_on(const Explainer *ex, LtfdwRole role, bool *known)
{
	List	   *result = NIL;
	ListCell   *cell;

	*known = true;
	foreach(cell, ex->conditions)
	{
		List	   *condition = lfirst_node(List, cell);

		if (ltfdw_condition_role(condition) != role)
			continue;
		result = lappend(result, condition);
		*known &= is_known(ex, condition);
	}
	return result;
}

static char *
deparse(const Explainer *ex, Node *node)
{
	return deparse_expression(node, ex->deparse_context, false, false);
}

static void
append_member(StringInfo buf, const char *name)
{
	if (buf->data[buf->len - 1] != '{')
		appendStringInfoString(buf, ", ");
	escape_json(buf, name);
	appendStringInfoString(buf, ": ");
}

static void
append_string_member(StringInfo buf, const char *name, const char *value)
{
	append_member(buf, name);
	escape_json(buf, value);
}

static void
append_int_member(StringInfo buf, const char *name, int64 value)
{
	append_member(buf, name);
	appendStringInfo(buf, INT64_FORMAT, value);
}

/* "query-user {"collection": "weather"": what every request begins with */
static void
begin_request(StringInfo buf, const LtfdwTable *table, ltdb_request_type type)
{
	initStringInfo(buf);
	appendStringInfo(buf, "%s {", ltdb_dialect_ltdb.type[type]);
	append_string_member(buf, ltdb_dialect_ltdb.m_collection, table->collection);
}

/* ---- bounds of ts ---- */

/* The bounds of one side among plain comparisons, such as ">= $1". */
static void
append_bounds(const Explainer *ex, StringInfo buf, const char *name, List *conditions,
			  bool lower, int64 absent)
{
	static const char *const operators[] = {"<>", "<", "<=", "=", ">=", ">"};
	bool		any = false;
	ListCell   *cell;

	foreach(cell, conditions)
	{
		LtfdwLeaf	leaf;

		if (!ltfdw_condition_leaf(lfirst_node(List, cell), &leaf) ||
			leaf.strategy == (lower ? BTLessStrategyNumber : BTGreaterStrategyNumber) ||
			leaf.strategy == (lower ? BTLessEqualStrategyNumber : BTGreaterEqualStrategyNumber))
			continue;
		if (!any)
			append_member(buf, name);
		appendStringInfo(buf, "%s%s %s", any ? " and " : "", operators[leaf.strategy],
						 deparse(ex, list_nth(ex->exprs, leaf.exprno)));
		any = true;
	}
	if (!any)
		append_int_member(buf, name, absent);
}

/* Whether each condition is one comparison with one value, and not <>. */
static bool
are_bounds(List *conditions)
{
	ListCell   *cell;

	foreach(cell, conditions)
	{
		LtfdwLeaf	leaf;

		if (!ltfdw_condition_leaf(lfirst_node(List, cell), &leaf) || leaf.is_array ||
			leaf.strategy == LTFDW_NOT_EQUAL)
			return false;
	}
	return true;
}

/*
 * One end of the interval in which the newest record is sought: known, or
 * given by comparisons, or else one of several.
 */
static void
append_end(const Explainer *ex, StringInfo buf, const char *name,
		   const LtfdwIntervals *times, bool lower)
{
	bool		known;
	List	   *conditions = conditions_on(ex, LTFDW_TS, &known);

	if (times)
		append_int_member(buf, name, lower ? ltfdw_latest_from(times->items[0].from_sec)
						  : Max(times->items[times->count - 1].to_sec, 1));
	else if (are_bounds(conditions))
		append_bounds(ex, buf, name, conditions, lower, lower ? 0 : LTDB_TS_MAX);
	else
	{
		append_member(buf, name);
		appendStringInfoChar(buf, '*');
	}
}

/* ---- keys ---- */

/* The request that lists the keys with records in an interval; see reader.c. */
static char *
list_request(const Explainer *ex, const LtfdwIntervals *times)
{
	StringInfoData buf;

	begin_request(&buf, ex->table, LTDB_REQ_LATEST);
	append_end(ex, &buf, ltdb_dialect_ltdb.m_ts, times, false);
	append_string_member(&buf, ltdb_dialect_ltdb.m_key, "");
	append_end(ex, &buf, ltdb_dialect_ltdb.m_from, times, true);
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

static char *
key_list(const LtfdwKeys *keys)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < keys->count && i < MAX_SHOWN; i++)
	{
		appendStringInfoString(&buf, i ? ", " : "");
		escape_json(&buf, text_to_cstring(keys->items[i]));
	}
	if (keys->count > MAX_SHOWN)
		appendStringInfo(&buf, ", ... (%d)", keys->count);
	return buf.data;
}

/* The clauses on one column, as SQL. */
static char *
clauses_on(const Explainer *ex, LtfdwRole role)
{
	StringInfoData buf;
	ListCell   *condition;
	ListCell   *qual;

	initStringInfo(&buf);
	forboth(condition, ex->conditions, qual, ex->quals)
	{
		if (ltfdw_condition_role(lfirst_node(List, condition)) != role)
			continue;
		appendStringInfoString(&buf, buf.len ? " AND " : "");
		appendStringInfoString(&buf, deparse(ex, lfirst(qual)));
	}
	return buf.data;
}

/* Appends the key member; returns what to say about the keys besides, or NULL. */
static char *
append_key(const Explainer *ex, StringInfo buf, const LtfdwQuery *query, const LtfdwIntervals *times)
{
	LtfdwLeaf	leaf;
	bool		known;
	List	   *conditions = conditions_on(ex, LTFDW_KEY, &known);

	append_member(buf, ltdb_dialect_ltdb.m_key);
	if (known && !query->keys.all && query->keys.count == 1)
		escape_json(buf, text_to_cstring(query->keys.items[0]));
	else if (list_length(conditions) == 1 &&
			 ltfdw_condition_leaf(linitial(conditions), &leaf) && !leaf.is_array)
		appendStringInfoString(buf, deparse(ex, list_nth(ex->exprs, leaf.exprno)));
	else
	{
		appendStringInfoChar(buf, '*');
		return conditions == NIL ? list_request(ex, times) :
			known ? key_list(&query->keys) : clauses_on(ex, LTFDW_KEY);
	}
	return NULL;
}

/* ---- intervals ---- */

static char *
interval_list(const LtfdwIntervals *times)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < times->count && i < MAX_SHOWN; i++)
		appendStringInfo(&buf, "%s" INT64_FORMAT " to " INT64_FORMAT, i ? ", " : "",
						 times->items[i].from_sec, Max(times->items[i].to_sec, 1));
	if (times->count > MAX_SHOWN)
		appendStringInfo(&buf, ", ... (%d)", times->count);
	return buf.data;
}

/* Appends from and to; returns what to say about them besides, or NULL. */
static char *
append_times(const Explainer *ex, StringInfo buf, const LtfdwIntervals *times)
{
	bool		known;
	List	   *conditions = conditions_on(ex, LTFDW_TS, &known);

	if (times && times->count == 1)
	{
		append_int_member(buf, ltdb_dialect_ltdb.m_from, times->items[0].from_sec);
		append_int_member(buf, ltdb_dialect_ltdb.m_to, Max(times->items[0].to_sec, 1));
	}
	else if (!known && are_bounds(conditions))
	{
		append_bounds(ex, buf, ltdb_dialect_ltdb.m_from, conditions, true, LTDB_TS_MIN);
		append_bounds(ex, buf, ltdb_dialect_ltdb.m_to, conditions, false, LTDB_TS_MAX);
	}
	else
	{
		append_member(buf, ltdb_dialect_ltdb.m_from);
		appendStringInfoChar(buf, '*');
		append_member(buf, ltdb_dialect_ltdb.m_to);
		appendStringInfoChar(buf, '*');
		return times ? interval_list(times) : clauses_on(ex, LTFDW_TS);
	}
	return NULL;
}

/* ---- all of a scan ---- */

/* How many records a request asks for at most. */
static int64
request_limit(const Explainer *ex)
{
	Const	   *limit = ex->limit ? linitial(ex->limit) : NULL;
	Const	   *offset = ex->limit ? lsecond(ex->limit) : NULL;
	int64		rows;

	if (ex->scan->reduction == LTFDW_ONE_OF_KEY)
		return 1;
	if (limit == NULL || !IsA(limit, Const) || limit->constisnull || !IsA(offset, Const))
		return ex->table->fetch_size;
	rows = DatumGetInt64(limit->constvalue);
	if (!offset->constisnull)
		rows += DatumGetInt64(offset->constvalue);
	return Min(rows, ex->table->fetch_size);
}

/* Whether the times are one interval, and, as far as is known, after 1970. */
static bool
is_one_interval(const Explainer *ex, const LtfdwIntervals *times)
{
	bool		known;

	if (times)
		return times->count == 1 && times->items[0].to_sec > 0;
	return are_bounds(conditions_on(ex, LTFDW_TS, &known));
}

/* The one request for the newest record of every key; see scan.c. */
static bool
explain_latest(const Explainer *ex, const LtfdwQuery *query, const LtfdwIntervals *times)
{
	StringInfoData buf;
	bool		keys_known;
	List	   *key_conditions = conditions_on(ex, LTFDW_KEY, &keys_known);
	LtfdwLeaf	leaf;

	if (ex->scan->reduction != LTFDW_ONE_OF_KEY || !ex->scan->order.reverse ||
		ltfdw_transaction_writes(ex->table) || !is_one_interval(ex, times))
		return false;
	if (key_conditions == NIL)
	{
		ExplainPropertyText("LTDB Request", list_request(ex, times), ex->es);
		return true;
	}
	if (list_length(key_conditions) != 1 ||
		!ltfdw_condition_leaf(linitial(key_conditions), &leaf) || leaf.is_array)
		return false;
	begin_request(&buf, ex->table, LTDB_REQ_LATEST);
	append_end(ex, &buf, ltdb_dialect_ltdb.m_ts, times, false);
	append_key(ex, &buf, query, times);
	append_end(ex, &buf, ltdb_dialect_ltdb.m_from, times, true);
	appendStringInfoChar(&buf, '}');
	ExplainPropertyText("LTDB Request", buf.data, ex->es);
	return true;
}

static void
explain_key_filters(const Explainer *ex)
{
	if (ex->key_filters)
		ExplainPropertyText("LTDB Key Filter",
							deparse(ex, (Node *) make_ands_explicit(ex->key_filters)), ex->es);
}

static void
explain_order(const Explainer *ex)
{
	const LtfdwOrder *order = &ex->scan->order;
	const char *then = ex->table->kind == LTFDW_PAIRS ? "" :
		order->reverse ? ", ts DESC" : ", ts ASC";

	if (order->key_direction != 0)
		ExplainPropertyText("LTDB Order",
							psprintf("key %s%s", order->key_direction > 0 ? "ASC" : "DESC", then),
							ex->es);
	else if (order->reverse)
		ExplainPropertyText("LTDB Order", "ts DESC", ex->es);
}

static char *
deparse_count(const Explainer *ex, Node *node)
{
	Const	   *constant = (Const *) node;

	if (IsA(node, Const) && !constant->constisnull)
		return psprintf(INT64_FORMAT, DatumGetInt64(constant->constvalue));
	return deparse(ex, node);
}

static void
explain_limit(const Explainer *ex)
{
	StringInfoData buf;

	if (ex->scan->reduction == LTFDW_ALL_ROWS)
		return;
	initStringInfo(&buf);
	if (ex->scan->reduction == LTFDW_ONE_OF_KEY)
		appendStringInfoString(&buf, "1");
	else
	{
		Const	   *offset = lsecond(ex->limit);

		appendStringInfoString(&buf, deparse_count(ex, linitial(ex->limit)));
		if (!IsA(offset, Const) || !offset->constisnull)
			appendStringInfo(&buf, " + %s", deparse_count(ex, (Node *) offset));
	}
	if (ex->scan->reduction != LTFDW_FIRST_ROWS)
		appendStringInfoString(&buf, " for each key");
	ExplainPropertyText("LTDB Limit", buf.data, ex->es);
}

static void
explain_counters(const LtfdwScan *scan, ExplainState *es)
{
	const LtfdwCounters *counters = &scan->counters;
	int64		unread = scan->reader ? ltfdw_reader_bytes(scan->reader) : 0;

	ExplainPropertyInteger("LTDB Requests", NULL, counters->requests, es);
	ExplainPropertyInteger("LTDB Records", NULL, counters->records, es);
	ExplainPropertyInteger("LTDB Bytes", NULL, counters->bytes + unread, es);
	if (es->timing)
		ExplainPropertyFloat("LTDB Wait Time", "ms",
							 INSTR_TIME_GET_MILLISEC(counters->wait_time), 3, es);
}

/* Key-value pairs: all of them, or one request for each key. */
static void
explain_pairs(const Explainer *ex, const LtfdwQuery *query)
{
	StringInfoData buf;
	bool		known;
	bool		all = conditions_on(ex, LTFDW_KEY, &known) == NIL;
	char	   *keys = NULL;

	begin_request(&buf, ex->table, all ? LTDB_REQ_LIST_VALUES : LTDB_REQ_GET_VALUE);
	if (!all)
		keys = append_key(ex, &buf, query, NULL);
	appendStringInfoChar(&buf, '}');
	ExplainPropertyText("LTDB Request", buf.data, ex->es);
	if (keys)
		ExplainPropertyText("LTDB Keys", keys, ex->es);
	explain_key_filters(ex);
}

/* The requests; true if it is one that promises no order. */
static bool
explain_requests(const Explainer *ex)
{
	LtfdwQuery	query = ltfdw_query_evaluate(ex->conditions, constant_values(ex->exprs));
	bool		keys_known;
	bool		times_known;
	StringInfoData buf;
	char	   *keys;
	char	   *times;

	conditions_on(ex, LTFDW_KEY, &keys_known);
	conditions_on(ex, LTFDW_TS, &times_known);
	if ((times_known && query.times.count == 0) ||
		(keys_known && !query.keys.all && query.keys.count == 0))
	{
		ExplainPropertyText("LTDB Request", "none", ex->es);
		return true;
	}

	if (ex->table->kind == LTFDW_PAIRS)
	{
		explain_pairs(ex, &query);
		return false;
	}
	if (explain_latest(ex, &query, times_known ? &query.times : NULL))
	{
		explain_key_filters(ex);
		return true;
	}
	begin_request(&buf, ex->table, LTDB_REQ_FETCH);
	keys = append_key(ex, &buf, &query, times_known ? &query.times : NULL);
	times = append_times(ex, &buf, times_known ? &query.times : NULL);
	append_int_member(&buf, ltdb_dialect_ltdb.m_limit, request_limit(ex));
	if (ex->scan->order.reverse)
	{
		append_member(&buf, ltdb_dialect_ltdb.m_reverse);
		appendStringInfoString(&buf, "true");
	}
	appendStringInfoChar(&buf, '}');

	ExplainPropertyText("LTDB Request", buf.data, ex->es);
	if (keys)
		ExplainPropertyText("LTDB Keys", keys, ex->es);
	explain_key_filters(ex);
	if (times)
		ExplainPropertyText("LTDB Intervals", times, ex->es);
	return false;
}

/* ---- the callbacks ---- */

static Explainer
explainer_of(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Explainer	ex = {0};

	ex.scan = node->fdw_state;
	ex.table = ex.scan->table;
	ex.conditions = ex.scan->conditions;
	ex.exprs = list_nth_node(List, plan->fdw_exprs, LTFDW_SCAN_VALUES);
	ex.key_filters = list_nth_node(List, plan->fdw_exprs, LTFDW_SCAN_KEY_FILTERS);
	ex.limit = list_nth_node(List, plan->fdw_exprs, LTFDW_SCAN_LIMIT);
	ex.quals = plan->fdw_recheck_quals;
	ex.es = es;
	ex.deparse_context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan, NIL);
	return ex;
}

void
ltfdw_ExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	if (es->verbose)
	{
		Explainer	ex = explainer_of(node, es);

		if (!explain_requests(&ex))
			explain_order(&ex);
		explain_limit(&ex);
	}
	if (es->analyze)
		explain_counters(node->fdw_state, es);
}

/* A DELETE of whole keys: what counts their records, and what deletes them. */
void
ltfdw_ExplainDirectModify(ForeignScanState *node, ExplainState *es)
{
	Explainer	ex;
	LtfdwQuery	query;
	StringInfoData buf;

	ltfdw_ExplainForeignScan(node, es);
	if (!es->verbose)
		return;
	ex = explainer_of(node, es);
	query = ltfdw_query_evaluate(ex.conditions, constant_values(ex.exprs));
	begin_request(&buf, ex.table, LTDB_REQ_DELETE_KEY);
	(void) append_key(&ex, &buf, &query, &query.times);
	appendStringInfoChar(&buf, '}');
	ExplainPropertyText("LTDB Deletion", buf.data, es);
}

/* The request that a row becomes, or a part of. */
static ltdb_request_type
modify_request(const LtfdwTable *table, CmdType operation)
{
	if (table->kind == LTFDW_PAIRS)
		return operation == CMD_DELETE ? LTDB_REQ_DELETE_VALUE : LTDB_REQ_SET_VALUE;
	return operation == CMD_DELETE ? LTDB_REQ_DELETE_RECORDS : LTDB_REQ_INSERT;
}

void
ltfdw_ExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *result_rel,
						   List *fdw_private, int subplan_index, ExplainState *es)
{
	LtfdwTable *table;
	StringInfoData buf;

	if (!es->verbose)
		return;
	table = ltfdw_table_load(result_rel->ri_RelationDesc);
	begin_request(&buf, table, modify_request(table, mtstate->operation));
	appendStringInfoChar(&buf, '}');
	ExplainPropertyText("LTDB Request", buf.data, es);
	if (table->kind == LTFDW_RECORDS)
		ExplainPropertyInteger("LTDB Batch Size", NULL, table->batch_size, es);
}
