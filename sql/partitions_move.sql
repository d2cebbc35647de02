\set ECHO none
\i sql/include/setup.psql
\t on
\a
\set ECHO all
-- An UPDATE that moves rows between the partitions of a table.
CREATE TABLE p (key text, ts bigint, data text) PARTITION BY LIST (key);
CREATE TABLE p_l PARTITION OF p FOR VALUES IN ('l');
CREATE TABLE p_m PARTITION OF p FOR VALUES IN ('m');
CREATE FOREIGN TABLE p_f PARTITION OF p FOR VALUES IN ('f') SERVER ltdb;
CREATE FOREIGN TABLE p_g (data text, ts bigint, key text) SERVER ltdb;
ALTER TABLE p ATTACH PARTITION p_g FOR VALUES IN ('g');
CREATE FOREIGN TABLE p_n PARTITION OF p FOR VALUES IN ('n') SERVER ltdb OPTIONS (write_mode 'immediate');
CREATE FUNCTION shown() RETURNS SETOF text LANGUAGE sql AS
$$ SELECT format('%s %s', tableoid::regclass, p) FROM p ORDER BY tableoid::regclass::text, key, ts $$;
INSERT INTO p SELECT k, s, k || s FROM unnest(ARRAY['l', 'm', 'f', 'g', 'n']) k, generate_series(1, 4) s;

-- from a local to a foreign partition, alone and with those that stay
UPDATE p SET key = 'f', ts = 101 WHERE key = 'l' AND ts = 1 RETURNING tableoid::regclass, *;
UPDATE p_l SET key = 'f' WHERE ts = 2;
UPDATE p SET key = 'n', ts = ts + 100 WHERE key = 'l' AND ts = 2 RETURNING tableoid::regclass, *;
UPDATE p SET key = CASE key WHEN 'l' THEN 'g' ELSE key END, ts = ts + 200 WHERE ts = 3 AND key IN ('l', 'm') RETURNING tableoid::regclass, *;
SELECT shown();

-- ... and undone
BEGIN;
UPDATE p SET key = 'f', ts = 301 WHERE key = 'm' AND ts = 1;
SAVEPOINT s;
UPDATE p SET key = 'g', ts = 302 WHERE key = 'm' AND ts = 2;
SELECT tableoid::regclass, * FROM p WHERE ts > 300 ORDER BY ts;
ROLLBACK TO s;
SELECT tableoid::regclass, * FROM p WHERE ts > 300 ORDER BY ts;
ROLLBACK;
SELECT tableoid::regclass, * FROM p WHERE ts > 300 ORDER BY ts;
SELECT * FROM p WHERE key = 'm' ORDER BY ts;

-- a foreign partition is updated and has rows moved into it by one statement
UPDATE p SET key = 'f', data = data || '!', ts = ts + 400 WHERE (key = 'l' AND ts = 4) OR (key = 'f' AND ts IN (1, 2));
UPDATE p SET ts = ts + 400, key = CASE key WHEN 'm' THEN 'n' ELSE key END WHERE (ts = 4 AND key = 'm') OR (ts = 3 AND key = 'n');
SELECT shown();

-- triggers: a row that moves is deleted here and inserted there
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% % %: % %', TG_TABLE_NAME, TG_WHEN, TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN OLD END, CASE WHEN TG_OP <> 'DELETE' THEN NEW END;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER before_ BEFORE INSERT OR UPDATE OR DELETE ON p FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER after_ AFTER INSERT OR UPDATE OR DELETE ON p FOR EACH ROW EXECUTE FUNCTION tell();
UPDATE p SET key = 'g', ts = 501 WHERE key = 'm' AND ts = 1;
UPDATE p SET key = 'n', ts = 502 WHERE key = 'm' AND ts = 2;
DROP TRIGGER before_ ON p;
DROP TRIGGER after_ ON p;

-- deletion and insertion move rows out of a foreign partition, in one statement
WITH d AS (DELETE FROM p WHERE key = 'f' AND ts > 100 RETURNING *) INSERT INTO p SELECT 'l', ts, data FROM d;
WITH d AS (DELETE FROM p WHERE key = 'g' AND ts < 3 RETURNING *) INSERT INTO p SELECT 'f', ts + 700, data FROM d;
WITH d AS (DELETE FROM p WHERE key = 'n' AND ts = 1 RETURNING *) INSERT INTO p SELECT 'f', ts + 700, data || 'n' FROM d;
SELECT shown();
BEGIN;
WITH d AS (DELETE FROM p WHERE key = 'f' RETURNING *) INSERT INTO p SELECT 'm', ts, data FROM d;
SELECT count(*) FILTER (WHERE key = 'f') AS f, count(*) FILTER (WHERE key = 'm') AS m FROM p;
ROLLBACK;
SELECT count(*) FILTER (WHERE key = 'f') AS f, count(*) FILTER (WHERE key = 'm') AS m FROM p;

-- partitions come and go with what they hold
ALTER TABLE p DETACH PARTITION p_g;
SELECT key, ts FROM p_g ORDER BY ts;
INSERT INTO p VALUES ('g', 1, '');
ALTER TABLE p ATTACH PARTITION p_g FOR VALUES IN ('g', 'gg');
UPDATE p SET key = 'gg' WHERE key = 'g' AND ts = 3 RETURNING *;
TRUNCATE p;
SELECT count(*) FROM p;
DROP TABLE p;
DROP FUNCTION shown, tell;
\set ECHO none
\i sql/include/teardown.psql
