/*-------------------------------------------------------------------------
 *
 * values.c
 *		The values on which it depends what a run of a scan shows: those in its
 *		conditions, and the parameters of its key filters.
 *
 * What conditions come to, values known, is condition.c's business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "nodes/nodeFuncs.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

/* Collect the parameters in an expression, into the List that params points to. */
static bool
collect_params(Node *node, void *params)
{
	List	  **list = params;

	if (node == NULL)
		return false;
	if (IsA(node, Param))
	{
		*list = lappend(*list, node);
		return false;
	}
	return expression_tree_walker(node, collect_params, params);
}

/* The expressions on which it depends what a run shows. */
List *
ltfdw_values_of_run(List *values, List *filters)
{
	List	   *result = list_copy(values);

	(void) collect_params((Node *) filters, &result);
	return result;
}

/*
 * The values in the conditions, then the parameters of the key filters, in the
 * current context.  They may be columns of an outer row, which the executor
 * passes as parameters.
 */
LtfdwValue *
ltfdw_values_compute(ForeignScanState *node, LtfdwScan *scan)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	LtfdwValue *values = palloc0(Max(list_length(scan->value_states), 1) * sizeof(LtfdwValue));
	int			i = 0;
	ListCell   *cell;

	foreach(cell, scan->value_states)
	{
		ExprState  *state = lfirst_node(ExprState, cell);
		Oid			type = exprType((Node *) state->expr);
		LtfdwValue *value = &values[i++];
		Datum		datum;

		datum = ExecEvalExprSwitchContext(state, econtext, &value->isnull);
		if (value->isnull)
			continue;

		/* a copy that does not depend on the outer row, nor on its storage */
		if (get_typlen(type) == -1)
			datum = PointerGetDatum(PG_DETOAST_DATUM(datum));
		value->value = datumCopy(datum, get_typbyval(type), get_typlen(type));
	}
	return values;
}

/* Whether two runs have the same values. */
bool
ltfdw_values_same(const LtfdwScan *scan, const LtfdwValue *a, const LtfdwValue *b)
{
	int			i = 0;
	ListCell   *cell;

	foreach(cell, scan->value_states)
	{
		Oid			type = exprType((Node *) lfirst_node(ExprState, cell)->expr);

		if (a[i].isnull != b[i].isnull ||
			(!a[i].isnull && !datumIsEqual(a[i].value, b[i].value,
										   get_typbyval(type), get_typlen(type))))
			return false;
		i++;
	}
	return true;
}
