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
#include "write.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

void
ltfdw_BeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	EState	   *estate = node->ss.ps.state;
	List	   *private = plan->fdw_private;
	LtfdwScan  *scan = palloc0(sizeof(LtfdwScan));
	List	   *values = list_nth_node(List, plan->fdw_exprs, LTFDW_SCAN_VALUES);
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

	scan->value_states = ExecInitExprList(ltfdw_values_of_run(values, filters), &node->ss.ps);
	scan->key_filter = filters ? ExecInitQual(filters, &node->ss.ps) : NULL;
	scan->limit_states = ExecInitExprList(list_nth_node(List, plan->fdw_exprs, LTFDW_SCAN_LIMIT),
										  &node->ss.ps);

	scan->counters.timing = estate->es_instrument & INSTRUMENT_TIMER;

	scan->again = true;

	/* without parameters a rescan is announced, with them it is to be expected */
	scan->keep = (eflags & EXEC_FLAG_REWIND) != 0 || !bms_is_empty(plan->scan.plan.extParam);
	scan->stored_slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(node->ss.ss_currentRelation),
											   &TTSOpsMinimalTuple);
	scan->query_cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw query",
											ALLOCSET_DEFAULT_SIZES);
}

/* ---- settling what to ask for ---- */

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

/* ---- one request for the newest record of every key, or for every pair ---- */

/*
 * Whether that request answers the query: it takes one interval, after 1970,
 * and the newest record must not be one that this transaction has deleted.
 */
static bool
is_latest_query(const LtfdwScan *scan, const LtfdwQuery *query)
{
	return scan->table->kind == LTFDW_RECORDS &&
		scan->reduction == LTFDW_ONE_OF_KEY && scan->order.reverse &&
		scan->writes == NULL &&
		(query->keys.all || query->keys.count == 1) &&
		query->times.count == 1 && query->times.items[0].to_sec > 0;
}

/*
 * Should the connection be lost the answer begins anew, so all of its rows
 * are collected before any is shown; they may go to a temporary file.
 */
static void
start_latest(LtfdwScan *scan)
{
	LtfdwInterval interval = scan->query.times.items[0];
	ltdb_latest request = {{0}};

	request.collection = ltfdw_text_to_ltdb(scan->table->collection,
											strlen(scan->table->collection));
	if (!scan->query.keys.all)
		request.key = ltfdw_datum_to_ltdb(scan->query.keys.items[0]);
	request.at_sec = interval.to_sec;
	request.from_sec = ltfdw_latest_from(interval.from_sec);
	scan->counters.requests++;
	scan->latest = ltfdw_reply_own(ltdb_send_latest(ltfdw_connection_handle(scan->conn), &request));
	ltdb_poll(ltfdw_connection_handle(scan->conn));
}

/* Keep a row, if its key is one of the query's. */
static void
collect_record(ForeignScanState *node, LtfdwScan *scan, const LtfdwRecord *record)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (scan->key_filter && !key_passes(node, scan, record->key))
		return;
	ExecClearTuple(slot);
	ltfdw_record_to_slot(scan->projection, record, slot);
	tuplestore_puttupleslot(scan->stored, slot);
	ExecClearTuple(slot);
}

/* The next of the newest records that is one of the query's. */
static ltdb_next
next_latest(LtfdwScan *scan, LtfdwRecord *record, bool wait)
{
	LtfdwInterval interval = scan->query.times.items[0];
	ltdb_record item;
	ltdb_next	next;

	for (;;)
	{
		next = ltfdw_connection_ask(scan->conn, scan->latest->reply, &item, &scan->counters, wait);
		if (next != LTDB_ITEM)
			break;

		/* from = 0 means no bound to LTDB, and a key may have no name there */
		if (item.ts_sec < interval.from_sec || item.ts_sec > interval.to_sec)
			continue;
		if (item.key.len_bytes == 0)
		{
			ltfdw_warn_about_empty_key(scan->table->collection);
			continue;
		}
		record->key = ltfdw_text_from_ltdb(item.key, "key", scan->table->collection);
		record->ts_sec = item.ts_sec;
		record->data = item.data;
		return LTDB_ITEM;
	}
	if (next == LTDB_DONE)
	{
		ltfdw_counters_add(&scan->counters, scan->latest->reply);
		ltfdw_reply_release(scan->latest);
	}
	return next;
}

/* LTDB_DONE when all rows of the one answer are there, or LTDB_WAIT. */
static ltdb_next
collect_rows(ForeignScanState *node, LtfdwScan *scan, bool wait)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	MemoryContext old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	ltdb_next	next;

	for (;;)
	{
		LtfdwRecord record;

		next = scan->pairs ? ltfdw_pairs_next(scan->pairs, &record, wait)
			: next_latest(scan, &record, wait);
		if (next == LTDB_ITEM)
			collect_record(node, scan, &record);
		else if (next == LTDB_RESTART)
			tuplestore_clear(scan->stored);
		else
			break;
		ResetExprContext(econtext);
	}
	MemoryContextSwitchTo(old);
	return next;
}

/* ---- a run ---- */

/* Begin to read, the keys being settled. */
static void
start_reading(ForeignScanState *node, LtfdwScan *scan)
{
	LtfdwReading reading = {scan->order.reverse, -1, -1, scan->writes, scan->cid};
	int64		limit = row_limit(node, scan);

	reading.raw_data = !ltfdw_projection_reads_data(scan->projection);
	if (scan->key_filter)
		filter_keys(node, scan, &scan->query.keys);
	ltfdw_keys_order(&scan->query.keys, &scan->order);

	if (scan->reduction == LTFDW_FIRST_ROWS)
		reading.limit = limit;
	else if (scan->reduction == LTFDW_FIRST_OF_KEY)
		reading.key_limit = limit;
	else if (scan->reduction == LTFDW_ONE_OF_KEY)
		reading.key_limit = 1;
	ltfdw_reader_start(scan->reader, &scan->query, reading);
	scan->phase = LTFDW_READING;
}

static void
connect(ForeignScanState *node, LtfdwScan *scan)
{
	EState	   *estate = node->ss.ps.state;
	Oid			user = ltfdw_scan_user((ForeignScan *) node->ss.ps.plan, estate);
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);

	scan->userid = user;
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
	scan->latest = NULL;
	scan->pairs = NULL;
	scan->phase = LTFDW_BEFORE;
	MemoryContextReset(scan->query_cxt);
}

/* Whether the rows of the run before are those of this one; then be ready. */
static bool
start_again(ForeignScanState *node, LtfdwScan *scan)
{
	MemoryContext old;
	bool		same;

	if ((scan->phase != LTFDW_STORED && scan->phase != LTFDW_EMPTY) || scan->limit_states != NIL)
		return false;
	old = MemoryContextSwitchTo(node->ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	same = ltfdw_values_same(scan, scan->values, ltfdw_values_compute(node, scan));
	MemoryContextSwitchTo(old);
	if (same && scan->stored)
		tuplestore_rescan(scan->stored);
	return same;
}

/* The keys of records that only this transaction knows of. */
static void
add_own_keys(LtfdwScan *scan)
{
	MemoryContext old = MemoryContextSwitchTo(scan->query_cxt);

	if (scan->writes)
		ltfdw_writeset_add_keys(scan->writes, ltfdw_intervals_span(scan->query.times),
								scan->cid, &scan->query.keys);
	MemoryContextSwitchTo(old);
}

/* The keys are not known: ask for them, or for all rows at once. */
static void
start_with_all_keys(ForeignScanState *node, LtfdwScan *scan)
{
	if (scan->table->kind == LTFDW_PAIRS)
	{
		scan->pairs = ltfdw_pairs_start(scan->conn, scan->table, false, scan->writes, scan->cid,
										&scan->counters);
		scan->phase = LTFDW_COLLECTING;
	}
	else if (scan->writes && ltfdw_writeset_hides_all(scan->writes, scan->cid))
	{
		/* none of those on the server */
		scan->query.keys.all = false;
		add_own_keys(scan);
		start_reading(node, scan);
	}
	else
	{
		scan->key_list = ltfdw_key_list_start(scan->conn, scan->table->collection,
											  ltfdw_intervals_span(scan->query.times),
											  &scan->counters);
		scan->phase = LTFDW_LISTING;
	}
}

/* Compute what to ask for, and ask. */
static void
start(ForeignScanState *node, LtfdwScan *scan)
{
	MemoryContext old;

	if (start_again(node, scan))
		return;

	forget(scan);
	old = MemoryContextSwitchTo(scan->query_cxt);
	scan->values = ltfdw_values_compute(node, scan);
	scan->query = ltfdw_query_evaluate(scan->conditions, scan->values);
	if (ltfdw_query_is_empty(&scan->query))
		scan->phase = LTFDW_EMPTY;
	else
	{
		bool		latest;
		bool		all_pairs;

		if (scan->conn == NULL)
			connect(node, scan);
		scan->cid = node->ss.ps.state->es_snapshot->curcid;
		scan->writes = ltfdw_transaction_writes(scan->table);
		latest = is_latest_query(scan, &scan->query);
		all_pairs = scan->table->kind == LTFDW_PAIRS && scan->query.keys.all;
		if (scan->table->kind == LTFDW_PAIRS)
			scan->query.times.items[0] = ltfdw_pair_interval;
		if (latest || all_pairs || scan->keep)
			scan->stored = tuplestore_begin_heap(false, false, work_mem);
		if (latest)
		{
			start_latest(scan);
			scan->phase = LTFDW_COLLECTING;
		}
		else if (scan->query.keys.all)
			start_with_all_keys(node, scan);
		else
			start_reading(node, scan);
	}
	MemoryContextSwitchTo(old);
}

/* ---- rows ---- */

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

/*
 * The next row of those kept, in the slot that the executor expects.  A row
 * that comes from a temporary file is in the current context, and freed by the
 * slot with the next one, after the executor has reset its own.
 */
static void
stored_row(LtfdwScan *scan, TupleTableSlot *slot)
{
	int			natts = slot->tts_tupleDescriptor->natts;
	MemoryContext old = MemoryContextSwitchTo(scan->stored_slot->tts_mcxt);
	bool		found = tuplestore_gettupleslot(scan->stored, true, false, scan->stored_slot);

	MemoryContextSwitchTo(old);
	if (!found)
		return;
	slot_getallattrs(scan->stored_slot);
	memcpy(slot->tts_values, scan->stored_slot->tts_values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, scan->stored_slot->tts_isnull, natts * sizeof(bool));
	ExecStoreVirtualTuple(slot);
}

static ltdb_next
read_row(LtfdwScan *scan, TupleTableSlot *slot, bool wait)
{
	LtfdwRecord record;
	ltdb_next	next = ltfdw_reader_next(scan->reader, &record, wait);

	if (next == LTDB_ITEM)
	{
		ltfdw_record_to_slot(scan->projection, &record, slot);
		keep_row(scan, slot);
	}
	else if (next == LTDB_DONE && scan->stored)
	{
		/* at their end, for the rest of this run */
		while (tuplestore_advance(scan->stored, true))
			;
		scan->phase = LTFDW_STORED;
	}
	return next;
}

/* Wait for what comes before the first row; LTDB_WAIT if that is not there. */
static ltdb_next
prepare_rows(ForeignScanState *node, LtfdwScan *scan, bool wait)
{
	ltdb_next	next = LTDB_DONE;

	if (scan->phase == LTFDW_LISTING)
	{
		next = ltfdw_key_list_next(scan->key_list, &scan->query.keys, wait);
		if (next == LTDB_DONE)
		{
			add_own_keys(scan);
			start_reading(node, scan);
		}
	}
	else if (scan->phase == LTFDW_COLLECTING)
	{
		next = collect_rows(node, scan, wait);
		if (next == LTDB_DONE)
			scan->phase = LTFDW_STORED;
	}
	return next;
}

/*
 * The next record instead of the next row, for whoever has no use for rows;
 * false at the end.  Only for a scan of records that keeps none and reads all.
 */
bool
ltfdw_scan_next_record(ForeignScanState *node, LtfdwRecord *record)
{
	LtfdwScan  *scan = node->fdw_state;

	if (scan->again)
	{
		scan->again = false;
		start(node, scan);
	}
	(void) prepare_rows(node, scan, true);
	return scan->phase == LTFDW_READING &&
		ltfdw_reader_next(scan->reader, record, true) == LTDB_ITEM;
}

/*
 * In an asynchronous scan (async.c) an empty slot may only mean that the next
 * row has not arrived yet.
 */
TupleTableSlot *
ltfdw_IterateForeignScan(ForeignScanState *node)
{
	LtfdwScan  *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	bool		wait = !node->ss.ps.async_capable;

	if (scan->again)
	{
		scan->again = false;
		start(node, scan);
	}
	ExecClearTuple(slot);
	scan->pending = prepare_rows(node, scan, wait) == LTDB_WAIT;
	if (scan->pending || scan->phase == LTFDW_EMPTY)
		return slot;
	if (scan->phase == LTFDW_STORED)
		stored_row(scan, slot);
	else
		scan->pending = read_row(scan, slot, wait) == LTDB_WAIT;
	return slot;
}

void
ltfdw_ReScanForeignScan(ForeignScanState *node)
{
	LtfdwScan  *scan = node->fdw_state;

	scan->again = true;
	scan->pending = false;
}

void
ltfdw_EndForeignScan(ForeignScanState *node)
{
	forget(node->fdw_state);
}
