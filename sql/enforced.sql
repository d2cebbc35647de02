\set ECHO none
\i sql/include/setup.psql
\i sql/include/everywhere.psql
\t on
\a
\set ECHO all
-- NOT NULL, CHECK and partition constraints hold for what is written.
SELECT make_tables($$key text NOT NULL, ts bigint NOT NULL, data text CHECK (data <> ''), CONSTRAINT early CHECK (ts < 100)$$);
SELECT everywhere($$INSERT INTO {t}_w VALUES (NULL, 1, 'x')$$);
SELECT everywhere($$INSERT INTO {t}_w VALUES ('a', NULL, 'x')$$);
SELECT everywhere($$INSERT INTO {t}_w VALUES ('a', 1, '')$$);
SELECT everywhere($$INSERT INTO {t}_w VALUES ('a', 100, 'x')$$);
SELECT everywhere($$INSERT INTO {t}_w VALUES ('a', 1, 'x') RETURNING {t}_w$$);
SELECT everywhere($$UPDATE {t}_w SET ts = 100$$);
SELECT everywhere($$UPDATE {t}_w SET data = ''$$);
SELECT everywhere($$UPDATE {t}_w SET key = NULL$$);
SELECT everywhere($$UPDATE {t}_w SET ts = 99 RETURNING {t}_w$$);

-- after triggers
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.ts := CASE NEW.data WHEN 'late' THEN 1000 END; RETURN NEW; END $$;
SELECT everywhere('CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON {t}_w FOR EACH ROW EXECUTE FUNCTION spoil()');
SELECT everywhere($$INSERT INTO {t}_w VALUES ('n', 1, 'x')$$);
SELECT everywhere($$INSERT INTO {t}_w VALUES ('n', 1, 'late')$$);
SELECT everywhere($$UPDATE {t}_w SET data = 'x'$$);
SELECT everywhere($$UPDATE {t}_w SET data = 'late'$$);
SELECT drop_tables();

-- a constraint of a column that LTDB does not know, and of a generated one
SELECT make_tables($$key text, ts bigint, data text GENERATED ALWAYS AS (key || ts) STORED CHECK (length(data) < 4)$$);
SELECT everywhere($$INSERT INTO {t}_w VALUES ('k', 1) RETURNING data$$);
SELECT everywhere($$INSERT INTO {t}_w VALUES ('k', 1000)$$);
SELECT everywhere($$UPDATE {t}_w SET ts = 1000$$);
SELECT drop_tables();

-- COPY
CREATE FOREIGN TABLE c (key text, ts bigint, data text CHECK (data <> '')) SERVER ltdb;
COPY c FROM stdin;
a	1	x
a	2	
\.
SELECT count(*) FROM c;

-- partitions: rows do not go where they are not found again
\set VERBOSITY terse
CREATE TABLE p (key text, ts bigint, data text) PARTITION BY LIST (key);
CREATE TABLE p_l PARTITION OF p FOR VALUES IN ('l');
CREATE FOREIGN TABLE p_f PARTITION OF p (CHECK (ts < 100)) FOR VALUES IN ('f') SERVER ltdb;
INSERT INTO p VALUES ('l', 1, 'x'), ('f', 1, 'x');
INSERT INTO p_l VALUES ('f', 1, 'x');
INSERT INTO p_f VALUES ('l', 1, 'x');
INSERT INTO p VALUES ('f', 100, 'x');
UPDATE p SET key = 'f', ts = 100 WHERE key = 'l';
UPDATE p SET key = 'l' WHERE key = 'f';
UPDATE p_f SET key = 'l';
WITH u AS (UPDATE p SET data = 'updated' RETURNING tableoid::regclass, *) SELECT * FROM u ORDER BY key;
CREATE FUNCTION divert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.key := CASE NEW.key WHEN 'f' THEN 'l' ELSE 'f' END; RETURN NEW; END $$;
CREATE TRIGGER divert BEFORE INSERT ON p_f FOR EACH ROW EXECUTE FUNCTION divert();
CREATE TRIGGER divert BEFORE INSERT ON p_l FOR EACH ROW EXECUTE FUNCTION divert();
INSERT INTO p VALUES ('l', 2, 'x');
INSERT INTO p VALUES ('f', 2, 'x');
SELECT tableoid::regclass, * FROM p ORDER BY key, ts;
DROP TABLE p;
DROP FUNCTION spoil, divert;
\set ECHO none
\i sql/include/everywhere_drop.psql
\i sql/include/teardown.psql
