\set ECHO none
\i sql/include/setup.psql
\i sql/include/everywhere.psql
\t on
\a
\set ECHO all
-- Triggers for each row, which see and do the same as on a local table.
SELECT make_tables('key text, ts bigint, data text');
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (line) VALUES (concat_ws(' ', TG_NAME, TG_WHEN, TG_OP,
    'old ' || CASE WHEN TG_OP <> 'INSERT' THEN OLD::text END, 'new ' || CASE WHEN TG_OP <> 'DELETE' THEN NEW::text END));
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
SELECT everywhere('CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON {t}_w FOR EACH ROW EXECUTE FUNCTION tell()');
SELECT everywhere('CREATE TRIGGER z AFTER INSERT OR UPDATE OR DELETE ON {t}_w FOR EACH ROW EXECUTE FUNCTION tell()');
SELECT everywhere($$INSERT INTO {t}_w VALUES ('a', 1, 'one'), ('a', 2, 'two'), ('b', 1, 'b')$$);
SELECT everywhere($$UPDATE {t}_w SET data = data || '!' WHERE key = 'a' RETURNING {t}_w$$);
SELECT everywhere($$UPDATE {t}_w SET key = 'c', ts = ts + 1 WHERE key = 'b'$$);
SELECT everywhere($$DELETE FROM {t}_w WHERE ts = 2 AND key = 'a' RETURNING data$$);
SELECT everywhere($$DELETE FROM {t}_w WHERE key = 'nobody'$$);

-- OF names columns, WHEN looks at both rows, and the order is that of the names
SELECT everywhere('DROP TRIGGER a ON {t}_w');
SELECT everywhere('DROP TRIGGER z ON {t}_w');
SELECT everywhere('CREATE TRIGGER of_data BEFORE UPDATE OF data ON {t}_w FOR EACH ROW EXECUTE FUNCTION tell()');
SELECT everywhere('CREATE TRIGGER changed AFTER UPDATE ON {t}_w FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION tell()');
SELECT everywhere('CREATE TRIGGER big AFTER INSERT ON {t}_w FOR EACH ROW WHEN (NEW.ts > 5) EXECUTE FUNCTION tell()');
SELECT everywhere($$UPDATE {t}_w SET data = data$$);
SELECT everywhere($$UPDATE {t}_w SET ts = ts + 1 WHERE key = 'a'$$);
SELECT everywhere($$INSERT INTO {t}_w VALUES ('d', 5, ''), ('d', 6, '')$$);
SELECT make_tables('key text, ts bigint, data text');
SELECT everywhere($$INSERT INTO {t}_w VALUES ('a', 1, 'one'), ('a', 2, 'two'), ('b', 1, 'b')$$);

-- BEFORE changes what the statement did not name, the identity too
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.data = 'skip' THEN RETURN NULL; END IF;
  IF TG_OP = 'UPDATE' AND OLD.key = 'a' THEN NEW.key := 'was a'; END IF;
  NEW.ts := NEW.ts + 10;
  NEW.data := concat(NEW.data, ' by ', lower(TG_OP));
  RETURN NEW;
END $$;
SELECT everywhere('CREATE TRIGGER change BEFORE INSERT OR UPDATE ON {t}_w FOR EACH ROW EXECUTE FUNCTION change()');
SELECT everywhere('CREATE TRIGGER z AFTER INSERT OR UPDATE OR DELETE ON {t}_w FOR EACH ROW EXECUTE FUNCTION tell()');
SELECT everywhere($$INSERT INTO {t}_w (key, ts) VALUES ('n', 1) RETURNING ({t}_w, tableoid::regclass)$$);
SELECT everywhere($$INSERT INTO {t}_w VALUES ('s', 1, 'skip'), ('s', 2, 'kept') RETURNING {t}_w$$);
SELECT everywhere($$UPDATE {t}_w SET data = 'new' WHERE key = 'b' RETURNING {t}_w$$);
SELECT everywhere($$UPDATE {t}_w SET ts = ts WHERE key = 'a' AND ts = 1 RETURNING {t}_w$$);
SELECT everywhere($$UPDATE {t}_w SET data = 'skip' WHERE key = 's' RETURNING {t}_w$$);

-- BEFORE DELETE refuses one row, silently or not
CREATE FUNCTION protect() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.key = 'n' THEN RETURN NULL; END IF;
  IF OLD.key = 's' THEN RAISE 'no'; END IF;
  RETURN OLD;
END $$;
SELECT everywhere('CREATE TRIGGER protect BEFORE DELETE ON {t}_w FOR EACH ROW EXECUTE FUNCTION protect()');
SELECT everywhere($$DELETE FROM {t}_w WHERE key IN ('b', 'n') RETURNING {t}_w$$);
SELECT everywhere($$DELETE FROM {t}_w WHERE key = 's'$$);

-- AFTER fails: of a COMMIT nothing is left
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'too late'; END $$;
SELECT everywhere('CREATE TRIGGER zz AFTER INSERT ON {t}_w FOR EACH ROW WHEN (NEW.key = ''late'') EXECUTE FUNCTION fail()');
INSERT INTO local_w VALUES ('ok', 1), ('late', 1);
INSERT INTO commit_w VALUES ('ok', 1), ('late', 1);
SELECT count(*) FROM commit_w WHERE key IN ('ok', 'late');

-- what a trigger writes is part of the transaction
SELECT make_tables('key text, ts bigint, data text');
CREATE FUNCTION copy_to_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO commit_w VALUES ('copy of ' || NEW.key, NEW.ts, TG_TABLE_NAME);
  DELETE FROM commit_w WHERE key = 'gone' AND ts = NEW.ts;
  RETURN NEW;
END $$;
CREATE TRIGGER copy AFTER INSERT OR UPDATE ON local_w FOR EACH ROW EXECUTE FUNCTION copy_to_commit();
CREATE TRIGGER copy AFTER INSERT ON commit_w FOR EACH ROW WHEN (NEW.key = 'twice') EXECUTE FUNCTION copy_to_commit();
INSERT INTO commit_w VALUES ('gone', 1, ''), ('gone', 2, ''), ('gone', 3, '');
BEGIN;
INSERT INTO local_w VALUES ('l', 1, ''), ('l', 2, '');
SAVEPOINT s;
INSERT INTO local_w VALUES ('undone', 3, '');
ROLLBACK TO s;
INSERT INTO commit_w VALUES ('twice', 4, '');
SELECT * FROM commit_w ORDER BY key, ts;
COMMIT;
SELECT * FROM commit_w ORDER BY key, ts;

-- a deferred trigger of a local table writes at COMMIT, and may still fail there
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO commit_w VALUES ('deferred', NEW.ts, NEW.data);
  PERFORM 1 / NEW.ts;
  RETURN NULL;
END $$;
DROP TRIGGER copy ON local_w;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON local_w DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit();
BEGIN;
INSERT INTO local_w VALUES ('l', 5, 'x');
SELECT count(*) FROM commit_w WHERE key = 'deferred';
COMMIT;
BEGIN;
INSERT INTO commit_w VALUES ('deferred', 6, 'x');
INSERT INTO local_w VALUES ('l', 0, 'x');
COMMIT;
SELECT * FROM commit_w WHERE key = 'deferred';
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON commit_w DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail();
\set ECHO none
\i sql/include/everywhere_drop.psql
DROP FUNCTION tell, change, protect, fail, copy_to_commit, at_commit;
\i sql/include/teardown.psql
