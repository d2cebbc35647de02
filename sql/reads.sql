\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- Reads that the planner understands: the requests they take.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'c');
CREATE FOREIGN TABLE z (key text, ts timestamptz, data jsonb) SERVER ltdb OPTIONS (collection 'c');
INSERT INTO t SELECT 'k' || to_char(k, 'FM000'), 1577836800 + s, format('{"s": %s}', s)
FROM generate_series(1, 100) k, generate_series(1, 50) s;
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT line FROM explain_lines('VERBOSE, ANALYZE', query) line WHERE line !~ 'Output:' $$;

-- order: one key, either way; all keys, by (key, ts) in all four ways
SELECT explain('SELECT ts FROM t WHERE key = ''k001'' AND ts < 1577836810 ORDER BY ts DESC');
SELECT explain('SELECT key, ts FROM t WHERE key < ''k003'' ORDER BY key DESC, ts');
SELECT explain('SELECT key, ts FROM t WHERE key < ''k003'' ORDER BY key, ts DESC');
SELECT explain('SELECT key, ts FROM t WHERE key IN (''k003'', ''k001'', ''k002'') ORDER BY key, data');
SELECT explain('SELECT key, count(*) FROM t WHERE key < ''k003'' GROUP BY key ORDER BY key');
SELECT explain('SELECT key, row_number() OVER (PARTITION BY key ORDER BY ts) FROM t WHERE key < ''k003''');

-- LIMIT and OFFSET
SELECT explain('SELECT * FROM t WHERE key = ''k001'' LIMIT 3');
SELECT explain('SELECT * FROM t WHERE key = ''k001'' ORDER BY ts DESC LIMIT 3 OFFSET 2');
SELECT explain('SELECT * FROM t ORDER BY key, ts LIMIT 3');
SELECT explain('SELECT * FROM t ORDER BY ts DESC LIMIT 3');
SELECT explain('SELECT * FROM t WHERE key LIKE ''k00%'' LIMIT 1');
PREPARE q(bigint) AS SELECT * FROM t WHERE key = 'k001' ORDER BY ts DESC LIMIT $1;
SET plan_cache_mode = force_generic_plan;
SELECT explain('EXECUTE q(2)');
EXECUTE q(2);
RESET plan_cache_mode;

-- LIMIT that must not be sent
SELECT explain('SELECT * FROM t WHERE key = ''k001'' AND data LIKE ''%4%'' LIMIT 3');
SELECT explain('SELECT * FROM t WHERE key = ''k001'' ORDER BY ts FETCH FIRST 3 ROWS WITH TIES');
SELECT explain('SELECT generate_series(1, 2), ts FROM t WHERE key = ''k001'' LIMIT 3');
SELECT explain('SELECT ts FROM t WHERE key = ''k001'' LIMIT 3 FOR UPDATE');
SELECT explain('SELECT count(*) FROM t WHERE key = ''k001'' LIMIT 1');
SELECT explain('SELECT DISTINCT ts FROM t WHERE key = ''k001'' LIMIT 1');

-- the newest record of each key: one request
SELECT explain('SELECT DISTINCT ON (key) key, ts, data FROM t ORDER BY key, ts DESC');
SELECT explain('SELECT DISTINCT ON (key) * FROM t WHERE ts BETWEEN 1577836801 AND 1577836820 AND key >= ''k098'' ORDER BY key, ts DESC');
SELECT explain('SELECT DISTINCT key FROM t');
SELECT explain('SELECT key FROM t GROUP BY key');
SELECT explain('SELECT key, max(ts) FROM t GROUP BY key');
SELECT explain('SELECT max(ts) FROM t');
SELECT explain('SELECT max(ts) FROM t WHERE key = ''k001''');
SELECT explain('SELECT min(ts) FROM t WHERE key = ''k001''');
-- with one key it is a Limit on top since PostgreSQL 16, a Unique before
SELECT line FROM explain('SELECT DISTINCT ON (key) * FROM t WHERE key = ''k001'' ORDER BY key, ts DESC') line WHERE line !~ '^(Limit|Unique)';
SELECT DISTINCT ON (key) * FROM z WHERE key > 'k097' AND ts < '2020-01-01 00:00:10.5' ORDER BY key DESC, ts DESC;

-- the oldest, and what prevents it
SELECT explain('SELECT DISTINCT ON (key) * FROM t WHERE key > ''k098'' ORDER BY key, ts');
SELECT explain('SELECT DISTINCT ON (key) * FROM t WHERE key > ''k098'' AND data LIKE ''%1}'' ORDER BY key, ts DESC');
SELECT explain('SELECT key, max(ts), count(*) FROM t WHERE key > ''k098'' GROUP BY key');
SELECT explain('SELECT key, max(data) FROM t WHERE key > ''k098'' GROUP BY key');
SELECT explain('SELECT key, min(ts), max(ts) FROM t WHERE key > ''k098'' GROUP BY key');

-- of a thousand keys just as well
CREATE FOREIGN TABLE thousand (key text, ts bigint, data text) SERVER ltdb;
INSERT INTO thousand SELECT 'k' || k, s, 'd' || k * s FROM generate_series(1, 1000) k, generate_series(1, 3) s;
SELECT explain('SELECT DISTINCT ON (key) * FROM thousand ORDER BY key, ts DESC');
SELECT count(*), min(ts), count(DISTINCT data) FROM (SELECT DISTINCT ON (key) * FROM thousand ORDER BY key, ts DESC) l;
DROP FUNCTION explain, explain_lines;
\set ECHO none
\i sql/include/teardown.psql
