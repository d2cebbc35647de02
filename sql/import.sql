\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- IMPORT FOREIGN SCHEMA: a foreign table for each collection.
CREATE FOREIGN TABLE seed (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'first');
INSERT INTO seed VALUES ('k', 1, '{"a": 1}');
ALTER FOREIGN TABLE seed OPTIONS (SET collection 'Second "Table"');
INSERT INTO seed VALUES ('k', 2, '{"a": 2}');
ALTER FOREIGN TABLE seed OPTIONS (SET collection 'a collection with a name that is longer than the sixty-three bytes of an identifier');
INSERT INTO seed VALUES ('k', 3, '{"a": 3}');
ALTER FOREIGN TABLE seed OPTIONS (SET collection 'a collection with a name that is longer than the sixty-three bytes of the others');
INSERT INTO seed VALUES ('k', 4, '{"a": 4}');
ALTER FOREIGN TABLE seed OPTIONS (SET collection 'größer''s');
INSERT INTO seed VALUES ('k', 5, 'no json');
SELECT ltdb_kv_set('ltdb', 'only pairs', 'k', 'v');
SELECT c FROM ltdb_collections('ltdb') c ORDER BY c COLLATE "C";

CREATE SCHEMA imported;
IMPORT FOREIGN SCHEMA ltdb FROM SERVER ltdb INTO imported;
SELECT c.relname, t.ftoptions FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid
WHERE c.relnamespace = 'imported'::regnamespace ORDER BY c.relname COLLATE "C";
\d imported.first
SELECT * FROM imported.first;
SELECT * FROM imported."Second ""Table""";
SELECT * FROM imported."only pairs";
SET client_min_messages = warning;
DROP SCHEMA imported CASCADE;
RESET client_min_messages;

CREATE SCHEMA partly;
IMPORT FOREIGN SCHEMA ltdb LIMIT TO (first, "only pairs", missing) FROM SERVER ltdb INTO partly OPTIONS (ts_type 'bigint', data_type 'text');
IMPORT FOREIGN SCHEMA ltdb EXCEPT (first, "only pairs", "Second ""Table""") FROM SERVER ltdb INTO partly;
SELECT relname FROM pg_class WHERE relnamespace = 'partly'::regnamespace ORDER BY relname COLLATE "C";
SELECT * FROM partly.first;
SET client_min_messages = warning;
DROP SCHEMA partly CASCADE;

-- columns guessed from the records
CREATE SCHEMA guessed;
ALTER FOREIGN TABLE seed OPTIONS (SET collection 'fields');
INSERT INTO seed VALUES ('k', 1, '{"t": 1.5, "ok": true, "at": "2020-01-01T00:00:00Z", "name": "x", "key": "clash", "a.b": 1, "mixed": 1, "list": [1], "none": null, "Upper": 1}'),
  ('k', 2, '{"t": 2, "at": "2020-01-01T00:00:00.5+02:00", "name": "2020-01-01T00:00:00Z", "mixed": "x", "late": false}'), ('l', 1, '5');
IMPORT FOREIGN SCHEMA ltdb LIMIT TO (fields, "only pairs") FROM SERVER ltdb INTO guessed OPTIONS (fields 'infer');
\d guessed.fields
\d guessed."only pairs"
\x on
SELECT * FROM guessed.fields ORDER BY key, ts;
\x off
SET client_min_messages = warning;
DROP SCHEMA guessed CASCADE;
RESET client_min_messages;

IMPORT FOREIGN SCHEMA public FROM SERVER ltdb INTO public;
IMPORT FOREIGN SCHEMA ltdb FROM SERVER ltdb INTO public OPTIONS (data_type 'xml');
IMPORT FOREIGN SCHEMA ltdb FROM SERVER ltdb INTO public OPTIONS (ts_type 'date');
IMPORT FOREIGN SCHEMA ltdb FROM SERVER ltdb INTO public OPTIONS (other 'x');
IMPORT FOREIGN SCHEMA ltdb FROM SERVER ltdb INTO public OPTIONS (fields 'all');
\set ECHO none
\i sql/include/teardown.psql
