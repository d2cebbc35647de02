\set ECHO none
\i sql/include/setup.psql
\i sql/include/everywhere.psql
\t on
\a
\set ECHO all
-- Triggers for each statement, INSTEAD OF triggers and rules.
SELECT make_tables('key text, ts bigint, data text');
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM %I', TG_TABLE_NAME) INTO n;
  INSERT INTO log (line) VALUES (format('%s %s %s: %s rows', TG_WHEN, TG_OP, TG_LEVEL, n));
  RETURN NULL;
END $$;
SELECT everywhere('CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON {t}_w FOR EACH STATEMENT EXECUTE FUNCTION tell()');
SELECT everywhere('CREATE TRIGGER z AFTER INSERT OR UPDATE OR DELETE ON {t}_w FOR EACH STATEMENT EXECUTE FUNCTION tell()');
SELECT everywhere($$INSERT INTO {t}_w VALUES ('a', 1, 'one'), ('a', 2, 'two'), ('b', 1, 'b')$$);
SELECT everywhere($$INSERT INTO {t}_w SELECT 'c', 1, '' WHERE false$$);
SELECT everywhere($$UPDATE {t}_w SET data = data || '!' WHERE key = 'a' RETURNING {t}_w$$);
SELECT everywhere($$UPDATE {t}_w SET data = '' WHERE key = 'nobody'$$);
SELECT everywhere($$DELETE FROM {t}_w WHERE key = 'b'$$);
SELECT everywhere('DROP TRIGGER a ON {t}_w');
SELECT everywhere('DROP TRIGGER z ON {t}_w');

-- transition tables are not for foreign tables
CREATE TRIGGER t AFTER INSERT ON local_w REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER t AFTER INSERT ON commit_w REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION tell();
DROP TRIGGER t ON local_w;

-- triggers of the parent are those of its partitions
CREATE TABLE parent (key text, ts bigint, data text) PARTITION BY LIST (key);
CREATE TABLE parent_local PARTITION OF parent FOR VALUES IN ('l');
CREATE FOREIGN TABLE parent_foreign PARTITION OF parent FOR VALUES IN ('f') SERVER ltdb OPTIONS (collection 'p');
CREATE FUNCTION tell_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% % %: % %', TG_TABLE_NAME, TG_WHEN, TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN OLD END, CASE WHEN TG_OP <> 'DELETE' THEN NEW END;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  NEW.data := NEW.data || '*';
  RETURN NEW;
END $$;
CREATE TRIGGER each BEFORE INSERT OR UPDATE OR DELETE ON parent FOR EACH ROW EXECUTE FUNCTION tell_row();
CREATE TRIGGER each_after AFTER INSERT OR UPDATE OR DELETE ON parent FOR EACH ROW EXECUTE FUNCTION tell_row();
INSERT INTO parent VALUES ('f', 3, 'x'), ('l', 3, 'x');
UPDATE parent SET ts = 4 WHERE key = 'f';
UPDATE parent SET ts = 4 WHERE key = 'l';
DELETE FROM parent WHERE key = 'f';
DELETE FROM parent WHERE key = 'l';
DROP TABLE parent;

-- INSTEAD OF triggers of a view over each table
SELECT everywhere('CREATE VIEW {t}_v AS SELECT key, count(*) AS n, max(data) AS last FROM {t}_w GROUP BY key');
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  w text := quote_ident(replace(TG_TABLE_NAME, '_v', '_w'));
BEGIN
  INSERT INTO log (line) VALUES (format('%s %s: %s %s', TG_WHEN, TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN OLD::text END, CASE WHEN TG_OP <> 'DELETE' THEN NEW::text END));
  IF TG_OP <> 'INSERT' THEN
    EXECUTE format('DELETE FROM %s WHERE key = $1', w) USING OLD.key;
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  EXECUTE format('INSERT INTO %s SELECT $1, s, $2 FROM generate_series(1, $3) s', w) USING NEW.key, NEW.last, NEW.n;
  RETURN NEW;
END $$;
SELECT everywhere('INSERT INTO {t}_v VALUES (''no'', 1, ''x'')');
SELECT everywhere('CREATE TRIGGER instead INSTEAD OF INSERT OR UPDATE OR DELETE ON {t}_v FOR EACH ROW EXECUTE FUNCTION instead()');
SELECT everywhere($$INSERT INTO {t}_v VALUES ('v', 2, 'x'), ('u', 1, 'y') RETURNING {t}_v$$);
SELECT everywhere($$UPDATE {t}_v SET n = n + 1, last = 'z' WHERE key = 'v' RETURNING {t}_v$$);
SELECT everywhere($$DELETE FROM {t}_v WHERE key IN ('u', 'w') RETURNING key$$);

-- rules are for views over foreign tables, not for these
CREATE RULE also AS ON INSERT TO commit_w DO ALSO NOTHING;
SELECT make_tables('key text, ts bigint, data text');
SELECT everywhere('CREATE VIEW {t}_v AS SELECT * FROM {t}_w');
SELECT everywhere($$CREATE RULE also AS ON INSERT TO {t}_v DO ALSO INSERT INTO log (line) VALUES (NEW.key || ' by rule')$$);
SELECT everywhere($$CREATE RULE upd AS ON UPDATE TO {t}_v DO INSTEAD INSERT INTO {t}_w VALUES (NEW.key, NEW.ts + 100, NEW.data)$$);
SELECT everywhere($$CREATE RULE del AS ON DELETE TO {t}_v WHERE OLD.key = 'keep' DO INSTEAD NOTHING$$);
SELECT everywhere($$INSERT INTO {t}_v VALUES ('keep', 1, 'x'), ('drop', 1, 'x')$$);
SELECT everywhere($$UPDATE {t}_v SET data = 'updated' WHERE key = 'drop'$$);
SELECT everywhere($$DELETE FROM {t}_v$$);
\set ECHO none
\i sql/include/everywhere_drop.psql
DROP FUNCTION tell, tell_row, instead;
\i sql/include/teardown.psql
