\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- A session's connections: listed, counted, closed.
SELECT ltdb_fdw_version() = (SELECT default_version FROM pg_available_extensions WHERE name = 'ltdb_fdw') AS same_version;
SELECT * FROM ltdb_fdw_get_connections();
SELECT count(*) FROM ltdb_fdw_stats;
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb;
INSERT INTO t SELECT 'k' || s % 3, s, s FROM generate_series(1, 30) s;
SELECT count(*) FROM t;
SELECT server_name, user_name = current_user AS mine, state, valid, used_in_xact FROM ltdb_fdw_get_connections();
CREATE TEMP TABLE before AS SELECT * FROM ltdb_fdw_stats;
SELECT server_name, user_name = current_user AS mine, connections, reconnects, requests, records, bytes_sent > 30 * 20 AS sent, bytes_received > 30 * 10 AS received, wait_time >= 0 AS waited, errors FROM before;
SELECT data FROM t WHERE key = 'k1' AND ts = 4;
SELECT a.requests - b.requests AS requests, a.records - b.records AS records, a.connections - b.connections AS connections FROM ltdb_fdw_stats a, before b;

-- what is in use is not closed, and what is closed comes back
BEGIN;
SELECT count(*) FROM t WHERE key = 'k1';
SELECT used_in_xact FROM ltdb_fdw_get_connections();
SELECT ltdb_fdw_disconnect('ltdb');
SELECT ltdb_fdw_disconnect_all();
COMMIT;
SELECT ltdb_fdw_disconnect('ltdb');
SELECT ltdb_fdw_disconnect('ltdb');
SELECT count(*) FROM ltdb_fdw_get_connections();
SELECT count(*) FROM t WHERE key = 'k1';
SELECT connections, errors FROM ltdb_fdw_stats;
SELECT ltdb_fdw_disconnect_all(), ltdb_fdw_disconnect_all();
SELECT ltdb_fdw_disconnect('nowhere');

-- errors count, and do not go away with a connection
ALTER SERVER ltdb OPTIONS (ADD connect_timeout '1s', SET url 'ws://127.0.0.1:1');
SELECT count(*) FROM t;
SELECT connections, errors FROM ltdb_fdw_stats;

-- a connection whose options have changed in the meantime
\set ECHO none
ALTER SERVER ltdb OPTIONS (SET url :'ltdb_url');
\set ECHO all
BEGIN;
SELECT count(*) FROM t WHERE key = 'k1';
ALTER SERVER ltdb OPTIONS (SET connect_timeout '2s');
SELECT state, valid, used_in_xact FROM ltdb_fdw_get_connections();
COMMIT;
SELECT count(*) FROM ltdb_fdw_get_connections();

-- functions that delete are not for everybody
SELECT proname FROM pg_proc WHERE proname LIKE 'ltdb%' AND NOT has_function_privilege('pg_monitor', oid, 'EXECUTE') ORDER BY 1;
DROP TABLE before;
\set ECHO none
\i sql/include/teardown.psql
