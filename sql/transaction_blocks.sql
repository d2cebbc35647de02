\set ECHO none
\i sql/include/setup.psql
\t on
\a
\set ECHO all
-- What a transaction is made of besides statements: chains, procedures that
-- commit, cursors that outlive it, DDL in the middle of it.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (fetch_size '1');
INSERT INTO t VALUES ('a', 1, 'one'), ('a', 2, 'two'), ('a', 3, 'three');

-- COMMIT AND CHAIN, and transactions within one message
BEGIN;
INSERT INTO t VALUES ('chain', 1, 'x');
COMMIT AND CHAIN;
INSERT INTO t VALUES ('chain', 2, 'x');
ROLLBACK AND CHAIN;
INSERT INTO t VALUES ('chain', 3, 'x');
COMMIT;
SELECT ts FROM t WHERE key = 'chain' ORDER BY ts;
INSERT INTO t VALUES ('message', 1, 'x')\; SELECT 1 / 0\; INSERT INTO t VALUES ('message', 2, 'x');
INSERT INTO t VALUES ('message', 3, 'x')\; COMMIT\; INSERT INTO t VALUES ('message', 4, 'x')\; ROLLBACK;
SELECT ts FROM t WHERE key = 'message' ORDER BY ts;

-- procedures
DO $$
BEGIN
  FOR i IN 1..6 LOOP
    INSERT INTO t VALUES ('do', i, 'x');
    BEGIN
      INSERT INTO t VALUES ('do', i + 10, 'x');
      IF i % 3 = 0 THEN RAISE division_by_zero; END IF;
    EXCEPTION WHEN division_by_zero THEN
      UPDATE t SET data = 'handled' WHERE key = 'do' AND ts = i;
    END;
    IF i % 2 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
  END LOOP;
END $$;
SELECT ts, data FROM t WHERE key = 'do' ORDER BY ts;
DO $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT * FROM t WHERE key = 'a' ORDER BY ts LOOP
    DELETE FROM t WHERE key = r.key AND ts = r.ts;
    INSERT INTO t VALUES ('loop', r.ts, r.data);
    COMMIT;
  END LOOP;
END $$;
SELECT key, ts, data FROM t WHERE key IN ('a', 'loop') ORDER BY ts;

-- cursors that outlive the transaction, and that go back
BEGIN;
INSERT INTO t VALUES ('loop', 0, 'zero');
DECLARE held CURSOR WITH HOLD FOR SELECT ts, data FROM t WHERE key = 'loop' ORDER BY ts;
DECLARE back SCROLL CURSOR FOR SELECT ts FROM t WHERE key = 'loop' ORDER BY ts;
FETCH 1 FROM held;
DELETE FROM t WHERE key = 'loop' AND ts < 3;
FETCH 2 FROM back;
FETCH PRIOR FROM back;
FETCH LAST FROM back;
FETCH FIRST FROM back;
COMMIT;
FETCH ALL FROM held;
CLOSE held;
SELECT ts FROM t WHERE key = 'loop';

-- a cursor goes on after a subtransaction that it was used in
BEGIN;
INSERT INTO t SELECT 'cursor', s, 'x' FROM generate_series(1, 5) s;
DECLARE c CURSOR FOR SELECT ts FROM t WHERE key = 'cursor' ORDER BY ts;
FETCH 1 FROM c;
SAVEPOINT s;
DELETE FROM t WHERE key = 'cursor';
FETCH 1 FROM c;
ROLLBACK TO s;
FETCH 1 FROM c;
SAVEPOINT s2;
UPDATE t SET data = 1 / (ts - 3) WHERE key = 'cursor';
ROLLBACK TO s2;
FETCH ALL FROM c;
ROLLBACK;

-- DDL: writes go where the table pointed when they were made
BEGIN;
INSERT INTO t VALUES ('ddl', 1, 'x');
ALTER FOREIGN TABLE t OPTIONS (ADD collection 'elsewhere');
INSERT INTO t VALUES ('ddl', 2, 'x');
SELECT key, ts FROM t;
SAVEPOINT s;
ALTER FOREIGN TABLE t OPTIONS (DROP collection);
INSERT INTO t VALUES ('ddl', 3, 'x');
SELECT ts FROM t WHERE key = 'ddl' ORDER BY ts;
ROLLBACK TO s;
SELECT key, ts FROM t;
COMMIT;
ALTER FOREIGN TABLE t OPTIONS (DROP collection);
SELECT ts FROM t WHERE key = 'ddl';
BEGIN;
UPDATE t SET data = 'dropped' WHERE key = 'ddl';
ALTER SERVER ltdb OPTIONS (ADD request_timeout '20s');
DROP FOREIGN TABLE t;
COMMIT;
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb;
SELECT data FROM t WHERE key = 'ddl';
BEGIN;
UPDATE t SET data = 'nowhere' WHERE key = 'ddl';
SET LOCAL client_min_messages = warning;
DROP SERVER ltdb CASCADE;
ROLLBACK;
SELECT data FROM t WHERE key = 'ddl';

-- read only
BEGIN READ ONLY;
SELECT count(*) FROM t WHERE key = 'ddl';
SAVEPOINT s;
INSERT INTO t VALUES ('ro', 1, 'x');
ROLLBACK TO s;
TRUNCATE t;
ROLLBACK TO s;
UPDATE t SET data = 'ro';
COMMIT;
SELECT data FROM t WHERE key IN ('ddl', 'ro');
\set ECHO none
\i sql/include/teardown.psql
