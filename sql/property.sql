\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Property: whatever the WHERE clause, a foreign table gives the rows that a
-- local table with the same rows gives.  LTDB_TEST_SEED repeats a run that
-- failed; the failure names its seed.
\getenv seed LTDB_TEST_SEED
\if :{?seed}
\else
  SELECT floor(random() * 1000000000)::int AS seed \gset
\endif
CREATE FOREIGN TABLE f_tz (key text, ts timestamptz, data text) SERVER ltdb OPTIONS (collection 'c', fetch_size '3');
CREATE FOREIGN TABLE f_plain (data text, key varchar, ts timestamp) SERVER ltdb OPTIONS (collection 'c', fetch_size '10');
CREATE FOREIGN TABLE f_int (ts bigint, key text, data text) SERVER ltdb OPTIONS (collection 'c');
CREATE TABLE l_int (key text, ts bigint, data text, PRIMARY KEY (key, ts));
CREATE VIEW l_tz AS SELECT key, to_timestamp(ts) AS ts, data FROM l_int;
CREATE VIEW l_plain AS SELECT key::varchar, to_timestamp(ts) AT TIME ZONE 'UTC' AS ts, data FROM l_int;

INSERT INTO l_int
SELECT k, t + o, k || (t + o)
FROM unnest(ARRAY['a', 'b', 'B', 'ab', 'ä', 'ünï', ' ', '0', 'z''z', 'much longer than the others']) WITH ORDINALITY k(k, i),
  unnest(ARRAY[-2147483648, -86401, -3, 0, 3, 1000, 1577836800, 1577923200, 2147483647]::bigint[]) t,
  generate_series(-2, 2) o
WHERE t + o BETWEEN -2147483648 AND 2147483647 AND (t / 1000 + o + i) % 3 <> 0
ON CONFLICT DO NOTHING;
INSERT INTO f_int SELECT ts, key, data FROM l_int;
SELECT count(*) FROM f_int;

-- Random clauses, as text, for a column type.
CREATE FUNCTION pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT choices[1 + floor(random() * array_length(choices, 1))::int] $$;
CREATE FUNCTION a_key() RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT pick('''a''', '''b''', '''B''', '''ä''', '''0''', '''''', '''none''', 'NULL', '''z''''z''',
  'lower(''AB'')', '''a''::varchar', '''a'' || ''b''', '''a '' COLLATE "C"', '(SELECT min(key) FROM l_int)') $$;
CREATE FUNCTION a_second() RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT (pick('-2147483648', '-86401', '-3', '-1', '0', '1', '3', '1000', '1577836800', '1577923200', '2147483647')::bigint
  + floor(random() * 5)::int - 2)::text $$;
CREATE FUNCTION a_time(kind text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  s text := a_second();
  f text := pick('', '', '.000001', '.5', '.999999');
BEGIN
  IF kind = 'int' THEN
    RETURN pick(s, s, '(' || s || ')::bigint', '(' || s || f || ')::numeric', 'NULL::bigint', '9223372036854775807',
      '-9223372036854775808', '(SELECT max(ts) FROM l_int)', '7::smallint');
  ELSIF kind = 'tz' THEN
    RETURN pick('to_timestamp(' || s || ')', 'to_timestamp(' || s || ') + interval ''0' || f || ' s''',
      'timestamptz ''2020-01-01 01:00:00' || f || '+01''', '''infinity''::timestamptz', '''-infinity''::timestamptz',
      'NULL::timestamptz', 'timestamp ''2020-01-01 00:00:01' || f || '''', 'date ''2020-01-02''', 'date ''infinity''',
      'now() - interval ''1000 years''', 'now()', '''4713-01-01 BC''::timestamptz', '''294276-01-01''::timestamptz',
      '''2020-01-02''', '''1969-12-31 23:59:57' || f || '''');
  END IF;
  RETURN pick('(to_timestamp(' || s || ') AT TIME ZONE ''UTC'')', '(to_timestamp(' || s || ') AT TIME ZONE ''UTC'') + interval ''0' || f || ' s''',
    '''infinity''::timestamp', '''-infinity''::timestamp', 'NULL::timestamp', 'date ''2020-01-01''', 'date ''-infinity''',
    'timestamptz ''2020-01-01 00:00:02+00''', '''2020-01-02''', '''294276-01-01''::timestamp', 'localtimestamp');
END $$;
CREATE FUNCTION an_operator() RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT pick('=', '<', '<=', '>', '>=', '<>') $$;
CREATE FUNCTION a_clause(kind text, depth int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF depth > 0 AND random() < 0.6 THEN
    RETURN '(' || a_clause(kind, depth - 1) || pick(' AND ', ' OR ') || a_clause(kind, depth - 1) || ')';
  END IF;
  CASE floor(random() * 13)::int
    WHEN 0, 1 THEN RETURN 'key = ' || a_key();
    WHEN 2 THEN RETURN a_key() || ' = key';
    WHEN 3 THEN RETURN 'key IN (' || a_key() || ', ' || a_key() || ', ' || a_key() || ')';
    WHEN 4 THEN RETURN 'key ' || an_operator() || ' ' || a_key();
    WHEN 5 THEN RETURN pick('key LIKE ''a%''', 'data LIKE ''%0%''', 'key IS NOT NULL', 'ts IS NULL', 'length(data) > 4', 'key || '''' = ''a''');
    WHEN 6 THEN RETURN 'ts BETWEEN ' || a_time(kind) || ' AND ' || a_time(kind);
    WHEN 7 THEN RETURN 'NOT (ts ' || an_operator() || ' ' || a_time(kind) || ')';
    WHEN 8 THEN RETURN 'ts IN (' || a_time(kind) || ', ' || a_time(kind) || ')';
    WHEN 9 THEN RETURN a_time(kind) || ' ' || an_operator() || ' ts';
    WHEN 10 THEN RETURN 'ts ' || an_operator() || ' ' || pick('ANY', 'ALL') || ' (ARRAY[' || a_time(kind) || ', ' || a_time(kind) || '])';
    ELSE RETURN 'ts ' || an_operator() || ' ' || a_time(kind);
  END CASE;
END $$;

-- Compares the answers to random clauses; says what differs, or how many did not.
CREATE FUNCTION compare(seed int, rounds int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  rows_of CONSTANT text := 'SELECT array_agg(row::text ORDER BY row::text COLLATE "C") FROM (SELECT key, ts, data FROM %s_%s WHERE %s) row';
  kind text;
  clause text;
  expected text[];
  actual text[];
  same bool;
  n_same int := 0;
  n_errors int := 0;
  local_error text;
  foreign_error text;
BEGIN
  PERFORM setseed(seed / 1000000000.0);
  FOR i IN 1..rounds LOOP
    kind := pick('tz', 'plain', 'int');
    clause := a_clause(kind, floor(random() * 4)::int);
    PERFORM set_config('timezone', pick('UTC', 'America/New_York', 'Asia/Kolkata'), true);
    PERFORM set_config('plan_cache_mode', pick('force_generic_plan', 'force_custom_plan'), true);
    local_error := NULL;
    foreign_error := NULL;
    BEGIN
      EXECUTE format(rows_of, 'l', kind, clause) INTO expected;
    EXCEPTION WHEN OTHERS THEN
      local_error := SQLSTATE;
    END;
    BEGIN
      EXECUTE format(rows_of, 'f', kind, clause) INTO actual;
    EXCEPTION WHEN OTHERS THEN
      foreign_error := SQLSTATE || ' ' || SQLERRM;
    END;
    IF local_error IS NULL AND foreign_error IS NULL THEN
      same := expected IS NOT DISTINCT FROM actual;
      n_same := n_same + same::int;
    ELSE
      same := local_error = left(foreign_error, 5);
      n_errors := n_errors + 1;
    END IF;
    IF same IS NOT TRUE THEN
      RETURN format('seed %s, round %s, timezone %s: f_%s WHERE %s (%s / %s)', seed, i, current_setting('timezone'), kind, clause, local_error, foreign_error);
    END IF;
  END LOOP;
  RETURN CASE WHEN n_same > rounds * 0.9 THEN 'all the same' ELSE format('too many errors: %s, such as %s', n_errors, foreign_error) END;
END $$;
SET client_min_messages = warning;
SELECT compare(:seed, 3000);
DROP FUNCTION compare, a_clause, an_operator, a_time, a_second, a_key, pick;
DROP VIEW l_tz, l_plain;
DROP TABLE l_int;
\set ECHO none
\i sql/include/teardown.psql
