/*-------------------------------------------------------------------------
 *
 * dispatch.c
 *		Reads a request's envelope, lets it be handled, writes its answer.
 *
 * LTDB's only ways to refuse are a closed connection and two odd answers
 * before it; the outcome says which.  What each request type means is left to
 * handle.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "dispatch.h"

#include <string.h>

#include "handle.h"

typedef struct envelope
{
	store_text	id;
	store_text	type;
	store_text	payload;
} envelope;

/* ---- authentication ---- */

/*
 * Compares with the key in a time that depends neither on the key nor on its
 * length, only on the length of what was sent.
 */
static bool
key_matches(const dispatch *disp, store_text sent)
{
	char		padded[DISPATCH_KEY_MAX_BYTES] = {0};
	volatile unsigned char difference = sent.len_bytes != disp->key_len_bytes;

	memcpy(padded, sent.bytes,
		   sent.len_bytes < sizeof(padded) ? sent.len_bytes : sizeof(padded));
	for (size_t i = 0; i < sizeof(padded); i++)
		difference |= padded[i] ^ disp->key[i];
	return difference == 0;
}

static dispatch_outcome
authenticate(dispatch *disp, dispatch_peer *peer, store_text sent)
{
	if (!key_matches(disp, sent))
	{
		peer->reason = "wrong api key";
		return DISPATCH_CLOSE;
	}
	peer->authenticated = true;
	return DISPATCH_ANSWER;
}

/* ---- the envelope ---- */

/* False if the message is not an object with three non-empty strings. */
static bool
read_envelope(char *message, size_t len_bytes, envelope *env)
{
	const store_text wanted[] = {
		{handle_dialect->m_id, strlen(handle_dialect->m_id)},
		{handle_dialect->m_type, strlen(handle_dialect->m_type)},
		{handle_dialect->m_payload, strlen(handle_dialect->m_payload)}
	};
	reader_value values[3];
	reader		rd;

	reader_init(&rd, message, len_bytes);
	if (!reader_object(&rd, wanted, 3, values) || !reader_done(&rd))
		return false;
	for (int i = 0; i < 3; i++)
	{
		if (values[i].type != READER_STRING || values[i].text.len_bytes == 0)
			return false;
	}
	env->id = values[0].text;
	env->type = values[1].text;
	env->payload = values[2].text;
	return true;
}

/* LTDB_REQ_COUNT if the type is unknown. */
static int
find_type(store_text type)
{
	int			i = 0;

	while (i < LTDB_REQ_COUNT &&
		   (strlen(handle_dialect->type[i]) != type.len_bytes ||
			memcmp(handle_dialect->type[i], type.bytes, type.len_bytes) != 0))
		i++;
	return i;
}

static dispatch_outcome
answer_unknown_type(dispatch_peer *peer, answer *ans)
{
	answer_raw(ans, "{", 1);
	answer_string(ans, handle_dialect->m_error, strlen(handle_dialect->m_error));
	answer_raw(ans, ":", 1);
	answer_string(ans, LTDB_UNKNOWN_TYPE_TEXT, strlen(LTDB_UNKNOWN_TYPE_TEXT));
	answer_raw(ans, "}", 1);
	peer->reason = "unknown message type";
	return DISPATCH_ANSWER_AND_CLOSE;
}

static dispatch_outcome
handle(dispatch *disp, dispatch_peer *peer, const envelope *env, int type, answer *ans)
{
	request		req = {.store = disp->store,.peer = peer,.ans = ans};
	dispatch_outcome outcome;

	answer_begin(ans, handle_dialect->m_id, env->id.bytes, env->id.len_bytes);
	if (type == LTDB_REQ_AUTHENTICATE)
		outcome = authenticate(disp, peer, env->payload);
	else
	{
		/* The payload lies in the message, so it may be destroyed likewise. */
		reader_init(&req.payload, (char *) env->payload.bytes, env->payload.len_bytes);
		outcome = handle_request[type] (&req);
	}
	if (outcome == DISPATCH_ANSWER)
		answer_raw(ans, "}", 1);
	else if (outcome == DISPATCH_PIECE)
		outcome = dispatch_continue(disp, peer, ans);
	return outcome;
}

dispatch_outcome
dispatch_message(dispatch *disp, dispatch_peer *peer, char *message, size_t len_bytes,
				 answer *ans)
{
	dispatch_outcome outcome;
	envelope	env;
	int			type;

	if (!read_envelope(message, len_bytes, &env))
	{
		peer->reason = "message is not a request";
		return DISPATCH_ANSWER_AND_CLOSE;
	}
	type = find_type(env.type);
	if (type != LTDB_REQ_AUTHENTICATE && !peer->authenticated)
	{
		peer->reason = "request before authentication";
		return DISPATCH_CLOSE;
	}
	if (type == LTDB_REQ_COUNT)
		outcome = answer_unknown_type(peer, ans);
	else
		outcome = handle(disp, peer, &env, type, ans);
	return ans->failed ? DISPATCH_FAILED : outcome;
}

dispatch_outcome
dispatch_continue(dispatch *disp, dispatch_peer *peer, answer *ans)
{
	switch (listing_continue(peer->rest, disp->store, ans))
	{
		case LISTING_MORE:
			return ans->failed ? DISPATCH_FAILED : DISPATCH_PIECE;
		case LISTING_DONE:
			answer_raw(ans, "}", 1);
			dispatch_peer_reset(peer);
			return ans->failed ? DISPATCH_FAILED : DISPATCH_ANSWER;
		case LISTING_FAILED:
			break;
	}
	return DISPATCH_FAILED;
}

void
dispatch_peer_reset(dispatch_peer *peer)
{
	listing_free(peer->rest);
	peer->rest = NULL;
}

bool
dispatch_init(dispatch *disp, store *st, const char *key)
{
	size_t		len_bytes = strlen(key);

	memset(disp, 0, sizeof(*disp));
	if (len_bytes == 0 || len_bytes > sizeof(disp->key))
		return false;
	disp->store = st;
	disp->key_len_bytes = len_bytes;
	memcpy(disp->key, key, len_bytes);
	return true;
}
