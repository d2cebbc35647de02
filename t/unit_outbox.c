/*-------------------------------------------------------------------------
 *
 * unit_outbox.c
 *		WebSocket frames of a client: what is put comes out again when it is
 *		unmasked, however many frames of whatever lengths share the room.
 *
 * A seed given as argument repeats a run.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "client/ltdb_int.h"
#include "random.h"
#include "tap.h"

#define ROUNDS 2000

typedef struct frame
{
	unsigned	first_byte;
	size_t		len;
	char		bytes[64 * 1024];
	unsigned char key[4];
} frame;

static frame put;
static frame got;

/* Takes a frame apart as a server does; returns how long it is, 0 if it is none. */
static size_t
take_frame(const char *bytes, size_t left, frame *result)
{
	const unsigned char *at = (const unsigned char *) bytes;
	const unsigned char *end = at + left;

	if (left < 6 || (at[1] & 0x80) == 0)
		return 0;
	result->first_byte = at[0];
	result->len = at[1] & 0x7f;
	at += 2;
	if (result->len == 126)
	{
		result->len = (size_t) at[0] << 8 | at[1];
		if (result->len < 126)
			return 0;			/* longer than need be (RFC 6455, section 5.2) */
		at += 2;
	}
	else if (result->len == 127)
		return 0;
	memcpy(result->key, at, 4);
	at += 4;
	if (result->len > (size_t) (end - at))
		return 0;
	for (size_t i = 0; i < result->len; i++)
		result->bytes[i] = (char) (at[i] ^ result->key[i % 4]);
	return (size_t) (at - (const unsigned char *) bytes) + result->len;
}

static size_t
random_length(size_t room)
{
	static const size_t lengths[] = {0, 1, 7, 8, 9, 124, 125, 126, 127, 255, 256, 4095};
	size_t		len = random_below(8) == 0 ? room - random_below(2) :
		random_below(2) ? lengths[random_below(sizeof(lengths) / sizeof(lengths[0]))] :
		random_below(3000);

	return len < room ? len : room;
}

static bool
same_frame(void)
{
	return got.first_byte == put.first_byte && got.len == put.len &&
		memcmp(got.bytes, put.bytes, put.len) == 0;
}

/* Fills the outbox with frames, each looked at as soon as it is there. */
static bool
fill(ltdbp_outbox *outbox)
{
	size_t		room;

	while ((room = ltdbp_outbox_room(outbox)) > 0)
	{
		size_t		begin = outbox->len_bytes;

		put.first_byte = random_below(256);
		put.len = random_length(room);
		for (size_t i = 0; i < put.len; i++)
			put.bytes[i] = (char) random_below(256);
		if (!ltdbp_outbox_put(outbox, put.first_byte, put.bytes, put.len) ||
			take_frame(outbox->bytes + begin, outbox->len_bytes - begin, &got) !=
			outbox->len_bytes - begin || !same_frame())
			return false;
	}
	return true;
}

static void
test_frames(ltdbp_outbox *outbox)
{
	bool		good = true;

	for (int round = 0; round < ROUNDS && good; round++)
	{
		good = ltdbp_outbox_is_empty(outbox) && fill(outbox);
		while (good && !ltdbp_outbox_is_empty(outbox))
		{
			size_t		left = outbox->len_bytes - outbox->sent_bytes;

			ltdbp_outbox_sent(outbox, 1 + random_below((unsigned) left));
		}
	}
	tap_ok(good, "%d times full of frames, and empty again", ROUNDS);
}

/* Whoever can foresee the keys can make a proxy see what he likes. */
static void
test_keys(ltdbp_outbox *outbox)
{
	uint32_t	keys[1000];
	uint32_t	key;
	int			repeated = 0;

	for (int i = 0; i < 1000; i++)
	{
		ltdbp_outbox_put(outbox, LTDBP_FRAME_FINAL | LTDBP_FRAME_TEXT, "x", 1);
		take_frame(outbox->bytes, outbox->len_bytes, &got);
		memcpy(&key, got.key, 4);
		for (int j = 0; j < i; j++)
			repeated += keys[j] == key;
		keys[i] = key;
		ltdbp_outbox_sent(outbox, outbox->len_bytes);
	}
	tap_ok(repeated < 3, "every frame has a key of its own");
}

int
main(int argc, char **argv)
{
	ltdbp_outbox outbox;

	random_start(argc, argv);
	if (!tap_ok(ltdbp_outbox_start(&outbox), "an outbox"))
		return 1;
	test_frames(&outbox);
	test_keys(&outbox);
	ltdbp_outbox_end(&outbox);
	return tap_done();
}
