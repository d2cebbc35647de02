\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- The SQL functions.
CREATE FOREIGN TABLE t (key text, ts timestamptz, data jsonb) SERVER ltdb OPTIONS (collection 'c');
INSERT INTO t SELECT k, '2020-01-01'::timestamptz + d * interval '1 day', jsonb_build_object('d', d)
FROM unnest(ARRAY['a', 'b', 'c']) k, generate_series(0, 9) d;
DELETE FROM t WHERE key = 'c' AND ts > '2020-01-03';

-- key-value pairs
SELECT ltdb_kv_get('ltdb', 'c', 'k1');
SELECT ltdb_kv_set('ltdb', 'c', 'k1', 'v1'), ltdb_kv_set('ltdb', 'c', 'ключ', E'v "2"\n\\');
SELECT ltdb_kv_get('ltdb', 'c', 'k1'), ltdb_kv_get('ltdb', 'c', 'ключ'), ltdb_kv_get('ltdb', 'c', 'none'), ltdb_kv_get('ltdb', 'none', 'k1');
SELECT ltdb_kv_set('ltdb', 'c', 'k1', 'v1 again');
SELECT * FROM ltdb_kv_all('ltdb', 'c') ORDER BY key COLLATE "C";
SELECT k FROM ltdb_kv_keys('ltdb', 'c') k ORDER BY k COLLATE "C";
SELECT ltdb_kv_delete('ltdb', 'c', 'k1');
SELECT ltdb_kv_delete('ltdb', 'c', 'k1');
SELECT k, ltdb_kv_get('ltdb', 'c', k) FROM ltdb_kv_keys('ltdb', 'c') k;
SELECT * FROM ltdb_kv_all('ltdb', 'none');
SELECT count(*) FROM ltdb_kv_keys('ltdb', 'none');

-- a value from there can be pushed down
SELECT ltdb_kv_set('ltdb', 'config', 'station', 'b');
SELECT explain_lines('VERBOSE', $$SELECT max(ts) FROM t WHERE key = ltdb_kv_get('ltdb', 'config', 'station')$$);
SELECT max(ts) FROM t WHERE key = ltdb_kv_get('ltdb', 'config', 'station');

-- latest
SELECT * FROM ltdb_latest('ltdb', 'c') ORDER BY key;
SELECT * FROM ltdb_latest('ltdb', 'c', '2020-01-04 12:00') ORDER BY key;
SELECT * FROM ltdb_latest('ltdb', 'c', '2020-01-04 00:00:00', 'b');
SELECT * FROM ltdb_latest('ltdb', 'c', '2020-01-03 23:59:59.9', 'b');
SELECT * FROM ltdb_latest('ltdb', 'c', since => '2020-01-05') ORDER BY key;
SELECT * FROM ltdb_latest('ltdb', 'c', since => '2020-01-10 00:00:00.1') ORDER BY key;
SELECT * FROM ltdb_latest('ltdb', 'c', since => '1970-01-01') ORDER BY key;
SELECT * FROM ltdb_latest('ltdb', 'c', at => '2020-01-05', since => '2020-01-06');
SELECT * FROM ltdb_latest('ltdb', 'c', at => 'infinity', since => '-infinity', key => 'c');
SELECT * FROM ltdb_latest('ltdb', 'c', key => '');
SELECT * FROM ltdb_latest('ltdb', 'none');
SELECT * FROM ltdb_latest('ltdb', 'c', at => '1970-01-01');
INSERT INTO t VALUES ('old', '1960-01-01', '1');
SELECT * FROM ltdb_latest('ltdb', 'c', since => '1970-01-01', key => 'old');
SELECT * FROM ltdb_latest('ltdb', 'c', since => '1950-01-01', key => 'old');

-- NULL: nothing asked, nothing answered; but a write is refused
SELECT ltdb_kv_get(NULL, 'c', 'k'), ltdb_kv_get('ltdb', NULL, 'k'), ltdb_kv_get('ltdb', 'c', NULL);
SELECT * FROM ltdb_kv_all('ltdb', NULL);
SELECT * FROM ltdb_collections(NULL);
SELECT ltdb_latest(NULL, 'c');
SELECT ltdb_latest('ltdb', NULL);
SELECT ltdb_kv_set('ltdb', 'c', 'k', NULL);
SELECT ltdb_kv_delete('ltdb', 'c', NULL);
SELECT ltdb_delete_key('ltdb', NULL, 'k');
SELECT ltdb_delete_collection('ltdb', NULL);

-- what LTDB would refuse or take for something else
SELECT ltdb_kv_set('ltdb', 'c', 'k', '');
SELECT ltdb_kv_set('ltdb', 'c', '', 'v');
SELECT ltdb_kv_get('ltdb', '', 'k');
SELECT ltdb_delete_key('ltdb', '', 'a');
SELECT ltdb_delete_key('ltdb', 'c', '');
SELECT ltdb_delete_collection('ltdb', '');
SELECT ltdb_collections('nowhere');
SELECT * FROM ltdb_collections('ltdb') ORDER BY 1;

-- deleting a key, even the last, keeps the pairs
SELECT ltdb_delete_key('ltdb', 'c', 'old');
SELECT ltdb_delete_key('ltdb', 'c', 'a');
SELECT DISTINCT key FROM t ORDER BY key;
SELECT ltdb_delete_key('ltdb', 'c', 'b'), ltdb_delete_key('ltdb', 'c', 'c'), ltdb_delete_key('ltdb', 'c', 'none');
SELECT count(*) FROM t;
SELECT * FROM ltdb_kv_all('ltdb', 'c');
SELECT ltdb_delete_collection('ltdb', 'c');
SELECT ltdb_delete_collection('ltdb', 'c');
SELECT * FROM ltdb_kv_all('ltdb', 'c');
SELECT ltdb_collections('ltdb');

-- the caller needs USAGE on the server
SELECT proname, provolatile, proparallel, proisstrict FROM pg_proc
WHERE proname LIKE 'ltdb%' ORDER BY proname;
CREATE ROLE ltdb_nobody;
SET ROLE ltdb_nobody;
SELECT ltdb_collections('ltdb');
SELECT ltdb_kv_set('ltdb', 'c', 'k', 'v');
RESET ROLE;
DROP ROLE ltdb_nobody;
DROP FUNCTION explain_lines;
\set ECHO none
\i sql/include/teardown.psql
