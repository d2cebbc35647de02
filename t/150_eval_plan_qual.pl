# 150_eval_plan_qual.pl
#	Rows that change while a statement waits for their lock, joined with foreign
#	rows: PostgreSQL then takes the new version and rechecks the join
#	(EvalPlanQual), for which nothing is read again.  What had been LTDB's to
#	answer has to be checked by the scan: key, ts, key filters.
#
# Each statement runs on the foreign table and on a local one with the same
# rows, as an inner side that is searched for each outer row and as one that is
# read as a whole, and the results have to be the same.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbSession;
use LtdbTest;
use Test::More;
use Time::HiRes qw(sleep);

my $ltdb = LtdbTest->new;
my $node = start_node();
my $writer = LtdbSession->new($node);
my $waiter = LtdbSession->new($node);
my $backend = $waiter->backend;

create_server($writer, 'ltdb', $ltdb);
$writer->query(
	q{CREATE FOREIGN TABLE f (key text, gone text OPTIONS (column_name 'data'), ts bigint, n int OPTIONS (field 'n')) SERVER ltdb OPTIONS (collection 'c');
	  INSERT INTO f (key, ts, n) SELECT k, s, s * 10 FROM unnest(ARRAY['a', 'ab', 'b', 'c']) k, generate_series(1, 3) s;
	  ALTER FOREIGN TABLE f DROP COLUMN gone, ADD COLUMN data text;
	  CREATE TABLE l AS SELECT * FROM f;
	  CREATE TABLE f_parent (data text, ts bigint, n int, key text);
	  CREATE TABLE l_parent (LIKE f_parent);
	  CREATE FOREIGN TABLE f_child (data text, ts bigint, n int OPTIONS (field 'n'), key text) INHERITS (f_parent) SERVER ltdb OPTIONS (collection 'c');
	  CREATE TABLE l_child () INHERITS (l_parent);
	  INSERT INTO l_child SELECT data, ts, n, key FROM l;
	  CREATE INDEX ON l (key, ts);
	  CREATE INDEX ON l_child (key, ts);
	  ANALYZE;
	  CREATE TABLE o (id int PRIMARY KEY, key text, keys text[], lo bigint, hi bigint, v int)});

# How the inner side of a join is read.
my %plans = (
	'for each outer row' => 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off',
	'as a whole' => 'SET enable_nestloop = off; SET enable_hashjoin = on; SET enable_mergejoin = on');

# One statement on TABLE, which waits until UPDATE of a row it wants is committed.
sub race
{
	my ($plan, $table, $update, $statement) = @_;

	$statement =~ s/TABLE/$table/g;
	$writer->query(q{TRUNCATE o; INSERT INTO o VALUES (1, 'a', '{a,c}', 1, 2, 5), (2, 'b', '{b}', 2, 3, 6); ANALYZE o});
	$waiter->query("RESET ALL; $plans{$plan}");
	$writer->query("BEGIN; UPDATE o SET $update WHERE id = 1");
	$waiter->start($statement);
	for (1 .. 500)
	{
		last if $writer->query("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $backend") eq 'Lock';
		sleep(0.01);
	}
	is($writer->query("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $backend"), 'Lock',
		"$table waits");
	$writer->query('COMMIT');
	my ($out, $err) = $waiter->finish;
	return "$out$err";
}

sub compare
{
	my ($name, $update, $statement, $expected) = @_;

	for my $plan (sort keys %plans)
	{
		my $local = race($plan, 'l', $update, $statement);

		is(race($plan, 'f', $update, $statement), $local, "$name, $plan: as with a local table");
		is($local, $expected, '... which is what we think it is');
	}
	return;
}

# ---- what is searched for each outer row ----

like($waiter->query("$plans{'for each outer row'}; EXPLAIN (VERBOSE) SELECT * FROM o JOIN f ON f.key = o.key AND f.ts <= o.hi AND f.key LIKE o.keys[1] || '%'"),
	qr/"key": \$\d+, "from": -?\d+, "to": <= \$\d+.*LTDB Key Filter: \(key ~~/s, 'the join is the scan\'s to check');

compare('another key', "key = 'c'",
	'SELECT o.id, o.key, t.key, t.ts FROM o JOIN TABLE t ON t.key = o.key ORDER BY 1, 4 FOR UPDATE OF o',
	"2|b|b|1\n2|b|b|2\n2|b|b|3");
compare('the same key', 'v = 50',
	'SELECT o.id, o.v, t.key, t.ts FROM o JOIN TABLE t ON t.key = o.key AND t.ts < 3 ORDER BY 1, 4 FOR UPDATE OF o',
	"1|50|a|1\n1|50|a|2\n2|6|b|1\n2|6|b|2");
compare('another bound', 'hi = 1',
	'SELECT o.id, o.hi, t.ts FROM o JOIN TABLE t ON t.key = o.key AND t.ts BETWEEN o.lo AND o.hi ORDER BY 1, 3 FOR UPDATE OF o',
	"1|1|1\n2|3|2\n2|3|3");
compare('one of two intervals', 'lo = 3, hi = 1',
	'SELECT o.id, t.ts FROM o JOIN TABLE t ON t.key = o.key AND (t.ts < o.hi OR t.ts = o.lo OR t.ts > 9) ORDER BY 1, 2 FOR UPDATE OF o',
	"2|1\n2|2");
compare('another array', "keys = '{c,x}'",
	'SELECT o.id, t.key FROM o JOIN TABLE t ON t.key = ANY (o.keys) AND t.ts = 1 ORDER BY 1, 2 FOR UPDATE OF o',
	"1|c\n2|b");
compare('another key filter', "key = 'ab'",
	q{SELECT o.id, t.key FROM o JOIN TABLE t ON t.ts = o.lo AND t.key LIKE o.key || '%' ORDER BY 1, 2 FOR UPDATE OF o},
	"1|ab\n2|b");
compare('a NULL', 'key = NULL',
	'SELECT o.id, t.ts FROM o JOIN TABLE t ON t.key = o.key AND t.ts = 1 FOR UPDATE OF o', '2|1');
compare('a condition on a field', 'v = 20',
	'SELECT o.id, t.n FROM o JOIN TABLE t ON t.key = o.key AND t.n > o.v ORDER BY 1, 2 FOR UPDATE OF o',
	"1|30\n2|10\n2|20\n2|30");

# ---- other joins ----

compare('an outer join', "key = 'c'",
	'SELECT o.id, o.key, t.key, t.ts FROM o LEFT JOIN TABLE t ON t.key = o.key AND t.ts = 1 ORDER BY 1 FOR UPDATE OF o',
	"1|c||\n2|b|b|1");
compare('a semijoin', "key = 'none'",
	'SELECT o.id FROM o WHERE EXISTS (SELECT FROM TABLE t WHERE t.key = o.key AND t.ts > o.lo) FOR UPDATE', '2');
compare('an antijoin', 'lo = 0',
	'SELECT o.id, o.lo FROM o WHERE NOT EXISTS (SELECT FROM TABLE t WHERE t.key = o.key AND t.ts > o.lo + 2) ORDER BY id FOR UPDATE', "1|0\n2|2");
compare('two of them', "key = 'b', lo = 2",
	'SELECT o.id, x.ts, y.ts FROM o JOIN TABLE x ON x.key = o.key JOIN TABLE y ON y.key = o.key AND y.ts = o.lo + 1 WHERE x.ts = 2 FOR UPDATE OF o', '2|2|3');
compare('a table below another', "key = 'c'",
	'SELECT o.id, p.key, p.ts FROM o JOIN TABLE_parent p ON p.key = o.key AND p.ts <= o.lo ORDER BY 1, 3 FOR UPDATE OF o',
	"2|b|1\n2|b|2");

# ---- scans that begin anew, within the recheck ----

compare('a subplan', "key = 'c', lo = 3",
	'SELECT o.id, (SELECT sum(t.n) FROM TABLE t WHERE t.key = o.key AND t.ts >= o.lo) FROM o WHERE o.v < (SELECT sum(t.n) FROM TABLE t WHERE t.key = o.key) ORDER BY 1 FOR UPDATE',
	"1|30\n2|50");
compare('a subplan with a limit', 'lo = 3',
	'SELECT o.id FROM o WHERE (SELECT t.n FROM TABLE t WHERE t.key = o.key AND t.ts <= o.lo ORDER BY t.ts DESC LIMIT 1) < 30 ORDER BY 1 FOR UPDATE', '2');
compare('an initplan', "key = 'c'",
	'SELECT o.id, o.key FROM o WHERE o.key <= (SELECT max(t.key) FROM TABLE t WHERE t.ts = 1) ORDER BY 1 FOR UPDATE', "1|c\n2|b");
compare('a limit for each outer row', 'v = 7',
	'SELECT o.id, o.v, x.ts FROM o, LATERAL (SELECT t.ts FROM TABLE t WHERE t.key = o.key ORDER BY t.ts DESC LIMIT 1) x ORDER BY 1 FOR UPDATE OF o',
	"1|7|3\n2|6|3");
compare('the newest of each key', "key = 'c'",
	'SELECT o.id, x.key, x.ts FROM o JOIN (SELECT DISTINCT ON (key) key, ts FROM TABLE t WHERE ts < 3 ORDER BY key, ts DESC) x USING (key) ORDER BY 1 FOR UPDATE OF o',
	'2|b|2');

# ---- rows as a whole, writes, and locks on foreign rows ----

compare('rows as a whole', 'lo = 2',
	'SELECT o, r FROM o JOIN TABLE r ON r.key = o.key AND r.ts = o.hi AND r.ts >= o.lo ORDER BY o.id FOR UPDATE OF o',
	qq{(1,a,"{a,c}",2,2,5)|(a,2,20,"{""n"": 20}")\n(2,b,{b},2,3,6)|(b,3,30,"{""n"": 30}")});
compare('an UPDATE', "key = 'ab', v = 50",
	'UPDATE o SET v = o.v + t.n FROM TABLE t WHERE t.ts = o.lo AND t.key = ANY (ARRAY[o.key]) RETURNING o.id, o.v, t.key', '2|26|b');
compare('an UPDATE that goes on', 'v = 50',
	'WITH u AS (UPDATE o SET v = o.v + t.n FROM TABLE t WHERE t.key = o.key AND t.ts = o.lo RETURNING o.id, o.v, t.key) SELECT * FROM u ORDER BY 1',
	"1|60|a\n2|26|b");
compare('a DELETE', 'lo = 9',
	'DELETE FROM o USING TABLE t WHERE t.key = o.key AND t.ts = o.lo RETURNING o.id, t.data', '2|{"n": 20}');
compare('all rows locked', "key = 'c'",
	'SELECT o.id, t.ts FROM o JOIN TABLE t ON t.key = o.key AND t.ts = 1 FOR UPDATE', '2|1');

$_->quit for $writer, $waiter;
$node->stop;
done_testing();
