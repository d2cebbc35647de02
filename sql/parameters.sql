\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- Joins that send the values of the outer side: key = outer.key, ts bounds.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'c');
INSERT INTO t SELECT 'k' || to_char(k, 'FM000'), s, format('{"s": %s}', s)
FROM generate_series(1, 200) k, generate_series(1, 20) s;
CREATE TABLE o (id int, key text, lower bigint, upper bigint);
INSERT INTO o SELECT n, 'k' || to_char(n, 'FM000'), n, n + 2 FROM generate_series(1, 10) n;
ANALYZE o;
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT line FROM explain_lines('VERBOSE, ANALYZE', query) line WHERE line !~ 'Output:' $$;

-- ten outer keys, ten requests
SELECT explain('SELECT o.id, t.ts FROM o JOIN t ON t.key = o.key');
SELECT count(*), sum(t.ts) FROM o JOIN t ON t.key = o.key;
SELECT explain('SELECT o.id, t.ts FROM o JOIN t ON t.key = o.key AND t.ts BETWEEN o.lower AND o.upper');
SELECT count(*), sum(t.ts) FROM o JOIN t ON t.key = o.key AND t.ts BETWEEN o.lower AND o.upper;
SELECT explain('SELECT o.id, t.ts FROM o LEFT JOIN t ON t.key = o.key AND t.ts > o.upper WHERE o.id < 3');
SELECT explain('SELECT o.id, x.ts FROM o, LATERAL (SELECT ts FROM t WHERE t.key = o.key ORDER BY ts DESC LIMIT 1) x');
SELECT o.id, x.ts FROM o, LATERAL (SELECT ts FROM t WHERE t.key = o.key AND t.ts < o.upper ORDER BY ts DESC LIMIT 1) x ORDER BY 1;
SELECT explain('SELECT * FROM t WHERE key IN (SELECT key FROM o WHERE id < 4) AND ts = 7');

-- NULL finds nothing, and a key that comes again at once is not asked for again
TRUNCATE o;
INSERT INTO o VALUES (1, 'k001', 1, 2), (2, 'k001', 1, NULL), (3, 'k001', 1, 2), (4, NULL, 1, 2), (5, 'none', 1, 2), (6, '', 1, 2);
ANALYZE o;
SET enable_memoize = off;
SELECT explain('SELECT o.id, t.ts FROM o LEFT JOIN t ON t.key = o.key AND t.ts <= 2');
RESET enable_memoize;
SELECT o.id, t.ts FROM o LEFT JOIN t ON t.key = o.key AND t.ts <= o.upper ORDER BY 1, 2;

-- many outer keys: one pass over the collection
TRUNCATE o;
INSERT INTO o SELECT n, 'k' || to_char(n % 200 + 1, 'FM000'), 1, 2 FROM generate_series(1, 5000) n;
ANALYZE o;
EXPLAIN (COSTS OFF) SELECT count(*) FROM o JOIN t ON t.key = o.key;
SELECT count(*) FROM o JOIN t ON t.key = o.key;

-- a merge join needs no sort of the foreign side
SET enable_hashjoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM o JOIN t ON t.key = o.key;
SELECT count(*) FROM o JOIN t ON t.key = o.key;
EXPLAIN (COSTS OFF) SELECT count(*) FROM t a JOIN t b USING (key, ts);
SELECT count(*) FROM t a JOIN t b USING (key, ts);
DROP FUNCTION explain, explain_lines;
DROP TABLE o;
\set ECHO none
\i sql/include/teardown.psql
