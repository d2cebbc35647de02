--
-- queries.sql
--		A handful of telling queries on what weather.sql has set up.
--
-- Plain SQL to be run one by one or all at once, with TimeZone UTC.  The
-- demonstration runs it paragraph by paragraph, and shows the plans.
--

-- Three days of one city: the key and the interval are sent to LTDB.
SELECT ts::date AS day, data->>'weather' AS weather,
	   data->>'temp_min' AS low, data->>'temp_max' AS high
FROM weather
WHERE key = 'Seattle' AND ts BETWEEN '2015-07-03' AND '2015-07-05'
ORDER BY ts;

-- The newest three days of one city.
SELECT ts::date AS day, data->>'weather' AS weather
FROM weather
WHERE key = 'New York'
ORDER BY ts DESC
LIMIT 3;

-- A year of every city, joined with a local table.
SELECT c.name, c.state,
	   count(*) AS days,
	   count(*) FILTER (WHERE w.data->>'weather' = 'rain') AS rainy,
	   max((w.data->>'temp_max')::numeric) AS hottest
FROM city c JOIN weather w ON w.key = c.key
WHERE w.ts >= '2015-01-01' AND w.ts < '2016-01-01'
GROUP BY c.name, c.state
ORDER BY c.name;

-- The latest record of each city: one request, whatever the number of records.
SELECT c.name, l.ts::date AS day, l.data::jsonb->>'weather' AS weather
FROM ltdb_latest('ltdb', 'weather') l JOIN city c ON c.key = l.key
ORDER BY c.name;

-- The same collection once more, with members of data as columns.
CREATE FOREIGN TABLE IF NOT EXISTS daily (
	key text NOT NULL,
	ts timestamptz NOT NULL,
	weather text OPTIONS (field 'weather'),
	low numeric OPTIONS (field 'temp_min'),
	high numeric OPTIONS (field 'temp_max'),
	precipitation numeric OPTIONS (field 'precipitation')
) SERVER ltdb OPTIONS (collection 'weather');

-- Columns have types, so that one can calculate with them.
SELECT extract(month FROM ts) AS month, round(avg(high), 1) AS high, sum(precipitation) AS mm
FROM daily
WHERE key = 'Seattle' AND ts >= '2015-06-01' AND ts < '2015-09-01'
GROUP BY month
ORDER BY month;

-- Write a record: LTDB keeps whole seconds, and RETURNING shows what it kept.
INSERT INTO weather (key, ts, data)
VALUES ('Seattle', '2016-01-01 06:30:00.7', '{"weather": "fog", "wind": 2.1}')
RETURNING key, ts, data;

-- Change it: the members of data without a column stay as they are.
UPDATE daily SET high = 5.6
WHERE key = 'Seattle' AND ts >= '2016-01-01'
RETURNING key, ts, weather, high;

-- A transaction sees its own writes; LTDB gets them at COMMIT, and never after
-- ROLLBACK.
BEGIN;
UPDATE daily SET weather = 'snow', high = -1 WHERE key = 'Seattle' AND ts >= '2016-01-01';
SELECT ts, data FROM weather WHERE key = 'Seattle' AND ts >= '2016-01-01';
ROLLBACK;
SELECT ts, data FROM weather WHERE key = 'Seattle' AND ts >= '2016-01-01';

-- And delete it.
DELETE FROM weather
WHERE key = 'Seattle' AND ts >= '2016-01-01'
RETURNING key, ts, data;

-- Beside its records a collection has key-value pairs.
SELECT ltdb_kv_set('ltdb', 'weather', 'units', 'mm, degrees Celsius, m/s');

-- All pairs of a collection.
SELECT key, value FROM ltdb_kv_all('ltdb', 'weather') ORDER BY key;
