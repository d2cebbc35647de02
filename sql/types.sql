\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Types: each column type shows the same records, and takes them back.

CREATE FOREIGN TABLE as_tz (key text, ts timestamptz, data text) SERVER ltdb OPTIONS (collection 'c');
CREATE FOREIGN TABLE as_plain (key varchar(20), ts timestamp, data json) SERVER ltdb OPTIONS (collection 'c');
CREATE FOREIGN TABLE as_int (data jsonb, ts bigint, key text) SERVER ltdb OPTIONS (collection 'c');
CREATE FOREIGN TABLE renamed (
  payload text OPTIONS (column_name 'data'),
  at timestamptz OPTIONS (column_name 'ts'),
  city text OPTIONS (column_name 'key')) SERVER ltdb OPTIONS (collection 'c');
CREATE FOREIGN TABLE only_ts (ts bigint) SERVER ltdb OPTIONS (collection 'c');

INSERT INTO as_tz VALUES ('tz', '2020-01-01 12:00:00+02', '{"a": 1}');
INSERT INTO as_plain VALUES ('plain', '2020-01-01 10:00:00', '{"a":  2}');
INSERT INTO as_int VALUES ('{"a":  3}', 1577872800, 'int');
INSERT INTO renamed VALUES ('{"a": 4}', '2020-01-01 10:00:00+00', 'renamed');

SELECT * FROM as_tz ORDER BY key;
SELECT * FROM as_plain ORDER BY key;
SELECT * FROM as_int ORDER BY key;
SELECT * FROM renamed ORDER BY city;
SELECT * FROM only_ts;

-- a timestamp column is UTC whatever the session's time zone
SET timezone = 'America/New_York';
SELECT key, ts FROM as_tz WHERE key = 'tz';
SELECT key, ts FROM as_plain WHERE key = 'tz';
SELECT key FROM as_plain WHERE ts = '2020-01-01 10:00:00' ORDER BY key;
SELECT key FROM as_tz WHERE ts = '2020-01-01 05:00:00' ORDER BY key;
RESET timezone;
SET timezone = 'UTC';

-- any subset and order of columns, repeated, in expressions, as a whole row
SELECT data, key FROM as_tz WHERE key = 'tz';
SELECT key, key, upper(key) FROM as_tz WHERE key = 'tz';
SELECT 1 AS one FROM as_tz WHERE key = 'tz';
SELECT count(*) FROM as_tz;
SELECT t FROM as_tz t WHERE key = 'tz';
SELECT tableoid::regclass, key FROM as_tz WHERE key = 'tz';
SELECT ctid FROM as_tz WHERE key = 'tz';
SELECT data -> 'a' AS a FROM as_int ORDER BY key;

-- the bounds of what LTDB can store
INSERT INTO as_int VALUES ('1', -2147483648, 'bounds'), ('2', -1, 'bounds'), ('3', 0, 'bounds'),
  ('4', 1, 'bounds'), ('5', 2147483647, 'bounds');
SELECT ts, data FROM as_int WHERE key = 'bounds' ORDER BY ts;
SELECT ts, data FROM as_tz WHERE key = 'bounds' ORDER BY ts;
SELECT ts, data FROM as_int WHERE key = 'bounds' AND ts <= 0 ORDER BY ts;
SELECT ts, data FROM as_int WHERE key = 'bounds' AND ts = 0;
SELECT ts, data FROM as_int WHERE ts < 0 ORDER BY ts;
INSERT INTO as_int VALUES ('6', 2147483648, 'bounds');
INSERT INTO as_int VALUES ('6', -2147483649, 'bounds');
INSERT INTO as_tz VALUES ('bounds', '2038-01-19 03:14:08+00', '6');
INSERT INTO as_tz VALUES ('bounds', 'infinity', '6');
INSERT INTO as_plain VALUES ('bounds', '-infinity', '6');

-- fractions are cut off towards the past
INSERT INTO as_tz VALUES ('fraction', '2020-01-01 00:00:00.999999+00', 'a') RETURNING *;
INSERT INTO as_tz VALUES ('fraction', '1969-12-31 23:59:58.5+00', 'b') RETURNING *;
SELECT ts, data FROM as_tz WHERE key = 'fraction' ORDER BY ts;
DELETE FROM as_tz WHERE key = 'fraction';

-- domains are what they are made of
CREATE DOMAIN place AS text CHECK (VALUE <> 'nowhere');
CREATE FOREIGN TABLE as_domain (key place, ts timestamptz, data text) SERVER ltdb OPTIONS (collection 'c');
SELECT key FROM as_domain WHERE key = 'tz';
INSERT INTO as_domain VALUES ('nowhere', '2020-01-01', '');

-- data that is no JSON
INSERT INTO as_tz VALUES ('bad', '2020-01-01', '{"a": '), ('bad', '2020-01-02', ''),
  ('bad', '2020-01-03', '{"a": "\u0000"}'), ('bad', '2020-01-04', '[1]');
SELECT * FROM as_plain WHERE key = 'bad' ORDER BY ts;
SELECT * FROM as_int WHERE key = 'bad' ORDER BY ts;
SELECT ts FROM as_int WHERE key = 'bad' ORDER BY ts;
ALTER FOREIGN TABLE as_plain OPTIONS (ADD invalid_json 'null');
ALTER FOREIGN TABLE as_int OPTIONS (ADD invalid_json 'null');
SELECT * FROM as_plain WHERE key = 'bad' ORDER BY ts;
SELECT * FROM as_int WHERE key = 'bad' ORDER BY ts;

-- dropped columns
ALTER FOREIGN TABLE as_tz DROP COLUMN data;
SELECT * FROM as_tz WHERE key = 'tz';
INSERT INTO as_tz VALUES ('dropped', '2020-01-01') RETURNING *;
SELECT t FROM as_tz t WHERE key = 'dropped';
ALTER FOREIGN TABLE as_tz ADD COLUMN data jsonb;
SELECT * FROM as_tz WHERE key = 'tz';
DROP FOREIGN TABLE as_domain;
DROP DOMAIN place;
\set ECHO none
\i sql/include/teardown.psql
