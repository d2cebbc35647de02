\set ECHO none
\i sql/include/setup.psql
\setenv PGDATABASE :DBNAME
\setenv PGHOST :HOST
\setenv PGPORT :PORT
\setenv PGUSER :USER
\getenv seed LTDB_TEST_SEED
\if :{?seed}
\else
  SELECT floor(random() * 1000000000)::int AS seed \gset
\endif
\set ECHO all
-- ANALYZE: statistics from a sample of keys and pages.  With this target a
-- sample has 3000 rows, so that collections of some ten thousands are large.
SET default_statistics_target = 10;
CREATE FUNCTION near(actual float8, expected float8, tolerance float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT actual BETWEEN expected * (1 - tolerance) AND expected * (1 + tolerance) $$;
CREATE VIEW size AS SELECT relname, reltuples::float8 AS rows, relpages AS pages FROM pg_class WHERE relkind IN ('f', 'p');
CREATE VIEW keys AS SELECT s.tablename AS relname, CASE WHEN n_distinct < 0 THEN -n_distinct * z.rows ELSE n_distinct END AS n
FROM pg_stats s JOIN size z ON z.relname = s.tablename WHERE attname = 'key';

-- A collection no larger than the sample is read whole, whatever its rows.
CREATE FOREIGN TABLE small (gone text OPTIONS (field 'gone'), key text, ts bigint, data text) SERVER ltdb;
ALTER FOREIGN TABLE small DROP COLUMN gone;
ANALYZE small;
SELECT rows FROM size WHERE relname = 'small';
INSERT INTO small SELECT 'k' || n % 4, n - 500, CASE WHEN n % 10 = 0 THEN 'no json' ELSE '{"n": ' || n % 3 || '}' END FROM generate_series(1, 1000) n;
ANALYZE small;
SELECT rows FROM size WHERE relname = 'small';
SELECT attname, null_frac, n_distinct, array_length(most_common_freqs, 1) AS common FROM pg_stats WHERE tablename = 'small' ORDER BY 1;
SELECT most_common_freqs[1] FROM pg_stats WHERE tablename = 'small' AND attname = 'key';
SELECT histogram_bounds::text::bigint[] AS bounds FROM pg_stats WHERE tablename = 'small' AND attname = 'ts';

-- What cannot be shown counts as NULL, and fails where it is shown.
CREATE FOREIGN TABLE small_json (key text, ts timestamptz, data jsonb, n int OPTIONS (field 'n')) SERVER ltdb OPTIONS (collection 'small');
ANALYZE small_json;
SELECT attname, null_frac, n_distinct FROM pg_stats WHERE tablename = 'small_json' ORDER BY 1;
SELECT count(data) FROM small_json;

-- Many records of some keys.
CREATE FOREIGN TABLE even (key text, ts bigint, data text) SERVER ltdb;
INSERT INTO even SELECT 'k' || k, n * 60, 'x' || n % 5 FROM generate_series(1, 50) k, generate_series(1, 1000) n;
SELECT rows FROM size WHERE relname = 'even';
ANALYZE even;
SELECT near(rows, 50000, 0.1) AS rows, pages > 100 AS pages FROM size WHERE relname = 'even';
SELECT attname, n_distinct FROM pg_stats WHERE tablename = 'even' AND attname <> 'ts' ORDER BY 1;
SELECT array_length(b, 1) AS bounds, near(b[6], 30000, 0.1) AS middle, near(b[2], 6000, 0.3) AS lower, near(b[10], 54000, 0.1) AS upper
FROM (SELECT histogram_bounds::text::bigint[] AS b FROM pg_stats WHERE tablename = 'even' AND attname = 'ts') s;
\! psql -Xqc 'SET default_statistics_target = 10; ANALYZE VERBOSE even' 2>&1 | awk '/answered/ { print $7 < 50000 ? "reads a part" : $0 }'

-- Few records of many keys.
CREATE FOREIGN TABLE many (key text, ts bigint, data text) SERVER ltdb;
INSERT INTO many SELECT 'k' || n, n, '' FROM generate_series(1, 20000) n;
ANALYZE many;
SELECT near(rows, 20000, 0.1) AS rows, near(n, 20000, 0.1) AS keys FROM size JOIN keys USING (relname) WHERE relname = 'many';
INSERT INTO many SELECT 'k' || n, n + t * 100000, '' FROM generate_series(1, 20000) n, generate_series(1, 2) t;
ANALYZE many;
SELECT near(rows, 60000, 0.1) AS rows, near(n, 20000, 0.3) AS keys FROM size JOIN keys USING (relname) WHERE relname = 'many';

-- A few keys have most of the records, and one of them at one time.
CREATE FOREIGN TABLE skewed (key text, ts bigint, data text) SERVER ltdb;
INSERT INTO skewed SELECT 'k' || k, n * 1000, '' FROM generate_series(1, 1000) k, generate_series(1, 30000 / k) n;
INSERT INTO skewed SELECT 'k2', 20000000 + n, '' FROM generate_series(1, 40000) n;
SELECT count(*) FROM skewed \gset
ANALYZE skewed;
SELECT near(rows, :count, 0.3) AS rows, near(n, 1000, 0.5) AS keys FROM size JOIN keys USING (relname) WHERE relname = 'skewed';
SELECT (most_common_vals::text::text[])[1:2] AS most, near(most_common_freqs[1], 55000.0 / :count, 0.3) AS often
FROM pg_stats WHERE tablename = 'skewed' AND attname = 'key';

-- The planner learns that it is better to ask for some keys than to read all.
CREATE TABLE o AS SELECT 'k' || n AS key FROM generate_series(1, 200) n;
ANALYZE o;
CREATE FOREIGN TABLE joined (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'many');
EXPLAIN (COSTS OFF) SELECT * FROM o JOIN joined USING (key);
ANALYZE joined;
EXPLAIN (COSTS OFF) SELECT * FROM o JOIN joined USING (key);
DROP TABLE o;

-- The sample of a partitioned table comes from its partitions by their size.
CREATE TABLE parted (key text, ts bigint, data text) PARTITION BY LIST (key);
CREATE FOREIGN TABLE part_a PARTITION OF parted FOR VALUES IN ('a') SERVER ltdb;
CREATE FOREIGN TABLE part_b PARTITION OF parted FOR VALUES IN ('b') SERVER ltdb;
INSERT INTO parted SELECT 'a', n, '' FROM generate_series(1, 9000) n;
INSERT INTO parted SELECT 'b', n, '' FROM generate_series(1, 1000) n;
ANALYZE parted;
SELECT relname, near(rows, CASE relname WHEN 'part_a' THEN 9000 WHEN 'part_b' THEN 1000 ELSE 10000 END, 0.1) AS rows
FROM size WHERE relname LIKE 'part%' ORDER BY 1;
SELECT near(most_common_freqs[1], 0.9, 0.1) AS a FROM pg_stats WHERE tablename = 'parted' AND attname = 'key';
DROP TABLE parted;

-- ANALYZE asks LTDB as the owner of the table, whoever runs it.
CREATE ROLE regress_ltdb_owner;
GRANT USAGE ON FOREIGN SERVER ltdb TO regress_ltdb_owner;
ALTER FOREIGN TABLE small OWNER TO regress_ltdb_owner;
\set VERBOSITY sqlstate
ANALYZE small;
\set VERBOSITY default
CREATE USER MAPPING FOR regress_ltdb_owner SERVER ltdb OPTIONS (api_key :'ltdb_api_key');
ANALYZE small;
DROP FOREIGN TABLE small;
DROP USER MAPPING FOR regress_ltdb_owner SERVER ltdb;
REVOKE USAGE ON FOREIGN SERVER ltdb FROM regress_ltdb_owner;
DROP ROLE regress_ltdb_owner;

-- Property: whatever the collection, the estimates are near the truth.
-- LTDB_TEST_SEED repeats a run that failed.
CREATE FUNCTION compare(seed int, rounds int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  n_keys int;
  n_rows int;
  shape text;
  e record;
  t record;
BEGIN
  PERFORM setseed(seed / 1000000000.0);
  FOR i IN 1..rounds LOOP
    n_keys := ceil(10 ^ (random() * 3.5));
    n_rows := 100 + ceil(10 ^ (2 + random() * 2.5));
    shape := (ARRAY['ts', 'sqrt(ts) * 1e4', 'ts - 5e7', 'floor(ts / 1e4) * 1e4 + (ts::bigint % 20)'])[1 + floor(random() * 4)::int];
    EXECUTE format('CREATE FOREIGN TABLE r (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection %L, write_mode ''immediate'')', 'r' || i);
    EXECUTE format('INSERT INTO r SELECT %L || key, %s, '''' FROM (SELECT floor(random() ^ 2 * %s) AS key, floor(random() * 1e8) AS ts FROM generate_series(1, %s)) x',
      'k', shape, n_keys, n_rows);
    ANALYZE r;
    SELECT count(*) AS rows, count(DISTINCT key) AS keys INTO t FROM r;
    SELECT rows, n AS keys INTO e FROM size JOIN keys USING (relname) WHERE relname = 'r';
    IF (near(e.rows, t.rows, 0.3) AND near(e.keys, t.keys, 0.5)) IS NOT TRUE THEN
      RETURN format('seed %s, round %s: %s rows of %s keys by %s, estimated %s of %s', seed, i, t.rows, t.keys, shape, e.rows, e.keys);
    END IF;
    DROP FOREIGN TABLE r;
  END LOOP;
  RETURN 'all near the truth';
END $$;
SELECT compare(:seed, 20);
DROP FUNCTION compare;
DROP VIEW keys, size;
DROP FUNCTION near;
\set ECHO none
\i sql/include/teardown.psql
