\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- EXPLAIN in its formats: each is well-formed, and says the same of LTDB.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'a "quoted" <c> & \ more', fetch_size '7');
INSERT INTO t SELECT 'k' || k, s, 'x' FROM generate_series(1, 5) k, generate_series(1, 10) s;
CREATE TABLE o (key text, n int);
INSERT INTO o VALUES ('k1', 1), ('k2', 2), ('k<&>"', 3);
ANALYZE o;
CREATE FUNCTION plan(format text, options text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
  result text := '';
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF, FORMAT %s, %s) %s', format, options, query) LOOP
    result := result || regexp_replace(line, '\$\d+|\(InitPlan \d+\)\.col\d+', '$n', 'g') || E'\n';
  END LOOP;
  RETURN result;
END $$;
CREATE FUNCTION from_text(plan text) RETURNS TABLE (name text, value text) LANGUAGE sql AS
$$ SELECT m[1], m[2] FROM regexp_matches(plan, '^ *(LTDB [^:]*): (.*)$', 'gn') m $$;
CREATE FUNCTION from_json(plan text) RETURNS TABLE (name text, value text) LANGUAGE sql AS
$$ SELECT e.key, e.value FROM jsonb_path_query(plan::jsonb, 'strict $.** ? (exists (@."Node Type"))') node, jsonb_each_text(node) e
   WHERE e.key LIKE 'LTDB %' $$;
-- XML has no spaces in names; where PostgreSQL was built with libxml the whole is parsed
CREATE FUNCTION from_xml(plan text) RETURNS TABLE (name text, value text) LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    PERFORM xmlparse(DOCUMENT plan);
  EXCEPTION WHEN feature_not_supported THEN
    NULL;
  END;
  RETURN QUERY SELECT replace(m[1], '-', ' '), replace(replace(replace(replace(m[2], '&lt;', '<'), '&gt;', '>'), '&quot;', '"'), '&amp;', '&')
    FROM regexp_matches(plan, '^ *<(LTDB-[^>]*)>([^<]*)</\1>$', 'gn') m;
END $$;
-- YAML's quoted strings are JSON's
CREATE FUNCTION from_yaml(plan text) RETURNS TABLE (name text, value text) LANGUAGE sql AS
$$ SELECT m[1], CASE WHEN m[2] LIKE '"%' THEN m[2]::jsonb #>> '{}' ELSE m[2] END FROM regexp_matches(plan, '^ *(LTDB [^:]*): (.*)$', 'gn') m $$;
-- bytes are not compared: requests are numbered, and an answer may not be read to its end
CREATE FUNCTION explain(query text, options text DEFAULT 'ANALYZE, TIMING OFF, SUMMARY OFF') RETURNS TABLE (name text, value text) LANGUAGE plpgsql AS $$
DECLARE
  format text;
  expected text[];
  actual text[];
BEGIN
  SELECT array_agg(x::text) INTO expected FROM from_text(plan('text', options, query)) x WHERE x.name <> 'LTDB Bytes';
  FOREACH format IN ARRAY ARRAY['json', 'xml', 'yaml'] LOOP
    EXECUTE format('SELECT array_agg(x::text) FROM from_%s($1) x WHERE x.name <> ''LTDB Bytes''', format) INTO actual USING plan(format, options, query);
    IF format = 'json' THEN
      -- jsonb keeps no order
      actual := (SELECT array_agg(a ORDER BY array_position(expected, a), a) FROM unnest(actual) a);
    END IF;
    IF expected IS DISTINCT FROM actual THEN
      RAISE EXCEPTION E'text: %\n%: %', expected, format, actual;
    END IF;
  END LOOP;
  RETURN QUERY SELECT * FROM from_text(plan('text', options, query)) x WHERE x.name <> 'LTDB Bytes';
END $$;

SELECT * FROM explain('SELECT * FROM t WHERE key = ''k1'' AND ts > 4');
SELECT * FROM explain('SELECT * FROM t WHERE key IN (''k1'', ''k\2'', ''"k"'') AND (ts < 3 OR ts BETWEEN 6 AND 8) ORDER BY key DESC, ts DESC LIMIT 3 OFFSET 1');
SELECT * FROM explain('SELECT * FROM t WHERE key LIKE ''k%'' AND key <> ''<k&>'' AND data > ''a'' ORDER BY key, ts');
SELECT * FROM explain('SELECT DISTINCT ON (key) * FROM t WHERE ts <= 5 ORDER BY key, ts DESC');
SELECT * FROM explain('SELECT DISTINCT ON (key) * FROM t WHERE ts <= (SELECT 5) ORDER BY key, ts DESC');
SELECT * FROM explain('SELECT DISTINCT ON (key) * FROM t WHERE ts <> (SELECT 5) ORDER BY key, ts DESC');
SELECT * FROM explain('SELECT max(ts) FROM t WHERE key = (SELECT ''k1''::text)');
SELECT * FROM explain('SELECT * FROM t ORDER BY ts DESC LIMIT 2');
SELECT * FROM explain('SELECT * FROM o JOIN t ON t.key = o.key AND t.ts BETWEEN o.n AND o.n + 1');
SELECT * FROM explain('SELECT * FROM t WHERE ts < 3 AND ts > 4');
SELECT * FROM explain('SELECT key FROM t WHERE ts < (SELECT 3) AND ts > (SELECT 4) AND key = (SELECT ''k1'') LIMIT 1');
SELECT * FROM explain('SELECT * FROM o JOIN t USING (key) WHERE o.n > 7');
SELECT * FROM explain('INSERT INTO t SELECT * FROM t WHERE key = ''k1'' AND ts = 1');
SELECT * FROM explain('DELETE FROM t WHERE key = ''k5''', 'ANALYZE OFF');
SELECT count(*) FROM t;

-- types in JSON, and the time, which is never the same
CREATE FUNCTION types(options text) RETURNS TABLE (name text, type text, positive bool) LANGUAGE sql AS
$$ SELECT e.key, jsonb_typeof(e.value), CASE WHEN jsonb_typeof(e.value) = 'number' AND e.key <> 'LTDB Wait Time' THEN e.value::text::numeric > 0 END
   FROM jsonb_path_query(plan('json', options, 'SELECT * FROM t')::jsonb, 'strict $.** ? (exists (@."Node Type"))') node, jsonb_each(node) e WHERE e.key LIKE 'LTDB %' ORDER BY 1 $$;
SELECT * FROM types('ANALYZE');
SELECT * FROM types('ANALYZE, TIMING OFF');
SELECT * FROM types('ANALYZE OFF');
SELECT count(*) FROM regexp_matches(plan('text', 'ANALYZE', 'SELECT * FROM t'), '^ +LTDB Wait Time: \d+\.\d{3} ms$', 'gn');
EXPLAIN (COSTS OFF) SELECT * FROM t WHERE key = 'k1';

-- nobody is contacted without ANALYZE
CREATE SERVER nobody FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1:1');
CREATE FOREIGN TABLE n (key text, ts bigint, data text) SERVER nobody;
SELECT * FROM explain('SELECT DISTINCT ON (key) * FROM n, generate_series(1, 3) WHERE key > ''a'' ORDER BY key, ts', 'ANALYZE OFF');
SELECT * FROM explain('DELETE FROM n', 'ANALYZE OFF');
DROP SERVER nobody CASCADE;
DROP FUNCTION types, explain, from_text, from_json, from_xml, from_yaml, plan;
DROP TABLE o;
\set ECHO none
\i sql/include/teardown.psql
