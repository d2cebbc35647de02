/*-------------------------------------------------------------------------
 *
 * order.c
 *		In which orders a scan can show its rows, in the planner's terms.
 *
 * The records of one key come by ts, forwards or backwards.  Several keys are
 * walked one after the other, and as they are known before any record is
 * fetched, in any order of their own: hence (key, ts) with any directions.
 * NULLS FIRST or LAST is all one: neither column is ever NULL.
 *
 * Under a nondeterministic collation different keys may be equal, and their
 * records would have to be merged: no order is offered then.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "optimizer/paths.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* A column of the table, as it stands in the expressions of the query. */
static Var *
column_var(RelOptInfo *rel, AttrNumber attnum)
{
	const LtfdwRel *lrel = rel->fdw_private;
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(lrel->table->relid, attnum, &type, &typmod, &collation);
	return makeVar(rel->relid, attnum, type, typmod, collation, 0);
}

static bool
class_has_column(EquivalenceClass *ec, RelOptInfo *rel, AttrNumber attnum)
{
	return AttributeNumberIsValid(attnum) &&
		find_ec_member_matching_expr(ec, (Expr *) column_var(rel, attnum), rel->relids) != NULL;
}

static bool
is_default_family(Oid opfamily, Oid type)
{
	return lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf == opfamily;
}

/* Which column of this table a pathkey sorts by, in an order we know. */
LtfdwRole
ltfdw_pathkey_role(PlannerInfo *root, RelOptInfo *rel, PathKey *pathkey)
{
	const LtfdwTable *table = ((LtfdwRel *) rel->fdw_private)->table;
	EquivalenceClass *ec = pathkey->pk_eclass;

	if (ec->ec_has_volatile)
		return LTFDW_NOTHING;
	if (class_has_column(ec, rel, table->key_att) &&
		is_default_family(pathkey->pk_opfamily, TEXTOID) &&
		OidIsValid(ec->ec_collation) && get_collation_isdeterministic(ec->ec_collation))
		return LTFDW_KEY;
	if (class_has_column(ec, rel, table->ts_att) &&
		is_default_family(pathkey->pk_opfamily, table->columns[table->ts_att - 1].type))
		return LTFDW_TS;
	return LTFDW_NOTHING;
}

/*
 * How much of a sort order a scan can keep: returns as many of the pathkeys,
 * from the first on, and fills in the order to read in.
 */
List *
ltfdw_order_match(PlannerInfo *root, RelOptInfo *rel, bool single_key, List *pathkeys,
				  LtfdwOrder *order)
{
	LtfdwRole	expected = single_key ? LTFDW_TS : LTFDW_KEY;
	List	   *matched = NIL;
	ListCell   *cell;

	memset(order, 0, sizeof(LtfdwOrder));
	foreach(cell, pathkeys)
	{
		PathKey    *pathkey = lfirst_node(PathKey, cell);

		if (ltfdw_pathkey_role(root, rel, pathkey) != expected)
			break;
		matched = lappend(matched, pathkey);
		if (expected == LTFDW_TS)
		{
			order->reverse = ltfdw_pathkey_descends(pathkey);
			break;
		}
		order->key_direction = ltfdw_pathkey_descends(pathkey) ? -1 : 1;
		order->collation = pathkey->pk_eclass->ec_collation;
		expected = LTFDW_TS;
	}
	return matched;
}

/* The ascending pathkey of a column that some clause or sort speaks of. */
static PathKey *
column_pathkey(PlannerInfo *root, RelOptInfo *rel, AttrNumber attnum, Oid type)
{
	Oid			opfamily = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	ListCell   *cell;

	foreach(cell, root->eq_classes)
	{
		EquivalenceClass *ec = lfirst_node(EquivalenceClass, cell);

		/* sorting by what equals a constant is not sorting */
		if (ec->ec_has_const || ec->ec_has_volatile ||
			!list_member_oid(ec->ec_opfamilies, opfamily) ||
			!class_has_column(ec, rel, attnum))
			continue;
		return ltfdw_make_ascending_pathkey(root, ec, opfamily);
	}
	return NULL;
}

/*
 * Orders that may be of use above the scan, as lists of pathkeys: that of the
 * query, and (key, ts) or ts ascending for a merge join.
 */
List *
ltfdw_order_candidates(PlannerInfo *root, RelOptInfo *rel)
{
	const LtfdwTable *table = ((LtfdwRel *) rel->fdw_private)->table;
	List	   *result = NIL;
	List	   *by_key = NIL;
	PathKey    *key = NULL;
	PathKey    *ts = NULL;

	if (root->query_pathkeys)
		result = lappend(result, root->query_pathkeys);
	if (!rel->has_eclass_joins)
		return result;
	if (AttributeNumberIsValid(table->key_att))
		key = column_pathkey(root, rel, table->key_att, TEXTOID);
	if (AttributeNumberIsValid(table->ts_att))
		ts = column_pathkey(root, rel, table->ts_att, table->columns[table->ts_att - 1].type);
	if (key)
		by_key = list_make1(key);
	if (ts)
		by_key = lappend(by_key, ts);
	if (by_key)
		result = lappend(result, by_key);
	return result;
}
