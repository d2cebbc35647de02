# 140_volume.pl
#	Much of everything: many records, many keys, much data in one record; and
#	memory that does not grow with it.
#
# Every result is compared with a local table of the same rows.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbSession;
use LtdbTest;
use Test::More;

my $RECORDS = 300_000;
my $KEYS = 20_000;
my $MEMORY_MIB = 64;
my $LIMIT_BYTES = 16 * 1024 * 1024;

my $ltdb = LtdbTest->new(arguments => [ '--max-message-size', $LIMIT_BYTES ]);
my $node = start_node("fsync = off\nautovacuum = off\n");
my $session = LtdbSession->new($node);

create_server($session, 'ltdb', $ltdb, q(fetch_size '1000'));

# A foreign table and a local one of the same shape.
sub create_tables
{
	my ($name) = @_;

	$session->query(
		"CREATE FOREIGN TABLE $name (key text, ts bigint, data text) SERVER ltdb;
		 CREATE UNLOGGED TABLE local_$name (key text, ts bigint, data text)");
	return;
}

# What is compared of a table: counts, sums, and a sum over all contents.
sub digest
{
	my ($table) = @_;

	return $session->query(
		"SELECT key, count(*), min(ts), max(ts), sum(ts), sum(length(data)),
			sum(hashtext(ts || ' ' || data)::bigint)
		 FROM $table GROUP BY key ORDER BY key");
}

# How much more memory than before a statement of a fresh session needs, in MiB.
sub growth
{
	my ($sql) = @_;
	my $fresh = LtdbSession->new($node);
	my $pid = $fresh->backend;

	$fresh->query("SET max_parallel_workers_per_gather = 0; SET work_mem = '1MB';
		 SELECT ltdb_collections('ltdb')");
	my $before = memory_peak($pid);
	my $result = $fresh->query($sql);
	my $after = memory_peak($pid);
	$fresh->quit;
	return ($after - $before, $result);
}

# ---- many records ----

create_tables('many');
$session->query(
	"INSERT INTO local_many SELECT 'key ' || n % 3, n / 3 + 1000000, 'record number ' || n
		FROM generate_series(1, $RECORDS) n");
my $file = $node->basedir . '/half.copy';
my $half = $RECORDS / 6 + 1000000;
$session->query(
	"INSERT INTO many SELECT * FROM local_many WHERE ts < $half;
	 COPY (SELECT * FROM local_many WHERE ts >= $half) TO '$file';
	 COPY many FROM '$file'");
is(digest('many'), digest('local_many'), "$RECORDS records through INSERT ... SELECT and COPY");
is($session->query("SELECT count(*) FROM many WHERE key = 'key 1'"), $RECORDS / 3, 'of one key');
is($session->query("SELECT count(*) FROM many WHERE ts >= $half"),
	$session->query("SELECT count(*) FROM local_many WHERE ts >= $half"), 'of some time');
is($session->query('(TABLE many EXCEPT ALL TABLE local_many) LIMIT 1'), '', 'each as it was');
is($session->query("DELETE FROM many WHERE ts < $half; SELECT count(*) FROM many"),
	$session->query("DELETE FROM local_many WHERE ts < $half; SELECT count(*) FROM local_many"),
	'half of them are deleted');
is(digest('many'), digest('local_many'), '... the right half');

# ---- memory ----

# Twice the memory that may be used, in one collection.
create_tables('wide');
my $rows = 2 * $MEMORY_MIB * 1024 / 8;
my $make = "SELECT 'key ' || n % 2 AS key, n AS ts, repeat(md5(n::text), 256) AS data FROM generate_series(1, $rows) n";
$session->query("ALTER FOREIGN TABLE wide OPTIONS (ADD write_mode 'immediate')");
my ($grown) = growth("INSERT INTO wide $make");
cmp_ok($grown, '<', $MEMORY_MIB, "an INSERT with write_mode 'immediate' needs no memory for all its rows");
($grown, my $counted) = growth('SELECT count(*), sum(length(data)), sum(hashtext(data)::bigint) FROM wide');
is($counted, $session->query("SELECT count(*), sum(length(data)), sum(hashtext(data)::bigint) FROM ($make) made"),
	'large records come back whole');
cmp_ok($grown, '<', $MEMORY_MIB, '... a scan of them needs no memory for all');
($grown) = growth("DO 'DECLARE r record; BEGIN FOR r IN SELECT * FROM wide LOOP NULL; END LOOP; END'");
cmp_ok($grown, '<', $MEMORY_MIB, '... nor does one through a cursor');
($grown) = growth("COPY (TABLE wide) TO '/dev/null'");
cmp_ok($grown, '<', $MEMORY_MIB, '... or COPY');
($grown) = growth('SELECT sum((SELECT count(*) FROM wide w WHERE w.key = o.key AND w.ts = o.ts))
	FROM (SELECT key, ts FROM wide LIMIT 2000) o');
cmp_ok($grown, '<', $MEMORY_MIB, '... or many scans of one statement');

# ---- many keys ----

create_tables('keys');
$session->query(
	"INSERT INTO local_keys SELECT 'key ' || n, n, 'of ' || n FROM generate_series(1, $KEYS) n;
	 INSERT INTO keys TABLE local_keys");
is(digest('keys'), digest('local_keys'), "$KEYS keys with a record each");
is($session->query("SELECT count(*) FROM ltdb_latest('ltdb', 'keys')"), $KEYS, '... as ltdb_latest sees them');
is($session->query("SELECT count(*), min(ts) FROM keys WHERE ts > $KEYS - 10"), '10|' . ($KEYS - 9),
	'... those of a short time');
is($session->query('SELECT count(*), sum(keys.ts - l.ts) FROM keys JOIN local_keys l USING (key)'),
	"$KEYS|0", '... joined');

# ---- large data ----

create_tables('large');

# Plain data, and data of which every byte is escaped.
my %content = (plain => q('x'), quotes => q('"'), control => 'chr(1)', wide => q('€'));
my $ts = 0;
for my $bytes (1024 * 1024 - 200 .. 1024 * 1024 - 196, 1024 * 1024, 8 * 1024 * 1024)
{
	$ts++;
	$session->query("INSERT INTO local_large VALUES ('a', $ts, repeat('x', $bytes))");
}
for my $name (sort keys %content)
{
	$ts++;
	$session->query("INSERT INTO local_large SELECT 'b', $ts, repeat($content{$name}, 700000)");
}
is($session->error('INSERT INTO large TABLE local_large'), '', 'large data is stored');
is(digest('large'), digest('local_large'), '... and comes back');
is($session->query('SELECT max(length(data)) FROM large'), 8 * 1024 * 1024, '... 8 MiB of it in one record');

# What the server refuses for its size: the message has at least the data.
my $fits = $LIMIT_BYTES - 1000;
is($session->error("INSERT INTO large VALUES ('c', 1, repeat('x', $fits))"), '', 'just under the limit');
for my $more (0, 1, 1000, 1_000_000)
{
	my $error;
	my $took = seconds {
		$error = $session->error("INSERT INTO large VALUES ('c', 2, repeat('x', $LIMIT_BYTES + $more))");
	};
	like($error, qr/ERROR:  HV000: LTDB server "ltdb": .*insert of 1 record/,
		"$more over the limit: an error that names the request");
	cmp_ok($took, '<', 10, '... soon');
	is($session->query("SELECT ts, length(data) FROM large WHERE key = 'c'"), "1|$fits",
		'... that stores nothing, and the session works');
}

$session->quit;
$node->stop;
done_testing();
