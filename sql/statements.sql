\set ECHO none
\i sql/include/setup.psql
\i sql/include/everywhere.psql
\t on
\a
\set ECHO all
-- Statements that write in other ways: joins, RETURNING, WITH; and those that
-- are refused.
SELECT make_tables('key text, ts bigint, data text');
CREATE TABLE other (k text, t bigint, v text);
INSERT INTO other VALUES ('a', 1, 'new one'), ('b', 2, 'new two'), ('x', 1, 'nobody');
SELECT everywhere($$INSERT INTO {t}_w SELECT k, s, k || s FROM unnest(ARRAY['a', 'b', 'c']) k, generate_series(1, 3) s$$);

-- RETURNING: expressions, whole rows, the table's name, columns of both sides
SELECT everywhere($$INSERT INTO {t}_w AS w VALUES ('r', 1, 'x') RETURNING (w, w.tableoid::regclass, upper(data), ts + 1)$$);
SELECT everywhere($$INSERT INTO {t}_w (key, ts, data) SELECT 'r', t + 1, v FROM other WHERE k = 'b' RETURNING (key, ts, (SELECT max(k) FROM other))$$);
SELECT everywhere($$UPDATE {t}_w SET data = v FROM other WHERE key = k AND ts = t RETURNING ({t}_w, other)$$);
SELECT everywhere($$UPDATE {t}_w SET (ts, data) = (SELECT t + 10, v FROM other WHERE k = 'x') WHERE key = 'r' AND ts = 1 RETURNING ({t}_w, tableoid::regclass)$$);
SELECT everywhere($$DELETE FROM {t}_w USING other WHERE key = k AND ts = t RETURNING ({t}_w, v, {t}_w.tableoid::regclass)$$);
SELECT everywhere($$DELETE FROM {t}_w AS d WHERE EXISTS (SELECT FROM other WHERE k = d.key) AND ts > 2 RETURNING concat(key, ts, data)$$);
SELECT everywhere($$DELETE FROM {t}_w WHERE key = 'r' RETURNING ts % 3 = 2$$);

-- joins with itself, and with other foreign tables
SELECT everywhere($$UPDATE {t}_w AS w SET data = w.data || ' of ' || o.data FROM {t}_w o WHERE o.key = w.key AND o.ts = w.ts + 1 RETURNING w$$);
SELECT everywhere($$DELETE FROM {t}_w w USING {t}_w o WHERE o.key = w.key AND o.ts = w.ts - 1 RETURNING w$$);
CREATE FOREIGN TABLE third (key text, ts bigint, data text) SERVER ltdb;
INSERT INTO third SELECT 'c', s, 'third' FROM generate_series(1, 5) s;
SELECT everywhere($$INSERT INTO {t}_w SELECT key, ts + 1, data FROM third WHERE ts < 3 RETURNING {t}_w$$);
SELECT everywhere($$UPDATE {t}_w w SET data = third.data || third.ts FROM third WHERE third.key = w.key AND third.ts = w.ts AND w.ts < 3 RETURNING w$$);
SELECT everywhere($$UPDATE {t}_w w SET data = NULL FROM third LEFT JOIN other ON other.k = third.key WHERE third.ts = w.ts AND other.k IS NOT NULL$$);
SELECT everywhere($$DELETE FROM {t}_w w USING third WHERE third.key = w.key AND third.ts = w.ts AND w.ts = 3 RETURNING (w, third)$$);

-- WITH: each part sees what was there before the statement
SELECT everywhere($$WITH d AS (DELETE FROM {t}_w WHERE key = 'a' RETURNING *), i AS (INSERT INTO {t}_w SELECT 'i', ts, data FROM d RETURNING *) SELECT (i, (SELECT count(*) FROM {t}_w)) FROM i$$);
SELECT everywhere($$WITH u AS (UPDATE {t}_w SET data = 'u' WHERE key = 'b' RETURNING key, ts) DELETE FROM {t}_w w USING u WHERE w.key = 'c' AND u.ts = w.ts RETURNING w$$);
SELECT everywhere($$WITH x AS (SELECT * FROM {t}_w) INSERT INTO {t}_w SELECT 'w', max(ts) + 1, string_agg(data, ',' ORDER BY key, ts) FROM x RETURNING {t}_w$$);
SELECT everywhere($$WITH d AS (DELETE FROM {t}_w RETURNING 1) UPDATE other SET v = (SELECT count(*) FROM d) WHERE k = 'x' RETURNING v$$);

-- prepared statements, and functions
SELECT everywhere($$CREATE FUNCTION {t}_put(text, bigint, text) RETURNS text LANGUAGE sql AS 'INSERT INTO {t}_w VALUES ($1, $2, $3) RETURNING key || ts'$$);
SELECT everywhere($$SELECT {t}_put('f', s, 'by function') FROM generate_series(1, 7) s$$);
SELECT everywhere($$CREATE FUNCTION {t}_take(text) RETURNS SETOF {t}_w LANGUAGE sql AS 'DELETE FROM {t}_w WHERE key = $1 AND ts <= 2 RETURNING *'$$);
SELECT everywhere($$SELECT f FROM {t}_take('f') f$$);
PREPARE up(text, bigint) AS UPDATE commit_w SET data = $2 WHERE key = $1 AND ts = $2 RETURNING *;
SET plan_cache_mode = force_generic_plan;
EXECUTE up('f', 3);
EXECUTE up('f', 4);
EXECUTE up(NULL, 4);
EXECUTE up('f', 400);
RESET plan_cache_mode;
DEALLOCATE up;

-- refused
MERGE INTO commit_w USING other ON key = k WHEN MATCHED THEN DELETE;
INSERT INTO commit_w VALUES ('f', 3, '') ON CONFLICT DO NOTHING;
INSERT INTO commit_w VALUES ('f', 3, '') ON CONFLICT (key, ts) DO UPDATE SET data = EXCLUDED.data;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM commit_w WHERE ts = 5 FOR UPDATE;
FETCH c;
SAVEPOINT s;
UPDATE commit_w SET data = '' WHERE CURRENT OF c;
ROLLBACK TO s;
DELETE FROM commit_w WHERE CURRENT OF c;
ROLLBACK;
MERGE INTO other USING commit_w ON key = k WHEN NOT MATCHED AND ts = 7 THEN INSERT VALUES (key, ts, 'merged ' || data) WHEN MATCHED THEN DELETE;
SELECT * FROM other WHERE v LIKE 'merged%';
DROP FUNCTION local_put, commit_put, immediate_put, local_take, commit_take, immediate_take;
DROP TABLE other;
\set ECHO none
\i sql/include/everywhere_drop.psql
\i sql/include/teardown.psql
