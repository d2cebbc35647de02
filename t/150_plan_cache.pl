# 150_plan_cache.pl
#	Plans that are kept, and cursors: what is asked for follows the parameters,
#	and rows can be read again and backwards.
#
# That a plan follows the role is 130_users.pl's subject.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbSession;
use LtdbTest;
use Test::More;

my $RECORDS = 5000;

my $ltdb = LtdbTest->new;
my $node = start_node();
my $session = LtdbSession->new($node);

create_server($session, 'ltdb', $ltdb, q(fetch_size '1000'));
$session->query(
	"CREATE FOREIGN TABLE metrics (key text, ts bigint, data text) SERVER ltdb;
	 CREATE FOREIGN TABLE moments (key text, ts timestamptz, data text) SERVER ltdb OPTIONS (collection 'metrics');
	 INSERT INTO metrics SELECT k, n, k || n FROM generate_series(1, $RECORDS) n, unnest('{a,b,c}'::text[]) k;
	 INSERT INTO moments SELECT 'now', date_trunc('second', now()) - n * interval '1 hour', n::text
		FROM generate_series(1, 48) n");

# ---- a generic plan ----

$session->query(
	'PREPARE p(text, bigint, bigint) AS
		SELECT count(*), min(data), max(ts) FROM metrics WHERE key = $1 AND ts BETWEEN $2 AND $3');
for my $n (1 .. 10)
{
	my ($key, $from, $to) = (substr('abc', $n % 3, 1), 10 * $n, 10 * $n + $n);
	is($session->query("EXECUTE p('$key', $from, $to)"), ($n + 1) . "|$key$from|$to",
		"EXECUTE number $n returns the rows of its parameters");
}
is($session->query("SELECT generic_plans > 0, custom_plans FROM pg_prepared_statements WHERE name = 'p'"),
	't|5', 'the plan is generic');
my $plan = $session->query("EXPLAIN (VERBOSE, COSTS OFF) EXECUTE p('a', 1, 2)");
like($plan, qr/LTDB Request: .*"key": \$1, "from": >= \$2, "to": <= \$3,/, 'it sends key and bounds');
unlike($plan, qr/Filter:/, '... and leaves nothing to filter here');
is($session->query("EXECUTE p(NULL, 1, 2)"), '0||', 'a parameter that is NULL finds nothing');
is($session->query("EXECUTE p('a', NULL, 2)"), '0||', '... as a bound');
is($session->query("EXECUTE p('a', 5, 3)"), '0||', 'bounds that contradict find nothing');
is($session->query("EXECUTE p('none', 1, 5)"), '0||', 'nor does an unknown key');
is($session->query("EXECUTE p('b', 1, 5)"), '5|b1|5', 'and then the plan works as before');

$session->query('SET plan_cache_mode = force_generic_plan');
$session->query('PREPARE any_of(text[], bigint[]) AS
	SELECT count(*), sum(ts) FROM metrics WHERE key = ANY ($1) AND ts = ANY ($2)');
is($session->query("EXECUTE any_of('{a,c,none}', '{1,3,100000}')"), '4|8', 'arrays as parameters');
is($session->query("EXECUTE any_of('{b,b,b}', '{7,NULL}')"), '1|7', '... others the next time');
is($session->query("EXECUTE any_of('{}', '{1}')"), '0|', '... or empty');

# What is stable is computed at each execution, not when planning.
$session->query(
	"PREPARE recent(interval) AS SELECT count(*) FROM moments WHERE key = 'now' AND ts > now() - \$1");
is($session->query("EXECUTE recent('90 minutes')"), '1', 'now() in a generic plan');
is($session->query("EXECUTE recent('1 day 30 minutes')"), '24', '... with another interval');
is($session->query(
	q{CREATE FUNCTION pg_temp.many() RETURNS text LANGUAGE plpgsql AS $$
	  DECLARE found text := ''; k text; n bigint;
	  BEGIN
		FOR i IN 1..9 LOOP
			k := substr('abc', i % 3 + 1, 1);
			SELECT count(*) INTO n FROM metrics WHERE key = k AND ts <= i;
			found := found || k || n;
		END LOOP;
		RETURN found;
	  END $$;
	  SELECT pg_temp.many()}),
	'b1c2a3b4c5a6b7c8a9', 'a PL/pgSQL function with variables');

# ---- a plan that has become wrong ----

$session->query('PREPARE all_of AS SELECT key, ts, data FROM metrics WHERE ts = 1 ORDER BY key');
is($session->query('EXECUTE all_of'), "a|1|a1\nb|1|b1\nc|1|c1", 'a prepared statement');
$session->query("ALTER FOREIGN TABLE metrics OPTIONS (ADD collection 'other')");
is($session->query('EXECUTE all_of'), '', '... follows ALTER FOREIGN TABLE');
$session->query("ALTER FOREIGN TABLE metrics OPTIONS (DROP collection)");
is($session->query('EXECUTE all_of'), "a|1|a1\nb|1|b1\nc|1|c1", '... and back');
my $other = LtdbTest->new;
$session->query("ALTER SERVER ltdb OPTIONS (SET url '" . $other->url . "')");
is($session->query('EXECUTE all_of'), '', '... and ALTER SERVER');
$session->query("ALTER SERVER ltdb OPTIONS (SET url '" . $ltdb->url . "')");
is($session->query('EXECUTE all_of'), "a|1|a1\nb|1|b1\nc|1|c1", '... and back again');
$session->query('RESET plan_cache_mode');

# ---- cursors ----

sub numbers
{
	return join "\n", @_;
}

my $scan = "SELECT ts FROM metrics WHERE key = 'a'";
$session->query("BEGIN; DECLARE c SCROLL CURSOR FOR $scan");
is($session->query('FETCH 3 FROM c'), numbers(1 .. 3), 'a SCROLL cursor');
is($session->query('FETCH BACKWARD 2 FROM c'), numbers(2, 1), '... backwards');
is($session->query('FETCH LAST FROM c'), $RECORDS, '... to the last row');
is($session->query('FETCH PRIOR FROM c; FETCH ABSOLUTE 1500 FROM c; FETCH RELATIVE -400 FROM c'),
	numbers($RECORDS - 1, 1500, 1100), '... anywhere');
is($session->query('FETCH FIRST FROM c; MOVE ALL IN c; FETCH BACKWARD ALL FROM c'),
	numbers(1, reverse 1 .. $RECORDS), '... and all the way back');
is($session->query('COMMIT; BEGIN; SELECT 1; COMMIT'), '1', '... to its end');

$session->query("BEGIN; DECLARE c NO SCROLL CURSOR FOR $scan; FETCH 10 FROM c");
like($session->error('FETCH BACKWARD 1 FROM c'), qr/ERROR:  55000: /, 'NO SCROLL has no way back');
$session->query('ROLLBACK');

$session->query("BEGIN; DECLARE h SCROLL CURSOR WITH HOLD FOR $scan; FETCH 1200 FROM h; COMMIT");
$ltdb->kill;
is($session->query('FETCH ALL FROM h'), numbers(1201 .. $RECORDS), 'a holdable cursor outlives its transaction');
is($session->query('MOVE BACKWARD ALL IN h; FETCH 2 FROM h; CLOSE h'), numbers(1, 2), '... and needs no server then');
$ltdb->start;
like($session->error('FETCH FROM h'), qr/ERROR:  34000: /, '... until it is closed');

$session->quit;
$node->stop;
done_testing();
