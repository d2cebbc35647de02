/*-------------------------------------------------------------------------
 *
 * option.c
 *		The options of servers, user mappings, tables and columns: one table
 *		of them, the validator, and what servers and user mappings say.
 *
 * What tables say, and the defaults of that, is table.c's business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

#include <limits.h>
#include <math.h>

#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/varlena.h"

#define MAX_FETCH_SIZE 1000000
#define MAX_BATCH_SIZE 100000
#define MAX_TIMEOUT_SEC 86400.0

/* Less could not hold a page of records; more is not a text of PostgreSQL's. */
#define MIN_MESSAGE_BYTES (1024 * 1024)
#define MAX_MESSAGE_BYTES (1024 * 1024 * 1024)

typedef void (*option_check) (DefElem *def);

typedef struct LtfdwOption
{
	const char *name;
	Oid			catalog;		/* where it may stand */
	option_check check;
} LtfdwOption;

static void check_url(DefElem *def);
static void check_api_key(DefElem *def);
static void check_timeout(DefElem *def);
static void check_fetch_size(DefElem *def);
static void check_batch_size(DefElem *def);
static void check_message_size(DefElem *def);
static void check_boolean(DefElem *def);
static void check_collection(DefElem *def);
static void check_invalid_json(DefElem *def);
static void check_kind(DefElem *def);
static void check_column_name(DefElem *def);
static void check_price(DefElem *def);
static void check_field(DefElem *def);
static void check_write_mode(DefElem *def);
static void check_sslmode(DefElem *def);
static void check_file(DefElem *def);

static const LtfdwOption option_table[] = {
	{"url", ForeignServerRelationId, check_url},
	{"connect_timeout", ForeignServerRelationId, check_timeout},
	{"request_timeout", ForeignServerRelationId, check_timeout},
	{"sslmode", ForeignServerRelationId, check_sslmode},
	{"sslrootcert", ForeignServerRelationId, check_file},
	{"sslcrl", ForeignServerRelationId, check_file},
	{"sslcert", ForeignServerRelationId, check_file},
	{"sslkey", ForeignServerRelationId, check_file},
	{"fetch_size", ForeignServerRelationId, check_fetch_size},
	{"batch_size", ForeignServerRelationId, check_batch_size},
	{"max_message_size", ForeignServerRelationId, check_message_size},
	{"keep_connections", ForeignServerRelationId, check_boolean},
	{"updatable", ForeignServerRelationId, check_boolean},
	{"truncatable", ForeignServerRelationId, check_boolean},
	{"fdw_startup_cost", ForeignServerRelationId, check_price},
	{"fdw_request_cost", ForeignServerRelationId, check_price},
	{"fdw_tuple_cost", ForeignServerRelationId, check_price},
	{"use_remote_estimate", ForeignServerRelationId, check_boolean},
	{"async_capable", ForeignServerRelationId, check_boolean},
	{"write_mode", ForeignServerRelationId, check_write_mode},

	{"api_key", UserMappingRelationId, check_api_key},

	{"collection", ForeignTableRelationId, check_collection},
	{"kind", ForeignTableRelationId, check_kind},
	{"fetch_size", ForeignTableRelationId, check_fetch_size},
	{"batch_size", ForeignTableRelationId, check_batch_size},
	{"updatable", ForeignTableRelationId, check_boolean},
	{"truncatable", ForeignTableRelationId, check_boolean},
	{"use_remote_estimate", ForeignTableRelationId, check_boolean},
	{"async_capable", ForeignTableRelationId, check_boolean},
	{"write_mode", ForeignTableRelationId, check_write_mode},
	{"invalid_json", ForeignTableRelationId, check_invalid_json},

	{"column_name", AttributeRelationId, check_column_name},
	{"field", AttributeRelationId, check_field},
};

/* How messages call a place where options stand. */
static const struct
{
	Oid			catalog;
	const char *object;
}			place_table[] = {
	{ForeignDataWrapperRelationId, "FOREIGN DATA WRAPPER"},
	{ForeignServerRelationId, "SERVER"},
	{UserMappingRelationId, "USER MAPPING"},
	{ForeignTableRelationId, "FOREIGN TABLE"},
	{AttributeRelationId, "column"},
};

PG_FUNCTION_INFO_V1(ltfdw_validator);


static const char *
place_name(Oid catalog)
{
	for (int i = 0; i < lengthof(place_table); i++)
		if (place_table[i].catalog == catalog)
			return place_table[i].object;
	return "object";
}

static const LtfdwOption *
find_option(const char *name, Oid catalog)
{
	for (int i = 0; i < lengthof(option_table); i++)
		if (option_table[i].catalog == catalog && strcmp(option_table[i].name, name) == 0)
			return &option_table[i];
	return NULL;
}

/* The option of this place whose name is nearest, or NULL if none is near. */
static const char *
closest_option(const char *name, Oid catalog)
{
	const int	name_len = strlen(name);
	int			best_distance = Max(2, name_len / 2) + 1;
	const char *best = NULL;

	/* varstr_levenshtein refuses longer strings */
	if (name_len > 255)
		return NULL;

	for (int i = 0; i < lengthof(option_table); i++)
	{
		const char *candidate = option_table[i].name;
		int			distance;

		if (option_table[i].catalog != catalog)
			continue;
		distance = varstr_levenshtein_less_equal(name, name_len, candidate,
												 strlen(candidate), 1, 1, 1,
												 best_distance, true);
		if (distance < best_distance)
		{
			best_distance = distance;
			best = candidate;
		}
	}
	return best;
}

/* Refuse a name that this place does not know, with the best hint there is. */
pg_noreturn static void
report_unknown_option(const char *name, Oid catalog)
{
	const char *elsewhere = NULL;
	const char *closest = closest_option(name, catalog);
	StringInfoData valid;

	initStringInfo(&valid);
	for (int i = 0; i < lengthof(option_table); i++)
	{
		if (option_table[i].catalog == catalog)
			appendStringInfo(&valid, "%s%s", valid.len ? ", " : "", option_table[i].name);
		else if (strcmp(option_table[i].name, name) == 0)
			elsewhere = place_name(option_table[i].catalog);
	}

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\" for %s of ltdb_fdw", name, place_name(catalog)),
			 elsewhere ? errhint("\"%s\" is an option of %s.", name, elsewhere) :
			 closest ? errhint("Perhaps you meant the option \"%s\".", closest) :
			 valid.len ? errhint("Valid options in this place are: %s.", valid.data) :
			 errhint("There are no valid options in this place.")));
}

pg_noreturn static void
report_bad_value(DefElem *def, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_STRING_FORMAT),
			 errmsg("invalid value for option \"%s\": \"%s\"", def->defname, defGetString(def)),
			 errhint("%s", expected)));
}

/* What a server's options must be together. */
static void
check_server(List *options)
{
	const char *url = ltfdw_option_get(options, "url");
	bool		has_cert = ltfdw_option_get(options, "sslcert") != NULL;

	if (url == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"url\" is required for SERVER of ltdb_fdw"),
				 errhint("Such as OPTIONS (url 'ws://127.0.0.1:8080').")));

	/* nobody shall believe that it is encrypted */
	for (int i = 0; i < lengthof(option_table); i++)
		if (strncmp(option_table[i].name, "ssl", 3) == 0 && !ltdb_url_is_tls(url) &&
			ltfdw_option_get(options, option_table[i].name) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("option \"%s\" needs a url that begins with wss://", option_table[i].name)));

	if (has_cert != (ltfdw_option_get(options, "sslkey") != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"%s\" needs option \"%s\"", has_cert ? "sslcert" : "sslkey",
						has_cert ? "sslkey" : "sslcert")));
}

Datum
ltfdw_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *def = (DefElem *) lfirst(cell);
		const LtfdwOption *option = find_option(def->defname, catalog);

		if (option == NULL)
			report_unknown_option(def->defname, catalog);
		option->check(def);
	}
	if (catalog == ForeignServerRelationId)
		check_server(options);

	PG_RETURN_VOID();
}

/* ---- what each option may hold ---- */

/* The url itself is left out of the message: it may hold a password. */
static void
check_url(DefElem *def)
{
	char		reason[256];

	if (!ltdb_url_check(defGetString(def), reason, sizeof(reason)))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_STRING_FORMAT),
				 errmsg("invalid value for option \"url\": %s", reason),
				 errhint("A url is ws://host:port or wss://host:port. The api key belongs into the user mapping.")));
}

/* Neither is the key shown. */
static void
check_api_key(DefElem *def)
{
	const char *key = defGetString(def);

	if (*key == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_STRING_FORMAT),
				 errmsg("invalid value for option \"api_key\": it is empty")));
	for (; *key; key++)
		if (*key == '\r' || *key == '\n')
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_STRING_FORMAT),
					 errmsg("invalid value for option \"api_key\": it contains a line break")));
}

static bool
parse_timeout(const char *value, int *timeout_ms)
{
	double		sec;

	if (!parse_real(value, &sec, GUC_UNIT_S, NULL) || !(sec >= 0.001 && sec <= MAX_TIMEOUT_SEC))
		return false;
	*timeout_ms = (int) (sec * 1000.0 + 0.5);
	return true;
}

static void
check_timeout(DefElem *def)
{
	int			timeout_ms;

	if (!parse_timeout(defGetString(def), &timeout_ms))
		report_bad_value(def, "A timeout is a number of seconds, or a number with a unit such as '500ms' or '1min', from 1 ms to 1 day.");
}

static bool
parse_count(const char *value, int max, int *count)
{
	return parse_int(value, count, 0, NULL) && *count >= 1 && *count <= max;
}

static void
check_fetch_size(DefElem *def)
{
	int			count;

	if (!parse_count(defGetString(def), MAX_FETCH_SIZE, &count))
		report_bad_value(def, psprintf("A fetch size is a number of records from 1 to %d.", MAX_FETCH_SIZE));
}

static void
check_batch_size(DefElem *def)
{
	int			count;

	if (!parse_count(defGetString(def), MAX_BATCH_SIZE, &count))
		report_bad_value(def, psprintf("A batch size is a number of rows from 1 to %d.", MAX_BATCH_SIZE));
}

/* The highest value stands for the client's default, a byte less. */
static bool
parse_message_size(const char *value, size_t *size_bytes)
{
	int			bytes;

	if (!parse_int(value, &bytes, GUC_UNIT_BYTE, NULL) ||
		bytes < MIN_MESSAGE_BYTES || bytes > MAX_MESSAGE_BYTES)
		return false;
	*size_bytes = Min(bytes, MAX_MESSAGE_BYTES - 1);
	return true;
}

static void
check_message_size(DefElem *def)
{
	size_t		size_bytes;

	if (!parse_message_size(defGetString(def), &size_bytes))
		report_bad_value(def, "A message size is a number of bytes, or a number with a unit such as '64MB', from 1 MB to 1 GB.");
}

static void
check_boolean(DefElem *def)
{
	bool		value;

	if (!parse_bool(defGetString(def), &value))
		report_bad_value(def, "It is a boolean: 'true' or 'false'.");
}

static void
check_price(DefElem *def)
{
	double		price;

	if (!parse_real(defGetString(def), &price, 0, NULL) ||
		!(price >= 0 && isfinite(price)))
		report_bad_value(def, "A cost is a finite number that is not negative, in the planner's units.");
}

static void
check_collection(DefElem *def)
{
	if (*defGetString(def) == '\0')
		report_bad_value(def, "LTDB has no collection without a name.");
}

static void
check_invalid_json(DefElem *def)
{
	const char *value = defGetString(def);

	if (strcmp(value, "error") != 0 && strcmp(value, "null") != 0)
		report_bad_value(def, "Valid values are: error, null.");
}

static void
check_kind(DefElem *def)
{
	const char *value = defGetString(def);

	if (strcmp(value, "records") != 0 && strcmp(value, "kv") != 0)
		report_bad_value(def, "Valid values are: records, kv.");
}

static void
check_write_mode(DefElem *def)
{
	const char *value = defGetString(def);

	if (strcmp(value, "commit") != 0 && strcmp(value, "immediate") != 0)
		report_bad_value(def, "Valid values are: commit, immediate.");
}

/* The meaning of each is that of libpq. */
static const struct
{
	const char *name;
	ltdb_verify verify;
}			sslmode_table[] = {
	{"verify-full", LTDB_VERIFY_FULL},
	{"verify-ca", LTDB_VERIFY_CA},
	{"require", LTDB_VERIFY_CA},	/* there are always root certificates: the system's */
	{"no-verify", LTDB_VERIFY_NOTHING},
};

static bool
parse_sslmode(const char *value, ltdb_verify *verify)
{
	for (int i = 0; i < lengthof(sslmode_table); i++)
		if (strcmp(sslmode_table[i].name, value) == 0)
		{
			*verify = sslmode_table[i].verify;
			return true;
		}
	return false;
}

static void
check_sslmode(DefElem *def)
{
	ltdb_verify verify;

	if (!parse_sslmode(defGetString(def), &verify))
		report_bad_value(def, "Valid values are: verify-full, verify-ca, require, no-verify.");
}

/*
 * Files are opened with the rights of the operating system's user who runs
 * PostgreSQL, and errors tell whether they are there.
 */
static void
check_file(DefElem *def)
{
	if (!superuser() && !has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set option \"%s\" of a server of ltdb_fdw", def->defname),
				 errdetail("Only superusers and roles with privileges of the role \"%s\" may name files of the server.",
						   "pg_read_server_files")));
	if (!is_absolute_path(defGetString(def)))
		report_bad_value(def, "It is the absolute path of a file on the machine that PostgreSQL runs on.");
}

static void
check_column_name(DefElem *def)
{
	const char *value = defGetString(def);

	if (strcmp(value, "key") != 0 && strcmp(value, "ts") != 0 && strcmp(value, "data") != 0 &&
		strcmp(value, "value") != 0)
		report_bad_value(def, "Valid values are: key, ts, data; in a table of kind 'kv': key, value.");
}

static void
check_field(DefElem *def)
{
	if (ltfdw_field_parse(defGetString(def)) == NULL)
		report_bad_value(def, "A field is a path such as temperature, wind.speed or samples[0].max; a name with other characters stands in double quotes.");
}

/* ---- getters; the validator has seen the values ---- */

/* The value of an option, NULL if it is not set. */
const char *
ltfdw_option_get(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *def = (DefElem *) lfirst(cell);

		if (strcmp(def->defname, name) == 0)
			return defGetString(def);
	}
	return NULL;
}

/* Whether a server is one of ours, whatever its wrapper was called. */
bool
ltfdw_server_is_ltdb(ForeignServer *server)
{
	ForeignDataWrapper *wrapper = GetForeignDataWrapper(server->fdwid);
	FmgrInfo	handler;

	if (!OidIsValid(wrapper->fdwhandler))
		return false;
	fmgr_info(wrapper->fdwhandler, &handler);
	return handler.fn_addr == ltfdw_handler;
}

/* Fills what the server says; the api key comes from the user mapping. */
void
ltfdw_server_options(ForeignServer *server, ltdb_options *options, bool *keep_connections)
{
	const char *value;

	ltdb_options_init(options);
	options->url = ltfdw_option_get(server->options, "url");
	if ((value = ltfdw_option_get(server->options, "connect_timeout")) != NULL)
		parse_timeout(value, &options->connect_timeout_ms);
	if ((value = ltfdw_option_get(server->options, "request_timeout")) != NULL)
		parse_timeout(value, &options->request_timeout_ms);
	if ((value = ltfdw_option_get(server->options, "max_message_size")) != NULL)
		parse_message_size(value, &options->max_buffer_bytes);
	if ((value = ltfdw_option_get(server->options, "sslmode")) != NULL)
		parse_sslmode(value, &options->tls.verify);
	options->tls.root_cert = ltfdw_option_get(server->options, "sslrootcert");
	options->tls.crl = ltfdw_option_get(server->options, "sslcrl");
	options->tls.cert = ltfdw_option_get(server->options, "sslcert");
	options->tls.key = ltfdw_option_get(server->options, "sslkey");
	*keep_connections = true;
	if ((value = ltfdw_option_get(server->options, "keep_connections")) != NULL)
		(void) parse_bool(value, keep_connections);
}

/* NULL if the mapping has none. */
const char *
ltfdw_user_api_key(UserMapping *user)
{
	return ltfdw_option_get(user->options, "api_key");
}

const char *
ltfdw_column_option(Oid relid, AttrNumber attnum, const char *name)
{
	return ltfdw_option_get(GetForeignColumnOptions(relid, attnum), name);
}
