/*-------------------------------------------------------------------------
 *
 * import.c
 *		IMPORT FOREIGN SCHEMA: a foreign table for each collection.
 *
 * An LTDB server has no schemas; the one it is taken to have is called ltdb.
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

#define REMOTE_SCHEMA "ltdb"

typedef struct ImportOptions
{
	const char *ts_type;
	const char *data_type;
} ImportOptions;

/* The option's value, if it is one of the two or three allowed. */
static const char *
type_option(DefElem *def, const char *const *allowed, const char *allowed_names)
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

static ImportOptions
read_options(List *defs)
{
	static const char *const ts_types[] = {"timestamptz", "timestamp", "bigint", NULL};
	static const char *const data_types[] = {"jsonb", "json", "text", NULL};
	ImportOptions options = {"timestamptz", "jsonb"};
	ListCell   *cell;

	foreach(cell, defs)
	{
		DefElem    *def = lfirst_node(DefElem, cell);

		if (strcmp(def->defname, "ts_type") == 0)
			options.ts_type = type_option(def, ts_types, "timestamptz, timestamp, bigint");
		else if (strcmp(def->defname, "data_type") == 0)
			options.data_type = type_option(def, data_types, "jsonb, json, text");
		else
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("invalid option \"%s\" for IMPORT FOREIGN SCHEMA of ltdb_fdw", def->defname),
					 errhint("Valid options are: ts_type, data_type.")));
	}
	return options;
}

/*
 * A table's name has 63 bytes, a collection's has any number: a long one is
 * cut, and told apart from others cut alike by a hash of the whole.
 */
static char *
table_name(const char *collection)
{
	int			len = strlen(collection);
	char		suffix[16];
	int			room;

	if (len < NAMEDATALEN)
		return pstrdup(collection);
	snprintf(suffix, sizeof(suffix), "_%08x",
			 DatumGetUInt32(hash_any((const unsigned char *) collection, len)));
	room = pg_mbcliplen(collection, len, NAMEDATALEN - 1 - strlen(suffix));
	return psprintf("%.*s%s", room, collection, suffix);
}

static char *
create_command(const char *name, const char *collection, const char *server,
			   const ImportOptions *options)
{
	return psprintf("CREATE FOREIGN TABLE %s (key text NOT NULL, ts %s NOT NULL, data %s) "
					"SERVER %s OPTIONS (collection %s)",
					quote_identifier(name), options->ts_type, options->data_type,
					quote_identifier(server), quote_literal_cstr(collection));
}

List *
ltfdw_ImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverid)
{
	ImportOptions options = read_options(stmt->options);
	List	   *commands = NIL;
	LtfdwConn  *conn;
	LtfdwReply *owned;
	ltdb_record item;
	ltdb_next	next;

	if (strcmp(stmt->remote_schema, REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("schema \"%s\" is not present on foreign server \"%s\"",
						stmt->remote_schema, stmt->server_name),
				 errhint("LTDB has no schemas; use IMPORT FOREIGN SCHEMA %s.", REMOTE_SCHEMA)));

	conn = ltfdw_connection_get(GetUserId(), serverid);
	owned = ltfdw_reply_own(conn, ltdb_send_collections(ltfdw_connection_handle(conn)));
	while ((next = ltfdw_connection_next(conn, owned->reply, &item, NULL)) != LTDB_DONE)
	{
		char	   *collection;
		char	   *name;

		if (next == LTDB_RESTART)
		{
			commands = NIL;
			continue;
		}
		if (item.key.len_bytes == 0)
		{
			ereport(NOTICE,
					(errmsg("skipping the collection without a name"),
					 errdetail("LTDB stores it but cannot read from it.")));
			continue;
		}
		collection = text_to_cstring(ltfdw_text_from_ltdb(item.key, "name", ""));
		name = table_name(collection);
		if (IsImportableForeignTable(name, stmt))
			commands = lappend(commands,
							   create_command(name, collection, stmt->server_name, &options));
	}
	ltfdw_reply_release(owned);
	return commands;
}
