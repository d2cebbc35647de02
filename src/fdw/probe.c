/*-------------------------------------------------------------------------
 *
 * probe.c
 *		Fetches many small pages, of any keys and times, with requests in
 *		flight.
 *
 * Where reader.c reads all of a query, in order, a probe is one page and no
 * more.  Which pages are worth a probe is for others to say.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "sample.h"

/* Requests in flight at most, and the bytes they may be answered with. */
#define WINDOW 64
#define WINDOW_BYTES (8.0 * 1024 * 1024)

/* What a record is taken to have before any was seen. */
#define FIRST_RECORD_BYTES 4096.0

/* Probes in flight, in the order in which they are answered: a ring. */
typedef struct Flight
{
	LtfdwProber *prober;
	ltdb_reply *replies[WINDOW];
	int			head;
	int			count;
	double		records;		/* that they may be answered with */
	MemoryContextCallback release;
} Flight;

LtfdwProber *
ltfdw_prober_new(LtfdwConn *conn, const LtfdwTable *table)
{
	LtfdwProber *prober = palloc0(sizeof(LtfdwProber));

	prober->conn = conn;
	prober->table = table;
	ltfdw_random_init(&prober->random);
	return prober;
}

/* Learn from a record how large records are. */
void
ltfdw_prober_saw(LtfdwProber *prober, const ltdb_record *record)
{
	prober->records++;
	prober->record_bytes += record->data.len_bytes;
}

/* The mean size of a record's data. */
double
ltfdw_prober_record_bytes(const LtfdwProber *prober)
{
	return prober->records > 0 ? prober->record_bytes / prober->records : FIRST_RECORD_BYTES;
}

/* A random number from 0 to count - 1. */
int64
ltfdw_prober_pick(LtfdwProber *prober, int64 count)
{
	return Min((int64) (ltfdw_random_fraction(&prober->random) * count), count - 1);
}

static void
release_head(Flight *flight)
{
	ltdb_reply **reply = &flight->replies[flight->head];

	ltfdw_counters_add(&flight->prober->counters, *reply);
	ltdb_reply_free(*reply);
	*reply = NULL;
	flight->head = (flight->head + 1) % WINDOW;
	flight->count--;
}

static void
release_all(void *arg)
{
	Flight	   *flight = arg;

	while (flight->count > 0)
		release_head(flight);
}

static bool
has_room(const Flight *flight, const LtfdwProbe *probe)
{
	return flight->count == 0 ||
		(flight->count < WINDOW &&
		 (flight->records + probe->limit) * ltfdw_prober_record_bytes(flight->prober) <= WINDOW_BYTES);
}

static void
send_probe(Flight *flight, const LtfdwProbe *probe)
{
	LtfdwProber *prober = flight->prober;
	const char *collection = prober->table->collection;
	ltdb_fetch	fetch = {{0}};
	ltdb_reply *reply;

	fetch.collection = ltfdw_text_to_ltdb(collection, strlen(collection));
	fetch.key = ltfdw_datum_to_ltdb(probe->key);
	fetch.from_sec = probe->from_sec;
	fetch.to_sec = Max(probe->to_sec, 1);	/* LTDB refuses to <= 0 */
	fetch.limit = probe->limit;
	fetch.reverse = probe->reverse;
	reply = ltdb_send_fetch(ltfdw_connection_handle(prober->conn), &fetch);
	if (reply == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	flight->replies[(flight->head + flight->count) % WINDOW] = reply;
	flight->count++;
	flight->records += probe->limit;
	prober->counters.requests++;
	if (fetch.collection.bytes != collection)
		pfree(unconstify(char *, fetch.collection.bytes));
	if ((char *) fetch.key.bytes != VARDATA_ANY(probe->key))
		pfree(unconstify(char *, fetch.key.bytes));
}

static void
take_answer(Flight *flight, const LtfdwProbe *probe, LtfdwProbeCallback callback, void *arg)
{
	LtfdwProber *prober = flight->prober;
	ltdb_record item;

	while (ltfdw_connection_next(prober->conn, flight->replies[flight->head], &item,
								 &prober->counters) == LTDB_ITEM)
	{
		ltfdw_prober_saw(prober, &item);

		/* to may have been sent higher than was meant */
		if (item.ts_sec <= probe->to_sec)
			callback(arg, probe, &item);
	}
	callback(arg, probe, NULL);
	release_head(flight);
	flight->records -= probe->limit;
}

/*
 * Fetch pages and hand their records to the callback, page by page in the
 * order given.  A page in reverse must not end before 1970: what LTDB has to
 * be asked for beyond it would use up its limit.
 */
void
ltfdw_prober_run(LtfdwProber *prober, const LtfdwProbe *probes, int count,
				 LtfdwProbeCallback callback, void *arg)
{
	Flight	   *flight = palloc0(sizeof(Flight));
	int			sent = 0;

	flight->prober = prober;
	flight->release.func = release_all;
	flight->release.arg = flight;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &flight->release);

	for (int taken = 0; taken < count; taken++)
	{
		bool		more = false;

		while (sent < count && has_room(flight, &probes[sent]))
		{
			Assert(!probes[sent].reverse || probes[sent].to_sec > 0);
			send_probe(flight, &probes[sent++]);
			more = true;
		}
		if (more)
			ltdb_poll(ltfdw_connection_handle(prober->conn));
		take_answer(flight, &probes[taken], callback, arg);
	}
}
