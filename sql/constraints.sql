\set ECHO none
\i sql/include/setup.psql
\t on
\a
\set ECHO all
-- What may not be stored, with the SQLSTATE of a local table.
CREATE DOMAIN a_key AS text CHECK (VALUE ~ '^[a-z]+$');
CREATE DOMAIN a_second AS bigint NOT NULL CHECK (VALUE > 0);
CREATE DOMAIN a_json AS jsonb CHECK (VALUE ? 'v');
CREATE TABLE local_t (key a_key NOT NULL, ts a_second NOT NULL, data a_json NOT NULL);
CREATE FOREIGN TABLE commit_t (key a_key NOT NULL, ts a_second NOT NULL, data a_json NOT NULL) SERVER ltdb;
CREATE FOREIGN TABLE immediate_t (key a_key NOT NULL, ts a_second NOT NULL, data a_json NOT NULL) SERVER ltdb OPTIONS (write_mode 'immediate');
CREATE FUNCTION states(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  side text;
  states text[] := '{}';
BEGIN
  FOREACH side IN ARRAY ARRAY['local_t', 'commit_t', 'immediate_t'] LOOP
    BEGIN
      EXECUTE replace(statement, '{t}', side);
      states := states || '00000'::text;
    EXCEPTION WHEN OTHERS THEN
      states := states || SQLSTATE;
    END;
  END LOOP;
  RETURN CASE WHEN states[1] = states[2] AND states[2] = states[3] THEN states[1] ELSE states::text END;
END $$;
SELECT states($$INSERT INTO {t} VALUES ('a', 1, '{"v": 1}')$$);
SELECT states($$INSERT INTO {t} VALUES ('A', 1, '{"v": 1}')$$);
SELECT states($$INSERT INTO {t} VALUES (NULL, 1, '{"v": 1}')$$);
SELECT states($$INSERT INTO {t} VALUES ('a', NULL, '{"v": 1}')$$);
SELECT states($$INSERT INTO {t} VALUES ('a', 0, '{"v": 1}')$$);
SELECT states($$INSERT INTO {t} VALUES ('a', 1, '{"w": 1}')$$);
SELECT states($$INSERT INTO {t} VALUES ('a', 1, '{')$$);
SELECT states($$INSERT INTO {t} (ts, data) VALUES (1, '{"v": 1}')$$);
SELECT states($$INSERT INTO {t} (key, data) VALUES ('a', '{"v": 1}')$$);
SELECT states($$INSERT INTO {t} SELECT 'a', s, '{"v": 1}' FROM generate_series(-1, 1) s$$);
SELECT states($$UPDATE {t} SET key = 'A'$$);
SELECT states($$UPDATE {t} SET key = NULL$$);
SELECT states($$UPDATE {t} SET ts = ts - 1$$);
SELECT states($$UPDATE {t} SET ts = NULL$$);
SELECT states($$UPDATE {t} SET data = data - 'v'$$);
SELECT states($$UPDATE {t} SET data = NULL$$);
SELECT states($$UPDATE {t} SET ts = 'soon'$$);
SELECT states($$UPDATE {t} SET ts = ts / 0$$);
SELECT states($$UPDATE {t} SET nothing = 1$$);
SELECT states($$UPDATE {t} SET key = 'a', key = 'b'$$);
SELECT states($$INSERT INTO {t} VALUES ('a', 1, '{"v": 1}', 5)$$);
SELECT states($$DELETE FROM {t} WHERE key = 1$$);
SELECT states($$DELETE FROM {t} WHERE ts = 1 / 0$$);
SELECT states($$SELECT * FROM {t} FOR NO KEY UPDATE$$);
SELECT * FROM commit_t;
SELECT * FROM immediate_t;

-- roles need the rights on the table, and no others
CREATE ROLE ltdb_regress_writer;
CREATE USER MAPPING FOR ltdb_regress_writer SERVER ltdb OPTIONS (api_key :'ltdb_api_key');
GRANT SELECT (key, ts), INSERT (key, ts, data), UPDATE (ts) ON local_t, commit_t, immediate_t TO ltdb_regress_writer;
SET ROLE ltdb_regress_writer;
SELECT states($$INSERT INTO {t} VALUES ('b', 1, '{"v": 1}')$$);
SELECT states($$INSERT INTO {t} VALUES ('c', 1, '{"v": 1}') RETURNING data$$);
SELECT states($$UPDATE {t} SET ts = 2 WHERE key = 'b'$$);
SELECT states($$UPDATE {t} SET key = 'c' WHERE key = 'b'$$);
SELECT states($$UPDATE {t} SET ts = 2 WHERE data IS NOT NULL$$);
SELECT states($$DELETE FROM {t} WHERE key = 'b'$$);
SELECT states($$TRUNCATE {t}$$);
SELECT states($$SELECT data FROM {t}$$);
RESET ROLE;
SELECT * FROM commit_t ORDER BY key;
SELECT * FROM immediate_t ORDER BY key;

-- row-level security is for local tables only
ALTER FOREIGN TABLE commit_t ENABLE ROW LEVEL SECURITY;

-- references from and to foreign tables
CREATE TABLE refers (key text REFERENCES commit_t);
CREATE FOREIGN TABLE refers (key text REFERENCES local_t, ts bigint) SERVER ltdb;
CREATE FOREIGN TABLE refers (key text PRIMARY KEY, ts bigint) SERVER ltdb;
DROP TABLE local_t;
DROP FUNCTION states;
\set ECHO none
\i sql/include/teardown.psql
DROP DOMAIN a_key, a_second, a_json;
DROP ROLE ltdb_regress_writer;
