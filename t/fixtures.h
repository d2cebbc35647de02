/*-------------------------------------------------------------------------
 *
 * fixtures.h
 *		Reads t/fixtures/conversation.json, which the tests of encode, decode
 *		and dispatch share.
 *
 * The conversation is a client's with an LTDB server that was empty at its
 * beginning, one exchange after the other:
 *
 * about		what is remarkable about it
 * operation	the client's function; absent if it has none that sends this
 * arguments	... and what it was called with
 * unsent		words of the error with which the client refuses to send it
 * request		the message; a string is one sent as it stands
 * answer		likewise, an object or "" for an empty message; null is none
 * closes		the server then closes the connection
 * items		what the client's caller gets of the answer, in its order; a
 *				member that is absent is empty or 0
 * stranger		this one comes first on a new connection.  Any other is on the
 *				connection of the one before or, if that was closed, on a new
 *				one where api_key has been presented
 *
 * The order of members is free, and so is that of lists of names.  What is
 * done with an exchange is each test's own business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef FIXTURES_H
#define FIXTURES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "protocol.h"

/* A Makefile that runs the tests from elsewhere says where they are. */
#ifndef FIXTURES_DIR
#define FIXTURES_DIR "t/fixtures"
#endif

typedef struct conversation
{
	const char *api_key;
	json_t	   *exchanges;
	json_t	   *root;
} conversation;

/* Everything in it belongs to the conversation. */
typedef struct exchange
{
	const char *about;
	int			type;			/* of the operation, -1 = none */
	json_t	   *arguments;
	const char *unsent;			/* NULL = it is sent */
	bool		stranger;
	json_t	   *request;
	json_t	   *answer;
	bool		closes;
	json_t	   *items;			/* NULL where no client gets the answer */
} exchange;

static const char *const fixtures_operations[LTDB_REQ_COUNT] = {
	[LTDB_REQ_AUTHENTICATE] = "authenticate",
	[LTDB_REQ_INSERT] = "insert",
	[LTDB_REQ_FETCH] = "fetch",
	[LTDB_REQ_LATEST] = "latest",
	[LTDB_REQ_COLLECTIONS] = "collections",
	[LTDB_REQ_DELETE_RECORD] = "delete_record",
	[LTDB_REQ_DELETE_RECORDS] = "delete_records",
	[LTDB_REQ_DELETE_KEY] = "delete_key",
	[LTDB_REQ_DELETE_COLLECTION] = "delete_collection",
	[LTDB_REQ_SET_VALUE] = "set_value",
	[LTDB_REQ_GET_VALUE] = "get_value",
	[LTDB_REQ_DELETE_VALUE] = "delete_value",
	[LTDB_REQ_LIST_KEYS] = "list_keys",
	[LTDB_REQ_LIST_VALUES] = "list_values",
};

/* Without fixtures there is nothing to test. */
static void
fixtures_bail_out(const char *what, const json_error_t *error)
{
	printf("Bail out! %s: %s\n", what, error->text);
	exit(1);
}

static conversation
conversation_load(void)
{
	const char *path = FIXTURES_DIR "/conversation.json";
	conversation talk;
	json_error_t error;

	talk.root = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (talk.root == NULL ||
		json_unpack_ex(talk.root, &error, JSON_STRICT, "{s:s,s:o}",
					   "api_key", &talk.api_key, "exchanges", &talk.exchanges) != 0)
		fixtures_bail_out(path, &error);
	return talk;
}

static void
conversation_free(conversation *talk)
{
	json_decref(talk->root);
}

static size_t
conversation_length(const conversation *talk)
{
	return json_array_size(talk->exchanges);
}

static exchange
conversation_get(const conversation *talk, size_t i)
{
	exchange	ex = {.type = -1};
	const char *operation = NULL;
	int			stranger = 0;
	int			closes = 0;
	json_error_t error;

	if (json_unpack_ex(json_array_get(talk->exchanges, i), &error, JSON_STRICT,
					   "{s:s,s?s,s?o,s?s,s?b,s:o,s:o,s?b,s?o}",
					   "about", &ex.about, "operation", &operation,
					   "arguments", &ex.arguments, "unsent", &ex.unsent,
					   "stranger", &stranger, "request", &ex.request,
					   "answer", &ex.answer, "closes", &closes, "items", &ex.items) != 0)
		fixtures_bail_out("an exchange", &error);
	ex.stranger = stranger != 0;
	ex.closes = closes != 0;
	for (int type = 0; operation != NULL && type < LTDB_REQ_COUNT; type++)
	{
		if (strcmp(operation, fixtures_operations[type]) == 0)
			ex.type = type;
	}
	if (operation != NULL && ex.type < 0)
	{
		snprintf(error.text, sizeof(error.text), "unknown operation \"%s\"", operation);
		fixtures_bail_out(ex.about, &error);
	}
	return ex;
}

/* The words of a test on it. */
static __attribute__((unused)) const char *
exchange_name(const exchange *ex)
{
	static char name[200];

	snprintf(name, sizeof(name), "%s: %s",
			 ex->type < 0 ? "any client" : fixtures_operations[ex->type], ex->about);
	return name;
}

#endif							/* FIXTURES_H */
