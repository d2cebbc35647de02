/*-------------------------------------------------------------------------
 *
 * table.c
 *		What the catalogs say of a foreign table, and what is the default where
 *		they say nothing.
 *
 * Which options there are, and what they may hold, is option.c's business;
 * which column shows what column.c's.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include "access/table.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"

#define DEFAULT_FETCH_SIZE 10000
#define DEFAULT_BATCH_SIZE 1000

/*
 * A page of the planner's takes about as long as reading 1,000 records, and
 * a round trip on a local network about as long as a few pages.
 */
#define DEFAULT_STARTUP_COST 100.0
#define DEFAULT_REQUEST_COST 2.0
#define DEFAULT_TUPLE_COST 0.01

/* The table's value, else the server's. */
static const char *
get_table_option(List *table_options, ForeignServer *server, const char *name)
{
	const char *value = ltfdw_option_get(table_options, name);

	return value ? value : ltfdw_option_get(server->options, name);
}

static int
count_or_default(const char *value, int default_count)
{
	int			count;

	return value && parse_int(value, &count, 0, NULL) ? count : default_count;
}

static bool
boolean_or_default(const char *value, bool default_value)
{
	bool		result;

	return value && parse_bool(value, &result) ? result : default_value;
}

static double
price_or_default(const char *value, double default_price)
{
	double		price;

	return value && parse_real(value, &price, 0, NULL) ? price : default_price;
}

static LtfdwTable *
new_table(ForeignServer *server, List *table_options, LtfdwKind kind, const char *collection)
{
	LtfdwTable *result = palloc0(sizeof(LtfdwTable));
	const char *write_mode = get_table_option(table_options, server, "write_mode");

	result->serverid = server->serverid;
	result->kind = kind;
	result->write_at_commit = write_mode == NULL || strcmp(write_mode, "commit") == 0;
	result->collection = pstrdup(collection);
	result->fetch_size = count_or_default(get_table_option(table_options, server, "fetch_size"),
										  DEFAULT_FETCH_SIZE);
	result->batch_size = count_or_default(get_table_option(table_options, server, "batch_size"),
										  DEFAULT_BATCH_SIZE);
	result->prices.startup = price_or_default(ltfdw_option_get(server->options, "fdw_startup_cost"),
											  DEFAULT_STARTUP_COST);
	result->prices.request = price_or_default(ltfdw_option_get(server->options, "fdw_request_cost"),
											  DEFAULT_REQUEST_COST);
	result->prices.record = price_or_default(ltfdw_option_get(server->options, "fdw_tuple_cost"),
											 DEFAULT_TUPLE_COST);
	result->prices.remote_estimate =
		boolean_or_default(get_table_option(table_options, server, "use_remote_estimate"), false);
	result->prices.async =
		boolean_or_default(get_table_option(table_options, server, "async_capable"), true);
	return result;
}

/* A collection that no foreign table stands for, with its server's options. */
LtfdwTable *
ltfdw_table_of_collection(Oid serverid, LtfdwKind kind, const char *collection)
{
	return new_table(GetForeignServer(serverid), NIL, kind, collection);
}

/* Everything the catalogs say of a foreign table, in the current context. */
LtfdwTable *
ltfdw_table_load(Relation rel)
{
	ForeignTable *table = GetForeignTable(RelationGetRelid(rel));
	const char *collection = ltfdw_option_get(table->options, "collection");
	const char *kind = ltfdw_option_get(table->options, "kind");
	const char *invalid_json = ltfdw_option_get(table->options, "invalid_json");
	LtfdwTable *result = new_table(GetForeignServer(table->serverid), table->options,
								   kind && strcmp(kind, "kv") == 0 ? LTFDW_PAIRS : LTFDW_RECORDS,
								   collection ? collection : RelationGetRelationName(rel));

	result->relid = RelationGetRelid(rel);
	result->invalid_json_is_null = invalid_json && strcmp(invalid_json, "null") == 0;
	ltfdw_columns_load(result, rel);
	return result;
}

/* Whether two tables are of one collection, be it records or pairs of it. */
bool
ltfdw_same_collection(const LtfdwTable *a, const LtfdwTable *b)
{
	return a->serverid == b->serverid && strcmp(a->collection, b->collection) == 0;
}

/* For the planner, which holds a lock on the table already. */
LtfdwTable *
ltfdw_table_load_by_oid(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	LtfdwTable *result = ltfdw_table_load(rel);

	table_close(rel, NoLock);
	return result;
}

/* A boolean option of a table or its server, true by default. */
static bool
table_allows(Oid relid, const char *option)
{
	ForeignTable *table = GetForeignTable(relid);
	ForeignServer *server = GetForeignServer(table->serverid);

	return boolean_or_default(get_table_option(table->options, server, option), true);
}

bool
ltfdw_table_updatable(Oid relid)
{
	return table_allows(relid, "updatable");
}

bool
ltfdw_table_truncatable(Oid relid)
{
	return table_allows(relid, "truncatable");
}
