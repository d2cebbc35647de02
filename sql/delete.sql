\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- DELETE: by key and ts, with RETURNING, filters, joins and triggers.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (batch_size '4');
CREATE FOREIGN TABLE ordered (data text, ts timestamptz, key text) SERVER ltdb OPTIONS (collection 't');
INSERT INTO t SELECT k, s, k || s FROM unnest(ARRAY['a', 'b', 'c', 'd']) k, generate_series(-2, 10) s;

DELETE FROM t WHERE key = 'a' AND ts BETWEEN 3 AND 5;
SELECT array_agg(ts ORDER BY ts) FROM t WHERE key = 'a';

-- LTDB deletes a record with ts <= 0 in another way
DELETE FROM t WHERE key = 'b' AND ts <= 1 RETURNING *;
SELECT array_agg(ts ORDER BY ts) FROM t WHERE key = 'b';
DELETE FROM ordered WHERE key = 'b' AND ts = to_timestamp(7) RETURNING *;
DELETE FROM t WHERE ts = 2 AND data LIKE '%c%' RETURNING data, ts;
DELETE FROM t WHERE key = 'nobody' RETURNING *;

-- no row is missed or met twice while others go
WITH gone AS (DELETE FROM t WHERE key = 'c' RETURNING ts) SELECT count(*) FROM gone;
SELECT count(*) FROM t WHERE key = 'c';

-- joins
CREATE TABLE l (key text, ts bigint);
INSERT INTO l VALUES ('d', 1), ('d', 2), ('x', 1), ('a', 10);
DELETE FROM t USING l WHERE t.key = l.key AND t.ts = l.ts RETURNING t.*, l.key AS lkey;
DELETE FROM t WHERE key = 'd' AND ts > (SELECT avg(ts) FROM t WHERE key = 'd');
DELETE FROM t WHERE ts IN (SELECT ts FROM l) AND key = 'b' RETURNING data;
SELECT key, array_agg(ts ORDER BY ts) FROM t GROUP BY key ORDER BY key;

-- triggers see the old row, and the deletion afterwards
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% %: %, % left', TG_WHEN, TG_OP, OLD, (SELECT count(*) FROM t WHERE key = 'a');
  RETURN CASE WHEN TG_WHEN = 'BEFORE' AND OLD.ts = 7 THEN NULL ELSE OLD END;
END $$;
CREATE TRIGGER tell_before BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_after AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION tell();
DELETE FROM t WHERE key = 'a' AND ts IN (6, 7);
DROP TRIGGER tell_before ON t;
DROP TRIGGER tell_after ON t;
DROP FUNCTION tell;
SELECT array_agg(ts ORDER BY ts) FROM t WHERE key = 'a';

-- key-value pairs are untouched, and so is the collection
SELECT ltdb_kv_set('ltdb', 't', 'unit', 'celsius');
DELETE FROM t;
SELECT count(*) FROM t;
SELECT * FROM ltdb_kv_all('ltdb', 't');
SELECT ltdb_collections('ltdb');

-- through a view, and in a partitioned table
CREATE TABLE parent (key text, ts bigint, data text) PARTITION BY LIST (key);
CREATE FOREIGN TABLE part_x PARTITION OF parent FOR VALUES IN ('x') SERVER ltdb OPTIONS (collection 'x');
CREATE FOREIGN TABLE part_y (data text, ts bigint, key text) SERVER ltdb OPTIONS (collection 'y');
ALTER TABLE parent ATTACH PARTITION part_y FOR VALUES IN ('y');
CREATE TABLE part_local PARTITION OF parent DEFAULT;
INSERT INTO parent SELECT k, s, k || s FROM unnest(ARRAY['x', 'y', 'z']) k, generate_series(1, 3) s;
SELECT tableoid::regclass::text AS part, count(*) FROM parent GROUP BY part ORDER BY part;
WITH d AS (DELETE FROM parent WHERE ts = 2 RETURNING tableoid::regclass, *) SELECT * FROM d ORDER BY key;
CREATE VIEW v AS SELECT key, ts FROM parent WHERE ts < 3;
DELETE FROM v WHERE key = 'y';
SELECT * FROM parent ORDER BY key, ts;
DROP VIEW v;
DROP TABLE parent;
DROP TABLE l;
\set ECHO none
\i sql/include/teardown.psql
