\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Who writes: several users in one transaction, read-only transactions, what
-- write_mode 'immediate' says it has sent; and what a row has besides columns.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb;
CREATE FOREIGN TABLE kv (key text, value text) SERVER ltdb OPTIONS (kind 'kv', collection 't');
CREATE FOREIGN TABLE now_ (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 't', write_mode 'immediate');
INSERT INTO t VALUES ('o', 1, 'old'), ('o', 2, 'old'), ('p', 1, 'old'), ('q', 1, 'old');
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_ltdb_writer;
CREATE ROLE regress_ltdb_writer;
\set ECHO none
CREATE USER MAPPING FOR regress_ltdb_writer SERVER ltdb OPTIONS (api_key :'ltdb_api_key');
\set ECHO all
SET client_min_messages = notice;
GRANT USAGE ON FOREIGN SERVER ltdb TO regress_ltdb_writer;
GRANT ALL ON t, kv TO regress_ltdb_writer;
GRANT CREATE ON SCHEMA public TO regress_ltdb_writer;
SET ROLE regress_ltdb_writer;
CREATE VIEW v AS SELECT * FROM t;
CREATE VIEW vkv AS SELECT * FROM kv;
RESET ROLE;

-- whoever writes last has the last word, and all see it
BEGIN;
DELETE FROM t WHERE key = 'o' AND ts = 1;
INSERT INTO v VALUES ('o', 1, 'new');
UPDATE v SET data = 'updated' WHERE key = 'o' AND ts = 2;
SELECT * FROM t WHERE key = 'o' ORDER BY ts;
DELETE FROM t WHERE key = 'o' AND ts = 2;
DELETE FROM v WHERE key = 'p';
DELETE FROM t WHERE key = 'q';
INSERT INTO v VALUES ('q', 2, 'new');
INSERT INTO kv VALUES ('a', 'mine'), ('b', 'mine');
UPDATE vkv SET value = 'theirs' WHERE key = 'a';
SAVEPOINT s;
INSERT INTO v VALUES ('o', 1, 'undone');
DELETE FROM v;
ROLLBACK TO s;
SELECT * FROM v ORDER BY key, ts;
COMMIT;
SELECT * FROM t ORDER BY key, ts;
SELECT * FROM kv ORDER BY key;
BEGIN;
TRUNCATE t;
INSERT INTO v VALUES ('r', 1, 'new');
COMMIT;
SELECT * FROM t ORDER BY key, ts;

-- a read-only transaction is one for functions, too
BEGIN READ ONLY;
SELECT ltdb_kv_get('ltdb', 't', 'a');
SELECT ltdb_kv_set('ltdb', 't', 'a', 'x');
ROLLBACK;
BEGIN READ ONLY;
SELECT ltdb_kv_delete('ltdb', 't', 'a');
ROLLBACK;
BEGIN READ ONLY;
SELECT ltdb_delete_key('ltdb', 't', 'r');
ROLLBACK;
BEGIN READ ONLY;
SELECT ltdb_delete_collection('ltdb', 't');
ROLLBACK;
SELECT count(*) FROM kv;

-- only what was sent stays
ALTER FOREIGN TABLE now_ OPTIONS (ADD batch_size '10');
DO $$
BEGIN
  INSERT INTO now_ SELECT 'half', s, 10 / (s - 25) FROM generate_series(1, 50) s;
EXCEPTION WHEN division_by_zero THEN
  RAISE NOTICE 'caught';
END $$;
SELECT count(*) FROM t WHERE key = 'half';
BEGIN;
INSERT INTO now_ SELECT 'x', s, '' FROM generate_series(1, 3) s;
SAVEPOINT s;
DELETE FROM now_ WHERE key = 'half' AND ts <= 5;
SELECT ltdb_kv_set('ltdb', 't', 'kept', 'x');
RELEASE s;
SAVEPOINT s;
UPDATE now_ SET data = 'y' WHERE key = 'x';
ROLLBACK TO s;
ROLLBACK;
BEGIN;
INSERT INTO now_ VALUES ('z', 1, ''), ('z', 2, NULL);
ROLLBACK;
SELECT key, count(*) FROM t GROUP BY key ORDER BY key;

-- a row has no system columns but tableoid
SELECT xmin FROM t WHERE key = 'x' AND ts = 1;
INSERT INTO t VALUES ('s', 1, '') RETURNING xmin, xmax, tableoid::regclass;
UPDATE t SET data = 'u' WHERE key = 's' RETURNING xmin, ctid, t;
DELETE FROM t WHERE key = 's' RETURNING xmin, xmax, t;

-- a cursor that was not read from before still sees what was there
BEGIN;
DECLARE c CURSOR FOR SELECT key, ts, data FROM t WHERE data = 'y' ORDER BY key, ts;
SELECT ltdb_delete_collection('ltdb', 't');
SELECT count(*) FROM t;
FETCH ALL FROM c;
ROLLBACK;
DROP VIEW v, vkv;
REVOKE ALL ON SCHEMA public FROM regress_ltdb_writer;
\set ECHO none
\i sql/include/teardown.psql
DROP ROLE regress_ltdb_writer;
