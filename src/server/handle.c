/*-------------------------------------------------------------------------
 *
 * handle.c
 *		Reads each request's payload, checks it, carries it out.
 *
 * The checks are LTDB's, where it has any: what it takes is taken here, but
 * for a ts that it would spoil.  Long lists are left to listing.c, everything
 * kept to the store, the envelope to dispatch.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "handle.h"

#include <stdlib.h>
#include <string.h>

#define lengthof(array) (int) (sizeof(array) / sizeof((array)[0]))

const ltdb_dialect *const handle_dialect = &ltdb_dialect_ltdb;

static const store_text no_text = {"", 0};

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

static store_text
word(const char *text)
{
	return (store_text) {text, strlen(text)};
}

/* ---- members; one that is missing or null has a default ---- */

static bool
text_of(const reader_value *value, store_text *text)
{
	*text = value->type == READER_STRING ? value->text : no_text;
	return value->type == READER_STRING || value->type <= READER_NULL;
}

static bool
integer_of(const reader_value *value, int64_t *integer)
{
	*integer = value->type == READER_INTEGER ? value->integer : 0;
	return value->type == READER_INTEGER || value->type <= READER_NULL;
}

static bool
boolean_of(const reader_value *value, bool *boolean)
{
	*boolean = value->type == READER_TRUE;
	return value->type <= READER_TRUE;
}

/* Reads a payload that is one object. */
static bool
read_payload(request *req, const store_text *wanted, int count, reader_value *values)
{
	return reader_object(&req->payload, wanted, count, values) && reader_done(&req->payload);
}

/* ---- records ---- */

typedef struct record
{
	store_text	collection;
	store_text	key;
	store_text	data;
	int64_t		ts_sec;
} record;

typedef struct record_list
{
	record	   *record;
	size_t		count;
	size_t		size;
	bool		out_of_memory;
} record_list;

/* Room for one more, or NULL. */
static record *
list_extend(record_list *list)
{
	if (list->count == list->size)
	{
		size_t		size = list->size ? 2 * list->size : 64;
		record	   *memory = realloc(list->record, size * sizeof(record));

		if (memory == NULL)
		{
			list->out_of_memory = true;
			return NULL;
		}
		list->record = memory;
		list->size = size;
	}
	return &list->record[list->count++];
}

/*
 * Names and data may be empty, and data of another type than string counts as
 * empty; but names of another type and a ts that is no integer are refused.
 */
static bool
read_record(reader *rd, record *rec)
{
	const store_text wanted[] = {
		word(handle_dialect->m_ts), word(handle_dialect->m_key),
		word(handle_dialect->m_data), word(handle_dialect->m_collection)
	};
	reader_value values[lengthof(wanted)];

	if (!reader_object(rd, wanted, lengthof(wanted), values))
		return false;
	text_of(&values[2], &rec->data);
	rec->ts_sec = values[0].integer;
	return values[0].type == READER_INTEGER && text_of(&values[1], &rec->key) &&
		text_of(&values[3], &rec->collection);
}

/*
 * Carries out a request on an array of records: all of them if each is well
 * formed and acceptable, else none.
 */
static dispatch_outcome
for_all_records(request *req, bool (*acceptable) (const record *rec),
				bool (*carry_out) (store *st, const record *rec), const char *complaint)
{
	record_list list = {0};
	bool		in_array = false;
	bool		good;
	dispatch_outcome outcome = DISPATCH_ANSWER;

	while ((good = reader_element(&req->payload, &in_array)) && in_array)
	{
		record	   *rec = list_extend(&list);

		good = rec != NULL && read_record(&req->payload, rec) && acceptable(rec);
		if (!good)
			break;
	}
	if (list.out_of_memory)
		outcome = DISPATCH_FAILED;
	else if (!good || !reader_done(&req->payload))
		outcome = refuse(req, complaint);
	for (size_t i = 0; i < list.count && outcome == DISPATCH_ANSWER; i++)
		outcome = answer_if(carry_out(req->store, &list.record[i]));
	free(list.record);
	return outcome;
}

/* LTDB stores a ts that does not fit at 0: better not stored than misplaced. */
static bool
can_insert(const record *rec)
{
	return rec->ts_sec >= LTDB_TS_MIN && rec->ts_sec <= LTDB_TS_MAX;
}

static bool
insert(store *st, const record *rec)
{
	return store_insert(st, rec->collection, rec->key, rec->ts_sec, rec->data);
}

static dispatch_outcome
handle_insert(request *req)
{
	return for_all_records(req, can_insert, insert,
						   "insert of something that cannot be a record");
}

static bool
can_delete(const record *rec)
{
	return rec->collection.len_bytes > 0 && rec->key.len_bytes > 0 && rec->ts_sec > 0;
}

static bool
delete(store *st, const record *rec)
{
	return store_delete_record(st, rec->collection, rec->key, rec->ts_sec);
}

static dispatch_outcome
handle_delete_records(request *req)
{
	return for_all_records(req, can_delete, delete,
						   "delete of records without key, collection or ts > 0");
}

static dispatch_outcome
handle_delete_record(request *req)
{
	record		rec;

	if (!read_record(&req->payload, &rec) || !reader_done(&req->payload))
		return refuse(req, "delete of something that cannot be a record");
	return answer_if(delete(req->store, &rec));
}

static dispatch_outcome
handle_delete_key(request *req)
{
	const store_text wanted[] = {
		word(handle_dialect->m_collection), word(handle_dialect->m_key)
	};
	reader_value values[lengthof(wanted)];
	store_text	collection;

	if (!read_payload(req, wanted, lengthof(wanted), values) ||
		!text_of(&values[0], &collection) || values[1].type != READER_STRING)
		return refuse(req, "delete of a key without a key");
	return answer_if(collection.len_bytes == 0 ?
					 store_delete_key_everywhere(req->store, values[1].text) :
					 store_delete_key(req->store, collection, values[1].text));
}

static dispatch_outcome
handle_delete_collection(request *req)
{
	const store_text wanted = word(handle_dialect->m_collection);
	reader_value value;
	store_text	collection;

	if (!read_payload(req, &wanted, 1, &value) || !text_of(&value, &collection) ||
		collection.len_bytes == 0)
		return refuse(req, "delete of a collection without a name");
	return answer_if(store_delete_collection(req->store, collection));
}

/* ---- lists ---- */

/* Starts a list under a member of its own; dispatch.c sees to its pieces. */
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
	const store_text wanted[] = {
		word(handle_dialect->m_collection), word(handle_dialect->m_key),
		word(handle_dialect->m_from), word(handle_dialect->m_to),
		word(handle_dialect->m_limit), word(handle_dialect->m_reverse)
	};
	reader_value values[lengthof(wanted)];
	listing_request list = {.type = LISTING_RECORDS};

	if (!read_payload(req, wanted, lengthof(wanted), values) ||
		!text_of(&values[0], &list.collection) || !text_of(&values[1], &list.key) ||
		!integer_of(&values[2], &list.from_sec) || !integer_of(&values[3], &list.to_sec) ||
		!integer_of(&values[4], &list.limit) || !boolean_of(&values[5], &list.reverse))
		return refuse(req, "fetch with a member of the wrong type");
	if (list.collection.len_bytes == 0 || list.key.len_bytes == 0 || list.to_sec <= 0 ||
		list.from_sec > list.to_sec)
		return refuse(req, "fetch without key, collection, to > 0 or from <= to");
	return answer_list(req, handle_dialect->m_records, &list);
}

static dispatch_outcome
handle_latest(request *req)
{
	const store_text wanted[] = {
		word(handle_dialect->m_collection), word(handle_dialect->m_key),
		word(handle_dialect->m_ts), word(handle_dialect->m_from)
	};
	reader_value values[lengthof(wanted)];
	listing_request list = {.type = LISTING_LATEST};

	if (!read_payload(req, wanted, lengthof(wanted), values) ||
		!text_of(&values[0], &list.collection) || !text_of(&values[1], &list.key) ||
		!integer_of(&values[2], &list.to_sec) || !integer_of(&values[3], &list.from_sec))
		return refuse(req, "query with a member of the wrong type");
	if (list.collection.len_bytes == 0 || list.to_sec <= 0)
		return refuse(req, "query without collection or ts > 0");
	if (list.from_sec == 0)
		list.from_sec = LTDB_TS_MIN;
	if (list.key.len_bytes > 0)
	{
		list.type = LISTING_LATEST_OF_KEY;
		list.reverse = true;
		list.limit = 1;
	}
	return answer_list(req, handle_dialect->m_records, &list);
}

static dispatch_outcome
handle_collections(request *req)
{
	const listing_request list = {
		.type = LISTING_COLLECTIONS,.collection = no_text,.key = no_text
	};

	if (!read_payload(req, NULL, 0, NULL))
		return refuse(req, "list of collections with a payload that is no object");
	return answer_list(req, handle_dialect->m_collections, &list);
}

/* ---- key-value pairs ---- */

/* Reads a payload that names a pair, with its value if there is one. */
static bool
read_pair(request *req, store_text *collection, store_text *key, store_text *value)
{
	const store_text wanted[] = {
		word(handle_dialect->m_collection), word(handle_dialect->m_value_key),
		word(handle_dialect->m_value)
	};
	reader_value values[lengthof(wanted)];

	return read_payload(req, wanted, lengthof(wanted), values) &&
		text_of(&values[0], collection) && text_of(&values[1], key) &&
		text_of(&values[2], value);
}

static dispatch_outcome
handle_set_value(request *req)
{
	store_text	collection;
	store_text	key;
	store_text	value;

	if (!read_pair(req, &collection, &key, &value) ||
		collection.len_bytes == 0 || key.len_bytes == 0 || value.len_bytes == 0)
		return refuse(req, "set-value without collection, key or value");
	return answer_if(store_set_value(req->store, collection, key, value));
}

static dispatch_outcome
handle_get_value(request *req)
{
	store_text	collection;
	store_text	key;
	store_text	value;
	store_item	pair = {.data = no_text};

	if (!read_pair(req, &collection, &key, &value))
		return refuse(req, "get-value with a member of the wrong type");
	if (!store_scan_value(req->store, collection, key))
		return DISPATCH_FAILED;
	store_scan_next(req->store, &pair);
	answer_member(req->ans, handle_dialect->m_value);
	answer_string(req->ans, pair.data.bytes, pair.data.len_bytes);
	store_scan_end(req->store);
	return answer_if(!store_failed(req->store));
}

static dispatch_outcome
handle_delete_value(request *req)
{
	store_text	collection;
	store_text	key;
	store_text	value;

	if (!read_pair(req, &collection, &key, &value))
		return refuse(req, "remove-value with a member of the wrong type");
	return answer_if(store_delete_value(req->store, collection, key));
}

static dispatch_outcome
list_pairs(request *req, listing_type type, const char *member)
{
	listing_request list = {.type = type};
	store_text	value;

	if (!read_pair(req, &list.collection, &list.key, &value))
		return refuse(req, "list of pairs with a member of the wrong type");
	return answer_list(req, member, &list);
}

static dispatch_outcome
handle_list_keys(request *req)
{
	return list_pairs(req, LISTING_KEYS, handle_dialect->m_keys);
}

static dispatch_outcome
handle_list_values(request *req)
{
	return list_pairs(req, LISTING_VALUES, handle_dialect->m_values);
}

const handler handle_request[LTDB_REQ_COUNT] = {
	[LTDB_REQ_INSERT] = handle_insert,
	[LTDB_REQ_FETCH] = handle_fetch,
	[LTDB_REQ_LATEST] = handle_latest,
	[LTDB_REQ_COLLECTIONS] = handle_collections,
	[LTDB_REQ_DELETE_RECORD] = handle_delete_record,
	[LTDB_REQ_DELETE_RECORDS] = handle_delete_records,
	[LTDB_REQ_DELETE_KEY] = handle_delete_key,
	[LTDB_REQ_DELETE_COLLECTION] = handle_delete_collection,
	[LTDB_REQ_SET_VALUE] = handle_set_value,
	[LTDB_REQ_GET_VALUE] = handle_get_value,
	[LTDB_REQ_DELETE_VALUE] = handle_delete_value,
	[LTDB_REQ_LIST_KEYS] = handle_list_keys,
	[LTDB_REQ_LIST_VALUES] = handle_list_values,
};
