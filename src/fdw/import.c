/*-------------------------------------------------------------------------
 *
 * import.c
 *		IMPORT FOREIGN SCHEMA: a foreign table for each collection.
 *
 * An LTDB server has no schemas.  It is taken to have two: "ltdb" has the
 * records of each collection, "kv" the key-value pairs of those that have any.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "catalog/pg_foreign_server.h"
#include "commands/defrem.h"
#include "common/hashfn.h"
#include "foreign/fdwapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define RECORDS_SCHEMA "ltdb"
#define PAIRS_SCHEMA "kv"

typedef struct ImportOptions
{
	LtfdwKind	kind;
	const char *ts_type;
	const char *data_type;
	const char *value_type;
	bool		infer_fields;
} ImportOptions;

/* The option's value, if it is one of those allowed. */
static const char *
choice_option(DefElem *def, const char *const *allowed, const char *allowed_names)
{
	const char *value = defGetString(def);

	for (; *allowed; allowed++)
		if (strcmp(value, *allowed) == 0)
			return *allowed;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_STRING_FORMAT),
			 errmsg("invalid value for option \"%s\": \"%s\"", def->defname, value),
			 errhint("Valid values are: %s.", allowed_names)));
}

static LtfdwKind
kind_of_schema(const ImportForeignSchemaStmt *stmt)
{
	if (strcmp(stmt->remote_schema, RECORDS_SCHEMA) == 0)
		return LTFDW_RECORDS;
	if (strcmp(stmt->remote_schema, PAIRS_SCHEMA) == 0)
		return LTFDW_PAIRS;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
			 errmsg("schema \"%s\" is not present on foreign server \"%s\"",
					stmt->remote_schema, stmt->server_name),
			 errhint("LTDB has no schemas; use IMPORT FOREIGN SCHEMA %s for records, or %s for key-value pairs.",
					 RECORDS_SCHEMA, PAIRS_SCHEMA)));
}

static ImportOptions
read_options(LtfdwKind kind, List *defs)
{
	static const char *const ts_types[] = {"timestamptz", "timestamp", "bigint", NULL};
	static const char *const data_types[] = {"jsonb", "json", "text", NULL};
	static const char *const field_choices[] = {"none", "infer", NULL};
	ImportOptions options = {kind, "timestamptz", "jsonb", "text", false};
	bool		records = kind == LTFDW_RECORDS;
	ListCell   *cell;

	foreach(cell, defs)
	{
		DefElem    *def = lfirst_node(DefElem, cell);

		if (records && strcmp(def->defname, "ts_type") == 0)
			options.ts_type = choice_option(def, ts_types, "timestamptz, timestamp, bigint");
		else if (records && strcmp(def->defname, "data_type") == 0)
			options.data_type = choice_option(def, data_types, "jsonb, json, text");
		else if (records && strcmp(def->defname, "fields") == 0)
			options.infer_fields = strcmp(choice_option(def, field_choices, "none, infer"),
										  "infer") == 0;
		else if (!records && strcmp(def->defname, "value_type") == 0)
			options.value_type = choice_option(def, data_types, "jsonb, json, text");
		else
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("invalid option \"%s\" for IMPORT FOREIGN SCHEMA of ltdb_fdw", def->defname),
					 records ? errhint("Valid options are: ts_type, data_type, fields.")
					 : errhint("The valid option for key-value pairs is: value_type.")));
	}
	return options;
}

/*
 * An identifier has 63 bytes, a name of LTDB's has any number: a long one is
 * cut, and told apart from others cut alike by a hash of the whole.
 */
char *
ltfdw_identifier(const char *name)
{
	int			len = strlen(name);
	char		suffix[16];
	int			room;

	if (len < NAMEDATALEN)
		return pstrdup(name);
	snprintf(suffix, sizeof(suffix), "_%08x",
			 DatumGetUInt32(hash_any((const unsigned char *) name, len)));
	room = pg_mbcliplen(name, len, NAMEDATALEN - 1 - strlen(suffix));
	return psprintf("%.*s%s", room, name, suffix);
}

static char *
create_command(const char *name, const char *collection, const char *server,
			   const ImportOptions *options, const char *columns)
{
	if (options->kind == LTFDW_PAIRS)
		return psprintf("CREATE FOREIGN TABLE %s (key text NOT NULL, value %s NOT NULL) "
						"SERVER %s OPTIONS (kind 'kv', collection %s)",
						quote_identifier(name), options->value_type,
						quote_identifier(server), quote_literal_cstr(collection));
	if (columns == NULL)
		columns = psprintf(", data %s", options->data_type);
	return psprintf("CREATE FOREIGN TABLE %s (key text NOT NULL, ts %s NOT NULL%s) "
					"SERVER %s OPTIONS (collection %s)",
					quote_identifier(name), options->ts_type, columns,
					quote_identifier(server), quote_literal_cstr(collection));
}

/*
 * The names of all collections, in the current context.  LIMIT TO cannot mean
 * one that cannot be written here; without it, such a name is an error.
 */
static List *
list_collections(LtfdwConn *conn, bool limited)
{
	List	   *result = NIL;
	LtfdwReply *owned;
	ltdb_record item;
	ltdb_next	next;

	owned = ltfdw_reply_own(ltdb_send_collections(ltfdw_connection_handle(conn)));
	while ((next = ltfdw_connection_next(conn, owned->reply, &item, NULL)) != LTDB_DONE)
	{
		if (next == LTDB_RESTART)
			result = NIL;
		else if (limited && !ltfdw_text_fits_here(item.key))
			continue;
		else if (item.key.len_bytes > 0)
			result = lappend(result, text_to_cstring(ltfdw_text_from_ltdb(item.key, "name", "")));
		else
			ereport(NOTICE,
					(errmsg("skipping the collection without a name"),
					 errdetail("LTDB stores it but cannot read from it.")));
	}
	ltfdw_reply_release(owned);
	return result;
}

/* Those of the collections that have pairs; asked for side by side. */
static List *
keep_those_with_pairs(LtfdwConn *conn, List *collections)
{
	LtfdwReply **replies = palloc(Max(list_length(collections), 1) * sizeof(LtfdwReply *));
	List	   *result = NIL;
	int			i = 0;
	ListCell   *cell;

	foreach(cell, collections)
	{
		const char *name = lfirst(cell);

		replies[i++] = ltfdw_reply_own(ltdb_send_list_keys(ltfdw_connection_handle(conn),
														   ltfdw_text_to_ltdb(name, strlen(name))));
	}
	i = 0;
	foreach(cell, collections)
	{
		LtfdwReply *owned = replies[i++];
		ltdb_record item;
		ltdb_next	next;

		do
			next = ltfdw_connection_next(conn, owned->reply, &item, NULL);
		while (next == LTDB_RESTART);
		if (next == LTDB_ITEM)
			result = lappend(result, lfirst(cell));
		ltfdw_reply_release(owned);
	}
	return result;
}

/* What LIMIT TO and EXCEPT leave. */
static List *
keep_importable(ImportForeignSchemaStmt *stmt, List *collections)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, collections)
		if (IsImportableForeignTable(ltfdw_identifier(lfirst(cell)), stmt))
			result = lappend(result, lfirst(cell));
	return result;
}

List *
ltfdw_ImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverid)
{
	ImportOptions options = read_options(kind_of_schema(stmt), stmt->options);
	LtfdwConn  *conn = ltfdw_connection_get(GetUserId(), serverid);
	bool		limited = stmt->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO;
	List	   *collections = keep_importable(stmt, list_collections(conn, limited));
	List	   *commands = NIL;
	ListCell   *cell;

	if (options.kind == LTFDW_PAIRS)
		collections = keep_those_with_pairs(conn, collections);
	foreach(cell, collections)
	{
		const char *collection = lfirst(cell);
		char	   *columns = options.infer_fields
			? ltfdw_infer_columns(conn, serverid, collection) : NULL;

		commands = lappend(commands, create_command(ltfdw_identifier(collection), collection,
													stmt->server_name, &options, columns));
	}
	return commands;
}
