\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- Prepared statements: the sixth EXECUTE, whose plan knows no values, still
-- has them sent, whatever kind they are.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'c');
CREATE FOREIGN TABLE z (key varchar, ts timestamptz, data jsonb) SERVER ltdb OPTIONS (collection 'c');
INSERT INTO t SELECT 'k' || k, s, format('{"s": %s}', s) FROM generate_series(1, 9) k, generate_series(1, 9) s;
CREATE FUNCTION explain_ltdb(query text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT regexp_replace(ltrim(line), '\$\d+', '$n', 'g') FROM explain_lines('VERBOSE, ANALYZE', query) line WHERE line LIKE '%LTDB%' $$;
CREATE FUNCTION run(name text, VARIADIC arguments text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  FOR n IN 1..6 LOOP
    EXECUTE format('EXECUTE %I(%s)', name, array_to_string(arguments, ', ')) INTO result;
  END LOOP;
  RETURN (SELECT format('%s (%s generic)', result, generic_plans) FROM pg_prepared_statements p WHERE p.name = run.name);
END $$;
CREATE TABLE o (key text);
INSERT INTO o VALUES ('k1'), ('k2');
ANALYZE o;

-- PostgreSQL's own choice
PREPARE own(text, bigint) AS SELECT count(*), sum(ts) FROM t WHERE key = $1 AND ts < $2;
SELECT run('own', '''k1''', '4');
SELECT explain_ltdb('EXECUTE own(''k1'', 4)');
EXECUTE own('k2', 3);
EXECUTE own(NULL, 3);
EXECUTE own('k2', NULL);

SET plan_cache_mode = force_generic_plan;
PREPARE keys(text[], bigint) AS SELECT count(*), sum(ts) FROM t WHERE key = ANY ($1) AND ts >= $2;
SELECT run('keys', 'ARRAY[''k1'', ''k3'', NULL, ''k1'', ''none'']', '5');
SELECT explain_ltdb('EXECUTE keys(''{k1,k3}'', 5)');
EXECUTE keys('{}', 5);
EXECUTE keys(NULL, 5);
EXECUTE keys('{NULL}', 5);
EXECUTE keys('{{k1,k2},{k3,k1}}', 9);
PREPARE some_keys(text, text) AS SELECT count(*) FROM t WHERE key IN ($1, $2, 'k9');
SELECT run('some_keys', '''k1''', 'NULL');
SELECT explain_ltdb('EXECUTE some_keys(''k1'', ''k2'')');
PREPARE filter(text, text) AS SELECT count(*), min(key) FROM t WHERE key LIKE $1 AND key <> $2;
SELECT run('filter', '''k%''', '''k1''');
SELECT explain_ltdb('EXECUTE filter(''k%'', ''k1'')');
EXECUTE filter('%2', 'k1');
EXECUTE filter('%2', NULL);
PREPARE times(timestamptz, interval, date) AS SELECT count(*), min(ts) FROM z WHERE key = 'k1' AND (ts BETWEEN $1 AND $1 + $2 OR ts > $3);
SELECT run('times', 'to_timestamp(3.5)', '''3 s''', '''infinity''');
SELECT explain_ltdb('EXECUTE times(to_timestamp(3.5), ''3 s'', ''infinity'')');
EXECUTE times(to_timestamp(3), '0', NULL);
EXECUTE times(NULL, '1 s', '1970-01-01');
PREPARE instants(timestamptz[]) AS SELECT count(*) FROM z WHERE ts = ANY ($1) AND key < 'k3';
SELECT run('instants', 'ARRAY[to_timestamp(1), NULL, to_timestamp(2.5), to_timestamp(9), ''infinity'']');
SELECT explain_ltdb('EXECUTE instants(ARRAY[to_timestamp(1)])');
PREPARE same(text) AS SELECT count(*) FROM z WHERE key = $1::varchar AND ts = ANY (ARRAY[to_timestamp(1), to_timestamp(2)]) AND data @> '{"s": 1}';
SELECT run('same', '''k4''');
PREPARE page(text, int, int) AS SELECT string_agg(ts::text, ' ') FROM (SELECT ts FROM t WHERE key = $1 ORDER BY ts DESC LIMIT $2 OFFSET $3) x;
SELECT run('page', '''k1''', '2', '3');
SELECT explain_ltdb('EXECUTE page(''k1'', 2, 3)');
EXECUTE page('k1', NULL, 7);
EXECUTE page('k1', 1, NULL);
EXECUTE page('k1', 0, 1);
EXECUTE page('k1', -1, 0);
PREPARE newest(bigint) AS SELECT string_agg(key || ts, ' ') FROM (SELECT DISTINCT ON (key) key, ts FROM t WHERE ts <= $1 AND key > 'k6' ORDER BY key, ts DESC) x;
SELECT run('newest', '5');
SELECT explain_ltdb('EXECUTE newest(5)');
EXECUTE newest(-1);
EXECUTE newest(NULL);
PREPARE join_(bigint) AS SELECT count(*), sum(ts) FROM o JOIN t USING (key) WHERE ts > $1;
SELECT run('join_', '7');
SELECT explain_ltdb('EXECUTE join_(7)');

-- the same through functions, whose plans are kept as well
CREATE FUNCTION newest_of(k text, n int) RETURNS SETOF bigint LANGUAGE sql STABLE AS 'SELECT ts FROM t WHERE key = k ORDER BY ts DESC LIMIT n';
SELECT key, ts FROM o, newest_of(key, 2) AS ts ORDER BY 1, 2;
DO $$
DECLARE
  n bigint := 0;
BEGIN
  FOR i IN 1..9 LOOP
    n := n + (SELECT sum(ts) FROM t WHERE key = 'k' || i AND ts <= i);
  END LOOP;
  RAISE NOTICE '%', n;
END $$;
DEALLOCATE ALL;
DROP FUNCTION run, newest_of, explain_ltdb, explain_lines;
DROP TABLE o;
\set ECHO none
\i sql/include/teardown.psql
