/*-------------------------------------------------------------------------
 *
 * modify.c
 *		INSERT, UPDATE, DELETE and COPY: from executor slots to records to write.
 *
 * Where they go, and when they are sent, is target.c's business; a DELETE of
 * whole keys is direct.c's.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
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
	LtfdwTarget *target;
	Oid			userid;
	bool		flush_each_row; /* triggers look at what was written */
	CommandId	cid;			/* of this statement */

	/* junk columns of an UPDATE or DELETE, 0 = none */
	AttrNumber	key_junk;
	AttrNumber	ts_junk;
	AttrNumber	row_junk;
} Modify;

int
ltfdw_IsForeignRelUpdatable(Relation rel)
{
	if (!ltfdw_table_updatable(RelationGetRelid(rel)))
		return 0;
	return (1 << CMD_INSERT) | (1 << CMD_UPDATE) | (1 << CMD_DELETE);
}

/* A record is identified by key and ts, a pair by its key. */
static void
require_identity(const LtfdwTable *table)
{
	if (table->key_att == InvalidAttrNumber ||
		(table->kind == LTFDW_RECORDS && table->ts_att == InvalidAttrNumber))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
				 table->kind == LTFDW_PAIRS
				 ? errmsg("cannot write to foreign table \"%s\" without a column for key",
						  get_rel_name(table->relid))
				 : errmsg("cannot write to foreign table \"%s\" without columns for key and ts",
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
	if (table->kind == LTFDW_RECORDS)
		add_junk(root, rtindex, target, table->ts_att);

	/*
	 * What RETURNING shows of a deleted row was read before it is deleted.  As
	 * the planner does for triggers: a record, so that all children agree.
	 */
	if (root->parse->commandType == CMD_DELETE && root->parse->returningList)
		add_row_identity_var(root,
							 makeVar(rtindex, InvalidAttrNumber, RECORDOID, -1, InvalidOid, 0),
							 rtindex, "wholerow");
}

List *
ltfdw_PlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index result_relation,
						int subplan_index)
{
	RangeTblEntry *rte = planner_rt_fetch(result_relation, root);
	const LtfdwTable *table = ltfdw_table_load_by_oid(rte->relid);

	if (plan->onConflictAction != ONCONFLICT_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ON CONFLICT is not supported for foreign table \"%s\"",
						get_rel_name(rte->relid)),
				 errhint("LTDB has no uniqueness errors: an INSERT replaces the %s.",
						 table->kind == LTFDW_PAIRS ? "pair with the same key"
						 : "record with the same key and ts")));
	require_identity(table);

	return NIL;
}

/* ---- beginning ---- */

/*
 * Whether the statement also reads the collection that it writes to, beside
 * the row it is about to delete: it must not meet its own writes there.
 */
bool
ltfdw_statement_reads(EState *estate, const LtfdwTable *table, Index target)
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
		same = other->kind == table->kind && ltfdw_same_collection(other, table);
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
	switch (operation)
	{
		case CMD_INSERT:
			return triggers->trig_insert_after_row || triggers->trig_insert_after_statement;
		case CMD_UPDATE:
			return triggers->trig_update_after_row || triggers->trig_update_after_statement;
		default:
			return triggers->trig_delete_after_row || triggers->trig_delete_after_statement;
	}
}

/* Whether a DELETE can meet no row twice, since it joins nothing. */
static bool
rows_come_once(Plan *plan)
{
	ListCell   *cell;

	if (IsA(plan, Append))
	{
		foreach(cell, ((Append *) plan)->appendplans)
			if (!rows_come_once(lfirst(cell)))
				return false;
		return true;
	}
	if (IsA(plan, Result) && outerPlan(plan))
		return rows_come_once(outerPlan(plan));
	return IsA(plan, ForeignScan) || IsA(plan, SeqScan) || IsA(plan, Result);
}

/*
 * Whether write_mode 'immediate' must wait for the end of the statement: when
 * records move, what is deleted and what is stored can only be told apart
 * there, a row that a join finds twice counts once, and a statement must not
 * read what it writes.
 */
static bool
must_hold(ModifyTableState *mtstate, ResultRelInfo *result_rel, const LtfdwTable *table,
		  CmdType operation)
{
	return operation == CMD_UPDATE ||
		(operation == CMD_DELETE && !rows_come_once(outerPlan(mtstate->ps.plan))) ||
		ltfdw_statement_reads(mtstate->ps.state, table, result_rel->ri_RangeTableIndex);
}

static Modify *
begin(ModifyTableState *mtstate, ResultRelInfo *result_rel, CmdType operation)
{
	Modify	   *modify = palloc0(sizeof(Modify));
	ResultRelInfo *root = result_rel->ri_RootResultRelInfo;

	modify->table = ltfdw_table_load(result_rel->ri_RelationDesc);
	require_identity(modify->table);
	modify->userid = ltfdw_modify_user(result_rel, mtstate->ps.state);
	modify->target = ltfdw_target_new(modify->userid, modify->table,
									  must_hold(mtstate, result_rel, modify->table, operation));
	modify->flush_each_row = has_after_trigger(result_rel->ri_TrigDesc, operation) ||
		(root && has_after_trigger(root->ri_TrigDesc, operation));
	modify->cid = GetCurrentCommandId(true);
	result_rel->ri_FdwState = modify;
	return modify;
}

void
ltfdw_BeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *result_rel,
						 List *fdw_private, int subplan_index, int eflags)
{
	List	   *tlist = outerPlan(mtstate->ps.plan)->targetlist;
	Modify	   *modify;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	modify = begin(mtstate, result_rel, mtstate->operation);
	if (mtstate->operation == CMD_INSERT)
		return;
	modify->key_junk = ExecFindJunkAttributeInTlist(tlist, junk_name(modify->table->key_att));
	if (modify->table->kind == LTFDW_RECORDS)
		modify->ts_junk = ExecFindJunkAttributeInTlist(tlist, junk_name(modify->table->ts_att));
	modify->row_junk = ExecFindJunkAttributeInTlist(tlist, "wholerow");
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
	/* a partition may be a target of the UPDATE that moves rows into it */
	if (result_rel->ri_FdwState == NULL)
		begin(mtstate, result_rel, CMD_INSERT);
}

/* After each row. */
static void
flush_row(Modify *modify)
{
	if (modify->flush_each_row)
		ltfdw_target_flush(modify->target);
}

/* ---- rows ---- */

/* RETURNING may show anything of a row. */
static void
prepare_returning(const ResultRelInfo *result_rel, TupleTableSlot *slot)
{
	if (result_rel->ri_projectReturning && TTS_IS_HEAPTUPLE(slot))
		ltfdw_clear_system_columns(slot);
}

/*
 * Let RETURNING and triggers see what is stored: the whole second, and data
 * that was made of fields.
 */
static void
show_stored(const LtfdwTable *table, TupleTableSlot *slot, const ltdb_record *record)
{
	int			att = table->ts_att - 1;
	Datum		stored = (Datum) 0;
	bool		cut_ts = false;
	bool		made_data;
	Datum	   *values;
	bool	   *nulls;
	int			natts = slot->tts_tupleDescriptor->natts;
	HeapTuple	tuple;

	slot_getallattrs(slot);
	made_data = table->nfields > 0 && AttributeNumberIsValid(table->data_att);
	if (table->kind == LTFDW_RECORDS)
	{
		stored = ltfdw_ts_to_datum(record->ts_sec, table->columns[att].type);
		cut_ts = DatumGetInt64(slot->tts_values[att]) != DatumGetInt64(stored);
	}
	if (!made_data && !cut_ts)
		return;
	values = palloc(natts * sizeof(Datum));
	nulls = palloc(natts * sizeof(bool));
	memcpy(values, slot->tts_values, natts * sizeof(Datum));
	memcpy(nulls, slot->tts_isnull, natts * sizeof(bool));
	if (cut_ts)
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

static Datum
junk_value(TupleTableSlot *plan_slot, AttrNumber attnum)
{
	bool		isnull;
	Datum		value = ExecGetJunkAttribute(plan_slot, attnum, &isnull);

	if (isnull)
		elog(ERROR, "the identity of a record to delete is null");
	return value;
}

/* The key of a row, which is not NULL: the record was made from it. */
static text *
key_of_slot(const LtfdwTable *table, TupleTableSlot *slot)
{
	bool		isnull;

	return DatumGetTextPP(slot_getattr(slot, table->key_att, &isnull));
}

/*
 * PostgreSQL leaves constraints on foreign tables to whoever keeps the data.
 * LTDB knows none, so they are checked here, as for a local table: NOT NULL,
 * CHECK, and, unless the row was routed here by it, the partition's own.
 */
static void
check_constraints(EState *estate, ResultRelInfo *result_rel, TupleTableSlot *slot, bool routed,
				  bool moved)
{
	Relation	rel = result_rel->ri_RelationDesc;

	if (RelationGetDescr(rel)->constr)
		ExecConstraints(result_rel, slot, estate);
	if (rel->rd_rel->relispartition && !routed &&
		!ExecPartitionCheck(result_rel, slot, estate, !moved))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("new row for relation \"%s\" violates partition constraint",
						RelationGetRelationName(rel)),
				 errhint("PostgreSQL does not move rows out of a foreign partition: DELETE the row and INSERT it anew."),
				 errtable(rel)));
}

/* Routing has checked the partition, but not what a trigger has made of the row since. */
static bool
was_routed(const ResultRelInfo *result_rel)
{
	const TriggerDesc *triggers = result_rel->ri_TrigDesc;

	return result_rel->ri_RootResultRelInfo != NULL &&
		!(triggers && triggers->trig_insert_before_row);
}

TupleTableSlot *
ltfdw_ExecForeignInsert(EState *estate, ResultRelInfo *result_rel, TupleTableSlot *slot,
						TupleTableSlot *plan_slot)
{
	Modify	   *modify = result_rel->ri_FdwState;
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	ltdb_record record;

	check_constraints(estate, result_rel, slot, was_routed(result_rel), false);
	record = ltfdw_record_from_slot(modify->table, slot);
	ltfdw_target_put(modify->target, key_of_slot(modify->table, slot), &record);
	flush_row(modify);
	show_stored(modify->table, slot, &record);
	prepare_returning(result_rel, slot);
	MemoryContextSwitchTo(old);
	return slot;
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

/* The record that a row of the plan is to change. */
static ltdb_record
old_identity(const Modify *modify, TupleTableSlot *plan_slot, text **key)
{
	*key = DatumGetTextPP(junk_value(plan_slot, modify->key_junk));
	return ltfdw_record_from_datums(modify->table, PointerGetDatum(*key),
									modify->table->kind == LTFDW_PAIRS ? (Datum) 0
									: junk_value(plan_slot, modify->ts_junk));
}

/*
 * The data of a record as it is stored, for an UPDATE of a row that does not
 * show it: a request of its own.  False if the record is gone.
 */
static bool
stored_data(Modify *modify, text *key, int64 ts_sec, ltdb_text *data)
{
	LtfdwInterval second = {ts_sec, ts_sec};
	LtfdwQuery	query = {{false, 1, &key}, {1, &second}};
	LtfdwReading reading = {false, 1, -1, ltfdw_transaction_writes(modify->table),
	modify->cid};
	LtfdwReader *reader = ltfdw_reader_new(ltfdw_connection_get(modify->userid,
																modify->table->serverid),
										   modify->table, NULL);
	LtfdwRecord record;
	bool		found;

	ltfdw_reader_start(reader, &query, reading);
	found = ltfdw_reader_next(reader, &record, true) == LTDB_ITEM;
	if (found)
	{
		char	   *copy = palloc(record.data.len_bytes + 1);

		memcpy(copy, record.data.bytes, record.data.len_bytes);
		data->bytes = copy;
		data->len_bytes = record.data.len_bytes;
	}
	ltfdw_reader_stop(reader);
	return found;
}

/*
 * What an UPDATE makes of data: the data column's value, or the stored data
 * with the changed fields written into it.  False if the record is gone.
 */
static bool
updated_data(ResultRelInfo *result_rel, Modify *modify, text *old_key, int64 old_sec,
			 TupleTableSlot *slot, ltdb_text *data)
{
	const LtfdwTable *table = modify->table;
	TupleTableSlot *old_row = result_rel->ri_oldTupleSlot;
	bool		fields_changed = table->nfields > 0 &&
		ltfdw_fields_changed(table, old_row, slot);

	if (AttributeNumberIsValid(table->data_att))
	{
		ltdb_text	old_data = ltfdw_data_column_to_ltdb(table, old_row);

		*data = ltfdw_data_column_to_ltdb(table, slot);
		if (!fields_changed)
			return true;
		if (data->len_bytes != old_data.len_bytes ||
			memcmp(data->bytes, old_data.bytes, old_data.len_bytes) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_ERROR),
					 errmsg("cannot update both data and fields of it in LTDB collection \"%s\"",
							table->collection)));
	}
	else if (!stored_data(modify, old_key, old_sec, data))
		return false;
	if (fields_changed)
		*data = ltfdw_datum_to_ltdb(ltfdw_fields_patch(table, *data, old_row, slot));
	return true;
}

TupleTableSlot *
ltfdw_ExecForeignUpdate(EState *estate, ResultRelInfo *result_rel, TupleTableSlot *slot,
						TupleTableSlot *plan_slot)
{
	Modify	   *modify = result_rel->ri_FdwState;
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	text	   *old_key;
	ltdb_record before = old_identity(modify, plan_slot, &old_key);
	ltdb_record after;

	check_constraints(estate, result_rel, slot, false, true);
	after = ltfdw_identity_from_slot(modify->table, slot);
	if (!ltfdw_target_take(modify->target, old_key, before.ts_sec) ||
		!updated_data(result_rel, modify, old_key, before.ts_sec, slot, &after.data))
	{
		MemoryContextSwitchTo(old);
		return NULL;
	}
	ltfdw_check_data(modify->table, after.data);
	ltfdw_target_put(modify->target, key_of_slot(modify->table, slot), &after);
	if (before.ts_sec != after.ts_sec || before.key.len_bytes != after.key.len_bytes ||
		memcmp(before.key.bytes, after.key.bytes, after.key.len_bytes) != 0)
		ltfdw_target_delete(modify->target, old_key, &before);
	show_stored(modify->table, slot, &after);
	prepare_returning(result_rel, slot);
	MemoryContextSwitchTo(old);
	return slot;
}

TupleTableSlot *
ltfdw_ExecForeignDelete(EState *estate, ResultRelInfo *result_rel, TupleTableSlot *slot,
						TupleTableSlot *plan_slot)
{
	Modify	   *modify = result_rel->ri_FdwState;
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	text	   *key;
	ltdb_record record = old_identity(modify, plan_slot, &key);

	if (!ltfdw_target_take(modify->target, key, record.ts_sec))
	{
		/* a join may find a row twice, but it is gone after the first time */
		MemoryContextSwitchTo(old);
		return NULL;
	}
	ltfdw_target_delete(modify->target, key, &record);
	flush_row(modify);
	if (result_rel->ri_projectReturning && AttributeNumberIsValid(modify->row_junk))
	{
		show_deleted_row(result_rel, slot, junk_value(plan_slot, modify->row_junk));
		prepare_returning(result_rel, slot);
	}
	MemoryContextSwitchTo(old);
	return slot;
}

/* ---- ending ---- */

static void
end(ResultRelInfo *result_rel)
{
	Modify	   *modify = result_rel->ri_FdwState;

	if (modify)
		ltfdw_target_finish(modify->target);
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
