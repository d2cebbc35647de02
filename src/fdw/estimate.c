/*-------------------------------------------------------------------------
 *
 * estimate.c
 *		How many rows a scan gives, and what it costs.
 *
 * What counts is the number of requests and of records on the wire.  The
 * prices of both are server options; how many keys and records there are
 * comes from ANALYZE, from the server where use_remote_estimate is set, or
 * else from plain assumptions.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_statistic.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* What a collection that was never analyzed is taken to hold. */
#define DEFAULT_TUPLES 10000.0
#define DEFAULT_KEYS 100.0

/* ... and such a one's key-value pairs. */
#define DEFAULT_PAIRS 1000.0

/*
 * A scan has many requests in flight, so all but its first cost a part only of
 * one that is waited for, as each is on the inner side of a join.
 */
#define IN_FLIGHT_SHARE 0.25

/* The number of distinct keys that ANALYZE found, 0 if it has not run. */
static double
analyzed_key_count(RelOptInfo *rel, const LtfdwTable *table)
{
	HeapTuple	tuple;
	double		distinct;

	if (table->key_att == InvalidAttrNumber)
		return 0;
	tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(table->relid),
							Int16GetDatum(table->key_att), BoolGetDatum(false));
	if (!HeapTupleIsValid(tuple))
		return 0;
	distinct = ((Form_pg_statistic) GETSTRUCT(tuple))->stadistinct;
	ReleaseSysCache(tuple);

	/* a negative number is a multiple of the number of rows */
	return distinct >= 0 ? distinct : -distinct * rel->tuples;
}

/* Ask the server: while planning, for those who have chosen so. */
static double
remote_key_count(RelOptInfo *rel, const LtfdwTable *table)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw estimate",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	Oid			userid = OidIsValid(rel->userid) ? rel->userid : GetUserId();
	LtfdwConn  *conn = ltfdw_connection_get(userid, table->serverid);
	double		count = table->kind == LTFDW_PAIRS ? ltfdw_pairs_count(conn, table)
		: ltfdw_keys_list(conn, table->collection,
						  ltfdw_intervals_span(ltfdw_intervals_all()), NULL).count;

	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	return count;
}

/* Fill in how large the collection is thought to be. */
void
ltfdw_estimate_collection(RelOptInfo *rel, LtfdwRel *lrel)
{
	const LtfdwTable *table = lrel->table;
	bool		analyzed = rel->tuples > 0;
	bool		pairs = table->kind == LTFDW_PAIRS;

	lrel->key_count = analyzed_key_count(rel, table);
	if (table->prices.remote_estimate)
		lrel->key_count = remote_key_count(rel, table);
	else if (lrel->key_count == 0)
		lrel->key_count = pairs ? DEFAULT_PAIRS : DEFAULT_KEYS;
	lrel->key_count = clamp_row_est(lrel->key_count);

	if (pairs && (!analyzed || table->prices.remote_estimate))
		rel->tuples = lrel->key_count;
	else if (!analyzed)
		rel->tuples = Max(DEFAULT_TUPLES, lrel->key_count * (DEFAULT_TUPLES / DEFAULT_KEYS));
}

/* How many keys a scan visits. */
static double
keys_visited(PlannerInfo *root, RelOptInfo *rel, const LtfdwPushdown *pushdown)
{
	const LtfdwRel *lrel = rel->fdw_private;
	List	   *clauses = list_copy(pushdown->key_filters);
	ListCell   *condition;
	ListCell   *clause;

	if (pushdown->single_key)
		return 1.0;
	forboth(condition, pushdown->conditions, clause, pushdown->remote)
		if (ltfdw_condition_role(lfirst_node(List, condition)) == LTFDW_KEY)
			clauses = lappend(clauses, lfirst(clause));
	return clamp_row_est(lrel->key_count *
						 clauselist_selectivity(root, clauses, rel->relid, JOIN_INNER, NULL));
}

/* Records that are fetched, and the requests it takes, for a path. */
static void
estimate_traffic(PlannerInfo *root, RelOptInfo *rel, const LtfdwPath *path, double keys,
				 double *records, double *requests)
{
	const LtfdwRel *lrel = rel->fdw_private;
	const LtfdwPushdown *pushdown = path->pushdown;
	List	   *remote = list_concat_copy(pushdown->remote, pushdown->key_filters);
	double		limit = root->limit_tuples > 0 ? root->limit_tuples : 0;
	double		keys_read = keys;

	if (lrel->table->kind == LTFDW_PAIRS)
	{
		/* one answer with all of them, or one for each key */
		*records = pushdown->all_keys ? rel->tuples : keys;
		*requests = pushdown->all_keys ? 1.0 : keys;
		return;
	}
	*records = clamp_row_est(rel->tuples *
							 clauselist_selectivity(root, remote, rel->relid, JOIN_INNER, NULL));
	switch (path->reduction)
	{
		case LTFDW_ALL_ROWS:
			break;
		case LTFDW_FIRST_ROWS:
			if (limit > 0)
			{
				keys_read = clamp_row_est(keys * Min(1.0, limit / *records));
				*records = Min(*records, limit);
			}
			break;
		case LTFDW_FIRST_OF_KEY:
			if (limit > 0)
				*records = Min(*records, limit * keys);
			break;
		case LTFDW_ONE_OF_KEY:
			*records = Min(*records, keys);
			/* the newest of all keys come in one answer */
			if (path->order.reverse && pushdown->all_keys)
			{
				*requests = 1.0;
				return;
			}
			break;
	}
	*requests = keys_read + floor(*records / lrel->table->fetch_size);
	if (pushdown->all_keys)
		*requests += 1.0;
}

/*
 * A connection is opened once a session, so the inner side of a join, which is
 * scanned again and again, does not pay for it.
 */
void
ltfdw_estimate_path(PlannerInfo *root, RelOptInfo *rel, const LtfdwPath *path,
					ParamPathInfo *param_info, double *rows,
					Cost *startup_cost, Cost *total_cost)
{
	const LtfdwRel *lrel = rel->fdw_private;
	const LtfdwPrices *prices = &lrel->table->prices;
	double		keys = keys_visited(root, rel, path->pushdown);
	double		records;
	double		requests;
	QualCost	local_cost;

	estimate_traffic(root, rel, path, keys, &records, &requests);
	*rows = param_info ? param_info->ppi_rows : rel->rows;
	if (path->reduction != LTFDW_ALL_ROWS)
		*rows = clamp_row_est(Min(*rows, records));

	cost_qual_eval(&local_cost, extract_actual_clauses(path->pushdown->local, false), root);
	*startup_cost = (param_info ? 0 : prices->startup) + prices->request +
		local_cost.startup + rel->reltarget->cost.startup;

	/* walking the keys in an order of their own has them sorted first */
	if (path->order.key_direction != 0)
		*startup_cost += keys * log2(Max(keys, 2.0)) * cpu_operator_cost;
	*total_cost = *startup_cost + (requests - 1.0) * prices->request * IN_FLIGHT_SHARE +
		records * (prices->record + cpu_tuple_cost + local_cost.per_tuple) +
		*rows * rel->reltarget->cost.per_tuple;
}
