/*-------------------------------------------------------------------------
 *
 * scan.c
 *		The life of a foreign scan in the executor.
 *
 * When the first row is asked for, the values in the conditions are computed
 * and the keys settled: given by the conditions or listed by the server, and
 * filtered here.  Then rows are read (reader.c).  Where the newest record of
 * every key is all that is wanted, one "query" request answers it.
 *
 * A rescan with the same values is answered from rows kept in memory, if they
 * were few enough; with other values it begins anew.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

void
ltfdw_BeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	EState	   *estate = node->ss.ps.state;
	List	   *private = plan->fdw_private;
	LtfdwScan  *scan = palloc0(sizeof(LtfdwScan));
	List	   *filters = list_nth_node(List, plan->fdw_exprs, LTFDW_SCAN_KEY_FILTERS);

	node->fdw_state = scan;
	scan->table = ltfdw_table_load(node->ss.ss_currentRelation);
	scan->conditions = list_nth_node(List, private, LTFDW_SCAN_CONDITIONS);
	scan->projection = ltfdw_projection_new(scan->table,
											list_nth_node(List, private, LTFDW_SCAN_WANTED));
	if (filters)
		scan->key_projection = ltfdw_projection_new(scan->table,
													list_make1(makeInteger(scan->table->key_att)));
	scan->order.key_direction = intVal(list_nth(private, LTFDW_SCAN_KEY_DIRECTION));
	scan->order.collation = (Oid) intVal(list_nth(private, LTFDW_SCAN_COLLATION));
	scan->order.reverse = intVal(list_nth(private, LTFDW_SCAN_REVERSE));
	scan->reduction = intVal(list_nth(private, LTFDW_SCAN_REDUCTION));

	scan->value_states = ExecInitExprList(list_nth_node(List, plan->fdw_exprs, LTFDW_SCAN_VALUES),
										  &node->ss.ps);
	scan->key_filter = filters ? ExecInitQual(filters, &node->ss.ps) : NULL;
	scan->limit_states = ExecInitExprList(list_nth_node(List, plan->fdw_exprs, LTFDW_SCAN_LIMIT),
										  &node->ss.ps);

	scan->counters.timing = estate->es_instrument & INSTRUMENT_TIMER;

	/* without parameters a rescan is announced, with them it is to be expected */
	scan->keep = (eflags & EXEC_FLAG_REWIND) != 0 || !bms_is_empty(plan->scan.plan.extParam);
	scan->stored_slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(node->ss.ss_currentRelation),
											   &TTSOpsMinimalTuple);
	scan->query_cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw query",
											ALLOCSET_DEFAULT_SIZES);
}

/* ---- settling what to ask for ---- */

/*
 * The values in the conditions, in the current context.  They may be columns
 * of an outer row, which the executor passes as parameters.
 */
static LtfdwValue *
compute_values(ForeignScanState *node, LtfdwScan *scan)
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

static bool
same_values(const LtfdwScan *scan, const LtfdwValue *a, const LtfdwValue *b)
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

/* Whether a key passes the clauses that look at nothing else. */
static bool
key_passes(ForeignScanState *node, const LtfdwScan *scan, text *key)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	LtfdwRecord record = {key, 0, {"", 0}};
	bool		result;

	ExecClearTuple(slot);
	ltfdw_record_to_slot(scan->key_projection, &record, slot);
	econtext->ecxt_scantuple = slot;
	result = ExecQual(scan->key_filter, econtext);
	ExecClearTuple(slot);
	return result;
}

static void
filter_keys(ForeignScanState *node, const LtfdwScan *scan, LtfdwKeys *keys)
{
	int			kept = 0;

	for (int i = 0; i < keys->count; i++)
	{
		if (key_passes(node, scan, keys->items[i]))
			keys->items[kept++] = keys->items[i];
		ResetExprContext(node->ss.ps.ps_ExprContext);
	}
	keys->count = kept;
}

/* LIMIT plus OFFSET, -1 if there is no limit; the Limit node checks the rest. */
static int64
row_limit(ForeignScanState *node, const LtfdwScan *scan)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	bool		no_limit;
	bool		no_offset;
	int64		limit;
	int64		offset;

	if (scan->limit_states == NIL)
		return -1;
	limit = DatumGetInt64(ExecEvalExprSwitchContext(linitial(scan->limit_states), econtext,
													&no_limit));
	offset = DatumGetInt64(ExecEvalExprSwitchContext(lsecond(scan->limit_states), econtext,
													 &no_offset));
	if (no_limit || limit < 0)
		return -1;
	if (no_offset || offset < 0)
		offset = 0;
	return limit > PG_INT64_MAX - offset ? -1 : limit + offset;
}

/* ---- one "query" request for the newest record of every key ---- */

/* Whether that request answers the query: it takes one interval, after 1970. */
static bool
is_latest_query(const LtfdwScan *scan, const LtfdwQuery *query)
{
	return scan->reduction == LTFDW_ONE_OF_KEY && scan->order.reverse &&
		(query->keys.all || query->keys.count == 1) &&
		query->times.count == 1 && query->times.items[0].to_sec > 0;
}

/*
 * Should the connection be lost the answer begins anew, so all of its rows
 * are collected before any is shown; they may go to a temporary file.
 */
static void
collect_latest(ForeignScanState *node, LtfdwScan *scan, const LtfdwQuery *query)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	const LtfdwTable *table = scan->table;
	LtfdwInterval interval = query->times.items[0];
	ltdb_latest request = {{0}};
	LtfdwReply *owned;
	ltdb_record item;
	ltdb_next	next;

	request.collection = ltfdw_text_to_ltdb(table->collection, strlen(table->collection));
	if (!query->keys.all)
		request.key = ltfdw_datum_to_ltdb(query->keys.items[0]);
	request.at_sec = interval.to_sec;
	request.from_sec = interval.from_sec;
	scan->counters.requests++;
	owned = ltfdw_reply_own(scan->conn,
							ltdb_send_latest(ltfdw_connection_handle(scan->conn), &request));
	while ((next = ltfdw_connection_next(scan->conn, owned->reply, &item,
										 &scan->counters)) != LTDB_DONE)
	{
		MemoryContext old;
		LtfdwRecord record;

		if (next == LTDB_RESTART)
		{
			tuplestore_clear(scan->stored);
			continue;
		}

		/* from = 0 means no bound to LTDB, and a key may have no name there */
		if (item.ts_sec < interval.from_sec || item.ts_sec > interval.to_sec)
			continue;
		if (item.key.len_bytes == 0)
		{
			ltfdw_warn_about_empty_key(table->collection);
			continue;
		}
		ResetExprContext(econtext);
		old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
		record.key = ltfdw_text_from_ltdb(item.key, "key", table->collection);
		record.ts_sec = item.ts_sec;
		record.data = item.data;
		if (scan->key_filter == NULL || key_passes(node, scan, record.key))
		{
			ExecClearTuple(slot);
			ltfdw_record_to_slot(scan->projection, &record, slot);
			tuplestore_puttupleslot(scan->stored, slot);
			ExecClearTuple(slot);
		}
		MemoryContextSwitchTo(old);
	}
	ltfdw_counters_add(&scan->counters, owned->reply);
	ltfdw_reply_release(owned);
	scan->complete = true;
}

/* ---- rows ---- */

static void
start_reading(ForeignScanState *node, LtfdwScan *scan, LtfdwQuery *query)
{
	LtfdwReading reading = {scan->order.reverse, -1, -1};
	int64		limit = row_limit(node, scan);

	if (query->keys.all)
		query->keys = ltfdw_keys_list(scan->conn, scan->table->collection,
									  ltfdw_intervals_span(query->times), &scan->counters);
	if (scan->key_filter)
		filter_keys(node, scan, &query->keys);
	ltfdw_keys_order(&query->keys, &scan->order);

	if (scan->reduction == LTFDW_FIRST_ROWS)
		reading.limit = limit;
	else if (scan->reduction == LTFDW_FIRST_OF_KEY)
		reading.key_limit = limit;
	else if (scan->reduction == LTFDW_ONE_OF_KEY)
		reading.key_limit = 1;
	ltfdw_reader_start(scan->reader, query, reading);
}

static void
connect(ForeignScanState *node, LtfdwScan *scan)
{
	EState	   *estate = node->ss.ps.state;
	Oid			user = ltfdw_scan_user((ForeignScan *) node->ss.ps.plan, estate);
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);

	scan->conn = ltfdw_connection_get(user, scan->table->serverid);
	scan->reader = ltfdw_reader_new(scan->conn, scan->table, &scan->counters);
	MemoryContextSwitchTo(old);
}

/* Forget the run before, its rows included. */
static void
forget(LtfdwScan *scan)
{
	if (scan->reader)
		ltfdw_reader_stop(scan->reader);
	ExecClearTuple(scan->stored_slot);
	if (scan->stored)
		tuplestore_end(scan->stored);
	scan->stored = NULL;
	scan->values = NULL;
	scan->complete = false;
	MemoryContextReset(scan->query_cxt);
}

/* Whether the rows of the run before are those of this one; then be ready. */
static bool
start_again(ForeignScanState *node, LtfdwScan *scan)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	MemoryContext old;
	bool		same;

	if (scan->values == NULL || (!scan->complete && !scan->empty) || scan->limit_states != NIL)
		return false;
	old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	same = same_values(scan, scan->values, compute_values(node, scan));
	MemoryContextSwitchTo(old);
	if (same && scan->stored)
		tuplestore_rescan(scan->stored);
	return same;
}

static void
start(ForeignScanState *node, LtfdwScan *scan)
{
	MemoryContext old;
	LtfdwQuery	query;

	scan->started = true;
	if (start_again(node, scan))
		return;

	forget(scan);
	old = MemoryContextSwitchTo(scan->query_cxt);
	scan->values = compute_values(node, scan);
	query = ltfdw_query_evaluate(scan->conditions, scan->values);
	scan->empty = ltfdw_query_is_empty(&query);
	if (!scan->empty)
	{
		bool		latest = is_latest_query(scan, &query);

		if (scan->conn == NULL)
			connect(node, scan);
		if (latest || scan->keep)
			scan->stored = tuplestore_begin_heap(false, false, work_mem);
		if (latest)
			collect_latest(node, scan, &query);
		else
			start_reading(node, scan, &query);
	}
	MemoryContextSwitchTo(old);
}

/* Keep a row for a rescan, or give up keeping them when they are too many. */
static void
keep_row(LtfdwScan *scan, TupleTableSlot *slot)
{
	if (scan->stored == NULL)
		return;
	if (tuplestore_in_memory(scan->stored))
	{
		tuplestore_puttupleslot(scan->stored, slot);
		return;
	}
	tuplestore_end(scan->stored);
	scan->stored = NULL;
}

/* The next row of those kept, in the slot that the executor expects. */
static TupleTableSlot *
stored_row(LtfdwScan *scan, TupleTableSlot *slot)
{
	int			natts = slot->tts_tupleDescriptor->natts;

	if (!tuplestore_gettupleslot(scan->stored, true, false, scan->stored_slot))
		return slot;
	slot_getallattrs(scan->stored_slot);
	memcpy(slot->tts_values, scan->stored_slot->tts_values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, scan->stored_slot->tts_isnull, natts * sizeof(bool));
	return ExecStoreVirtualTuple(slot);
}

TupleTableSlot *
ltfdw_IterateForeignScan(ForeignScanState *node)
{
	LtfdwScan  *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	LtfdwRecord record;

	if (!scan->started)
		start(node, scan);
	ExecClearTuple(slot);
	if (scan->empty)
		return slot;
	if (scan->complete)
		return stored_row(scan, slot);
	if (ltfdw_reader_next(scan->reader, &record))
	{
		ltfdw_record_to_slot(scan->projection, &record, slot);
		keep_row(scan, slot);
	}
	else
		scan->complete = scan->stored != NULL;
	return slot;
}

void
ltfdw_ReScanForeignScan(ForeignScanState *node)
{
	LtfdwScan  *scan = node->fdw_state;

	scan->started = false;
}

void
ltfdw_EndForeignScan(ForeignScanState *node)
{
	forget(node->fdw_state);
}
