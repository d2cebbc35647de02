\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Fields of data as columns: option field.
CREATE FOREIGN TABLE raw (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'c');
INSERT INTO raw VALUES
  ('a', 1, '{"t": 20.5, "n": 7, "s": "text", "b": true, "at": "2020-01-01T12:00:00+02:00", "o": {"x": 1, "y": {"z": "deep"}}, "l": [1, null, 3], "m": [{"v": "first"}, {"v": "second"}]}'),
  ('a', 2, '{"t": null, "s": "quote \" \u00e9 \ud83d\ude00 \\ \n", "n": 1e3, "b": false, "at": 1577872800, "l": [], "a.b": "dotted", "t ": 1}'),
  ('a', 3, '{}'), ('a', 4, '[1, 2]'), ('a', 5, '"t"'), ('a', 6, ' { "t" : 1 , "t" : 2 } '),
  ('a', 7, '{"\u0074": -0.0, "n": 7.0, "s": 12, "o": "x", "l": ["4"]}');
CREATE FOREIGN TABLE f (
  key text, ts bigint,
  t float8 OPTIONS (field 't'),
  n int OPTIONS (field 'n'),
  s text OPTIONS (field 's'),
  b bool OPTIONS (field 'b'),
  at timestamptz OPTIONS (field 'at'),
  o jsonb OPTIONS (field 'o'),
  z varchar(10) OPTIONS (field 'o.y.z'),
  l int[] OPTIONS (field 'l'),
  l2 numeric(5, 2) OPTIONS (field 'l[2]'),
  m text OPTIONS (field 'm[1].v'),
  dotted text OPTIONS (field '"a.b"')) SERVER ltdb OPTIONS (collection 'c');
\x on
SELECT * FROM f WHERE ts < 3 ORDER BY ts;
\x off
SELECT ts, t, n, s, o, l FROM f WHERE ts >= 3 ORDER BY ts;
SELECT key, avg(t), count(t), sum(n) FROM f GROUP BY key;
SELECT ts, z FROM f WHERE m = 'second' AND t > 20;

-- only the fields that are read are converted
SELECT count(*) FROM f;
INSERT INTO raw VALUES ('bad', 1, '{"t": "hot", "n": 1.5, "b": 1, "l": 5, "o": 1}'), ('bad', 2, '{"t": 1');
SELECT o FROM f WHERE key = 'bad' AND ts = 1;
SELECT t FROM f WHERE key = 'bad' AND ts = 1;
SELECT n FROM f WHERE key = 'bad' AND ts = 1;
SELECT b FROM f WHERE key = 'bad' AND ts = 1;
SELECT l FROM f WHERE key = 'bad' AND ts = 1;
SELECT t FROM f WHERE key = 'bad' AND ts = 2;
ALTER FOREIGN TABLE f OPTIONS (ADD invalid_json 'null');
SELECT t, o FROM f WHERE key = 'bad' AND ts = 2;

-- writing builds the object
CREATE FOREIGN TABLE w (
  key text, ts timestamptz,
  t float8 OPTIONS (field 't'),
  name text OPTIONS (field 'place.name'),
  height int OPTIONS (field 'place.height'),
  at timestamptz OPTIONS (field 'at'),
  tags text[] OPTIONS (field 'tags'),
  more jsonb OPTIONS (field 'more')) SERVER ltdb OPTIONS (collection 'w');
CREATE FOREIGN TABLE w_raw (key text, ts timestamptz, data text) SERVER ltdb OPTIONS (collection 'w');
INSERT INTO w VALUES ('a', '2020-01-01', 1.5, 'say "é"', 3, '2020-01-01 12:00+00', '{x,"y z",NULL}', '{"k": [1, 2]}') RETURNING *;
INSERT INTO w (key, ts, height) VALUES ('a', '2020-01-02', 4), ('a', '2020-01-03', NULL);
INSERT INTO w (key, ts, t) VALUES ('a', '2020-01-04', 'NaN'), ('a', '2020-01-05', '-infinity');
SELECT * FROM w_raw ORDER BY ts;
SELECT * FROM w ORDER BY ts;
COPY w (key, ts, t, name) FROM stdin;
b	2020-01-01	7	copied
\.
SELECT data FROM w_raw WHERE key = 'b';
CREATE FOREIGN TABLE both_ (key text, ts bigint, data jsonb, t int OPTIONS (field 't')) SERVER ltdb OPTIONS (collection 'both');
INSERT INTO both_ VALUES ('a', 1, '{"u": 1}', NULL), ('a', 2, NULL, 5) RETURNING *;
INSERT INTO both_ VALUES ('a', 3, '{"u": 1}', 5);
DELETE FROM both_ WHERE t = 5 RETURNING *;
SELECT * FROM both_;
CREATE FOREIGN TABLE clash (key text, ts bigint, a int OPTIONS (field 'p'), b int OPTIONS (field 'p.q')) SERVER ltdb;
INSERT INTO clash VALUES ('a', 1, 2, 3);
CREATE FOREIGN TABLE element (key text, ts bigint, a int OPTIONS (field 'p[0]')) SERVER ltdb;
INSERT INTO element VALUES ('a', 1, 2);

-- members that change their places, and names, from one record to the next
CREATE FOREIGN TABLE places_raw (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'places');
CREATE FOREIGN TABLE places (key text, ts bigint,
  n int OPTIONS (field 'n'),
  m int OPTIONS (field 'm'),
  last int OPTIONS (field 'm20'),
  long int OPTIONS (field '"a name of more than thirty-two bytes, a"')) SERVER ltdb OPTIONS (collection 'places');
INSERT INTO places_raw SELECT 'a', row_number() OVER (), data FROM unnest(ARRAY[
  '{"n":1,"m":2}',
  '{"n":3,"m":4}',
  '{"m":5,"n":6}',
  '{"nn":7,"m":8}',
  '{"n":9}',
  '{"n" :10, "m": 11}',
  '{"\u006e":12,"m":13}',
  '{"\u006e":14,"\u006d":15}',
  '{"n":16,"m":17,"n":18}',
  '{"x":{"n":19},"m":20}',
  '{"n":21,"x":{"m":22}}',
  '{"a name of more than thirty-two bytes, a":23}',
  '{"a name of more than thirty-two bytes, b":24}',
  '{"a name of more than thirty-two bytes, a":25}',
  '{' || (SELECT string_agg(format('"m%s":%s', i, i), ',') FROM generate_series(1, 20) i) || '}',
  '{' || (SELECT string_agg(format('"m%s":%s', i, i), ',' ORDER BY i DESC) FROM generate_series(1, 20) i) || '}',
  '{}',
  '{"n":26,"m":27}']) data;
SELECT ts, n, m, last, long FROM places ORDER BY ts;
SELECT count(*) FROM places p JOIN places_raw r USING (key, ts)
  WHERE (p.n, p.m, p.last, p.long) IS DISTINCT FROM
    ((r.data::jsonb->>'n')::int, (r.data::jsonb->>'m')::int, (r.data::jsonb->>'m20')::int,
     (r.data::jsonb->>'a name of more than thirty-two bytes, a')::int);

-- what is refused
CREATE FOREIGN TABLE x (key text, ts bigint, a int OPTIONS (field '')) SERVER ltdb;
CREATE FOREIGN TABLE x (key text, ts bigint, a int OPTIONS (field 'a..b')) SERVER ltdb;
CREATE FOREIGN TABLE x (key text, ts bigint, a int OPTIONS (field 'a[x]')) SERVER ltdb;
CREATE FOREIGN TABLE x (key text, ts bigint, a int OPTIONS (field '"a')) SERVER ltdb;
CREATE FOREIGN TABLE x (key text, ts bigint, a bytea OPTIONS (field 'a')) SERVER ltdb;
CREATE FOREIGN TABLE x (key text, ts bigint, a int OPTIONS (field 'a', column_name 'data')) SERVER ltdb;
\set ECHO none
\i sql/include/teardown.psql
