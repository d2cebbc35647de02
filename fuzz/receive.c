/*-------------------------------------------------------------------------
 *
 * receive.c
 *		Fuzz target: messages of a server, from the socket to the replies.
 *
 * The connection has several requests on their way.  A byte says how long the
 * next piece of a message is, whether the message ends with it, and whether the
 * replies are read then.  What is made of frames is tried by frames.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "client/ltdb_int.h"

#define TEXT(string) ((ltdb_text) {string, sizeof(string) - 1})
#define REPLIES 7

/* What a control byte says. */
#define PIECE_MASK 0x3F
#define PIECE_FINAL 0x80
#define PIECE_READ 0x40

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink;

/* Looks at every byte that is lent. */
static void
use(ltdb_text text)
{
	for (size_t i = 0; i < text.len_bytes; i++)
		sink ^= (unsigned char) text.bytes[i];
}

static void
read_all(ltdb_reply **replies)
{
	for (int i = 0; i < REPLIES; i++)
	{
		ltdb_record item;
		ltdb_next	next;

		while (replies[i] != NULL &&
			   ((next = ltdb_reply_next(replies[i], &item)) == LTDB_ITEM || next == LTDB_RESTART))
		{
			if (next == LTDB_ITEM)
			{
				use(item.key);
				use(item.data);
			}
		}
		if (replies[i] != NULL && next == LTDB_ERROR && ltdb_reply_message(replies[i])[0] == '\0')
			abort();
	}
}

/* One of each kind of answer; ids count from 1. */
static void
ask(ltdb_conn *conn, ltdb_reply **replies)
{
	ltdb_record record = {TEXT("k"), 1, TEXT("d")};
	ltdb_fetch	up = {TEXT("c"), TEXT("k"), -100, 100, 0, false};
	ltdb_fetch	down = {TEXT("c"), TEXT("k"), -100, 100, 3, true};
	ltdb_latest latest = {TEXT("c"), TEXT(""), 100, 0};

	replies[0] = ltdb_send_fetch(conn, &up);
	replies[1] = ltdb_send_fetch(conn, &down);
	replies[2] = ltdb_send_latest(conn, &latest);
	replies[3] = ltdb_send_collections(conn);
	replies[4] = ltdb_send_list_values(conn, TEXT("c"));
	replies[5] = ltdb_send_get_value(conn, TEXT("c"), TEXT("k"));
	replies[6] = ltdb_send_insert(conn, TEXT("c"), &record, 1);
	while (ltdbp_conn_sending(conn) != NULL)
		ltdbp_conn_sent(conn);
}

/* Every other reply begins anew, as if the connection had been lost. */
static void
lose(ltdb_conn *conn)
{
	ltdb_reply *reply = conn->first;

	ltdbp_receive_reset(conn);
	while (reply != NULL)
	{
		ltdb_reply *next = reply->next;

		if (ltdbp_reply_rewind(reply))
			reply->sent = true;
		else
		{
			bool		abandoned = reply->abandoned;

			ltdbp_conn_unlink(conn, reply);
			if (abandoned)
				ltdbp_reply_destroy(reply);
		}
		reply = next;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ltdb_options options;
	ltdb_conn  *conn;
	ltdb_reply *replies[REPLIES];
	size_t		at = 0;
	bool		good = true;

	ltdb_options_init(&options);
	options.url = "ws://127.0.0.1";
	options.api_key = "key";
	options.max_buffer_bytes = 1024;
	conn = ltdb_connect_start(&options);
	conn->life = LTDBP_LIFE_READY;
	ask(conn, replies);

	while (good && at < size)
	{
		uint8_t		control = data[at++];
		size_t		len = control & PIECE_MASK;
		char	   *piece;

		if (control == PIECE_READ)
		{
			lose(conn);
			continue;
		}
		if (control == 0)
		{
			ltdb_reply_free(replies[0]);
			replies[0] = NULL;
			continue;
		}
		if (len > size - at)
			len = size - at;
		piece = malloc(len);
		if (len > 0)
			memcpy(piece, data + at, len);
		at += len;
		good = ltdbp_receive(conn, piece, len, (control & PIECE_FINAL) != 0);
		free(piece);
		if (control & PIECE_READ)
			read_all(replies);
	}
	read_all(replies);
	for (int i = 0; i < REPLIES; i++)
		ltdb_reply_free(replies[i]);
	ltdb_conn_free(conn);
	return 0;
}
