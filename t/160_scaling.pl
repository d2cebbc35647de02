# 160_scaling.pl
#	A table hash-partitioned by key over three servers: what is pruned, routed
#	and read at once, and what happens when one of the servers does not answer,
#	is killed, or comes back.
#
# What an Append over several tables of one server returns is sql/async.sql's
# subject; doc/scaling.md is the text to this test.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbSession;
use LtdbTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $KEYS = 60;
my $STEPS = 500;
my $ROWS = $KEYS * $STEPS;

my @ltdb = map { LtdbTest->new(durable => 1) } 0 .. 2;
my $node = start_node();
my $session = LtdbSession->new($node);
my $observer = LtdbSession->new($node);

# Small pages, so that every scan is in the middle of many requests.
create_server($session, "ltdb$_", $ltdb[$_], q(fetch_size '100')) for 0 .. 2;
$session->query(
	'CREATE TABLE metrics (key text NOT NULL, ts bigint NOT NULL, data text) PARTITION BY HASH (key);
	 CREATE TABLE model (key text, ts bigint, data text, PRIMARY KEY (key, ts))');
$session->query("CREATE FOREIGN TABLE metrics_$_ PARTITION OF metrics
	FOR VALUES WITH (MODULUS 3, REMAINDER $_) SERVER ltdb$_ OPTIONS (collection 'metrics')")
  for 0 .. 2;
$session->query(
	"INSERT INTO model SELECT 'key ' || k, s, 'value ' || k * s
		FROM generate_series(1, $KEYS) k, generate_series(1, $STEPS) s");
$session->backend;

# The rows on which the partitioned table and the model differ.
my $differences = q(
	SELECT count(*) FROM ((TABLE metrics EXCEPT ALL TABLE model)
		UNION ALL (TABLE model EXCEPT ALL TABLE metrics)) d);

sub alter_servers
{
	my ($options) = @_;

	$session->query("ALTER SERVER ltdb$_ OPTIONS ($options)") for 0 .. 2;
	return;
}

# A key that a partition holds.
my @key = map { $session->query(
	"SELECT min(key) FROM model WHERE satisfies_hash_partition('metrics'::regclass, 3, $_, key)") } 0 .. 2;

# ---- routing ----

my $file = $node->basedir . '/rows';
$session->query("COPY model TO '$file'; COPY metrics FROM '$file'");
is($session->query($differences), '0', 'COPY brings every row to a partition');
my @counts;
for my $i (0 .. 2)
{
	my $where = "satisfies_hash_partition('metrics'::regclass, 3, $i, key)";

	push @counts, $session->query("SELECT count(*) FROM metrics_$i");
	cmp_ok($counts[$i], '>', 0, "server $i has some");
	is($session->query("SELECT count(*) FROM metrics_$i WHERE NOT $where"), '0', '... and only its own');
}
is($counts[0] + $counts[1] + $counts[2], $ROWS, 'no row is on two servers');
$session->query("INSERT INTO metrics VALUES ('$key[0]', 1000, 'a'), ('$key[1]', 1000, 'b'), ('$key[2]', 1000, 'c')");
is($session->query('SELECT data FROM metrics WHERE ts = 1000 ORDER BY 1'), "a\nb\nc", 'INSERT into all three');
$session->query("DELETE FROM metrics WHERE ts = 1000 AND key = '$key[1]'");
is($session->query('SELECT data FROM metrics WHERE ts = 1000 ORDER BY 1'), "a\nc", 'DELETE of a key');
$session->query('DELETE FROM metrics WHERE ts = 1000');
is($session->query($differences), '0', 'DELETE from all three');

# ---- plans ----

sub plan_of
{
	my ($sql) = @_;

	return $session->query("EXPLAIN (VERBOSE, COSTS OFF) $sql");
}

sub occurrences
{
	my ($text, $pattern) = @_;
	my $count = () = $text =~ /$pattern/g;

	return $count;
}

is(occurrences(plan_of('SELECT * FROM metrics'), qr/Async Foreign Scan on public\.metrics_/), 3,
	'three servers are asked at once');
for my $i (0 .. 2)
{
	my $plan = plan_of("SELECT * FROM metrics WHERE key = '$key[$i]'");

	is(occurrences($plan, qr/Foreign Scan/), 1, "a key is looked for on one server");
	like($plan, qr/Foreign Scan on public\.metrics_$i /, '... the right one');
}
is(occurrences(plan_of("SELECT * FROM metrics WHERE key IN ('$key[0]', '$key[2]')"), qr/Async Foreign Scan/),
	2, 'two keys on two servers');

# The newest of each key takes one request to each server.
my $latest = 'SELECT DISTINCT ON (key) key, ts, data FROM metrics ORDER BY key, ts DESC';
my $analyzed = $session->query("EXPLAIN (VERBOSE, ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) $latest");
is(occurrences($analyzed, qr/LTDB Requests: 1\n/), 3, 'the newest of each key: one request a server');
is(occurrences($analyzed, qr/LTDB Request: query \{/), 3, '... which is a query');
is($session->query("SELECT count(*) FROM (($latest) EXCEPT ALL
	(SELECT DISTINCT ON (key) * FROM model ORDER BY key, ts DESC)) d"), '0', '... with the right rows');
is($session->query("SELECT count(*) FROM ($latest) l"), $KEYS, '... and all of them');

# ---- one connection a server ----

is(join(' ', map { $_->connections->{opened} } @ltdb), '1 1 1', 'all of that took one connection a server');
$session->query("CREATE TABLE shared (key text, ts bigint, data text) PARTITION BY HASH (key)");
$session->query("CREATE FOREIGN TABLE shared_$_ PARTITION OF shared
	FOR VALUES WITH (MODULUS 6, REMAINDER $_) SERVER ltdb" . $_ % 3) for 0 .. 5;
$session->query('INSERT INTO shared SELECT * FROM model');
is($session->query("SELECT count(*), sum(ts) FROM shared"),
	$session->query('SELECT count(*), sum(ts) FROM model'), 'two partitions on each server');
is($session->query('SELECT count(*) FROM (TABLE shared UNION ALL TABLE metrics UNION ALL TABLE model) u'),
	3 * $ROWS, 'nine partitions and a local table');
is(join(' ', map { $_->connections->{opened} } @ltdb), '1 1 1', 'they share the connections');

# ---- what is left over ----

# Queries that end early leave answers on their way.
for (1 .. 5)
{
	is($session->query('SELECT count(*) FROM (SELECT * FROM metrics LIMIT 10) l'), '10', 'LIMIT');
	is($session->query("SELECT count(*) FROM metrics WHERE key = '$key[$_ % 3]'"), $STEPS, '... harms no other query');
	like($session->error("SELECT 1 / (ts - $_ * 50) FROM metrics"), qr/ERROR:  22012: /, 'an error in a scan');
	is($session->query($differences), '0', '... harms none either');
}
$session->query('BEGIN');
for (1 .. 3)
{
	$session->query('SAVEPOINT s');
	like($session->error('SELECT 1 / (ts - 7) FROM metrics'), qr/ERROR:  22012: /, 'an error in a subtransaction');
	$session->query('ROLLBACK TO s');
	is($session->query($differences), '0', '... harms no other query');
}
$session->query('COMMIT');

# A filter that reads from the server that others wait for.
is($session->query(
	"SELECT count(*) FROM metrics m WHERE ts < 20 AND
		(SELECT count(*) FROM metrics_0 o WHERE o.key = '$key[0]' AND o.ts = m.ts) = 1"),
	19 * $KEYS, 'a filter with a query of its own');

# ---- a server that does not answer ----

for my $i (0 .. 2)
{
	$ltdb[$i]->pause;
	$session->start($differences);
	sleep(0.3);
	$ltdb[$i]->resume;
	is_deeply([ $session->finish ], [ '0', '' ], "a scan waits for server $i");
}

# How many rows can be read while a server stops; the first comes at once.
sub readable_rows
{
	my ($reader, $stopped) = @_;

	$ltdb[$stopped]->pause;
	$reader->query('BEGIN; DECLARE c CURSOR FOR SELECT * FROM metrics');
	my $read = $reader->query('FETCH ' . ($ROWS - $counts[$stopped]) . ' FROM c');
	$ltdb[$stopped]->resume;
	my $rest = $reader->query('FETCH ALL FROM c; COMMIT');
	return (occurrences($read, qr/^/m), occurrences($rest, qr/^/m), $read . "\n" . $rest);
}

for my $i (0 .. 2)
{
	my ($before, $after, $rows) = readable_rows($session, $i);
	my %distinct = map { $_ => 1 } split /\n/, $rows;

	is($before, $ROWS - $counts[$i], "the rows of others can be read while server $i stops");
	is($after, $counts[$i], '... and its own when it goes on');
	is(scalar(keys %distinct), $ROWS, '... each row once');
}

# Nor does anybody wait for a connection that is not open yet.
for my $i (0 .. 2)
{
	my $newcomer = LtdbSession->new($node);
	my ($before, $after) = readable_rows($newcomer, $i);

	is($before, $ROWS - $counts[$i], "a new session reads the others while server $i stops");
	is($after, $counts[$i], '... and its rows later');
	$newcomer->quit;
}

# ---- cancel and timeouts, while Append is the one who waits ----

# Waits until the session waits in Append.
sub await_append
{
	my ($waiting) = @_;
	my $deadline = time + 20;

	until ($observer->query('SELECT coalesce(wait_event, $$$$) FROM pg_stat_activity WHERE pid = '
			  . $waiting->backend) eq 'AppendReady')
	{
		die 'the session does not wait in Append' if time > $deadline;
		sleep(0.01);
	}
	return;
}

for my $i (0 .. 2)
{
	my $error;

	$ltdb[$i]->pause;
	$session->start('SELECT count(*) FROM metrics');
	await_append($session);
	my $took = seconds
	{
		$observer->query('SELECT pg_cancel_backend(' . $session->backend . ')');
		$error = ($session->finish)[1];
	};
	like($error, qr/ERROR:  57014: canceling statement due to user request/,
		"pg_cancel_backend ends a wait for server $i");
	cmp_ok($took, '<', 1, '... within a second');
	$session->query("SET statement_timeout = '200ms'");
	$took = seconds { $error = $session->error('SELECT count(*) FROM metrics') };
	like($error, qr/ERROR:  57014: canceling statement due to statement timeout/, 'statement_timeout too');
	cmp_ok($took, '<', 1.2, '... in time');
	$session->query('RESET statement_timeout');
	$ltdb[$i]->resume;
	is($session->query($differences), '0', '... and the session works');
}

# All three stop, and one has less patience than the others.
for my $i (0 .. 2)
{
	my $error;

	$session->query("ALTER SERVER ltdb$i OPTIONS (ADD request_timeout '0.5')");
	is($session->query($differences), '0', 'connections are open');
	$_->pause for @ltdb;
	my $took = seconds { $error = $session->error('SELECT count(*) FROM metrics') };
	$_->resume for @ltdb;
	like($error, qr/ERROR:  08006: LTDB server "ltdb$i": query .*: no answer .* within 500 ms/,
		"request_timeout of server $i");
	cmp_ok($took, '>', 0.45, '... not before its time');
	cmp_ok($took, '<', 2, '... and not long after it');
	$session->query("ALTER SERVER ltdb$i OPTIONS (DROP request_timeout)");
	is($session->query($differences), '0', '... and the session works');
}

# ... also if they stop before the connections are open.
for my $i (0 .. 2)
{
	my $newcomer = LtdbSession->new($node);
	my $error;

	$session->query("ALTER SERVER ltdb$i OPTIONS (ADD connect_timeout '0.5')");
	$newcomer->backend;
	$_->pause for @ltdb;
	my $took = seconds { $error = $newcomer->error('SELECT count(*) FROM metrics') };
	$_->resume for @ltdb;
	like($error, qr/ERROR:  08001: LTDB server "ltdb$i": .* within 500 ms/, "connect_timeout of server $i");
	cmp_ok($took, '<', 2, '... in time');
	$session->query("ALTER SERVER ltdb$i OPTIONS (DROP connect_timeout)");
	$newcomer->quit;
}

# Time that the reader of a cursor takes is nobody's waiting.
alter_servers(q(ADD request_timeout '0.5', ADD connect_timeout '0.5'));
for my $reader ($session, LtdbSession->new($node))
{
	$reader->query('BEGIN; DECLARE c CURSOR FOR SELECT * FROM metrics; FETCH 1 FROM c');
	sleep(1);
	is(occurrences($reader->query('FETCH ALL FROM c; COMMIT'), qr/^/m), $ROWS - 1,
		'a reader may take longer than the timeouts');
}
alter_servers('DROP request_timeout, DROP connect_timeout');

# ---- a server that is gone ----

# An error, once and soon, that says which server it is.
sub like_gone
{
	my ($reader, $sql, $i, $name) = @_;
	my $error;
	my $took = seconds { $error = $reader->error($sql) };

	like($error, qr/ERROR:  080(01|06): LTDB server "ltdb$i": /, $name) or diag($sql);
	is(occurrences($error, qr/ERROR/), 1, '... once');
	cmp_ok($took, '<', 6, '... and soon');
	return;
}

for my $i (0 .. 2)
{
	my $other = ($i + 1) % 3;

	$ltdb[$i]->kill;
	like_gone($session, 'SELECT count(*) FROM metrics', $i, "server $i down is an error");
	like_gone($session, $latest, $i, '... for the newest of each key');
	like_gone($session, "INSERT INTO metrics VALUES ('$key[$i]', 1, 'lost')", $i, '... for an INSERT of its keys');
	is($session->query("SELECT count(*) FROM metrics WHERE key = '$key[$other]'"), $STEPS,
		'... and none for a query that needs another');
	is($session->error("INSERT INTO metrics SELECT * FROM model WHERE key = '$key[$other]'"), '',
		'... nor for an INSERT there');
	$ltdb[$i]->start;
	is($session->query($differences), '0', 'when it is back all rows are');
}

# Killed in the middle of a scan, and restarted: at once, or after a while.
for my $i (0 .. 2)
{
	$session->query('BEGIN; DECLARE c CURSOR FOR SELECT * FROM metrics');
	my $rows = $session->query('FETCH 500 FROM c');
	$ltdb[$i]->kill;
	$session->start('FETCH ALL FROM c; COMMIT');
	sleep($i * 0.3);
	$ltdb[$i]->start;
	my ($out, $err) = $session->finish;
	my @rows = split /\n/, "$rows\n$out";
	my %distinct = map { $_ => 1 } @rows;

	is($err, '', "server $i restarts in the middle of a scan");
	is(scalar(@rows), $ROWS, '... and no row is missing');
	is(scalar(keys %distinct), $ROWS, '... nor comes twice');
}

# All errors so far have left nothing open in the backend.
my $files = open_files($session->backend);
for (1 .. 4)
{
	$ltdb[0]->kill;
	$session->error('SELECT count(*) FROM metrics');
	$ltdb[0]->start;
	$session->error('SELECT 1 / (ts - 7) FROM metrics');
}
$session->query('SELECT count(*) FROM metrics');
cmp_ok(open_files($session->backend), '<=', $files, 'errors leave no file open');

# ---- a fourth server ----

# Half of the keys of the first partition move to a partition of the new
# server, as doc/scaling.md describes it.
push @ltdb, LtdbTest->new(durable => 1);
create_server($session, 'ltdb3', $ltdb[3], q(fetch_size '100'));
$session->query(
	'CREATE FOREIGN TABLE metrics_3 (key text NOT NULL, ts bigint NOT NULL, data text) SERVER ltdb0;
	 CREATE FOREIGN TABLE metrics_4 (key text NOT NULL, ts bigint NOT NULL, data text) SERVER ltdb3;
	 BEGIN;
	 LOCK TABLE metrics IN ACCESS EXCLUSIVE MODE');
for my $half ([ 'metrics_3', 0 ], [ 'metrics_4', 3 ])
{
	my ($table, $remainder) = @$half;

	$session->query("INSERT INTO $table SELECT * FROM metrics_0
		WHERE satisfies_hash_partition('metrics'::regclass, 6, $remainder, key)");
	cmp_ok($session->query("SELECT count(*) FROM $table"), '>', 0, "$table gets a share");
}
$session->query(
	"ALTER TABLE metrics DETACH PARTITION metrics_0;
	 ALTER TABLE metrics ATTACH PARTITION metrics_3 FOR VALUES WITH (MODULUS 6, REMAINDER 0);
	 ALTER TABLE metrics ATTACH PARTITION metrics_4 FOR VALUES WITH (MODULUS 6, REMAINDER 3);
	 COMMIT;
	 SELECT ltdb_delete_collection('ltdb0', 'metrics');
	 DROP FOREIGN TABLE metrics_0");
is($session->query($differences), '0', 'with a fourth server no row is missing, none is double');
$session->query('DELETE FROM metrics; INSERT INTO metrics SELECT * FROM model');
is($session->query($differences), '0', '... also if all are written again');

# ---- random queries while a server restarts ----

my $seed = $ENV{LTDB_TEST_SEED} // int(rand(1_000_000_000));
srand($seed);
note("LTDB_TEST_SEED=$seed");

sub any
{
	return $_[ int(rand(@_)) ];
}

sub a_key
{
	return q(') . 'key ' . (1 + int(rand($KEYS + 3))) . q(');
}

sub a_clause
{
	my $ts = int(rand($STEPS + 10));

	return any(
		'true',
		'key = ' . a_key(),
		'key IN (' . join(', ', map { a_key() } 1 .. 3) . ')',
		'key > ' . a_key(),
		"key LIKE 'key 1%'",
		"ts " . any('<', '<=', '=', '<>', '>=', '>') . " $ts",
		"ts BETWEEN $ts AND " . ($ts + int(rand(100))),
		"(ts < $ts OR ts > " . ($ts + 50) . ')',
		"data LIKE '%" . int(rand(10)) . "'");
}

sub a_query
{
	my ($table) = @_;
	my $where = a_clause() . ' AND ' . a_clause();
	my $order = 'ORDER BY key ' . any('', 'DESC') . ', ts ' . any('', 'DESC');

	return any(
		"SELECT * FROM $table WHERE $where $order",
		"SELECT * FROM $table WHERE $where $order LIMIT " . int(rand(50)) . ' OFFSET ' . int(rand(5)),
		"SELECT * FROM $table WHERE $where ORDER BY ts DESC, key LIMIT " . int(rand(50)),
		"SELECT DISTINCT ON (key) * FROM $table WHERE $where ORDER BY key, ts " . any('', 'DESC'),
		"SELECT key, count(*), min(ts), max(ts) FROM $table WHERE $where GROUP BY key ORDER BY key",
		"SELECT count(*), max(ts) FROM $table WHERE $where",
		"SELECT count(*) FROM (SELECT * FROM $table WHERE $where) a JOIN $table b USING (key, ts)");
}

my ($compared, $wrong, $restarts) = (0, 0, 0);
for my $round (1 .. 150)
{
	srand($seed + $round);
	my $expected = $session->query(a_query('model'));
	srand($seed + $round);
	my $sql = a_query('metrics');

	$session->start($sql);
	if ($round % 5 == 0)
	{
		$ltdb[ $round % 4 ]->restart;
		$restarts++;
	}
	my ($out, $err) = $session->finish;
	$compared++;
	next if $out eq $expected && $err eq '';
	$wrong++;
	diag("$sql\n$err");
}
is($wrong, 0, "$compared random queries, $restarts restarts");

$session->quit;
$observer->quit;
$node->stop;
done_testing();
