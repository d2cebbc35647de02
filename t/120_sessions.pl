# 120_sessions.pl
#	The connections of a session: when they are opened, shared, replaced and
#	closed, and what errors and rollbacks leave of them.
#
# Connections are counted in ltdbd's log, so nothing can be hidden by the
# extension.  What each user may do is 130_users.pl's subject.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbSession;
use LtdbTest;
use Test::More;

my $RECORDS = 30_000;

my $ltdb = LtdbTest->new;
my $other = LtdbTest->new;
my $node = start_node();
my $setup = LtdbSession->new($node);

create_server($setup, 'ltdb', $ltdb);
create_server($setup, 'nowhere', $ltdb);
$setup->query(
	"ALTER SERVER nowhere OPTIONS (SET url 'ws://127.0.0.1:1');
	 CREATE FOREIGN TABLE metrics (key text, ts bigint, data text) SERVER ltdb;
	 CREATE FOREIGN TABLE numbers (key text, ts bigint, data text) SERVER ltdb;
	 CREATE FOREIGN TABLE broken (key text, ts bigint, data jsonb) SERVER ltdb OPTIONS (collection 'numbers');
	 CREATE FOREIGN TABLE unreachable (key text, ts bigint, data text) SERVER nowhere;
	 CREATE TABLE none (key text, ts bigint, data text);
	 INSERT INTO metrics SELECT 'a', n, 'value ' || n FROM generate_series(1, $RECORDS) n;
	 INSERT INTO metrics SELECT 'b', n, 'other ' || n FROM generate_series(1, $RECORDS) n;
	 INSERT INTO numbers SELECT 'n', n, CASE WHEN n = 2000 THEN 'not json' ELSE n::text END
		FROM generate_series(1, 3000) n");
$setup->quit;
ok($ltdb->await_open(0), 'the end of a session closes its connection');
my $base = $ltdb->connections->{opened};
is($base, 1, '... and it had one');

sub opened
{
	return $ltdb->connections->{opened} - $base;
}

# ---- opened at first use ----

my $session = LtdbSession->new($node);
for my $sql (
	'EXPLAIN SELECT * FROM metrics',
	"EXPLAIN (VERBOSE) SELECT * FROM metrics WHERE key = 'a' AND ts > 5",
	"EXPLAIN INSERT INTO metrics VALUES ('a', 1, 'x')",
	'EXPLAIN DELETE FROM metrics',
	"SELECT * FROM metrics WHERE key = 'a' AND key = 'b'",
	'SELECT * FROM metrics WHERE ts > 5 AND ts < 3',
	'SELECT * FROM metrics WHERE key = NULL',
	'SELECT * FROM metrics WHERE false',
	'PREPARE p(text) AS SELECT * FROM metrics WHERE key = $1; EXECUTE p(NULL)',
	'INSERT INTO metrics SELECT * FROM none',
	'DELETE FROM metrics WHERE ts > 5 AND ts < 3',
	'SELECT * FROM metrics LIMIT 0',
	'BEGIN; DECLARE c CURSOR FOR SELECT * FROM metrics; ROLLBACK')
{
	$session->query($sql);
	is(opened(), 0, "no connection is opened by $sql");
}

my $one = "SELECT count(*), min(data) FROM metrics WHERE key = 'a' AND ts = 7";
is($session->query($one), '1|value 7', 'a SELECT');
is(opened(), 1, '... opens one');
my $pid = $session->backend;
like(LtdbdWire::server_log($ltdb->{server}), qr{ connected: ltdb_fdw/1\.0 PostgreSQL/\d+ \(pid $pid\)$}m,
	'... which says whose it is');

# ---- kept and shared ----

$session->query(
	"SELECT count(*) FROM metrics;
	 SELECT ltdb_collections('ltdb');
	 INSERT INTO metrics VALUES ('c', 1, 'x');
	 DELETE FROM metrics WHERE key = 'c';
	 SELECT ltdb_kv_set('ltdb', 'metrics', 'pair', 'value');
	 IMPORT FOREIGN SCHEMA ltdb LIMIT TO (imported) FROM SERVER ltdb INTO public");
$session->query("BEGIN; $one; ROLLBACK");
$session->query("BEGIN; SAVEPOINT s; $one; ROLLBACK TO s; $one; COMMIT");
is(opened(), 1, 'scans, writes, functions and transactions share it');

is($session->query(
	"SELECT count(*), count(*) FILTER (WHERE x.data = 'value ' || ts AND y.data = 'other ' || ts)
	 FROM metrics x JOIN metrics y USING (ts) WHERE x.key = 'a' AND y.key = 'b'"),
	"$RECORDS|$RECORDS", 'so do two scans of one query');
is($session->query(
	"SELECT sum((SELECT count(*) FROM metrics y WHERE y.key = 'b' AND y.ts = x.ts AND y.data = 'other ' || x.ts))
	 FROM metrics x WHERE x.key = 'a' AND x.ts % 300 = 0"),
	$RECORDS / 300, '... one of them begun again for every row of the other');
$session->query(
	"BEGIN;
	 DECLARE a CURSOR FOR SELECT data FROM metrics WHERE key = 'a';
	 DECLARE b CURSOR FOR SELECT data FROM metrics WHERE key = 'b'");
my ($wrong, @expected) = (0);
for my $step (0 .. 9)
{
	my ($from, $to) = (1 + 3000 * $step, 3000 * ($step + 1));
	for my $cursor ([ 'a', 'value' ], [ 'b', 'other' ])
	{
		my $rows = $session->query("FETCH 3000 FROM $cursor->[0]");
		$wrong++ if $rows ne join("\n", map { "$cursor->[1] $_" } $from .. $to);
	}
	$wrong++ if $session->query($one) ne '1|value 7';
}
is($wrong, 0, 'and cursors that are read in turn, with statements between them');
is($session->query('FETCH FROM a; FETCH FROM b; COMMIT'), '', '... to their end');
is($session->query(
	q{CREATE FUNCTION pg_temp.walk() RETURNS bigint LANGUAGE plpgsql AS $$
	  DECLARE outer_row record; inner_row record; matches bigint := 0;
	  BEGIN
		FOR outer_row IN SELECT ts FROM metrics WHERE key = 'a' AND ts % 1000 = 0 LOOP
			FOR inner_row IN SELECT * FROM metrics WHERE key = 'b' AND ts >= outer_row.ts LOOP
				matches := matches + (inner_row.data = 'other ' || outer_row.ts)::int;
				EXIT;
			END LOOP;
		END LOOP;
		RETURN matches;
	  END $$;
	  SELECT pg_temp.walk()}),
	$RECORDS / 1000, 'and loops within loops that are left early');
is(opened(), 1, 'all on one connection');

my $second = LtdbSession->new($node);
is($second->query($one), '1|value 7', 'a second session');
is(opened(), 2, '... has one of its own');
$second->quit;
ok($ltdb->await_open(1), '... while it lasts');

# ---- after errors ----

# An answer meant for an aborted query must not reach the next one.
my $fail_scan = "SELECT sum(1 / (ts - 1500)) FROM metrics WHERE key = 'a'";
my $fail_json = 'SELECT count(data) FROM broken';
my $fail_function = "SELECT ltdb_kv_set('ltdb', 'metrics', 'pair', '')";
my $fail_insert = "INSERT INTO metrics SELECT 'd', n, (1 / (5000 - n))::text FROM generate_series(1, 6000) n";
my %failures = ($fail_scan => '22012', $fail_json => '22P02', $fail_function => '22023', $fail_insert => '22012');
for my $sql (sort keys %failures)
{
	like($session->error($sql), qr/ERROR:  $failures{$sql}: /, "fails: $sql");
	is($session->query($one), '1|value 7', '... and the next statement gets its own answer');
	like($session->error("BEGIN; SAVEPOINT s; $sql"), qr/ERROR:  $failures{$sql}: /, '... in a transaction');
	is($session->query("ROLLBACK TO s; $one; COMMIT"), '1|value 7', '... that goes on');
}

is($session->query(
	qq{BEGIN;
	   CREATE FUNCTION pg_temp.survive() RETURNS text LANGUAGE plpgsql AS \$\$
	   DECLARE r record; good bigint := 0; bad bigint := 0;
	   BEGIN
		FOR r IN SELECT ts, data FROM metrics WHERE key = 'a' LOOP
			IF r.data = 'value ' || r.ts THEN good := good + 1; END IF;
			IF r.ts % 3000 = 0 THEN
				BEGIN PERFORM sum(1 / (ts - 1500)) FROM metrics WHERE key = 'b';
				EXCEPTION WHEN division_by_zero THEN bad := bad + 1; END;
				BEGIN PERFORM ltdb_kv_set('ltdb', 'metrics', 'pair', '');
				EXCEPTION WHEN invalid_parameter_value THEN bad := bad + 1; END;
				BEGIN PERFORM count(data) FROM broken;
				EXCEPTION WHEN invalid_text_representation THEN bad := bad + 1; END;
				BEGIN PERFORM count(*) FROM unreachable;
				EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection THEN bad := bad + 1; END;
			END IF;
		END LOOP;
		RETURN good || ' ' || bad;
	   END \$\$;
	   SELECT pg_temp.survive();
	   COMMIT}),
	"$RECORDS 40", 'exception blocks around failing statements leave an outer scan alone');
is($session->query("SELECT data FROM metrics LIMIT 1"), 'value 1', 'a LIMIT leaves pages unread');
is($session->query($one), '1|value 7', '... and the next statement gets its own answer');

# The first failures of each kind may load libraries and caches.
my $pid = $session->backend;
my $fail = sub {
	my ($times) = @_;
	my @kinds = ((sort keys %failures), 'SELECT count(*) FROM unreachable');
	return $session->error(join(";\n", map { $kinds[$_ % @kinds] } 0 .. $times - 1));
};
$fail->(20);
$session->query($one);
my $files = open_files($pid);
my $memory = memory_peak($pid);
is(() = $fail->(200) =~ /ERROR/g, 200, '200 statements fail');
is($session->query($one), '1|value 7', '... and the session works after them');
is(open_files($pid), $files, '... without leaving a file or socket open');
cmp_ok(memory_peak($pid) - $memory, '<', 16, '... or much memory in use');
ok($ltdb->await_open(1), '... or a connection, as ltdbd sees it');

# ---- replaced and closed ----

create_server($session, 'elsewhere', $other);
$session->query(
	"CREATE FOREIGN TABLE there (key text, ts bigint, data text) SERVER elsewhere OPTIONS (collection 'metrics');
	 INSERT INTO there VALUES ('a', 7, 'from the other')");
is($session->query($one), '1|value 7', 'two servers do not disturb each other');
is($session->query(
	"BEGIN; $one; ALTER SERVER ltdb OPTIONS (SET url '" . $other->url . "'); $one; COMMIT"),
	"1|value 7\n1|value 7", 'ALTER SERVER leaves the transaction its connection');
is($session->query($one), '1|from the other', '... and the next one has the new server');
ok($ltdb->await_open(0), '... and the old connection is closed');
is($session->query("BEGIN; ALTER SERVER ltdb OPTIONS (SET url '" . $ltdb->url . "'); ROLLBACK; $one"),
	'1|from the other', 'an ALTER SERVER that is rolled back changes nothing');
my $altering = LtdbSession->new($node);
$altering->query("ALTER SERVER ltdb OPTIONS (SET url '" . $ltdb->url . "')");
is($session->query($one), '1|value 7', "another session's ALTER SERVER counts as well");

my $mapping = 'ALTER USER MAPPING FOR CURRENT_USER SERVER ltdb OPTIONS (SET api_key %s)';
$altering->query(sprintf($mapping, "'wrong'"));
like($session->error($one), qr/ERROR:  28000: /, 'so does its ALTER USER MAPPING');
$altering->query(sprintf($mapping, quoted($LtdbdWire::KEY)));
is($session->query($one), '1|value 7', '... in both directions');
$altering->query('DROP USER MAPPING FOR CURRENT_USER SERVER ltdb');
like($session->error($one), qr/ERROR:  42704: user mapping not found/, 'and its DROP USER MAPPING');
$altering->query('CREATE USER MAPPING FOR CURRENT_USER SERVER ltdb OPTIONS (api_key '
	  . quoted($LtdbdWire::KEY) . ')');
is($session->query($one), '1|value 7', 'a mapping created anew is found');
ok($ltdb->await_open(1), '... and the connection of the dropped one is closed');
$altering->quit;

$session->query("ALTER SERVER ltdb OPTIONS (ADD keep_connections 'off')");
$session->query($one);
ok($ltdb->await_open(0), 'keep_connections off closes at the end of a transaction');
my $before = opened();
$session->query("BEGIN; $one; $one; SELECT ltdb_collections('ltdb')");
is(opened() - $before, 1, '... not of a statement');
ok($ltdb->await_open(1), '... within which it is open');
$session->query('ROLLBACK');
ok($ltdb->await_open(0), '... however that ends');

$session->query('ALTER SERVER ltdb OPTIONS (DROP keep_connections)');
is($session->query("$one; DISCARD ALL; $one"), "1|value 7\n1|value 7", 'DISCARD ALL does no harm');
my $dropped = LtdbSession->new($node);
$dropped->query("DROP SERVER nowhere CASCADE; DROP SERVER elsewhere CASCADE");
is($session->query($one), '1|value 7', 'nor does the end of another server');
$dropped->query("DROP SERVER ltdb CASCADE");
like($session->error($one), qr/ERROR:  42P01: /, 'its own is missed');
$session->query('SELECT 1');
$dropped->quit;
$session->quit;
ok($ltdb->await_open(0) && $other->await_open(0), 'at last no connection is left');
$node->stop;
done_testing();
