\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- Transactions: a write set that COMMIT sends and ROLLBACK drops.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb;
CREATE FOREIGN TABLE now_ (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 't', write_mode 'immediate');
INSERT INTO t VALUES ('a', 1, 'one'), ('a', 2, 'two'), ('b', 1, 'b one');

-- ROLLBACK undoes, and until COMMIT only this transaction sees its writes
BEGIN;
INSERT INTO t VALUES ('a', 3, 'three'), ('c', 1, 'c one'), ('a', 1, 'one again');
DELETE FROM t WHERE key = 'b';
UPDATE t SET data = data || '!' WHERE ts = 2 RETURNING *;
SELECT * FROM t ORDER BY key, ts;
SELECT * FROM t WHERE key = 'a' ORDER BY ts DESC LIMIT 2;
SELECT DISTINCT ON (key) * FROM t ORDER BY key, ts DESC;
SELECT key, max(ts) FROM t GROUP BY key ORDER BY key;
SELECT ltrim(line) AS line FROM explain_lines('VERBOSE', 'SELECT DISTINCT key FROM t WHERE ts < 10') line WHERE line LIKE '%LTDB%';
SELECT min(ts), max(ts), count(*) FROM t WHERE key = 'b';
SELECT key, extract(epoch FROM ts)::int AS ts, data FROM ltdb_latest('ltdb', 't') ORDER BY key;
SELECT key, extract(epoch FROM ts)::int AS ts, data FROM ltdb_latest('ltdb', 't', key => 'a', at => to_timestamp(2));
ROLLBACK;
SELECT * FROM t ORDER BY key, ts;

-- savepoints and exception blocks drop what they should
BEGIN;
INSERT INTO t VALUES ('s', 1, '1');
SAVEPOINT a;
INSERT INTO t VALUES ('s', 2, '2'), ('s', 1, '1 changed');
SAVEPOINT b;
DELETE FROM t WHERE key = 's';
SELECT count(*) FROM t WHERE key = 's';
ROLLBACK TO b;
SELECT * FROM t WHERE key = 's';
INSERT INTO t VALUES ('s', 3, '3');
RELEASE b;
ROLLBACK TO a;
SELECT * FROM t WHERE key = 's';
DO $$
BEGIN
  INSERT INTO t VALUES ('s', 4, '4');
  BEGIN
    INSERT INTO t VALUES ('s', 5, '5');
    UPDATE t SET data = 'changed' WHERE key = 's';
    RAISE NOTICE '% rows', (SELECT count(*) FROM t WHERE key = 's' AND data = 'changed');
    PERFORM 1 / 0;
  EXCEPTION WHEN division_by_zero THEN
    RAISE NOTICE '% rows', (SELECT array_agg(data ORDER BY ts) FROM t WHERE key = 's');
  END;
END $$;
COMMIT;
SELECT * FROM t WHERE key = 's';

-- a command does not see its own writes, a cursor sees those before it
BEGIN;
INSERT INTO t SELECT key, ts + 10, data FROM t WHERE key = 'a';
DECLARE c CURSOR FOR SELECT ts, data FROM t WHERE key = 'a' ORDER BY ts;
DELETE FROM t WHERE key = 'a' AND ts > 10;
FETCH ALL FROM c;
SELECT ts, data FROM t WHERE key = 'a' ORDER BY ts;
COMMIT;

-- UPDATE of key and ts moves records
UPDATE t SET ts = ts + 1 WHERE key = 'a' RETURNING *;
SELECT * FROM t WHERE key = 'a' ORDER BY ts;
UPDATE t SET ts = ts - 1 WHERE key = 'a';
UPDATE t SET key = 'moved' WHERE key = 'b' RETURNING *;
SELECT * FROM t WHERE key IN ('a', 'b', 'moved') ORDER BY key, ts;
UPDATE now_ SET ts = ts + 1, data = data || '.' WHERE key = 'a' RETURNING ts;
SELECT * FROM t WHERE key = 'a' ORDER BY ts;
UPDATE t SET ts = 4000000000 WHERE key = 'a';
UPDATE t SET data = NULL WHERE key = 'a';

-- joins: a row found twice is written once
CREATE TABLE l (key text, n int);
INSERT INTO l VALUES ('a', 1), ('a', 2);
UPDATE t SET data = 'joined' FROM l WHERE t.key = l.key AND t.ts = 2 RETURNING t.*;
DELETE FROM t USING l WHERE t.key = l.key RETURNING t.ts;
DELETE FROM t WHERE CURRENT OF c;

-- fields keep the other members of data
INSERT INTO t VALUES ('f', 1, '{"a": 1, "b": {"c": 2, "d": [1.50, null]}, "e": "x"}'), ('f', 2, '5');
CREATE FOREIGN TABLE f (key text, ts bigint, a int OPTIONS (field 'a'), c int OPTIONS (field 'b.c'), n text OPTIONS (field 'n')) SERVER ltdb OPTIONS (collection 't');
CREATE FOREIGN TABLE fd (key text, ts bigint, data jsonb, a int OPTIONS (field 'a')) SERVER ltdb OPTIONS (collection 't');
UPDATE f SET c = 7, n = 'new' WHERE ts = 1 AND key = 'f' RETURNING *;
UPDATE f SET a = NULL, ts = 3 WHERE ts = 1 AND key = 'f';
UPDATE f SET a = 6 WHERE ts = 2 AND key = 'f';
UPDATE fd SET a = 8 WHERE ts = 3 AND key = 'f' RETURNING *;
UPDATE fd SET a = 9, data = '{}' WHERE ts = 3 AND key = 'f';
SELECT * FROM t WHERE key = 'f' ORDER BY ts;

-- an immediate UPDATE within a subtransaction that is rolled back stays too
BEGIN;
SAVEPOINT a;
UPDATE now_ SET data = 'at once' WHERE key = 's';
INSERT INTO t VALUES ('s', 9, 'later');
ROLLBACK TO a;
INSERT INTO t VALUES ('s', 10, 'kept');
COMMIT;
SELECT * FROM t WHERE key = 's' ORDER BY ts;

-- immediate writes stay, and PREPARE is refused
BEGIN;
INSERT INTO now_ VALUES ('now', 1, 'x');
ROLLBACK;
SELECT * FROM now_ WHERE key = 'now';
BEGIN;
INSERT INTO t VALUES ('p', 1, 'x');
PREPARE TRANSACTION 'p';
SELECT * FROM t WHERE key = 'p';

-- TRUNCATE can be taken back, and keeps the key-value pairs
CREATE FOREIGN TABLE u (key text, ts bigint, data text) SERVER ltdb;
INSERT INTO u VALUES ('a', -1, 'x'), ('a', 1, 'x'), ('b', 2, 'x');
SELECT ltdb_kv_set('ltdb', 'u', 'pair', 'value');
BEGIN;
INSERT INTO u VALUES ('c', 3, 'x');
TRUNCATE u;
SELECT count(*) FROM u;
INSERT INTO u VALUES ('d', 4, 'x');
SELECT * FROM u;
ROLLBACK;
SELECT * FROM u ORDER BY key, ts;
TRUNCATE u, t;
SELECT count(*) FROM u;
SELECT count(*) FROM t;
SELECT * FROM ltdb_kv_all('ltdb', 'u');
INSERT INTO u VALUES ('a', 1, 'x');
ALTER FOREIGN TABLE u OPTIONS (ADD truncatable 'false');
TRUNCATE t, u;
ALTER FOREIGN TABLE u OPTIONS (SET truncatable 'true', ADD write_mode 'immediate');
TRUNCATE u;
SELECT count(*) FROM u;

-- key-value pairs too
SELECT ltdb_kv_set('ltdb', 'u', 'a', '1'), ltdb_kv_set('ltdb', 'u', 'b', '2');
BEGIN;
SELECT ltdb_kv_set('ltdb', 'u', 'b', '22'), ltdb_kv_set('ltdb', 'u', 'c', '3'), ltdb_kv_delete('ltdb', 'u', 'a');
SELECT ltdb_kv_get('ltdb', 'u', 'a') AS a, ltdb_kv_get('ltdb', 'u', 'b') AS b, ltdb_kv_get('ltdb', 'u', 'c') AS c, ltdb_kv_get('ltdb', 'u', 'pair') AS pair;
SELECT * FROM ltdb_kv_all('ltdb', 'u') ORDER BY key;
SAVEPOINT s;
SELECT ltdb_kv_delete('ltdb', 'u', 'c'), ltdb_kv_set('ltdb', 'u', 'pair', 'x');
SELECT k FROM ltdb_kv_keys('ltdb', 'u') k ORDER BY k;
ROLLBACK TO s;
SELECT k FROM ltdb_kv_keys('ltdb', 'u') k ORDER BY k;
ROLLBACK;
SELECT * FROM ltdb_kv_all('ltdb', 'u') ORDER BY key;
BEGIN;
SELECT ltdb_kv_set('ltdb', 'u', 'b', '22'), ltdb_kv_delete('ltdb', 'u', 'a');
COMMIT;
SELECT * FROM ltdb_kv_all('ltdb', 'u') ORDER BY key;

-- memory is bounded
SET ltdb_fdw.write_set_memory = '100kB';
INSERT INTO t SELECT 'm', s, repeat('x', 100) FROM generate_series(1, 10000) s;
RESET ltdb_fdw.write_set_memory;
SELECT count(*) FROM t WHERE key = 'm';
BEGIN;
INSERT INTO t SELECT 'm', (s * 7919) % 20011, s::text FROM generate_series(1, 20010) s;
SELECT count(*), min(ts), max(ts) FROM t WHERE key = 'm';
SELECT count(*) FROM (SELECT ts, lag(ts) OVER () AS before FROM t WHERE key = 'm') x WHERE ts <= before;
COMMIT;
SELECT count(*), min(ts), max(ts) FROM t WHERE key = 'm';
DROP FUNCTION explain_lines;
DROP TABLE l;
\set ECHO none
\i sql/include/teardown.psql
