\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- INSERT: batches, replacement, RETURNING, defaults, triggers, what is refused.
CREATE FOREIGN TABLE t (key text NOT NULL, ts timestamptz NOT NULL, data jsonb) SERVER ltdb OPTIONS (batch_size '3');
CREATE FOREIGN TABLE raw (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 't', batch_size '100000');

INSERT INTO t VALUES ('a', '2020-01-01', '{"v": 1}');
INSERT INTO t VALUES ('a', '2020-01-02', '{"v": 2}'), ('b', '2020-01-01', '[]'), ('c', '2020-01-01', '"text"'),
  ('d', '2020-01-01', 'null'), ('e', '2020-01-01', '1.50');
INSERT INTO t (data, ts, key) SELECT jsonb_build_object('n', n), '2021-01-01'::timestamptz + n * interval '1 day', 'gen'
FROM generate_series(1, 10) n;
SELECT key, ts, data FROM t ORDER BY key, ts;

-- the record with the same key and ts is replaced, the last one wins
INSERT INTO t VALUES ('a', '2020-01-01', '{"v": 10}'), ('a', '2020-01-01', '{"v": 11}');
SELECT * FROM t WHERE key = 'a';

-- RETURNING shows what is stored
INSERT INTO t VALUES ('r', '2020-01-01 00:00:00.7', '{"b": 1, "a":  2}'), ('r', '2020-01-02', '{}')
RETURNING *, tableoid::regclass, data ->> 'a' AS a;
WITH new AS (INSERT INTO t VALUES ('r', '2020-01-03', '[1]') RETURNING key, ts) SELECT * FROM new;

-- many rows, and rows larger than a message
INSERT INTO raw SELECT 'many', n, 'x' FROM generate_series(1, 25000) n;
SELECT count(*), min(ts), max(ts) FROM raw WHERE key = 'many';
INSERT INTO raw SELECT 'big', n, repeat(chr(96 + n), n * 700000) FROM generate_series(1, 4) n;
SELECT ts, length(data), md5(data) = md5(repeat(chr(96 + ts::int), ts::int * 700000)) AS same FROM raw WHERE key = 'big';
DELETE FROM raw WHERE key IN ('many', 'big');

-- a statement does not see what it writes
INSERT INTO t SELECT key, ts + interval '1 year', data FROM t WHERE key = 'gen';
SELECT count(*), min(ts), max(ts) FROM t WHERE key = 'gen';

-- defaults, generated columns, CHECK
CREATE SEQUENCE s;
CREATE FOREIGN TABLE d (
  key text DEFAULT 'k' || nextval('s'),
  ts timestamptz DEFAULT '2022-02-02 00:00:00+00',
  data text GENERATED ALWAYS AS ('<' || key || '>') STORED,
  CONSTRAINT short CHECK (length(key) < 5)) SERVER ltdb;
INSERT INTO d DEFAULT VALUES;
INSERT INTO d (key) VALUES ('k9'), (DEFAULT) RETURNING *;
INSERT INTO d (key) VALUES ('toolong');
SELECT * FROM d ORDER BY key;

-- triggers change columns that the statement did not name, and see the rows
CREATE FUNCTION before_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.key = 'skip' THEN RETURN NULL; END IF;
  NEW.data := jsonb_build_object('by', TG_NAME);
  RETURN NEW;
END $$;
CREATE FUNCTION after_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% % %: % rows', TG_WHEN, TG_OP, TG_LEVEL, (SELECT count(*) FROM t WHERE key = 'trig');
  RETURN NULL;
END $$;
CREATE TRIGGER a_before BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION before_row();
CREATE TRIGGER b_after AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION after_row();
CREATE TRIGGER c_after AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION after_row();
INSERT INTO t (key, ts) VALUES ('trig', '2020-01-01'), ('skip', '2020-01-01'), ('trig', '2020-01-02') RETURNING *;
DROP TRIGGER a_before ON t;
DROP TRIGGER b_after ON t;
DROP TRIGGER c_after ON t;
SELECT count(*) FROM t WHERE key = 'skip';

-- NULL is for key and ts never, for data only where it can be read back
INSERT INTO t VALUES (NULL, '2020-01-01', '1');
INSERT INTO raw VALUES (NULL, 1, 'x');
INSERT INTO raw VALUES ('n', NULL, 'x');
INSERT INTO raw VALUES ('n', 1, NULL);
INSERT INTO t VALUES ('n', '2020-01-01');
ALTER FOREIGN TABLE t OPTIONS (ADD invalid_json 'null');
INSERT INTO t VALUES ('n', '2020-01-01') RETURNING *;
SELECT * FROM t WHERE key = 'n';
SELECT * FROM raw WHERE key = 'n';

-- refused, and nothing lost
INSERT INTO raw VALUES ('', 1, 'x');
INSERT INTO t VALUES ('a', '2020-01-01', '1') ON CONFLICT DO NOTHING;
INSERT INTO t VALUES ('a', '2020-01-01', '1') ON CONFLICT (key, ts) DO UPDATE SET data = '2';
ALTER FOREIGN TABLE raw OPTIONS (ADD updatable 'false');
INSERT INTO raw VALUES ('x', 1, 'x');
CREATE FOREIGN TABLE without_ts (key text, data text) SERVER ltdb OPTIONS (collection 't');
INSERT INTO without_ts VALUES ('x', 'y');
SELECT * FROM without_ts WHERE key = 'a';

-- EXPLAIN sends nothing, EXPLAIN ANALYZE does
EXPLAIN (COSTS OFF) INSERT INTO t VALUES ('explained', '2020-01-01', '1');
SELECT count(*) FROM t WHERE key = 'explained';
SELECT explain_lines('ANALYZE', $$INSERT INTO t VALUES ('explained', '2020-01-01', '1')$$);
SELECT count(*) FROM t WHERE key = 'explained';
DROP FUNCTION before_row, after_row, explain_lines;
DROP FOREIGN TABLE d;
DROP SEQUENCE s;
\set ECHO none
\i sql/include/teardown.psql
