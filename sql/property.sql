\set ECHO none
\i sql/include/setup.psql
\i sql/include/random.psql
\set ECHO all
-- Property: whatever the WHERE clause, a foreign table gives the rows that a
-- local table with the same rows gives.  LTDB_TEST_SEED repeats a run that
-- failed; the failure names its seed.
SELECT count(*) FROM f_int;

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
DROP FUNCTION compare;
\set ECHO none
\i sql/include/random_drop.psql
\i sql/include/teardown.psql
