\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- Foreign tables below a parent: inheritance, partitions, UNION ALL.
CREATE FUNCTION explain_ltdb(query text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT regexp_replace(ltrim(line), '\$\d+', '$n', 'g') FROM explain_lines('VERBOSE, ANALYZE', query) line WHERE line LIKE '%LTDB%' $$;
CREATE TABLE parent (id serial, data text, key text, ts bigint);
INSERT INTO parent (data, key, ts) VALUES ('local', 'a', 1), ('local', 'b', 7);
CREATE TABLE sibling (extra int) INHERITS (parent);
INSERT INTO sibling (data, key, ts, extra) VALUES ('sibling', 'a', 2, 5);
ALTER TABLE parent DROP COLUMN id CASCADE;
CREATE FOREIGN TABLE child (ts bigint, key text NOT NULL, data text) SERVER ltdb OPTIONS (collection 'c');
INSERT INTO child SELECT s, k, k || s FROM unnest(ARRAY['a', 'b', 'c']) k, generate_series(1, 3) s;
ALTER FOREIGN TABLE child INHERIT parent;
CREATE FOREIGN TABLE grandchild (n int OPTIONS (field 'n')) INHERITS (child) SERVER ltdb OPTIONS (collection 'd');
INSERT INTO grandchild VALUES (9, 'g', NULL, 4);
CREATE TABLE o (key text, lo bigint);
INSERT INTO o VALUES ('a', 1), ('g', 0), ('none', 5), (NULL, 1);
ANALYZE o;

SELECT tableoid::regclass, * FROM parent ORDER BY key, ts, data;
SELECT parent FROM parent WHERE key = 'a' AND ts < 3 ORDER BY ts, data;
SELECT child, tableoid::regclass FROM child WHERE ts > 2 ORDER BY key;
SELECT * FROM ONLY child WHERE key = 'c' ORDER BY ts;
SELECT o.key, p.* FROM o JOIN parent p ON p.key = o.key AND p.ts > o.lo ORDER BY p.key, p.ts, p.data;
SELECT explain_ltdb('SELECT * FROM o JOIN parent p ON p.key = o.key AND p.ts > o.lo');
SELECT key, ts FROM parent ORDER BY key, ts DESC, data LIMIT 4;
SELECT explain_ltdb('SELECT key, ts FROM parent WHERE key = ''a'' ORDER BY ts DESC LIMIT 2');
SELECT DISTINCT ON (key) key, ts, data FROM parent ORDER BY key, ts DESC, data;
SELECT explain_ltdb('SELECT DISTINCT key FROM child');
SELECT max(ts), min(ts) FROM parent WHERE key IN ('b', 'g');
SELECT key, max(ts) FROM child GROUP BY key ORDER BY key;
SELECT count(*), count(p) FROM parent p WHERE p.tableoid = 'grandchild'::regclass;
WITH d AS (DELETE FROM parent WHERE ts = 2 RETURNING tableoid::regclass::text AS tableoid, parent) SELECT * FROM d ORDER BY 1, 2;
SELECT key, ts FROM parent WHERE key = 'a' ORDER BY ts FOR UPDATE;

-- a parent that changes
PREPARE p AS SELECT data, ts FROM parent WHERE key = $1 AND ts >= $2 ORDER BY ts, data;
SET plan_cache_mode = force_generic_plan;
EXECUTE p('a', 1);
ALTER TABLE parent RENAME ts TO at;
SELECT * FROM parent WHERE key = 'g';
ALTER FOREIGN TABLE child ALTER COLUMN at OPTIONS (column_name 'ts');
ALTER FOREIGN TABLE grandchild ALTER COLUMN at OPTIONS (column_name 'ts');
SELECT * FROM parent WHERE key = 'g';
ALTER TABLE parent RENAME at TO ts;
EXECUTE p('a', 1);
ALTER TABLE parent ADD COLUMN m int DEFAULT 6;
SELECT * FROM parent WHERE key = 'g';
ALTER FOREIGN TABLE child ALTER COLUMN m OPTIONS (field 'm');
ALTER FOREIGN TABLE grandchild ALTER COLUMN m OPTIONS (field 'n');
SELECT * FROM parent WHERE key = 'g';
ALTER FOREIGN TABLE child NO INHERIT parent;
EXECUTE p('a', 1);
RESET plan_cache_mode;
DEALLOCATE p;
DROP TABLE parent CASCADE;

-- partitions: pruned when planned, when started and while running
CREATE TABLE w (key text, ts bigint, data text) PARTITION BY LIST (key);
CREATE FOREIGN TABLE w_a PARTITION OF w FOR VALUES IN ('a', 'aa') SERVER ltdb OPTIONS (collection 'w_a');
CREATE FOREIGN TABLE w_b (data text, ts bigint, key text) SERVER ltdb OPTIONS (collection 'w_b');
ALTER TABLE w ATTACH PARTITION w_b FOR VALUES IN ('b', 'bb');
CREATE TABLE w_other PARTITION OF w DEFAULT;
INSERT INTO w SELECT k, s, k || s FROM unnest(ARRAY['a', 'aa', 'b', 'bb', 'c']) k, generate_series(1, 4) s;
SELECT tableoid::regclass, count(*) FROM w GROUP BY 1 ORDER BY 1;
SELECT explain_ltdb('SELECT * FROM w WHERE key = ''bb'' AND ts > 2');
PREPARE q(text, bigint) AS SELECT * FROM w WHERE key = $1 AND ts > $2 ORDER BY ts;
SET plan_cache_mode = force_generic_plan;
SELECT explain_ltdb('EXECUTE q(''bb'', 2)');
EXECUTE q('bb', 2);
EXECUTE q(NULL, 2);
RESET plan_cache_mode;
DEALLOCATE q;
SELECT * FROM w WHERE key = (SELECT max(key) FROM o WHERE key < 'b') ORDER BY ts;
SELECT DISTINCT ON (key) * FROM w ORDER BY key, ts DESC;
SELECT key, ts FROM w ORDER BY key DESC, ts LIMIT 6;
SELECT w FROM w WHERE ts = 4 ORDER BY key;

-- joins of partitions
CREATE TABLE l (key text, v int) PARTITION BY LIST (key);
CREATE TABLE l_a PARTITION OF l FOR VALUES IN ('a', 'aa');
CREATE TABLE l_b PARTITION OF l FOR VALUES IN ('b', 'bb');
CREATE TABLE l_other PARTITION OF l DEFAULT;
INSERT INTO l VALUES ('a', 1), ('aa', 2), ('b', 3), ('bb', 4), ('c', 2), (NULL, 3);
ANALYZE l;
SET enable_partitionwise_join = on;
SET enable_partitionwise_aggregate = on;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT explain_ltdb('SELECT * FROM l JOIN w USING (key) WHERE w.ts < l.v');
SELECT * FROM l JOIN w USING (key) WHERE w.ts < l.v ORDER BY key, ts;
SELECT l.*, x.ts FROM l LEFT JOIN LATERAL (SELECT l.v AS v, w.* FROM w WHERE w.ts < l.v) x ON l.key = x.key ORDER BY key, ts;
SELECT key, count(*), max(ts) FROM l JOIN w USING (key) GROUP BY key ORDER BY key;
SELECT a.key, count(b) FROM w a JOIN w b ON a.key = b.key AND b.ts < a.ts GROUP BY a.key ORDER BY a.key;
RESET enable_hashjoin;
RESET enable_mergejoin;
SELECT * FROM l JOIN w USING (key) WHERE w.ts < l.v ORDER BY key, ts;
RESET enable_partitionwise_join;
RESET enable_partitionwise_aggregate;

-- UNION ALL of scans
CREATE VIEW u AS SELECT key, ts, data FROM w_a UNION ALL SELECT key, ts + 10, 'moved' FROM w_b WHERE ts < 3 UNION ALL SELECT key || '!', ts, NULL FROM w_b;
SELECT * FROM u WHERE key IN ('a', 'b', 'bb!') AND ts > 2 ORDER BY key, ts;
SELECT key, ts FROM u ORDER BY ts DESC, key LIMIT 5;
SELECT DISTINCT ON (key) key, ts, data FROM u ORDER BY key, ts DESC;
SELECT max(ts) FROM u;
SELECT o.key, u.ts FROM o JOIN u ON u.key = o.key OR u.key = o.key || '!' ORDER BY 1, 2;
SELECT count(*) FROM (SELECT key FROM w_a UNION SELECT key FROM w_b EXCEPT SELECT 'a') x;
DROP VIEW u;
DROP TABLE w, l, o;
DROP FUNCTION explain_ltdb, explain_lines;
\set ECHO none
\i sql/include/teardown.psql
