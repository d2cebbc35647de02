\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Where a scan meets the rest of the executor: cursors, rescans, rows as a
-- whole, system columns, columns that come and go.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'c', fetch_size '2');
INSERT INTO t SELECT k, s, k || s FROM unnest(ARRAY['a', 'ab', 'b', 'bc', 'c']) k, generate_series(1, 4) s;
CREATE TABLE o (id int, prefix text, ts bigint, n int);
INSERT INTO o VALUES (1, 'a', 1, 1), (2, 'b', 1, 2), (3, 'c', 2, 0), (4, 'x', 1, 1), (5, NULL, 1, 3), (6, 'a', 1, NULL);
ANALYZE o;

-- cursors: two at once, forwards and backwards
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT key, ts FROM t ORDER BY key, ts;
DECLARE d CURSOR FOR SELECT ts, key FROM t WHERE key = 'b' ORDER BY ts DESC;
FETCH 2 FROM c;
FETCH 2 FROM d;
MOVE 3 FROM c;
FETCH FROM c;
FETCH BACKWARD 2 FROM c;
FETCH ALL FROM d;
FETCH LAST FROM c;
FETCH PRIOR FROM c;
FETCH ABSOLUTE 7 FROM c;
FETCH RELATIVE -6 FROM c;
MOVE BACKWARD ALL FROM c;
FETCH NEXT FROM c;
SAVEPOINT s;
DECLARE e NO SCROLL CURSOR FOR SELECT key FROM t LIMIT 3;
FETCH 1 FROM e;
FETCH PRIOR FROM e;
ROLLBACK TO s;
FETCH NEXT FROM c;
DELETE FROM t WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE h SCROLL CURSOR WITH HOLD FOR SELECT key, ts FROM t WHERE ts > 2 ORDER BY key, ts;
FETCH 2 FROM h;
DECLARE i CURSOR WITH HOLD FOR SELECT count(*) FROM t;
INSERT INTO t VALUES ('d', 5, 'd5');
COMMIT;
FETCH 2 FROM h;
FETCH LAST FROM h;
FETCH FIRST FROM h;
FETCH ALL FROM i;
CLOSE ALL;
DELETE FROM t WHERE key = 'd';

-- a loop over one scan with others in it, some of them failing
DO $$
DECLARE
  r record;
  failed int := 0;
  rows int := 0;
BEGIN
  FOR r IN SELECT * FROM t LOOP
    BEGIN
      PERFORM 1 / (r.ts - 2), data FROM t WHERE t.key = r.key;
      rows := rows + (SELECT count(*) FROM t WHERE t.key = r.key);
    EXCEPTION WHEN division_by_zero THEN
      failed := failed + 1;
    END;
  END LOOP;
  RAISE NOTICE '% rows, % failed', rows, failed;
END $$;

-- rescans with other values, wherever they are used
SELECT id, (SELECT count(*) FROM t WHERE key = o.prefix) AS key, (SELECT count(*) FROM t WHERE key LIKE o.prefix || '%') AS filter,
  (SELECT count(*) FROM t WHERE ts <= o.ts AND key >= o.prefix) AS both, (SELECT string_agg(data, ' ') FROM t WHERE length(data) = o.ts + 1 AND key > 'b') AS local,
  ARRAY(SELECT data FROM t ORDER BY key, ts LIMIT o.n) AS limited, (SELECT max(ts) FROM t WHERE key <> o.prefix AND ts < 4 - o.ts) AS latest
FROM o ORDER BY id;
SELECT id, x.* FROM o LEFT JOIN LATERAL (SELECT DISTINCT ON (key) key, ts FROM t WHERE key LIKE o.prefix || '%' ORDER BY key, ts DESC) x ON true ORDER BY 1, 2;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT id, count(*), string_agg(t.data, ' ' ORDER BY t.key) FROM o JOIN t ON t.ts = o.ts AND t.key > o.prefix GROUP BY id ORDER BY id;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
WITH RECURSIVE r AS (SELECT 'a' AS key, 1::bigint AS ts UNION ALL SELECT t.key, t.ts FROM r JOIN t ON t.ts = r.ts + 1 AND t.key = r.key)
SELECT * FROM r;
WITH m AS MATERIALIZED (SELECT * FROM t), n AS NOT MATERIALIZED (SELECT * FROM t)
SELECT (SELECT count(*) FROM m WHERE key = 'a'), (SELECT count(*) FROM m), (SELECT max(data) FROM n WHERE key = 'a'), (SELECT min(data) FROM n WHERE key = 'b');

-- rows as a whole, and comparisons of rows
SELECT t, (t).data, t IS NULL, t.* IS NOT NULL, t = ROW('a'::text, 1::bigint, 'a1'::text) AS same FROM t WHERE key = 'a' AND ts < 3 ORDER BY ts;
SELECT o.id, t, (SELECT x FROM t x WHERE x.key = t.key ORDER BY ts DESC LIMIT 1) AS newest FROM o LEFT JOIN t ON t.key = o.prefix AND t.ts = o.ts ORDER BY o.id;
SELECT to_jsonb(t), row_to_json(t) FROM t WHERE key = 'b' AND ts = 1;
SELECT DISTINCT t FROM t WHERE (key, ts) > ('b', 3) ORDER BY t;
SELECT count(*) FILTER (WHERE (key, ts) < ('b', 1)), count(*) FILTER (WHERE (key, ts) = ('b', 1)) FROM t;
SELECT data FROM t WHERE (key, ts) IN (('a', 1), ('b', 2), ('x', 1), (NULL, 1)) ORDER BY data;
SELECT data FROM t WHERE (key, ts) = ('c', 3);
SELECT count(*) FROM t a JOIN t b ON a = b;

-- system columns: a foreign table has one
SELECT DISTINCT tableoid::regclass FROM t;
SELECT data FROM t WHERE tableoid = 't'::regclass AND key = 'c' ORDER BY ts LIMIT 1;
SELECT data FROM t WHERE tableoid = 'o'::regclass;
SELECT DISTINCT ctid FROM t;
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['xmin', 'cmin', 'xmax', 'cmax'] LOOP
    BEGIN
      EXECUTE format('SELECT %I FROM t', name);
    EXCEPTION WHEN feature_not_supported THEN
      RAISE NOTICE 'no %', name;
    END;
  END LOOP;
END $$;

-- columns that come and go under a prepared statement
PREPARE everything AS SELECT * FROM t WHERE key = 'a' AND ts = 1;
PREPARE whole AS SELECT t, count(*) OVER () FROM t WHERE key = 'a' AND ts < 3 ORDER BY ts;
EXECUTE everything;
EXECUTE whole;
ALTER FOREIGN TABLE t DROP COLUMN data;
EXECUTE everything;
EXECUTE whole;
ALTER FOREIGN TABLE t ADD COLUMN content text OPTIONS (column_name 'data');
EXECUTE whole;
INSERT INTO t (key, ts, content) VALUES ('a', 1, '{"size": 7}'), ('a', 2, '{}') RETURNING t;
ALTER FOREIGN TABLE t ADD COLUMN size int OPTIONS (field 'size'), DROP COLUMN ts, ADD COLUMN ts bigint;
EXECUTE whole;
SELECT t, size FROM t WHERE key = 'a' AND ts <= 2 ORDER BY size, ts DESC;
PREPARE write AS INSERT INTO t (ts, key, size) VALUES (9, 'z', 9) RETURNING t;
EXECUTE write;
ALTER FOREIGN TABLE t DROP COLUMN content;
EXECUTE write;
DELETE FROM t WHERE ts = 9 RETURNING t, size;
ALTER FOREIGN TABLE t DROP COLUMN size, DROP COLUMN ts, ADD COLUMN at timestamptz OPTIONS (column_name 'ts'), ADD COLUMN data text;
SELECT * FROM t WHERE at = to_timestamp(4) AND data IS NOT NULL ORDER BY key;
SELECT t FROM t WHERE key = 'b' ORDER BY at DESC LIMIT 1;
DEALLOCATE ALL;

-- what is refused, and what stands around a scan
SELECT * FROM t TABLESAMPLE SYSTEM (10);
SELECT data FROM t WHERE key = 'b' ORDER BY at LIMIT 1 FOR UPDATE;
SELECT data FROM t JOIN o ON o.prefix = t.key WHERE o.id = 2 ORDER BY at FOR SHARE OF t FOR UPDATE OF o;
SELECT data FROM t WHERE key = 'b' ORDER BY at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
DROP TABLE o;
\set ECHO none
\i sql/include/teardown.psql
