/*-------------------------------------------------------------------------
 *
 * interval.c
 *		Sets of whole seconds, as intervals: what a comparison of ts with a
 *		value leaves over, exactly, and how such sets combine.
 *
 * A set lies within the seconds that LTDB can store, so "ts < infinity" is
 * the whole of them and "ts > '3000-01-01'" is empty.  Which clauses become
 * comparisons is pushdown.c's decision.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "utils/date.h"
#include "utils/timestamp.h"

/* What an operand is on the line of time. */
typedef struct Instant
{
	int			infinite;		/* -1, 0 or 1 */
	int64		sec;			/* since the Unix epoch, rounded down */
	bool		fraction;		/* whether rounding took something away */
} Instant;

/* The kind of a value compared with a ts column, 0 if it cannot be sent. */
LtfdwOperand
ltfdw_operand_kind(Oid column_type, Oid type)
{
	static const struct
	{
		Oid			column_type;
		Oid			type;
		LtfdwOperand kind;
	}			table[] = {
		{INT8OID, INT8OID, LTFDW_OPERAND_INT8},
		{INT8OID, INT4OID, LTFDW_OPERAND_INT4},
		{INT8OID, INT2OID, LTFDW_OPERAND_INT2},
		{TIMESTAMPTZOID, TIMESTAMPTZOID, LTFDW_OPERAND_USECS},
		{TIMESTAMPTZOID, TIMESTAMPOID, LTFDW_OPERAND_LOCAL_TIMESTAMP},
		{TIMESTAMPTZOID, DATEOID, LTFDW_OPERAND_LOCAL_DATE},

		/*
		 * A timestamp column shows UTC.  Compared with a timestamptz it would
		 * be taken for local time, which no interval expresses when clocks go
		 * back, so that comparison stays with PostgreSQL.
		 */
		{TIMESTAMPOID, TIMESTAMPOID, LTFDW_OPERAND_USECS},
		{TIMESTAMPOID, DATEOID, LTFDW_OPERAND_DATE},
	};

	for (int i = 0; i < lengthof(table); i++)
		if (table[i].column_type == column_type && table[i].type == type)
			return table[i].kind;
	return LTFDW_OPERAND_NONE;
}

static Instant
instant_of_usecs(int64 usecs)
{
	Instant		result = {0, 0, false};

	if (TIMESTAMP_IS_NOBEGIN(usecs))
		result.infinite = -1;
	else if (TIMESTAMP_IS_NOEND(usecs))
		result.infinite = 1;
	else
	{
		result.sec = ltfdw_usecs_floor_sec(usecs);
		result.fraction = usecs % LTFDW_USECS_PER_SEC != 0;
	}
	return result;
}

/* PostgreSQL too takes an overflow in a comparison for infinity. */
static Instant
instant_or_infinite(int64 usecs, int overflow)
{
	Instant		result = {overflow, 0, false};

	return overflow ? result : instant_of_usecs(usecs);
}

static Instant
instant_of(Datum value, LtfdwOperand kind)
{
	Instant		result = {0, 0, false};
	int			overflow = 0;
	int64		usecs;

	switch (kind)
	{
		case LTFDW_OPERAND_INT2:
			result.sec = DatumGetInt16(value);
			return result;
		case LTFDW_OPERAND_INT4:
			result.sec = DatumGetInt32(value);
			return result;
		case LTFDW_OPERAND_INT8:
			result.sec = DatumGetInt64(value);
			return result;
		case LTFDW_OPERAND_USECS:
			return instant_of_usecs(DatumGetTimestampTz(value));
		case LTFDW_OPERAND_LOCAL_TIMESTAMP:
			usecs = timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value), &overflow);
			return instant_or_infinite(usecs, overflow);
		case LTFDW_OPERAND_LOCAL_DATE:
			usecs = date2timestamptz_opt_overflow(DatumGetDateADT(value), &overflow);
			return instant_or_infinite(usecs, overflow);
		case LTFDW_OPERAND_DATE:
			usecs = date2timestamp_opt_overflow(DatumGetDateADT(value), &overflow);
			return instant_or_infinite(usecs, overflow);
		case LTFDW_OPERAND_NONE:
			break;
	}
	elog(ERROR, "unexpected kind of ts operand: %d", (int) kind);
}

static LtfdwIntervals
no_interval(void)
{
	LtfdwIntervals result = {0, NULL};

	return result;
}

static LtfdwIntervals
one_interval(int64 from_sec, int64 to_sec)
{
	LtfdwIntervals result;

	from_sec = Max(from_sec, (int64) LTDB_TS_MIN);
	to_sec = Min(to_sec, (int64) LTDB_TS_MAX);
	if (from_sec > to_sec)
		return no_interval();
	result.count = 1;
	result.items = palloc(sizeof(LtfdwInterval));
	result.items[0].from_sec = from_sec;
	result.items[0].to_sec = to_sec;
	return result;
}

LtfdwIntervals
ltfdw_intervals_all(void)
{
	return one_interval(LTDB_TS_MIN, LTDB_TS_MAX);
}

/* The union of two sets. */
static LtfdwIntervals
unite(LtfdwIntervals a, LtfdwIntervals b)
{
	LtfdwInterval *items = palloc(Max(a.count + b.count, 1) * sizeof(LtfdwInterval));

	if (a.count)
		memcpy(items, a.items, a.count * sizeof(LtfdwInterval));
	if (b.count)
		memcpy(items + a.count, b.items, b.count * sizeof(LtfdwInterval));
	return ltfdw_intervals_normalize(items, a.count + b.count);
}

/* The seconds s for which "s <strategy> value" is true. */
LtfdwIntervals
ltfdw_intervals_compare(int strategy, Datum value, LtfdwOperand kind)
{
	Instant		instant = instant_of(value, kind);

	/* the last second below the value, and the first above it */
	int64		below;
	int64		above;

	/* far values would overflow the steps to their neighbours */
	if (instant.infinite == 0 && instant.sec < (int64) LTDB_TS_MIN - 1)
		instant.infinite = -1;
	if (instant.infinite == 0 && instant.sec > (int64) LTDB_TS_MAX + 1)
		instant.infinite = 1;
	if (instant.infinite != 0)
	{
		instant.sec = instant.infinite < 0 ? (int64) LTDB_TS_MIN - 2 : (int64) LTDB_TS_MAX + 2;
		instant.fraction = false;
	}
	below = instant.fraction ? instant.sec : instant.sec - 1;
	above = instant.sec + 1;

	switch (strategy)
	{
		case BTLessStrategyNumber:
			return one_interval(LTDB_TS_MIN, below);
		case BTLessEqualStrategyNumber:
			return one_interval(LTDB_TS_MIN, instant.sec);
		case BTEqualStrategyNumber:
			if (instant.fraction)
				return no_interval();
			return one_interval(instant.sec, instant.sec);
		case BTGreaterEqualStrategyNumber:
			return one_interval(instant.fraction ? above : instant.sec, LTDB_TS_MAX);
		case BTGreaterStrategyNumber:
			return one_interval(above, LTDB_TS_MAX);
		case LTFDW_NOT_EQUAL:
			return unite(one_interval(LTDB_TS_MIN, below), one_interval(above, LTDB_TS_MAX));
	}
	elog(ERROR, "unexpected strategy of a ts comparison: %d", strategy);
}

LtfdwIntervals
ltfdw_intervals_intersect(LtfdwIntervals a, LtfdwIntervals b)
{
	LtfdwIntervals result = {0, palloc(Max(a.count + b.count, 1) * sizeof(LtfdwInterval))};
	int			i = 0;
	int			j = 0;

	while (i < a.count && j < b.count)
	{
		int64		from_sec = Max(a.items[i].from_sec, b.items[j].from_sec);
		int64		to_sec = Min(a.items[i].to_sec, b.items[j].to_sec);

		if (from_sec <= to_sec)
		{
			result.items[result.count].from_sec = from_sec;
			result.items[result.count].to_sec = to_sec;
			result.count++;
		}
		if (a.items[i].to_sec < b.items[j].to_sec)
			i++;
		else
			j++;
	}
	return result;
}

static int
compare_from(const void *a, const void *b)
{
	int64		x = ((const LtfdwInterval *) a)->from_sec;
	int64		y = ((const LtfdwInterval *) b)->from_sec;

	return (x > y) - (x < y);
}

/* Adjacent intervals are one: nothing lies between two whole seconds. */
LtfdwIntervals
ltfdw_intervals_normalize(LtfdwInterval *items, int count)
{
	LtfdwIntervals result = {0, items};

	if (count > 1)
		qsort(items, count, sizeof(LtfdwInterval), compare_from);
	for (int i = 0; i < count; i++)
	{
		LtfdwInterval *last = result.count ? &items[result.count - 1] : NULL;

		if (last && items[i].from_sec <= last->to_sec + 1)
			last->to_sec = Max(last->to_sec, items[i].to_sec);
		else
			items[result.count++] = items[i];
	}
	return result;
}

/* The smallest interval around a set that is not empty. */
LtfdwInterval
ltfdw_intervals_span(LtfdwIntervals times)
{
	LtfdwInterval span = {times.items[0].from_sec, times.items[times.count - 1].to_sec};

	return span;
}
