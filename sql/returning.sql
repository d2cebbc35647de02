\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- RETURNING OLD and NEW, which PostgreSQL has since 18: the same rows as from a
-- local table.  Before 18 there is nothing to compare.
CREATE FOREIGN TABLE f (key text, ts bigint, data text) SERVER ltdb;
CREATE FOREIGN TABLE fi (key text, ts bigint, data text) SERVER ltdb OPTIONS (write_mode 'immediate');
CREATE FOREIGN TABLE ff (key text, ts bigint, n int OPTIONS (field 'n')) SERVER ltdb;
CREATE TABLE l (key text, ts bigint, data text);
CREATE TABLE lf (key text, ts bigint, n int);
CREATE FUNCTION same(statement text, VARIADIC names text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  expected text;
  actual text;
BEGIN
  IF current_setting('server_version_num')::int < 180000 THEN
    RETURN 'same';
  END IF;
  FOR i IN 1..array_length(names, 1) LOOP
    EXECUTE format('WITH x AS (%s) SELECT string_agg(x::text, '' '' ORDER BY x::text) FROM x', replace(statement, '{t}', names[i])) INTO actual;
    IF i = 1 THEN
      expected := actual;
    ELSIF actual IS DISTINCT FROM expected THEN
      RETURN format('%s: %s, not %s', names[i], actual, expected);
    END IF;
  END LOOP;
  RETURN 'same';
END $$;
INSERT INTO f SELECT 'a', s, s FROM generate_series(1, 3) s;
INSERT INTO fi SELECT * FROM f;
INSERT INTO l SELECT * FROM f;
INSERT INTO ff SELECT key, ts, ts FROM f;
INSERT INTO lf SELECT key, ts, ts FROM f;
SELECT same('INSERT INTO {t} VALUES (''b'', 1, ''new'') RETURNING old.key, old, new.key, new.ts, new.data', 'l', 'f', 'fi');
SELECT same('UPDATE {t} SET data = data || ''!'' WHERE ts > 1 RETURNING old.data, new.data, data, old.ts', 'l', 'f', 'fi');
SELECT same('UPDATE {t} SET key = ''c'', ts = ts + 10 WHERE ts = 3 RETURNING old.key, new.key, old.ts, new.ts, new.data', 'l', 'f', 'fi');
SELECT same('DELETE FROM {t} WHERE key = ''c'' RETURNING old.key, old.ts, new.key, new', 'l', 'f', 'fi');
SELECT same('DELETE FROM {t} WHERE key = ''a'' AND ts = 1 RETURNING WITH (OLD AS o, NEW AS n) o.data, n.data, data', 'l', 'f', 'fi');
SELECT same('UPDATE {t} SET n = n + 1, ts = ts + 10 RETURNING old.n, new.n, old.ts, new.ts', 'lf', 'ff');
SELECT same('DELETE FROM {t} RETURNING old.*, new.n', 'lf', 'ff');
DROP FUNCTION same;
DROP TABLE l, lf;
\set ECHO none
\i sql/include/teardown.psql
