\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- Push-down: which requests a WHERE clause becomes. EXPLAIN contacts nobody,
-- so the server need not exist.
ALTER SERVER ltdb OPTIONS (SET url 'ws://127.0.0.1:1');

CREATE FOREIGN TABLE t (key text, ts timestamptz, data jsonb) SERVER ltdb OPTIONS (collection 'c', fetch_size '100');
CREATE FOREIGN TABLE i (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'c', fetch_size '100');
CREATE FOREIGN TABLE p (key varchar, ts timestamp, data text) SERVER ltdb OPTIONS (collection 'c', fetch_size '100');
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT btrim(line) FROM explain_lines('VERBOSE', 'SELECT * FROM ' || query) line WHERE line ~ 'LTDB|Filter' $$;

EXPLAIN (COSTS OFF) SELECT * FROM t WHERE key = 'a' AND ts > '2020-01-01';
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM t WHERE key = 'a' AND ts > '2020-01-01';
-- "Disabled" is new in PostgreSQL 18
SELECT regexp_replace(explain_lines('VERBOSE, FORMAT json', $$SELECT key FROM t WHERE key = 'a'$$), '\n *"Disabled": false,', '') AS json;

-- everything, one key, several keys
SELECT explain($$t$$);
SELECT explain($$t WHERE key = 'a'$$);
SELECT explain($$t WHERE 'a' = key$$);
SELECT explain($$p WHERE key = 'a'$$);
SELECT explain($$t WHERE key IN ('b', 'a', 'b', NULL)$$);
SELECT explain($$t WHERE key = 'a' OR key = 'b'$$);
SELECT explain($$t WHERE key IN ('a', 'b', 'c') AND key IN ('b', 'c', 'd') AND key <> 'c'$$);
SELECT explain($$t WHERE key = 'it''s "quoted" \ Größe'$$);

-- every comparison of ts, exact to the second
SELECT explain($$i WHERE ts = 10$$);
SELECT explain($$i WHERE ts < 10$$);
SELECT explain($$i WHERE ts <= 10$$);
SELECT explain($$i WHERE ts > 10$$);
SELECT explain($$i WHERE ts >= 10::smallint$$);
SELECT explain($$i WHERE ts <> 10::int$$);
SELECT explain($$i WHERE 10 < ts AND 20 >= ts$$);
SELECT explain($$i WHERE ts BETWEEN 10 AND 20 AND ts > 12 AND ts <> 15$$);
SELECT explain($$i WHERE ts BETWEEN 10 AND 20 OR ts BETWEEN 21 AND 30 OR ts = 40$$);
SELECT explain($$i WHERE ts IN (3, 1, 2, 7, NULL)$$);
SELECT explain($$i WHERE NOT (ts BETWEEN 10 AND 20)$$);
SELECT explain($$t WHERE ts > '2020-01-01 00:00:00.5+00' AND ts < '2020-01-01 00:00:02.5+00'$$);
SELECT explain($$t WHERE ts >= '2020-01-01 00:00:00.5+00' AND ts <= '2020-01-01 00:00:02.5+00'$$);
SELECT explain($$t WHERE ts > '2020-01-01 00:00:00+00' AND ts < '2020-01-01 00:00:02+00'$$);
SELECT explain($$t WHERE ts >= '1969-12-31 23:59:57.5+00' AND ts < '1969-12-31 23:59:59.5+00'$$);
SELECT explain($$t WHERE ts >= '-infinity' AND ts < 'infinity'$$);
SELECT explain($$t WHERE ts >= timestamp '2020-01-01' AND ts < date '2020-02-01'$$);
SELECT explain($$p WHERE ts >= timestamp '2020-01-01' AND ts < date '2020-02-01'$$);
SELECT explain($$i WHERE ts >= -9223372036854775808 AND ts <= 9223372036854775807$$);

-- contradictions: nothing is sent, so that a dead server does not matter
SELECT explain($$t WHERE key = 'a' AND key IN ('b', 'c')$$);
SELECT explain($$t WHERE key = ''$$);
SELECT explain($$t WHERE key = NULL$$);
SELECT explain($$i WHERE ts > 20 AND ts < 10$$);
SELECT explain($$i WHERE ts > 2147483647$$);
SELECT explain($$t WHERE ts = '2020-01-01 00:00:00.5+00'$$);
SELECT explain($$t WHERE ts > 'infinity'$$);
SELECT * FROM t WHERE key = 'a' AND key = 'b';
SELECT * FROM i WHERE ts > 20 AND ts < 10;
SELECT * FROM t WHERE ts = '2020-01-01 00:00:00.5+00';

-- values that are known when the scan starts
SET plan_cache_mode = force_generic_plan;
PREPARE q(text, timestamptz) AS SELECT * FROM t WHERE key = $1 AND ts >= $2 AND ts < now() - interval '1 hour';
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE q('a', '2020-01-01');
EXECUTE q(NULL, '2020-01-01');
RESET plan_cache_mode;
SELECT explain($$t WHERE ts > current_date - 7$$);
SELECT explain($$t WHERE key = (SELECT 'a' || 'b' FROM pg_class LIMIT 1)$$);
SELECT explain($$t WHERE key = ANY ((SELECT array_agg(relname::text) FROM pg_class)::text[])$$);

-- what LTDB cannot answer stays here
SELECT explain($$t WHERE key > 'a'$$);
SELECT explain($$t WHERE key <> 'a'$$);
SELECT explain($$t WHERE key LIKE 'a%'$$);
SELECT explain($$t WHERE upper(key) = 'A'$$);
SELECT explain($$t WHERE key = random()::text$$);
SELECT explain($$t WHERE key = data ->> 'x'$$);
SELECT explain($$t WHERE key = 'a'::bpchar$$);
SELECT explain($$t WHERE key = 'a' AND data ->> 'x' = '1'$$);
SELECT explain($$t WHERE key = 'a' OR ts > '2020-01-01'$$);
SELECT explain($$t WHERE ts > clock_timestamp()$$);
SELECT explain($$p WHERE ts > timestamptz '2020-01-01'$$);
SELECT explain($$i WHERE ts > 1.5$$);
SELECT explain($$i WHERE ts > ALL (ARRAY[1, 2])$$);

-- a collation for which different bytes are equal
CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT explain($$t WHERE key = 'a' COLLATE ignore_case$$);
CREATE FOREIGN TABLE n (key text COLLATE ignore_case, ts timestamptz) SERVER ltdb;
SELECT explain($$n WHERE key = 'a'$$);
DROP FOREIGN TABLE n;
DROP COLLATION ignore_case;

-- writes
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO t SELECT key, ts, data FROM t;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM t WHERE key = 'a' RETURNING data;
EXPLAIN (COSTS OFF) DELETE FROM t WHERE key = 'a';
DROP FUNCTION explain, explain_lines;
\set ECHO none
\i sql/include/teardown.psql
