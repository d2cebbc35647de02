\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Joins of a foreign table with local ones, on real data.
CREATE FOREIGN TABLE weather (key text NOT NULL, ts timestamptz NOT NULL, data jsonb) SERVER ltdb;
CREATE TABLE csv (location text, date date, precipitation float8, temp_max float8, temp_min float8, wind float8, weather text);
\copy csv FROM 'examples/weather.csv' (FORMAT csv, HEADER)
INSERT INTO weather SELECT location, date, to_jsonb(c) - 'location' - 'date' FROM csv c;
ANALYZE csv;
CREATE TABLE city (key text PRIMARY KEY, state text);
INSERT INTO city VALUES ('Seattle', 'WA'), ('New York', 'NY'), ('Atlantis', NULL);

SELECT count(*), count(DISTINCT key), min(ts), max(ts) FROM weather;
SELECT count(*) FROM weather w FULL JOIN csv c ON w.key = c.location AND w.ts = c.date
WHERE w.key IS NULL OR c.location IS NULL OR (w.data ->> 'temp_max')::float8 <> c.temp_max;
SELECT c.state, date_part('year', w.ts) AS year, count(*), round(avg((w.data ->> 'temp_max')::numeric), 2) AS temp_max
FROM weather w JOIN city c USING (key) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT c.key, count(w.ts) FROM city c LEFT JOIN weather w ON w.key = c.key AND w.ts >= '2015-12-30' GROUP BY 1 ORDER BY 1;
SELECT key, ts, data ->> 'weather' AS weather FROM weather
WHERE ts BETWEEN '2012-12-24' AND '2012-12-26' ORDER BY key, ts;
SELECT DISTINCT ON (key) key, ts, data ->> 'temp_max' AS temp_max FROM weather ORDER BY key, ts DESC;
SELECT key, state FROM city c WHERE EXISTS (SELECT FROM weather w WHERE w.key = c.key AND (w.data ->> 'temp_max')::numeric > 37) ORDER BY 1;
SELECT key FROM city c WHERE NOT EXISTS (SELECT FROM weather w WHERE w.key = c.key) ORDER BY 1;
SELECT a.ts, a.data ->> 'temp_max' AS seattle, b.data ->> 'temp_max' AS new_york
FROM weather a JOIN weather b USING (ts) WHERE a.key = 'Seattle' AND b.key = 'New York'
AND a.ts >= '2015-07-01' AND a.ts < '2015-07-04' ORDER BY 1;
SELECT key, ts, lag(data ->> 'wind') OVER (PARTITION BY key ORDER BY ts) AS wind_before
FROM weather WHERE ts < '2012-01-03' ORDER BY key, ts;
SELECT w.key, w.ts FROM weather w JOIN city c USING (key) WHERE w.ts = '2013-03-01' ORDER BY 1 FOR UPDATE OF c;
SELECT key, ts FROM weather WHERE ts = '2013-03-01' ORDER BY key FOR UPDATE;
DROP TABLE csv, city;
\set ECHO none
\i sql/include/teardown.psql
