/*-------------------------------------------------------------------------
 *
 * dispatch.c
 *		Checks a request, carries it out, writes its answer.
 *
 * One handler a request type, in one table.  LTDB's only ways to refuse are a
 * closed connection and two odd answers before it; the outcome says which.
 * Long lists are left to listing.c, everything kept to the store.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "dispatch.h"

#include <jansson.h>
#include <string.h>

#include "../protocol.h"
#include "payload.h"

typedef struct request
{
	dispatch   *disp;
	dispatch_peer *peer;
	store_text	payload_text;	/* as received */
	json_t	   *payload;		/* parsed; NULL if the type wants the text */
	answer	   *ans;			/* begun, and not yet closed */
} request;

typedef struct request_form
{
	dispatch_outcome (*handle) (request *req);
	json_type	payload_type;	/* JSON_STRING: taken as it is, not parsed */
} request_form;

static const ltdb_dialect *const dialect = &ltdb_dialect_ltdb;

static dispatch_outcome
refuse(request *req, const char *reason)
{
	req->peer->reason = reason;
	return DISPATCH_CLOSE;
}

static dispatch_outcome
answer_if(bool done)
{
	return done ? DISPATCH_ANSWER : DISPATCH_FAILED;
}

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
handle_authenticate(request *req)
{
	if (!key_matches(req->disp, req->payload_text))
		return refuse(req, "wrong api key");
	req->peer->authenticated = true;
	return DISPATCH_ANSWER;
}

/* ---- records ---- */

/* A collection and a key; false if one of them is not a string. */
static bool
read_names(const json_t *payload, store_text *collection, store_text *key)
{
	*collection = *key = (store_text) {"", 0};
	return payload_text(payload, dialect->m_collection, collection) &&
		payload_text(payload, dialect->m_key, key);
}

/*
 * One element of an insert.  Names and data may be empty, data of another type
 * counts as empty.  LTDB stores a ts that does not fit 32 bits at 0; here it
 * is refused.
 */
static bool
read_record(const json_t *element, store_text *collection, store_text *key,
			int64_t *ts_sec, store_text *data)
{
	*ts_sec = INT64_MAX;
	*data = (store_text) {"", 0};
	payload_text(element, dialect->m_data, data);
	return json_is_object(element) && read_names(element, collection, key) &&
		payload_integer(element, dialect->m_ts, ts_sec) &&
		*ts_sec >= LTDB_TS_MIN && *ts_sec <= LTDB_TS_MAX;
}

static dispatch_outcome
handle_insert(request *req)
{
	store	   *st = req->disp->store;
	store_text	collection;
	store_text	key;
	store_text	data;
	int64_t		ts_sec;
	json_t	   *element;
	size_t		i;

	/* All or nothing: look at each before storing the first. */
	json_array_foreach(req->payload, i, element)
	{
		if (!read_record(element, &collection, &key, &ts_sec, &data))
			return refuse(req, "insert of something that is not a record");
	}
	json_array_foreach(req->payload, i, element)
	{
		read_record(element, &collection, &key, &ts_sec, &data);
		if (!store_insert(st, collection, key, ts_sec, data))
			return DISPATCH_FAILED;
	}
	return DISPATCH_ANSWER;
}

/* What names one record; false if a member has the wrong type or ts is missing. */
static bool
read_record_name(const json_t *element, store_text *collection, store_text *key,
				 int64_t *ts_sec)
{
	return json_is_object(element) && read_names(element, collection, key) &&
		payload_has(element, dialect->m_ts) &&
		payload_integer(element, dialect->m_ts, ts_sec);
}

static dispatch_outcome
handle_delete_record(request *req)
{
	store_text	collection;
	store_text	key;
	int64_t		ts_sec;

	if (!read_record_name(req->payload, &collection, &key, &ts_sec))
		return refuse(req, "delete of something that is not a record");
	return answer_if(store_delete_record(req->disp->store, collection, key, ts_sec));
}

static dispatch_outcome
handle_delete_records(request *req)
{
	store_text	collection;
	store_text	key;
	int64_t		ts_sec;
	json_t	   *element;
	size_t		i;

	json_array_foreach(req->payload, i, element)
	{
		if (!read_record_name(element, &collection, &key, &ts_sec) ||
			collection.len_bytes == 0 || key.len_bytes == 0 || ts_sec <= 0)
			return refuse(req, "delete of records without key, collection or ts > 0");
	}
	json_array_foreach(req->payload, i, element)
	{
		read_record_name(element, &collection, &key, &ts_sec);
		if (!store_delete_record(req->disp->store, collection, key, ts_sec))
			return DISPATCH_FAILED;
	}
	return DISPATCH_ANSWER;
}

static dispatch_outcome
handle_delete_key(request *req)
{
	store	   *st = req->disp->store;
	store_text	collection;
	store_text	key;

	if (!read_names(req->payload, &collection, &key) ||
		!payload_has(req->payload, dialect->m_key))
		return refuse(req, "delete of a key without a key");
	return answer_if(collection.len_bytes == 0 ?
					 store_delete_key_everywhere(st, key) :
					 store_delete_key(st, collection, key));
}

static dispatch_outcome
handle_delete_collection(request *req)
{
	store_text	collection;
	store_text	key;

	if (!read_names(req->payload, &collection, &key) || collection.len_bytes == 0)
		return refuse(req, "delete of a collection without a name");
	return answer_if(store_delete_collection(req->disp->store, collection));
}

/* ---- lists ---- */

/* Starts a list under a member of its own; what fits is written at once. */
static dispatch_outcome
answer_list(request *req, const char *member, const listing_request *wanted)
{
	answer_member(req->ans, member);
	req->peer->rest = listing_new(wanted);
	return req->peer->rest != NULL ? DISPATCH_PIECE : DISPATCH_FAILED;
}

static dispatch_outcome
handle_fetch(request *req)
{
	listing_request wanted = {.type = LISTING_RECORDS};

	if (!read_names(req->payload, &wanted.collection, &wanted.key) ||
		!payload_integer(req->payload, dialect->m_from, &wanted.from_sec) ||
		!payload_integer(req->payload, dialect->m_to, &wanted.to_sec) ||
		!payload_integer(req->payload, dialect->m_limit, &wanted.limit) ||
		!payload_boolean(req->payload, dialect->m_reverse, &wanted.reverse))
		return refuse(req, "fetch with a member of the wrong type");
	if (wanted.collection.len_bytes == 0 || wanted.key.len_bytes == 0 ||
		wanted.to_sec <= 0 || wanted.from_sec > wanted.to_sec)
		return refuse(req, "fetch without key, collection, to > 0 or from <= to");
	return answer_list(req, dialect->m_records, &wanted);
}

static dispatch_outcome
handle_latest(request *req)
{
	listing_request wanted = {.type = LISTING_LATEST};

	if (!read_names(req->payload, &wanted.collection, &wanted.key) ||
		!payload_integer(req->payload, dialect->m_ts, &wanted.to_sec) ||
		!payload_integer(req->payload, dialect->m_from, &wanted.from_sec))
		return refuse(req, "query with a member of the wrong type");
	if (wanted.collection.len_bytes == 0 || wanted.to_sec <= 0)
		return refuse(req, "query without collection or ts > 0");
	if (wanted.from_sec == 0)
		wanted.from_sec = LTDB_TS_MIN;
	if (wanted.key.len_bytes > 0)
	{
		wanted.type = LISTING_LATEST_OF_KEY;
		wanted.reverse = true;
		wanted.limit = 1;
	}
	return answer_list(req, dialect->m_records, &wanted);
}

static dispatch_outcome
handle_collections(request *req)
{
	const listing_request wanted = {.type = LISTING_COLLECTIONS};

	return answer_list(req, dialect->m_collections, &wanted);
}

/* ---- key-value pairs ---- */

/* Like read_names(), for the key of a pair. */
static bool
read_pair_names(const json_t *payload, store_text *collection, store_text *key)
{
	*collection = *key = (store_text) {"", 0};
	return payload_text(payload, dialect->m_collection, collection) &&
		payload_text(payload, dialect->m_value_key, key);
}

static dispatch_outcome
handle_set_value(request *req)
{
	store_text	collection;
	store_text	key;
	store_text	value = {"", 0};

	if (!read_pair_names(req->payload, &collection, &key) ||
		!payload_text(req->payload, dialect->m_value, &value) ||
		collection.len_bytes == 0 || key.len_bytes == 0 || value.len_bytes == 0)
		return refuse(req, "set-value without collection, key or value");
	return answer_if(store_set_value(req->disp->store, collection, key, value));
}

static dispatch_outcome
handle_get_value(request *req)
{
	store	   *st = req->disp->store;
	store_text	collection;
	store_text	key;
	store_item	pair;
	bool		found;

	if (!read_pair_names(req->payload, &collection, &key))
		return refuse(req, "get-value with a member of the wrong type");
	if (!store_scan_value(st, collection, key))
		return DISPATCH_FAILED;
	found = store_scan_next(st, &pair);
	answer_member(req->ans, dialect->m_value);
	answer_string(req->ans, found ? pair.data.bytes : "", found ? pair.data.len_bytes : 0);
	store_scan_end(st);
	return answer_if(!store_failed(st));
}

static dispatch_outcome
handle_delete_value(request *req)
{
	store_text	collection;
	store_text	key;

	if (!read_pair_names(req->payload, &collection, &key))
		return refuse(req, "remove-value with a member of the wrong type");
	return answer_if(store_delete_value(req->disp->store, collection, key));
}

static dispatch_outcome
list_pairs(request *req, listing_type type, const char *member)
{
	listing_request wanted = {.type = type};

	if (!read_pair_names(req->payload, &wanted.collection, &wanted.key))
		return refuse(req, "list of pairs with a member of the wrong type");
	return answer_list(req, member, &wanted);
}

static dispatch_outcome
handle_list_keys(request *req)
{
	return list_pairs(req, LISTING_KEYS, dialect->m_keys);
}

static dispatch_outcome
handle_list_values(request *req)
{
	return list_pairs(req, LISTING_VALUES, dialect->m_values);
}

static const request_form form_of[LTDB_REQ_COUNT] = {
	[LTDB_REQ_AUTHENTICATE] = {handle_authenticate, JSON_STRING},
	[LTDB_REQ_INSERT] = {handle_insert, JSON_ARRAY},
	[LTDB_REQ_FETCH] = {handle_fetch, JSON_OBJECT},
	[LTDB_REQ_LATEST] = {handle_latest, JSON_OBJECT},
	[LTDB_REQ_COLLECTIONS] = {handle_collections, JSON_OBJECT},
	[LTDB_REQ_DELETE_RECORD] = {handle_delete_record, JSON_OBJECT},
	[LTDB_REQ_DELETE_RECORDS] = {handle_delete_records, JSON_ARRAY},
	[LTDB_REQ_DELETE_KEY] = {handle_delete_key, JSON_OBJECT},
	[LTDB_REQ_DELETE_COLLECTION] = {handle_delete_collection, JSON_OBJECT},
	[LTDB_REQ_SET_VALUE] = {handle_set_value, JSON_OBJECT},
	[LTDB_REQ_GET_VALUE] = {handle_get_value, JSON_OBJECT},
	[LTDB_REQ_DELETE_VALUE] = {handle_delete_value, JSON_OBJECT},
	[LTDB_REQ_LIST_KEYS] = {handle_list_keys, JSON_OBJECT},
	[LTDB_REQ_LIST_VALUES] = {handle_list_values, JSON_OBJECT},
};

/* ---- the envelope ---- */

/* LTDB_REQ_COUNT if the type is unknown. */
static int
find_type(store_text type)
{
	int			i = 0;

	while (i < LTDB_REQ_COUNT &&
		   (strlen(dialect->type[i]) != type.len_bytes ||
			memcmp(dialect->type[i], type.bytes, type.len_bytes) != 0))
		i++;
	return i;
}

static dispatch_outcome
answer_unknown_type(request *req)
{
	answer_raw(req->ans, "{", 1);
	answer_string(req->ans, dialect->m_error, strlen(dialect->m_error));
	answer_raw(req->ans, ":", 1);
	answer_string(req->ans, LTDB_UNKNOWN_TYPE_TEXT, strlen(LTDB_UNKNOWN_TYPE_TEXT));
	answer_raw(req->ans, "}", 1);
	req->peer->reason = "unknown message type";
	return DISPATCH_ANSWER_AND_CLOSE;
}

static dispatch_outcome
handle(request *req, const request_form *form, store_text id)
{
	dispatch_outcome outcome;

	if (form->payload_type != JSON_STRING)
	{
		req->payload = json_loadb(req->payload_text.bytes, req->payload_text.len_bytes,
								  JSON_ALLOW_NUL, NULL);
		if (req->payload == NULL || json_typeof(req->payload) != form->payload_type)
		{
			json_decref(req->payload);
			return refuse(req, "payload is not the JSON it should be");
		}
	}
	answer_begin(req->ans, dialect->m_id, id.bytes, id.len_bytes);
	outcome = form->handle(req);
	json_decref(req->payload);
	if (outcome == DISPATCH_ANSWER)
		answer_raw(req->ans, "}", 1);
	else if (outcome == DISPATCH_PIECE)
		outcome = dispatch_continue(req->disp, req->peer, req->ans);
	return outcome;
}

static dispatch_outcome
handle_envelope(request *req, const json_t *envelope)
{
	store_text	id = {"", 0};
	store_text	type = {"", 0};
	int			found;

	if (!json_is_object(envelope) ||
		!payload_text(envelope, dialect->m_id, &id) ||
		!payload_text(envelope, dialect->m_type, &type) ||
		!payload_text(envelope, dialect->m_payload, &req->payload_text) ||
		id.len_bytes == 0 || type.len_bytes == 0 || req->payload_text.len_bytes == 0)
	{
		req->peer->reason = "message is not a request";
		return DISPATCH_ANSWER_AND_CLOSE;
	}
	found = find_type(type);
	if (found != LTDB_REQ_AUTHENTICATE && !req->peer->authenticated)
		return refuse(req, "request before authentication");
	if (found == LTDB_REQ_COUNT)
		return answer_unknown_type(req);
	return handle(req, &form_of[found], id);
}

dispatch_outcome
dispatch_message(dispatch *disp, dispatch_peer *peer, const char *message,
				 size_t len_bytes, answer *ans)
{
	request		req = {.disp = disp,.peer = peer,.payload_text = {"", 0},.ans = ans};
	json_t	   *envelope = json_loadb(message, len_bytes, JSON_ALLOW_NUL, NULL);
	dispatch_outcome outcome = handle_envelope(&req, envelope);

	json_decref(envelope);
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
