/*-------------------------------------------------------------------------
 *
 * condition.c
 *		Conditions on key and ts as the plan keeps them, and what they amount
 *		to once the values in them are known: a set of keys and a set of
 *		intervals.
 *
 * A plan's private data may hold only Nodes, so a condition is a List:
 *
 *		(KEY_EQUALS exprno is_array)
 *		(TS_COMPARE exprno is_array strategy operand-kind)
 *		(ALL child ...)   (ANY child ...)
 *
 * "(ALL)" alone is true of every record; for order's sake it counts as a
 * condition on ts.  In the others, exprno counts into the list of expressions
 * beside it, and all leaves below one condition speak of the same column.  Which clauses become
 * conditions is pushdown.c's decision.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/stratnum.h"
#include "common/int.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

enum ConditionKind
{
	KEY_EQUALS,
	TS_COMPARE,
	ALL,
	ANY
};

/* ---- building ---- */

static int
add_expr(List **exprs, Expr *value)
{
	*exprs = lappend(*exprs, value);
	return list_length(*exprs) - 1;
}

List *
ltfdw_condition_key(Expr *value, bool is_array, List **exprs)
{
	return list_make3(makeInteger(KEY_EQUALS), makeInteger(add_expr(exprs, value)),
					  makeInteger(is_array));
}

List *
ltfdw_condition_ts(int strategy, LtfdwOperand kind, Expr *value, bool is_array, List **exprs)
{
	return list_make5(makeInteger(TS_COMPARE), makeInteger(add_expr(exprs, value)),
					  makeInteger(is_array), makeInteger(strategy), makeInteger(kind));
}

List *
ltfdw_condition_combine(bool any, List *children)
{
	return lcons(makeInteger(any ? ANY : ALL), children);
}

static int
part(List *condition, int i)
{
	return intVal(list_nth(condition, i));
}

LtfdwRole
ltfdw_condition_role(List *condition)
{
	switch (part(condition, 0))
	{
		case KEY_EQUALS:
			return LTFDW_KEY;
		case TS_COMPARE:
			return LTFDW_TS;
		default:
			if (ltfdw_condition_is_true(condition))
				return LTFDW_TS;
			return ltfdw_condition_role(lsecond_node(List, condition));
	}
}

static LtfdwKeys keys_of(List *condition, const LtfdwValue *values);
static LtfdwIntervals times_of(List *condition, const LtfdwValue *values);

/* What one comparison says; false if the condition is several. */
bool
ltfdw_condition_leaf(List *condition, LtfdwLeaf *leaf)
{
	if (part(condition, 0) != KEY_EQUALS && part(condition, 0) != TS_COMPARE)
		return false;
	leaf->exprno = part(condition, 1);
	leaf->is_array = part(condition, 2);
	leaf->strategy = BTEqualStrategyNumber;
	leaf->kind = LTFDW_OPERAND_NONE;
	if (part(condition, 0) == TS_COMPARE)
	{
		leaf->strategy = part(condition, 3);
		leaf->kind = part(condition, 4);
	}
	return true;
}

/* Whether a condition holds for every record there can be. */
bool
ltfdw_condition_is_true(List *condition)
{
	return part(condition, 0) == ALL && list_length(condition) == 1;
}

/* ---- evaluating: a value that is NULL makes its comparison never true ---- */

static void
deconstruct(const LtfdwValue *value, Datum **elems, bool **nulls, int *count)
{
	ArrayType  *array = DatumGetArrayTypeP(value->value);
	int16		len;
	bool		byval;
	char		align;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), len, byval, align, elems, nulls, count);
}

/* A text that LTDB cannot hold as a key equals no key there. */
static void
add_key(LtfdwKeys *keys, Datum value)
{
	text	   *key = DatumGetTextPP(value);

	if (VARSIZE_ANY_EXHDR(key) > 0 &&
		ltfdw_text_fits_ltdb(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)))
		keys->items[keys->count++] = key;
}

static LtfdwKeys
keys_of_leaf(List *condition, const LtfdwValue *values)
{
	LtfdwKeys	result = {false, 0, NULL};
	const LtfdwValue *value;
	LtfdwLeaf	leaf;
	Datum	   *elems;
	bool	   *nulls;
	int			count;

	ltfdw_condition_leaf(condition, &leaf);
	value = &values[leaf.exprno];
	if (value->isnull)
		return result;
	if (!leaf.is_array)
	{
		result.items = palloc(sizeof(text *));
		add_key(&result, value->value);
		return result;
	}
	deconstruct(value, &elems, &nulls, &count);
	result.items = palloc(Max(count, 1) * sizeof(text *));
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			add_key(&result, elems[i]);
	ltfdw_keys_normalize(&result);
	return result;
}

/* All branches are gathered before they are sorted, however many there are. */
static LtfdwKeys
keys_of_any(List *branches, const LtfdwValue *values)
{
	LtfdwKeys  *parts = palloc(list_length(branches) * sizeof(LtfdwKeys));
	LtfdwKeys	result = {false, 0, NULL};
	int			nparts = 0;
	ListCell   *cell;

	foreach(cell, branches)
	{
		parts[nparts] = keys_of(lfirst_node(List, cell), values);
		result.count += parts[nparts++].count;
	}
	result.items = palloc(Max(result.count, 1) * sizeof(text *));
	result.count = 0;
	for (int i = 0; i < nparts; i++)
		for (int j = 0; j < parts[i].count; j++)
			result.items[result.count++] = parts[i].items[j];
	ltfdw_keys_normalize(&result);
	return result;
}

static LtfdwKeys
keys_of(List *condition, const LtfdwValue *values)
{
	LtfdwKeys	result = {true, 0, NULL};
	ListCell   *cell;

	if (part(condition, 0) == KEY_EQUALS)
		return keys_of_leaf(condition, values);
	if (part(condition, 0) == ANY)
		return keys_of_any(list_copy_tail(condition, 1), values);
	for_each_from(cell, condition, 1)
		result = ltfdw_keys_intersect(result, keys_of(lfirst_node(List, cell), values));
	return result;
}

static LtfdwIntervals
times_of_leaf(List *condition, const LtfdwValue *values)
{
	LtfdwIntervals result = {0, NULL};
	const LtfdwValue *value;
	LtfdwLeaf	leaf;
	LtfdwInterval *items;
	int			nitems = 0;
	Datum	   *elems;
	bool	   *nulls;
	int			count;

	ltfdw_condition_leaf(condition, &leaf);
	value = &values[leaf.exprno];
	if (value->isnull)
		return result;
	if (!leaf.is_array)
		return ltfdw_intervals_compare(leaf.strategy, value->value, leaf.kind);

	/* ANY of the elements: at most two intervals each, for <> */
	deconstruct(value, &elems, &nulls, &count);
	items = palloc(Max(2 * count, 1) * sizeof(LtfdwInterval));
	for (int i = 0; i < count; i++)
	{
		LtfdwIntervals one;

		if (nulls[i])
			continue;
		one = ltfdw_intervals_compare(leaf.strategy, elems[i], leaf.kind);
		for (int j = 0; j < one.count; j++)
			items[nitems++] = one.items[j];
	}
	return ltfdw_intervals_normalize(items, nitems);
}

static LtfdwIntervals
times_of_any(List *branches, const LtfdwValue *values)
{
	LtfdwIntervals *parts = palloc(list_length(branches) * sizeof(LtfdwIntervals));
	LtfdwInterval *items;
	int			nparts = 0;
	int			nitems = 0;
	ListCell   *cell;

	foreach(cell, branches)
	{
		parts[nparts] = times_of(lfirst_node(List, cell), values);
		nitems += parts[nparts++].count;
	}
	items = palloc(Max(nitems, 1) * sizeof(LtfdwInterval));
	nitems = 0;
	for (int i = 0; i < nparts; i++)
		for (int j = 0; j < parts[i].count; j++)
			items[nitems++] = parts[i].items[j];
	return ltfdw_intervals_normalize(items, nitems);
}

static LtfdwIntervals
times_of(List *condition, const LtfdwValue *values)
{
	LtfdwIntervals result;
	ListCell   *cell;

	if (part(condition, 0) == TS_COMPARE)
		return times_of_leaf(condition, values);
	if (part(condition, 0) == ANY)
		return times_of_any(list_copy_tail(condition, 1), values);
	result = ltfdw_intervals_all();
	for_each_from(cell, condition, 1)
		result = ltfdw_intervals_intersect(result, times_of(lfirst_node(List, cell), values));
	return result;
}

/* What all the conditions together leave over, in the current context. */
LtfdwQuery
ltfdw_query_evaluate(List *conditions, const LtfdwValue *values)
{
	LtfdwQuery	query = {{true, 0, NULL}, ltfdw_intervals_all()};
	ListCell   *cell;

	foreach(cell, conditions)
	{
		List	   *condition = lfirst_node(List, cell);

		if (ltfdw_condition_role(condition) == LTFDW_KEY)
			query.keys = ltfdw_keys_intersect(query.keys, keys_of(condition, values));
		else
			query.times = ltfdw_intervals_intersect(query.times, times_of(condition, values));
	}
	return query;
}

/* Whether nothing can satisfy the conditions, so that nobody need be asked. */
bool
ltfdw_query_is_empty(const LtfdwQuery *query)
{
	return query->times.count == 0 || (!query->keys.all && query->keys.count == 0);
}
