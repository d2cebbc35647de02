\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Options: what each place accepts, and what is said about the rest.

-- server
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw;
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'http://127.0.0.1:8080');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://user:secret@127.0.0.1:8080');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1:99999');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url '');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', conect_timeout '1');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', something_else_entirely '1');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', api_key 'secret');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', collection 'c');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', connect_timeout '0');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', connect_timeout 'soon');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', request_timeout '2d');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', fetch_size '0');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', fetch_size '1000001');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', batch_size 'many');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', max_message_size '1000kB');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', max_message_size '2GB');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', max_message_size '10 parsecs');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', keep_connections 'maybe');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1', updatable 'perhaps');
CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (
  url 'wss://ltdb.example.org:443/path', connect_timeout '500ms', request_timeout '1min',
  fetch_size '100', batch_size '10', keep_connections 'off', updatable 'no', max_message_size '1GB');
ALTER SERVER s OPTIONS (ADD sslmode 'disable');
ALTER SERVER s OPTIONS (ADD sslrootcert 'root.crt');
ALTER SERVER s OPTIONS (ADD sslcert '/client.crt');
ALTER SERVER s OPTIONS (ADD sslkey '/client.key');
ALTER SERVER s OPTIONS (ADD sslmode 'verify-ca', ADD sslrootcert '/root.crt', ADD sslcrl '/revoked.crl',
  ADD sslcert '/client.crt', ADD sslkey '/client.key');
ALTER SERVER s OPTIONS (SET url 'ws://ltdb.example.org');
ALTER SERVER s OPTIONS (DROP sslmode, DROP sslrootcert, DROP sslcrl, DROP sslcert, DROP sslkey);
ALTER SERVER s OPTIONS (DROP url);
ALTER SERVER s OPTIONS (SET url 'nonsense');
ALTER SERVER s OPTIONS (SET url 'ws://[::1]:8080', DROP connect_timeout);

-- user mapping
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user 'me');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (apikey 'secret');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (api_key '');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (api_key E'a\nb');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (url 'ws://127.0.0.1');
CREATE USER MAPPING FOR CURRENT_USER SERVER s;

-- table and columns
CREATE FOREIGN TABLE t (key text, ts timestamptz) SERVER s OPTIONS (colection 'c');
CREATE FOREIGN TABLE t (key text, ts timestamptz) SERVER s OPTIONS (collection '');
CREATE FOREIGN TABLE t (key text, ts timestamptz) SERVER s OPTIONS (invalid_json 'ignore');
CREATE FOREIGN TABLE t (key text, ts timestamptz) SERVER s OPTIONS (fetch_size '-1');
CREATE FOREIGN TABLE t (key text, ts timestamptz) SERVER s OPTIONS (api_key 'secret');
CREATE FOREIGN TABLE t (key text OPTIONS (column_name 'id'), ts timestamptz) SERVER s;
CREATE FOREIGN TABLE t (key text OPTIONS (name 'key'), ts timestamptz) SERVER s;
CREATE FOREIGN TABLE t (city text, ts timestamptz) SERVER s;
CREATE FOREIGN TABLE t (key int, ts timestamptz) SERVER s;
CREATE FOREIGN TABLE t (key text, ts int) SERVER s;
CREATE FOREIGN TABLE t (key text, ts timestamptz, data bytea) SERVER s;
CREATE FOREIGN TABLE t (key text, other text OPTIONS (column_name 'key'), ts timestamptz) SERVER s;
CREATE FOREIGN TABLE t (key text, ts timestamptz, data jsonb) SERVER s
  OPTIONS (collection 'c', fetch_size '5', batch_size '7', updatable 'true', invalid_json 'null');
ALTER FOREIGN TABLE t ADD COLUMN extra text;
ALTER FOREIGN TABLE t ALTER COLUMN ts TYPE int;
ALTER FOREIGN TABLE t RENAME COLUMN data TO payload;
ALTER FOREIGN TABLE t ALTER COLUMN data OPTIONS (ADD column_name 'data');
ALTER FOREIGN TABLE t RENAME COLUMN data TO payload;
SELECT attname, attfdwoptions FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum;

-- a table that came into being in another way is refused when it is used
CREATE TABLE parent (key text, ts timestamptz);
CREATE FOREIGN TABLE child () INHERITS (parent) SERVER s;
ALTER TABLE parent ADD COLUMN other text;
SELECT * FROM child;
DROP TABLE parent CASCADE;

-- there are no options for the wrapper
ALTER FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (ADD url 'ws://127.0.0.1');

-- another wrapper's tables are not our business
CREATE FOREIGN DATA WRAPPER other_fdw;
CREATE SERVER other FOREIGN DATA WRAPPER other_fdw;
CREATE FOREIGN TABLE others (anything int) SERVER other;
SELECT ltdb_collections('other');

-- without an api key nobody is contacted
SELECT * FROM t;

SET client_min_messages = warning;
DROP SERVER s CASCADE;
DROP FOREIGN DATA WRAPPER other_fdw CASCADE;
\set ECHO none
\i sql/include/teardown.psql
