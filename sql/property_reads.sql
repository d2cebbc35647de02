\set ECHO none
\i sql/include/setup.psql
\i sql/include/random.psql
\i sql/include/compare.psql
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
  CASE floor(random() * 18)::int
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
    WHEN 15 THEN RETURN format('SELECT o.id, (SELECT count(*) FROM %%1$s t WHERE %s AND %s) FROM o ORDER BY 1', clause,
      a_bound(kind, pick('t.key > o.key', 't.key LIKE o.key || ''%%''', 't.key <> o.key AND t.ts > o.lo', 't.key = ANY (ARRAY[o.key, ''b''])', 't.key = o.key OR t.key = ''ab''')));
    WHEN 16 THEN RETURN format('SELECT o.id, t.key, t.ts FROM o %s JOIN %%1$s t ON %s ORDER BY 1, 2, 3', pick('', 'LEFT'),
      a_bound(kind, pick('t.ts = o.lo AND t.key > o.key', 't.ts BETWEEN o.lo AND o.hi AND t.key LIKE o.key || ''%%''', 't.key IN (o.key, ''b'') AND (t.ts < o.lo OR t.ts = o.hi)')));
    ELSE RETURN format('SELECT key, ts FROM (SELECT * FROM %%1$s WHERE %s UNION ALL SELECT * FROM %%1$s WHERE key = ''b'') u ORDER BY key%s, ts%s%s', clause, k, t, a_limit());
  END CASE;
END $$;

SELECT count(*) FROM f_icu;
SELECT compare('{tz,int,icu}', :seed, 3000);
DROP FUNCTION compare, a_query, a_bound, a_limit, a_direction;
DROP TABLE o;
\set ECHO none
\i sql/include/random_drop.psql
\i sql/include/teardown.psql
