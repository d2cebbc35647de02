\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- Which DELETEs erase whole keys: those that leave nothing of a key, if nobody
-- looks at the rows.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb;
CREATE FOREIGN TABLE kv (key text, value text) SERVER ltdb OPTIONS (kind 'kv', collection 't');
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT line FROM explain_lines('VERBOSE', query) line WHERE line ~ 'Delete|Scan|Deletion|Batch' $$;
SELECT plan_of('DELETE FROM t');
SELECT plan_of('DELETE FROM t WHERE key = ''a''');
SELECT plan_of('DELETE FROM t WHERE key LIKE ''a%'' AND key IS NOT NULL AND ts IS NOT NULL');
SELECT plan_of('DELETE FROM t WHERE key IN (''a'', ''b'')');
SELECT plan_of('DELETE FROM t WHERE key = ''a'' AND ts < 3');
SELECT plan_of('DELETE FROM t WHERE key = ''a'' AND data <> ''x''');
SELECT plan_of('DELETE FROM t WHERE key = ''a'' RETURNING ts');
SELECT plan_of('DELETE FROM kv');
CREATE FUNCTION no_op() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
CREATE TRIGGER row_trigger BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION no_op();
SELECT plan_of('DELETE FROM t WHERE key = ''a''');
DROP TRIGGER row_trigger ON t;

-- children of a table, one of them local
CREATE TABLE parent (key text, ts bigint, data text) PARTITION BY LIST (key);
CREATE FOREIGN TABLE t_a PARTITION OF parent FOR VALUES IN ('a') SERVER ltdb OPTIONS (collection 'a');
CREATE FOREIGN TABLE t_b PARTITION OF parent FOR VALUES IN ('b') SERVER ltdb OPTIONS (collection 'b');
CREATE TABLE t_c PARTITION OF parent FOR VALUES IN ('c');
INSERT INTO parent SELECT k, n, 'x' FROM unnest(ARRAY['a', 'b', 'c']) k, generate_series(1, 3) n;
SELECT plan_of('DELETE FROM parent');
SELECT plan_of('DELETE FROM parent WHERE key IN (''a'', ''c'')');
SELECT plan_of('DELETE FROM parent WHERE ts > 1');
\set QUIET off
DELETE FROM parent WHERE key IN ('a', 'c');
DELETE FROM parent;
DELETE FROM parent;
\set QUIET on

-- prepared, with a parameter that is known when it runs
INSERT INTO t SELECT k, n, 'x' FROM unnest(ARRAY['a', 'b', 'c']) k, generate_series(1, 3) n;
PREPARE d(text) AS DELETE FROM t WHERE key = $1;
SET plan_cache_mode = force_generic_plan;
SELECT plan_of('EXECUTE d(''a'')');
\set QUIET off
EXECUTE d('a');
EXECUTE d(NULL);
EXECUTE d('c');
\set QUIET on
SELECT * FROM t;
DROP FUNCTION plan_of, explain_lines, no_op;
DROP TABLE parent;
\set ECHO none
\i sql/include/teardown.psql
