/*-------------------------------------------------------------------------
 *
 * handlers.h
 *		How a peer behaves that means well.
 *
 * It answers as LTDB would, from records that follow from the request.  Peers
 * that mean ill are each test's own.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef HANDLERS_H
#define HANDLERS_H

#include "peer.h"

#define KEY "top-secret"

/* Takes care of the api key; returns whether that was the request. */
static bool
handle_key(peer *p, const peer_request *request)
{
	if (strcmp(request->type, "api-key") != 0)
		return false;
	if (strcmp(json_string_value(request->data), KEY) == 0)
		peer_answer(p, request->id, "");
	else
		peer_send_close(p, 1000);
	return true;
}

/*
 * A collection in which the key has one record each second, from -20 on up to
 * 1000: answered as LTDB would.
 */
static void
answer_fetch(peer *p, const peer_request *request)
{
	int64_t		from = json_integer_value(json_object_get(request->data, "from"));
	int64_t		to = json_integer_value(json_object_get(request->data, "to"));
	int64_t		limit = json_integer_value(json_object_get(request->data, "limit"));
	bool		reverse = json_is_true(json_object_get(request->data, "reverse"));
	char		members[65536] = ",\"records\":[";
	size_t		len = strlen(members);
	int64_t		i;

	if (to <= 0 || from > to)
	{
		peer_send_close(p, 1000);
		return;
	}
	from = from < -20 ? -20 : from;
	to = to > 1000 ? 1000 : to;
	for (i = 0; from + i <= to && (limit == 0 || i < limit); i++)
	{
		int64_t		ts = reverse ? to - i : from + i;

		len += (size_t) sprintf(members + len, "%s{\"ts\":%d,\"data\":\"d%d\"}", i ? "," : "", (int) ts, (int) ts);
	}
	strcpy(members + len, "]");
	peer_answer(p, request->id, members);
}

/* Behaves. */
static void
handle_well(peer *p, const peer_request *request)
{
	if (handle_key(p, request))
		return;
	if (strcmp(request->type, "query-user") == 0)
		answer_fetch(p, request);
	else if (strcmp(request->type, "query") == 0)
		peer_answer(p, request->id, ",\"records\":{\"a\":{\"ts\":1,\"data\":\"x\"},\"b\":{\"ts\":2,\"data\":\"y\"}}");
	else if (strcmp(request->type, "collections") == 0)
		peer_answer(p, request->id, ",\"collections\":[\"c\",\"d\"]");
	else if (strcmp(request->type, "get-value") == 0)
		peer_answer(p, request->id, strcmp(json_string_value(json_object_get(request->data, "key")), "k") ?
					",\"value\":\"\"" : ",\"value\":\"v\"");
	else if (strcmp(request->type, "get-all-keys") == 0)
		peer_answer(p, request->id, ",\"keys\":[\"k\"]");
	else if (strcmp(request->type, "get-all-values") == 0)
		peer_answer(p, request->id, ",\"values\":{\"k\":\"v\"}");
	else
		peer_answer(p, request->id, "");
}

/* Holds three requests, then answers them in the opposite order. */
static void __attribute__((unused))
handle_backwards(peer *p, const peer_request *request)
{
	if (handle_key(p, request))
		return;
	snprintf(p->held[p->step++], sizeof(p->held[0]), "%s", request->id);
	while (p->step > 0 && p->messages == 3)
	{
		char		members[64];

		p->step--;
		snprintf(members, sizeof(members), ",\"records\":[{\"ts\":%d,\"data\":\"\"}]", p->step + 1);
		peer_answer(p, p->held[p->step], members);
	}
}

#endif							/* HANDLERS_H */
