/*-------------------------------------------------------------------------
 *
 * survey.c
 *		Estimates how many records a collection has, of which keys and when,
 *		from a few pages of them.
 *
 * LTDB counts nothing for us.  One "query" request lists the keys with their
 * newest records.  The first page of a key is all of it, if it is not full.  A
 * longer key has a last page, too, and what is between the two is cut into
 * stretches of time.  Each of these is probed at a random second: one page onwards from there and one backwards.  They
 * tell how dense the records are around it, and so their number.  Where pages
 * end in a burst, or neighbouring stretches differ, a stretch is cut in two and
 * both are probed again.  A burst between probes that none comes near remains
 * unseen.
 *
 * What rows to draw from where is left to analyze.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "sample.h"

#include <math.h>

/* Records of a key's first page, and of its last or to either side of a probe. */
#define FIRST_PAGE 32
#define SIDE_PAGE 16

/* A page ends in a burst if so many records at its end are so much denser. */
#define EDGE 4
#define BURST_FACTOR 4.0

/*
 * Stretches to begin with: of all keys together, for so many rows that will be
 * drawn, and at most; and of one key.
 */
#define STRETCH_ROWS 30
#define STRETCHES 1000
#define KEY_STRETCHES 64

/*
 * A stretch is cut if it may be wrong by more than this share of all records
 * seen or estimated, or, where all together may be wrong by more than another
 * share, by more than the mean; so many at a time, and so often.
 */
#define DOUBT_SHARE 0.005
#define ALL_DOUBT_SHARE 1.0
#define CUTS 256
#define ROUNDS 12

/* The stretch being probed. */
typedef struct Measure
{
	LtfdwProber *prober;
	LtfdwSurvey *survey;
	int			nback;
	int			nforth;
	int64		base_sec;		/* where looking back has ended */
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
	owned = ltfdw_reply_own(ltdb_send_latest(ltfdw_connection_handle(prober->conn), &request));
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

/* If it is full, narrow the stretch of a key's last page down. */
static void
take_last(void *arg, const LtfdwProbe *probe, const ltdb_record *record)
{
	Measure    *measure = arg;
	LtfdwStretch *stretch = &measure->survey->stretches[probe->item];

	if (record && ++stretch->count == SIDE_PAGE)
		stretch->from_sec = record->ts_sec;
}

/* Where newest records come in bursts, the last page tells. */
static void
revisit_keys(Measure *measure)
{
	LtfdwSurvey *survey = measure->survey;
	LtfdwProbe *probes = palloc0(Max(survey->nvisited, 1) * sizeof(LtfdwProbe));
	LtfdwProbe *probe = probes;

	for (int i = 0; i < survey->nvisited; i++)
	{
		const LtfdwSurveyKey *key = &survey->keys[i];

		/* a page back cannot end before 1970: see probe.c */
		if (!goes_on(survey, i) || key->newest_sec <= 0)
			continue;
		probe->from_sec = survey->stretches[i].to_sec + 1;
		probe->item = add_stretch(survey, i, i, probe->from_sec, key->newest_sec);
		survey->stretches[probe->item].exact = true;
		probe->key = key->key;
		probe->to_sec = key->newest_sec;
		probe->limit = SIDE_PAGE;
		probe->reverse = true;
		probe++;
	}
	ltfdw_prober_run(measure->prober, probes, probe - probes, take_last, measure);
	pfree(probes);
}

/* The seconds between a key's first page and its last. */
static int64
unseen_sec(const LtfdwSurvey *survey, int key_no)
{
	int			last = survey->stretches[key_no].next;

	if (!goes_on(survey, key_no))
		return 0;
	return (last < 0 ? survey->keys[key_no].newest_sec : survey->stretches[last].from_sec - 1) -
		survey->stretches[key_no].to_sec;
}

/* Cut what is between a key's first page and its last into equal stretches. */
static void
cut_keys(LtfdwSurvey *survey, int rows)
{
	int			stretches = Min(rows / STRETCH_ROWS, STRETCHES);
	int			long_keys = 0;

	for (int i = 0; i < survey->nvisited; i++)
		long_keys += unseen_sec(survey, i) > 0;
	for (int i = 0; i < survey->nvisited; i++)
	{
		int64		from_sec = survey->stretches[i].to_sec + 1;
		int64		len_sec = unseen_sec(survey, i);
		int			behind = i;
		int			pieces;

		if (len_sec <= 0)
			continue;
		pieces = Max(1, Min(Min(stretches / long_keys, KEY_STRETCHES), len_sec / (2 * SIDE_PAGE)));
		for (int piece = 0; piece < pieces; piece++)
			behind = add_stretch(survey, i, behind, from_sec + len_sec * piece / pieces,
								 from_sec + len_sec * (piece + 1) / pieces - 1);
	}
}

/* ---- probing them ---- */

/* Records per second at the far end of a full page, if it ends in a burst. */
static double
burst_density(const int64 *secs, double density)
{
	double		edge = (EDGE - 1) / fabs((double) secs[SIDE_PAGE - 1] - secs[SIDE_PAGE - EDGE]);

	return edge > density * BURST_FACTOR ? edge : density;
}

/*
 * Records per second around a probe.
 *
 * A record is among those onwards of a random second with a chance that is
 * proportional to its distance from the record a page before it.  So weighing
 * each with the inverse of that counts records without bias, be they spread
 * evenly or in bursts, while the density of one page alone depends on whether
 * it begins inside of a burst.  At the end of a key, where one side is short,
 * the mean density of what is known must do.
 */
static double
density_around(const Measure *measure, int64 newest_sec)
{
	int			known = measure->nback + measure->nforth;
	double		density = 0;

	if (measure->nback < SIDE_PAGE)
		density = (known - 0.5) / (measure->forth[SIDE_PAGE - 1] - measure->base_sec + 0.5);
	else if (measure->nforth < SIDE_PAGE)
		density = (known - 0.5) / (newest_sec - measure->back[SIDE_PAGE - 1] + 0.5);
	else
		for (int i = 0; i < SIDE_PAGE; i++)
			density += 1.0 / (measure->forth[i] - measure->back[SIDE_PAGE - 1 - i]);
	return Min(density, 1.0);	/* a key has one record a second at most */
}

/* The pages may reach beyond the stretch; what lies there counts elsewhere. */
static void
settle(const Measure *measure, LtfdwStretch *stretch)
{
	int64		before_sec = 0;
	int64		behind_sec = 0;
	double		density;

	if (measure->nback == SIDE_PAGE)
		before_sec = Max(measure->back[SIDE_PAGE - 1] - stretch->from_sec, 0);
	if (measure->nforth == SIDE_PAGE)
		behind_sec = Max(stretch->to_sec - measure->forth[SIDE_PAGE - 1], 0);

	stretch->count = 0;
	for (int i = 0; i < measure->nback && measure->back[i] >= stretch->from_sec; i++)
		stretch->count++;
	for (int i = 0; i < measure->nforth && measure->forth[i] <= stretch->to_sec; i++)
		stretch->count++;
	stretch->doubt = 0;
	stretch->unknown_sec = before_sec + behind_sec;
	stretch->exact = stretch->unknown_sec == 0;
	if (stretch->exact)
		return;
	density = density_around(measure, measure->survey->keys[stretch->key_no].newest_sec);
	stretch->density = density;
	stretch->count += density * stretch->unknown_sec;
	if (before_sec > 0)
		stretch->doubt += before_sec * (burst_density(measure->back, density) - density);
	if (behind_sec > 0)
		stretch->doubt += behind_sec * (burst_density(measure->forth, density) - density);
}

static void
begin_measure(Measure *measure)
{
	measure->nback = measure->nforth = 0;
	measure->base_sec = PG_INT64_MAX;
}

static void
take_side(void *arg, const LtfdwProbe *probe, const ltdb_record *record)
{
	Measure    *measure = arg;

	if (record && probe->reverse && measure->nback < SIDE_PAGE)
		measure->back[measure->nback++] = record->ts_sec;
	else if (record && !probe->reverse && measure->nforth < SIDE_PAGE)
		measure->forth[measure->nforth++] = record->ts_sec;
	else if (record == NULL)
	{
		measure->base_sec = Min(measure->base_sec, probe->from_sec);
		if (probe->reverse)
			return;
		settle(measure, &measure->survey->stretches[probe->item]);
		begin_measure(measure);
	}
}

/* One page back from a random second of a stretch, and one onwards. */
static LtfdwProbe *
add_sides(Measure *measure, int number, LtfdwProbe *probe)
{
	const LtfdwSurvey *survey = measure->survey;
	const LtfdwStretch *stretch = &survey->stretches[number];
	int64		begin_sec = survey->stretches[stretch->key_no].to_sec + 1;
	int64		len_sec = stretch->to_sec - stretch->from_sec + 1;
	int64		at_sec = stretch->from_sec + ltfdw_prober_pick(measure->prober, len_sec);

	/* a page back cannot end before 1970: see probe.c */
	if (at_sec <= 1)
		at_sec = stretch->from_sec;
	for (int side = at_sec > Max(begin_sec, 1) ? 0 : 1; side < 2; side++, probe++)
	{
		probe->item = number;
		probe->key = survey->keys[stretch->key_no].key;
		probe->reverse = side == 0;
		probe->from_sec = side == 0 ? begin_sec : at_sec;
		probe->to_sec = side == 0 ? at_sec - 1 : survey->keys[stretch->key_no].newest_sec;
		probe->limit = SIDE_PAGE;
	}
	return probe;
}

/* Probe stretches, given by their numbers. */
static void
probe_stretches(Measure *measure, const int *numbers, int count)
{
	LtfdwProbe *probes = palloc_extended(2 * Max(count, 1) * sizeof(LtfdwProbe),
										 MCXT_ALLOC_HUGE);
	LtfdwProbe *end = probes;

	for (int i = 0; i < count; i++)
		end = add_sides(measure, numbers[i], end);
	begin_measure(measure);
	ltfdw_prober_run(measure->prober, probes, end - probes, take_side, measure);
	pfree(probes);
}

/*
 * Doubt a stretch as far as it differs from its neighbours, be it denser or
 * not: to probe only the sparse ones again would favour the others.
 */
static void
compare_neighbours(LtfdwSurvey *survey, int key_no)
{
	LtfdwStretch *before = NULL;

	for (int s = key_no; s >= 0; s = survey->stretches[s].next)
	{
		LtfdwStretch *stretch = &survey->stretches[s];

		if (stretch->exact)
			stretch->density = stretch->count / (stretch->to_sec - stretch->from_sec + 1.0);
		if (before)
		{
			double		difference = fabs(stretch->density - before->density);

			before->doubt = Max(before->doubt, before->unknown_sec * difference);
			stretch->doubt = Max(stretch->doubt, stretch->unknown_sec * difference);
		}
		before = stretch;
	}
}

/* Cut the doubtful stretches in two; returns how many there are to probe. */
static int
cut_doubtful(LtfdwSurvey *survey, int *numbers)
{
	int			present = survey->nstretches;
	int			count = 0;
	double		records = 0;
	double		doubt = 0;
	double		limit;

	for (int i = 0; i < survey->nvisited; i++)
		compare_neighbours(survey, i);
	for (int i = 0; i < present; i++)
	{
		records += survey->stretches[i].count;
		doubt += survey->stretches[i].doubt;
	}
	limit = records * DOUBT_SHARE;
	if (doubt > records * ALL_DOUBT_SHARE)
		limit = Min(limit, doubt / present);
	for (int i = 0; i < present && count < 2 * CUTS; i++)
	{
		LtfdwStretch *stretch = &survey->stretches[i];
		int64		middle_sec = stretch->from_sec + (stretch->to_sec - stretch->from_sec) / 2;

		if (stretch->doubt <= limit || middle_sec == stretch->to_sec)
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
	int		   *numbers = palloc(Max(survey->nstretches, 2 * CUTS) * sizeof(int));
	int			count = 0;

	for (int i = 0; i < survey->nstretches; i++)
		if (!survey->stretches[i].exact)
			numbers[count++] = i;
	for (int round = 0; count > 0 && round <= ROUNDS; round++)
	{
		probe_stretches(measure, numbers, count);
		count = round < ROUNDS ? cut_doubtful(survey, numbers) : 0;
	}
	pfree(numbers);
}

/*
 * Survey the table's collection, to draw so many rows from it.  At most
 * max_keys keys are kept, and the records of max_visits of them counted; the
 * others are taken to be alike.
 */
LtfdwSurvey *
ltfdw_survey_new(LtfdwProber *prober, int rows, int max_keys, int max_visits)
{
	LtfdwSurvey *survey = palloc0(sizeof(LtfdwSurvey));
	Measure		measure = {prober, survey};

	list_keys(prober, survey, max_keys);
	survey->nvisited = Min(survey->nkeys, max_visits);
	visit_keys(&measure);
	revisit_keys(&measure);
	cut_keys(survey, rows);
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
