/*-------------------------------------------------------------------------
 *
 * pushdown.c
 *		Which WHERE clauses LTDB answers, and as what conditions.
 *
 * LTDB finds records by key and by an interval of ts, so what can be sent is
 *
 *		key = value, key = ANY (array)
 *		ts <op> value, value <op> ts, ts = ANY (array)
 *		key IS NOT NULL, ts IS NOT NULL
 *		AND and OR of such clauses, as long as they speak of one column
 *
 * where a value is any expression that does not change during the scan:
 * constants, parameters, stable functions and columns of other tables, but
 * nothing volatile and no subplan.  Operators are known by their place in an
 * operator family, never by name, and a clause is taken only if LTDB's answer
 * is the same as PostgreSQL's: a key under a nondeterministic collation, or a
 * ts compared with a type that needs a conversion of ts, stays local.
 *
 * Any other clause that looks at nothing but the key filters keys: it is
 * evaluated here, as PostgreSQL would, but once for each key and before the
 * records of the key are fetched.
 *
 * What the conditions amount to, values known, is condition.c's business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_operator.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

typedef struct Classifier
{
	PlannerInfo *root;
	RelOptInfo *rel;
	const LtfdwTable *table;
	List	   *exprs;
} Classifier;

static List *classify(Classifier *cl, Expr *clause);

/* The role of a plain column of this table, as type coercion leaves it. */
static LtfdwRole
column_role(Classifier *cl, Expr *expr)
{
	Var		   *var;

	while (IsA(expr, RelabelType))
		expr = ((RelabelType *) expr)->arg;
	var = (Var *) expr;
	if (!IsA(var, Var) || var->varno != cl->rel->relid || var->varlevelsup != 0 ||
		var->varattno <= 0)
		return LTFDW_NOTHING;
	return cl->table->columns[var->varattno - 1].role;
}

/* Whether an expression has one value for the whole scan. */
static bool
is_value(Classifier *cl, Expr *expr)
{
	return !bms_is_member(cl->rel->relid, pull_varnos(cl->root, (Node *) expr)) &&
		!contain_volatile_functions((Node *) expr) &&
		!contain_subplans((Node *) expr);
}

/* Only plain equality of text, under a collation where equal means same bytes. */
static bool
is_key_equality(Oid opno, Oid collation)
{
	return opno == TextEqualOperator &&
		OidIsValid(collation) && get_collation_isdeterministic(collation);
}

/* The strategy of a comparison of times or integers; false if it is none. */
static bool
ts_strategy(Oid opno, Oid column_type, int *strategy)
{
	Oid			family = lookup_type_cache(column_type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	Oid			negator;

	*strategy = get_op_opfamily_strategy(opno, family);
	if (*strategy != 0)
		return true;

	/* btree does not know <>, only what it is the negation of */
	negator = get_negator(opno);
	*strategy = LTFDW_NOT_EQUAL;
	return OidIsValid(negator) &&
		get_op_opfamily_strategy(negator, family) == BTEqualStrategyNumber;
}

static List *
classify_ts(Classifier *cl, Oid opno, Expr *value, bool is_array)
{
	Oid			column_type = cl->table->columns[cl->table->ts_att - 1].type;
	Oid			type = getBaseType(exprType((Node *) value));
	LtfdwOperand kind;
	int			strategy;

	if (is_array)
		type = getBaseType(get_element_type(type));
	kind = ltfdw_operand_kind(column_type, type);
	if (kind == LTFDW_OPERAND_NONE || !ts_strategy(opno, column_type, &strategy))
		return NIL;
	return ltfdw_condition_ts(strategy, kind, value, is_array, &cl->exprs);
}

static List *
classify_op(Classifier *cl, OpExpr *op)
{
	Expr	   *column;
	Expr	   *value;
	Oid			opno = op->opno;
	LtfdwRole	role;

	if (list_length(op->args) != 2)
		return NIL;
	column = linitial(op->args);
	value = lsecond(op->args);
	role = column_role(cl, column);
	if (role == LTFDW_NOTHING)
	{
		column = lsecond(op->args);
		value = linitial(op->args);
		role = column_role(cl, column);
		opno = get_commutator(opno);
	}
	if (!OidIsValid(opno) || !is_value(cl, value))
		return NIL;
	if (role == LTFDW_KEY && is_key_equality(opno, op->inputcollid))
		return ltfdw_condition_key(value, false, &cl->exprs);
	if (role == LTFDW_TS)
		return classify_ts(cl, opno, value, false);
	return NIL;
}

/* column <op> ANY (array) only: ALL is true of an empty array, ANY is not. */
static List *
classify_array_op(Classifier *cl, ScalarArrayOpExpr *op)
{
	LtfdwRole	role = column_role(cl, linitial(op->args));
	Expr	   *array = lsecond(op->args);

	if (!op->useOr || !is_value(cl, array) ||
		!OidIsValid(get_element_type(getBaseType(exprType((Node *) array)))))
		return NIL;
	if (role == LTFDW_KEY && is_key_equality(op->opno, op->inputcollid))
		return ltfdw_condition_key(array, true, &cl->exprs);
	if (role == LTFDW_TS)
		return classify_ts(cl, op->opno, array, true);
	return NIL;
}

/* Every LTDB record has a key and a ts. */
static List *
classify_null_test(Classifier *cl, NullTest *test)
{
	LtfdwRole	role = column_role(cl, test->arg);

	if (test->nulltesttype != IS_NOT_NULL || (role != LTFDW_KEY && role != LTFDW_TS))
		return NIL;
	return ltfdw_condition_combine(false, NIL);
}

/*
 * All branches must be conditions on one column: of "key = 'a' AND ts > 1"
 * under an OR, neither half holds alone.
 */
static List *
classify_bool(Classifier *cl, BoolExpr *expr)
{
	List	   *children = NIL;
	LtfdwRole	role = LTFDW_NOTHING;
	ListCell   *cell;

	if (expr->boolop == NOT_EXPR)
		return NIL;
	foreach(cell, expr->args)
	{
		List	   *child = classify(cl, lfirst(cell));

		if (child == NIL)
			return NIL;
		if (role == LTFDW_NOTHING)
			role = ltfdw_condition_role(child);
		else if (role != ltfdw_condition_role(child))
			return NIL;
		children = lappend(children, child);
	}
	return ltfdw_condition_combine(expr->boolop == OR_EXPR, children);
}

/* The condition that a clause is, or NIL if LTDB does not answer it. */
static List *
classify(Classifier *cl, Expr *clause)
{
	/* the branches of an OR are wrapped once more */
	if (IsA(clause, RestrictInfo))
		clause = ((RestrictInfo *) clause)->clause;

	switch (nodeTag(clause))
	{
		case T_OpExpr:
			return classify_op(cl, (OpExpr *) clause);
		case T_ScalarArrayOpExpr:
			return classify_array_op(cl, (ScalarArrayOpExpr *) clause);
		case T_NullTest:
			return classify_null_test(cl, (NullTest *) clause);
		case T_BoolExpr:
			return classify_bool(cl, (BoolExpr *) clause);
		default:
			return NIL;
	}
}

/*
 * Whether a clause depends on the key alone.  It is evaluated before others,
 * which must not let a user's function see rows that a security policy hides.
 */
static bool
is_key_filter(Classifier *cl, RestrictInfo *rinfo)
{
	Bitmapset  *attnums = NULL;
	Node	   *clause = (Node *) rinfo->clause;

	if (rinfo->pseudoconstant || cl->table->key_att == InvalidAttrNumber ||
		contain_volatile_functions(clause) || contain_subplans(clause) ||
		!restriction_is_securely_promotable(rinfo, cl->rel))
		return false;
	pull_varattnos(clause, cl->rel->relid, &attnums);
	return bms_membership(attnums) == BMS_SINGLETON &&
		bms_is_member(cl->table->key_att - FirstLowInvalidHeapAttributeNumber, attnums);
}

/* Sort the clauses of a scan into what LTDB answers and what stays here. */
LtfdwPushdown *
ltfdw_pushdown_classify(PlannerInfo *root, RelOptInfo *rel, const LtfdwTable *table,
						List *clauses)
{
	LtfdwPushdown *result = palloc0(sizeof(LtfdwPushdown));
	Classifier	cl = {root, rel, table, NIL};
	List	   *key_conditions = NIL;
	LtfdwLeaf	leaf;
	ListCell   *cell;

	foreach(cell, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, cell);
		int			nexprs = list_length(cl.exprs);
		List	   *condition = rinfo->pseudoconstant ? NIL : classify(&cl, rinfo->clause);

		if (condition == NIL)
		{
			/* a half-understood clause may have left values behind */
			cl.exprs = list_truncate(cl.exprs, nexprs);
			if (is_key_filter(&cl, rinfo))
				result->key_filters = lappend(result->key_filters, rinfo);
			else
				result->local = lappend(result->local, rinfo);
			continue;
		}
		result->remote = lappend(result->remote, rinfo);
		result->conditions = lappend(result->conditions, condition);
		if (ltfdw_condition_role(condition) == LTFDW_KEY)
			key_conditions = lappend(key_conditions, condition);
	}
	result->exprs = cl.exprs;
	result->all_keys = key_conditions == NIL;
	result->single_key = list_length(key_conditions) == 1 &&
		ltfdw_condition_leaf(linitial(key_conditions), &leaf) && !leaf.is_array;
	return result;
}
