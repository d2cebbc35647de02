/*-------------------------------------------------------------------------
 *
 * document.h
 *		A text put together piece by piece, at random or not.
 *
 * The pieces are left to those who know what they want to test with them.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <string.h>

#include "random.h"

#define DOCUMENT_MAX_BYTES (64 * 1024)

typedef struct document
{
	char		bytes[DOCUMENT_MAX_BYTES];
	size_t		len;
} document;

/* What does not fit is left out: a broken document is one more to try. */
static void
put(document *doc, const char *piece)
{
	size_t		len = strlen(piece);

	if (doc->len + len < sizeof(doc->bytes))
	{
		memcpy(doc->bytes + doc->len, piece, len);
		doc->len += len;
	}
}

static void __attribute__((unused))
put_one_of(document *doc, const char *const *pieces, size_t count)
{
	put(doc, pieces[random_below((unsigned) count)]);
}

#define PUT_ONE_OF(doc, ...) \
	do \
	{ \
		static const char *const pieces[] = {__VA_ARGS__}; \
		put_one_of(doc, pieces, sizeof(pieces) / sizeof(pieces[0])); \
	} while (0)

static void __attribute__((unused))
document_insert(document *doc, size_t at, char byte)
{
	if (doc->len + 1 < sizeof(doc->bytes))
	{
		memmove(doc->bytes + at + 1, doc->bytes + at, doc->len - at);
		doc->bytes[at] = byte;
		doc->len++;
	}
}

static void __attribute__((unused))
document_remove(document *doc, size_t at)
{
	memmove(doc->bytes + at, doc->bytes + at + 1, doc->len - at - 1);
	doc->len--;
}

#endif							/* DOCUMENT_H */
