# 240_descriptors.pl
#	More foreign servers than a session may have connections: a clear error in
#	time, with which PostgreSQL itself still has files to open.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbSession;
use LtdbTest;
use Test::More;

my $SERVERS = 30;

my $ltdb = LtdbTest->new;
my $node = start_node("max_files_per_process = 64\n");
my $session = LtdbSession->new($node);

for my $i (1 .. $SERVERS)
{
	create_server($session, "s$i", $ltdb);
	$session->query("CREATE FOREIGN TABLE t$i (key text, ts bigint, data text) SERVER s$i OPTIONS (collection 'c')");
}
$session->query("INSERT INTO t1 VALUES ('a', 1, 'x')");

my $error = $session->error(join(';', 'BEGIN', map { "SELECT data FROM t$_" } 1 .. $SERVERS));
my ($first) = split /\n/, $error;
like($first, qr/ERROR:  08001: LTDB server "s\d+": could not connect: too many open files/, 'there is a limit');
like($error, qr/HINT:  Raise max_files_per_process/, '... and what to do about it');
$session->query('ROLLBACK');
is($session->query('SELECT data FROM t1'), 'x', 'connections that are open can be used');
is($session->query('SELECT count(*) > 400 FROM pg_class'), 't', 'PostgreSQL finds its own files');

$session->query(join(';', map { "ALTER SERVER s$_ OPTIONS (ADD keep_connections 'false')" } 1 .. $SERVERS));
is($session->query(join(';', map { "SELECT data FROM t$_" } 1 .. $SERVERS)), join("\n", ('x') x $SERVERS),
	'one after the other, there is no limit');
$session->query("ALTER SERVER s1 OPTIONS (SET url 'ws://127.0.0.1:1')");
$session->error('SELECT data FROM t1') for 1 .. 50;
is($session->query('SELECT data FROM t2'), 'x', 'failed attempts count for none');

$session->quit;
$node->stop;
done_testing();
