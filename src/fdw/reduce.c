/*-------------------------------------------------------------------------
 *
 * reduce.c
 *		Which rows of a scan the rest of the query can do without.
 *
 * Nothing above the scan is taken away: LIMIT, DISTINCT and aggregates are
 * computed by PostgreSQL as ever.  But where the result is the same, the scan
 * need not show them
 *
 *		more than the first n rows, in the order asked for: LIMIT n
 *		more than the first n rows of each key: ORDER BY ts LIMIT n
 *		more than the first row of each key: DISTINCT ON (key) ... ORDER BY
 *			key, ts; DISTINCT key; GROUP BY key; min(ts) or max(ts) of each
 *			key, or of all
 *
 * It is the same only if every row that the scan shows reaches the step in
 * question: one table, no filter that LTDB leaves to us but those on the key,
 * no set-returning function, no row lock.  Key-value pairs are one a key, so
 * there is nothing to leave out.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* Whether each row of the scan is a row of the query, and nothing else is. */
static bool
scan_is_query(PlannerInfo *root, RelOptInfo *rel, const LtfdwPushdown *pushdown)
{
	Query	   *parse = root->parse;
	Relids		table = rel->top_parent_relids ? rel->top_parent_relids : rel->relids;

	return parse->commandType == CMD_SELECT && pushdown->local == NIL &&
		bms_equal(root->all_baserels, table) &&
		parse->rowMarks == NIL && parse->setOperations == NULL &&
		!parse->hasTargetSRFs && !parse->hasWindowFuncs && parse->groupingSets == NIL;
}

/* ---- LIMIT ---- */

static bool
is_plain_limit(PlannerInfo *root)
{
	Query	   *parse = root->parse;

	return parse->limitCount != NULL && parse->limitOption == LIMIT_OPTION_COUNT &&
		parse->distinctClause == NIL && parse->groupClause == NIL && !parse->hasAggs &&
		parse->havingQual == NULL &&
		!contain_volatile_functions(parse->limitCount) &&
		!contain_subplans(parse->limitCount) &&
		!contain_volatile_functions(parse->limitOffset) &&
		!contain_subplans(parse->limitOffset);
}

/*
 * A limit counts rows in the order of the query.  If the scan keeps that order
 * it counts rows of the scan; if the query is ordered by ts first, then of
 * each key only the first n can be among the first n of all, and these are
 * n different ts, so that what else the query is ordered by does not matter.
 */
static LtfdwReduction
reduce_by_limit(PlannerInfo *root, RelOptInfo *rel, List *pathkeys, LtfdwOrder *order)
{
	PathKey    *first;

	if (pathkeys_contained_in(root->sort_pathkeys, pathkeys))
		return LTFDW_FIRST_ROWS;
	first = linitial_node(PathKey, root->sort_pathkeys);
	if (pathkeys != NIL || ltfdw_pathkey_role(root, rel, first) != LTFDW_TS)
		return LTFDW_ALL_ROWS;
	order->reverse = ltfdw_pathkey_descends(first);
	return LTFDW_FIRST_OF_KEY;
}

/* LIMIT and OFFSET for the executor, which computes them like any value. */
List *
ltfdw_limit_exprs(PlannerInfo *root)
{
	Node	   *absent = (Node *) makeNullConst(INT8OID, -1, InvalidOid);

	return list_make2(root->parse->limitCount ? root->parse->limitCount : absent,
					  root->parse->limitOffset ? root->parse->limitOffset : absent);
}

/* ---- one row of each key ---- */

/* Whether rows are told apart by nothing but their key. */
static bool
only_by_key(PlannerInfo *root, RelOptInfo *rel, const LtfdwPushdown *pushdown,
			List *clauses, List *pathkeys)
{
	ListCell   *cell;

	/* what cannot be sorted has no pathkeys, nor what equals a constant */
	if (!grouping_is_sortable(clauses) || (pathkeys == NIL && !pushdown->single_key))
		return false;
	foreach(cell, pathkeys)
		if (ltfdw_pathkey_role(root, rel, lfirst_node(PathKey, cell)) != LTFDW_KEY)
			return false;
	return true;
}

/*
 * DISTINCT ON (key) keeps the first row in the order of the query: the newest
 * or the oldest, if ts is what decides, or any if nothing does.
 */
static bool
distinct_wants_one(PlannerInfo *root, RelOptInfo *rel, const LtfdwPushdown *pushdown,
				   bool *newest)
{
	Query	   *parse = root->parse;
	ListCell   *cell;

	*newest = true;
	if (parse->groupClause != NIL || parse->hasAggs || parse->havingQual != NULL ||
		!only_by_key(root, rel, pushdown, parse->distinctClause, root->distinct_pathkeys))
		return false;
	if (!parse->hasDistinctOn)
		return true;
	foreach(cell, root->sort_pathkeys)
	{
		PathKey    *pathkey = lfirst_node(PathKey, cell);
		LtfdwRole	role = ltfdw_pathkey_role(root, rel, pathkey);

		if (role == LTFDW_KEY)
			continue;
		*newest = ltfdw_pathkey_descends(pathkey);
		return role == LTFDW_TS;
	}
	return true;
}

/* A column of the query is one of this table, or of the table it is a part of. */
static LtfdwRole
query_column_role(PlannerInfo *root, RelOptInfo *rel, Node *node)
{
	const LtfdwTable *table = ((LtfdwRel *) rel->fdw_private)->table;
	Var		   *var = (Var *) node;

	if (!IsA(node, Var) || var->varlevelsup != 0 || var->varattno <= 0)
		return LTFDW_NOTHING;
	if (var->varno != rel->relid)
	{
		AppendRelInfo *appinfo = root->append_rel_array
			? root->append_rel_array[rel->relid] : NULL;

		if (appinfo == NULL || appinfo->parent_relid != var->varno)
			return LTFDW_NOTHING;
		var = list_nth(appinfo->translated_vars, var->varattno - 1);
		if (var == NULL || !IsA(var, Var))
			return LTFDW_NOTHING;
	}
	return table->columns[var->varattno - 1].role;
}

/* Whether an aggregate is min(ts) or max(ts), and which. */
static bool
is_extreme_ts(PlannerInfo *root, RelOptInfo *rel, Aggref *agg, bool *newest)
{
	const LtfdwTable *table = ((LtfdwRel *) rel->fdw_private)->table;
	HeapTuple	tuple;
	Oid			sort_op;
	Oid			opfamily;
	int			strategy;

	if (list_length(agg->args) != 1 || agg->aggfilter != NULL || agg->aggorder != NIL ||
		query_column_role(root, rel,
						  (Node *) linitial_node(TargetEntry, agg->args)->expr) != LTFDW_TS)
		return false;
	tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(agg->aggfnoid));
	if (!HeapTupleIsValid(tuple))
		return false;
	sort_op = ((Form_pg_aggregate) GETSTRUCT(tuple))->aggsortop;
	ReleaseSysCache(tuple);
	if (!OidIsValid(sort_op))
		return false;
	opfamily = lookup_type_cache(table->columns[table->ts_att - 1].type,
								 TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	strategy = get_op_opfamily_strategy(sort_op, opfamily);
	*newest = strategy == BTGreaterStrategyNumber;
	return strategy == BTGreaterStrategyNumber || strategy == BTLessStrategyNumber;
}

/* GROUP BY key, or no GROUP BY, with no aggregates but max(ts) or but min(ts). */
static bool
aggregates_want_one(PlannerInfo *root, RelOptInfo *rel, const LtfdwPushdown *pushdown,
					bool *newest)
{
	Query	   *parse = root->parse;
	int			wanted = -1;
	List	   *nodes;
	ListCell   *cell;

	if (parse->groupClause != NIL &&
		!only_by_key(root, rel, pushdown, parse->groupClause, root->group_pathkeys))
		return false;
	nodes = list_concat(pull_var_clause((Node *) root->processed_tlist,
										PVC_INCLUDE_AGGREGATES | PVC_INCLUDE_PLACEHOLDERS),
						pull_var_clause(parse->havingQual,
										PVC_INCLUDE_AGGREGATES | PVC_INCLUDE_PLACEHOLDERS));
	*newest = true;
	foreach(cell, nodes)
	{
		Aggref	   *agg = lfirst(cell);

		if (!IsA(agg, Aggref))
			continue;
		if (!is_extreme_ts(root, rel, agg, newest) || (wanted >= 0 && wanted != *newest))
			return false;
		wanted = *newest;
	}
	return parse->groupClause != NIL || wanted >= 0;
}

/* ---- all of it ---- */

/*
 * What a scan with these pathkeys may leave out, and in which order within a
 * key the rows that count come first.
 */
LtfdwReduction
ltfdw_reduce_rows(PlannerInfo *root, RelOptInfo *rel, const LtfdwPushdown *pushdown,
				  List *pathkeys, LtfdwOrder *order)
{
	Query	   *parse = root->parse;
	bool		newest;

	if (((LtfdwRel *) rel->fdw_private)->table->kind == LTFDW_PAIRS ||
		!scan_is_query(root, rel, pushdown))
		return LTFDW_ALL_ROWS;
	if (parse->distinctClause != NIL)
	{
		if (!distinct_wants_one(root, rel, pushdown, &newest))
			return LTFDW_ALL_ROWS;
	}
	else if (parse->hasAggs || parse->groupClause != NIL)
	{
		if (!aggregates_want_one(root, rel, pushdown, &newest))
			return LTFDW_ALL_ROWS;
	}
	else if (is_plain_limit(root))
		return reduce_by_limit(root, rel, pathkeys, order);
	else
		return LTFDW_ALL_ROWS;

	order->reverse = newest;
	return LTFDW_ONE_OF_KEY;
}
