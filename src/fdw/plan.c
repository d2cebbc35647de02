/*-------------------------------------------------------------------------
 *
 * plan.c
 *		Planning a scan: sizes, costs, paths, and the plan with all that the
 *		executor needs in it.
 *
 * What can be sent to LTDB is pushdown.c's decision.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include <math.h>

#include "access/sysattr.h"
#include "compat.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"

/* What a collection that was never analyzed is taken to hold. */
#define DEFAULT_TUPLES 10000.0

/* Costs beyond the executor's own, in units of a sequential page read. */
#define CONNECTION_COST 100.0
#define REQUEST_COST 1.0
#define RECORD_COST 0.01

/* fdw_private of a RelOptInfo */
typedef struct RelPlan
{
	LtfdwTable *table;
	LtfdwPushdown *pushdown;
} RelPlan;

void
ltfdw_GetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	RelPlan    *plan = palloc0(sizeof(RelPlan));

	plan->table = ltfdw_table_load_by_oid(relid);
	plan->pushdown = ltfdw_pushdown_classify(root, rel, plan->table, rel->baserestrictinfo);
	rel->fdw_private = plan;

	if (rel->tuples <= 0 && rel->pages == 0)
		rel->tuples = DEFAULT_TUPLES;
	set_baserel_size_estimates(root, rel);
}

/* Costs of fetching what the remote conditions leave, and filtering it here. */
static void
estimate_scan(PlannerInfo *root, RelOptInfo *rel, const RelPlan *plan,
			  Cost *startup_cost, Cost *total_cost)
{
	Selectivity selectivity = clauselist_selectivity(root, plan->pushdown->remote, rel->relid,
													 JOIN_INNER, NULL);
	double		fetched = clamp_row_est(rel->tuples * selectivity);
	double		requests = 1.0 + ceil(fetched / plan->table->fetch_size);
	QualCost	local_cost;

	cost_qual_eval(&local_cost, extract_actual_clauses(plan->pushdown->local, false), root);
	*startup_cost = CONNECTION_COST + REQUEST_COST + local_cost.startup +
		rel->reltarget->cost.startup;
	*total_cost = *startup_cost + requests * REQUEST_COST +
		fetched * (RECORD_COST + cpu_tuple_cost + local_cost.per_tuple) +
		rel->rows * rel->reltarget->cost.per_tuple;
}

void
ltfdw_GetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	RelPlan    *plan = rel->fdw_private;
	Cost		startup_cost;
	Cost		total_cost;

	estimate_scan(root, rel, plan, &startup_cost, &total_cost);
	add_path(rel, (Path *) ltfdw_create_foreignscan_path(root, rel, rel->rows, startup_cost,
														 total_cost, NIL, rel->lateral_relids,
														 NIL));
}

/* The roles that the scan must fill in, as Integers. */
static List *
wanted_roles(RelOptInfo *rel, const LtfdwTable *table, List *local_exprs)
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
			result = lappend(result, makeInteger(table->columns[i].role));
	return result;
}

ForeignScan *
ltfdw_GetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *best_path,
					 List *tlist, List *scan_clauses, Plan *outer_plan)
{
	RelPlan    *plan = rel->fdw_private;
	LtfdwPushdown *pushdown = plan->pushdown;
	List	   *local = NIL;
	List	   *local_exprs;
	List	   *remote_exprs;
	List	   *private;
	ListCell   *cell;

	/* keep the order that the planner gave the clauses */
	foreach(cell, scan_clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, cell);

		if (!list_member_ptr(pushdown->remote, rinfo))
			local = lappend(local, rinfo);
	}
	local_exprs = extract_actual_clauses(local, false);
	remote_exprs = extract_actual_clauses(pushdown->remote, false);

	/* in the order of enum LtfdwScanPrivate */
	private = list_make2(pushdown->conditions, wanted_roles(rel, plan->table, local_exprs));

	/* EvalPlanQual rechecks a row without asking LTDB: there all quals count */
	return make_foreignscan(tlist, local_exprs, rel->relid, pushdown->exprs, private,
							NIL, remote_exprs, outer_plan);
}
