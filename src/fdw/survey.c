/*-------------------------------------------------------------------------
 *
 * survey.c
 *		Estimates how many records a collection has, of which keys and when,
 *		from a few pages of them.
 *
 * LTDB counts nothing for us.  One "query" request lists the keys with their
 * newest records.  The first page of a key is all of it, if it is not full.
 * The rest of a longer key is cut into stretches of time, and each is probed
 * at a random second: one page onwards from there and one backwards.  They
 * tell how dense the records are around it, and so their number.  Where the
 * edges of the pages show another density than the whole of them, as at the
 * beginning of a burst, the stretch is cut in two, and both are probed again.
 *
 * What rows to draw from where is left to analyze.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "sample.h"

#include <math.h>

/* Records of a key's first page, and of a page to either side of a probe. */
#define FIRST_PAGE 32
#define SIDE_PAGE 16

/* Stretches to begin with: of all keys together, and of one. */
#define STRETCHES 1000
#define KEY_STRETCHES 64

/*
 * A stretch is cut if it may be wrong by more than this share of all records
 * seen or estimated; so many at a time, and so often.
 */
#define DOUBT_SHARE 0.005
#define CUTS 256
#define ROUNDS 12

/* The stretch being probed. */
typedef struct Measure
{
	LtfdwProber *prober;
	LtfdwSurvey *survey;
	int			nback;
	int			nforth;
	int64		back[SIDE_PAGE];	/* seconds of records, away from the probe */
	int64		forth[SIDE_PAGE];
} Measure;

/* ---- the keys ---- */

static void
list_key(LtfdwProber *prober, LtfdwSurvey *survey, int max_keys, const ltdb_record *item)
{
	const char *collection = prober->table->collection;
	LtfdwSurveyKey *place;

	if (item->key.len_bytes == 0)
	{
		ltfdw_warn_about_empty_key(collection);
		return;
	}
	ltfdw_prober_saw(prober, item);
	survey->key_count++;
	if (survey->nkeys < max_keys)
		place = &survey->keys[survey->nkeys++];
	else
	{
		int64		pick = ltfdw_prober_pick(prober, (int64) survey->key_count);

		if (pick >= max_keys)
			return;
		place = &survey->keys[pick];
		pfree(place->key);
	}
	place->key = ltfdw_text_from_ltdb(item->key, "key", collection);
	place->newest_sec = Max(LTDB_TS_MIN, Min(item->ts_sec, LTDB_TS_MAX));
}

/* All keys, or max_keys of them drawn at random, in a random order. */
static void
list_keys(LtfdwProber *prober, LtfdwSurvey *survey, int max_keys)
{
	const char *collection = prober->table->collection;
	ltdb_latest request = {{0}};
	LtfdwReply *owned;
	ltdb_record item;
	ltdb_next	next;

	survey->keys = palloc_extended(max_keys * sizeof(LtfdwSurveyKey), MCXT_ALLOC_HUGE);
	request.collection = ltfdw_text_to_ltdb(collection, strlen(collection));
	request.at_sec = LTDB_TS_MAX;
	prober->counters.requests++;
	owned = ltfdw_reply_own(prober->conn,
							ltdb_send_latest(ltfdw_connection_handle(prober->conn), &request));
	while ((next = ltfdw_connection_next(prober->conn, owned->reply, &item,
										 &prober->counters)) != LTDB_DONE)
	{
		if (next == LTDB_RESTART)
			survey->key_count = survey->nkeys = 0;
		else
			list_key(prober, survey, max_keys, &item);
	}
	ltfdw_counters_add(&prober->counters, owned->reply);
	ltfdw_reply_release(owned);

	for (int i = survey->nkeys - 1; i > 0; i--)
	{
		LtfdwSurveyKey *other = &survey->keys[ltfdw_prober_pick(prober, i + 1)];
		LtfdwSurveyKey swap = survey->keys[i];

		survey->keys[i] = *other;
		*other = swap;
	}
}

/* ---- stretches ---- */

/* Append a stretch; behind another of the same key, unless that is -1. */
static int
add_stretch(LtfdwSurvey *survey, int key_no, int behind, int64 from_sec, int64 to_sec)
{
	LtfdwStretch *stretch;
	int			number = survey->nstretches++;

	if (survey->nstretches > survey->allocated)
	{
		survey->allocated = Max(survey->allocated * 2, 1024);
		survey->stretches = survey->stretches
			? repalloc_huge(survey->stretches, survey->allocated * sizeof(LtfdwStretch))
			: palloc_extended(survey->allocated * sizeof(LtfdwStretch), MCXT_ALLOC_HUGE);
	}
	stretch = &survey->stretches[number];
	memset(stretch, 0, sizeof(LtfdwStretch));
	stretch->key_no = key_no;
	stretch->from_sec = from_sec;
	stretch->to_sec = to_sec;
	stretch->next = -1;
	if (behind >= 0)
	{
		stretch->next = survey->stretches[behind].next;
		survey->stretches[behind].next = number;
	}
	return number;
}

/* Narrow the stretch of a key's first page down to the records it has. */
static void
take_first(void *arg, const LtfdwProbe *probe, const ltdb_record *record)
{
	Measure    *measure = arg;
	LtfdwStretch *stretch = &measure->survey->stretches[probe->item];

	if (record == NULL)
		return;
	if (stretch->count++ == 0)
		stretch->from_sec = record->ts_sec;
	stretch->to_sec = record->ts_sec;
}

static void
visit_keys(Measure *measure)
{
	LtfdwSurvey *survey = measure->survey;
	LtfdwProbe *probes = palloc0(Max(survey->nvisited, 1) * sizeof(LtfdwProbe));

	for (int i = 0; i < survey->nvisited; i++)
	{
		const LtfdwSurveyKey *key = &survey->keys[i];

		add_stretch(survey, i, -1, LTDB_TS_MIN, key->newest_sec);
		survey->stretches[i].exact = true;
		probes[i].item = i;
		probes[i].key = key->key;
		probes[i].from_sec = LTDB_TS_MIN;
		probes[i].to_sec = key->newest_sec;
		probes[i].limit = FIRST_PAGE;
	}
	ltfdw_prober_run(measure->prober, probes, survey->nvisited, take_first, measure);
	pfree(probes);
}

/* Whether the first page of a key is not all of it. */
static bool
goes_on(const LtfdwSurvey *survey, int key_no)
{
	return survey->stretches[key_no].count >= FIRST_PAGE &&
		survey->stretches[key_no].to_sec < survey->keys[key_no].newest_sec;
}

/* Cut what is behind the first pages into stretches of equal time. */
static void
cut_keys(LtfdwSurvey *survey)
{
	int			long_keys = 0;

	for (int i = 0; i < survey->nvisited; i++)
		long_keys += goes_on(survey, i);
	for (int i = 0; i < survey->nvisited; i++)
	{
		int64		from_sec = survey->stretches[i].to_sec + 1;
		int64		len_sec = survey->keys[i].newest_sec - from_sec + 1;
		int			behind = i;
		int			pieces;

		if (!goes_on(survey, i))
			continue;
		pieces = Max(1, Min(Min(STRETCHES / long_keys, KEY_STRETCHES), len_sec / (2 * SIDE_PAGE)));
		for (int piece = 0; piece < pieces; piece++)
			behind = add_stretch(survey, i, behind, from_sec + len_sec * piece / pieces,
								 from_sec + len_sec * (piece + 1) / pieces - 1);
	}
}

/* ---- probing them ---- */

/* Records per second between the first and the last of a full page. */
static double
page_density(const int64 *secs)
{
	return (SIDE_PAGE - 1) / fabs((double) secs[SIDE_PAGE - 1] - secs[0]);
}

/*
 * Records per second around a probe.
 *
 * A record is among those onwards of a random second with a chance that is
 * proportional to its distance from the record a page before it.  So weighing
 * each with the inverse of that counts records without bias, be they spread
 * evenly or in bursts, while the density of one page alone depends on whether
 * it begins inside of a burst.  At the end of a stretch, where one side is
 * short, the mean density of what is known must do.
 */
static double
density_around(const Measure *measure, const LtfdwStretch *stretch)
{
	int			known = measure->nback + measure->nforth;
	double		density = 0;

	if (measure->nback < SIDE_PAGE)
		density = (known - 0.5) / (measure->forth[SIDE_PAGE - 1] - stretch->from_sec + 0.5);
	else if (measure->nforth < SIDE_PAGE)
		density = (known - 0.5) / (stretch->to_sec - measure->back[SIDE_PAGE - 1] + 0.5);
	else
		for (int i = 0; i < SIDE_PAGE; i++)
			density += 1.0 / (measure->forth[i] - measure->back[SIDE_PAGE - 1 - i]);
	return Min(density, 1.0);	/* a key has one record a second at most */
}

static void
settle(const Measure *measure, LtfdwStretch *stretch)
{
	int64		before_sec = 0;
	int64		behind_sec = 0;
	double		density;

	if (measure->nback == SIDE_PAGE)
		before_sec = measure->back[SIDE_PAGE - 1] - stretch->from_sec;
	if (measure->nforth == SIDE_PAGE)
		behind_sec = stretch->to_sec - measure->forth[SIDE_PAGE - 1];

	stretch->count = measure->nback + measure->nforth;
	stretch->doubt = 0;
	stretch->exact = before_sec == 0 && behind_sec == 0;
	if (stretch->exact)
		return;
	density = density_around(measure, stretch);
	stretch->count += density * (before_sec + behind_sec);
	if (before_sec > 0)
		stretch->doubt += before_sec * fabs(page_density(measure->back) - density);
	if (behind_sec > 0)
		stretch->doubt += behind_sec * fabs(page_density(measure->forth) - density);
}

static void
take_side(void *arg, const LtfdwProbe *probe, const ltdb_record *record)
{
	Measure    *measure = arg;

	if (record && probe->reverse && measure->nback < SIDE_PAGE)
		measure->back[measure->nback++] = record->ts_sec;
	else if (record && !probe->reverse && measure->nforth < SIDE_PAGE)
		measure->forth[measure->nforth++] = record->ts_sec;
	else if (record == NULL && !probe->reverse)
	{
		settle(measure, &measure->survey->stretches[probe->item]);
		measure->nback = measure->nforth = 0;
	}
}

/* Probe stretches, given by their numbers. */
static void
probe_stretches(Measure *measure, const int *numbers, int count)
{
	const LtfdwSurvey *survey = measure->survey;
	LtfdwProbe *probes = palloc_extended(2 * Max(count, 1) * sizeof(LtfdwProbe),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	LtfdwProbe *probe = probes;

	for (int i = 0; i < count; i++)
	{
		const LtfdwStretch *stretch = &survey->stretches[numbers[i]];
		int64		len_sec = stretch->to_sec - stretch->from_sec + 1;
		int64		at_sec = stretch->from_sec + ltfdw_prober_pick(measure->prober, len_sec);

		/* backwards, pages cannot end before 1970: see probe.c */
		if (at_sec <= 1)
			at_sec = stretch->from_sec;
		if (at_sec > stretch->from_sec)
		{
			probe->reverse = true;
			probe->from_sec = stretch->from_sec;
			probe->to_sec = at_sec - 1;
			probe++;
		}
		probe->from_sec = at_sec;
		probe->to_sec = stretch->to_sec;
		probe++;
		for (LtfdwProbe *both = at_sec > stretch->from_sec ? probe - 2 : probe - 1;
			 both < probe; both++)
		{
			both->item = numbers[i];
			both->key = survey->keys[stretch->key_no].key;
			both->limit = SIDE_PAGE;
		}
	}
	ltfdw_prober_run(measure->prober, probes, probe - probes, take_side, measure);
	pfree(probes);
}

/* Cut the doubtful stretches in two; returns how many there are to probe. */
static int
cut_doubtful(LtfdwSurvey *survey, int *numbers)
{
	int			present = survey->nstretches;
	int			count = 0;
	double		records = 0;

	for (int i = 0; i < present; i++)
		records += survey->stretches[i].count;
	for (int i = 0; i < present && count < 2 * CUTS; i++)
	{
		LtfdwStretch *stretch = &survey->stretches[i];
		int64		middle_sec = stretch->from_sec + (stretch->to_sec - stretch->from_sec) / 2;

		if (stretch->doubt <= records * DOUBT_SHARE)
			continue;
		numbers[count++] = i;
		numbers[count++] = add_stretch(survey, stretch->key_no, i, middle_sec + 1,
									   stretch->to_sec);
		survey->stretches[i].to_sec = middle_sec;
	}
	return count;
}

static void
probe_all(Measure *measure)
{
	LtfdwSurvey *survey = measure->survey;
	int			count = survey->nstretches - survey->nvisited;
	int		   *numbers = palloc(Max(count, 2 * CUTS) * sizeof(int));

	for (int i = 0; i < count; i++)
		numbers[i] = survey->nvisited + i;
	for (int round = 0; count > 0 && round <= ROUNDS; round++)
	{
		probe_stretches(measure, numbers, count);
		count = round < ROUNDS ? cut_doubtful(survey, numbers) : 0;
	}
	pfree(numbers);
}

/*
 * Survey the table's collection.  At most max_keys keys are listed, and the
 * records of max_visits of them counted; the others are taken to be alike.
 */
LtfdwSurvey *
ltfdw_survey_new(LtfdwProber *prober, int max_keys, int max_visits)
{
	LtfdwSurvey *survey = palloc0(sizeof(LtfdwSurvey));
	Measure		measure = {prober, survey};

	list_keys(prober, survey, max_keys);
	survey->nvisited = Min(survey->nkeys, max_visits);
	visit_keys(&measure);
	cut_keys(survey);
	probe_all(&measure);

	for (int i = 0; i < survey->nvisited; i++)
	{
		survey->keys[i].count = 0;
		for (int s = i; s >= 0; s = survey->stretches[s].next)
			survey->keys[i].count += survey->stretches[s].count;
		survey->total += survey->keys[i].count;
	}
	if (survey->nvisited > 0)
		survey->total *= survey->key_count / survey->nvisited;
	return survey;
}
