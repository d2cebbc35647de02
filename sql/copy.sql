\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- COPY FROM and TO, directly and through partitions.
CREATE FOREIGN TABLE t (key text NOT NULL, ts timestamptz NOT NULL, data jsonb) SERVER ltdb;
COPY t FROM stdin;
a	2020-01-01 00:00:00+00	{"v": 1}
a	2020-01-02 00:00:00.5+00	{"v": 2}
b	2020-01-01 00:00:00+00	"x"
\.
COPY t (ts, data, key) FROM stdin (FORMAT csv);
2020-01-03,"{""v"": 3}",a
2020-01-03,[],c
\.
COPY t FROM stdin WHERE ts > '2020-02-01';
w	2020-01-01 00:00:00+00	1
w	2020-03-01 00:00:00+00	2
\.
SELECT * FROM t ORDER BY key, ts;
COPY (SELECT * FROM t ORDER BY key, ts) TO stdout;
COPY t TO stdout;

-- the line is named when a row cannot be stored
COPY t FROM stdin;
x	2020-01-01	1
x	2040-01-01	2
\.
COPY t FROM stdin;
x	2020-01-01	\N
\.
COPY t (key) FROM stdin;
x
\.

-- routed to partitions
CREATE TABLE parent (key text, ts timestamptz, data jsonb) PARTITION BY LIST (key);
CREATE FOREIGN TABLE part_p PARTITION OF parent FOR VALUES IN ('p') SERVER ltdb OPTIONS (collection 'p');
CREATE FOREIGN TABLE part_q (data jsonb, key text, ts timestamptz) SERVER ltdb OPTIONS (collection 'q');
ALTER TABLE parent ATTACH PARTITION part_q FOR VALUES IN ('q');
COPY parent FROM stdin;
p	2020-01-01 00:00:00+00	1
q	2020-01-01 00:00:00+00	2
p	2020-01-02 00:00:00+00	3
q	2020-01-02 00:00:00+00	4
\.
SELECT tableoid::regclass, * FROM parent ORDER BY key, ts;
DROP TABLE parent;

-- with triggers
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% % %', TG_WHEN, TG_OP, TG_LEVEL;
  RETURN NEW;
END $$;
CREATE TRIGGER tell_before BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_after AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION tell();
COPY t FROM stdin;
trig	2020-01-01	1
\.
SELECT * FROM t WHERE key = 'trig';
DROP FUNCTION tell CASCADE;
\set ECHO none
\i sql/include/teardown.psql
