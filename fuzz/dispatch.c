/*-------------------------------------------------------------------------
 *
 * dispatch.c
 *		Fuzz target: ltdbd, from the text of requests to the text of answers.
 *
 * Messages are separated by line ends, which no JSON needs, and go to a store in
 * memory that is empty at the beginning.  Whatever the request, an answer must be
 * JSON.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "server/dispatch.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_answer(const answer *ans)
{
	const char *text;
	json_error_t error;
	json_t	   *root;

	if (ans->len_bytes == 0)
		return;
	text = (const char *) ans->memory + ANSWER_ROOM_BYTES;
	root = json_loadb(text, ans->len_bytes, JSON_ALLOW_NUL, &error);

	/* jansson keeps no name with a NUL in it */
	if (!json_is_object(root) && json_error_code(&error) != json_error_null_byte_in_key)
	{
		printf("# no JSON: %.*s\n", (int) ans->len_bytes, text);
		abort();
	}
	json_decref(root);
}

/* False once the connection would have been closed. */
static bool
carry_out(dispatch *disp, dispatch_peer *peer, const uint8_t *bytes, size_t len)
{
	char	   *message = malloc(len + 1);
	answer		ans = {0};
	dispatch_outcome outcome;

	if (len > 0)
		memcpy(message, bytes, len);
	message[len] = '\0';
	outcome = dispatch_message(disp, peer, message, len, &ans);
	free(message);
	while (outcome == DISPATCH_PIECE)
		outcome = dispatch_continue(disp, peer, &ans);
	if (outcome == DISPATCH_ANSWER || outcome == DISPATCH_ANSWER_AND_CLOSE)
		check_answer(&ans);
	else if (outcome == DISPATCH_FAILED)
	{
		printf("# failed: %s\n", store_message(disp->store));
		abort();
	}
	answer_free(&ans);
	return outcome == DISPATCH_ANSWER;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static store *st;
	dispatch	disp;
	dispatch_peer peer = {.authenticated = true};
	char		reason[256];
	bool		open = true;

	if (st == NULL)
		st = store_open(NULL, false, reason, sizeof(reason));
	if (!dispatch_init(&disp, st, "key"))
		abort();
	while (open && size > 0)
	{
		const uint8_t *end = memchr(data, '\n', size);
		size_t		len = end ? (size_t) (end - data) : size;

		open = carry_out(&disp, &peer, data, len);
		data += len + (end != NULL);
		size -= len + (end != NULL);
	}
	dispatch_peer_reset(&peer);
	if (store_in_transaction(st))
		store_rollback(st);
	return 0;
}
