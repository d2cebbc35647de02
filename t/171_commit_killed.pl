# 171_commit_killed.pl
#	Something goes away while a COMMIT is being sent, for good: the backend, the
#	cluster, the server.  What is left must be what doc/transactions.md says,
#	and running the transaction again must complete it.
#
# To be in the middle of a COMMIT for as long as it takes, the LTDB server is
# stopped by a signal.  What goes away and comes back in time is the subject of
# 170_commit.pl.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbSession;
use LtdbTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

# More rows than there can be in the messages under way, and fewer.
my $ROWS = 5000;
my $FEW = 300;
my $BATCH = 100;

my $ltdb = LtdbTest->new(durable => 1);
my $second = LtdbTest->new(durable => 1);
my $node = start_node("restart_after_crash = on\n");
my ($session, $other);

# ---- a transaction, and what may be left of it ----

my $work = qq{
	BEGIN;
	UPDATE metrics SET data = 'new ' || ts WHERE key = 'updated';
	DELETE FROM metrics WHERE key = 'deleted';
	INSERT INTO metrics SELECT 'inserted', n, 'new ' || n FROM generate_series(1, $FEW) n;
	SELECT ltdb_kv_set('ltdb', 'metrics', 'pair', 'new');
	INSERT INTO local_log VALUES ('done');};

# Each record is as it was or as it was to be.
my $permitted = qq{
	SELECT bool_and(data = 'new ' || ts OR (key <> 'inserted' AND data = 'old ' || ts))
	AND count(*) FILTER (WHERE key = 'updated') = $ROWS
	AND count(*) FILTER (WHERE key = 'inserted') <= $FEW
	AND count(*) FILTER (WHERE key = 'deleted') <= $FEW
	AND count(*) FILTER (WHERE key NOT IN ('updated', 'inserted', 'deleted')) = 0
	AND ltdb_kv_get('ltdb', 'metrics', 'pair') IN ('old', 'new') FROM metrics};
my $begun = qq{
	SELECT bool_or(data = 'new ' || ts)
	OR count(*) FILTER (WHERE key = 'deleted') < $FEW
	OR ltdb_kv_get('ltdb', 'metrics', 'pair') = 'new' FROM metrics};
my $complete = qq{
	SELECT bool_and(data = 'new ' || ts AND key <> 'deleted') AND count(*) = $ROWS + $FEW
	AND ltdb_kv_get('ltdb', 'metrics', 'pair') = 'new' FROM metrics};

sub begin_anew
{
	$session->query(qq{
		DELETE FROM metrics;
		DELETE FROM local_log;
		INSERT INTO metrics SELECT 'updated', n, 'old ' || n FROM generate_series(1, $ROWS) n;
		INSERT INTO metrics SELECT 'deleted', n, 'old ' || n FROM generate_series(1, $FEW) n;
		SELECT ltdb_kv_set('ltdb', 'metrics', 'pair', 'old')});
	return;
}

# Sessions that the last test may have lost.
sub connect_again
{
	$node->poll_query_until('postgres', 'SELECT true');
	($session, $other) = map { LtdbSession->new($node) } 1 .. 2;
	$_->backend for $session, $other;
	return;
}

# Starts a COMMIT that does not come to its end, lets something happen, and
# returns what the COMMIT said.
sub commit_and
{
	my ($happens, $server_is_gone) = @_;

	$session->query($work);
	$ltdb->pause;
	$session->start('COMMIT');
	$other->await_waiting($session);
	$happens->();
	my $error = ($session->finish)[1];
	$ltdb->resume unless $server_is_gone;
	return $error;
}

# What a server that was stopped had received it does later.
sub await
{
	my ($condition) = @_;

	for (1 .. 500)
	{
		return 1 if $session->query($condition) eq 't';
		sleep 0.02;
	}
	return 0;
}

sub await_log
{
	my ($message) = @_;

	for (1 .. 500)
	{
		return 1 if slurp_file($node->logfile) =~ $message;
		sleep 0.02;
	}
	return 0;
}

# What must be true afterwards, whatever it was.
sub look_around
{
	my ($what, $server_was_killed) = @_;

	ok(await($begun), "$what: something was stored") unless $server_was_killed;
	is($session->query('SELECT count(*) FROM local_log'), 0, "$what: nothing is committed here");
	is($session->query($permitted), 't', '... each record there is as it was or as it was to be');
	is($session->query($complete), 'f', '... and not all as they were to be');
	is($session->error("$work COMMIT"), '', '... and the transaction can be run again');
	is($session->query($complete), 't', '... which completes it');
	return;
}

connect_again();
create_server($session, 'ltdb', $ltdb, "batch_size '$BATCH'");
create_server($session, 'second', $second);
$session->query(
	'CREATE FOREIGN TABLE metrics (key text, ts bigint, data text) SERVER ltdb;
	 CREATE FOREIGN TABLE elsewhere (key text, ts bigint, data text) SERVER second;
	 CREATE TABLE local_log (message text)');

# ---- the backend ----

for my $how (
	[ 'cancelled', 'pg_cancel_backend', qr/canceling statement due to user request/ ],
	[ 'terminated', 'pg_terminate_backend', qr/FATAL:  57P01: / ])
{
	my ($what, $function, $message) = @$how;

	begin_anew();
	my $error = commit_and(sub { $other->query("SELECT $function(" . $session->backend . ')') });
	like($error, $message, "a COMMIT can be $what");
	like($error, qr/"metrics": up to \d+ of \d+ may have been stored/, '... and says how much was sent')
	  if $what eq 'cancelled';
	connect_again() if $what eq 'terminated';
	look_around($what);
}

begin_anew();
$session->query("SET statement_timeout = '1s'");
like(commit_and(sub { }), qr/canceling statement due to statement timeout/, 'a COMMIT obeys statement_timeout');
$session->query('RESET statement_timeout');
look_around('timed out');

# the postmaster ends all other sessions, too, a little later
begin_anew();
commit_and(sub { kill 'KILL', $session->backend });
ok(await_log(qr/all server processes terminated; reinitializing/), 'a backend that is killed takes the others with it');
connect_again();
look_around('backend killed');

begin_anew();
commit_and(sub { $node->stop('fast') });
$node->start;
connect_again();
look_around('PostgreSQL stopped');

# ---- the server ----

# at a standstill, and while it stores what it receives
for my $how (sub { }, sub { $ltdb->resume })
{
	begin_anew();
	my $error = commit_and(sub { $how->(); $ltdb->kill }, 1);
	like($error, qr/ERROR:  0800[16]: LTDB server "ltdb": /, 'a COMMIT fails if the server is killed');
	like($error, qr/"metrics": up to \d+ of \d+ may have been stored/, '... and says how much was sent');
	like($session->error('SELECT count(*) FROM metrics'), qr/ERROR:  0800[16]: /, '... and so does what follows');
	$ltdb->start;
	look_around('server killed', 1);
}

# ---- records that move ----

# in the order of keys and ts, or against it
for my $move ([ 'from', q(key = 'to') ], [ 'to', q(key = 'from') ], [ 'k', 'ts = ts + 100000' ], [ 'k', 'ts = ts - 100000' ])
{
	my ($from, $set) = @$move;

	$session->query(qq{
		DELETE FROM metrics;
		INSERT INTO metrics SELECT '$from', n, n FROM generate_series(200001, 200000 + $ROWS) n;
		BEGIN; UPDATE metrics SET $set});
	$ltdb->pause;
	$session->start('COMMIT');
	$other->await_waiting($session);
	$other->query('SELECT pg_cancel_backend(' . $session->backend . ')');
	$session->finish;
	$ltdb->resume;
	is($session->query('SELECT count(DISTINCT data) FROM metrics'), $ROWS, "no record is lost that moves by $set");
}

# to another server, which is down
begin_anew();
$session->query(q{
	DELETE FROM elsewhere;
	BEGIN; WITH gone AS (DELETE FROM metrics WHERE key = 'updated' RETURNING *) INSERT INTO elsewhere SELECT * FROM gone});
$second->kill;
$session->error('COMMIT');
$second->start;
is($session->query("SELECT count(*) FROM metrics WHERE key = 'updated'"), $ROWS, 'nor one that moves to a server that is down');

# ---- one of two servers ----

for my $down ($ltdb, $second)
{
	my $first = $down == $second;
	my $there = $first ? 'elsewhere' : 'metrics';

	begin_anew();
	$session->query('DELETE FROM elsewhere');
	$session->query("$work INSERT INTO elsewhere SELECT 'k', n, n FROM generate_series(1, $ROWS) n");
	$down->kill;
	like($session->error('COMMIT'), qr/"$there": up to 0 of \d+ may have been stored|collection "$there"/,
		"a COMMIT fails if server $there is down");
	$down->start;
	is($session->query('SELECT count(*) FROM local_log'), 0, '... and nothing is committed here');
	is($session->query('SELECT count(*) FROM elsewhere'), 0, '... nor on the second server');
	is($session->query($begun), $first ? 't' : 'f', $first ? '... but on the first' : '... nor on the first');
	is($session->query($permitted), 't', '... where each record is as it was or as it was to be');
	is($session->error("$work INSERT INTO elsewhere SELECT 'k', n, n FROM generate_series(1, $ROWS) n; COMMIT"), '',
		'... and the transaction can be run again');
	is($session->query($complete) . $session->query('SELECT count(*) FROM elsewhere'), "t$ROWS",
		'... which completes it');
}

# ---- a failure that PostgreSQL finds after all was sent ----

begin_anew();
$session->query('DELETE FROM elsewhere');
$session->query("CREATE TABLE doctors (name text, on_call bool); INSERT INTO doctors VALUES ('a', true), ('b', true)");
for my $one ([ $session, 'a' ], [ $other, 'b' ])
{
	$$one[0]->query(
		"BEGIN ISOLATION LEVEL SERIALIZABLE;
		 UPDATE doctors SET on_call = false WHERE name = '$$one[1]' AND (SELECT count(*) FROM doctors WHERE on_call) > 1;
		 INSERT INTO elsewhere VALUES ('$$one[1]', 1, 'off')");
}
is($session->error('COMMIT'), '', 'of two transactions that cannot be serialized one is committed');
like($other->error('COMMIT'), qr/ERROR:  40001: /, '... and one is not');
is($session->query('SELECT count(*) FROM doctors WHERE on_call'), 1, '... here');
is($session->query('SELECT count(*) FROM elsewhere'), 2, '... but both there');

done_testing();
