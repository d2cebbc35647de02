\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
CREATE SERVER other FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url :'ltdb_url', write_mode 'immediate');
CREATE USER MAPPING FOR CURRENT_USER SERVER other OPTIONS (api_key :'ltdb_api_key');
\set ECHO all
-- DELETE of whole keys and of everything, TRUNCATE, ltdb_delete_key and
-- ltdb_delete_collection: few requests, and no key-value pair is lost.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (fetch_size '3');
CREATE FOREIGN TABLE other_t (key text, ts bigint, data text) SERVER other OPTIONS (collection 't');
CREATE FOREIGN TABLE kv (key text, value text) SERVER ltdb OPTIONS (kind 'kv', collection 't');
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS
$$ INSERT INTO t SELECT k, n, k || n FROM unnest(ARRAY['a', 'b', 'c']) k, generate_series(-2, 5) n $$;
CREATE FUNCTION shown() RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(key || ' ' || n, ', ' ORDER BY key) FROM (SELECT key, count(*) AS n FROM t GROUP BY key) x $$;

-- the number of rows is exact, and ROLLBACK brings them back
\set QUIET off
SELECT fill();
BEGIN;
DELETE FROM t WHERE key = 'b';
SELECT shown();
INSERT INTO t VALUES ('b', 7, 'new'), ('a', 1, 'replaced'), ('a', 9, 'new');
SAVEPOINT s;
DELETE FROM t WHERE key <= 'b';
SELECT shown();
DELETE FROM t;
DELETE FROM t;
SELECT shown();
ROLLBACK TO s;
SELECT shown();
SELECT * FROM t WHERE key = 'b' OR ts = 9 ORDER BY key, ts;
SELECT key, data FROM ltdb_latest('ltdb', 't') ORDER BY key;
DELETE FROM t WHERE key = 'none';
COMMIT;
SELECT shown();
DELETE FROM t WHERE key = 'b';
DELETE FROM t WHERE key > 'b';
SELECT * FROM explain_lines('ANALYZE', 'DELETE FROM t WHERE key = ''a''');
SELECT shown();
\set QUIET on

-- a cursor goes on to see what was there when it was opened
SELECT fill();
BEGIN;
INSERT INTO t VALUES ('d', 1, 'd1');
DECLARE c CURSOR FOR SELECT key, ts FROM t WHERE key IN ('c', 'd') AND ts BETWEEN 1 AND 2 ORDER BY key, ts;
DELETE FROM t;
FETCH ALL FROM c;
ROLLBACK;

-- pairs outlive the last key, whichever way it goes
INSERT INTO kv VALUES ('pair', 'value');
DELETE FROM t;
SELECT shown(), (SELECT count(*) FROM kv) AS pairs;
SELECT fill();
DELETE FROM t WHERE key = 'a' OR key = 'b' OR key = 'c';
SELECT shown(), (SELECT count(*) FROM kv) AS pairs;
SELECT fill();
TRUNCATE t;
SELECT shown(), (SELECT count(*) FROM kv) AS pairs;
SELECT fill();
SELECT ltdb_delete_key('ltdb', 't', k) FROM unnest(ARRAY['a', 'b', 'c', 'd']) k;
SELECT shown(), (SELECT count(*) FROM kv) AS pairs;
SELECT fill();
BEGIN;
TRUNCATE t, kv;
INSERT INTO kv VALUES ('new', 'pair');
INSERT INTO t VALUES ('new', 1, 'record');
COMMIT;
SELECT shown(), kv FROM kv;

-- what others add between DELETE and COMMIT stays
SELECT fill();
BEGIN;
DELETE FROM t WHERE key IN ('a', 'b', 'new');
INSERT INTO other_t VALUES ('a', 100, 'newer'), ('other', 1, 'new key');
COMMIT;
SELECT * FROM t WHERE key <> 'c' ORDER BY key, ts;
SELECT count(*) FROM kv;
BEGIN;
DELETE FROM t WHERE key = 'a' AND ts = 100;
DELETE FROM t WHERE key = 'a';
INSERT INTO other_t VALUES ('a', 99, 'older');
COMMIT;
SELECT shown();
BEGIN;
INSERT INTO t VALUES ('mine', 1, 'x');
DELETE FROM t WHERE key = 'mine';
INSERT INTO other_t VALUES ('mine', 2, 'x');
COMMIT;
SELECT shown();

-- a statement that erases and stores: what it stores stays
WITH gone AS (DELETE FROM t WHERE key = 'c') INSERT INTO t VALUES ('c', 1, 'same place'), ('c', 50, 'new place');
SELECT * FROM t WHERE key = 'c';
SELECT ltdb_delete_key('ltdb', 't', 'c'), ltdb_kv_delete('ltdb', 't', 'new'), ltdb_kv_set('ltdb', 't', 'new', 'set again');
SELECT shown(), value FROM kv;

-- many keys take one look at all of them
INSERT INTO t SELECT 'key' || n, s, 'x' FROM generate_series(1, 200) n, generate_series(1, 2) s;
DELETE FROM t WHERE key LIKE 'key1%';
SELECT count(*), count(DISTINCT key) FROM t;
DELETE FROM t WHERE key LIKE 'key%' OR key = 'other';
SELECT shown(), (SELECT count(*) FROM kv) AS pairs;

-- a collection goes with everything in it
SELECT fill();
BEGIN;
SELECT ltdb_delete_collection('ltdb', 't');
SELECT shown(), (SELECT count(*) FROM kv) AS pairs;
INSERT INTO t VALUES ('z', 1, 'z');
ROLLBACK;
SELECT shown(), (SELECT count(*) FROM kv) AS pairs;
SELECT ltdb_delete_collection('ltdb', 't');
SELECT count(*) FROM ltdb_collections('ltdb');
SELECT fill();
SELECT ltdb_delete_collection('ltdb', 't'), ltdb_kv_set('ltdb', 't', 'a', 'A');
SELECT shown(), (SELECT count(*) FROM kv) AS pairs;
SELECT fill();
BEGIN;
SELECT ltdb_delete_collection('other', 't');
ROLLBACK;
SELECT count(*) FROM ltdb_collections('ltdb');

-- write_mode 'immediate' counts and keeps the same
SELECT fill();
INSERT INTO kv VALUES ('pair', 'value');
\set QUIET off
BEGIN;
DELETE FROM other_t WHERE key = 'a';
WITH d AS (DELETE FROM other_t) SELECT count(*) FROM other_t;
SELECT count(*) FROM other_t;
ROLLBACK;
\set QUIET on
SELECT shown(), (SELECT count(*) FROM kv) AS pairs;

-- the first use of the extension within a savepoint is undone as well
\c
SELECT set_config('client_min_messages', 'notice', false);
BEGIN;
SAVEPOINT s;
INSERT INTO t VALUES ('s', 1, 'x');
ROLLBACK TO s;
COMMIT;
SELECT shown();
DROP FUNCTION fill, shown, explain_lines;
\set ECHO none
SET client_min_messages = warning;
DROP SERVER other CASCADE;
\i sql/include/teardown.psql
