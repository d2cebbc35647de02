\set ECHO none
\i sql/include/setup.psql
\set ECHO all
-- Numbers in fields of data are what the input functions of their types make
-- of them, bit by bit; most are read without those functions.
CREATE TABLE number (n serial, t text);
INSERT INTO number (t) VALUES ('0'), ('-0'), ('0.0'), ('-0.0'), ('1'), ('-1'), ('32767'), ('32768'), ('-32768'), ('-32769'),
  ('2147483647'), ('2147483648'), ('-2147483648'), ('-2147483649'), ('999999999999999'), ('9999999999999999'),
  ('-9223372036854775808'), ('9223372036854775807'), ('0.1'), ('0.3'), ('123456789012345.6'), ('12345678901234.5'),
  ('0.000000000000001'), ('0.0000000000000001'), ('1e22'), ('1E-5'), ('1.5e3'), ('4.35'), ('9007199254740993'), ('1e308'), ('5e-324');
SELECT setseed(0.5);
INSERT INTO number (t) SELECT round((random() * 2 - 1)::numeric * 10.0 ^ (n % 16), n % 11) FROM generate_series(1, 2000) n;
INSERT INTO number (t) SELECT (random() * 10 ^ (n % 40 - 20))::float8 FROM generate_series(1, 500) n;
CREATE FOREIGN TABLE raw (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'numbers');
INSERT INTO raw SELECT 'k', n, '{"v":' || t || '}' FROM number;
CREATE FOREIGN TABLE f (key text, ts bigint, v float8 OPTIONS (field 'v')) SERVER ltdb OPTIONS (collection 'numbers');
CREATE FOREIGN TABLE i2 (key text, ts bigint, v int2 OPTIONS (field 'v')) SERVER ltdb OPTIONS (collection 'numbers');
CREATE FOREIGN TABLE i4 (key text, ts bigint, v int4 OPTIONS (field 'v')) SERVER ltdb OPTIONS (collection 'numbers');
CREATE FOREIGN TABLE i8 (key text, ts bigint, v int8 OPTIONS (field 'v')) SERVER ltdb OPTIONS (collection 'numbers');
SELECT count(*), count(*) FILTER (WHERE float8send(v) = float8send(t::float8)) AS same FROM f JOIN number ON n = ts;
-- one record at a time, as some cannot be converted
CREATE FUNCTION read_as(tab text, ts bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('SELECT v FROM %I WHERE key = ''k'' AND ts = %s', tab, ts) INTO result;
  RETURN result;
EXCEPTION WHEN numeric_value_out_of_range OR invalid_text_representation THEN
  RETURN sqlstate;
END $$;
CREATE FUNCTION cast_as(type text, t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('SELECT CASE WHEN trunc(%1$L::numeric) = %1$L THEN trunc(%1$L::numeric)::text ELSE %1$L END::%2$s', t, type) INTO result;
  RETURN result;
EXCEPTION WHEN numeric_value_out_of_range OR invalid_text_representation THEN
  RETURN sqlstate;
END $$;
SELECT tab, t, read_as(tab, n), cast_as(type, t) FROM number, (VALUES ('i2', 'int2'), ('i4', 'int4'), ('i8', 'int8')) x (tab, type)
WHERE (n < 32 OR n % 10 = 1) AND read_as(tab, n) IS DISTINCT FROM cast_as(type, t);
DROP FUNCTION read_as, cast_as;
DROP TABLE number;
\set ECHO none
\i sql/include/teardown.psql
