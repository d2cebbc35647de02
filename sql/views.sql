\set ECHO none
\i sql/include/setup.psql
\i sql/include/everywhere.psql
\t on
\a
\set ECHO all
-- Writing through views: WITH CHECK OPTION, security barriers, other columns.
SELECT make_tables('key text, ts bigint, data text');
SELECT everywhere($$INSERT INTO {t}_w VALUES ('a', 1, 'one'), ('a', 5, 'five'), ('b', 1, 'b one'), ('b', 9, 'nine')$$);

-- a view that shows a part, with other names and orders, and what is computed
SELECT everywhere('CREATE VIEW {t}_v AS SELECT data AS d, ts AS at, key AS k, length(data) AS n FROM {t}_w WHERE ts < 5');
SELECT everywhere($$SELECT {t}_v FROM {t}_v ORDER BY k, at$$);
SELECT everywhere($$INSERT INTO {t}_v VALUES ('new', 2, 'c') RETURNING {t}_v$$);
SELECT everywhere($$INSERT INTO {t}_v (k, at, d) VALUES ('c', 7, 'outside') RETURNING {t}_v$$);
SELECT everywhere($$INSERT INTO {t}_v VALUES ('new', 2, 'c', 3)$$);
SELECT everywhere($$UPDATE {t}_v SET d = d || '!', at = at + 1 WHERE k = 'a' RETURNING {t}_v$$);
SELECT everywhere($$UPDATE {t}_v SET n = 1$$);
SELECT everywhere($$UPDATE {t}_v SET at = 100 WHERE k = 'b' RETURNING k, n$$);
SELECT everywhere($$DELETE FROM {t}_v WHERE n = 3 RETURNING d$$);
SELECT everywhere($$DELETE FROM {t}_v$$);

-- columns that the view does not show have their defaults
SELECT everywhere($$ALTER TABLE {t}_w ALTER data SET DEFAULT 'default of the table'$$);
SELECT everywhere($$CREATE VIEW {t}_v2 AS SELECT key, ts FROM {t}_w$$);
SELECT everywhere($$INSERT INTO {t}_v2 VALUES ('d', 1)$$);
SELECT everywhere($$ALTER VIEW {t}_v2 ALTER ts SET DEFAULT 77$$);
SELECT everywhere($$INSERT INTO {t}_v2 (key) VALUES ('e') RETURNING ts$$);
SELECT everywhere($$UPDATE {t}_v2 SET ts = ts + 1 WHERE key = 'e' RETURNING {t}_v2$$);
SELECT everywhere($$CREATE VIEW {t}_without_ts AS SELECT key, data FROM {t}_w$$);
SELECT everywhere($$UPDATE {t}_without_ts SET data = 'no ts needed' WHERE key = 'e'$$);
SELECT everywhere($$DELETE FROM {t}_without_ts WHERE key IN ('d', 'e') RETURNING data$$);
INSERT INTO commit_without_ts VALUES ('f', '');

-- WITH CHECK OPTION: what a row becomes must be in the view
SELECT make_tables('key text, ts bigint, data text');
SELECT everywhere($$INSERT INTO {t}_w VALUES ('a', 1, 'x'), ('a', 2, 'x'), ('b', 1, 'x')$$);
SELECT everywhere('CREATE VIEW {t}_base AS SELECT * FROM {t}_w WHERE ts < 10');
SELECT everywhere($$CREATE VIEW {t}_local AS SELECT * FROM {t}_base WHERE data <> '' WITH LOCAL CHECK OPTION$$);
SELECT everywhere($$CREATE VIEW {t}_cascaded AS SELECT * FROM {t}_base WHERE data <> '' WITH CASCADED CHECK OPTION$$);
SELECT everywhere($$INSERT INTO {t}_local VALUES ('l', 1, '')$$);
SELECT everywhere($$INSERT INTO {t}_local VALUES ('l', 20, 'not in the view below')$$);
SELECT everywhere($$INSERT INTO {t}_cascaded VALUES ('c', 1, '')$$);
SELECT everywhere($$INSERT INTO {t}_cascaded VALUES ('c', 20, 'not in the view below')$$);
SELECT everywhere($$INSERT INTO {t}_cascaded VALUES ('c', 2, 'y') RETURNING {t}_cascaded$$);
SELECT everywhere($$UPDATE {t}_local SET ts = 30 WHERE key = 'a' AND ts = 1$$);
SELECT everywhere($$UPDATE {t}_cascaded SET ts = 30 WHERE key = 'b'$$);
SELECT everywhere($$UPDATE {t}_cascaded SET data = '' WHERE key = 'b'$$);
SELECT everywhere($$UPDATE {t}_cascaded SET data = data || 'y' WHERE key = 'b' RETURNING data$$);

-- ... after triggers have changed it
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.ts := NEW.ts + 5; RETURN NEW; END $$;
SELECT everywhere('CREATE TRIGGER change BEFORE INSERT OR UPDATE ON {t}_w FOR EACH ROW EXECUTE FUNCTION change()');
SELECT everywhere($$INSERT INTO {t}_cascaded VALUES ('t', 4, 'x') RETURNING ts$$);
SELECT everywhere($$INSERT INTO {t}_cascaded VALUES ('t', 5, 'x')$$);
SELECT everywhere($$UPDATE {t}_cascaded SET data = 'z' WHERE key = 't'$$);
SELECT everywhere('DROP TRIGGER change ON {t}_w');

-- a row that fails takes the statement with it
SELECT make_tables('key text, ts bigint, data text');
CREATE VIEW v AS SELECT * FROM commit_w WHERE ts < 10 WITH CHECK OPTION;
INSERT INTO v SELECT 'k', s, 'x' FROM generate_series(8, 12) s;
SELECT count(*) FROM commit_w;
BEGIN;
INSERT INTO v VALUES ('k', 1, 'x');
SAVEPOINT s;
UPDATE v SET ts = 11;
ROLLBACK TO s;
UPDATE v SET ts = 9;
COMMIT;
SELECT * FROM commit_w;
DROP VIEW v;

-- a security barrier: conditions of the view come first
CREATE FUNCTION leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$;
INSERT INTO commit_w VALUES ('secret', 1, 'secret'), ('k', 2, 'open');
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM commit_w WHERE key = 'k';
UPDATE barrier SET data = 'seen' WHERE leak(data);
DELETE FROM barrier WHERE leak(data) RETURNING key, ts;
SELECT * FROM commit_w;
\set ECHO none
\i sql/include/everywhere_drop.psql
DROP FUNCTION change, leak;
\i sql/include/teardown.psql
