/*-------------------------------------------------------------------------
 *
 * convert.c
 *		Between LTDB's values and PostgreSQL's, both ways: texts, timestamps,
 *		and whole records.
 *
 * LTDB speaks UTF-8; the client has verified what came from it.  Errors name
 * the collection, the key and the ts.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* What a conversion error is said to be about. */
typedef struct RecordContext
{
	const LtfdwTable *table;
	const LtfdwRecord *record;
	const LtfdwField *field;	/* NULL = all of data */
	ltdb_text	value;			/* of the field */
} RecordContext;

/* How much of a value an error shows. */
#define MAX_SHOWN_BYTES 100

/* ---- texts ---- */

static text *
make_text(const char *bytes, int len_bytes)
{
	text	   *result = palloc(len_bytes + VARHDRSZ);

	SET_VARSIZE(result, len_bytes + VARHDRSZ);
	memcpy(VARDATA(result), bytes, len_bytes);
	return result;
}

/* What a text of LTDB's is, for errors. */
typedef struct TextContext
{
	const char *what;
	const char *collection;		/* empty = none, or the record is in the context */
} TextContext;

static void
text_error_callback(void *arg)
{
	const TextContext *context = arg;

	if (*context->collection)
		errcontext("%s in LTDB collection \"%s\"", context->what, context->collection);
	else
		errcontext("%s from LTDB", context->what);
}

/* PostgreSQL's own error does not know where the text is from. */
static char *
convert_text(char *bytes, int len_bytes, const char *what, const char *collection)
{
	TextContext context = {what, collection};
	ErrorContextCallback callback;
	char	   *result;

	callback.callback = text_error_callback;
	callback.arg = &context;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	result = pg_any_to_server(bytes, len_bytes, PG_UTF8);
	error_context_stack = callback.previous;
	return result;
}

/* A text of LTDB's in the database's encoding; what says what it is. */
text *
ltfdw_text_from_ltdb(ltdb_text value, const char *what, const char *collection)
{
	char	   *bytes = (char *) value.bytes;
	char	   *converted;
	text	   *result;

	if (value.len_bytes > MaxAllocSize - VARHDRSZ - 1)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s in LTDB collection \"%s\" is too long: %zu bytes", what, collection,
						value.len_bytes)));
	if (value.len_bytes > 0 && memchr(bytes, '\0', value.len_bytes) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("%s in LTDB collection \"%s\" contains the character U+0000", what, collection),
				 errdetail("PostgreSQL cannot store it in a text.")));

	/* the client has verified UTF-8 already */
	if (GetDatabaseEncoding() == PG_UTF8)
		return make_text(bytes, value.len_bytes);
	converted = value.len_bytes > 0 ? convert_text(bytes, value.len_bytes, what, collection) : bytes;
	if (converted == bytes)
		return make_text(bytes, value.len_bytes);
	result = cstring_to_text(converted);
	pfree(converted);
	return result;
}

/* Whether a text of LTDB's can be a text in this database. */
bool
ltfdw_text_fits_here(ltdb_text value)
{
	int			encoding = GetDatabaseEncoding();
	unsigned char *converted;
	int			size;
	bool		fits;

	if (value.len_bytes > MaxAllocSize / MAX_CONVERSION_GROWTH - 1 ||
		memchr(value.bytes, '\0', value.len_bytes) != NULL)
		return false;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || value.len_bytes == 0)
		return true;
	size = value.len_bytes * MAX_CONVERSION_GROWTH + 1;
	converted = palloc(size);
	fits = pg_do_encoding_conversion_buf(FindDefaultConversionProc(PG_UTF8, encoding), PG_UTF8,
										 encoding, (unsigned char *) value.bytes, value.len_bytes,
										 converted, size, true) == value.len_bytes;
	pfree(converted);
	return fits;
}

/* A text for LTDB; points into the argument unless the encoding differs. */
ltdb_text
ltfdw_text_to_ltdb(const char *bytes, int len_bytes)
{
	ltdb_text	result = {bytes, len_bytes};

	if (len_bytes > 0 && GetDatabaseEncoding() != PG_UTF8)
	{
		result.bytes = pg_server_to_any(bytes, len_bytes, PG_UTF8);
		if (result.bytes != bytes)
			result.len_bytes = strlen(result.bytes);
	}
	return result;
}

ltdb_text
ltfdw_datum_to_ltdb(text *value)
{
	return ltfdw_text_to_ltdb(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* Whether a text can be a text in LTDB: only SQL_ASCII lets others exist. */
bool
ltfdw_text_fits_ltdb(const char *bytes, int len_bytes)
{
	return GetDatabaseEncoding() != PG_SQL_ASCII ||
		pg_encoding_verifymbstr(PG_UTF8, bytes, len_bytes) == len_bytes;
}

/* ---- timestamps ---- */

/* Microseconds since 2000 to whole seconds since 1970, towards the past. */
int64
ltfdw_usecs_floor_sec(int64 usecs)
{
	int64		sec = usecs / LTFDW_USECS_PER_SEC;

	if (usecs % LTFDW_USECS_PER_SEC < 0)
		sec--;
	return sec + LTFDW_PG_EPOCH_SEC;
}

/* A timestamp column shows UTC, so that no two records show the same. */
Datum
ltfdw_ts_to_datum(int64 ts_sec, Oid type)
{
	if (type == INT8OID)
		return Int64GetDatum(ts_sec);

	/* the client hands out any 64 bits; PostgreSQL's calendar ends sooner */
	if (ts_sec < LTDB_TS_MIN || ts_sec > LTDB_TS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("ts of an LTDB record is out of range: " INT64_FORMAT, ts_sec)));
	return TimestampTzGetDatum((ts_sec - LTFDW_PG_EPOCH_SEC) * LTFDW_USECS_PER_SEC);
}

/* A fraction of a second is cut off towards the past. */
static int64
ts_from_datum(Datum value, Oid type)
{
	int64		ts_sec;

	if (type == INT8OID)
		ts_sec = DatumGetInt64(value);
	else if (TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(value)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("LTDB cannot store an infinite ts")));
	else
		ts_sec = ltfdw_usecs_floor_sec(DatumGetTimestampTz(value));

	if (ts_sec < LTDB_TS_MIN || ts_sec > LTDB_TS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("LTDB cannot store ts " INT64_FORMAT, ts_sec),
				 errdetail("It keeps whole seconds from %d to %d, which is 1901-12-13 20:45:52 to 2038-01-19 03:14:07 UTC.",
						   LTDB_TS_MIN, LTDB_TS_MAX)));
	return ts_sec;
}

/* ---- records to slots ---- */

/* The beginning of a value, for an error that may be about its encoding. */
static const char *
shown_value(ltdb_text value)
{
	char	   *shown;

	value.len_bytes = pg_encoding_mbcliplen(PG_UTF8, value.bytes, value.len_bytes, MAX_SHOWN_BYTES);
	shown = pnstrdup(value.bytes, value.len_bytes);
	if (ltfdw_text_fits_here(value))
		return pg_any_to_server(shown, value.len_bytes, PG_UTF8);
	for (char *p = shown; *p; p++)
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	return shown;
}

static void
record_error_callback(void *arg)
{
	const RecordContext *context = arg;
	const LtfdwRecord *record = context->record;
	const char *collection = context->table->collection;
	char	   *key = text_to_cstring(record->key);
	int			key_len = strlen(key);
	int			shown_len = pg_mbcliplen(key, key_len, MAX_SHOWN_BYTES);

	/* a key has any length */
	if (shown_len < key_len)
		key = psprintf("%.*s...", shown_len, key);

	/* the innermost context comes first */
	if (context->field)
		errcontext("field \"%s\" with value %s", context->field->path, shown_value(context->value));
	if (context->table->kind == LTFDW_PAIRS)
		errcontext("value of the key-value pair with key \"%s\" in LTDB collection \"%s\"",
				   key, collection);
	else
		errcontext("data of the LTDB record in collection \"%s\" with key \"%s\" and ts " INT64_FORMAT,
				   collection, key, record->ts_sec);
}

/* json or jsonb from a text; false if it is none and that means NULL. */
static bool
json_from_text(text *data, Oid type, bool invalid_is_null, Datum *result)
{
	PGFunction	input = type == JSONBOID ? jsonb_in : json_in;
	char	   *string = text_to_cstring(data);
	bool		valid = true;

	if (invalid_is_null)
		valid = ltfdw_input_or_false(input, string, result);
	else
		*result = DirectFunctionCall1(input, CStringGetDatum(string));

	/* json points to a copy of its own */
	pfree(string);
	return valid;
}

/* The data of a record as its column shows it. */
Datum
ltfdw_data_to_datum(const LtfdwTable *table, const LtfdwRecord *record, bool *isnull)
{
	Oid			type = table->columns[table->data_att - 1].type;
	text	   *data = ltfdw_text_from_ltdb(record->data, "data", table->collection);
	Datum		result = PointerGetDatum(data);

	*isnull = false;
	if (type != TEXTOID)
	{
		*isnull = !json_from_text(data, type, table->invalid_json_is_null, &result);
		pfree(data);
	}
	return result;
}

/* Find the fields of a record and convert them, each under its own name. */
static void
fill_fields(LtfdwProjection *projection, const LtfdwRecord *record, RecordContext *context,
			TupleTableSlot *slot)
{
	if (!ltfdw_fields_find(record->data, projection->fields, projection->nfields,
						   projection->found, &projection->shape))
	{
		if (projection->table->invalid_json_is_null)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type json"),
				 errhint("The table option invalid_json 'null' shows such data as NULL.")));
	}
	for (int i = 0; i < projection->nfields; i++)
	{
		int			att = projection->field_atts[i] - 1;

		context->field = projection->fields[i];
		context->value = projection->found[i];
		slot->tts_isnull[att] = !ltfdw_field_to_datum(projection->fields[i], projection->found[i],
													  &slot->tts_values[att]);
	}
	context->field = NULL;
}

/* Prepare to show some columns, given as Integers; all others will be NULL. */
LtfdwProjection *
ltfdw_projection_new(const LtfdwTable *table, List *attnums)
{
	LtfdwProjection *result = palloc0(sizeof(LtfdwProjection));
	ListCell   *cell;

	result->table = table;
	result->wanted = palloc0(Max(table->ncolumns, 1) * sizeof(bool));
	result->fields = palloc(Max(table->nfields, 1) * sizeof(LtfdwField *));
	result->field_atts = palloc(Max(table->nfields, 1) * sizeof(AttrNumber));
	result->found = palloc(Max(table->nfields, 1) * sizeof(ltdb_text));
	foreach(cell, attnums)
	{
		AttrNumber	attnum = intVal(lfirst(cell));
		LtfdwColumn *column = &table->columns[attnum - 1];

		result->wanted[attnum - 1] = column->role != LTFDW_NOTHING;
		if (column->role == LTFDW_FIELD)
		{
			result->fields[result->nfields] = column->field;
			result->field_atts[result->nfields++] = attnum;
		}
	}
	return result;
}

/* Whether a column to show is the data, or made of it. */
bool
ltfdw_projection_reads_data(const LtfdwProjection *projection)
{
	AttrNumber	data_att = projection->table->data_att;

	return projection->nfields > 0 || (data_att && projection->wanted[data_att - 1]);
}

/*
 * Fill an empty slot; columns that nobody reads become NULL unconverted.  The
 * key is lent by the record, all else is in the current context.
 */
void
ltfdw_record_to_slot(LtfdwProjection *projection, const LtfdwRecord *record,
					 TupleTableSlot *slot)
{
	const LtfdwTable *table = projection->table;
	RecordContext context = {table, record};
	ErrorContextCallback callback;

	callback.callback = record_error_callback;
	callback.arg = &context;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	memset(slot->tts_values, 0, table->ncolumns * sizeof(Datum));
	memset(slot->tts_isnull, true, table->ncolumns * sizeof(bool));
	if (table->key_att && projection->wanted[table->key_att - 1])
	{
		slot->tts_values[table->key_att - 1] = PointerGetDatum(record->key);
		slot->tts_isnull[table->key_att - 1] = false;
	}
	if (table->ts_att && projection->wanted[table->ts_att - 1])
	{
		slot->tts_values[table->ts_att - 1] =
			ltfdw_ts_to_datum(record->ts_sec, table->columns[table->ts_att - 1].type);
		slot->tts_isnull[table->ts_att - 1] = false;
	}
	if (table->data_att && projection->wanted[table->data_att - 1])
		slot->tts_values[table->data_att - 1] =
			ltfdw_data_to_datum(table, record, &slot->tts_isnull[table->data_att - 1]);
	if (projection->nfields > 0)
		fill_fields(projection, record, &context, slot);

	error_context_stack = callback.previous;
	ExecStoreVirtualTuple(slot);
}

/*
 * A row that was written has no system columns but tableoid; let RETURNING show
 * that, instead of what lies in the tuple at their place.
 */
void
ltfdw_clear_system_columns(TupleTableSlot *slot)
{
	HeapTuple	tuple;

	Assert(TTS_IS_HEAPTUPLE(slot));
	tuple = ExecFetchSlotHeapTuple(slot, true, NULL);
	HeapTupleHeaderSetXmin(tuple->t_data, InvalidTransactionId);
	HeapTupleHeaderSetXmax(tuple->t_data, InvalidTransactionId);
	HeapTupleHeaderSetCmin(tuple->t_data, FirstCommandId);
}

/* ---- slots to records ---- */

static Datum
required_value(const LtfdwTable *table, TupleTableSlot *slot, AttrNumber attnum)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attnum, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("null value in column \"%s\" cannot be stored in LTDB collection \"%s\"",
						NameStr(TupleDescAttr(slot->tts_tupleDescriptor, attnum - 1)->attname),
						table->collection),
				 table->kind == LTFDW_PAIRS
				 ? errhint("LTDB keeps no pair without a key and a value; DELETE removes a pair.")
				 : table->columns[attnum - 1].role == LTFDW_DATA
				 ? errhint("LTDB knows no NULL. Store '' in a text column, or use json with the option invalid_json 'null', which stores NULL as empty data.")
				 : errhint("Every LTDB record has a key and a ts.")));
	return value;
}

/*
 * Whether a row's data is what its field columns say.  A table may show data
 * as well; then a row gives one or the other.
 */
static bool
writes_fields(const LtfdwTable *table, TupleTableSlot *slot)
{
	bool		has_field = false;

	slot_getallattrs(slot);
	if (table->data_att == InvalidAttrNumber || slot->tts_isnull[table->data_att - 1])
		return true;
	for (int i = 0; i < table->ncolumns; i++)
		has_field |= table->columns[i].field != NULL && !slot->tts_isnull[i];
	if (has_field)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("cannot store both data and fields of it in LTDB collection \"%s\"",
						table->collection),
				 errhint("Leave the data column NULL, or the columns that show its fields.")));
	return false;
}

/* What the data column of a row says; empty if there is no such column. */
ltdb_text
ltfdw_data_column_to_ltdb(const LtfdwTable *table, TupleTableSlot *slot)
{
	ltdb_text	empty = {"", 0};
	Oid			type;
	Datum		value;

	if (table->data_att == InvalidAttrNumber)
		return empty;
	type = table->columns[table->data_att - 1].type;

	/* what this option reads back as NULL */
	if (type != TEXTOID && table->invalid_json_is_null && slot_attisnull(slot, table->data_att))
		return empty;
	value = required_value(table, slot, table->data_att);
	if (type == JSONBOID)
	{
		Jsonb	   *jsonb = DatumGetJsonbP(value);
		char	   *string = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));

		return ltfdw_text_to_ltdb(string, strlen(string));
	}
	return ltfdw_datum_to_ltdb(DatumGetTextPP(value));
}

/*
 * The identity of the record that a slot's row is; modify.c saw the columns.
 * Of a pair only the key counts.
 */
ltdb_record
ltfdw_record_from_datums(const LtfdwTable *table, Datum key, Datum ts)
{
	ltdb_record record = {{0}};

	record.key = ltfdw_datum_to_ltdb(DatumGetTextPP(key));
	record.ts_sec = table->kind == LTFDW_PAIRS ? LTFDW_PAIR_TS
		: ts_from_datum(ts, table->columns[table->ts_att - 1].type);
	return record;
}

/* Key and ts of a row to store. */
ltdb_record
ltfdw_identity_from_slot(const LtfdwTable *table, TupleTableSlot *slot)
{
	Datum		key = required_value(table, slot, table->key_att);
	Datum		ts = table->kind == LTFDW_PAIRS ? (Datum) 0
		: required_value(table, slot, table->ts_att);
	ltdb_record record = ltfdw_record_from_datums(table, key, ts);

	if (record.key.len_bytes == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an empty key cannot be stored in LTDB collection \"%s\"", table->collection),
				 table->kind == LTFDW_PAIRS
				 ? errdetail("LTDB keeps no pair without a key.")
				 : errdetail("LTDB could never fetch the record again.")));
	return record;
}

/* Refuse now what LTDB would refuse when it is sent. */
void
ltfdw_check_data(const LtfdwTable *table, ltdb_text data)
{
	if (table->kind == LTFDW_PAIRS && data.len_bytes == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an empty value cannot be stored in LTDB collection \"%s\"", table->collection),
				 errdetail("To LTDB a pair with an empty value is an absent one.")));
}

/* The record to store for a new row; points into it or the current context. */
ltdb_record
ltfdw_record_from_slot(const LtfdwTable *table, TupleTableSlot *slot)
{
	ltdb_record record = ltfdw_identity_from_slot(table, slot);

	if (table->nfields > 0 && writes_fields(table, slot))
		record.data = ltfdw_datum_to_ltdb(ltfdw_fields_to_json(table, slot));
	else
		record.data = ltfdw_data_column_to_ltdb(table, slot);
	ltfdw_check_data(table, record.data);
	return record;
}
