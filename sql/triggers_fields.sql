\set ECHO none
\i sql/include/setup.psql
\t on
\a
\set ECHO all
-- Triggers of tables that show fields of data, or nothing of it.
CREATE FOREIGN TABLE raw (key text, ts bigint, data text) SERVER ltdb;
CREATE FOREIGN TABLE fields (key text, ts bigint, a int OPTIONS (field 'a'), b text OPTIONS (field 'o.b')) SERVER ltdb OPTIONS (collection 'raw');
CREATE FOREIGN TABLE mixed (key text, ts bigint, data jsonb, a int OPTIONS (field 'a')) SERVER ltdb OPTIONS (collection 'raw');
CREATE FOREIGN TABLE identity (ts timestamptz, key text) SERVER ltdb OPTIONS (collection 'raw', write_mode 'immediate');
INSERT INTO raw VALUES ('k', 1, '{"a": 1, "o": {"b": "x", "c": 5}, "other": true}'), ('k', 2, '7');
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% %: % %', TG_WHEN, TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN OLD END, CASE WHEN TG_OP <> 'DELETE' THEN NEW END;
  RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON fields FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON mixed FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON identity FOR EACH ROW EXECUTE FUNCTION tell();

-- BEFORE changes a field that the statement did not name
CREATE FUNCTION change_b() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.b := concat(NEW.b, '+'); RETURN NEW; END $$;
CREATE TRIGGER change BEFORE INSERT OR UPDATE ON fields FOR EACH ROW EXECUTE FUNCTION change_b();
UPDATE fields SET a = 2 WHERE ts = 1 RETURNING fields;
UPDATE fields SET ts = 12 WHERE ts = 2 RETURNING fields;
INSERT INTO fields (key, ts) VALUES ('k', 3) RETURNING fields;
INSERT INTO fields (key, ts, a, b) VALUES ('k', 4, 4, 'four');
SELECT * FROM raw ORDER BY ts;

-- a table with data and a field of it: what the trigger changes counts
CREATE FUNCTION change_a() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := coalesce(NEW.a, 0) + 100; RETURN NEW; END $$;
CREATE TRIGGER change BEFORE UPDATE ON mixed FOR EACH ROW EXECUTE FUNCTION change_a();
UPDATE mixed SET key = 'l' WHERE ts = 4 RETURNING mixed;
UPDATE mixed SET data = data || '{"n": 1}' WHERE ts = 4;
DROP TRIGGER change ON mixed;
UPDATE mixed SET data = data || '{"n": 1}' WHERE ts = 4 RETURNING mixed;
DELETE FROM mixed WHERE ts = 4 RETURNING a;
SELECT * FROM raw ORDER BY key, ts;

-- a table that shows nothing of data keeps it, wherever a trigger moves it
CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.key := 'moved'; NEW.ts := NEW.ts + interval '0.7 s'; RETURN NEW; END $$;
CREATE TRIGGER change BEFORE UPDATE ON identity FOR EACH ROW EXECUTE FUNCTION move();
UPDATE identity SET ts = ts + interval '20 s' WHERE ts < to_timestamp(3) RETURNING *;
DELETE FROM identity WHERE ts = to_timestamp(3) RETURNING *;
SELECT * FROM raw ORDER BY key, ts;
\set ECHO none
\i sql/include/teardown.psql
DROP FUNCTION change_a, change_b, move, tell;
