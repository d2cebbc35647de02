--
-- weather.sql
--		Map an LTDB collection as a table and fill it with weather.csv: the
--		daily weather of Seattle and New York, 2012 to 2015.
--
-- Run it with psql in this directory.  LTDB_URL and LTDB_API_KEY in the
-- environment say which LTDB.  It can be run again: LTDB replaces a record
-- that has the same key and ts.
--
\set ON_ERROR_STOP on
\set url `echo "${LTDB_URL:-ws://127.0.0.1:8080}"`
\set api_key `echo "$LTDB_API_KEY"`

SET client_min_messages = warning;

-- The server, and who we are there.
CREATE EXTENSION IF NOT EXISTS ltdb_fdw;
CREATE SERVER IF NOT EXISTS ltdb FOREIGN DATA WRAPPER ltdb_fdw
	OPTIONS (url :'url');
ALTER SERVER ltdb OPTIONS (SET url :'url');
CREATE USER MAPPING IF NOT EXISTS FOR CURRENT_USER SERVER ltdb
	OPTIONS (api_key :'api_key');
ALTER USER MAPPING FOR CURRENT_USER SERVER ltdb
	OPTIONS (SET api_key :'api_key');

-- A collection is a table; without the option it is the one of the same name.
CREATE FOREIGN TABLE IF NOT EXISTS weather (
	key text NOT NULL,
	ts timestamptz NOT NULL,
	data jsonb
) SERVER ltdb OPTIONS (collection 'weather');

-- A day of the file becomes a record at midnight UTC.
CREATE TEMPORARY TABLE weather_csv (
	location text,
	date date,
	precipitation numeric,
	temp_max numeric,
	temp_min numeric,
	wind numeric,
	weather text
);
\copy weather_csv FROM 'weather.csv' (FORMAT csv, HEADER)

INSERT INTO weather (key, ts, data)
SELECT location,
	   date::timestamp AT TIME ZONE 'UTC',
	   jsonb_build_object('precipitation', precipitation,
						  'temp_max', temp_max,
						  'temp_min', temp_min,
						  'wind', wind,
						  'weather', weather)
FROM weather_csv;

-- A local table to join with.  Populations are those of the 2020 census.
CREATE TABLE IF NOT EXISTS city (
	key text PRIMARY KEY,
	name text NOT NULL,
	state text NOT NULL,
	latitude numeric NOT NULL,
	longitude numeric NOT NULL,
	population integer NOT NULL
);
INSERT INTO city VALUES
	('Seattle', 'Seattle', 'Washington', 47.61, -122.33, 737015),
	('New York', 'New York City', 'New York', 40.71, -74.01, 8804190)
ON CONFLICT DO NOTHING;
