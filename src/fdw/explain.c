/*-------------------------------------------------------------------------
 *
 * explain.c
 *		EXPLAIN: what a scan or a write will send to LTDB, in LTDB's words.
 *
 * Nobody is contacted.  With VERBOSE a scan shows its requests as they will
 * be sent, with $n or the expression in place of a value that is not known
 * before the scan starts.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "compat.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

/* Lists longer than this are cut short. */
#define MAX_SHOWN 10

/* The values, if all are constants by now; else NULL. */
static LtfdwValue *
constant_values(List *exprs)
{
	LtfdwValue *values = palloc0(Max(list_length(exprs), 1) * sizeof(LtfdwValue));
	int			i = 0;
	ListCell   *cell;

	foreach(cell, exprs)
	{
		Const	   *constant = lfirst(cell);

		if (!IsA(constant, Const))
			return NULL;
		values[i].value = constant->constvalue;
		values[i++].isnull = constant->constisnull;
	}
	return values;
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
	appendStringInfo(buf, "%s {", ltdb_dialect_ltdb.type[type]);
	append_string_member(buf, ltdb_dialect_ltdb.m_collection, table->collection);
}

/* The request that lists the keys of an interval; see reader.c. */
static void
append_list_keys(StringInfo buf, const LtfdwTable *table, const LtfdwIntervals *times)
{
	begin_request(buf, table, LTDB_REQ_LATEST);
	append_int_member(buf, ltdb_dialect_ltdb.m_ts, Max(times->items[times->count - 1].to_sec, 1));
	append_string_member(buf, ltdb_dialect_ltdb.m_key, "");
	append_int_member(buf, ltdb_dialect_ltdb.m_from, times->items[0].from_sec);
	appendStringInfoString(buf, "}, then for each key ");
}

static void
append_key_member(StringInfo buf, const LtfdwKeys *keys)
{
	append_member(buf, ltdb_dialect_ltdb.m_key);
	if (keys->all)
		appendStringInfoString(buf, "*");
	else if (keys->count == 1)
		escape_json(buf, text_to_cstring(keys->items[0]));
	else
	{
		for (int i = 0; i < keys->count && i < MAX_SHOWN; i++)
		{
			appendStringInfoString(buf, i ? " | " : "");
			escape_json(buf, text_to_cstring(keys->items[i]));
		}
		if (keys->count > MAX_SHOWN)
			appendStringInfo(buf, " | ... (%d keys)", keys->count);
	}
}

/* Requests whose values are all known. */
static void
append_known(StringInfo buf, const LtfdwTable *table, const LtfdwQuery *query)
{
	int			shown = Min(query->times.count, MAX_SHOWN);

	if (query->keys.all)
		append_list_keys(buf, table, &query->times);
	for (int i = 0; i < shown; i++)
	{
		const LtfdwInterval *interval = &query->times.items[i];

		if (i > 0)
			appendStringInfoString(buf, ", ");
		begin_request(buf, table, LTDB_REQ_FETCH);
		append_key_member(buf, &query->keys);
		append_int_member(buf, ltdb_dialect_ltdb.m_from, interval->from_sec);
		append_int_member(buf, ltdb_dialect_ltdb.m_to, Max(interval->to_sec, 1));
		append_int_member(buf, ltdb_dialect_ltdb.m_limit, table->fetch_size);
		appendStringInfoChar(buf, '}');
	}
	if (query->times.count > shown)
		appendStringInfo(buf, ", ... (%d intervals)", query->times.count);
}

/* Requests with values that are computed when the scan starts. */
static void
append_unknown(StringInfo buf, ForeignScanState *node, const LtfdwScan *scan, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	List	   *context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan, NIL);
	bool		has_key = false;
	ListCell   *cell;

	foreach(cell, scan->conditions)
		has_key |= ltfdw_condition_role(lfirst_node(List, cell)) == LTFDW_KEY;
	if (!has_key)
	{
		begin_request(buf, scan->table, LTDB_REQ_LATEST);
		appendStringInfoString(buf, "}, then for each key ");
	}
	begin_request(buf, scan->table, LTDB_REQ_FETCH);
	appendStringInfoString(buf, "} where ");
	for (int i = 0; i < list_length(plan->fdw_recheck_quals); i++)
	{
		Node	   *qual = list_nth(plan->fdw_recheck_quals, i);

		appendStringInfoString(buf, i ? " AND " : "");
		appendStringInfoString(buf, deparse_expression(qual, context, es->verbose, false));
	}
}

void
ltfdw_ExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	LtfdwScan  *scan = node->fdw_state;
	LtfdwValue *values;
	StringInfoData buf;

	if (!es->verbose)
		return;
	initStringInfo(&buf);
	values = constant_values(plan->fdw_exprs);
	if (values == NULL)
		append_unknown(&buf, node, scan, es);
	else
	{
		LtfdwQuery	query = ltfdw_query_evaluate(scan->conditions, values);

		if (ltfdw_query_is_empty(&query))
			appendStringInfoString(&buf, "none");
		else
			append_known(&buf, scan->table, &query);
	}
	ExplainPropertyText("LTDB Request", buf.data, es);
	pfree(buf.data);
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
	initStringInfo(&buf);
	begin_request(&buf, table, mtstate->operation == CMD_DELETE
				  ? LTDB_REQ_DELETE_RECORDS : LTDB_REQ_INSERT);
	appendStringInfoChar(&buf, '}');
	ExplainPropertyText("LTDB Request", buf.data, es);
	ExplainPropertyInteger("LTDB Batch Size", NULL, table->batch_size, es);
	pfree(buf.data);
}
