/*-------------------------------------------------------------------------
 *
 * unit_conn_ownership.c
 *		Tests of who frees what, when: replies, connections, and no memory at all.
 *
 * Whether memory and descriptors are really given back shows under valgrind and
 * in unit_conn_connect.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* peer.h wants it */
#include "client.h"
#include "failing_realloc.h"

static void
test_abandon(void)
{
	ltdb_reply *kept;
	ltdb_record item;

	begin(handle_well);
	server.write_bytes = 7;
	start();
	settle();
	ltdb_reply_free(NULL);
	ltdb_reply_free(latest());
	tap_is_int(ltdb_in_flight(conn), 0, "abandoned before it was sent");
	tap_is_str(drain(latest()), "a/1/x b/2/y done", "... and not missed");

	kept = fetch(1, 20, 0, false);
	next(kept, &item);
	ltdb_reply_free(kept);
	tap_is_int(ltdb_in_flight(conn), 0, "abandoned in the middle of its answer");
	kept = fetch(5, 5, 0, false);
	tap_is_str(drain(kept), "/5/d5 done", "the next is answered all the same");
	tap_is_int((int64_t) ltdb_conn_stats(conn)->requests, 3, "what was abandoned unsent is not sent");

	/* lost with an abandoned request in flight */
	kept = fetch(1, 20, 0, false);
	next(kept, &item);
	ltdb_reply_free(kept);
	peer_hang_up(&server);
	tap_is_str(drain(fetch(6, 6, 0, false)), "/6/d6 done", "... nor sent again");
	tap_is_int(server.messages, 5, "... by the server's count");
	finish();
}

static void
test_free_orders(void)
{
	int			order;

	for (order = 0; order < 8; order++)
	{
		ltdb_reply *replies[3];
		ltdb_record item;
		int			i;

		begin(handle_well);
		start();
		if (order & 1)
			settle();
		for (i = 0; i < 3; i++)
			replies[i] = fetch(1, 50, 0, false);
		if (order & 2)
			next(replies[1], &item);
		if (order & 4)
		{
			ltdb_conn_free(conn);
			conn = NULL;
			tap_is_int(ltdb_reply_next(replies[2], &item) == LTDB_WAIT, 0, "a reply outlives its connection");
			for (i = 0; i < 3; i++)
				ltdb_reply_free(replies[i]);
		}
		else
		{
			for (i = 2; i >= 0; i--)
				ltdb_reply_free(replies[i]);
			tap_is_int(ltdb_in_flight(conn), 0, "nothing in flight once all is freed");
		}
		finish();
	}
	ltdb_conn_free(NULL);
}

/* ---- out of memory ---- */

/* One conversation, from connecting to closing. */
static ltdb_error
converse(void)
{
	ltdb_error	error = LTDB_ERROR_MEMORY;
	ltdb_reply *reply;
	ltdb_record item;
	ltdb_next	result;

	start();
	if (conn == NULL)
		return error;
	reply = fetch(1, 100, 0, false);
	if (reply == NULL)
		return error;
	while ((result = next(reply, &item)) == LTDB_ITEM)
		;
	error = result == LTDB_DONE ? LTDB_OK : ltdb_reply_error(reply);
	tap_ok(error == LTDB_OK || strstr(ltdb_reply_message(reply), "memory") || strstr(ltdb_reply_message(reply), "set up"),
		   "... %s", ltdb_reply_message(reply));
	ltdb_reply_free(reply);
	return error;
}

static void
test_out_of_memory(void)
{
	ltdb_error	error = LTDB_ERROR_MEMORY;
	int			nth;

	ltdbp_realloc = failing_realloc;
	for (nth = 0; error != LTDB_OK && nth < 200; nth++)
	{
		begin(handle_well);
		allocations_left = nth;
		error = converse();
		allocations_left = -1;
		finish();
	}
	tap_ok(error == LTDB_OK && nth > 10, "every allocation failing in turn, %d in all", nth - 1);
	ltdbp_realloc = realloc;
}

int
main(void)
{
	test_abandon();
	test_free_orders();
	test_out_of_memory();
	return client_done();
}
