# 250_mixture.pl
#	Sessions that read and write through all sorts of faults, and are
#	interrupted at all sorts of times: never a wrong row, never an odd error,
#	and nothing is left behind.
#
# Runs for some seconds; for as many as LTDB_MIXTURE_SEC says to look for what
# is rare.  Faults one by one are the subject of 220_faults.pl.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbFaults;
use LtdbSession;
use LtdbTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $SECONDS = $ENV{LTDB_MIXTURE_SEC} // 5;
my $SESSIONS = 8;

$LtdbSession::TIMEOUT = $SECONDS + 120;

my $ltdb = LtdbTest->new;
my $proxy = LtdbFaults->new($ltdb->{port}, $SESSIONS);
my $node = start_node("max_connections = 50\n");
my $direct = LtdbSession->new($node);

create_server($direct, 'direct', $ltdb);
$direct->query(
	"CREATE FOREIGN TABLE direct (key text, ts bigint, data text) SERVER direct OPTIONS (collection 'metrics');
	 INSERT INTO direct SELECT 'k' || n % 5, n, 'value ' || n FROM generate_series(1, 50000) n;
	 SELECT ltdb_kv_set('direct', 'metrics', 'unit', 'm')");

my $seed = time ^ $$;
srand($seed);
note("random numbers from $seed");

my @sessions;
for my $i (0 .. $SESSIONS - 1)
{
	my $host = $i % 2 ? 'localhost' : '127.0.0.1';
	my $fetch_size = 100 + int(rand(3000));

	$direct->query(
		"CREATE SERVER s$i FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://$host:$proxy->{ports}[$i]',
			connect_timeout '1', request_timeout '1', fetch_size '$fetch_size');
		 CREATE USER MAPPING FOR CURRENT_USER SERVER s$i OPTIONS (api_key " . quoted($LtdbdWire::KEY) . ");
		 CREATE FOREIGN TABLE t$i (key text, ts bigint, data text) SERVER s$i OPTIONS (collection 'metrics');
		 CREATE FOREIGN TABLE u$i (key text, ts bigint, data text) SERVER s$i OPTIONS (collection 'metrics');
		 CREATE FOREIGN TABLE w$i (key text, ts bigint, data text) SERVER s$i;
		 CREATE FOREIGN TABLE d$i (key text, ts bigint, data text) SERVER direct OPTIONS (collection 'w$i')");
	push @sessions, LtdbSession->new($node);
	$sessions[-1]->backend;
}

# {T} and {U} are foreign tables of what is only read, {W} of what is written,
# which is {D} on a connection without faults; {S} is the foreign server.
my @operations = (
	{ sql => 'SELECT count(*), sum(ts) FROM {T}', rows => '50000|1250025000' },
	{
		sql => "SELECT count(*), sum(ts), min(ts), max(ts) FROM {T} WHERE key = 'k1' AND ts BETWEEN 1000 AND 20000",
		rows => '3800|39894300|1001|19996'
	},
	{ sql => "SELECT ts FROM {T} WHERE key = 'k2' ORDER BY ts DESC LIMIT 2", rows => "49997\n49992" },
	{
		sql => 'SELECT DISTINCT ON (key) key, ts FROM {T} ORDER BY key, ts DESC',
		rows => "k0|50000\nk1|49996\nk2|49997\nk3|49998\nk4|49999"
	},
	{ sql => "SELECT ltdb_kv_get('{S}', 'metrics', 'unit')", rows => 'm' },
	{ sql => 'SELECT count(*) FROM (SELECT ts FROM {T} UNION ALL SELECT ts FROM {U}) a', rows => '100000' },
	{
		sql => "BEGIN; DECLARE c CURSOR FOR SELECT ts FROM {T} WHERE key = 'k3' ORDER BY ts; FETCH 1 FROM c; SAVEPOINT s;
			SELECT count(*) FROM {U} WHERE key = 'k1'; FETCH 1 FROM c; COMMIT",
		rows => "3\n10000\n8"
	},
	{
		sql => "INSERT INTO {W} SELECT 'a', n, 'x' FROM generate_series(1, 3000) n", rows => '',
		check => 'SELECT count(*), max(ts) FROM {D}', state => '3000|3000'
	},
	{
		sql => 'DELETE FROM {W} WHERE ts > 10', rows => '',
		check => 'SELECT count(*) FROM {D} WHERE ts > 10', state => '0'
	});
my @faults = (
	{}, { answer => 'any', chance => 0.15 }, { answer => 'drop', chance => 0.1 }, { cut => 1, random => [ 200, 1_000_000 ] },
	{ cut => 1, random => [ 140, 3000 ], reset => 1, times => 2 }, { stall => 1, random => [ 100, 60_000 ], times => 1 });

# For one session: words in braces.
sub for_session
{
	my ($i, $sql) = @_;

	return $sql =~ s/\{([TUWDS])\}/lc($1) . $i/ger;
}

# Something for each session to do, in no more time than this, 0 = any.
sub start_round
{
	my @doing;

	for my $i (0 .. $SESSIONS - 1)
	{
		my $timeout_ms = rand() < 0.6 ? 0 : 1 + int(rand(rand() < 0.5 ? 20 : 300));

		push @doing, $operations[ rand @operations ];
		$sessions[$i]->start("ROLLBACK; SET statement_timeout = $timeout_ms; " . for_session($i, $doing[-1]{sql}));
	}
	return @doing;
}

my (%count, @wrong);

sub judge
{
	my ($i, $operation) = @_;
	my ($out, $err) = $sessions[$i]->finish;

	if ($err =~ /(?:ERROR|FATAL|PANIC):  (\w{5})/)
	{
		$count{$1}++;
		push @wrong, "$operation->{sql}: $err" unless $1 =~ /^(57014|08001|08006|08P01)$/;
		return;
	}
	$count{rows}++;
	push @wrong, "$operation->{sql}: $out" if $out ne $operation->{rows};
	return unless $operation->{check};
	my $state = $direct->query(for_session($i, $operation->{check}));
	push @wrong, "$operation->{sql}: then $state" if $state ne $operation->{state};
	return;
}

# Memory in MiB and descriptors, of all sessions together.
sub usage
{
	my $memory = 0;
	my $sockets = 0;

	for my $session (@sessions)
	{
		my ($kib) = slurp_file("/proc/$session->{backend}/status") =~ /^VmRSS:\s+(\d+)/m;
		$memory += $kib / 1024;
		$sockets += grep { (readlink($_) // '') =~ /^(socket|pipe|anon_inode):/ } glob("/proc/$session->{backend}/fd/*");
	}
	return ($memory, $sockets);
}

# Each session may have a connection, or not.
sub settle
{
	$proxy->set;
	$sessions[$_]->query(for_session($_, 'ROLLBACK; RESET statement_timeout; SELECT count(*) FROM {T}')) for 0 .. $SESSIONS - 1;
	return usage();
}

my $rounds = 0;
my $end = time + $SECONDS;
my ($memory, $sockets);
while (time < $end || $rounds < 3)
{
	$proxy->set(%{ $faults[ rand @faults ] }, rand() < 0.5 ? (keep => 1) : ());
	my @doing = start_round();
	judge($_, $doing[$_]) for 0 .. $#doing;
	($memory, $sockets) = settle() if ++$rounds == 2;
}
my ($memory_now, $sockets_now) = settle();
note("$rounds rounds: " . join(', ', map { "$_ $count{$_}" } sort keys %count));
is(scalar @wrong, 0, 'nothing wrong, and no error that is not of the fault') or diag(join("\n", @wrong[ 0 .. 9 ]));
cmp_ok($count{rows} // 0, '>', $rounds, 'much goes well');
is($sockets_now, $sockets, 'no socket is left open');
cmp_ok($memory_now - $memory, '<', 2 * $SESSIONS, 'memory does not grow');
$_->quit for @sessions, $direct;
ok($ltdb->await_open(0), 'nor does ltdbd keep a connection');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'no process has crashed');
done_testing();
