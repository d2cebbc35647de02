\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Rows that are collected before the first is shown, and do not fit work_mem:
-- they come back from a temporary file as they were.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb;
CREATE FOREIGN TABLE kv (key text, value text) SERVER ltdb OPTIONS (kind 'kv', collection 't');
CREATE TABLE l AS SELECT 'key' || n AS key, n::bigint AS ts, repeat(md5(n::text), 1 + n % 40) AS data FROM generate_series(1, 3000) n;
INSERT INTO t SELECT * FROM l;
INSERT INTO kv SELECT key, data FROM l;
SET work_mem = '64kB';
SELECT count(*), count(l.key) FROM (SELECT DISTINCT ON (key) * FROM t ORDER BY key, ts DESC) x FULL JOIN l ON x.key = l.key AND x.ts = l.ts AND x.data = l.data;
SELECT count(*), count(l.key) FROM (SELECT * FROM kv OFFSET 0) x FULL JOIN l ON x.key = l.key AND x.value = l.data;
SELECT count(*), count(l.key) FROM ltdb_kv_all('ltdb', 't') x FULL JOIN l ON x.key = l.key AND x.value = l.data;
SELECT count(*), count(l.key) FROM ltdb_latest('ltdb', 't') x FULL JOIN l ON x.key = l.key AND x.data = l.data;

-- one at a time, and from the beginning again
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT DISTINCT ON (key) key, length(data) FROM t ORDER BY key, ts DESC;
FETCH 2 FROM c;
FETCH LAST FROM c;
FETCH FIRST FROM c;
COMMIT;
SELECT sum(length(x.value)) FROM generate_series(1, 3) g, LATERAL (SELECT * FROM kv WHERE g > 0 OFFSET 0) x;
SELECT (SELECT sum(length(data)) * 3 FROM l) AS expected;
DROP TABLE l;
\set ECHO none
\i sql/include/teardown.psql
