\set ECHO none
\i sql/include/setup.psql
\t on
\a
\set ECHO all
-- COPY FROM with WHERE, triggers and defaults, in both write modes.
CREATE FOREIGN TABLE later (key text, ts bigint, data text DEFAULT 'default') SERVER ltdb;
CREATE FOREIGN TABLE now_ (key text, ts bigint, data text DEFAULT 'default') SERVER ltdb OPTIONS (write_mode 'immediate', batch_size '2');
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.key = 'skip' THEN RETURN NULL; END IF;
  NEW.ts := NEW.ts + 10;
  NEW.data := concat(NEW.data, ' via ', TG_TABLE_NAME);
  RETURN NEW;
END $$;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM %I', TG_TABLE_NAME) INTO n;
  RAISE NOTICE '% % %: % of % rows', TG_TABLE_NAME, TG_WHEN, TG_LEVEL, NEW, n;
  RETURN NULL;
END $$;
CREATE TRIGGER change BEFORE INSERT ON later FOR EACH ROW EXECUTE FUNCTION change();
CREATE TRIGGER change BEFORE INSERT ON now_ FOR EACH ROW EXECUTE FUNCTION change();
CREATE TRIGGER tell AFTER INSERT ON later FOR EACH ROW WHEN (NEW.key <> 'quiet') EXECUTE FUNCTION tell();
CREATE TRIGGER tell AFTER INSERT ON now_ FOR EACH ROW WHEN (NEW.key <> 'quiet') EXECUTE FUNCTION tell();
CREATE TRIGGER begins BEFORE INSERT ON later FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER ends AFTER INSERT ON later FOR EACH STATEMENT EXECUTE FUNCTION tell();

-- WHERE comes before the triggers
COPY later FROM stdin WHERE ts < 5 AND data IS NOT NULL;
a	1	one
skip	2	two
a	7	seven
a	3	\N
quiet	4	four
\.
COPY now_ FROM stdin WHERE ts < 5 AND data IS NOT NULL;
a	1	one
skip	2	two
a	7	seven
a	3	\N
quiet	4	four
\.
COPY later (ts, key) FROM stdin (FORMAT csv, HEADER);
ts,key
5,quiet
6,b
\.
COPY now_ (ts, key) FROM stdin (FORMAT csv, HEADER);
ts,key
5,quiet
6,b
\.
SELECT * FROM later ORDER BY key, ts;
SELECT * FROM now_ ORDER BY key, ts;

-- a line that fails: nothing is left of a COPY that waits for COMMIT
COPY later FROM stdin;
quiet	30	x
quiet	soon	x
\.
SELECT count(*) FROM later WHERE ts > 20;
BEGIN;
COPY later FROM stdin;
quiet	30	x
\.
SAVEPOINT s;
COPY later FROM stdin;
quiet	31	x
quiet	5000000000	x
\.
ROLLBACK TO s;
COPY later FROM stdin;
quiet	32	x
\.
COMMIT;
SELECT * FROM later WHERE ts > 20 ORDER BY ts;

-- the same record twice: the last counts, in both modes
ALTER FOREIGN TABLE later DISABLE TRIGGER ALL;
ALTER FOREIGN TABLE now_ DISABLE TRIGGER ALL;
COPY later FROM stdin;
d	1	first
d	2	other
d	1	second
\.
COPY now_ FROM stdin;
d	1	first
d	2	other
d	1	second
\.
SELECT * FROM later WHERE key = 'd' ORDER BY ts;
SELECT * FROM now_ WHERE key = 'd' ORDER BY ts;
COPY later TO stdout;
COPY (SELECT * FROM later ORDER BY key, ts) TO stdout (FORMAT csv);
\set ECHO none
\i sql/include/teardown.psql
DROP FUNCTION change, tell;
