/* ltdb_fdw--1.0.sql: the SQL face of ltdb_fdw 1.0 */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION ltdb_fdw" to load this file. \quit

CREATE FUNCTION ltdb_fdw_handler() RETURNS fdw_handler
AS 'MODULE_PATHNAME', 'ltfdw_handler'
LANGUAGE C STRICT;

CREATE FUNCTION ltdb_fdw_validator(options text[], catalog oid) RETURNS void
AS 'MODULE_PATHNAME', 'ltfdw_validator'
LANGUAGE C STRICT;

CREATE FOREIGN DATA WRAPPER ltdb_fdw
  HANDLER ltdb_fdw_handler
  VALIDATOR ltdb_fdw_validator;

COMMENT ON FOREIGN DATA WRAPPER ltdb_fdw
IS 'LTDB collections as foreign tables';

-- A validator sees options but no columns, so the columns of a foreign table
-- are checked by an event trigger as soon as it is created or altered.
CREATE FUNCTION ltdb_fdw_check_columns() RETURNS event_trigger
AS 'MODULE_PATHNAME', 'ltfdw_check_columns'
LANGUAGE C;

CREATE EVENT TRIGGER ltdb_fdw_check_columns
  ON ddl_command_end
  WHEN TAG IN ('CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA')
  EXECUTE FUNCTION ltdb_fdw_check_columns();

-- Reading functions are STABLE, so that an index-like condition such as
-- key = ltdb_kv_get(...) is evaluated once and sent; they use the session's
-- connection, so they run in the leader of a parallel query only.

CREATE FUNCTION ltdb_collections(server text)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'ltfdw_collections'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 100 COST 10000;

COMMENT ON FUNCTION ltdb_collections(text)
IS 'names of the collections of an LTDB server';

CREATE FUNCTION ltdb_latest(
  server text,
  collection text,
  at timestamptz DEFAULT NULL,
  key text DEFAULT NULL,
  since timestamptz DEFAULT NULL)
RETURNS TABLE (key text, ts timestamptz, data text)
AS 'MODULE_PATHNAME', 'ltfdw_latest'
LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED ROWS 1000 COST 10000;

COMMENT ON FUNCTION ltdb_latest(text, text, timestamptz, text, timestamptz)
IS 'newest record of each key, or of one, no later than "at" and no earlier than "since"';

CREATE FUNCTION ltdb_kv_get(server text, collection text, key text)
RETURNS text
AS 'MODULE_PATHNAME', 'ltfdw_kv_get'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000;

COMMENT ON FUNCTION ltdb_kv_get(text, text, text)
IS 'value of a key-value pair, NULL when absent';

CREATE FUNCTION ltdb_kv_keys(server text, collection text)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'ltfdw_kv_keys'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 1000 COST 10000;

COMMENT ON FUNCTION ltdb_kv_keys(text, text)
IS 'keys of the key-value pairs of a collection';

CREATE FUNCTION ltdb_kv_all(server text, collection text)
RETURNS TABLE (key text, value text)
AS 'MODULE_PATHNAME', 'ltfdw_kv_all'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 1000 COST 10000;

COMMENT ON FUNCTION ltdb_kv_all(text, text)
IS 'key-value pairs of a collection';

-- Writing functions are not STRICT: a NULL argument is an error there, since
-- a write that silently does nothing would be a lost write.

CREATE FUNCTION ltdb_kv_set(server text, collection text, key text, value text)
RETURNS void
AS 'MODULE_PATHNAME', 'ltfdw_kv_set'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10000;

COMMENT ON FUNCTION ltdb_kv_set(text, text, text, text)
IS 'set the value of a key-value pair';

CREATE FUNCTION ltdb_kv_delete(server text, collection text, key text)
RETURNS void
AS 'MODULE_PATHNAME', 'ltfdw_kv_delete'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10000;

COMMENT ON FUNCTION ltdb_kv_delete(text, text, text)
IS 'delete a key-value pair; a missing one is fine';

CREATE FUNCTION ltdb_delete_key(server text, collection text, key text)
RETURNS void
AS 'MODULE_PATHNAME', 'ltfdw_delete_key'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE COST 100000;

COMMENT ON FUNCTION ltdb_delete_key(text, text, text)
IS 'delete every record of a key, keeping the key-value pairs of the collection';

CREATE FUNCTION ltdb_delete_collection(server text, collection text)
RETURNS void
AS 'MODULE_PATHNAME', 'ltfdw_delete_collection'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE COST 100000;

COMMENT ON FUNCTION ltdb_delete_collection(text, text)
IS 'delete a collection: every record and every key-value pair';

-- Functions that delete what a table's privileges do not cover are for those
-- to whom they are granted.

REVOKE EXECUTE ON FUNCTION ltdb_kv_delete(text, text, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION ltdb_delete_key(text, text, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION ltdb_delete_collection(text, text) FROM PUBLIC;

-- A session and its own connections.

CREATE FUNCTION ltdb_fdw_version()
RETURNS text
AS 'MODULE_PATHNAME', 'ltfdw_version'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION ltdb_fdw_version()
IS 'version of the loaded library';

CREATE FUNCTION ltdb_fdw_get_connections(
  OUT server_name text,
  OUT user_name text,
  OUT state text,
  OUT valid boolean,
  OUT used_in_xact boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'ltfdw_get_connections'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10;

COMMENT ON FUNCTION ltdb_fdw_get_connections()
IS 'open connections of this session';

CREATE FUNCTION ltdb_fdw_get_stats(
  OUT server_name text,
  OUT user_name text,
  OUT connections bigint,
  OUT reconnects bigint,
  OUT requests bigint,
  OUT records bigint,
  OUT bytes_sent bigint,
  OUT bytes_received bigint,
  OUT wait_time double precision,
  OUT errors bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'ltfdw_get_stats'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10;

COMMENT ON FUNCTION ltdb_fdw_get_stats()
IS 'what this session has exchanged with each server so far';

CREATE VIEW ltdb_fdw_stats AS SELECT * FROM ltdb_fdw_get_stats();

COMMENT ON VIEW ltdb_fdw_stats
IS 'what this session has exchanged with each server so far; wait_time in milliseconds';

GRANT SELECT ON ltdb_fdw_stats TO PUBLIC;

CREATE FUNCTION ltdb_fdw_disconnect(server_name text)
RETURNS boolean
AS 'MODULE_PATHNAME', 'ltfdw_disconnect'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION ltdb_fdw_disconnect(text)
IS 'close the connections of this session to a server; true if there was one';

CREATE FUNCTION ltdb_fdw_disconnect_all()
RETURNS boolean
AS 'MODULE_PATHNAME', 'ltfdw_disconnect_all'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION ltdb_fdw_disconnect_all()
IS 'close all LTDB connections of this session; true if there was one';
