/*-------------------------------------------------------------------------
 *
 * sender.c
 *		Sends writes: gathers records into batches, limited by rows and by
 *		bytes, and keeps several requests in flight.
 *
 * The server answers one connection in order, so what was sent is seen by
 * every request after it; ltfdw_sender_finish() waits until all of it is
 * acknowledged.  What becomes a record is modify.c's business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "write.h"

#include "utils/memutils.h"

/* Messages in flight at most, and bytes in one of them. */
#define WINDOW 16
#define MESSAGE_BYTES (1024 * 1024)

/* What a message spends on a record besides key and data. */
#define RECORD_OVERHEAD_BYTES 64

typedef enum WriteKind
{
	WRITE_INSERT,
	WRITE_DELETE
} WriteKind;

/* Records of one kind that will be one message. */
typedef struct Batch
{
	WriteKind	kind;
	MemoryContext cxt;
	ltdb_record *records;
	int			count;
	size_t		bytes;
} Batch;

struct LtfdwSender
{
	LtfdwConn  *conn;
	const LtfdwTable *table;
	ltdb_text	collection;
	MemoryContext cxt;
	Batch	   *batch;			/* being filled, or NULL */

	/* messages in flight, oldest first: a ring */
	ltdb_reply *replies[WINDOW];
	int			head;
	int			nreplies;
	MemoryContextCallback release;
};

static void
release_replies(void *arg)
{
	LtfdwSender *sender = arg;

	for (int i = 0; i < sender->nreplies; i++)
		ltdb_reply_free(sender->replies[(sender->head + i) % WINDOW]);
	sender->nreplies = 0;
}

/* Lives in the current context, as the table must, and frees its replies with it. */
LtfdwSender *
ltfdw_sender_new(LtfdwConn *conn, const LtfdwTable *table)
{
	LtfdwSender *sender = palloc0(sizeof(LtfdwSender));

	sender->conn = conn;
	sender->table = table;
	sender->collection = ltfdw_text_to_ltdb(table->collection, strlen(table->collection));
	sender->cxt = CurrentMemoryContext;
	sender->release.func = release_replies;
	sender->release.arg = sender;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &sender->release);
	return sender;
}

/* ---- messages in flight ---- */

static void
wait_for_oldest(LtfdwSender *sender)
{
	ltdb_reply *reply = sender->replies[sender->head];

	ltfdw_connection_finish(sender->conn, reply);
	ltdb_reply_free(reply);
	sender->head = (sender->head + 1) % WINDOW;
	sender->nreplies--;
}

/* Call before a message is sent, and pass() after. */
static void
make_room(LtfdwSender *sender)
{
	while (sender->nreplies == WINDOW)
		wait_for_oldest(sender);
}

static void
pass(LtfdwSender *sender, ltdb_reply *reply, int64 writes)
{
	if (!sender->table->write_at_commit)
		ltfdw_bypassed(sender->table, writes);
	if (reply == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	sender->replies[(sender->head + sender->nreplies) % WINDOW] = reply;
	sender->nreplies++;
	ltdb_poll(ltfdw_connection_handle(sender->conn));
}

/*
 * LTDB refuses a list of deletes in which a ts is not positive, but deletes
 * such a record by itself.  Moves the others to the front.
 */
static int
send_deletes_one_by_one(LtfdwSender *sender, Batch *batch)
{
	ltdb_conn  *handle = ltfdw_connection_handle(sender->conn);
	int			kept = 0;

	for (int i = 0; i < batch->count; i++)
	{
		const ltdb_record *record = &batch->records[i];

		if (record->ts_sec > 0)
		{
			batch->records[kept++] = *record;
			continue;
		}
		make_room(sender);
		pass(sender, ltdb_send_delete_record(handle, sender->collection, record->key,
											 record->ts_sec), 1);
	}
	return kept;
}

static void
send_batch(LtfdwSender *sender, Batch *batch)
{
	ltdb_conn  *handle = ltfdw_connection_handle(sender->conn);

	if (batch->kind == WRITE_DELETE)
		batch->count = send_deletes_one_by_one(sender, batch);
	if (batch->count > 0)
	{
		make_room(sender);
		pass(sender, batch->kind == WRITE_INSERT
			 ? ltdb_send_insert(handle, sender->collection, batch->records, batch->count)
			 : ltdb_send_delete_records(handle, sender->collection, batch->records,
										batch->count), batch->count);
	}
	MemoryContextDelete(batch->cxt);
}

/* ---- batches ---- */

static Batch *
new_batch(LtfdwSender *sender, WriteKind kind)
{
	MemoryContext cxt = AllocSetContextCreate(sender->cxt, "ltdb_fdw batch",
											  ALLOCSET_DEFAULT_SIZES);
	Batch	   *batch = MemoryContextAllocZero(cxt, sizeof(Batch));

	batch->kind = kind;
	batch->cxt = cxt;
	batch->records = MemoryContextAlloc(cxt, sender->table->batch_size * sizeof(ltdb_record));
	return batch;
}

static ltdb_text
copy_text(ltdb_text value)
{
	char	   *bytes = palloc(value.len_bytes + 1);

	memcpy(bytes, value.bytes, value.len_bytes);
	value.bytes = bytes;
	return value;
}

/* Send the batch being filled. */
void
ltfdw_sender_flush(LtfdwSender *sender)
{
	Batch	   *batch = sender->batch;

	sender->batch = NULL;
	if (batch)
		send_batch(sender, batch);
}

static void
add_record(LtfdwSender *sender, WriteKind kind, const ltdb_record *record)
{
	size_t		bytes = record->key.len_bytes + record->data.len_bytes + RECORD_OVERHEAD_BYTES;
	MemoryContext old;
	Batch	   *batch = sender->batch;
	ltdb_record *copy;

	if (batch && (batch->kind != kind || batch->count == sender->table->batch_size ||
				  batch->bytes + bytes > MESSAGE_BYTES))
	{
		ltfdw_sender_flush(sender);
		batch = NULL;
	}
	if (batch == NULL)
		batch = sender->batch = new_batch(sender, kind);

	old = MemoryContextSwitchTo(batch->cxt);
	copy = &batch->records[batch->count];
	copy->key = copy_text(record->key);
	copy->ts_sec = record->ts_sec;
	copy->data = copy_text(record->data);
	batch->count++;
	batch->bytes += bytes;
	MemoryContextSwitchTo(old);
}

/* ---- what can be sent ---- */

/* Store a record, or a pair, which is a message of its own.  It is copied. */
void
ltfdw_sender_put(LtfdwSender *sender, const ltdb_record *record)
{
	if (sender->table->kind == LTFDW_RECORDS)
	{
		add_record(sender, WRITE_INSERT, record);
		return;
	}
	make_room(sender);
	pass(sender, ltdb_send_set_value(ltfdw_connection_handle(sender->conn), sender->collection,
									 record->key, record->data), 1);
}

/* Delete a record or a pair; only key and ts count. */
void
ltfdw_sender_delete(LtfdwSender *sender, const ltdb_record *record)
{
	if (sender->table->kind == LTFDW_RECORDS)
	{
		ltdb_record identity = {record->key, record->ts_sec, {"", 0}};

		add_record(sender, WRITE_DELETE, &identity);
		return;
	}
	make_room(sender);
	pass(sender, ltdb_send_delete_value(ltfdw_connection_handle(sender->conn),
										sender->collection, record->key), 1);
}

/* Delete all records of a key; with a collection's last key go its pairs. */
void
ltfdw_sender_delete_key(LtfdwSender *sender, ltdb_text key)
{
	ltfdw_sender_flush(sender);
	make_room(sender);
	pass(sender, ltdb_send_delete_key(ltfdw_connection_handle(sender->conn),
									  sender->collection, key), 1);
}

/* Delete the collection, pairs included. */
void
ltfdw_sender_delete_collection(LtfdwSender *sender)
{
	ltfdw_sender_flush(sender);
	make_room(sender);
	pass(sender, ltdb_send_delete_collection(ltfdw_connection_handle(sender->conn),
											 sender->collection), 1);
}

/* Send what is left, and wait until everything sent is acknowledged. */
void
ltfdw_sender_finish(LtfdwSender *sender)
{
	ltfdw_sender_flush(sender);
	while (sender->nreplies > 0)
		wait_for_oldest(sender);
}
