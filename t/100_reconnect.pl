# 100_reconnect.pl
#	A session whose ltdbd goes away: what it does not notice, what it reports,
#	and that it comes back.
#
# A server that is there but does not answer is 110_cancel.pl's subject.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbSession;
use LtdbTest;
use Test::More;

my $RECORDS = 20_000;
my $FETCHED = 7_000;

my $ltdb = LtdbTest->new(durable => 1);
my $node = start_node();
my $session = LtdbSession->new($node);

# Pages of a thousand, so that a scan is in the middle of many requests.
create_server($session, 'ltdb', $ltdb, q(fetch_size '1000'));
$session->query(
	'CREATE FOREIGN TABLE metrics (key text, ts bigint, data text) SERVER ltdb;
	 CREATE FOREIGN TABLE kept (key text, ts bigint, data text) SERVER ltdb');

# ---- killed and restarted between statements ----

$session->query(
	"INSERT INTO metrics SELECT 'a', n, 'value ' || n FROM generate_series(1, $RECORDS) n;
	 INSERT INTO metrics SELECT 'b', n, 'other ' || n FROM generate_series(1, $RECORDS) n;
	 INSERT INTO kept SELECT 'k', n, n FROM generate_series(1, 10) n;
	 DELETE FROM kept WHERE ts <= 4;
	 SELECT ltdb_kv_set('ltdb', 'kept', 'pair', 'value')");
$ltdb->restart;
my $all = 'SELECT key, count(*), min(ts), max(ts), sum(ts) FROM metrics GROUP BY key ORDER BY key';
my $sum = $RECORDS * ($RECORDS + 1) / 2;
is($session->query($all), "a|$RECORDS|1|$RECORDS|$sum\nb|$RECORDS|1|$RECORDS|$sum",
	'a SELECT does not notice a restart, and every inserted row is there');
is($session->query('SELECT count(*), min(ts) FROM kept'), '6|5', 'deleted rows stay deleted');
is($session->query("SELECT ltdb_kv_get('ltdb', 'kept', 'pair')"), 'value', 'a pair stays');
$ltdb->restart;
is($session->error("INSERT INTO kept VALUES ('k', 11, 'new')"), '',
	'an INSERT does not notice a restart');
$ltdb->restart;
is($session->error("DELETE FROM kept WHERE key = 'k' AND ts = 5"), '',
	'a DELETE does not notice a restart');
$ltdb->restart;
is($session->query("SELECT ltdb_kv_get('ltdb', 'kept', 'pair')"), 'value',
	'a function does not notice a restart');
$session->query('BEGIN; SELECT count(*) FROM kept');
$ltdb->restart;
is($session->query("INSERT INTO kept VALUES ('k', 12, 'new'); COMMIT; SELECT count(*) FROM kept"),
	'7', 'nor does a transaction that goes on');

# ---- killed and not restarted ----

$ltdb->kill;
for my $case (
	[ 'SELECT',     'SELECT count(*) FROM kept' ],
	[ 'INSERT',     q(INSERT INTO kept VALUES ('k', 13, 'lost')) ],
	[ 'a function', q(SELECT ltdb_kv_get('ltdb', 'kept', 'pair')) ])
{
	my ($name, $sql) = @$case;
	my $error;
	my $took = seconds { $error = $session->error($sql) };

	like($error, qr/ERROR:  (08006|08001): LTDB server "ltdb": /, "$name without a server is an error");
	is(() = $error =~ /ERROR/g, 1, '... one');
	cmp_ok($took, '<', 5, '... and a soon one');
}
$ltdb->start;
is($session->query('SELECT count(*) FROM kept'), '7', 'the session works when the server is back');

# ---- killed in the middle of a scan ----

# Reads the first rows of a scan of a key.
sub begin_scan
{
	$session->query("BEGIN; DECLARE c CURSOR FOR SELECT ts, data FROM metrics WHERE key = 'a'");
	my @rows = split /\n/, $session->query("FETCH $FETCHED FROM c");
	is_deeply(\@rows, [ rows(1, $FETCHED) ], 'a scan has begun');
	return;
}

# The rows of the key from one ts to another.
sub rows
{
	my ($from, $to) = @_;

	return map { "$_|value $_" } $from .. $to;
}

begin_scan();
$ltdb->restart;
is_deeply([ split /\n/, $session->query('FETCH ALL FROM c; COMMIT') ],
	[ rows($FETCHED + 1, $RECORDS) ], 'after a restart the rest comes without gap or repeat');

begin_scan();
$ltdb->kill;
$session->start('FETCH ALL FROM c; COMMIT');
sleep(1);
$ltdb->start;
my ($out, $err) = $session->finish;
is($err, '', 'a scan waits for a server that is away');
is_deeply([ split /\n/, $out ], [ rows($FETCHED + 1, $RECORDS) ],
	'... and goes on without gap or repeat');

begin_scan();
$ltdb->kill;
like($session->error('FETCH ALL FROM c'), qr/ERROR:  08006: .*query-user/,
	'a scan whose server stays away ends with an error that names the request');
$session->query('ROLLBACK');
$ltdb->start;

# An enumeration of keys, too, begins anew without repeating any.
$session->query('BEGIN; DECLARE c CURSOR FOR SELECT key, ts FROM metrics');
$session->query('FETCH 5 FROM c');
$ltdb->restart;
my @rest = split /\n/, $session->query('FETCH ALL FROM c; COMMIT');
my %seen;
$seen{$_}++ for @rest;
is(scalar(@rest), 2 * $RECORDS - 5, 'a scan of all keys goes on after a restart');
is(scalar(keys %seen), scalar(@rest), '... and repeats none');

# ---- the api key ----

$session->query(q(ALTER USER MAPPING FOR CURRENT_USER SERVER ltdb OPTIONS (SET api_key 'wrong-secret')));
my $error = $session->error('SELECT count(*) FROM kept');
like($error, qr/ERROR:  28000: LTDB server "ltdb": /, 'a wrong api key is an error');
like($error, qr/HINT: .*api_key/, '... that says where to look');
unlike($error, qr/wrong-secret/, '... and does not show the key');
like($session->error('SELECT count(*) FROM kept'), qr/ERROR:  28000: /, 'it stays one');
$session->query('ALTER USER MAPPING FOR CURRENT_USER SERVER ltdb OPTIONS (SET api_key '
	  . quoted($LtdbdWire::KEY) . ')');
is($session->query('SELECT count(*) FROM kept'), '7', 'ALTER USER MAPPING makes the session work');

$session->quit;
$node->stop;
done_testing();
