/*-------------------------------------------------------------------------
 *
 * column.c
 *		Which member of an LTDB record, or of a key-value pair, each column of
 *		a foreign table shows, and whether the column's type can show it.
 *
 * The conversion itself is convert.c's.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* What a role is called, where, and which types can show it. */
static const struct
{
	LtfdwKind	kind;
	LtfdwRole	role;
	const char *name;
	Oid			types[4];		/* zero-terminated */
	const char *type_names;
}			role_table[] = {
	{LTFDW_RECORDS, LTFDW_KEY, "key", {TEXTOID, VARCHAROID}, "text or varchar"},
	{LTFDW_RECORDS, LTFDW_TS, "ts", {INT8OID, TIMESTAMPTZOID, TIMESTAMPOID}, "timestamptz, timestamp or bigint"},
	{LTFDW_RECORDS, LTFDW_DATA, "data", {TEXTOID, JSONOID, JSONBOID}, "text, json or jsonb"},
	{LTFDW_PAIRS, LTFDW_KEY, "key", {TEXTOID, VARCHAROID}, "text or varchar"},
	{LTFDW_PAIRS, LTFDW_DATA, "value", {TEXTOID, JSONOID, JSONBOID}, "text, json or jsonb"},
};

PG_FUNCTION_INFO_V1(ltfdw_check_columns);

static int
find_role(LtfdwKind kind, const char *name)
{
	for (int i = 0; i < lengthof(role_table); i++)
		if (role_table[i].kind == kind && strcmp(role_table[i].name, name) == 0)
			return i;
	return -1;
}

static bool
role_allows_type(int i, Oid type)
{
	for (int j = 0; j < lengthof(role_table[i].types) && role_table[i].types[j]; j++)
		if (role_table[i].types[j] == type)
			return true;
	return false;
}

/* A column with the option field, which may have any name. */
static LtfdwColumn
field_column(Relation rel, Form_pg_attribute att, const char *column_name, const char *path)
{
	LtfdwColumn column = {LTFDW_FIELD, getBaseType(att->atttypid), ltfdw_field_parse(path)};

	if (column_name)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("column \"%s\" of foreign table \"%s\" has both of the options column_name and field",
						NameStr(att->attname), RelationGetRelationName(rel))));
	if (!ltfdw_field_allows_type(att->atttypid))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("column \"%s\" of foreign table \"%s\" cannot have type %s",
						NameStr(att->attname), RelationGetRelationName(rel),
						format_type_be(att->atttypid)),
				 errhint("A column that shows a field has a number, text, boolean, date or time, uuid, inet or json type, or is an array of these.")));
	ltfdw_field_prepare(column.field, att->atttypid, att->atttypmod);
	return column;
}

/*
 * A domain is stored like its base type, and checked like it: a domain over
 * text is a key.  Its constraints are enforced where PostgreSQL enforces the
 * constraints of any foreign table, when rows are written.
 */
static LtfdwColumn
column_of(const LtfdwTable *table, Relation rel, Form_pg_attribute att)
{
	const char *option = ltfdw_column_option(table->relid, att->attnum, "column_name");
	const char *field = ltfdw_column_option(table->relid, att->attnum, "field");
	int			i = find_role(table->kind, option ? option : NameStr(att->attname));
	LtfdwColumn column = {0};

	if (field)
		return field_column(rel, att, option, field);

	if (i < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 table->kind == LTFDW_PAIRS
				 ? errmsg("column \"%s\" of foreign table \"%s\" shows nothing of a key-value pair",
						  NameStr(att->attname), RelationGetRelationName(rel))
				 : errmsg("column \"%s\" of foreign table \"%s\" shows nothing of an LTDB record",
						  NameStr(att->attname), RelationGetRelationName(rel)),
				 table->kind == LTFDW_PAIRS
				 ? errhint("A pair has key and value. Give the column one of these names, the option column_name, or the option field for a member of a value that is JSON.")
				 : errhint("A record has key, ts and data. Give the column one of these names, the option column_name, or the option field for a member of data.")));

	column.role = role_table[i].role;
	column.type = getBaseType(att->atttypid);
	if (!role_allows_type(i, column.type))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("column \"%s\" of foreign table \"%s\" cannot have type %s",
						NameStr(att->attname), RelationGetRelationName(rel),
						format_type_be(att->atttypid)),
				 errhint("A column that shows %s has type %s.",
						 role_table[i].name, role_table[i].type_names)));
	return column;
}

/* Two columns of one role would leave open which of them an INSERT means. */
static void
claim_role(AttrNumber *slot, Relation rel, Form_pg_attribute att)
{
	if (*slot != InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("columns \"%s\" and \"%s\" of foreign table \"%s\" show the same member of an LTDB record",
						NameStr(TupleDescAttr(RelationGetDescr(rel), *slot - 1)->attname),
						NameStr(att->attname), RelationGetRelationName(rel))));
	*slot = att->attnum;
}

void
ltfdw_columns_load(LtfdwTable *table, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	table->ncolumns = desc->natts;
	table->columns = palloc0(Max(desc->natts, 1) * sizeof(LtfdwColumn));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		table->columns[i] = column_of(table, rel, att);
		switch (table->columns[i].role)
		{
			case LTFDW_KEY:
				claim_role(&table->key_att, rel, att);
				break;
			case LTFDW_TS:
				claim_role(&table->ts_att, rel, att);
				break;
			case LTFDW_DATA:
				claim_role(&table->data_att, rel, att);
				break;
			case LTFDW_FIELD:
				table->nfields++;
				break;
			case LTFDW_NOTHING:
				break;
		}
	}
}

/* Another wrapper's foreign table may have any columns. */
static bool
is_ltdb_table(Oid relid)
{
	return ltfdw_server_is_ltdb(GetForeignServer(GetForeignTable(relid)->serverid));
}

/*
 * Event trigger at the end of CREATE and ALTER FOREIGN TABLE: a table whose
 * columns cannot work is refused where the mistake is made.  Those that come
 * into being in other ways are checked when they are first used.
 */
Datum
ltfdw_check_columns(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"ltdb_fdw_check_columns\" was not called by event trigger manager")));

	SPI_connect();
	if (SPI_execute("SELECT DISTINCT objid FROM pg_catalog.pg_event_trigger_ddl_commands() "
					"WHERE classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the commands of the event");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Oid			relid = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
														   SPI_tuptable->tupdesc, 1, &isnull));

		if (get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE && is_ltdb_table(relid))
			(void) ltfdw_table_load_by_oid(relid);
	}
	SPI_finish();
	PG_RETURN_NULL();
}
