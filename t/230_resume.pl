# 230_resume.pl
#	A connection that breaks while much is read or written, many times and
#	anywhere: nothing is missing, nothing comes twice; and many who come back do
#	not come all at once.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbFaults;
use LtdbSession;
use LtdbTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $RECORDS = 1_000_000;
my $SESSIONS = 24;

my $ltdb = LtdbTest->new;
my $proxy = LtdbFaults->new($ltdb->{port});
my $node = start_node("max_connections = 60\n");
my $session = LtdbSession->new($node);

create_server($session, 'direct', $ltdb);
create_server($session, 'proxied', $ltdb);
$session->query(
	"ALTER SERVER proxied OPTIONS (SET url 'ws://127.0.0.1:$proxy->{port}');
	 CREATE FOREIGN TABLE direct (key text, ts bigint, data text) SERVER direct OPTIONS (collection 'metrics');
	 CREATE FOREIGN TABLE metrics (key text, ts bigint, data text) SERVER proxied;
	 CREATE FOREIGN TABLE written (key text, ts bigint, data text) SERVER proxied;
	 CREATE FOREIGN TABLE direct_written (key text, ts bigint, data text) SERVER direct OPTIONS (collection 'written');
	 ALTER FOREIGN TABLE direct OPTIONS (ADD write_mode 'immediate', ADD batch_size '10000');
	 INSERT INTO direct SELECT 'k' || n % 5, n, 'value ' || n FROM generate_series(1, $RECORDS) n");

# ---- cut at random ----

my $sum = $RECORDS * ($RECORDS + 1) / 2;
my $all_keys = 'SELECT count(*), count(DISTINCT ts), sum(ts), min(ts), max(ts),
	sum(CASE WHEN data = \'value \' || ts AND key = \'k\' || ts % 5 THEN 0 ELSE 1 END) FROM metrics';
my $each_once = "$RECORDS|$RECORDS|$sum|1|$RECORDS|0";
for my $case (
	[ 'all keys', $all_keys, $each_once, 3_000_000 ],
	[ 'one key, newest first', "SELECT count(*), sum(CASE WHEN ts = expected THEN 0 ELSE 1 END) FROM (
		SELECT ts, $RECORDS - 5 * (row_number() OVER () - 1) AS expected
		FROM (SELECT ts FROM metrics WHERE key = 'k0' ORDER BY ts DESC) s) t",
		$RECORDS / 5 . '|0', 800_000 ])
{
	my ($name, $sql, $expected, $largest) = @$case;

	$proxy->set(cut => 1, random => [ 200, $largest ]);
	is($session->query($sql), $expected, "$name: no gap and no repeat");
	my $connections = @{ $proxy->seen->[0]{connections} };
	cmp_ok($connections, '>', 5, "... over $connections connections");
}

# Whatever happens to one of ten answers.
$proxy->set(answer => 'any', chance => 1 / 10);
is($session->query($all_keys), $each_once, 'anything may happen to an answer: no gap and no repeat');
cmp_ok($proxy->seen->[0]{faults}, '>', 1, '... to ' . $proxy->seen->[0]{faults} . ' of them');

# A few acknowledgements get through on each connection.
$proxy->set(cut => 1, random => [ 170, 230 ]);
$session->query("INSERT INTO written SELECT 'w' || n % 3, n, repeat('x', 1000) FROM generate_series(1, 20000) n");
cmp_ok(scalar @{ $proxy->seen->[0]{connections} }, '>', 2, 'a COMMIT over several connections');
is($session->query('SELECT count(*), count(DISTINCT ts), sum(length(data)) FROM direct_written'),
	'20000|20000|20000000', '... stores everything once');

# ---- never again ----

$proxy->set(cut => 1, random => [ 50_000, 60_000 ]);
$session->query("BEGIN; DECLARE c CURSOR FOR SELECT ts FROM metrics WHERE key = 'k1'; FETCH 10 FROM c");
$proxy->set(handshake => "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
my $error;
my $took = seconds { $error = $session->error('FETCH ALL FROM c') };
like($error, qr/ERROR:  08006: LTDB server "proxied": .*5 attempts to reconnect brought no answer: .*503/,
	'after five attempts there is an error that says why');
is(scalar @{ $proxy->seen->[0]{connections} }, 5, '... five');
cmp_ok($took, '<', 5, '... within seconds');
$session->query('ROLLBACK');

# ---- idle ----

$proxy->set;
my $one = "SELECT data FROM metrics WHERE key = 'k1' AND ts = 1";
is($session->query($one), 'value 1', 'connected');
my $opened = @{ $proxy->seen->[0]{connections} };
for my $way ('by a close', 'by force')
{
	# set() hangs up.
	$way eq 'by a close' ? $proxy->set : $ltdb->restart;
	sleep 0.1;
	is(scalar @{ $proxy->seen->[0]{connections} }, $way eq 'by a close' ? 0 : 1,
		"a session whose idle connection is ended $way does not knock");
	is($session->query($one), $way eq 'by a close' ? 'value 1' : '', '... and does not notice either');
}

# ---- all at once ----

$session->query("INSERT INTO direct VALUES ('k1', 1, 'value 1')");
$proxy->set;
my @sessions = map { LtdbSession->new($node) } 1 .. $SESSIONS;
is($_->query($one), 'value 1', 'connected') for $sessions[0];
$_->query($one) for @sessions;
$ltdb->kill;
sleep 0.1;

# All of them ask while there is no server: each attempt is seen by the proxy.
$proxy->set(keep => 1);
$_->start("SELECT pg_sleep(0.2); $one") for @sessions;
$_->finish for @sessions;
my @times = sort { $a <=> $b } @{ $proxy->seen->[0]{connections} };
is(scalar(@times), 5 * $SESSIONS, 'each of many sessions makes five attempts');
my $spread = $times[-1] - $times[0];
cmp_ok($spread, '>', 1, '... which take a while');

# How many come within 10 ms of each other, of those after the first attempt.
my @later = grep { $_ > $times[0] + 0.3 } @times;
my $crowd = 0;
for my $i (0 .. $#later)
{
	my $near = grep { $_ >= $later[$i] && $_ < $later[$i] + 0.01 } @later;
	$crowd = $near if $near > $crowd;
}
cmp_ok($crowd, '<', $SESSIONS / 2, "... and are not made in step: at most $crowd within 10 ms");

$ltdb->start;
$session->query("INSERT INTO direct VALUES ('k1', 1, 'value 1')");
$_->start($one) for @sessions;
is(join(' ', map { ($_->finish)[0] } @sessions), join(' ', ('value 1') x $SESSIONS), 'all come back');

$_->quit for @sessions, $session;
$node->stop;
done_testing();
