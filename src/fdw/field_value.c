/*-------------------------------------------------------------------------
 *
 * field_value.c
 *		Between a JSON value in a record's data and a column's value.
 *
 * Reading, a JSON value becomes what its text is to the input function of the
 * column's type, after the obvious: null and absence are NULL, a string is
 * what is between its quotes, an array is an array, a number is a time in
 * seconds since the Unix epoch where a time is wanted.  Writing, a value
 * becomes what to_json makes of it.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* As many decimal digits as every integer below 2^53 has. */
#define MAX_EXACT_DIGITS 15

/* Prepare to convert to a column's type, and back. */
void
ltfdw_field_prepare(LtfdwField *field, Oid type, int32 typmod)
{
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);
	Oid			input;
	Node	   *argument = (Node *) makeNullConst(type, typmod, InvalidOid);

	field->type = OidIsValid(element) ? getBaseType(element) : base;
	field->is_array = OidIsValid(element);
	field->typmod = typmod;
	getTypeInputInfo(field->type, &input, &field->ioparam);
	fmgr_info(input, &field->input);
	get_typlenbyvalalign(field->type, &field->len, &field->byval, &field->align);

	/* to_json looks at the type of its argument in the expression it is from */
	fmgr_info(F_TO_JSON, &field->to_json);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSON, JSONOID, list_make1(argument), InvalidOid,
											 InvalidOid, COERCE_EXPLICIT_CALL), &field->to_json);
}

/* The types that a column with the option field can have. */
bool
ltfdw_field_allows_type(Oid type)
{
	static const Oid types[] = {
		INT2OID, INT4OID, INT8OID, FLOAT4OID, FLOAT8OID, NUMERICOID, BOOLOID,
		TEXTOID, VARCHAROID, BPCHAROID, TIMESTAMPTZOID, TIMESTAMPOID, DATEOID, TIMEOID,
		INTERVALOID, UUIDOID, INETOID, JSONOID, JSONBOID
	};
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);

	if (OidIsValid(element))
		base = getBaseType(element);
	for (int i = 0; i < lengthof(types); i++)
		if (types[i] == base)
			return true;
	return false;
}

/* ---- reading ---- */

pg_noreturn static void
report_mismatch(const LtfdwField *field, const char *json_type)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("cannot convert a JSON %s to type %s", json_type, format_type_be(field->type))));
}

static bool
is_text_type(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
}

static Datum
input_text(LtfdwField *field, ltdb_text value, const char *what)
{
	char	   *string = text_to_cstring(ltfdw_text_from_ltdb(value, what, ""));

	return InputFunctionCall(&field->input, string, field->ioparam, field->typmod);
}

/*
 * The digits that a JSON number begins with, as a number; how many there are,
 * of no more than fit exactly.
 */
static int
take_digits(const char **p, const char *end, int64 *sum)
{
	const char *digits = *p;

	while (*p < end && **p >= '0' && **p <= '9' && *p - digits < MAX_EXACT_DIGITS)
		*sum = *sum * 10 + (*(*p)++ - '0');
	return *p - digits;
}

/*
 * Most numbers are short, and for them there is no need of the type's input
 * function, which takes most of the time of reading a field.  False if this
 * one is to go there: it is written in another way, or does not fit.
 */
static bool
plain_integer(Oid type, ltdb_text value, Datum *result)
{
	const char *p = value.bytes;
	const char *end = p + value.len_bytes;
	bool		negative = *p == '-';
	int64		number = 0;

	p += negative;
	(void) take_digits(&p, end, &number);
	if (p != end)
		return false;
	if (negative)
		number = -number;
	if (type == INT8OID)
		*result = Int64GetDatum(number);
	else if (type == INT4OID && number >= PG_INT32_MIN && number <= PG_INT32_MAX)
		*result = Int32GetDatum((int32) number);
	else if (type == INT2OID && number >= PG_INT16_MIN && number <= PG_INT16_MAX)
		*result = Int16GetDatum((int16) number);
	else
		return false;
	return true;
}

/*
 * The same for double precision.  Digits that make an integer below 2^53,
 * divided by a power of ten that is exact as well, give what strtod() gives:
 * a division rounds correctly.
 */
static bool
plain_double(ltdb_text value, Datum *result)
{
	static const double powers[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15
	};
	const char *p = value.bytes;
	const char *end = p + value.len_bytes;
	bool		negative = *p == '-';
	int64		digits = 0;
	int			before;
	int			behind = 0;
	double		number;

	p += negative;
	before = take_digits(&p, end, &digits);
	if (p < end && *p == '.')
	{
		p++;
		behind = take_digits(&p, end, &digits);
	}
	if (p != end || before + behind > MAX_EXACT_DIGITS)
		return false;
	number = digits / powers[behind];
	*result = Float8GetDatum(negative ? -number : number);
	return true;
}

/* A whole number may be written 1.0 or 1e3; a fraction is not cut off. */
static Datum
input_integer(LtfdwField *field, ltdb_text value)
{
	Datum		number;
	Datum		whole;
	ltdb_text	digits;

	if (memchr(value.bytes, '.', value.len_bytes) == NULL &&
		memchr(value.bytes, 'e', value.len_bytes) == NULL &&
		memchr(value.bytes, 'E', value.len_bytes) == NULL)
		return input_text(field, value, "number");
	number = DirectFunctionCall3(numeric_in,
								 CStringGetDatum(pnstrdup(value.bytes, value.len_bytes)),
								 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	whole = DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0));
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, whole)))
		return input_text(field, value, "number");
	digits.bytes = DatumGetCString(DirectFunctionCall1(numeric_out, whole));
	digits.len_bytes = strlen(digits.bytes);
	return input_text(field, digits, "number");
}

static Datum
number_to_datum(LtfdwField *field, ltdb_text value)
{
	Datum		seconds;
	Datum		instant;
	Datum		plain;

	switch (field->type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return plain_integer(field->type, value, &plain) ? plain : input_integer(field, value);
		case FLOAT8OID:
			return plain_double(value, &plain) ? plain : input_text(field, value, "number");
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:
			seconds = DirectFunctionCall1(float8in,
										  CStringGetDatum(pnstrdup(value.bytes, value.len_bytes)));
			instant = DirectFunctionCall1(float8_timestamptz, seconds);

			/* as for ts: a timestamp column shows UTC */
			return instant;
		case BOOLOID:
			report_mismatch(field, "number");
		default:
			return input_text(field, value, "number");
	}
}

static Datum
string_to_datum(LtfdwField *field, ltdb_text value)
{
	ltdb_text	content = {value.bytes + 1, value.len_bytes - 2};

	if (memchr(content.bytes, '\\', content.len_bytes) != NULL)
		content = ltfdw_json_unescape(content);
	if (field->type == TEXTOID)
		return PointerGetDatum(ltfdw_text_from_ltdb(content, "string", ""));
	return input_text(field, content, "string");
}

static Datum
scalar_to_datum(LtfdwField *field, ltdb_text value)
{
	bool		is_json = field->type == JSONOID || field->type == JSONBOID;

	if (is_json)
		return input_text(field, value, "value");
	switch (value.bytes[0])
	{
		case '"':
			return string_to_datum(field, value);
		case 't':
		case 'f':
			if (field->type != BOOLOID && !is_text_type(field->type))
				report_mismatch(field, "boolean");
			return input_text(field, value, "boolean");
		case '{':
			if (!is_text_type(field->type))
				report_mismatch(field, "object");
			return input_text(field, value, "object");
		case '[':
			if (!is_text_type(field->type))
				report_mismatch(field, "array");
			return input_text(field, value, "array");
		default:
			return number_to_datum(field, value);
	}
}

typedef struct ArrayBuilder
{
	LtfdwField *field;
	ArrayBuildState *state;
} ArrayBuilder;

static bool
is_null(ltdb_text value)
{
	return value.len_bytes == 4 && value.bytes[0] == 'n';
}

static void
add_element(ltdb_text value, void *arg)
{
	ArrayBuilder *builder = arg;
	bool		isnull = is_null(value);

	builder->state = accumArrayResult(builder->state,
									  isnull ? (Datum) 0 : scalar_to_datum(builder->field, value),
									  isnull, builder->field->type, CurrentMemoryContext);
}

static Datum
array_to_datum(LtfdwField *field, ltdb_text value)
{
	ArrayBuilder builder = {field, initArrayResult(field->type, CurrentMemoryContext, false)};

	if (!ltfdw_json_elements(value, add_element, &builder))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("cannot convert a JSON value that is no array to type %s[]",
						format_type_be(field->type))));
	return makeArrayResult(builder.state, CurrentMemoryContext);
}

/* The column's value of what was found; false if that is NULL. */
bool
ltfdw_field_to_datum(LtfdwField *field, ltdb_text value, Datum *result)
{
	if (value.bytes == NULL || is_null(value))
		return false;
	*result = field->is_array ? array_to_datum(field, value) : scalar_to_datum(field, value);
	return true;
}

/* ---- writing ---- */

/* A member to write, or an object of members; in the order of the columns. */
typedef struct Member
{
	ltdb_text	name;
	bool		is_value;		/* else an object of members */
	text	   *json;			/* of a value; NULL = leave the member out */
	List	   *members;
	bool		written;		/* into a patched object */
} Member;

static Member *
find_or_add_member(List **members, const LtfdwField *field, int depth)
{
	const LtfdwStep *step = &field->steps[depth];
	Member	   *member;
	ListCell   *cell;

	if (step->index >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot write the field \"%s\": it is an element of an array", field->path),
				 errhint("Write the array as a whole.")));
	foreach(cell, *members)
	{
		member = lfirst(cell);
		if (member->name.len_bytes == step->name.len_bytes &&
			memcmp(member->name.bytes, step->name.bytes, step->name.len_bytes) == 0)
		{
			if (member->is_value || depth + 1 == field->nsteps)
				ereport(ERROR,
						(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
						 errmsg("cannot write the field \"%s\": another column writes it too or a part of it",
								field->path)));
			return member;
		}
	}
	member = palloc0(sizeof(Member));
	member->name = step->name;
	*members = lappend(*members, member);
	return member;
}

/* Add what a field is to be, NULL to leave it out. */
static void
add_field(List **members, LtfdwField *field, Datum value, bool isnull)
{
	Member	   *member = NULL;

	for (int depth = 0; depth < field->nsteps; depth++)
	{
		member = find_or_add_member(members, field, depth);
		members = &member->members;
	}
	member->is_value = true;
	if (!isnull)
		member->json = DatumGetTextPP(FunctionCall1(&field->to_json, value));
}

static void
append_name(StringInfo buf, ltdb_text name)
{
	if (buf->data[buf->len - 1] != '{')
		appendStringInfoString(buf, ", ");
	escape_json(buf, text_to_cstring(ltfdw_text_from_ltdb(name, "name", "")));
	appendStringInfoString(buf, ": ");
}

static void append_patched(StringInfo buf, ltdb_text object, List *members);

/* A member with its name, in place of an old value if there was one. */
static void
append_member(StringInfo buf, Member *member, ltdb_text old_value)
{
	member->written = true;
	if (member->is_value && member->json == NULL)
		return;
	append_name(buf, member->name);
	if (member->is_value)
		appendBinaryStringInfo(buf, VARDATA_ANY(member->json), VARSIZE_ANY_EXHDR(member->json));
	else
		append_patched(buf, old_value, member->members);
}

typedef struct Patch
{
	StringInfo	buf;
	List	   *members;
} Patch;

/* A member of the old object: as it was, unless it is one that changes. */
static void
copy_member(ltdb_text name, ltdb_text value, void *arg)
{
	Patch	   *patch = arg;
	text	   *copy;
	ListCell   *cell;

	foreach(cell, patch->members)
	{
		Member	   *member = lfirst(cell);

		if (member->name.len_bytes != name.len_bytes ||
			memcmp(member->name.bytes, name.bytes, name.len_bytes) != 0)
			continue;
		if (!member->written)
			append_member(patch->buf, member, value);
		return;
	}
	append_name(patch->buf, name);
	copy = ltfdw_text_from_ltdb(value, "value", "");
	appendBinaryStringInfo(patch->buf, VARDATA_ANY(copy), VARSIZE_ANY_EXHDR(copy));
}

/*
 * An object with some members changed, all others as they were.  What was no
 * object becomes one.
 */
static void
append_patched(StringInfo buf, ltdb_text object, List *members)
{
	Patch		patch = {buf, members};
	int			start = buf->len;
	ltdb_text	absent = {"", 0};
	ListCell   *cell;

	appendStringInfoChar(buf, '{');
	if (!ltfdw_json_members(object, copy_member, &patch))
	{
		buf->len = start;
		appendStringInfoChar(buf, '{');
	}
	foreach(cell, members)
		if (!((Member *) lfirst(cell))->written)
			append_member(buf, lfirst(cell), absent);
	appendStringInfoChar(buf, '}');
}

/*
 * The JSON object that the field columns of a row make, in the database's
 * encoding.  A NULL is left out, which reads back as NULL.
 */
text *
ltfdw_fields_to_json(const LtfdwTable *table, TupleTableSlot *slot)
{
	ltdb_text	absent = {"", 0};
	List	   *members = NIL;
	StringInfoData buf;

	for (int i = 0; i < table->ncolumns; i++)
	{
		LtfdwField *field = table->columns[i].field;
		Datum		value;
		bool		isnull;

		if (field == NULL)
			continue;
		value = slot_getattr(slot, i + 1, &isnull);
		if (!isnull)
			add_field(&members, field, value, false);
	}
	initStringInfo(&buf);
	append_patched(&buf, absent, members);
	return cstring_to_text_with_len(buf.data, buf.len);
}

static bool
column_changed(TupleTableSlot *old_row, TupleTableSlot *new_row, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(new_row->tts_tupleDescriptor, attnum - 1);
	bool		old_null;
	bool		new_null;
	Datum		old_value = slot_getattr(old_row, attnum, &old_null);
	Datum		new_value = slot_getattr(new_row, attnum, &new_null);

	if (old_null || new_null)
		return old_null != new_null;
	return !datum_image_eq(old_value, new_value, att->attbyval, att->attlen);
}

/* Whether an UPDATE changes any field column. */
bool
ltfdw_fields_changed(const LtfdwTable *table, TupleTableSlot *old_row, TupleTableSlot *new_row)
{
	for (int i = 0; i < table->ncolumns; i++)
		if (table->columns[i].field && column_changed(old_row, new_row, i + 1))
			return true;
	return false;
}

/* The data of a record with the changed field columns of a row written into it. */
text *
ltfdw_fields_patch(const LtfdwTable *table, ltdb_text data, TupleTableSlot *old_row,
				   TupleTableSlot *new_row)
{
	List	   *members = NIL;
	StringInfoData buf;

	for (int i = 0; i < table->ncolumns; i++)
		if (table->columns[i].field && column_changed(old_row, new_row, i + 1))
		{
			bool		isnull;
			Datum		value = slot_getattr(new_row, i + 1, &isnull);

			add_field(&members, table->columns[i].field, value, isnull);
		}
	initStringInfo(&buf);
	append_patched(&buf, data, members);
	return cstring_to_text_with_len(buf.data, buf.len);
}
