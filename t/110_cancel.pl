# 110_cancel.pl
#	Whatever a session waits for, it stops waiting when it is told to: Ctrl-C,
#	pg_cancel_backend, statement_timeout, pg_terminate_backend, and the
#	timeouts of the foreign server.
#
# The ltdbd of this test is stopped most of the time, so that its connections
# stand and nothing is answered.  One that is gone is 100_reconnect.pl's
# subject.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IO::Socket::INET;
use LtdbSession;
use LtdbTest;
use Test::More;

my $ltdb = LtdbTest->new;
my $node = start_node();
my $session = LtdbSession->new($node);
my $observer = LtdbSession->new($node);

# Accepts connections, as far as TCP goes, and never says a word.
my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp')
  or die "listen: $!";

create_server($session, 'ltdb', $ltdb);
create_server($session, 'silent', $ltdb);
$session->query(
	"ALTER SERVER silent OPTIONS (SET url 'ws://127.0.0.1:" . $silent->sockport . "');
	 CREATE FOREIGN TABLE metrics (key text, ts bigint, data text) SERVER ltdb;
	 CREATE FOREIGN TABLE beyond (key text, ts bigint, data text) SERVER silent;
	 INSERT INTO metrics SELECT 'a', n, repeat('x', 100) FROM generate_series(1, 10000) n;
	 INSERT INTO metrics SELECT 'b', n, repeat('x', 100) FROM generate_series(1, 10000) n;
	 SELECT ltdb_kv_set('ltdb', 'metrics', 'pair', 'value')");
$session->backend;

sub works_again
{
	my ($after) = @_;

	$ltdb->resume;
	is($session->query("SELECT count(*), sum(length(data)) FROM metrics WHERE key = 'a'"),
		'10000|1000000', "the session works after $after");
	return;
}

# Ends a statement that waits: the error, and how long it took to come.
sub end_waiting
{
	my ($waiting, $sql, $how) = @_;
	my $error;

	$waiting->start($sql);
	$observer->await_waiting($waiting);
	my $took = seconds { $how->(); $error = ($waiting->finish)[1] };
	return ($error, $took);
}

# Statements that wait in different places.  What of a cancelled INSERT has
# reached the server is stored: it has a key of its own.
my %waits = (
	'SELECT of one key'  => "SELECT count(*) FROM metrics WHERE key = 'a'",
	'SELECT of all keys' => 'SELECT count(*) FROM metrics',
	'INSERT'             => "INSERT INTO metrics VALUES ('z', 1, '')",

	# more than the sockets between the two can hold
	'large INSERT' =>
	  "INSERT INTO metrics SELECT 'z', n, repeat('x', 10000) FROM generate_series(1, 10000) n",
	'DELETE'                      => "DELETE FROM metrics WHERE key = 'c'",
	'function'                    => "SELECT ltdb_kv_get('ltdb', 'metrics', 'pair')",
	'set-returning function'      => "SELECT * FROM ltdb_latest('ltdb', 'metrics')",
	'SELECT that has to connect'  => 'SELECT count(*) FROM beyond',
	'INSERT that has to connect'  => "INSERT INTO beyond VALUES ('z', 1, '')",
	'function that has to connect' => "SELECT ltdb_kv_get('silent', 'beyond', 'pair')",
	'cursor'  => 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM metrics; FETCH 1 FROM c; ROLLBACK',
	'PL/pgSQL' => q(DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM metrics LOOP NULL; END LOOP; END $$),
	'savepoint' => 'BEGIN; SAVEPOINT s; SELECT count(*) FROM metrics; ROLLBACK TO s; ROLLBACK');

# ---- pg_cancel_backend and Ctrl-C ----

for my $name (sort keys %waits)
{
	$ltdb->pause;
	my ($error, $took) = end_waiting($session, $waits{$name},
		sub { $observer->query('SELECT pg_cancel_backend(' . $session->backend . ')') });
	like($error, qr/ERROR:  57014: canceling statement due to user request/,
		"pg_cancel_backend ends: $name");
	cmp_ok($took, '<', 1, '... within a second');
	works_again($name);
}

# A psql that reads a script ends with its Ctrl-C.
for my $name ('SELECT of one key', 'large INSERT', 'function that has to connect')
{
	my $person = LtdbSession->new($node);

	$person->backend;
	$ltdb->pause;
	my ($error, $took) = end_waiting($person, $waits{$name}, sub { $person->interrupt });
	like($error, qr/ERROR:  57014: canceling statement due to user request/, "Ctrl-C ends: $name");
	cmp_ok($took, '<', 1, '... within a second');
	$ltdb->resume;
}

# ---- statement_timeout ----

for my $name (sort keys %waits)
{
	my $error;

	$ltdb->pause;
	$session->query("SET statement_timeout = '100ms'");
	my $took = seconds { $error = $session->error($waits{$name}) };
	like($error, qr/ERROR:  57014: canceling statement due to statement timeout/,
		"statement_timeout ends: $name");
	cmp_ok($took, '<', 1.1, '... within a second');
	$session->query('RESET statement_timeout');
	works_again($name);
}

# ---- the timeouts of the foreign server ----

$session->query("ALTER SERVER ltdb OPTIONS (ADD request_timeout '0.5');
	 ALTER SERVER silent OPTIONS (ADD connect_timeout '0.5')");
works_again('ALTER SERVER');
for my $name (sort keys %waits)
{
	my $connecting = $name =~ /has to connect/;
	my $expected = $connecting ? '08001' : '08006';
	my $error;

	$ltdb->pause;
	my $took = seconds { $error = $session->error($waits{$name}) };
	like($error, qr/ERROR:  $expected: LTDB server .* within 500 ms/,
		($connecting ? 'connect_timeout' : 'request_timeout') . " ends: $name");
	cmp_ok($took, '>', 0.45, '... not before its time');
	cmp_ok($took, '<', 2, '... and not long after it');
	works_again($name);
}

# A server that has stopped accepts connections, but says nothing on them.
$session->query("ALTER SERVER ltdb OPTIONS (ADD connect_timeout '0.5')");
$ltdb->pause;
like($session->error('SELECT count(*) FROM metrics'), qr/ERROR:  08001: .* within 500 ms/,
	'connect_timeout counts until the server has answered');
works_again('a new connection');

# ---- the end of the session ----

for my $name ('SELECT of all keys', 'large INSERT', 'SELECT that has to connect')
{
	my $victim = LtdbSession->new($node);
	my $pid = $victim->backend;

	$ltdb->pause;
	my ($error, $took) = end_waiting($victim, $waits{$name},
		sub { $observer->query("SELECT pg_terminate_backend($pid, 10000)") });
	like($error, qr/FATAL:  57P01: /, "pg_terminate_backend ends: $name");
	cmp_ok($took, '<', 1, '... and its process, within a second');
	$ltdb->resume;
}

# Fast shutdown waits for no server.
$ltdb->pause;
$session->start($waits{'SELECT of all keys'});
$observer->await_waiting($session);
cmp_ok(seconds { $node->stop('fast') }, '<', 5, 'PostgreSQL stops while a session waits');
done_testing();
