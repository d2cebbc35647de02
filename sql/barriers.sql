\set ECHO none
\i sql/include/setup.psql
\i sql/include/explain.psql
\set ECHO all
-- Security barriers: a function that tells what it sees must not be called
-- with rows that the view hides, wherever its clause is evaluated.
CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection 'c');
INSERT INTO t SELECT k, s, k || s FROM unnest(ARRAY['mine', 'my', 'other', 'secret']) k, generate_series(1, 2) s;
CREATE FUNCTION explain_ltdb(query text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT regexp_replace(ltrim(line), '\$\d+', '$n', 'g') FROM explain_lines('VERBOSE, ANALYZE', query) line WHERE line LIKE '%LTDB%' $$;
CREATE FUNCTION tell(value anyelement) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
  RAISE NOTICE 'told %', value;
  RETURN true;
END $$;
CREATE TABLE owners (owner text, key text);
INSERT INTO owners VALUES ('me', 'mine'), ('me', 'my'), ('you', 'other');
ANALYZE owners;
CREATE VIEW no_barrier AS SELECT * FROM t WHERE key LIKE 'm%';
CREATE VIEW by_key WITH (security_barrier) AS SELECT * FROM t WHERE key = 'my';
CREATE VIEW by_filter WITH (security_barrier) AS SELECT * FROM t WHERE key LIKE 'm%';
CREATE VIEW by_data WITH (security_barrier) AS SELECT * FROM t WHERE data LIKE 'my%';
CREATE VIEW by_ts WITH (security_barrier) AS SELECT * FROM t WHERE ts < 2 AND key <> 'secret';
CREATE VIEW by_join WITH (security_barrier) AS SELECT t.* FROM t JOIN owners USING (key) WHERE owner = 'me';
CREATE VIEW by_exists WITH (security_barrier) AS SELECT * FROM t WHERE EXISTS (SELECT FROM owners o WHERE o.key = t.key AND o.owner = 'me');
CREATE VIEW newest WITH (security_barrier) AS SELECT DISTINCT ON (key) * FROM t WHERE key <> 'secret' ORDER BY key, ts DESC;

-- without a barrier everything may be told: the function is cheap, and stable
ALTER FUNCTION tell STABLE;
SELECT count(*) FROM no_barrier WHERE tell(key);
SELECT count(*) FROM no_barrier WHERE tell(data) AND ts = 1;

-- with one only what the view shows
SELECT count(*) FROM by_key WHERE tell(key);
SELECT count(*) FROM by_key WHERE tell(data) AND ts = 1;
SELECT count(*) FROM by_filter WHERE tell(key);
SELECT count(*) FROM by_filter WHERE tell(key || '?') AND ts = 2;
SELECT count(*) FROM by_data WHERE tell(key);
SELECT count(*) FROM by_data WHERE tell(ts) AND key <> 'x';
SELECT count(*) FROM by_ts WHERE tell(key);
SELECT count(*) FROM by_join WHERE tell(key) AND ts = 1;
SELECT count(*) FROM by_exists WHERE tell(key) AND ts = 1;
SELECT count(*) FROM newest WHERE tell(data);
SELECT x.key FROM owners x JOIN by_filter USING (key) WHERE tell(by_filter.key || x.owner) AND ts = 1 ORDER BY 1;
SELECT x.key FROM owners x JOIN by_data d ON d.key = x.key AND tell(d.data) ORDER BY 1;
SELECT x.key FROM owners x, LATERAL (SELECT * FROM by_filter f WHERE f.key = x.key AND tell(f.key) LIMIT 1) f ORDER BY 1;

-- leakproof conditions are sent all the same, and the function told no more
SELECT explain_ltdb('SELECT * FROM by_filter WHERE key = ''my'' AND ts = 1');
SELECT count(*) FROM by_data WHERE key IN ('my', 'other') AND ts = 1 AND tell(data);
SELECT count(*) FROM by_filter WHERE key = 'secret' AND tell(key);
SELECT key, tell(key) FROM by_filter ORDER BY ts DESC, key LIMIT 1;

-- row security is for tables of PostgreSQL; beside them it holds
\set VERBOSITY sqlstate
ALTER FOREIGN TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (key = 'my');
\set VERBOSITY default
CREATE ROLE regress_ltdb_reader;
GRANT SELECT ON t, owners, by_filter TO regress_ltdb_reader;
CREATE USER MAPPING FOR regress_ltdb_reader SERVER ltdb OPTIONS (api_key :'ltdb_api_key');
ALTER TABLE owners ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON owners USING (owner = 'me');
CREATE FUNCTION visible() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER STABLE AS 'SELECT key FROM owners JOIN t USING (key) WHERE ts = 1 ORDER BY 1';
CREATE FUNCTION visible_to_caller() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT key FROM owners JOIN t USING (key) WHERE ts = 1 ORDER BY 1';
SET ROLE regress_ltdb_reader;
SELECT t.key FROM t JOIN owners o ON o.key = t.key AND t.ts = 1 ORDER BY 1;
SELECT count(*) FROM t JOIN owners o ON o.key = t.key AND tell(o.key) WHERE ts = 1;
SELECT visible();
SELECT visible_to_caller();
SELECT count(*) FROM by_filter WHERE tell(key) AND ts = 1;
RESET ROLE;
REVOKE ALL ON t, owners, by_filter FROM regress_ltdb_reader;
DROP USER MAPPING FOR regress_ltdb_reader SERVER ltdb;
DROP ROLE regress_ltdb_reader;
DROP FUNCTION visible, visible_to_caller, explain_ltdb, explain_lines;
DROP TABLE owners CASCADE;
\set ECHO none
\i sql/include/teardown.psql
DROP FUNCTION tell;
