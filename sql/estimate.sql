\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- What the planner chooses, and what its prices are for. Shapes of plans only.
CREATE FUNCTION shape(query text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT line FROM explain_lines('VERBOSE OFF', query) line WHERE line ~ 'Scan|Join|Loop|Hash$' $$;
CREATE FUNCTION cost(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN plan -> 0 -> 'Plan' ->> 'Total Cost';
END $$;
CREATE FUNCTION estimated_rows(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
SET max_parallel_workers_per_gather = 0;

-- a star: readings of 200 sensors in 20 rooms
CREATE FOREIGN TABLE reading (key text, ts bigint, data text) SERVER ltdb;
CREATE TABLE sensor (key text PRIMARY KEY, room int);
CREATE TABLE room (room int PRIMARY KEY, name text);
INSERT INTO sensor SELECT 'sensor ' || s, s % 20 FROM generate_series(1, 200) s;
INSERT INTO room SELECT r, 'room ' || r FROM generate_series(0, 19) r;
INSERT INTO reading SELECT key, s, s FROM sensor, generate_series(1, 50) s;
ANALYZE sensor, room, reading;

-- few keys are left: a request for each; many: all records in one go
SELECT shape('SELECT * FROM reading JOIN sensor USING (key) WHERE sensor.key = ''sensor 7''');
SELECT shape('SELECT * FROM reading JOIN sensor USING (key) WHERE sensor.key IN (''sensor 7'', ''sensor 8'')');
SELECT shape('SELECT * FROM reading JOIN sensor USING (key) JOIN room USING (room) WHERE name = ''room 3''');
SELECT shape('SELECT * FROM reading JOIN sensor USING (key) JOIN room USING (room)');
SELECT shape('SELECT * FROM reading JOIN sensor USING (key) JOIN room USING (room) WHERE name = ''room 3'' AND ts BETWEEN 10 AND 12');
SELECT shape('SELECT count(*) FROM sensor WHERE room = 3 AND EXISTS (SELECT FROM reading WHERE reading.key = sensor.key AND ts = 50)');

-- where requests cost nothing, one for each key is as good as any
ALTER SERVER ltdb OPTIONS (ADD fdw_request_cost '0');
SELECT shape('SELECT * FROM reading JOIN sensor USING (key)');
ALTER SERVER ltdb OPTIONS (SET fdw_request_cost '1000');
SELECT shape('SELECT * FROM reading JOIN sensor USING (key)');
ALTER SERVER ltdb OPTIONS (DROP fdw_request_cost);

-- each price counts for what it is the price of
SELECT cost('SELECT * FROM reading') AS before \gset
ALTER SERVER ltdb OPTIONS (ADD fdw_startup_cost '1100');
SELECT cost('SELECT * FROM reading') - :before AS a_connection;
ALTER SERVER ltdb OPTIONS (DROP fdw_startup_cost);
SELECT cost('SELECT * FROM reading WHERE key = ''sensor 7''') AS before \gset
ALTER SERVER ltdb OPTIONS (ADD fdw_request_cost '102');
SELECT cost('SELECT * FROM reading WHERE key = ''sensor 7''') - :before AS a_request;
ALTER SERVER ltdb OPTIONS (DROP fdw_request_cost);
SELECT cost('SELECT * FROM reading') AS before \gset
ALTER SERVER ltdb OPTIONS (ADD fdw_tuple_cost '1.01');
SELECT round((cost('SELECT * FROM reading') - :before) / estimated_rows('SELECT * FROM reading'), 2) AS a_record;
ALTER SERVER ltdb OPTIONS (DROP fdw_tuple_cost);

-- a collection that was never analyzed: assumptions, or the server's number of keys
CREATE FOREIGN TABLE many (key text, ts bigint, data text) SERVER ltdb;
CREATE TABLE chosen (key text);
INSERT INTO many SELECT 'key ' || k, 1, '' FROM generate_series(1, 2000) k;
INSERT INTO chosen SELECT 'key ' || k FROM generate_series(1, 150) k;
ANALYZE chosen;
SELECT estimated_rows('SELECT * FROM many');
SELECT shape('SELECT * FROM many JOIN chosen USING (key)');
ALTER SERVER ltdb OPTIONS (ADD use_remote_estimate 'true');
SELECT estimated_rows('SELECT * FROM many');
SELECT shape('SELECT * FROM many JOIN chosen USING (key)');
ALTER FOREIGN TABLE many OPTIONS (ADD use_remote_estimate 'false');
SELECT shape('SELECT * FROM many JOIN chosen USING (key)');
ALTER FOREIGN TABLE many OPTIONS (SET use_remote_estimate 'true');
ALTER SERVER ltdb OPTIONS (DROP use_remote_estimate);
SELECT shape('SELECT * FROM many JOIN chosen USING (key)');
SELECT count(*) FROM many JOIN chosen USING (key);

-- only then does planning contact the server
\set VERBOSITY sqlstate
ALTER SERVER ltdb OPTIONS (SET url 'ws://127.0.0.1:1');
SELECT shape('SELECT * FROM reading');
SELECT shape('SELECT * FROM many');
ALTER FOREIGN TABLE many OPTIONS (DROP use_remote_estimate);
SELECT shape('SELECT * FROM many');
\set VERBOSITY default

-- values that are refused
ALTER SERVER ltdb OPTIONS (ADD fdw_startup_cost '-1');
ALTER SERVER ltdb OPTIONS (ADD fdw_request_cost 'much');
ALTER SERVER ltdb OPTIONS (ADD fdw_request_cost '');
ALTER SERVER ltdb OPTIONS (ADD fdw_tuple_cost 'NaN');
ALTER SERVER ltdb OPTIONS (ADD fdw_tuple_cost 'Infinity');
ALTER SERVER ltdb OPTIONS (ADD fdw_tuple_cost '1e400');
ALTER SERVER ltdb OPTIONS (ADD use_remote_estimate 'perhaps');
ALTER FOREIGN TABLE many OPTIONS (ADD fdw_request_cost '1');
DROP TABLE sensor, room, chosen;
DROP FUNCTION shape, cost, estimated_rows, explain_lines;
\set ECHO none
\i sql/include/teardown.psql
