/*-------------------------------------------------------------------------
 *
 * deliver.c
 *		Sends write sets, in an order that loses nothing on the way.
 *
 * First what is added, then what is erased, but for what was added there, then
 * single deletions; each part of all the sets is acknowledged before the next
 * begins.  So if the sending fails in the middle, a record is as it was or as
 * it was to be, and one that was to move, within a collection or from one to
 * another, may be found at both places, but not at none.
 *
 * What a set is made of is writeset.c's business, how something is erased
 * erase.c's.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

#include "utils/memutils.h"

typedef struct Delivery
{
	const LtfdwDestination *destination;
	LtfdwSender **senders;		/* by writer, NULL until something is sent */
	int64		sent;
} Delivery;

static void
delivery_callback(void *arg)
{
	const Delivery *delivery = arg;
	const LtfdwTable *table = delivery->destination->table;

	errcontext(table->kind == LTFDW_PAIRS
			   ? "sending key-value pairs to LTDB collection \"%s\": up to " INT64_FORMAT " of " INT64_FORMAT " writes may have been stored"
			   : "sending the transaction's writes to LTDB collection \"%s\": up to " INT64_FORMAT " of " INT64_FORMAT " may have been stored",
			   table->collection, delivery->sent,
			   ltfdw_writeset_count(delivery->destination->writes));
}

/* ---- one part of one set ---- */

static LtfdwConn *
connection_of(const Delivery *delivery, int writer)
{
	const LtfdwDestination *destination = delivery->destination;

	return ltfdw_connection_get(destination->writers[writer].userid, destination->table->serverid);
}

static LtfdwSender *
sender_of(Delivery *delivery, int writer)
{
	if (delivery->senders[writer] == NULL)
		delivery->senders[writer] = ltfdw_sender_new(connection_of(delivery, writer),
													 delivery->destination->table);
	return delivery->senders[writer];
}

static void
send_put(text *key, const LtfdwWrite *write, void *arg)
{
	Delivery   *delivery = arg;
	ltdb_record record = {ltfdw_datum_to_ltdb(key), write->ts_sec, write->data};

	delivery->sent++;
	ltfdw_sender_put(sender_of(delivery, write->writer), &record);
}

static void
send_delete(text *key, const LtfdwWrite *write, void *arg)
{
	Delivery   *delivery = arg;
	ltdb_record record = {ltfdw_datum_to_ltdb(key), write->ts_sec, {"", 0}};

	delivery->sent++;
	ltfdw_sender_delete(sender_of(delivery, write->writer), &record);
}

/* Whether nothing is to be left of the collection, of its other kind neither. */
static bool
drops_collection(const Delivery *delivery, const Delivery *all, int count)
{
	const LtfdwTable *mine = delivery->destination->table;
	int			writer;

	if (!ltfdw_writeset_is_erased(delivery->destination->writes, &writer) ||
		ltfdw_writeset_stores_any(delivery->destination->writes))
		return false;
	for (int i = 0; i < count; i++)
	{
		const LtfdwTable *other = all[i].destination->table;

		if (other->kind != mine->kind && ltfdw_same_collection(other, mine))
			return ltfdw_writeset_is_erased(all[i].destination->writes, &writer) &&
				!ltfdw_writeset_stores_any(all[i].destination->writes);
	}
	return false;
}

/* Those of the keys that one of the writers erases. */
static void
erase_keys_as(Delivery *delivery, int writer, const LtfdwErasedKey *keys, int count)
{
	LtfdwErasedKey *mine = palloc(count * sizeof(LtfdwErasedKey));
	int			nmine = 0;

	for (int i = 0; i < count; i++)
		if (keys[i].writer == writer)
			mine[nmine++] = keys[i];
	if (nmine > 0)
		ltfdw_erase_keys(connection_of(delivery, writer), delivery->destination->table,
						 delivery->destination->writes, mine, nmine);
	pfree(mine);
}

static void
erase(Delivery *delivery, const Delivery *all, int count)
{
	const LtfdwDestination *destination = delivery->destination;
	bool		drops = drops_collection(delivery, all, count);
	int			writer;

	if (!ltfdw_writeset_is_erased(destination->writes, &writer))
	{
		int			nkeys;
		LtfdwErasedKey *keys = ltfdw_writeset_erased_keys(destination->writes, &nkeys);

		delivery->sent += nkeys;
		for (writer = 0; writer < destination->nwriters; writer++)
			erase_keys_as(delivery, writer, keys, nkeys);
		return;
	}
	delivery->sent++;
	if (destination->table->kind == LTFDW_PAIRS && !drops)
		ltfdw_erase_pairs(connection_of(delivery, writer), destination->table,
						  destination->writes);
	else if (destination->table->kind == LTFDW_RECORDS && drops)
		ltfdw_erase_collection(connection_of(delivery, writer), destination->table);
	else if (destination->table->kind == LTFDW_RECORDS)
		ltfdw_erase_records(connection_of(delivery, writer), destination->table,
							destination->writes);
}

static void
flush(const Delivery *delivery)
{
	for (int i = 0; i < delivery->destination->nwriters; i++)
		if (delivery->senders[i])
			ltfdw_sender_flush(delivery->senders[i]);
}

/* Wait until all that was sent is acknowledged. */
static void
finish(const Delivery *delivery)
{
	for (int i = 0; i < delivery->destination->nwriters; i++)
		if (delivery->senders[i])
			ltfdw_sender_finish(delivery->senders[i]);
}

/* Send a part. */
static void
send_part(Delivery *delivery, LtfdwPart part, const Delivery *all, int count)
{
	if (part == LTFDW_ERASED)
		erase(delivery, all, count);
	else
		ltfdw_writeset_walk(delivery->destination->writes, part,
							part == LTFDW_REMOVED ? send_delete : send_put, delivery);
	flush(delivery);
}

/* ---- all of them ---- */

static void
deliver_part(Delivery *deliveries, int count, LtfdwPart part)
{
	ErrorContextCallback callback;

	callback.callback = delivery_callback;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	for (int i = 0; i < count; i++)
	{
		callback.arg = &deliveries[i];
		if (ltfdw_writeset_may_have(deliveries[i].destination->writes, part))
			send_part(&deliveries[i], part, deliveries, count);
	}
	for (int i = 0; i < count; i++)
	{
		callback.arg = &deliveries[i];
		finish(&deliveries[i]);
	}
	error_context_stack = callback.previous;
}

/* Send all that Destinations hold, and wait until all of it is acknowledged. */
void
ltfdw_deliver(List *destinations)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "ltdb_fdw sending",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	Delivery   *deliveries = palloc0(list_length(destinations) * sizeof(Delivery));
	int			count = 0;
	ListCell   *cell;

	foreach(cell, destinations)
	{
		Delivery   *delivery = &deliveries[count++];

		delivery->destination = lfirst(cell);
		delivery->senders = palloc0(delivery->destination->nwriters * sizeof(LtfdwSender *));
	}
	for (int part = 0; part < LTFDW_NPARTS; part++)
		deliver_part(deliveries, count, part);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}
