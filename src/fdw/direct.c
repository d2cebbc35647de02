/*-------------------------------------------------------------------------
 *
 * direct.c
 *		DELETE of whole keys, without a row for each record.
 *
 * A DELETE whose conditions speak of nothing but the key leaves no record of
 * the keys it finds.  Their records are read all the same, since LTDB does not
 * count what it deletes, but they become neither rows nor single deletions: a
 * key is erased with one request.
 *
 * Which request that is, and what becomes of the key-value pairs, is erase.c's
 * business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

#include "executor/instrument.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"

/* ---- planning ---- */

/* The scan below a ModifyTable that finds the rows of one of its tables. */
static ForeignScan *
find_scan(ModifyTable *plan, Index result_relation, int subplan_index)
{
	Plan	   *subplan = outerPlan(plan);

	/* a projection may stand between, if there are several tables */
	if (IsA(subplan, Result) && outerPlan(subplan) && IsA(outerPlan(subplan), Append))
		subplan = outerPlan(subplan);
	if (IsA(subplan, Append))
	{
		List	   *plans = ((Append *) subplan)->appendplans;

		/* tables that need not be scanned have no plan here */
		if (subplan_index >= list_length(plans))
			return NULL;
		subplan = list_nth(plans, subplan_index);
	}
	if (!IsA(subplan, ForeignScan) ||
		((ForeignScan *) subplan)->scan.scanrelid != result_relation)
		return NULL;
	return (ForeignScan *) subplan;
}

/* Whether a scan shows all records of each key that it finds. */
static bool
finds_whole_keys(const ForeignScan *scan)
{
	ListCell   *cell;

	if (scan->scan.plan.qual != NIL)
		return false;
	foreach(cell, list_nth_node(List, scan->fdw_private, LTFDW_SCAN_CONDITIONS))
	{
		List	   *condition = lfirst_node(List, cell);

		if (ltfdw_condition_role(condition) != LTFDW_KEY && !ltfdw_condition_is_true(condition))
			return false;
	}
	return true;
}

/* PostgreSQL has seen to triggers and the like before it asks. */
bool
ltfdw_PlanDirectModify(PlannerInfo *root, ModifyTable *plan, Index result_relation,
					   int subplan_index)
{
	ForeignScan *scan = find_scan(plan, result_relation, subplan_index);
	RangeTblEntry *rte = planner_rt_fetch(result_relation, root);

	if (plan->operation != CMD_DELETE || plan->returningLists != NIL || scan == NULL ||
		!finds_whole_keys(scan) ||
		ltfdw_table_load_by_oid(rte->relid)->kind != LTFDW_RECORDS)
		return false;
	scan->operation = CMD_DELETE;
	scan->resultRelation = result_relation;
	scan->fdw_private = lappend(scan->fdw_private, makeInteger(plan->canSetTag));

	/* all of it is done when it is asked for the first time */
	scan->scan.plan.async_capable = false;
	return true;
}

/* ---- running ---- */

void
ltfdw_BeginDirectModify(ForeignScanState *node, int eflags)
{
	ltfdw_BeginForeignScan(node, eflags);
}

/* Erase what the scan finds; returns the number of records. */
static int64
erase_keys(ForeignScanState *node, LtfdwTarget *target)
{
	LtfdwRecord record;
	text	   *key = NULL;
	int64		newest_sec = LTDB_TS_MIN;
	int64		of_key = 0;
	int64		total = 0;

	while (ltfdw_scan_next_record(node, &record))
	{
		if (record.key != key)
		{
			if (key)
				ltfdw_target_erase_key(target, key, newest_sec, of_key);
			key = record.key;
			newest_sec = LTDB_TS_MIN;
			of_key = 0;
		}
		newest_sec = Max(newest_sec, record.ts_sec);
		of_key++;
		total++;
	}
	if (key)
		ltfdw_target_erase_key(target, key, newest_sec, of_key);
	return total;
}

TupleTableSlot *
ltfdw_IterateDirectModify(ForeignScanState *node)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	EState	   *estate = node->ss.ps.state;
	LtfdwScan  *scan = node->fdw_state;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	int64		count;

	scan->target = ltfdw_target_new(ltfdw_scan_user(plan, estate), scan->table, true);
	count = erase_keys(node, scan->target);
	if (!ltfdw_statement_reads(estate, scan->table, plan->resultRelation))
		ltfdw_target_finish(scan->target);
	MemoryContextSwitchTo(old);
	if (intVal(list_nth(plan->fdw_private, LTFDW_SCAN_SET_PROCESSED)))
		estate->es_processed += count;
	if (node->ss.ps.instrument)
		node->ss.ps.instrument->tuplecount += count;
	return ExecClearTuple(node->ss.ss_ScanTupleSlot);
}

/*
 * With write_mode 'immediate' a statement that reads the collection elsewhere
 * has its deletions sent here, so that it does not meet them.
 */
void
ltfdw_EndDirectModify(ForeignScanState *node)
{
	LtfdwScan  *scan = node->fdw_state;

	if (scan->target)
		ltfdw_target_finish(scan->target);
	ltfdw_EndForeignScan(node);
}
