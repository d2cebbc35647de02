/*-------------------------------------------------------------------------
 *
 * wire.h
 *		A bare connection to an LTDB server: frames, and nothing of their sense.
 *
 * No WebSocket library, no JSON, no polling: what it takes for a request and
 * its answer is the floor under any real client of the same server.  What is
 * sent is the business of wire_load.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wire
{
	const char *host;
	char		port[8];
	const char *key;			/* must need no escaping */

	int			fd;
	unsigned char *in;
	size_t		in_begin;
	size_t		in_end;

	/* received */
	uint64_t	bytes;
	bool		counting;		/* of records, which takes time */
	uint64_t	records;
	int			match;			/* of what a record begins with, so far */
} wire;

/* Text that grows. */
typedef struct text
{
	char	   *bytes;
	size_t		len;
	size_t		size;
} text;

/* All of these end the program when something goes wrong. */
extern void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format,...);
extern void __attribute__((format(printf, 2, 3))) text_append(text *t, const char *format,...);

/* Connects and authenticates; host, port and key are set. */
extern void wire_open(wire *w);
extern void wire_close(wire *w);
extern void wire_send(wire *w, const text *message);

/* Receives to the end of an answer, over all its frames. */
extern void wire_receive(wire *w);

#endif							/* WIRE_H */
