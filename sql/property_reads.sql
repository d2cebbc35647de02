\set ECHO none
\i sql/include/setup.psql
\i sql/include/random.psql
\set ECHO all
-- Property: joins, ORDER BY, LIMIT, DISTINCT ON, aggregates and windows give
-- the same rows in the same order on a foreign table and on a local one,
-- whatever plan is chosen.  LTDB_TEST_SEED repeats a run that failed.
CREATE TABLE o (id int PRIMARY KEY, key text, lo bigint, hi bigint);
INSERT INTO o SELECT n, (ARRAY['a', 'b', 'ä', 'none', NULL, '', 'a'])[n], (ARRAY[0, -5, 1577836799, NULL, 1, 0, 1001])[n],
  (ARRAY[3, 1577836801, 2147483647, 5, 2, 9, 1577923201])[n] FROM generate_series(1, 7) n;
ANALYZE o;

CREATE FUNCTION a_direction() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT pick('', ' ASC', ' DESC', ' DESC NULLS LAST') $$;
CREATE FUNCTION a_limit() RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT pick('', ' LIMIT 1', ' LIMIT 3', ' LIMIT 0', ' LIMIT 7 OFFSET 2', ' OFFSET 4', ' LIMIT NULL', ' LIMIT 100', ' LIMIT (SELECT 2)') $$;
CREATE FUNCTION a_bound(kind text, clause text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN kind = 'tz' THEN replace(replace(clause, 'o.lo', 'to_timestamp(o.lo)'), 'o.hi', 'to_timestamp(o.hi)') ELSE clause END $$;

-- A query on table %1$s whose rows come in one order only.
CREATE FUNCTION a_query(kind text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  clause text := pick('true', a_clause(kind, 0), a_clause(kind, 0), a_clause(kind, 1));
  k text := a_direction();
  t text := a_direction();
BEGIN
  clause := replace(clause, '%', '%%');
  CASE floor(random() * 16)::int
    WHEN 0, 1 THEN RETURN format('SELECT key, ts, data FROM %%1$s WHERE %s ORDER BY key%s, ts%s%s', clause, k, t, a_limit());
    WHEN 2 THEN RETURN format('SELECT key, ts FROM %%1$s WHERE %s ORDER BY ts%s, key%s%s', clause, t, k, a_limit());
    WHEN 3 THEN RETURN format('SELECT ts, data FROM %%1$s WHERE key = %s AND %s ORDER BY ts%s%s', a_key(), clause, t, a_limit());
    WHEN 4, 5 THEN RETURN format('SELECT DISTINCT ON (key) key, ts, data FROM %%1$s WHERE %s ORDER BY key%s, ts%s%s', clause, k, t, a_limit());
    WHEN 6 THEN RETURN format('SELECT DISTINCT key FROM %%1$s WHERE %s ORDER BY key%s%s', clause, k, a_limit());
    WHEN 7 THEN RETURN format('SELECT key, %s FROM %%1$s WHERE %s GROUP BY key %s ORDER BY key%s',
      pick('max(ts)', 'min(ts)', 'max(ts), min(ts)', 'max(ts), count(*)', 'max(ts), max(data)', '1'), clause,
      pick('', 'HAVING max(ts) > min(ts)', 'HAVING key > ''a'''), k);
    WHEN 8 THEN RETURN format('SELECT %s FROM %%1$s WHERE %s', pick('max(ts)', 'min(ts)', 'count(*)', 'max(ts) - min(ts)', 'max(ts), count(data)'), clause);
    WHEN 9 THEN RETURN format('SELECT o.id, t.key, t.ts FROM o %s JOIN %%1$s t ON t.key = o.key AND %s ORDER BY 1, 2, 3',
      pick('', 'LEFT', 'RIGHT'), a_bound(kind, pick('true', 't.ts BETWEEN o.lo AND o.hi', 't.ts > o.lo', 't.ts = o.hi', 't.ts < o.hi AND o.id <> 2')));
    WHEN 10 THEN RETURN format('SELECT o.id, t.* FROM o, LATERAL (SELECT key, ts FROM %%1$s WHERE key = o.key AND %s ORDER BY ts%s%s) t ORDER BY 1, 2, 3',
      clause, t, a_limit());
    WHEN 11 THEN RETURN format('SELECT key, ts FROM %%1$s t WHERE %s AND %s ORDER BY 1, 2', clause,
      a_bound(kind, pick('key IN (SELECT key FROM o)', 'key NOT IN (SELECT key FROM o WHERE key IS NOT NULL)', 'EXISTS (SELECT FROM o WHERE o.key = t.key AND o.lo < t.ts)',
        'NOT EXISTS (SELECT FROM o WHERE o.key = t.key)', 'key = ANY (SELECT key FROM o WHERE id < 3)')));
    WHEN 12 THEN RETURN format('SELECT key, ts, row_number() OVER (PARTITION BY key ORDER BY ts%1$s), lag(data) OVER (PARTITION BY key ORDER BY ts%1$s) FROM %%1$s WHERE %2$s ORDER BY key%3$s, ts', t, clause, k);
    WHEN 13 THEN RETURN format('SELECT a.key, a.ts, b.ts FROM %%1$s a JOIN %%1$s b ON a.key = b.key AND b.ts = a.ts + %s ORDER BY 1, 2, 3',
      CASE WHEN kind = 'tz' THEN 'interval ''1 s''' ELSE '1' END);
    WHEN 14 THEN RETURN format('SELECT count(*) FROM (SELECT key FROM %%1$s WHERE %s%s) x', clause, a_limit());
    ELSE RETURN format('SELECT key, ts FROM (SELECT * FROM %%1$s WHERE %s UNION ALL SELECT * FROM %%1$s WHERE key = ''b'') u ORDER BY key%s, ts%s%s', clause, k, t, a_limit());
  END CASE;
END $$;

CREATE FUNCTION compare(seed int, rounds int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  switches CONSTANT text[] := ARRAY['enable_hashjoin', 'enable_mergejoin', 'enable_nestloop', 'enable_material', 'enable_memoize', 'enable_sort', 'enable_hashagg'];
  kind text;
  query text;
  expected text[];
  actual text[];
  same bool;
  n_same int := 0;
  n_errors int := 0;
  local_error text;
  foreign_error text;
  plans text[];
BEGIN
  PERFORM setseed(seed / 1000000000.0);
  FOR i IN 1..rounds LOOP
    kind := pick('tz', 'int', 'icu');
    query := a_query(kind);
    PERFORM set_config('timezone', pick('UTC', 'America/New_York'), true);
    plans := ARRAY[]::text[];
    FOR n IN 1..array_length(switches, 1) LOOP
      plans := plans || set_config(switches[n], pick('on', 'on', 'off'), true);
    END LOOP;
    local_error := NULL;
    foreign_error := NULL;
    BEGIN
      EXECUTE 'SELECT array_agg(x::text) FROM (' || format(query, 'l_' || kind) || ') x' INTO expected;
    EXCEPTION WHEN OTHERS THEN
      local_error := SQLSTATE;
    END;
    BEGIN
      EXECUTE 'SELECT array_agg(x::text) FROM (' || format(query, 'f_' || kind) || ') x' INTO actual;
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
      RETURN format(E'seed %s, round %s, timezone %s, plans %s: %s\nexpected %s %s\nactual %s %s', seed, i, current_setting('timezone'), plans,
        format(query, 'f_' || kind), local_error, left(expected::text, 1000), foreign_error, left(actual::text, 1000));
    END IF;
  END LOOP;
  RETURN CASE WHEN n_same > rounds * 0.9 THEN 'all the same' ELSE format('too many errors: %s, such as %s: %s', n_errors, foreign_error, query) END;
END $$;
SELECT count(*) FROM f_icu;
SELECT compare(:seed, 1000);
DROP FUNCTION compare, a_query, a_bound, a_limit, a_direction;
DROP TABLE o;
\set ECHO none
\i sql/include/random_drop.psql
\i sql/include/teardown.psql
