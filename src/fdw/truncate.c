/*-------------------------------------------------------------------------
 *
 * truncate.c
 *		TRUNCATE: erases what foreign tables show, records or pairs.
 *
 * Which requests that takes is erase.c's business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

#include "miscadmin.h"
#include "utils/rel.h"

/* TRUNCATE of foreign tables of one server. */
void
ltfdw_ExecForeignTruncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
	ListCell   *cell;

	/* all of them may be truncated, or none is */
	foreach(cell, rels)
	{
		Relation	rel = lfirst(cell);

		if (!ltfdw_table_truncatable(RelationGetRelid(rel)))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("foreign table \"%s\" does not allow truncates",
							RelationGetRelationName(rel))));
	}
	foreach(cell, rels)
	{
		LtfdwTarget *target = ltfdw_target_new(GetUserId(), ltfdw_table_load(lfirst(cell)), true);

		ltfdw_target_erase_all(target);
		ltfdw_target_finish(target);
	}
}
