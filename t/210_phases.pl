# 210_phases.pl
#	Whatever a session waits for on its way to an answer, it stops at once when
#	told to: by Ctrl-C, by a timeout, by an administrator, by its client's death.
#
# What happens after the server has answered once is 110_cancel.pl's subject.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IO::Socket::INET;
use LtdbFaults;
use LtdbSession;
use LtdbTest;
use POSIX ();
use PostgreSQL::Test::Utils;
use Socket;
use Test::More;
use Time::HiRes qw(sleep time);

my $SOON = 0.5;

# ---- where sessions are to hang ----

my $shim = "$FindBin::RealBin/../build/slow_resolver.so";
my $ltdb = LtdbTest->new;
my $proxy = LtdbFaults->new($ltdb->{port});

# Its queue is full, and it never accepts: nobody gets as far as being connected.
my $full = IO::Socket::INET->new(Listen => 0, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
listen($full, 0);
my @fillers = map {
	my $filler = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0);
	connect($filler, pack_sockaddr_in($full->sockport, inet_aton('127.0.0.1')));
	$filler
} 1 .. 3;

# Connected by the system, and then nothing.
my $silent = IO::Socket::INET->new(Listen => 100, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";

my %fault;
my @phases = (
	[ Resolve      => 'ws://hanging.test:1' ],
	[ Connect      => 'ws://127.0.0.1:' . $full->sockport ],
	[ Tls          => 'wss://127.0.0.1:' . $silent->sockport ],
	[ Handshake    => 'ws://127.0.0.1:' . $silent->sockport ],
	[ Authenticate => "ws://127.0.0.1:$proxy->{port}", { answer => 'drop', after => 0 } ],
	[ Answer       => "ws://127.0.0.1:$proxy->{port}", { answer => 'drop' } ],
	[ Receive      => "ws://127.0.0.1:$proxy->{port}", { stall => 20_000 } ],
	[ Send         => "ws://127.0.0.1:$proxy->{port}", { half_open => 200 } ],
	[ Reconnect    => "ws://127.0.0.1:$proxy->{port}", { cut => 200 } ]);

# Of all phases but those that have a name for something else.
my %event = (Receive => 'LtdbAnswer', map { $_ => "Ltdb$_" } qw(Resolve Connect Tls Handshake Authenticate
	  Answer Send Reconnect));

# ---- PostgreSQL ----

my $node;
{
	local $ENV{LD_PRELOAD} = $shim;
	ok(-f $shim, 'there is a resolver that hangs');
	$node = start_node("client_connection_check_interval = '100ms'\n");
}
my $observer = LtdbSession->new($node);
my $names = $observer->query("SELECT current_setting('server_version_num')::int >= 170000") eq 't';
create_server($observer, 'direct', $ltdb);
$observer->query(
	"CREATE TABLE other (n int);
	 CREATE FOREIGN TABLE filled (key text, ts bigint, data text) SERVER direct OPTIONS (collection 'metrics');
	 INSERT INTO filled SELECT 'a', n, repeat('x', 100) FROM generate_series(1, 2000) n");
for my $phase (@phases)
{
	my ($name, $url) = @$phase;

	$observer->query(
		"CREATE SERVER \"$name\" FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url '$url');
		 CREATE USER MAPPING FOR CURRENT_USER SERVER \"$name\" OPTIONS (api_key " . quoted($LtdbdWire::KEY) . ");
		 CREATE FOREIGN TABLE \"t_$name\" (key text, ts bigint, data text) SERVER \"$name\"
			OPTIONS (collection 'metrics')");
}

# What hangs.  Sending is done at COMMIT, and is more than sockets can hold.
sub statement
{
	my ($name) = @_;

	return "BEGIN; LOCK TABLE other; SELECT count(*) FROM \"t_$name\"" if $name ne 'Send';
	return "BEGIN; LOCK TABLE other; INSERT INTO \"t_$name\" SELECT 'z', n, repeat('x', 10000) FROM generate_series(1, 5000) n; COMMIT";
}

# A session that hangs in a phase.
sub hang
{
	my ($session, $phase) = @_;
	my ($name, undef, $fault) = @$phase;

	$session->backend;
	$proxy->set(%{ $fault // {} });
	$session->start(statement($name));
	$observer->await_waiting($session);

	# the phases before are short; but it waits now and then while it still gets on
	my $wanted = $names ? $event{$name} : 'Extension';
	my $seen = 0;
	for (1 .. 400)
	{
		my $event = $observer->query("SELECT coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = $session->{backend}");

		$seen = $event eq $wanted ? $seen + 1 : 0;
		last if $seen == 10;
		sleep 0.01;
	}
	sleep 0.1 unless $names;
	return;
}

# The processor time that a process has taken so far, in seconds.
sub processor
{
	my ($pid) = @_;
	my @fields = split ' ', slurp_file("/proc/$pid/stat") =~ s/^.*\) //sr;

	return ($fields[11] + $fields[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

# ---- each way in each phase ----

my $session = LtdbSession->new($node);
for my $phase (@phases)
{
	my $name = $phase->[0];
	my ($error, $took);

	hang($session, $phase);
	is($observer->query("SELECT wait_event_type || ' ' || wait_event FROM pg_stat_activity
		WHERE pid = $session->{backend}"), 'Extension ' . ($names ? $event{$name} : 'Extension'), "$name: it waits")
	  unless $name eq 'Reconnect';

	my $used = processor($session->{backend});
	sleep 0.3;
	cmp_ok(processor($session->{backend}) - $used, '<', 0.1, '... and does nothing else') unless $name eq 'Reconnect';

	# Whoever waits for a lock of the session's is not held up for longer than he likes.
	$observer->query("SET lock_timeout = '50ms'");
	like($observer->error('LOCK TABLE other'), qr/ERROR:  (55P03|25P01)/, "$name: lock_timeout")
	  if $name ne 'Reconnect';
	$observer->query('RESET lock_timeout');

	$took = seconds
	{
		$observer->query("SELECT pg_cancel_backend($session->{backend})");
		$error = ($session->finish)[1];
	};
	like($error, qr/ERROR:  57014: canceling statement due to user request/, "$name: pg_cancel_backend");
	cmp_ok($took, '<', $SOON, '... at once');
	cmp_ok(seconds { $session->query('ROLLBACK') }, '<', $SOON / 2, '... and ROLLBACK waits for nothing');

	$proxy->set(%{ $phase->[2] // {} });
	$session->query("SET statement_timeout = '300ms'");
	$took = seconds { $error = $session->error(statement($name)) };
	like($error, qr/ERROR:  57014: canceling statement due to statement timeout/, "$name: statement_timeout");
	cmp_ok($took, '<', $SOON + ($name eq 'Send' ? 0.8 : 0.3), '... at once');
	$session->query('ROLLBACK; RESET statement_timeout');

	my $victim = LtdbSession->new($node);
	hang($victim, $phase);
	$took = seconds
	{
		$observer->query("SELECT pg_terminate_backend($victim->{backend}, 10000)");
		$error = ($victim->finish)[1];
	};
	like($error, qr/FATAL:  57P01: /, "$name: pg_terminate_backend");
	cmp_ok($took, '<', $SOON, '... at once');

	# Killed without a word.
	my $orphan = LtdbSession->new($node);
	hang($orphan, $phase);
	$orphan->{run}->kill_kill(grace => 0);
	$took = seconds
	{
		for (1 .. 500)
		{
			last if $observer->query("SELECT count(*) FROM pg_stat_activity WHERE pid = $orphan->{backend}") eq '0';
			sleep 0.01;
		}
	};
	cmp_ok($took, '<', $SOON, "$name: the client is gone");

	# The first process that psql, which has started it, tells of.
	my $person = LtdbSession->new($node);
	hang($person, $phase);
	$took = seconds { $person->interrupt; $error = ($person->finish)[1] };
	like($error, qr/ERROR:  57014: canceling statement due to user request/, "$name: Ctrl-C");
	cmp_ok($took, '<', $SOON, '... at once');
}

# ---- a transaction that goes on ----

# The first connection stalls, others do not.
$proxy->set(stall => 20_000, times => 1);
$session->query("BEGIN; SAVEPOINT s; SET LOCAL statement_timeout = '200ms'");
like($session->error('SELECT count(*) FROM "t_Answer"'), qr/ERROR:  57014: /, 'interrupted after a savepoint');
my $went_on;
my $took = seconds
{
	$went_on = $session->query("ROLLBACK TO s; SELECT count(*) FROM \"t_Answer\" WHERE key = 'a'; COMMIT");
};
is($went_on, '2000', '... the transaction goes on, with another connection');
cmp_ok($took, '<', $SOON, '... at once');

# ---- nothing is left ----

$proxy->set;
is($session->query('SELECT count(*) FROM "t_Answer" WHERE key = \'a\''), '2000', 'the session works after all that');
my $files = open_files($session->backend);
for my $phase (@phases[ 0 .. 3 ])
{
	$session->query("SET statement_timeout = '50ms'");
	$session->error(qq(SELECT count(*) FROM "t_$phase->[0]")) for 1 .. 3;
	$session->query('RESET statement_timeout');
}

# One thread for the name that hangs, however often it was asked for.
cmp_ok(open_files($session->backend) - $files, '<=', 2, '... and has no more files open');
my @threads = glob("/proc/$session->{backend}/task/*");
cmp_ok(scalar(@threads), '<=', 3, '... nor threads, but for the name that hangs');

$_->quit for $session, $observer;
cmp_ok(seconds { $node->stop('fast') }, '<', 5, 'PostgreSQL stops');
done_testing();
