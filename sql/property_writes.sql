\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Property: random transactions leave a foreign table and a local one with the
-- same rows, after each statement and after each COMMIT or ROLLBACK.
-- LTDB_TEST_SEED repeats a run that failed.
\getenv seed LTDB_TEST_SEED
\if :{?seed}
\else
  SELECT floor(random() * 1000000000)::int AS seed \gset
\endif
CREATE FOREIGN TABLE f1 (key text, ts bigint, data text) SERVER ltdb OPTIONS (fetch_size '3', batch_size '4');
CREATE FOREIGN TABLE f2 (key text, ts timestamptz, v int OPTIONS (field 'v'), w text OPTIONS (field 'o.w')) SERVER ltdb;
CREATE TABLE l1 (key text, ts bigint, data text, PRIMARY KEY (key, ts));
CREATE TABLE l2 (key text, ts timestamptz, v int, w text, PRIMARY KEY (key, ts));

CREATE FUNCTION one_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT choices[1 + floor(random() * array_length(choices, 1))::int] $$;
CREATE FUNCTION a_row(n int) RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT format('(%L, ', one_of('a', 'b', 'c', 'ä')) || CASE n
     WHEN 1 THEN format('%s, %L)', floor(random() * 20)::int - 5, floor(random() * 1000)::int)
     ELSE format('to_timestamp(%s), %s, %L)', floor(random() * 20)::int - 5, one_of('NULL::int', '1', '-7'), one_of('x', 'y "z"', NULL)) END $$;
CREATE FUNCTION a_condition(n int) RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT one_of('true', format('key = %L', one_of('a', 'b')), 'key > ''a''',
     CASE n WHEN 1 THEN format('ts %s %s', one_of('<', '>=', '='), floor(random() * 20)::int - 5) ELSE format('ts %s to_timestamp(%s)', one_of('<', '>=', '='), floor(random() * 20)::int - 5) END,
     CASE n WHEN 1 THEN 'data LIKE ''%5%''' ELSE 'v = 1' END) $$;

-- A statement for table %s of either kind, and what it is for the local table.
CREATE FUNCTION a_statement(n int, OUT foreign_sql text, OUT local_sql text) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  f text := 'f' || n;
  l text := 'l' || n;
  replace_ text := ' ON CONFLICT (key, ts) DO UPDATE SET ' || CASE n WHEN 1 THEN 'data = EXCLUDED.data' ELSE 'v = EXCLUDED.v, w = EXCLUDED.w' END;
  set_ text := CASE n WHEN 1 THEN 'data = ''5'' || length(data)' ELSE one_of('v = coalesce(v, 0) + 1', 'w = NULL', 'v = NULL, w = ''new''') END;
  shift text := CASE n WHEN 1 THEN '1000' ELSE 'interval ''1000 s''' END;
  condition text := a_condition(n);
BEGIN
  CASE floor(random() * 9)::int
    WHEN 0, 1 THEN
      foreign_sql := format('INSERT INTO %s VALUES %s', f, a_row(n));
      local_sql := replace(foreign_sql, f, l) || replace_;
    WHEN 2 THEN
      foreign_sql := format('INSERT INTO %s SELECT DISTINCT ON (1, 2) * FROM (VALUES %s, %s, %s) v ORDER BY 1, 2, 3, 4', f, a_row(n), a_row(n), a_row(n));
      IF n = 1 THEN foreign_sql := replace(foreign_sql, ', 3, 4', ', 3'); END IF;
      local_sql := replace(foreign_sql, f || ' SELECT', l || ' SELECT') || replace_;
    WHEN 3 THEN
      foreign_sql := format('DELETE FROM %s WHERE %s', f, condition);
      local_sql := format('DELETE FROM %s WHERE %s', l, condition);
    WHEN 4 THEN
      foreign_sql := format('UPDATE %s SET %s WHERE %s', f, set_, condition);
      local_sql := format('UPDATE %s SET %s WHERE %s', l, set_, condition);
    WHEN 5 THEN
      foreign_sql := format('UPDATE %s SET ts = ts + %s, %s WHERE %s', f, shift, set_, condition || CASE n WHEN 1 THEN ' AND ts < 500' ELSE ' AND ts < to_timestamp(500)' END);
      local_sql := replace(foreign_sql, 'UPDATE ' || f, 'UPDATE ' || l);
      -- the place may be taken: LTDB replaces, so the local table makes room
      local_sql := format('DELETE FROM %1$s a USING %1$s b WHERE a.key = b.key AND a.ts = b.ts + %2$s; ', l, shift) || local_sql;
      foreign_sql := format('DELETE FROM %1$s a USING %1$s b WHERE a.key = b.key AND a.ts = b.ts + %2$s; ', f, shift) || foreign_sql;
    WHEN 6 THEN
      foreign_sql := format('INSERT INTO %s SELECT key || ''2'', ts, %s FROM %s WHERE %s AND length(key) = 1', f, CASE n WHEN 1 THEN 'data' ELSE 'v, w' END, f, condition);
      local_sql := replace(foreign_sql, f, l) || replace_;
    WHEN 7 THEN
      -- whole keys, and everything
      local_sql := format('DELETE FROM %s WHERE %s', l, one_of('true', 'key = ''a''', 'key <> ''b'''));
      foreign_sql := CASE
        WHEN random() < 0.5 AND local_sql LIKE '% true' THEN format('TRUNCATE %s', f)
        WHEN random() < 0.5 AND local_sql LIKE '% = %' THEN format('DO $do$BEGIN PERFORM ltdb_delete_key(''ltdb'', %L, ''a''); END$do$', f)
        ELSE replace(local_sql, 'FROM ' || l, 'FROM ' || f) END;
    ELSE
      foreign_sql := format('DELETE FROM %s USING (VALUES (''a''), (''a''), (''c'')) v(k) WHERE key = v.k AND %s', f, condition);
      local_sql := replace(foreign_sql, 'FROM ' || f, 'FROM ' || l);
  END CASE;
END $$;

-- What is in a table, and how much of it in the ways that are pushed down.
CREATE FUNCTION contents(t text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('SELECT concat_ws(E''\n'',
    (SELECT string_agg(x::text, '' '' ORDER BY key COLLATE "C", ts) FROM %1$s x),
    (SELECT string_agg(x::text, '' '') FROM (SELECT DISTINCT ON (key) * FROM %1$s ORDER BY key, ts DESC) x),
    (SELECT string_agg(x::text, '' '') FROM (SELECT * FROM %1$s ORDER BY ts DESC, key LIMIT 3) x),
    (SELECT string_agg(x::text, '' '') FROM (SELECT * FROM %1$s WHERE key = ''a'' ORDER BY ts LIMIT 2) x),
    (SELECT max(ts) FROM %1$s), (SELECT min(ts) FROM %1$s WHERE key = ''b''))', t) INTO result;
  RETURN result;
END $$;

CREATE PROCEDURE run(seed int, steps int) LANGUAGE plpgsql AS $$
DECLARE
  n int;
  s record;
  depth int;
  trace text := '';
  undone bool;
BEGIN
  PERFORM setseed(seed / 1000000000.0);
  FOR i IN 1..steps LOOP
    n := 1 + floor(random() * 2)::int;
    depth := floor(random() * 3)::int;
    undone := random() < 0.5;
    s := a_statement(n);
    trace := right(trace || E'\n' || depth || CASE WHEN undone THEN ' undone ' ELSE ' ' END || s.foreign_sql, 3000);
    IF depth = 0 THEN
      EXECUTE s.foreign_sql;
      EXECUTE s.local_sql;
    ELSE
      BEGIN
        EXECUTE s.foreign_sql;
        EXECUTE s.local_sql;
        IF depth = 2 THEN
          s := a_statement(n);
          BEGIN
            trace := trace || E'\n  inner ' || s.foreign_sql;
            EXECUTE s.foreign_sql;
            EXECUTE s.local_sql;
            IF random() < 0.5 THEN
              RAISE division_by_zero;
            END IF;
          EXCEPTION WHEN division_by_zero THEN
            trace := trace || ' undone';
          END;
          IF contents('f' || n) IS DISTINCT FROM contents('l' || n) THEN
            RAISE 'inside';
          END IF;
        END IF;
        IF undone THEN
          RAISE division_by_zero;
        END IF;
      EXCEPTION WHEN division_by_zero THEN
        NULL;
      END;
    END IF;
    IF contents('f' || n) IS DISTINCT FROM contents('l' || n) THEN
      RAISE 'seed %, step %, table %: %', seed, i, n, trace USING DETAIL = format(E'local:\n%s\nforeign:\n%s', contents('l' || n), contents('f' || n));
    END IF;
    CASE floor(random() * 6)::int
      WHEN 0 THEN COMMIT; trace := trace || E'\nCOMMIT';
      WHEN 1 THEN ROLLBACK; trace := trace || E'\nROLLBACK';
      ELSE NULL;
    END CASE;
    IF contents('f1') IS DISTINCT FROM contents('l1') OR contents('f2') IS DISTINCT FROM contents('l2') THEN
      RAISE 'seed %, step %, after the transaction: %', seed, i, trace USING DETAIL = format(E'local:\n%s\n%s\nforeign:\n%s\n%s', contents('l1'), contents('l2'), contents('f1'), contents('f2'));
    END IF;
  END LOOP;
  COMMIT;
END $$;
SET client_min_messages = warning;
CALL run(:seed, 1500);
SELECT contents('f1') = contents('l1') AND contents('f2') = contents('l2') AS same;
DROP PROCEDURE run;
DROP FUNCTION contents, a_statement, a_condition, a_row, one_of;
DROP TABLE l1, l2;
\set ECHO none
\i sql/include/teardown.psql
