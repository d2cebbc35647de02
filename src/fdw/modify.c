/*-------------------------------------------------------------------------
 *
 * modify.c
 *		INSERT, DELETE and COPY: from executor slots to records to send.
 *
 * Sending is sender.c's business.  LTDB has no transactions, so what was sent
 * stays written if the transaction is rolled back.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* ri_FdwState */
typedef struct Modify
{
	LtfdwTable *table;
	LtfdwSender *sender;
	Oid			userid;
	bool		at_end;			/* see ltfdw_sender_new() */
	bool		flush_each_row; /* triggers look at what was written */

	/* junk columns of a DELETE, 0 = none */
	AttrNumber	key_junk;
	AttrNumber	ts_junk;
	AttrNumber	row_junk;
} Modify;

int
ltfdw_IsForeignRelUpdatable(Relation rel)
{
	if (!ltfdw_table_updatable(RelationGetRelid(rel)))
		return 0;
	return (1 << CMD_INSERT) | (1 << CMD_DELETE);
}

/* A record is identified by key and ts, so a write needs columns for both. */
static void
require_identity(const LtfdwTable *table)
{
	if (table->key_att == InvalidAttrNumber || table->ts_att == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
				 errmsg("cannot write to foreign table \"%s\" without columns for key and ts",
						get_rel_name(table->relid))));
}

/* ---- planning ---- */

/*
 * The junk column that carries a column of the row to delete.  Children of an
 * inheritance tree may have the column elsewhere, hence the number in it.
 */
static char *
junk_name(AttrNumber attnum)
{
	return psprintf("ltdb_identity_%d", attnum);
}

static void
add_junk(PlannerInfo *root, Index rtindex, Relation target, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(target), attnum - 1);
	Var		   *var = makeVar(rtindex, attnum, att->atttypid, att->atttypmod,
							  att->attcollation, 0);

	add_row_identity_var(root, var, rtindex, junk_name(attnum));
}

void
ltfdw_AddForeignUpdateTargets(PlannerInfo *root, Index rtindex, RangeTblEntry *target_rte,
							  Relation target)
{
	LtfdwTable *table = ltfdw_table_load(target);

	require_identity(table);
	add_junk(root, rtindex, target, table->key_att);
	add_junk(root, rtindex, target, table->ts_att);

	/*
	 * What RETURNING shows of a deleted row was read before it is deleted.  As
	 * the planner does for triggers: a record, so that all children agree.
	 */
	if (root->parse->returningList)
		add_row_identity_var(root,
							 makeVar(rtindex, InvalidAttrNumber, RECORDOID, -1, InvalidOid, 0),
							 rtindex, "wholerow");
}

List *
ltfdw_PlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index result_relation,
						int subplan_index)
{
	RangeTblEntry *rte = planner_rt_fetch(result_relation, root);

	if (plan->onConflictAction != ONCONFLICT_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ON CONFLICT is not supported for foreign table \"%s\"",
						get_rel_name(rte->relid)),
				 errhint("LTDB has no uniqueness errors: an INSERT replaces the record with the same key and ts.")));
	require_identity(ltfdw_table_load_by_oid(rte->relid));

	return NIL;
}

/* ---- beginning ---- */

/*
 * Whether the statement also reads the collection that it writes to, beside
 * the row it is about to delete: it must not meet its own writes there.
 */
static bool
statement_reads_collection(EState *estate, const LtfdwTable *table, Index target)
{
	Index		rti = 0;
	ListCell   *cell;

	foreach(cell, estate->es_range_table)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);
		LtfdwTable *other;
		Relation	rel;
		bool		same;

		if (++rti == target || rte->rtekind != RTE_RELATION ||
			rte->relkind != RELKIND_FOREIGN_TABLE ||
			GetForeignTable(rte->relid)->serverid != table->serverid)
			continue;
		rel = table_open(rte->relid, AccessShareLock);
		other = ltfdw_table_load(rel);
		same = strcmp(other->collection, table->collection) == 0;
		table_close(rel, NoLock);
		if (same)
			return true;
	}
	return false;
}

/* Whether an AFTER trigger runs that may look at what was written. */
static bool
has_after_trigger(const TriggerDesc *triggers, CmdType operation)
{
	if (triggers == NULL)
		return false;
	return operation == CMD_INSERT
		? triggers->trig_insert_after_row || triggers->trig_insert_after_statement
		: triggers->trig_delete_after_row || triggers->trig_delete_after_statement;
}

static Modify *
begin(EState *estate, ResultRelInfo *result_rel, CmdType operation)
{
	Modify	   *modify = palloc0(sizeof(Modify));
	ResultRelInfo *root = result_rel->ri_RootResultRelInfo;

	modify->table = ltfdw_table_load(result_rel->ri_RelationDesc);
	require_identity(modify->table);
	modify->userid = ltfdw_modify_user(result_rel, estate);
	modify->at_end = statement_reads_collection(estate, modify->table,
												result_rel->ri_RangeTableIndex);
	modify->flush_each_row = has_after_trigger(result_rel->ri_TrigDesc, operation) ||
		(root && has_after_trigger(root->ri_TrigDesc, operation));
	result_rel->ri_FdwState = modify;
	return modify;
}

void
ltfdw_BeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *result_rel,
						 List *fdw_private, int subplan_index, int eflags)
{
	Modify	   *modify;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	modify = begin(mtstate->ps.state, result_rel, mtstate->operation);
	if (mtstate->operation == CMD_DELETE)
	{
		List	   *tlist = outerPlan(mtstate->ps.plan)->targetlist;

		modify->key_junk = ExecFindJunkAttributeInTlist(tlist, junk_name(modify->table->key_att));
		modify->ts_junk = ExecFindJunkAttributeInTlist(tlist, junk_name(modify->table->ts_att));
		modify->row_junk = ExecFindJunkAttributeInTlist(tlist, "wholerow");
	}
}

/* COPY, and rows that a partitioned table routes here. */
void
ltfdw_BeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *result_rel)
{
	ModifyTable *plan = (ModifyTable *) mtstate->ps.plan;

	if (plan && plan->onConflictAction != ONCONFLICT_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ON CONFLICT is not supported for foreign table \"%s\"",
						RelationGetRelationName(result_rel->ri_RelationDesc))));
	begin(mtstate->ps.state, result_rel, CMD_INSERT);
}

/* The connection is opened with the first row: a statement may have none. */
static LtfdwSender *
get_sender(EState *estate, Modify *modify)
{
	if (modify->sender == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);

		modify->sender = ltfdw_sender_new(ltfdw_connection_get(modify->userid,
															   modify->table->serverid),
										  modify->table->collection,
										  modify->table->batch_size, modify->at_end);
		MemoryContextSwitchTo(old);
	}
	return modify->sender;
}

/* ---- rows ---- */

/*
 * Let RETURNING and triggers see what is stored: the whole second, and data
 * that was made of fields.
 */
static void
show_stored(const LtfdwTable *table, TupleTableSlot *slot, const ltdb_record *record)
{
	int			att = table->ts_att - 1;
	Oid			type = table->columns[att].type;
	Datum		stored = ltfdw_ts_to_datum(record->ts_sec, type);
	bool		made_data;
	Datum	   *values;
	bool	   *nulls;
	int			natts = slot->tts_tupleDescriptor->natts;
	HeapTuple	tuple;

	slot_getallattrs(slot);
	made_data = table->nfields > 0 && AttributeNumberIsValid(table->data_att) &&
		slot->tts_isnull[table->data_att - 1];
	if (!made_data && DatumGetInt64(slot->tts_values[att]) == DatumGetInt64(stored))
		return;
	values = palloc(natts * sizeof(Datum));
	nulls = palloc(natts * sizeof(bool));
	memcpy(values, slot->tts_values, natts * sizeof(Datum));
	memcpy(nulls, slot->tts_isnull, natts * sizeof(bool));
	values[att] = stored;
	if (made_data)
	{
		LtfdwRecord shown = {DatumGetTextPP(values[table->key_att - 1]), record->ts_sec, record->data};

		values[table->data_att - 1] = ltfdw_data_to_datum(table, &shown,
														  &nulls[table->data_att - 1]);
	}
	tuple = heap_form_tuple(slot->tts_tupleDescriptor, values, nulls);
	tuple->t_tableOid = slot->tts_tableOid;
	ExecForceStoreHeapTuple(tuple, slot, false);
}

TupleTableSlot *
ltfdw_ExecForeignInsert(EState *estate, ResultRelInfo *result_rel, TupleTableSlot *slot,
						TupleTableSlot *plan_slot)
{
	Modify	   *modify = result_rel->ri_FdwState;
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	ltdb_record record = ltfdw_record_from_slot(modify->table, slot);
	LtfdwSender *sender = get_sender(estate, modify);

	ltfdw_sender_insert(sender, &record);
	if (modify->flush_each_row)
		ltfdw_sender_flush(sender);
	show_stored(modify->table, slot, &record);
	MemoryContextSwitchTo(old);
	return slot;
}

static Datum
junk_value(TupleTableSlot *plan_slot, AttrNumber attnum)
{
	bool		isnull;
	Datum		value = ExecGetJunkAttribute(plan_slot, attnum, &isnull);

	if (isnull)
		elog(ERROR, "the identity of a record to delete is null");
	return value;
}

/* Fill the slot for RETURNING with the row as it was read. */
static void
show_deleted_row(ResultRelInfo *result_rel, TupleTableSlot *slot, Datum row)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(row);
	HeapTupleData tuple;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = RelationGetRelid(result_rel->ri_RelationDesc);
	tuple.t_data = header;
	ExecForceStoreHeapTuple(heap_copytuple(&tuple), slot, false);
}

TupleTableSlot *
ltfdw_ExecForeignDelete(EState *estate, ResultRelInfo *result_rel, TupleTableSlot *slot,
						TupleTableSlot *plan_slot)
{
	Modify	   *modify = result_rel->ri_FdwState;
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	ltdb_record record = ltfdw_record_from_datums(modify->table,
												  junk_value(plan_slot, modify->key_junk),
												  junk_value(plan_slot, modify->ts_junk));
	LtfdwSender *sender = get_sender(estate, modify);

	ltfdw_sender_delete(sender, &record);
	if (modify->flush_each_row)
		ltfdw_sender_flush(sender);
	if (result_rel->ri_projectReturning && AttributeNumberIsValid(modify->row_junk))
		show_deleted_row(result_rel, slot, junk_value(plan_slot, modify->row_junk));
	MemoryContextSwitchTo(old);
	return slot;
}

/* ---- ending ---- */

static void
end(ResultRelInfo *result_rel)
{
	Modify	   *modify = result_rel->ri_FdwState;

	if (modify && modify->sender)
		ltfdw_sender_finish(modify->sender);
}

void
ltfdw_EndForeignModify(EState *estate, ResultRelInfo *result_rel)
{
	end(result_rel);
}

void
ltfdw_EndForeignInsert(EState *estate, ResultRelInfo *result_rel)
{
	end(result_rel);
}
