/*-------------------------------------------------------------------------
 *
 * unit_frames.c
 *		WebSocket frames of a server: taken apart in whatever pieces they come,
 *		and refused where they must not come.
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

#define MESSAGES 300
#define MAX_FRAME_BYTES (80 * 1024)
#define ALL_BYTES (8 * 1024 * 1024)

#define FIN 0x80
#define TEXT 1
#define CONTINUATION 0
#define CLOSE 8
#define PING 9
#define PONG 10

static char sent[ALL_BYTES];
static size_t sent_len;
static char said[ALL_BYTES];	/* the contents, as they should come out */
static size_t said_len;
static char heard[ALL_BYTES];
static size_t heard_len;
static char pinged[ALL_BYTES];	/* ... of pings */
static size_t pinged_len;
static char ponged[ALL_BYTES];
static size_t ponged_len;
static int	messages;

static void
add(char *all, size_t *all_len, const char *bytes, size_t len)
{
	memcpy(all + *all_len, bytes, len);
	*all_len += len;
}

/* RFC 6455, section 5.2 */
static void
put_frame(int first, const char *bytes, size_t len)
{
	int			digits = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;

	sent[sent_len++] = (char) first;
	sent[sent_len++] = (char) (digits == 0 ? len : digits == 2 ? 126 : 127);
	while (digits > 0)
		sent[sent_len++] = (char) ((uint64_t) len >> 8 * --digits);
	add(sent, &sent_len, bytes, len);
}

/* Lengths around those where the header changes, or wslay's buffer is full. */
static size_t
some_length(void)
{
	static const size_t lengths[] = {0, 1, 125, 126, 127, 255, 4094, 4096, 65535, 65536, 70000};

	return random_below(3) == 0 ? lengths[random_below(11)] : random_below(300);
}

static void
put_message(void)
{
	static char contents[MAX_FRAME_BYTES];
	int			pieces = 1 + (int) random_below(4);

	for (int i = 0; i < pieces; i++)
	{
		size_t		len = some_length();

		for (size_t at = 0; at < len; at++)
			contents[at] = (char) random_below(256);
		if (random_below(4) == 0)
			put_frame(FIN | PONG, contents, len < 125 ? len : 125);
		if (random_below(4) == 0)
		{
			size_t		ping_len = random_below(126);

			put_frame(FIN | PING, contents, ping_len);
			add(pinged, &pinged_len, contents, ping_len);
		}
		put_frame((i + 1 == pieces ? FIN : 0) | (i == 0 ? TEXT : CONTINUATION), contents, len);
		add(said, &said_len, contents, len);
	}
	messages--;
}

static ltdbp_frame
hear(ltdbp_frames *frames, const char *bytes, size_t len)
{
	ltdbp_piece piece;
	ltdbp_frame kind;

	ltdbp_frames_feed(frames, bytes, len);
	for (;;)
	{
		kind = ltdbp_frames_next(frames, &piece);
		if (kind == LTDBP_FRAME_PING)
			add(ponged, &ponged_len, piece.bytes, piece.len_bytes);
		else if (kind == LTDBP_FRAME_DATA)
		{
			add(heard, &heard_len, piece.bytes, piece.len_bytes);
			messages += piece.final;
		}
		else
			return kind;
	}
}

static void
test_pieces(void)
{
	ltdbp_frames *frames = ltdbp_frames_new();
	ltdbp_frame kind = LTDBP_FRAME_MORE;

	for (int i = 0; i < MESSAGES && sent_len < ALL_BYTES - 16 * MAX_FRAME_BYTES; i++)
		put_message();
	for (size_t at = 0; at < sent_len && kind == LTDBP_FRAME_MORE;)
	{
		size_t		len = random_below(2) == 0 ? 1 + random_below(9) : 1 + random_below(100000);

		if (len > sent_len - at)
			len = sent_len - at;
		kind = hear(frames, sent + at, len);
		at += len;
	}
	tap_ok(kind == LTDBP_FRAME_MORE, "%zu bytes of frames are taken apart", sent_len);
	tap_ok(heard_len == said_len && memcmp(heard, said, said_len) == 0, "... their contents are the same");
	tap_ok(ponged_len == pinged_len && memcmp(ponged, pinged, pinged_len) == 0, "... those of pings, too");
	tap_is_int(messages, 0, "... every message ends once");
	ltdbp_frames_free(frames);
}

static void
test_close(void)
{
	static const char bytes[] = "\x88\x05\x03\xE8" "bye" "\x81\x01x";
	ltdbp_frames *frames = ltdbp_frames_new();
	ltdbp_piece piece;
	ltdbp_frame kind = LTDBP_FRAME_MORE;

	for (size_t at = 0; at < sizeof(bytes) - 1 && kind == LTDBP_FRAME_MORE; at++)
	{
		ltdbp_frames_feed(frames, bytes + at, 1);
		kind = ltdbp_frames_next(frames, &piece);
	}
	tap_ok(kind == LTDBP_FRAME_CLOSE && piece.len_bytes == 5 && memcmp(piece.bytes, "\x03\xE8" "bye", 5) == 0,
		   "a close frame in pieces");
	ltdbp_frames_free(frames);
}

static void
test_refused(const char *bytes, size_t len, const char *words)
{
	ltdbp_frames *frames = ltdbp_frames_new();
	ltdbp_frame kind = hear(frames, bytes, len);
	const char *flaw = ltdbp_frames_flaw(frames);

	tap_ok(kind == LTDBP_FRAME_BAD && flaw != NULL && strstr(flaw, words) != NULL, "refused: %s",
		   flaw ? flaw : "no, it was not");
	tap_ok(hear(frames, "\x81\x01x", 3) == LTDBP_FRAME_BAD, "... for good");
	ltdbp_frames_free(frames);
}

int
main(int argc, char **argv)
{
	random_start(argc, argv);
	test_pieces();
	test_close();
	test_refused("\xC1\x01x", 3, "reserved");
	test_refused("\x81\x81" "maskx", 7, "masked");
	test_refused("\x83\x01x", 3, "unknown");
	test_refused("\x8B\x01x", 3, "unknown");
	test_refused("\x80\x01x", 3, "goes on with no message");
	test_refused("\x01\x01x\x81\x01y", 6, "inside another");
	test_refused("\x09\x01x", 3, "length");
	test_refused("\x89\x7E\x00\x7E", 4, "length");
	test_refused("\x81\x7E\x00\x7D", 4, "length");
	test_refused("\x81\x7F\x80\0\0\0\0\0\0\0", 10, "length");
	return tap_done();
}
