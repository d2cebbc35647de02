/*-------------------------------------------------------------------------
 *
 * reader.h
 *		Reads JSON text in place.
 *
 * Strings are unescaped where they lie, so reading allocates nothing and
 * destroys the text; what is handed out points into it.  The text must be
 * followed by a NUL byte, which reading may rely on as a guard.
 *
 * A reader that met something wrong says false from then on.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef READER_H
#define READER_H

#include "store.h"

typedef struct reader
{
	unsigned char *at;
	unsigned char *end;
	bool		failed;
} reader;

typedef enum reader_type
{
	READER_ABSENT,
	READER_NULL,
	READER_FALSE,
	READER_TRUE,
	READER_INTEGER,
	READER_REAL,				/* only checked, not read */
	READER_STRING,
	READER_ARRAY,				/* likewise */
	READER_OBJECT				/* likewise */
} reader_type;

typedef struct reader_value
{
	reader_type type;
	store_text	text;			/* of a string */
	int64_t		integer;
} reader_value;

extern void reader_init(reader *rd, char *text, size_t len_bytes);

/*
 * Reads an object; the value of each member whose name is wanted goes to the
 * same place in values, READER_ABSENT if there is none.  Of members with the
 * same name the last one counts.
 */
extern bool reader_object(reader *rd, const store_text *wanted, int count,
						  reader_value *values);

/*
 * Stands in front of each element of an array in turn; *in_array is false at
 * first and false again behind the array.  Returns false if something is wrong.
 */
extern bool reader_element(reader *rd, bool *in_array);

/* Whether nothing but space is left, and nothing was wrong. */
extern bool reader_done(reader *rd);

#endif							/* READER_H */
