# 170_commit.pl
#	What a transaction writes, and what becomes of it when the server or the
#	backend goes away: before the commit, in the middle of it, and after.
#
# That the write set has the right rows is the subject of sql/transactions.sql
# and sql/property_writes.sql.
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

my $ltdb = LtdbTest->new(durable => 1);
my $node = start_node();
my $session = LtdbSession->new($node);
my $other = LtdbSession->new($node);

$session->backend;

create_server($session, 'ltdb', $ltdb, q(request_timeout '2s'));
$session->query(
	'CREATE FOREIGN TABLE metrics (key text, ts bigint, data text) SERVER ltdb;
	 CREATE TABLE local_log (message text)');
my $count = 'SELECT count(*) FROM metrics';
my $both = "INSERT INTO metrics SELECT 'k', n, n FROM generate_series(1, 100) n; INSERT INTO local_log VALUES ('done')";

# ---- nobody else sees what is not committed ----

$session->query("BEGIN; $both");
is($session->query($count), 100, 'a transaction sees its own writes');
is($other->query($count), 0, 'another session does not');
$session->query('COMMIT');
is($other->query($count), 100, '... until they are committed');
$session->query("BEGIN; DELETE FROM metrics; DELETE FROM local_log");
is($session->query($count), 0, 'a transaction sees its own deletions');
is($other->query($count), 100, 'another session does not');
$session->query('ROLLBACK');
is($session->query($count), 100, 'ROLLBACK brings everything back');
$session->query('BEGIN; DELETE FROM metrics; DELETE FROM local_log; COMMIT');
is($other->query($count), 0, 'a committed deletion is seen');

# ---- no server at the commit ----

$session->query("BEGIN; $both");
$ltdb->kill;
my $error = $session->error('COMMIT');
like($error, qr/ERROR:  0800[16]: LTDB server "ltdb": /, 'a COMMIT without a server is an error');
like($error, qr/sending the transaction's writes to LTDB collection "metrics"/, '... that says what it was about');
is($session->query('SELECT count(*) FROM local_log'), 0, '... and nothing is committed here');
$ltdb->start;
is($session->query($count), 0, '... nor there');

# ---- a server that is restarted before the commit, or during it ----

$session->query("BEGIN; $both");
$ltdb->restart;
is($session->error('COMMIT'), '', 'a COMMIT does not notice a restart before it');
is($other->query($count), 100, '... and stores everything');
$session->query('DELETE FROM metrics; DELETE FROM local_log');

my $many = 200_000;
$session->query("BEGIN; INSERT INTO metrics SELECT 'k' || n % 7, n, repeat('x', 200) FROM generate_series(1, $many) n");
$session->start('COMMIT');
sleep 0.15;
$ltdb->restart;
is(($session->finish)[1], '', 'a COMMIT goes on after a restart in the middle of it');
is($other->query("$count WHERE length(data) = 200"), $many, '... and stores everything once');

# ---- a server that stops answering in the middle ----

$session->query("BEGIN; UPDATE metrics SET data = 'changed'; INSERT INTO local_log VALUES ('changed')");
$ltdb->pause;
$error = $session->error('COMMIT');
like($error, qr/ERROR:  08006: LTDB server "ltdb": /, 'a COMMIT that gets no answer is an error');
like($error, qr/up to \d+ of $many may have been stored/, '... that says how much was sent');
$ltdb->resume;
is($session->query('SELECT count(*) FROM local_log'), 0, '... and nothing is committed here');
is($other->query($count), $many, '... while each record there is as it was or as it was to be');
is($session->error("UPDATE metrics SET data = 'changed'"), '', 'doing it again is safe');
is($other->query("$count WHERE data <> 'changed'"), 0, '... and completes it');

# ---- a cancelled commit, and a backend that is killed ----

$session->query("BEGIN; DELETE FROM metrics WHERE ts <= 10; INSERT INTO local_log VALUES ('cancelled')");
$ltdb->pause;
$session->start('COMMIT');
$other->await_waiting($session);
$other->query('SELECT pg_cancel_backend(' . $session->backend . ')');
like(($session->finish)[1], qr/canceling statement due to user request/, 'a COMMIT can be cancelled');
$ltdb->resume;
is($session->query('SELECT count(*) FROM local_log'), 0, '... and nothing is committed here');

$session->query("BEGIN; INSERT INTO metrics VALUES ('killed', 1, ''); INSERT INTO local_log VALUES ('killed')");
$other->query('SELECT pg_terminate_backend(' . $session->backend . ')');
$session->quit;
$session = LtdbSession->new($node);
is($session->query("$count WHERE key = 'killed'"), 0, 'what a backend has not committed goes with it');

done_testing();
