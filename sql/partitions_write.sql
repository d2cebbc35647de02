\set ECHO none
\i sql/include/setup.psql
\t on
\a
\set ECHO all
-- Writing to a partitioned table, some of whose partitions are foreign.
CREATE TABLE p (key text NOT NULL, ts bigint NOT NULL, data text DEFAULT 'none') PARTITION BY LIST (key);
CREATE TABLE p_l PARTITION OF p FOR VALUES IN ('l', 'l2');
CREATE FOREIGN TABLE p_f PARTITION OF p FOR VALUES IN ('f', 'f2') SERVER ltdb;
CREATE FOREIGN TABLE p_n (data text, ts bigint NOT NULL, dropped int OPTIONS (field 'd'), key text NOT NULL) SERVER ltdb OPTIONS (write_mode 'immediate');
ALTER FOREIGN TABLE p_n DROP COLUMN dropped;
CREATE FOREIGN TABLE p_g PARTITION OF p FOR VALUES IN ('elsewhere') SERVER ltdb;
ALTER TABLE p ATTACH PARTITION p_n FOR VALUES IN ('n', 'n2');
CREATE FUNCTION shown() RETURNS SETOF text LANGUAGE sql AS
$$ SELECT format('%s %s', tableoid::regclass, p) FROM p ORDER BY tableoid::regclass::text, key, ts $$;

-- rows find their partition
INSERT INTO p VALUES ('l', 1, 'a'), ('f', 1, 'b'), ('n', 1, 'c'), ('f2', 1, 'd') RETURNING tableoid::regclass, *;
INSERT INTO p (ts, key) VALUES (2, 'f'), (2, 'n'), (2, 'l');
INSERT INTO p VALUES ('nowhere', 1, 'x');
INSERT INTO p_f VALUES ('f', 3, 'direct');
WITH i AS (INSERT INTO p SELECT key || '2', ts + 10, data FROM p WHERE ts = 1 AND length(key) = 1 RETURNING *) SELECT * FROM i ORDER BY key;
COPY p FROM stdin;
f	20	copied
l	20	copied
n	20	copied
f	21	copied
\.
COPY p (key, ts) FROM stdin WHERE ts > 30;
f	30
f	31
n	31
\.
SELECT shown();

-- and are read, updated and deleted there
WITH u AS (UPDATE p SET data = 'new', ts = ts + 100 WHERE ts > 20 RETURNING tableoid::regclass, *) SELECT * FROM u ORDER BY key, ts;
WITH d AS (DELETE FROM p WHERE ts BETWEEN 10 AND 20 RETURNING tableoid::regclass, key, ts) SELECT * FROM d ORDER BY key, ts;
WITH u AS (UPDATE p SET data = v.d FROM (VALUES ('l', 'from l'), ('f', 'from f'), ('n', 'from n')) v(k, d) WHERE v.k = p.key AND p.ts = 2 RETURNING p, v)
SELECT * FROM u ORDER BY p;
WITH d AS (DELETE FROM p USING (VALUES ('l2'), ('f2'), ('n')) v(k) WHERE v.k = p.key RETURNING p) SELECT * FROM d ORDER BY p;
SELECT shown();

-- a statement that fails leaves nothing in the partition that waits for COMMIT
INSERT INTO p SELECT CASE WHEN s = 3 THEN 'nowhere' ELSE 'f' END, s + 500, '' FROM generate_series(1, 3) s;
UPDATE p SET data = 1 / (ts - 1) WHERE key IN ('f', 'l');
BEGIN;
INSERT INTO p VALUES ('f', 600, 'x'), ('l', 600, 'x');
SAVEPOINT s;
DELETE FROM p;
UPDATE p SET data = 'nothing left';
SELECT count(*) FROM p;
ROLLBACK TO s;
SELECT count(*) FROM p;
ROLLBACK;
SELECT shown();

-- what a partition does not allow
INSERT INTO p VALUES ('f', 4000000000, 'x');
INSERT INTO p VALUES ('f', 1, 'x') ON CONFLICT DO NOTHING;
INSERT INTO p VALUES ('l', 1, 'x') ON CONFLICT DO NOTHING;
CREATE UNIQUE INDEX ON p (key, ts);
ALTER FOREIGN TABLE p_g OPTIONS (ADD updatable 'false');
INSERT INTO p VALUES ('elsewhere', 1, 'x');
INSERT INTO p VALUES ('f', 700, 'another partition');
DELETE FROM p WHERE key = 'elsewhere';
DELETE FROM p WHERE key = 'f' AND ts = 700 RETURNING data;

-- by ranges of ts: old records there, new ones here
CREATE TABLE r (key text, ts timestamptz, data text) PARTITION BY RANGE (ts);
CREATE FOREIGN TABLE r_old PARTITION OF r FOR VALUES FROM (MINVALUE) TO ('2020-01-01') SERVER ltdb;
CREATE TABLE r_new PARTITION OF r FOR VALUES FROM ('2020-01-01') TO (MAXVALUE);
INSERT INTO r VALUES ('k', '2019-12-31 23:59:59.9+00', 'old'), ('k', '2020-01-01', 'new'), ('k', '2010-01-01', 'older') RETURNING tableoid::regclass, ts;
SELECT tableoid::regclass, * FROM r ORDER BY ts;
TRUNCATE r;
SELECT count(*) FROM r;
DROP TABLE r;

-- partitions below partitions
CREATE TABLE s (key text, ts bigint, data text) PARTITION BY LIST (key);
CREATE TABLE s_a PARTITION OF s FOR VALUES IN ('a') PARTITION BY RANGE (ts);
CREATE FOREIGN TABLE s_a_1 PARTITION OF s_a FOR VALUES FROM (0) TO (10) SERVER ltdb;
CREATE FOREIGN TABLE s_a_2 PARTITION OF s_a FOR VALUES FROM (10) TO (20) SERVER ltdb;
INSERT INTO s SELECT 'a', n, '' FROM generate_series(8, 11) n;
INSERT INTO s VALUES ('a', 20, '');
UPDATE s SET data = 'updated' WHERE ts IN (9, 10);
DELETE FROM s WHERE ts IN (8, 11);
SELECT tableoid::regclass, * FROM s ORDER BY ts;
DROP TABLE s, p;
DROP FUNCTION shown;
\set ECHO none
\i sql/include/teardown.psql
