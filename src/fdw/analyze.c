/*-------------------------------------------------------------------------
 *
 * analyze.c
 *		ANALYZE of a foreign table: draws the rows that PostgreSQL makes its
 *		statistics of.
 *
 * A collection that is not larger than the sample is read whole.  Of a larger
 * one a survey (survey.c) tells where its records are.  Keys are drawn from it
 * as a draw of single records would hit them: how often a key comes up once
 * and how often again is what PostgreSQL infers the number of keys from.  The
 * records of a key are drawn in small pages at random times.
 *
 * Of key-value pairs all are read: LTDB has no way to ask for some.
 *
 * Values that cannot be shown, such as data that is no JSON in a column of
 * type json, count as NULL: ANALYZE does not fail where a query may not even
 * look.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "sample.h"

#include <math.h>

#include "miscadmin.h"
#include "nodes/value.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Keys whose records are counted. */
#define VISITS 10000

/* For the size alone, few will do, and a survey as if for so many rows. */
#define SIZE_VISITS 300
#define SIZE_ROWS 3000

/* What a record takes besides its data: key, ts and headers. */
#define ROW_OVERHEAD_BYTES 100.0

/* Rows to draw from one page, at most, and the records read beyond them. */
#define PAGE_ROWS 4
#define PAGE_MARGIN 4

/* Rows drawn, with equal chances, from the records of one page or of all. */
typedef struct Draw
{
	int			first_row;
	int			quota;
	double		seen;			/* records so far */
} Draw;

typedef struct Sample
{
	const LtfdwTable *table;
	LtfdwProber *prober;
	const LtfdwSurvey *survey;
	HeapTuple  *rows;
	int			nrows;
	int			max_rows;
	Draw		draw;

	/* pages to draw from, and the number of rows each should give */
	int			npages;
	int			pages_allocated;
	LtfdwProbe *pages;
	int		   *quotas;

	/* turning records into rows */
	LtfdwProjection *projection;	/* all columns */
	LtfdwProjection **columns;	/* each by itself */
	TupleTableSlot *slot;
	MemoryContext values_cxt;
	MemoryContext rows_cxt;
	double		unusable;		/* records with values that became NULL */
} Sample;

/* When a key comes up for the first time. */
typedef struct Arrival
{
	int			key_no;
	double		clock;
	double		time;			/* if all keys of the collection took part */
} Arrival;

/* ---- rows ---- */

/*
 * Fill the slot, unless a value cannot be converted.  To catch the error
 * without a subtransaction is safe: conversions only allocate memory.
 */
static bool
fill_slot(Sample *sample, LtfdwProjection *projection, const LtfdwRecord *record)
{
	volatile bool valid = true;

	ExecClearTuple(sample->slot);
	PG_TRY();
	{
		ltfdw_record_to_slot(projection, record, sample->slot);
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		MemoryContextSwitchTo(sample->values_cxt);
		FlushErrorState();
		valid = false;
	}
	PG_END_TRY();
	return valid;
}

/* Fill the slot column by column, NULL where there is no other way. */
static void
fill_what_can_be(Sample *sample, const LtfdwRecord *record)
{
	TupleTableSlot *slot = sample->slot;
	int			ncolumns = sample->table->ncolumns;
	Datum	   *values = palloc0(ncolumns * sizeof(Datum));
	bool	   *isnull = palloc(ncolumns * sizeof(bool));

	for (int i = 0; i < ncolumns; i++)
	{
		isnull[i] = !fill_slot(sample, sample->columns[i], record) || slot->tts_isnull[i];
		if (!isnull[i])
			values[i] = slot->tts_values[i];
	}
	ExecClearTuple(slot);
	memcpy(slot->tts_values, values, ncolumns * sizeof(Datum));
	memcpy(slot->tts_isnull, isnull, ncolumns * sizeof(bool));
	ExecStoreVirtualTuple(slot);
}

static HeapTuple
make_row(Sample *sample, const LtfdwRecord *record)
{
	MemoryContext old = MemoryContextSwitchTo(sample->values_cxt);
	HeapTuple	result;

	if (!fill_slot(sample, sample->projection, record))
	{
		fill_what_can_be(sample, record);
		sample->unusable++;
	}
	MemoryContextSwitchTo(sample->rows_cxt);
	result = ExecCopySlotHeapTuple(sample->slot);
	MemoryContextSwitchTo(old);
	ExecClearTuple(sample->slot);
	MemoryContextReset(sample->values_cxt);
	return result;
}

static void
begin_draw(Sample *sample, int quota)
{
	sample->draw.first_row = sample->nrows;
	sample->draw.quota = Min(quota, sample->max_rows - sample->nrows);
	sample->draw.seen = 0;
}

/* Each record seen so far is among the rows drawn with the same chance. */
static void
draw_record(Sample *sample, const LtfdwRecord *record)
{
	Draw	   *draw = &sample->draw;
	int64		pick = (int64) draw->seen++;

	if (pick >= draw->quota)
	{
		pick = ltfdw_prober_pick(sample->prober, pick + 1);
		if (pick >= draw->quota)
			return;
		heap_freetuple(sample->rows[draw->first_row + pick]);
	}
	else
		sample->nrows++;
	sample->rows[draw->first_row + pick] = make_row(sample, record);
}

/* ---- a small collection, whole ---- */

static double
draw_from_all(Sample *sample)
{
	const LtfdwSurvey *survey = sample->survey;
	LtfdwProber *prober = sample->prober;
	LtfdwReading reading = {false, -1, -1};
	LtfdwReader *reader;
	LtfdwQuery	query;
	LtfdwRecord record;

	query.keys.all = false;
	query.keys.count = survey->nkeys;
	query.keys.items = palloc(Max(survey->nkeys, 1) * sizeof(text *));
	for (int i = 0; i < survey->nkeys; i++)
		query.keys.items[i] = survey->keys[i].key;
	query.times = ltfdw_intervals_all();

	begin_draw(sample, sample->max_rows);
	reader = ltfdw_reader_new(prober->conn, sample->table, &prober->counters);
	ltfdw_reader_start(reader, &query, reading);
	while (ltfdw_reader_next(reader, &record, true) == LTDB_ITEM)
		draw_record(sample, &record);
	ltfdw_reader_stop(reader);
	return sample->draw.seen;
}

/* Key-value pairs, which LTDB hands out all at once or not at all. */
static double
draw_from_pairs(Sample *sample)
{
	LtfdwProber *prober = sample->prober;
	MemoryContext item_cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw pair",
												   ALLOCSET_DEFAULT_SIZES);
	LtfdwPairs *pairs = ltfdw_pairs_start(prober->conn, sample->table, false, NULL,
										  InvalidCommandId, &prober->counters);
	MemoryContext old = MemoryContextSwitchTo(item_cxt);
	LtfdwRecord record;
	ltdb_next	next;

	begin_draw(sample, sample->max_rows);
	while ((next = ltfdw_pairs_next(pairs, &record, true)) != LTDB_DONE)
	{
		if (next == LTDB_ITEM)
			draw_record(sample, &record);
		else
		{
			/* the answer begins anew */
			while (sample->nrows > 0)
				heap_freetuple(sample->rows[--sample->nrows]);
			begin_draw(sample, sample->max_rows);
		}
		MemoryContextReset(item_cxt);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(item_cxt);
	return sample->draw.seen;
}

/* ---- a large one, in pages ---- */

/* A random number with a Poisson distribution. */
static int
poisson(LtfdwProber *prober, double mean)
{
	int			result = 0;

	/* the sum of two is one, too, and exp() of a large number is 0 */
	for (; mean > 100; mean -= 100)
		result += poisson(prober, 100);
	for (double product = ltfdw_random_fraction(&prober->random), end = exp(-mean);
		 product > end; product *= ltfdw_random_fraction(&prober->random))
		result++;
	return result;
}

static int
compare_arrivals(const void *a, const void *b)
{
	const Arrival *x = a;
	const Arrival *y = b;

	return (x->clock > y->clock) - (x->clock < y->clock);
}

/*
 * The order in which draws of single records would meet the keys visited, and
 * when.  Say that each record comes up after a time of its own, exponentially
 * distributed around 1; then a key does so the sooner the more records it has.
 * Where only some keys were visited, they arrive in that order, but as slowly
 * as the keys of the whole collection would: by the records not met so far.
 */
static Arrival *
arrange_arrivals(const Sample *sample, int *count)
{
	const LtfdwSurvey *survey = sample->survey;
	Arrival    *arrivals = palloc_extended(Max(survey->nvisited, 1) * sizeof(Arrival),
										   MCXT_ALLOC_HUGE);
	double		unmet = survey->total;
	double		time = 0;

	*count = 0;
	for (int i = 0; i < survey->nvisited; i++)
		if (survey->keys[i].count > 0)
		{
			arrivals[*count].key_no = i;
			arrivals[(*count)++].clock =
				-log(ltfdw_random_fraction(&sample->prober->random)) / survey->keys[i].count;
		}
	qsort(arrivals, *count, sizeof(Arrival), compare_arrivals);
	for (int i = 0; i < *count; i++)
	{
		double		records = survey->keys[arrivals[i].key_no].count;

		time += 1.0 / Max(unmet, records);
		unmet -= records;
		arrivals[i].time = survey->nvisited < survey->key_count ? time : arrivals[i].clock;
	}
	return arrivals;
}

static void
add_page(Sample *sample, const LtfdwStretch *stretch, int64 from_sec, int64 to_sec,
		 int limit, int quota)
{
	LtfdwProbe *page;

	if (sample->npages == sample->pages_allocated)
	{
		sample->pages_allocated *= 2;
		sample->pages = repalloc_huge(sample->pages,
									  sample->pages_allocated * sizeof(LtfdwProbe));
		sample->quotas = repalloc_huge(sample->quotas, sample->pages_allocated * sizeof(int));
	}
	page = &sample->pages[sample->npages];
	page->item = sample->npages;
	page->key = sample->survey->keys[stretch->key_no].key;
	page->from_sec = from_sec;
	page->to_sec = to_sec;
	page->limit = limit;
	page->reverse = false;
	sample->quotas[sample->npages++] = quota;
}

/* Pages for some rows of a stretch, spread over its time. */
static void
add_pages(Sample *sample, const LtfdwStretch *stretch, int rows)
{
	int64		len_sec = stretch->to_sec - stretch->from_sec + 1;
	int64		pages = (rows + PAGE_ROWS - 1) / PAGE_ROWS;

	if (stretch->exact)
	{
		add_page(sample, stretch, stretch->from_sec, stretch->to_sec,
				 Max((int) stretch->count, 1), rows);
		return;
	}
	pages = Min(pages, len_sec);
	for (int64 i = 0; i < pages; i++)
	{
		int64		from_sec = stretch->from_sec + len_sec * i / pages;
		int64		to_sec = stretch->from_sec + len_sec * (i + 1) / pages - 1;
		int			quota = rows * (i + 1) / pages - rows * i / pages;
		int			limit = quota + PAGE_MARGIN;
		double		room = 1.0 - limit * pages / stretch->count;

		if (room > 0)
			from_sec += ltfdw_prober_pick(sample->prober,
										  (int64) ((to_sec - from_sec) * room) + 1);
		add_page(sample, stretch, from_sec, to_sec, limit, quota);
	}
}

/*
 * Share a key's rows out among its stretches, in proportion to their records.
 * A page may go on until the next begins: the records after a random second
 * may be far from it, and must not be left out for that.
 */
static void
add_key(Sample *sample, int key_no, int rows)
{
	const LtfdwSurvey *survey = sample->survey;
	double		step = survey->keys[key_no].count / rows;
	double		next = step * ltfdw_random_fraction(&sample->prober->random);
	double		passed = 0;
	int			page = sample->npages;

	for (int s = key_no; s >= 0; s = survey->stretches[s].next)
	{
		const LtfdwStretch *stretch = &survey->stretches[s];
		int			here = 0;

		passed += stretch->count;
		for (; next < passed; next += step)
			here++;
		if (here > 0)
			add_pages(sample, stretch, here);
	}
	for (; page < sample->npages; page++)
		sample->pages[page].to_sec = page + 1 < sample->npages
			? sample->pages[page + 1].from_sec - 1
			: survey->keys[key_no].newest_sec;
}

/*
 * Choose the pages.  The draw ends when it should have enough rows, or, where
 * not every key was visited, when it has met all that were: to hit them more
 * often than a draw from all keys would make the keys seem fewer than they are.
 */
static void
choose_pages(Sample *sample)
{
	const LtfdwSurvey *survey = sample->survey;
	int			count;
	int			rows = 0;
	Arrival    *arrivals = arrange_arrivals(sample, &count);
	double		share = (sample->max_rows - 3 * sqrt(sample->max_rows)) / survey->total;
	double		end = -log(1.0 - Max(0.0, Min(share, 0.999)));

	if (survey->nvisited < survey->key_count && count > 0)
		end = Min(end, arrivals[count - 1].time);
	sample->pages_allocated = 1024;
	sample->pages = palloc(sample->pages_allocated * sizeof(LtfdwProbe));
	sample->quotas = palloc(sample->pages_allocated * sizeof(int));
	for (int i = 0; i < count && arrivals[i].time <= end && rows < sample->max_rows; i++)
	{
		double		records = survey->keys[arrivals[i].key_no].count;
		double		chance = 1.0 - exp(arrivals[i].time - end);
		double		again = poisson(sample->prober, Max(records - 1.0, 0.0) * chance);
		int			of_key = Min(Min(1.0 + again, ceil(records)), sample->max_rows - rows);

		add_key(sample, arrivals[i].key_no, of_key);
		rows += of_key;
	}
	pfree(arrivals);
}

static void
draw_from_page(void *arg, const LtfdwProbe *page, const ltdb_record *item)
{
	Sample	   *sample = arg;
	LtfdwRecord record;

	/* the end of this page is the beginning of the next */
	if (item == NULL)
	{
		if (page->item + 1 < sample->npages)
			begin_draw(sample, sample->quotas[page->item + 1]);
		return;
	}
	record.key = page->key;
	record.ts_sec = item->ts_sec;
	record.data = item->data;
	draw_record(sample, &record);
}

static double
draw_from_pages(Sample *sample)
{
	choose_pages(sample);
	if (sample->npages > 0)
		begin_draw(sample, sample->quotas[0]);
	ltfdw_prober_run(sample->prober, sample->pages, sample->npages, draw_from_page, sample);
	return sample->survey->total;
}

/* ---- ANALYZE ---- */

/* The rows are to take no more than maintenance_work_mem. */
static int
rows_in_memory(const LtfdwProber *prober)
{
	double		rows = maintenance_work_mem * 1024.0 /
		(ltfdw_prober_record_bytes(prober) + ROW_OVERHEAD_BYTES);

	return (int) Max(1.0, Min(rows, INT_MAX));
}

static void
prepare_rows(Sample *sample, Relation rel)
{
	List	   *all = NIL;

	sample->columns = palloc(Max(sample->table->ncolumns, 1) * sizeof(LtfdwProjection *));
	for (int i = 0; i < sample->table->ncolumns; i++)
	{
		sample->columns[i] = ltfdw_projection_new(sample->table, list_make1(makeInteger(i + 1)));
		all = lappend(all, makeInteger(i + 1));
	}
	sample->projection = ltfdw_projection_new(sample->table, all);
	sample->slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	sample->values_cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw sample values",
											   ALLOCSET_DEFAULT_SIZES);
}

static void
report(const Sample *sample, Relation rel, int elevel, double total, double keys)
{
	const LtfdwCounters *counters = &sample->prober->counters;

	ereport(elevel,
			(errmsg("\"%s\": %d rows in sample, %.0f estimated total rows of %.0f keys",
					RelationGetRelationName(rel), sample->nrows, total, keys),
			 errdetail("LTDB answered " INT64_FORMAT " requests with " INT64_FORMAT " records.",
					   counters->requests, counters->records)));
	if (sample->unusable > 0)
		ereport(elevel,
				(errmsg("\"%s\": %.0f rows in sample have data that cannot be shown, which counts as null",
						RelationGetRelationName(rel), sample->unusable)));
}

static LtfdwProber *
start_probing(Relation rel)
{
	const LtfdwTable *table = ltfdw_table_load(rel);

	/* as whom ANALYZE runs, whoever has called it */
	return ltfdw_prober_new(ltfdw_connection_get(rel->rd_rel->relowner, table->serverid), table);
}

static int
acquire_sample_rows(Relation rel, int elevel, HeapTuple *rows, int max_rows,
					double *total_rows, double *dead_rows)
{
	Sample		sample = {0};
	MemoryContext old;
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw sample",
											  ALLOCSET_DEFAULT_SIZES);
	double		total;
	double		keys;

	/* what the rows are found with may be large; only they outlive it */
	sample.rows_cxt = old = MemoryContextSwitchTo(cxt);
	sample.prober = start_probing(rel);
	sample.table = sample.prober->table;
	sample.rows = rows;
	if (sample.table->kind == LTFDW_RECORDS)
		sample.survey = ltfdw_survey_new(sample.prober, max_rows, Max(max_rows, VISITS), VISITS);
	sample.max_rows = Min(max_rows, rows_in_memory(sample.prober));
	prepare_rows(&sample, rel);
	if (sample.survey == NULL)
		keys = total = draw_from_pairs(&sample);
	else
	{
		keys = sample.survey->key_count;
		total = sample.survey->nkeys == keys && sample.survey->total <= max_rows
			? draw_from_all(&sample) : draw_from_pages(&sample);
	}
	report(&sample, rel, elevel, total, keys);

	ExecDropSingleTupleTableSlot(sample.slot);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	*total_rows = total;
	*dead_rows = 0;
	return sample.nrows;
}

/* How many bytes a table of ours would have. */
static double
estimate_bytes(LtfdwProber *prober)
{
	double		total = prober->table->kind == LTFDW_PAIRS
		? ltfdw_pairs_count(prober->conn, prober->table)
		: ltfdw_survey_new(prober, SIZE_ROWS, SIZE_VISITS, SIZE_VISITS)->total;

	return total * (ltfdw_prober_record_bytes(prober) + ROW_OVERHEAD_BYTES);
}

/*
 * The number of pages, if LTDB had any, is also by which the children of a
 * partitioned table share its sample; so it is worth a small survey.
 */
bool
ltfdw_AnalyzeForeignTable(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *total_pages)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw size",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	double		pages = estimate_bytes(start_probing(rel)) / BLCKSZ;

	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	*func = acquire_sample_rows;
	*total_pages = (BlockNumber) Max(1.0, Min(ceil(pages), MaxBlockNumber));
	return true;
}
