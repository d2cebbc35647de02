\set ECHO none
\i sql/include/setup.psql
\i sql/include/random.psql
\i sql/include/compare.psql
\set ECHO all
-- Property: columns that show fields of data are what PostgreSQL's own jsonb
-- says of the same documents, wherever a query uses them.
CREATE FUNCTION a_member() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  CASE floor(random() * 13)::int
    WHEN 0, 1 THEN RETURN '"i": ' || pick('1', '2', '-5', '7.0', '1e1', '0', 'null', '2147483647', '"3"');
    WHEN 2 THEN RETURN '"x" :' || pick('0.5', '-1.25e2', '3', 'null', '1E-3', '"NaN"', '"2.5"');
    WHEN 3 THEN RETURN '"n":' || pick('0.10', '123456789012345678901234567890.5', '-7', 'null', '1e3');
    WHEN 4, 5 THEN RETURN '"s": ' || pick('"a"', '"\u00e4\u00E9 \"q\""', '"b\\c\n"', '""', '12', 'true', 'null', '"A"', '[1, "x"]', '{"y": 1}', '"\ud83d\ude00"', '"ä"');
    WHEN 6 THEN RETURN '"b": ' || pick('true', 'false', 'null', '"yes"', '"f"');
    WHEN 7 THEN RETURN '"at": ' || pick('"2020-01-01T12:00:00Z"', '1577836800', '-0.5', '"infinity"', 'null', '"2020-06-01 00:00+02"');
    WHEN 8 THEN RETURN '"l": ' || pick('[1, 2, null]', '[ ]', 'null', '[3]', '[2,"4"]');
    WHEN 9, 10 THEN RETURN '"j": ' || pick('{"a": [1, {"b": 2}]}', '"x"', '5', 'null', '[]', '{"a": [true]}', '{"b": {"a": []}, "a": {"0": 7}}', '{"a": ["]}"]}');
    WHEN 11 THEN RETURN '"a.b": ' || pick('"dotted"', 'null', '1');
    ELSE RETURN pick('"": 1', '"zz": {"i": 99, "s": "\"}", "l": [[]]}', '"I": 8', '"i ": 9', '"\u0069": 4', '"a": {"b": "not dotted"}');
  END CASE;
END $$;
CREATE FUNCTION a_document() RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT CASE WHEN random() < 0.1 THEN pick('{}', '[]', '[{"i": 1}]', '"i"', '5', 'null', ' { } ', 'true')
    ELSE (SELECT '{' || string_agg(a_member(), pick(',', ', ', E' ,\n')) || '}' FROM generate_series(1, 1 + floor(random() * 8)::int)) END $$;
SELECT setseed(:seed / 1000000000.0);
CREATE TABLE raw (key text, ts bigint, data text);
DO $$ BEGIN
  FOR i IN 1..60 LOOP
    INSERT INTO raw VALUES ('k' || i % 6, i, a_document());
  END LOOP;
END $$;
CREATE FOREIGN TABLE f_raw (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'fields');
INSERT INTO f_raw SELECT * FROM raw;
\set columns 'i int OPTIONS (field ''i''), key text, x float8 OPTIONS (field ''x''), n numeric OPTIONS (field ''n''), s text OPTIONS (field ''s''), b bool OPTIONS (field ''b''), ts bigint, at timestamptz OPTIONS (field ''at''), l int[] OPTIONS (field ''l''), e int OPTIONS (field ''l[1]''), j jsonb OPTIONS (field ''j''), k text OPTIONS (field ''j.a[0]''), d text OPTIONS (field ''"a.b"'')'
CREATE FOREIGN TABLE f_fields (:columns) SERVER ltdb OPTIONS (collection 'fields', fetch_size '4');
CREATE FOREIGN TABLE f_mixed (:columns, data jsonb) SERVER ltdb OPTIONS (collection 'fields');
CREATE TABLE l_mixed AS SELECT (data ->> 'i')::numeric::int AS i, key, (data ->> 'x')::float8 AS x, (data ->> 'n')::numeric AS n, data ->> 's' AS s,
  (data ->> 'b')::bool AS b, ts, CASE jsonb_typeof(data -> 'at') WHEN 'number' THEN to_timestamp((data ->> 'at')::float8) ELSE (data ->> 'at')::timestamptz END AS at,
  CASE jsonb_typeof(data -> 'l') WHEN 'array' THEN ARRAY(SELECT (e #>> '{}')::int FROM jsonb_array_elements(data -> 'l') WITH ORDINALITY x (e, n) ORDER BY n) END AS l,
  (data #>> '{l,1}')::int AS e, nullif(data -> 'j', 'null') AS j, CASE jsonb_typeof(data #> '{j,a}') WHEN 'array' THEN data #>> '{j,a,0}' END AS k,
  data ->> 'a.b' AS d, data FROM (SELECT key, ts, data::jsonb FROM raw) r;
CREATE VIEW l_fields AS SELECT i, key, x, n, s, b, ts, at, l, e, j, k, d FROM l_mixed;
CREATE TABLE o AS SELECT n AS i, 'k' || n AS key FROM generate_series(-5, 12) n;
ANALYZE o;

CREATE FUNCTION a_test(kind text, depth int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF depth > 0 AND random() < 0.6 THEN
    RETURN pick('', '', 'NOT ') || '(' || a_test(kind, depth - 1) || pick(' AND ', ' OR ') || a_test(kind, depth - 1) || ')';
  END IF;
  CASE floor(random() * 8)::int
    WHEN 0 THEN RETURN 't.i ' || an_operator() || ' ' || pick('1', '2', '-5', '10', 't.e', 'NULL');
    WHEN 1 THEN RETURN pick('t.x', 't.n', 't.i + t.x') || ' ' || an_operator() || ' ' || pick('0', '0.1', '3', '-125', 't.i');
    WHEN 2 THEN RETURN 't.s ' || an_operator() || ' ' || pick('''a''', '''''', '''12''', '''ä''', 't.k', 't.d', 't.key');
    WHEN 3 THEN RETURN pick('t.i', 't.s', 't.b', 't.at', 't.l', 't.j', 't.k') || pick(' IS NULL', ' IS NOT NULL');
    WHEN 4 THEN RETURN pick('t.b', 'NOT t.b', 't.b IS NOT TRUE', '2 = ANY (t.l)', 'cardinality(t.l) = 0', 't.l[1] = 3', 't.at < ''2020-03-01''', 'extract(year FROM t.at) = 2020');
    WHEN 5 THEN RETURN pick('t.j @> ''{"a": [1]}''', 't.j ? ''a''', 't.j = ''5''', 't.k = ''1''', 't.s LIKE ''%"%''', 'length(t.s) > 1', 't.d IN (''dotted'', ''1'')');
    WHEN 6 THEN RETURN 't.key ' || pick('= ''k1''', 'IN (''k2'', ''k4'')', '> ''k2''', 'LIKE ''%3''');
    ELSE RETURN CASE WHEN kind = 'mixed' AND random() < 0.5 THEN pick('t.data ->> ''i'' = ''1''', 't.data @> ''{"b": true}''', 'jsonb_typeof(t.data) = ''object''')
      ELSE pick('t.ts > 20', 't.ts BETWEEN 10 AND 40', 't.ts = t.i', 't.ts IN (5, 6, 7, NULL)') END;
  END CASE;
END $$;
CREATE FUNCTION some_columns() RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT pick('*', 't', 'i, s', 'x, n, b', 'at, l, e', 'j, k, d', 'ts, key, j', 's', 'count(*) OVER (), i', 'to_jsonb(t)', 'coalesce(i, e), s || k', 'lag(s) OVER (PARTITION BY key ORDER BY ts)') $$;
CREATE FUNCTION a_query(kind text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  test text := replace(pick('true', a_test(kind, 0), a_test(kind, 1), a_test(kind, 2)), '%', '%%');
  l text := pick('', '', ' LIMIT 3', ' LIMIT 5 OFFSET 2');
BEGIN
  CASE floor(random() * 10)::int
    WHEN 0, 1 THEN RETURN format('SELECT %s FROM %%1$s t WHERE %s ORDER BY key, ts%s', some_columns(), test, l);
    WHEN 2 THEN RETURN format('SELECT %s FROM %%1$s t WHERE %s ORDER BY %s, key DESC, ts%s', some_columns(), test, pick('i', 'x DESC', 'n', 's', 'b NULLS FIRST', 'at', 'l', 'j', 'length(s)'), l);
    WHEN 3 THEN RETURN format('SELECT key, count(i), sum(i), sum(n), min(at), max(s), bool_or(b), max(x), jsonb_agg(j ORDER BY ts) FROM %%1$s t WHERE %s GROUP BY key ORDER BY key', test);
    WHEN 4 THEN RETURN format('SELECT %1$s, count(*), max(ts), max(t.x) FROM %%1$s t WHERE %2$s GROUP BY %1$s ORDER BY %1$s', pick('t.i', 't.s', 't.b', 't.at', 't.l', 't.j', 't.e'), test);
    WHEN 5 THEN RETURN format('SELECT DISTINCT ON (key) key, ts, %s FROM %%1$s t WHERE %s ORDER BY key, ts%s', pick('i', 's', 'l, j', 'd', 't'), test, pick('', ' DESC'));
    WHEN 6 THEN RETURN format('SELECT DISTINCT %1$s FROM %%1$s t WHERE %2$s ORDER BY %1$s', pick('t.i', 't.s, t.b', 't.at', 't.j', 't.key, t.e'), test);
    WHEN 7 THEN RETURN format('SELECT o.i, t.key, t.ts, t.s, t.l FROM o %s JOIN %%1$s t ON %s AND %s ORDER BY 1, 2, 3', pick('', 'LEFT'), pick('t.i = o.i', 't.key = o.key', 't.e = o.i AND t.key > o.key', 't.ts = o.i'), test);
    WHEN 8 THEN RETURN format('SELECT o.key, x.* FROM o, LATERAL (SELECT ts, s, j FROM %%1$s t WHERE t.key = o.key AND %s ORDER BY ts DESC%s) x ORDER BY 1, 2', test, l);
    ELSE RETURN format('SELECT t.key, t.ts, u.ts, u.s FROM %%1$s t JOIN %%1$s u ON %s AND %s ORDER BY 1, 2, 3, u.key', pick('t.i = u.e', 't.key = u.key AND t.ts = u.ts + 6', 't.s = u.s AND t.key < u.key', 't.j = u.j AND t.key = u.key'), test);
  END CASE;
END $$;
SELECT count(*), count(DISTINCT key) FROM f_mixed;
SELECT compare('{fields,mixed}', :seed, 2000);
DROP FUNCTION compare, a_query, some_columns, a_test, a_document, a_member;
DROP TABLE o, raw;
DROP VIEW l_fields;
DROP TABLE l_mixed;
\set ECHO none
\i sql/include/random_drop.psql
\i sql/include/teardown.psql
