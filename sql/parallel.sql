\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- Parallel plans with a foreign scan in the leader, and compiled expressions.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'c');
INSERT INTO t SELECT 'k' || k, s, repeat('x', s) FROM generate_series(1, 5) k, generate_series(1, 20) s;
CREATE TABLE big (key text, n int);
INSERT INTO big SELECT 'k' || n % 7, n FROM generate_series(1, 20000) n;
ANALYZE big;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
-- only PostgreSQL's own table is below the Gather
SELECT count(*) FILTER (WHERE line LIKE '%Gather%') AS gathers, count(*) FILTER (WHERE line LIKE '%Parallel Seq Scan on big%') AS big,
  count(*) FILTER (WHERE line LIKE '%Foreign Scan on t%') AS foreign FROM explain_lines('ANALYZE OFF', 'SELECT b.key, count(*) FROM (SELECT key, n FROM big WHERE n % 100 = 0) b JOIN t USING (key) GROUP BY 1') line;
SELECT b.key, count(*), sum(t.ts) FROM (SELECT key, n FROM big WHERE n % 100 = 0) b JOIN t USING (key) GROUP BY 1 ORDER BY 1;
SELECT (SELECT max(n) FROM big) AS big, (SELECT max(ts) FROM t) AS newest, count(*) FROM t WHERE ts < (SELECT min(n) + 4 FROM big);
SELECT count(*) FROM big WHERE key IN (SELECT key FROM t WHERE ts = 1);
SELECT count(*) FROM (SELECT key FROM big UNION ALL SELECT key FROM t) u;
SELECT count(*) FROM big b WHERE n < 50 AND EXISTS (SELECT FROM t WHERE t.key = b.key AND t.ts = b.n);

-- every plan in a worker that may be
DO $$ BEGIN
  PERFORM set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
END $$;
SELECT key, count(*), max(data) FROM t WHERE ts < 4 GROUP BY key ORDER BY key;
SELECT DISTINCT ON (key) key, ts FROM t ORDER BY key, ts DESC;
SELECT count(*), ltdb_kv_get('ltdb', 'c', 'none') FROM big;
SELECT ltdb_kv_set('ltdb', 'c', 'pair', count(*)::text) FROM big;
SELECT ltdb_kv_get('ltdb', 'c', 'pair');
SELECT * FROM ltdb_latest('ltdb', 'c', key => 'k1');
WITH d AS (DELETE FROM t WHERE key = 'k5' RETURNING ts) SELECT count(*) FROM d;
INSERT INTO t SELECT 'new', n, 'n' FROM big WHERE n <= 3 RETURNING *;
RESET max_parallel_workers_per_gather;
DO $$ BEGIN
  PERFORM set_config(name, 'off', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
END $$;

-- expressions compiled, where PostgreSQL can do that
SET jit = on;
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SET jit_optimize_above_cost = 0;
SELECT key, ts, length(data) FROM t WHERE key LIKE 'k%' AND key <> 'k' || 1 AND length(data) > 18 AND ts < (SELECT max(n) FROM big) ORDER BY key, ts;
SELECT b.key, sum(t.ts) FROM (VALUES ('k1', 3), ('k2', 4), (NULL, 5)) b (key, n) JOIN t ON t.key = b.key AND t.ts < b.n GROUP BY 1 ORDER BY 1;
SELECT n, (SELECT count(*) FROM t WHERE key > 'k' || n AND ts = n) FROM generate_series(1, 4) n;
SELECT t FROM t WHERE key = 'new' ORDER BY ts DESC LIMIT 2;
DROP TABLE big;
DROP FUNCTION explain_lines;
\set ECHO none
\i sql/include/teardown.psql
