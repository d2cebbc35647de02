/*-------------------------------------------------------------------------
 *
 * scan.c
 *		The life of a foreign scan in the executor.
 *
 * Values are computed when the first row is asked for, and again after a
 * rescan; nobody is contacted before.  Reading is reader.c's business, showing
 * it explain.c's.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "compat.h"
#include "utils/memutils.h"
#include "utils/rel.h"

void
ltfdw_BeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	LtfdwScan  *scan = palloc0(sizeof(LtfdwScan));
	ListCell   *cell;

	node->fdw_state = scan;
	scan->table = ltfdw_table_load(node->ss.ss_currentRelation);
	scan->conditions = list_nth_node(List, plan->fdw_private, LTFDW_SCAN_CONDITIONS);
	foreach(cell, list_nth_node(List, plan->fdw_private, LTFDW_SCAN_WANTED))
		scan->wanted |= LTFDW_ROLE_BIT(intVal(lfirst(cell)));
	scan->expr_states = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	scan->query_cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw query",
											ALLOCSET_DEFAULT_SIZES);
	scan->values = palloc0(Max(list_length(scan->expr_states), 1) * sizeof(LtfdwValue));
}

/*
 * Compute the values once for the whole scan, in memory that lasts for it.
 * They may refer to columns of an outer row, which the parameters hold.
 */
static void
compute_values(ForeignScanState *node, LtfdwScan *scan)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	int			i = 0;
	ListCell   *cell;

	foreach(cell, scan->expr_states)
	{
		LtfdwValue *value = &scan->values[i++];

		value->value = ExecEvalExpr(lfirst_node(ExprState, cell), econtext, &value->isnull);
	}
}

static void
start(ForeignScanState *node, LtfdwScan *scan)
{
	EState	   *estate = node->ss.ps.state;
	MemoryContext old = MemoryContextSwitchTo(scan->query_cxt);
	LtfdwQuery	query;

	compute_values(node, scan);
	query = ltfdw_query_evaluate(scan->conditions, scan->values);
	scan->started = true;
	scan->empty = ltfdw_query_is_empty(&query);
	if (!scan->empty)
	{
		if (scan->reader == NULL)
		{
			Oid			user = ltfdw_scan_user((ForeignScan *) node->ss.ps.plan, estate);

			MemoryContextSwitchTo(estate->es_query_cxt);
			scan->reader = ltfdw_reader_new(ltfdw_connection_get(user, scan->table->serverid),
											scan->table);
		}
		ltfdw_reader_start(scan->reader, &query);
	}
	MemoryContextSwitchTo(old);
}

TupleTableSlot *
ltfdw_IterateForeignScan(ForeignScanState *node)
{
	LtfdwScan  *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	LtfdwRecord record;

	if (!scan->started)
		start(node, scan);
	ExecClearTuple(slot);
	if (!scan->empty && ltfdw_reader_next(scan->reader, &record))
		ltfdw_record_to_slot(scan->table, &record, scan->wanted, slot);
	return slot;
}

static void
stop(LtfdwScan *scan)
{
	if (scan->reader)
		ltfdw_reader_stop(scan->reader);
	MemoryContextReset(scan->query_cxt);
	scan->started = false;
}

void
ltfdw_ReScanForeignScan(ForeignScanState *node)
{
	stop(node->fdw_state);
}

void
ltfdw_EndForeignScan(ForeignScanState *node)
{
	stop(node->fdw_state);
}
