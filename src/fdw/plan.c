/*-------------------------------------------------------------------------
 *
 * plan.c
 *		Planning a scan: the paths that the planner can choose from, and the
 *		plan with all that the executor needs in it.
 *
 * What can be sent to LTDB is pushdown.c's decision, what can be left out
 * reduce.c's, in which order rows can come order.c's; estimate.c says what it
 * costs.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/sysattr.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"

void
ltfdw_GetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	LtfdwRel   *lrel = palloc0(sizeof(LtfdwRel));

	lrel->table = ltfdw_table_load_by_oid(relid);
	rel->fdw_private = lrel;
	lrel->pushdown = ltfdw_pushdown_classify(root, rel, lrel->table, rel->baserestrictinfo);
	ltfdw_estimate_collection(rel, lrel);
	set_baserel_size_estimates(root, rel);
}

/* ---- paths ---- */

static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, LtfdwPushdown *pushdown, List *pathkeys,
			  const LtfdwOrder *order, ParamPathInfo *param_info)
{
	LtfdwPath  *path = palloc0(sizeof(LtfdwPath));
	double		rows;
	Cost		startup_cost;
	Cost		total_cost;

	path->pushdown = pushdown;
	path->order = *order;
	path->reduction = param_info ? LTFDW_ALL_ROWS
		: ltfdw_reduce_rows(root, rel, pushdown, pathkeys, &path->order);

	/* the newest records of all keys come in one answer, in any order */
	if (path->reduction == LTFDW_ONE_OF_KEY && path->order.reverse && pushdown->all_keys)
	{
		path->order.key_direction = 0;
		pathkeys = NIL;
	}
	ltfdw_estimate_path(root, rel, path, param_info, &rows, &startup_cost, &total_cost);
	add_path(rel, (Path *)
			 ltfdw_create_foreignscan_path(root, rel, rows, startup_cost, total_cost, pathkeys,
										   param_info ? param_info->ppi_req_outer
										   : rel->lateral_relids,
										   list_make1(path)));
}

/* Scans in no order in particular, and in those that are of use. */
static void
add_plain_paths(PlannerInfo *root, RelOptInfo *rel)
{
	LtfdwRel   *lrel = rel->fdw_private;
	LtfdwOrder	order = {0};
	ListCell   *cell;

	add_scan_path(root, rel, lrel->pushdown, NIL, &order, NULL);

	/* all pairs come in one answer, in any order */
	if (lrel->table->kind == LTFDW_PAIRS && lrel->pushdown->all_keys)
		return;
	foreach(cell, ltfdw_order_candidates(root, rel))
	{
		List	   *pathkeys = ltfdw_order_match(root, rel, lrel->pushdown->single_key,
												 lfirst_node(List, cell), &order);

		if (pathkeys != NIL)
			add_scan_path(root, rel, lrel->pushdown, pathkeys, &order, NULL);
	}
}

/* Remember the relations that a join clause needs, if LTDB answers it. */
static List *
consider_join_clause(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo, List *outer_sets)
{
	LtfdwRel   *lrel = rel->fdw_private;
	LtfdwPushdown *pushdown;
	Relids		required_outer;
	ListCell   *cell;

	if (!join_clause_is_movable_to(rinfo, rel))
		return outer_sets;
	pushdown = ltfdw_pushdown_classify(root, rel, lrel->table, list_make1(rinfo));
	if (pushdown->remote == NIL)
		return outer_sets;
	required_outer = bms_union(rinfo->clause_relids, rel->lateral_relids);
	required_outer = bms_del_member(required_outer, rel->relid);
	if (bms_is_empty(required_outer))
		return outer_sets;
	foreach(cell, outer_sets)
		if (bms_equal(lfirst(cell), required_outer))
			return outer_sets;
	return lappend(outer_sets, required_outer);
}

/* Whether a member of an equivalence class is the column of a role. */
static bool
is_searched_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
				   EquivalenceMember *em, void *arg)
{
	const LtfdwRole *role = arg;
	const LtfdwTable *table = ((LtfdwRel *) rel->fdw_private)->table;
	Expr	   *expr = em->em_expr;

	while (IsA(expr, RelabelType))
		expr = ((RelabelType *) expr)->arg;
	return IsA(expr, Var) && ((Var *) expr)->varno == rel->relid &&
		((Var *) expr)->varattno > 0 &&
		table->columns[((Var *) expr)->varattno - 1].role == *role;
}

/* What LTDB answers of all clauses that a parameterized scan must satisfy. */
static LtfdwPushdown *
classify_parameterized(PlannerInfo *root, RelOptInfo *rel, ParamPathInfo *param_info)
{
	LtfdwRel   *lrel = rel->fdw_private;

	return ltfdw_pushdown_classify(root, rel, lrel->table,
								   list_concat_copy(rel->baserestrictinfo,
													param_info->ppi_clauses));
}

/*
 * Scans with values from the outer side of a join: key = outer.key, or ts
 * compared with columns of the outer row.  Then a join sends a request for
 * each outer row instead of reading the collection.
 */
static void
add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel)
{
	LtfdwRole	roles[] = {LTFDW_KEY, LTFDW_TS};
	List	   *outer_sets = NIL;
	ListCell   *cell;

	foreach(cell, rel->joininfo)
		outer_sets = consider_join_clause(root, rel, lfirst_node(RestrictInfo, cell), outer_sets);
	for (int i = 0; rel->has_eclass_joins && i < lengthof(roles); i++)
	{
		List	   *clauses = generate_implied_equalities_for_column(root, rel, is_searched_column,
																	 &roles[i],
																	 rel->lateral_referencers);

		foreach(cell, clauses)
			outer_sets = consider_join_clause(root, rel, lfirst_node(RestrictInfo, cell),
											  outer_sets);
	}

	foreach(cell, outer_sets)
	{
		ParamPathInfo *param_info = get_baserel_parampathinfo(root, rel, lfirst(cell));
		LtfdwOrder	order = {0};

		add_scan_path(root, rel, classify_parameterized(root, rel, param_info),
					  NIL, &order, param_info);
	}
}

void
ltfdw_GetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	add_plain_paths(root, rel);
	add_parameterized_paths(root, rel);
}

/* ---- the plan ---- */

/* The attributes that the scan must fill in, as Integers. */
static List *
wanted_attributes(RelOptInfo *rel, const LtfdwTable *table, List *local_exprs)
{
	Bitmapset  *attnums = NULL;
	List	   *result = NIL;
	bool		whole_row;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attnums);
	pull_varattnos((Node *) local_exprs, rel->relid, &attnums);
	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attnums);
	for (int i = 0; i < table->ncolumns; i++)
		if (table->columns[i].role != LTFDW_NOTHING &&
			(whole_row || bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, attnums)))
			result = lappend(result, makeInteger(i + 1));
	return result;
}

/* Those of the clauses that are not in either list, in the planner's order. */
static List *
clauses_left(List *clauses, List *remote, List *key_filters)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, clauses)
		if (!list_member_ptr(remote, lfirst(cell)) && !list_member_ptr(key_filters, lfirst(cell)))
			result = lappend(result, lfirst(cell));
	return result;
}

ForeignScan *
ltfdw_GetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *best_path,
					 List *tlist, List *scan_clauses, Plan *outer_plan)
{
	LtfdwRel   *lrel = rel->fdw_private;
	LtfdwPath  *path = linitial(best_path->fdw_private);
	ParamPathInfo *param_info = best_path->path.param_info;

	/* a join of partitions has put its own outer side into the clauses since */
	LtfdwPushdown *pushdown = param_info
		? classify_parameterized(root, rel, param_info) : path->pushdown;
	List	   *local_exprs = extract_actual_clauses(clauses_left(scan_clauses, pushdown->remote,
																  pushdown->key_filters), false);
	List	   *filter_exprs = extract_actual_clauses(pushdown->key_filters, false);
	List	   *recheck_exprs = list_concat(extract_actual_clauses(pushdown->remote, false),
											list_copy(filter_exprs));
	List	   *limit_exprs = path->reduction == LTFDW_FIRST_ROWS ||
		path->reduction == LTFDW_FIRST_OF_KEY ? ltfdw_limit_exprs(root) : NIL;
	List	   *private;

	/* in the order of enum LtfdwScanPrivate */
	private = list_make5(pushdown->conditions,
						 wanted_attributes(rel, lrel->table, local_exprs),
						 makeInteger(path->order.key_direction),
						 makeInteger((int) path->order.collation),
						 makeInteger(path->order.reverse));
	private = lappend(private, makeInteger(path->reduction));

	/* EvalPlanQual rechecks a row without asking LTDB: there all quals count */
	return make_foreignscan(tlist, local_exprs, rel->relid,
							/* in the order of enum LtfdwScanExprs */
							list_make3(pushdown->exprs, filter_exprs, limit_exprs),
							private, NIL, recheck_exprs, outer_plan);
}
