/*-------------------------------------------------------------------------
 *
 * ltdb_fdw.c
 *		The door: module magic and the FDW handler, nothing else.
 *
 * The callbacks stand in the order in which a statement meets them; each
 * lives in the file of src/fdw named beside it.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "src/fdw/fdw.h"

#include "foreign/fdwapi.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	ltfdw_transaction_init();
}

PG_FUNCTION_INFO_V1(ltfdw_handler);

Datum
ltfdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	/* planning a SELECT: plan.c */
	routine->GetForeignRelSize = ltfdw_GetForeignRelSize;
	routine->GetForeignPaths = ltfdw_GetForeignPaths;
	routine->GetForeignPlan = ltfdw_GetForeignPlan;

	/* running it: scan.c */
	routine->BeginForeignScan = ltfdw_BeginForeignScan;
	routine->IterateForeignScan = ltfdw_IterateForeignScan;
	routine->ReScanForeignScan = ltfdw_ReScanForeignScan;
	routine->EndForeignScan = ltfdw_EndForeignScan;

	/* running it beside others: async.c */
	routine->IsForeignPathAsyncCapable = ltfdw_IsForeignPathAsyncCapable;
	routine->ForeignAsyncRequest = ltfdw_ForeignAsyncRequest;
	routine->ForeignAsyncConfigureWait = ltfdw_ForeignAsyncConfigureWait;
	routine->ForeignAsyncNotify = ltfdw_ForeignAsyncNotify;

	/* planning a write: modify.c */
	routine->IsForeignRelUpdatable = ltfdw_IsForeignRelUpdatable;
	routine->AddForeignUpdateTargets = ltfdw_AddForeignUpdateTargets;
	routine->PlanForeignModify = ltfdw_PlanForeignModify;

	/* running it: modify.c; COPY and partition routing use the second pair */
	routine->BeginForeignModify = ltfdw_BeginForeignModify;
	routine->EndForeignModify = ltfdw_EndForeignModify;
	routine->BeginForeignInsert = ltfdw_BeginForeignInsert;
	routine->EndForeignInsert = ltfdw_EndForeignInsert;
	routine->ExecForeignInsert = ltfdw_ExecForeignInsert;
	routine->ExecForeignUpdate = ltfdw_ExecForeignUpdate;
	routine->ExecForeignDelete = ltfdw_ExecForeignDelete;

	/* DELETE of whole keys: direct.c */
	routine->PlanDirectModify = ltfdw_PlanDirectModify;
	routine->BeginDirectModify = ltfdw_BeginDirectModify;
	routine->IterateDirectModify = ltfdw_IterateDirectModify;
	routine->EndDirectModify = ltfdw_EndDirectModify;

	/* TRUNCATE: truncate.c */
	routine->ExecForeignTruncate = ltfdw_ExecForeignTruncate;

	/* EXPLAIN: explain.c */
	routine->ExplainForeignScan = ltfdw_ExplainForeignScan;
	routine->ExplainForeignModify = ltfdw_ExplainForeignModify;
	routine->ExplainDirectModify = ltfdw_ExplainDirectModify;

	/* ANALYZE: analyze.c */
	routine->AnalyzeForeignTable = ltfdw_AnalyzeForeignTable;

	/* IMPORT FOREIGN SCHEMA: import.c */
	routine->ImportForeignSchema = ltfdw_ImportForeignSchema;

	PG_RETURN_POINTER(routine);
}
