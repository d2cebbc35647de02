/*-------------------------------------------------------------------------
 *
 * outbox.c
 *		WebSocket frames to be sent: their headers, their masks, their bytes.
 *
 * libwebsockets masks byte by byte, which took half of the time of a bulk
 * insert.  What is to be sent, and when, is left to stream.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ltdb_int.h"

/* What is sent at once, headers included; a longer message is cut into frames. */
#define OUTBOX_BYTES (64 * 1024)

/* A header with a length of two bytes: no frame here has more than 64 KiB. */
#define HEADER_BYTES 8

/* Less room than this is left to the next time. */
#define MIN_ROOM_BYTES 1024

_Static_assert(OUTBOX_BYTES - HEADER_BYTES <= UINT16_MAX, "the length of a frame fits its header");
_Static_assert(LTDBP_CONTROL_BYTES + HEADER_BYTES <= MIN_ROOM_BYTES, "a control frame always fits");

/* False if there is no memory. */
bool
ltdbp_outbox_start(ltdbp_outbox *outbox)
{
	memset(outbox, 0, sizeof(*outbox));
	outbox->bytes = ltdbp_realloc(NULL, OUTBOX_BYTES);
	return outbox->bytes != NULL;
}

void
ltdbp_outbox_end(ltdbp_outbox *outbox)
{
	free(outbox->bytes);
	memset(outbox, 0, sizeof(*outbox));
}

/* How many bytes a frame may have that is put next; 0 = none may be. */
size_t
ltdbp_outbox_room(const ltdbp_outbox *outbox)
{
	size_t		room = OUTBOX_BYTES - outbox->len_bytes;

	return room < MIN_ROOM_BYTES ? 0 : room - HEADER_BYTES;
}

bool
ltdbp_outbox_is_empty(const ltdbp_outbox *outbox)
{
	return outbox->sent_bytes == outbox->len_bytes;
}

/*
 * A key that nobody can foresee (RFC 6455, section 5.3).  Keys are fetched many
 * at a time.
 */
static bool
take_key(ltdbp_outbox *outbox, unsigned char key[4])
{
	if (outbox->keys_left == 0)
	{
		if (getentropy(outbox->keys, sizeof(outbox->keys)) != 0)
			return false;
		outbox->keys_left = sizeof(outbox->keys) / 4;
	}
	memcpy(key, outbox->keys + 4 * --outbox->keys_left, 4);
	return true;
}

/* Copies bytes, the i-th of them combined with the key's (i modulo 4)-th. */
static void
mask(char *to, const char *from, size_t len, const unsigned char key[4])
{
	uint64_t	twice;
	uint64_t	word;

	memcpy(&twice, key, 4);
	memcpy((char *) &twice + 4, key, 4);
	for (; len >= sizeof(word); len -= sizeof(word))
	{
		memcpy(&word, from, sizeof(word));
		word ^= twice;
		memcpy(to, &word, sizeof(word));
		from += sizeof(word);
		to += sizeof(word);
	}
	for (size_t i = 0; i < len; i++)
		to[i] = (char) (from[i] ^ key[i % 4]);
}

/*
 * Adds a frame, for which there is room; the first byte of it is as RFC 6455
 * has it.  False if there are no random numbers.
 */
bool
ltdbp_outbox_put(ltdbp_outbox *outbox, unsigned first_byte, const char *bytes, size_t len)
{
	char	   *to = outbox->bytes + outbox->len_bytes;
	unsigned char key[4];

	if (!take_key(outbox, key))
		return false;
	*to++ = (char) first_byte;
	if (len < 126)
		*to++ = (char) (0x80 | len);
	else
	{
		*to++ = (char) (0x80 | 126);
		*to++ = (char) (len >> 8);
		*to++ = (char) len;
	}
	memcpy(to, key, 4);
	mask(to + 4, bytes, len, key);
	outbox->len_bytes = (size_t) (to + 4 - outbox->bytes) + len;
	return true;
}

/* So many bytes have left. */
void
ltdbp_outbox_sent(ltdbp_outbox *outbox, size_t len)
{
	outbox->sent_bytes += len;
	if (outbox->sent_bytes == outbox->len_bytes)
		outbox->sent_bytes = outbox->len_bytes = 0;
}
