/*-------------------------------------------------------------------------
 *
 * compat.h
 *		What differs between PostgreSQL 14 and 18, and nothing else.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LTFDW_COMPAT_H
#define LTFDW_COMPAT_H

#if PG_VERSION_NUM < 140000
#error "ltdb_fdw needs PostgreSQL 14 or later"
#endif

#include "access/stratnum.h"
#include "catalog/pg_foreign_server.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "funcapi.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/sampling.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 150000
#include "common/pg_prng.h"
#endif
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif

/* PostgreSQL 18 has a new spelling. */
#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

/* PostgreSQL 17 added the restriction list, 18 the disabled nodes. */
static inline ForeignPath *
ltfdw_create_foreignscan_path(PlannerInfo *root, RelOptInfo *rel, double rows,
							  Cost startup_cost, Cost total_cost, List *pathkeys,
							  Relids required_outer, List *fdw_private)
{
#if PG_VERSION_NUM >= 180000
	return create_foreignscan_path(root, rel, NULL, rows, 0, startup_cost, total_cost,
								   pathkeys, required_outer, NULL, NIL, fdw_private);
#elif PG_VERSION_NUM >= 170000
	return create_foreignscan_path(root, rel, NULL, rows, startup_cost, total_cost,
								   pathkeys, required_outer, NULL, NIL, fdw_private);
#else
	return create_foreignscan_path(root, rel, NULL, rows, startup_cost, total_cost,
								   pathkeys, required_outer, NULL, fdw_private);
#endif
}

/*
 * A set-returning function that fills a tuplestore, with rows or with values
 * of a type that is none; PostgreSQL 15 and later prepare it.
 */
static inline void
ltfdw_init_materialized_srf(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TupleDesc	desc = NULL;
	bool		is_row = rsinfo && IsA(rsinfo, ReturnSetInfo) &&
		get_call_result_type(fcinfo, NULL, &desc) == TYPEFUNC_COMPOSITE;

#if PG_VERSION_NUM >= 160000
	InitMaterializedSRF(fcinfo, is_row ? 0 : MAT_SRF_USE_EXPECTED_DESC);
#elif PG_VERSION_NUM >= 150000
	SetSingleFuncCall(fcinfo, is_row ? 0 : SRF_SINGLE_USE_EXPECTED);
#else
	MemoryContext old;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) ||
		(rsinfo->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0,
											  false, work_mem);
	rsinfo->setDesc = CreateTupleDescCopy(is_row ? desc : rsinfo->expectedDesc);
	MemoryContextSwitchTo(old);
#endif
}

/* PostgreSQL 18 names comparisons otherwise. */
static inline PathKey *
ltfdw_make_ascending_pathkey(PlannerInfo *root, EquivalenceClass *ec, Oid opfamily)
{
#if PG_VERSION_NUM >= 180000
	return make_canonical_pathkey(root, ec, opfamily, COMPARE_LT, false);
#else
	return make_canonical_pathkey(root, ec, opfamily, BTLessStrategyNumber, false);
#endif
}

static inline bool
ltfdw_pathkey_descends(const PathKey *pathkey)
{
#if PG_VERSION_NUM >= 180000
	return pathkey->pk_cmptype == COMPARE_GT;
#else
	return pathkey->pk_strategy == BTGreaterStrategyNumber;
#endif
}

/* Before PostgreSQL 16 the user to check stood in the range table entry. */
static inline Oid
ltfdw_scan_user(const ForeignScan *plan, EState *estate)
{
	Oid			user;

#if PG_VERSION_NUM >= 160000
	user = plan->checkAsUser;
#else
	Index		rti = plan->scan.scanrelid;

	if (rti == 0)
		rti = bms_next_member(plan->fs_relids, -1);
	user = exec_rt_fetch(rti, estate)->checkAsUser;
#endif
	return OidIsValid(user) ? user : GetUserId();
}

static inline Oid
ltfdw_modify_user(ResultRelInfo *result_rel, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return ExecGetResultRelCheckAsUser(result_rel, estate);
#else
	Index		rti = result_rel->ri_RangeTableIndex;
	Oid			user;

	/*
	 * A partition that routing found has no range table entry of its own; the
	 * table that the statement names has.
	 */
	if (rti == 0 && result_rel->ri_RootResultRelInfo)
		rti = result_rel->ri_RootResultRelInfo->ri_RangeTableIndex;
	user = rti == 0 ? InvalidOid : exec_rt_fetch(rti, estate)->checkAsUser;
	return OidIsValid(user) ? user : GetUserId();
#endif
}

/*
 * Call a type's input function; false if it refuses the value.  PostgreSQL 16
 * has soft errors for that.  Before, the error is caught: safe without a
 * subtransaction for the input of json and jsonb, which only allocates memory.
 */
static inline bool
ltfdw_input_or_false(PGFunction input, char *string, Datum *result)
{
#if PG_VERSION_NUM >= 160000
	ErrorSaveContext escontext = {T_ErrorSaveContext};

	return DirectInputFunctionCallSafe(input, string, InvalidOid, -1,
									   (Node *) &escontext, result);
#else
	MemoryContext context = CurrentMemoryContext;
	volatile bool valid = true;

	PG_TRY();
	{
		*result = DirectFunctionCall1(input, CStringGetDatum(string));
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		valid = false;
	}
	PG_END_TRY();
	return valid;
#endif
}

/* PostgreSQL 16 made one function of the many for privileges. */
static inline AclResult
ltfdw_server_aclcheck(Oid serverid, Oid userid)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, serverid, userid, ACL_USAGE);
#else
	return pg_foreign_server_aclcheck(serverid, userid, ACL_USAGE);
#endif
}

/* PostgreSQL 17 lets an extension name its wait events. */
static inline uint32
ltfdw_wait_event(ltdb_phase phase)
{
#if PG_VERSION_NUM >= 170000
	static const char *const names[LTDB_PHASE_COUNT] = {
		[LTDB_PHASE_RESOLVE] = "LtdbResolve",
		[LTDB_PHASE_CONNECT] = "LtdbConnect",
		[LTDB_PHASE_TLS] = "LtdbTls",
		[LTDB_PHASE_HANDSHAKE] = "LtdbHandshake",
		[LTDB_PHASE_AUTHENTICATE] = "LtdbAuthenticate",
		[LTDB_PHASE_SEND] = "LtdbSend",
		[LTDB_PHASE_ANSWER] = "LtdbAnswer",
		[LTDB_PHASE_RECONNECT] = "LtdbReconnect",
	};
	static uint32 events[LTDB_PHASE_COUNT];

	if (events[phase] == 0)
		events[phase] = WaitEventExtensionNew(names[phase]);
	return events[phase];
#else
	return PG_WAIT_EXTENSION;
#endif
}

/* PostgreSQL 15 has another random number generator. */
#if PG_VERSION_NUM >= 150000
typedef pg_prng_state LtfdwRandom;
#else
typedef struct LtfdwRandom
{
	SamplerRandomState state;
} LtfdwRandom;
#endif

static inline void
ltfdw_random_init(LtfdwRandom *source)
{
#if PG_VERSION_NUM >= 150000
	sampler_random_init_state(pg_prng_uint32(&pg_global_prng_state), source);
#else
	sampler_random_init_state(random(), source->state);
#endif
}

/* Above 0, below 1. */
static inline double
ltfdw_random_fraction(LtfdwRandom *source)
{
#if PG_VERSION_NUM >= 150000
	return sampler_random_fract(source);
#else
	return sampler_random_fract(source->state);
#endif
}

#endif							/* LTFDW_COMPAT_H */
