\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- Key-value pairs as a table.
CREATE FOREIGN TABLE c (key text, ts bigint, data text) SERVER ltdb;
CREATE FOREIGN TABLE kv (key text, value text) SERVER ltdb OPTIONS (kind 'kv', collection 'c');
CREATE FOREIGN TABLE kj (k varchar OPTIONS (column_name 'key'), doc jsonb OPTIONS (column_name 'value'), n int OPTIONS (field 'n')) SERVER ltdb OPTIONS (kind 'kv', collection 'j');
CREATE FUNCTION requests(query text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT ltrim(line) FROM explain_lines('VERBOSE', query) line WHERE line LIKE '%LTDB%' $$;

-- INSERT sets, UPDATE replaces or moves, DELETE removes, and all of it waits for COMMIT
INSERT INTO kv VALUES ('a', 'A'), ('b', 'B'), ('c', 'C') RETURNING *;
INSERT INTO kv VALUES ('a', 'A again');
INSERT INTO c VALUES ('a', 1, 'a record');
SELECT * FROM kv ORDER BY key;
SELECT value FROM kv WHERE key = 'b';
SELECT * FROM kv WHERE key IN ('c', 'none', 'a', '') ORDER BY key DESC;
SELECT count(*), min(key), max(value) FROM kv;
SELECT tableoid::regclass, kv FROM kv WHERE key = 'c';
BEGIN;
UPDATE kv SET value = value || '!' WHERE key <> 'c' RETURNING *;
UPDATE kv SET key = 'moved' WHERE key = 'b';
DELETE FROM kv WHERE key = 'c' RETURNING key;
SELECT * FROM kv ORDER BY key;
SELECT * FROM kv WHERE key IN ('a', 'b', 'c') ORDER BY key;
SELECT * FROM ltdb_kv_all('ltdb', 'c') ORDER BY key;
SELECT ltdb_kv_set('ltdb', 'c', 'set', 'by a function'), ltdb_kv_get('ltdb', 'c', 'set') AS not_yet;
SAVEPOINT s;
TRUNCATE kv;
SELECT count(*) FROM kv;
INSERT INTO kv VALUES ('after', 'TRUNCATE');
SELECT * FROM kv;
SELECT ltdb_kv_get('ltdb', 'c', 'a') IS NULL AS gone, array(SELECT ltdb_kv_keys('ltdb', 'c')) AS keys;
ROLLBACK TO s;
SELECT * FROM kv ORDER BY key;
ROLLBACK;
SELECT * FROM kv ORDER BY key;
BEGIN;
TRUNCATE kv;
INSERT INTO kv VALUES ('only', 'this');
COMMIT;
SELECT * FROM kv;
SELECT * FROM c;
DELETE FROM kv;
SELECT * FROM kv;

-- joins look single pairs up, or fetch them all
INSERT INTO kv SELECT 'k' || i, 'v' || i FROM generate_series(1, 20) i;
CREATE TABLE l (key text, n int);
INSERT INTO l VALUES ('k3', 1), ('k7', 2), ('none', 3);
SELECT * FROM l LEFT JOIN kv USING (key) ORDER BY n;
UPDATE kv SET value = 'joined' FROM l WHERE kv.key = l.key;
DELETE FROM kv USING l WHERE kv.key = l.key RETURNING kv.*;
SELECT count(*) FROM kv;
INSERT INTO kv SELECT 'copy of ' || key, value FROM kv WHERE key < 'k12';
SELECT count(*) FROM kv WHERE key LIKE 'copy of %';
SELECT * FROM kv WHERE key LIKE 'k1_' ORDER BY key LIMIT 2;
SELECT DISTINCT left(key, 2) AS k FROM kv ORDER BY k;

-- what is asked
SELECT requests('SELECT * FROM kv');
SELECT requests('SELECT * FROM kv WHERE key LIKE ''a%''');
SELECT requests('SELECT * FROM kv WHERE key = ''a''');
SELECT requests('SELECT * FROM kv WHERE key IN (''b'', ''a'') ORDER BY key DESC');
SELECT requests('SELECT * FROM l JOIN LATERAL (SELECT * FROM kv WHERE key = l.key OFFSET 0) x ON true');
SELECT requests('INSERT INTO kv VALUES (''a'', ''b'')');
SELECT requests('DELETE FROM kv WHERE key = ''a''');
PREPARE p(text) AS SELECT value FROM kv WHERE key = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE p('k1');
EXECUTE p(NULL);
SELECT requests('EXECUTE p(''k1'')');
RESET plan_cache_mode;

-- JSON values, and fields of them
INSERT INTO kj VALUES ('x', '{"n": 1, "m": [1, 2]}'), ('y', '{"n": 5}');
INSERT INTO kj (k, n) VALUES ('z', 7) RETURNING *;
UPDATE kj SET n = n + 1 WHERE n < 6 RETURNING k, n;
SELECT * FROM kj ORDER BY k;
SELECT ltdb_kv_set('ltdb', 'j', 'plain', 'no JSON');
SELECT * FROM kj WHERE k = 'plain';
SELECT * FROM kj;

-- statistics
ANALYZE kv;
SELECT reltuples FROM pg_class WHERE oid = 'kv'::regclass;
ANALYZE kj;
SELECT reltuples FROM pg_class WHERE oid = 'kj'::regclass;

-- write_mode 'immediate'
CREATE FOREIGN TABLE kn (key text, value text) SERVER ltdb OPTIONS (kind 'kv', collection 'c', write_mode 'immediate');
BEGIN;
DELETE FROM kn WHERE key LIKE 'copy of %';
UPDATE kn SET value = 'now' WHERE key = 'k1';
ROLLBACK;
SELECT count(*), string_agg(key, ' ') FILTER (WHERE value = 'now') AS now FROM kv;
TRUNCATE kn;
SELECT count(*) FROM kv;
SELECT * FROM c;

-- what cannot be
INSERT INTO kv VALUES ('', 'x');
INSERT INTO kv VALUES ('x', '');
INSERT INTO kv VALUES ('x', NULL);
INSERT INTO kv VALUES (NULL, 'x');
INSERT INTO kv VALUES ('x', 'y') ON CONFLICT DO NOTHING;
CREATE FOREIGN TABLE bad (key text, ts bigint, value text) SERVER ltdb OPTIONS (kind 'kv');
CREATE FOREIGN TABLE bad (key text, data text) SERVER ltdb OPTIONS (kind 'kv');
CREATE FOREIGN TABLE bad (key text, value text) SERVER ltdb OPTIONS (kind 'pairs');
CREATE FOREIGN TABLE bad (key text, value text) SERVER ltdb;
CREATE FOREIGN TABLE novalue (key text) SERVER ltdb OPTIONS (kind 'kv', collection 'j');
SELECT * FROM novalue ORDER BY key;
INSERT INTO novalue VALUES ('a');
CREATE FOREIGN TABLE nokey (value text) SERVER ltdb OPTIONS (kind 'kv', collection 'j');
SELECT count(*) FROM nokey;
DELETE FROM nokey;

-- IMPORT FOREIGN SCHEMA "kv" has the collections with pairs
INSERT INTO kv VALUES ('a', 'A');
INSERT INTO c SELECT 'only records', 1, 'x';
CREATE FOREIGN TABLE without (key text, ts bigint, data text) SERVER ltdb;
INSERT INTO without VALUES ('a', 1, 'x');
CREATE SCHEMA pairs;
IMPORT FOREIGN SCHEMA kv FROM SERVER ltdb INTO pairs;
SELECT c.relname, attname, atttypid::regtype, attnotnull, ftoptions
FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid JOIN pg_foreign_table ON ftrelid = c.oid
WHERE relnamespace = 'pairs'::regnamespace AND attnum > 0 ORDER BY 1, attnum;
SELECT * FROM pairs.c;
DROP SCHEMA pairs CASCADE;
CREATE SCHEMA pairs;
IMPORT FOREIGN SCHEMA kv LIMIT TO (j) FROM SERVER ltdb INTO pairs OPTIONS (value_type 'jsonb');
\d pairs.j
IMPORT FOREIGN SCHEMA kv FROM SERVER ltdb INTO pairs OPTIONS (ts_type 'bigint');
IMPORT FOREIGN SCHEMA ltdb FROM SERVER ltdb INTO pairs OPTIONS (value_type 'text');
DROP SCHEMA pairs CASCADE;
DROP FUNCTION requests, explain_lines;
DROP TABLE l;
\set ECHO none
\i sql/include/teardown.psql
