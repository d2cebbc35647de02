/*-------------------------------------------------------------------------
 *
 * sample.h
 *		What the three files behind ANALYZE know of each other.
 *
 * probe.c fetches many small pages, survey.c estimates how many records there
 * are, and where, and analyze.c draws rows from them.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LTFDW_SAMPLE_H
#define LTFDW_SAMPLE_H

#include "fdw.h"

/* One page to fetch. */
typedef struct LtfdwProbe
{
	int			item;			/* what it is for, in its sender's own count */
	text	   *key;
	int64		from_sec;
	int64		to_sec;
	int			limit;
	bool		reverse;
} LtfdwProbe;

/* Called for each record of a page, and then with NULL at its end. */
typedef void (*LtfdwProbeCallback) (void *arg, const LtfdwProbe *probe,
									const ltdb_record *record);

/* Whom to ask, and what was seen so far. */
typedef struct LtfdwProber
{
	LtfdwConn  *conn;
	const LtfdwTable *table;
	LtfdwRandom random;
	LtfdwCounters counters;
	double		records;		/* whose sizes are known */
	double		record_bytes;	/* of all of them */
} LtfdwProber;

/* An interval of one key's time, and the records in it. */
typedef struct LtfdwStretch
{
	int			key_no;
	int			next;			/* stretch of the same key, -1 = none */
	int64		from_sec;
	int64		to_sec;
	bool		exact;			/* the count is not an estimate */
	double		count;
	double		density;		/* records per second around the probe */
	int64		unknown_sec;	/* that no page has shown */
	double		doubt;			/* by how much the estimate may be wrong */
} LtfdwStretch;

typedef struct LtfdwSurveyKey
{
	text	   *key;
	int64		newest_sec;
	double		count;			/* of records; only if it was visited */
} LtfdwSurveyKey;

typedef struct LtfdwSurvey
{
	double		key_count;		/* of the collection */
	double		total;			/* records, estimated */
	int			nkeys;			/* keys in hand: all of them, or some drawn at random */
	int			nvisited;		/* how many of these, from the first, were looked into */
	LtfdwSurveyKey *keys;
	int			nstretches;
	int			allocated;
	LtfdwStretch *stretches;	/* the first of key i is stretch i */
} LtfdwSurvey;

/* in probe.c */
extern LtfdwProber *ltfdw_prober_new(LtfdwConn *conn, const LtfdwTable *table);
extern void ltfdw_prober_saw(LtfdwProber *prober, const ltdb_record *record);
extern double ltfdw_prober_record_bytes(const LtfdwProber *prober);
extern int64 ltfdw_prober_pick(LtfdwProber *prober, int64 count);
extern void ltfdw_prober_run(LtfdwProber *prober, const LtfdwProbe *probes, int count,
							 LtfdwProbeCallback callback, void *arg);

/* in survey.c */
extern LtfdwSurvey *ltfdw_survey_new(LtfdwProber *prober, int rows, int max_keys,
									 int max_visits);

#endif							/* LTFDW_SAMPLE_H */
