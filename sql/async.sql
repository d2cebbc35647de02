\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Asynchronous append: several foreign tables at once.
CREATE TABLE parent (key text, ts bigint, data text) PARTITION BY HASH (key);
CREATE FOREIGN TABLE p0 PARTITION OF parent FOR VALUES WITH (MODULUS 3, REMAINDER 0) SERVER ltdb OPTIONS (collection 'p0', fetch_size '50');
CREATE FOREIGN TABLE p1 PARTITION OF parent FOR VALUES WITH (MODULUS 3, REMAINDER 1) SERVER ltdb OPTIONS (collection 'p1');
CREATE FOREIGN TABLE p2 PARTITION OF parent FOR VALUES WITH (MODULUS 3, REMAINDER 2) SERVER ltdb OPTIONS (collection 'p2');
CREATE TABLE l (key text, ts bigint, data text);
INSERT INTO l SELECT 'k' || k, s, 'd' || k * s FROM generate_series(1, 30) k, generate_series(1, 200) s;
INSERT INTO parent SELECT * FROM l;

EXPLAIN (COSTS OFF) SELECT * FROM parent;
SELECT count(*) FROM ((TABLE parent EXCEPT ALL TABLE l) UNION ALL (TABLE l EXCEPT ALL TABLE parent)) d;
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM parent WHERE ts BETWEEN 10 AND 20;
SELECT count(*), sum(ts) FROM parent WHERE ts BETWEEN 10 AND 20;

-- pruning leaves one
EXPLAIN (COSTS OFF) SELECT * FROM parent WHERE key = 'k1';
SELECT count(*), min(ts), max(ts) FROM parent WHERE key = 'k1';

-- some rows only, filters, empty children, and contradictions
SELECT count(*) FROM (SELECT * FROM parent LIMIT 7) x;
SELECT count(*) FROM parent WHERE data LIKE '%99';
SELECT count(*) FROM parent WHERE ts > 300;
SELECT count(*) FROM parent WHERE ts > 20 AND ts < 10;
DELETE FROM p1;
SELECT count(*) = (SELECT count(*) FROM p0) + (SELECT count(*) FROM p2) AS same FROM parent;

-- rescans, two appends in one query, UNION ALL of one table, and of a local one
SELECT g, (SELECT count(*) FROM parent WHERE ts = g) = (SELECT count(*) FROM p0 WHERE ts = g) + (SELECT count(*) FROM p2 WHERE ts = g) AS same FROM generate_series(1, 3) g;
SELECT count(*) FROM parent a JOIN parent b USING (key, ts) WHERE a.ts < 20;
SELECT count(*) FROM (SELECT * FROM p0 UNION ALL SELECT * FROM p0 UNION ALL SELECT * FROM p2 UNION ALL SELECT * FROM l) u;
SELECT count(*) FROM p0, p2 WHERE p0.ts = 1 AND p2.ts = 1;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM parent;
FETCH 3 FROM c \g /dev/null
SELECT count(*) FROM (SELECT * FROM p0 UNION ALL SELECT * FROM p2) u;
MOVE ALL FROM c;
COMMIT;

-- the newest of each key, each partition answering for its own
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (key) * FROM parent ORDER BY key, ts DESC;
SELECT count(*), min(ts), max(ts) FROM (SELECT DISTINCT ON (key) * FROM parent ORDER BY key, ts DESC) x;

-- it can be switched off
ALTER SERVER ltdb OPTIONS (ADD async_capable 'false');
EXPLAIN (COSTS OFF) SELECT * FROM parent;
ALTER FOREIGN TABLE p2 OPTIONS (ADD async_capable 'true');
EXPLAIN (COSTS OFF) SELECT * FROM parent;
SELECT count(*) = (SELECT count(*) FROM p0) + (SELECT count(*) FROM p2) AS same FROM parent;
DROP TABLE parent, l;

-- no row is lost or doubled, however the answers come in: small pages,
-- so that many an answer arrives while another is being read
CREATE TABLE parent (key text, ts bigint, data text) PARTITION BY HASH (key);
CREATE FOREIGN TABLE q0 PARTITION OF parent FOR VALUES WITH (MODULUS 3, REMAINDER 0) SERVER ltdb OPTIONS (fetch_size '5', async_capable 'true');
CREATE FOREIGN TABLE q1 PARTITION OF parent FOR VALUES WITH (MODULUS 3, REMAINDER 1) SERVER ltdb OPTIONS (fetch_size '3', async_capable 'true');
CREATE FOREIGN TABLE q2 PARTITION OF parent FOR VALUES WITH (MODULUS 3, REMAINDER 2) SERVER ltdb OPTIONS (fetch_size '100', async_capable 'true');
INSERT INTO parent SELECT 'k' || k, s, repeat('d', 200) FROM generate_series(1, 30) k, generate_series(1, 20) s;
DO $$
DECLARE
  n int;
  bad int := 0;
BEGIN
  FOR i IN 1..1000 LOOP
    SELECT count(*) INTO n FROM parent;
    bad := bad + (n <> 600)::int;
  END LOOP;
  RAISE NOTICE '% of 1000 counts were wrong', bad;
END $$;
DROP TABLE parent;
\set ECHO none
\i sql/include/teardown.psql
