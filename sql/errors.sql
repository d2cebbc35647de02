\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Errors: their SQLSTATE, and that the session goes on working.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb;
INSERT INTO t VALUES ('a', 1, 'x');
\set VERBOSITY verbose
\set SHOW_CONTEXT never
CREATE FUNCTION sqlstate_of(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '127\.0\.0\.1:\d+', 'HOST:PORT');
END $$;
\set VERBOSITY default

-- nobody listens there
CREATE SERVER nobody FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1:1', connect_timeout '2s');
CREATE USER MAPPING FOR CURRENT_USER SERVER nobody OPTIONS (api_key 'hidden-key');
CREATE FOREIGN TABLE n (key text, ts bigint, data text) SERVER nobody;
SELECT sqlstate_of('SELECT * FROM n') ~ '^08001 .*HOST:PORT' AS unable_to_connect;
INSERT INTO n VALUES ('a', 1, '');
ALTER FOREIGN TABLE n OPTIONS (ADD write_mode 'immediate');
SELECT sqlstate_of('INSERT INTO n VALUES (''a'', 1, '''')') ~ '^08001 ' AS unable_to_connect;
SELECT sqlstate_of('SELECT * FROM ltdb_collections(''nobody'')') ~ '^08001 ' AS unable_to_connect;
SELECT sqlstate_of('SELECT * FROM n') ~ 'hidden-key' AS leaks_key;
SELECT * FROM t;

-- the wrong key
CREATE SERVER wrong FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url :'ltdb_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER wrong OPTIONS (api_key 'hidden-key');
CREATE FOREIGN TABLE w (key text, ts bigint, data text) SERVER wrong OPTIONS (collection 't');
SELECT sqlstate_of('SELECT * FROM w') ~ '^28000 ' AS refused, sqlstate_of('SELECT * FROM w') ~ 'hidden-key' AS leaks_key;
ALTER USER MAPPING FOR CURRENT_USER SERVER wrong OPTIONS (SET api_key :'ltdb_api_key');
SELECT * FROM w;

-- values
SELECT sqlstate_of('INSERT INTO t VALUES ('''', 1, ''x'')');
SELECT sqlstate_of('INSERT INTO t VALUES (NULL, 1, ''x'')');
SELECT sqlstate_of('INSERT INTO t VALUES (''a'', 1, NULL)');
SELECT sqlstate_of('INSERT INTO t VALUES (''a'', 4000000000, ''x'')');
SELECT sqlstate_of('UPDATE t SET ts = 4000000000');
SELECT sqlstate_of('INSERT INTO t VALUES (''a'', 1, ''x'') ON CONFLICT DO NOTHING');
SELECT sqlstate_of('SELECT ltdb_kv_set(''ltdb'', ''t'', ''k'', '''')');
SELECT sqlstate_of('SELECT ltdb_kv_set(''ltdb'', ''t'', ''k'', NULL)');
SELECT sqlstate_of('SELECT ltdb_kv_set(''missing'', ''t'', ''k'', ''v'')');
SELECT * FROM t;

-- an error in the middle of a scan leaves nothing behind for the next
INSERT INTO t SELECT 'many', s, s::text FROM generate_series(1, 3000) s;
SELECT sum(1 / (ts - 2500)) FROM t WHERE key = 'many';
SELECT count(*) FROM t WHERE key = 'many';
DO $$
BEGIN
  FOR i IN 1..5 LOOP
    BEGIN
      PERFORM sum(1 / (ts - 100 * i)) FROM t;
    EXCEPTION WHEN division_by_zero THEN
      RAISE NOTICE 'division by zero, and % rows', (SELECT count(*) FROM t);
    END;
  END LOOP;
END $$;

DROP FUNCTION sqlstate_of;
SET client_min_messages = warning;
DROP SERVER nobody CASCADE;
DROP SERVER wrong CASCADE;
\set ECHO none
\i sql/include/teardown.psql
