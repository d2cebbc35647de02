\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Scans: pages, keys, rescans, cursors, prepared statements.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (fetch_size '7');
CREATE TABLE l (key text, ts bigint, data text);

SELECT * FROM t;
INSERT INTO l SELECT 'k' || k, 1000 + k * s, 'd' || s FROM generate_series(1, 20) k, generate_series(0, k) s;
INSERT INTO l SELECT 'long', s, repeat('x', s % 50) FROM generate_series(-10, 300) s;
INSERT INTO t SELECT * FROM l;
CREATE VIEW differences AS (TABLE t EXCEPT ALL TABLE l) UNION ALL (TABLE l EXCEPT ALL TABLE t);
SELECT * FROM differences;
SELECT count(*), count(DISTINCT key), min(ts), max(ts), sum(length(data)) FROM t;

-- the size of a page changes nothing
ALTER FOREIGN TABLE t OPTIONS (SET fetch_size '1');
SELECT * FROM differences;
ALTER FOREIGN TABLE t OPTIONS (SET fetch_size '311');
SELECT * FROM differences;
ALTER FOREIGN TABLE t OPTIONS (DROP fetch_size);
SELECT * FROM differences;
ALTER FOREIGN TABLE t OPTIONS (ADD fetch_size '5');

-- one key is read in the order of ts, although nobody has asked
SELECT array_agg(ts) = array_agg(ts ORDER BY ts) AS ordered FROM t WHERE key = 'long';
SELECT * FROM t WHERE key = 'k3' AND ts > 1003;
SELECT ts FROM t WHERE key = 'long' AND (ts < -8 OR ts BETWEEN 10 AND 12 OR ts IN (77, 299)) ORDER BY ts;
SELECT ts FROM t WHERE key = 'long' LIMIT 3;
SELECT count(*) FROM t WHERE key = 'nobody';

-- names that need care on the wire
INSERT INTO t VALUES
  ('it''s', 1, ''), ('"quoted"', 1, '"'), ('back\slash', 1, '\'), ('a/b', 1, '/'),
  (E'tab\tnew\nline', 1, E'\t\n\r\b\f'), ('Größe', 1, '日本語'), ('😀', 1, E'\u2028'), (' ', 1, ' ');
SELECT key, data FROM t WHERE ts = 1 AND key <> 'long' ORDER BY key COLLATE "C";
SELECT key, data FROM t WHERE key = E'tab\tnew\nline';
SELECT key FROM t WHERE key IN ('😀', 'Größe', 'back\slash') ORDER BY key COLLATE "C";

-- prepared statements, also once their plan is generic
PREPARE q(text, bigint) AS SELECT count(*), max(ts) FROM t WHERE key = $1 AND ts <= $2;
EXECUTE q('long', 0);
EXECUTE q('long', 1);
EXECUTE q('long', 2);
EXECUTE q('k5', 1000);
EXECUTE q(NULL, 1000);
EXECUTE q('long', NULL);
EXECUTE q('long', 100);
EXECUTE q('k5', 2000);
SET plan_cache_mode = force_generic_plan;
EXECUTE q('k5', 2000);
EXECUTE q(NULL, 2000);
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE q('k5', 2000);
RESET plan_cache_mode;

-- cursors: two at once on one connection, holdable, scrolled
BEGIN;
DECLARE a CURSOR FOR SELECT key, ts FROM t WHERE key = 'long';
DECLARE b SCROLL CURSOR FOR SELECT key, ts FROM t WHERE key = 'k4';
DECLARE c CURSOR WITH HOLD FOR SELECT key, ts FROM t WHERE key = 'k2';
FETCH 2 FROM a;
FETCH 2 FROM b;
FETCH 2 FROM a;
FETCH ALL FROM b;
FETCH BACKWARD 2 FROM b;
MOVE 300 FROM a;
FETCH ALL FROM a;
COMMIT;
FETCH ALL FROM c;
CLOSE c;

-- rescans: the inner side of a nested loop, a correlated subquery, LATERAL
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT count(*) FROM (VALUES (1000), (1001), (1002)) v(ts) JOIN t ON t.ts >= v.ts AND t.key LIKE 'k%';
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
SELECT k, (SELECT max(ts) FROM t WHERE key = k) FROM unnest(ARRAY['k1', 'k2', 'none', NULL]) k;
SELECT v.k, x.* FROM (VALUES ('k1', 1), ('k3', 2)) v(k, n), LATERAL (SELECT ts, data FROM t WHERE key = v.k ORDER BY ts DESC LIMIT v.n) x;
WITH RECURSIVE r(n) AS (
  SELECT 1000::bigint
  UNION ALL
  SELECT x.ts FROM r, LATERAL (SELECT ts FROM t WHERE key = 'k7' AND ts > n ORDER BY ts LIMIT 1) x)
SELECT array_agg(n) FROM r;

DROP VIEW differences;
DROP TABLE l;
\set ECHO none
\i sql/include/teardown.psql
