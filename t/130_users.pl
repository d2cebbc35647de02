# 130_users.pl
#	Whose api key is used: views, functions, roles and PUBLIC; and that no key
#	is ever shown.
#
# alice has a right key, bob a wrong one, so that what works tells who it was
# done as.  How connections come and go is 120_sessions.pl's subject.
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

my $WRONG = 'not-the-secret-key';
my $ltdb = LtdbTest->new;

# Everything the extension can say is in the log; no statement that sets a key.
my $node = start_node("log_min_messages = debug5\nlog_min_error_statement = panic\n");
my $session = LtdbSession->new($node);
my $observer = LtdbSession->new($node);

# What sessions have seen, to search it for keys at the end.
my $shown = '';

sub rows
{
	my ($sql) = @_;
	my $rows = $session->query($sql);

	$shown .= $rows;
	return $rows;
}

sub complaint
{
	my ($sql) = @_;
	my $error = $session->error("$sql;\n\\errverbose");

	$shown .= $error;
	return $error;
}

my $key = quoted($LtdbdWire::KEY);
$session->query(
	"CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE carol; CREATE ROLE dave;
	 GRANT CREATE ON SCHEMA public TO alice;
	 CREATE SERVER ltdb FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url '" . $ltdb->url . "');
	 CREATE USER MAPPING FOR alice SERVER ltdb OPTIONS (api_key $key);
	 CREATE USER MAPPING FOR bob SERVER ltdb OPTIONS (api_key '$WRONG');
	 GRANT USAGE ON FOREIGN SERVER ltdb TO alice;
	 SET ROLE alice;
	 CREATE FOREIGN TABLE metrics (key text, ts bigint, data text) SERVER ltdb;
	 CREATE VIEW shown AS SELECT * FROM metrics WHERE key = 'a';
	 GRANT SELECT, INSERT, DELETE ON metrics, shown TO bob, carol, dave");

# ---- the session's own user ----

rows("INSERT INTO metrics VALUES ('a', 1, 'one'), ('b', 1, 'two')");
is(rows('SELECT count(*) FROM metrics'), '2', 'the right key works');
$session->query('SET ROLE bob');
for my $sql (
	'SELECT * FROM metrics',
	"INSERT INTO metrics VALUES ('a', 9, 'x')",
	"DELETE FROM metrics WHERE key = 'a'")
{
	like(complaint($sql), qr/ERROR:  28000: /, "the wrong key does not: $sql");
}
$session->query('SET ROLE carol');
like(complaint('SELECT * FROM metrics'), qr/ERROR:  42704: user mapping not found for (?:user )?"carol"/,
	'nor does none');

# A plan that was made for another role.
$session->query('SET ROLE alice; SET plan_cache_mode = force_generic_plan;
	 PREPARE p AS SELECT count(*) FROM metrics');
is(rows('EXECUTE p'), '2', 'a prepared statement uses the key of its user');
$session->query('SET ROLE bob');
like(complaint('EXECUTE p'), qr/ERROR:  28000: /, '... whoever that is');

# ---- views ----

is(rows('SELECT data FROM shown'), 'one', "a view uses its owner's key to read");
is(rows("INSERT INTO shown VALUES ('a', 2, 'by bob') RETURNING data"), 'by bob', '... to insert');
is(rows("DELETE FROM shown WHERE ts = 1 RETURNING data"), 'one', '... and to delete');
like(complaint('SELECT * FROM shown JOIN metrics USING (ts)'), qr/ERROR:  28000: /,
	'... and has no effect on what stands beside it');
is(rows('SELECT count(*) FROM shown x JOIN shown y USING (ts)'), '1', 'a view twice');
SKIP:
{
	skip 'no security_invoker before PostgreSQL 15', 1
	  if $session->query("SELECT current_setting('server_version_num')::int < 150000") eq 't';
	$session->query('SET ROLE alice; CREATE VIEW invoked WITH (security_invoker) AS SELECT * FROM metrics;
		 GRANT SELECT ON invoked TO bob; SET ROLE bob');
	like(complaint('SELECT * FROM invoked'), qr/ERROR:  28000: /,
		"a security_invoker view uses the user's key");
}

# ---- functions ----

$session->query(
	q{SET ROLE alice;
	  CREATE FUNCTION as_owner(ts bigint) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
		INSERT INTO metrics VALUES ('a', as_owner.ts, 'by function');
		SELECT ltdb_kv_set('ltdb', 'metrics', 'pair', 'by function');
		SELECT data || ', ' || ltdb_kv_get('ltdb', 'metrics', 'pair') FROM metrics
			WHERE key = 'a' AND ts = as_owner.ts;
	  $$;
	  CREATE FUNCTION as_caller() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM metrics';
	  SET ROLE bob});
is(rows('SELECT as_owner(3)'), 'by function, by function', "a SECURITY DEFINER function uses its owner's key");
like(complaint('SELECT as_caller()'), qr/ERROR:  28000: /, "another one its caller's");

my @functions = (
	"ltdb_collections('ltdb')", "ltdb_latest('ltdb', 'metrics')",
	"ltdb_kv_get('ltdb', 'metrics', 'pair')", "ltdb_kv_keys('ltdb', 'metrics')",
	"ltdb_kv_all('ltdb', 'metrics')", "ltdb_kv_set('ltdb', 'metrics', 'pair', 'x')",
	"ltdb_kv_delete('ltdb', 'metrics', 'pair')", "ltdb_delete_key('ltdb', 'metrics', 'a')",
	"ltdb_delete_collection('ltdb', 'metrics')");
for my $function (grep { /delete/ } @functions)
{
	like(complaint("SELECT $function"), qr/ERROR:  42501: permission denied for function/,
		"PUBLIC must not call $function");
}
$session->query(
	'RESET ROLE;
	 GRANT EXECUTE ON FUNCTION ltdb_kv_delete, ltdb_delete_key, ltdb_delete_collection TO bob;
	 SET ROLE bob');
for my $function (@functions)
{
	like(complaint("SELECT $function"), qr/ERROR:  42501: permission denied for foreign server ltdb/,
		"USAGE on the server is needed for $function");
}
$session->query('RESET ROLE; GRANT USAGE ON FOREIGN SERVER ltdb TO bob, carol, dave; SET ROLE bob');
for my $function (@functions)
{
	like(complaint("SELECT $function"), qr/ERROR:  28000: /, "... and then the own key is used for $function");
}
$session->query('SET ROLE carol');
like(complaint("SELECT $functions[0]"), qr/ERROR:  42704: user mapping not found for (?:user )?"carol"/,
	'a user without a mapping cannot call a function');
like(complaint('IMPORT FOREIGN SCHEMA ltdb FROM SERVER ltdb INTO pg_temp'),
	qr/ERROR:  42704: user mapping not found for (?:user )?"carol"/, '... nor import');
$session->query('SET ROLE alice');
is(rows("SELECT $functions[0]"), 'metrics', 'one with a mapping can');
is(rows("SELECT $functions[2]"), 'by function', '... and nothing was changed by the others');

# ---- PUBLIC ----

$session->query("RESET ROLE; CREATE USER MAPPING FOR PUBLIC SERVER ltdb OPTIONS (api_key $key); SET ROLE carol");
my $opened = $ltdb->connections->{opened};
is(rows('SELECT count(*) FROM metrics'), '3', "PUBLIC's mapping is for who has none");
$session->query('SET ROLE dave');
is(rows("SELECT $functions[0]"), 'metrics', '... for everybody');
is($ltdb->connections->{opened} - $opened, 1, '... on one connection, as it is one mapping');
$session->query('SET ROLE bob');
like(complaint('SELECT * FROM metrics'), qr/ERROR:  28000: /, '... but not for who has one');
$session->query('RESET ROLE; DROP USER MAPPING FOR PUBLIC SERVER ltdb; SET ROLE carol');
like(complaint('SELECT * FROM metrics'), qr/ERROR:  42704: /, 'it can be taken back');
$session->query("RESET ROLE; CREATE USER MAPPING FOR carol SERVER ltdb; SET ROLE carol");
like(complaint('SELECT * FROM metrics'), qr/ERROR:  HV002: user mapping for server "ltdb" has no api key/,
	'a mapping without a key is an error of its own');

# ---- no key is shown ----

$session->query('RESET ROLE; SET client_min_messages = debug5; SET ROLE alice');
complaint('SELECT count(*) FROM metrics');
rows('EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS) SELECT * FROM metrics');
rows("EXPLAIN (VERBOSE) INSERT INTO metrics VALUES ('a', 1, 'x')");
rows('SELECT * FROM ltdb_fdw_get_connections(); SELECT * FROM ltdb_fdw_stats');
rows("SELECT ltdb_kv_set('ltdb', 'metrics', 'pair', 'again')");
rows('SELECT * FROM pg_stat_activity');
rows('SELECT * FROM pg_prepared_statements; SELECT * FROM pg_foreign_server');
like(complaint('SELECT * FROM pg_user_mapping'), qr/ERROR:  42501: /, 'keys are for superusers to see');
$session->query('SET ROLE bob');
complaint('SELECT count(*) FROM metrics');

# This view shows everybody their own.
$session->query('SET ROLE carol');
is(rows("SELECT count(*) FROM pg_user_mappings WHERE srvname = 'ltdb'"), '3', 'all mappings are known');
rows('SELECT * FROM pg_user_mappings');
$session->query('RESET ROLE');
for my $bad ("$WRONG\n$WRONG", "$WRONG\r")
{
	my $options = "OPTIONS (SET api_key " . quoted($bad) . ')';
	my $error = $session->error("ALTER USER MAPPING FOR bob SERVER ltdb $options");
	like($error, qr/ERROR:  HV00/, 'a key with a line break is refused');
	$shown .= $error =~ s/^.*?STATEMENT:.*//sr;
}
$ltdb->restart;
rows("SET ROLE alice; SELECT ltdb_collections('ltdb')");
$ltdb->kill;
complaint("SELECT ltdb_collections('ltdb')") for 1 .. 2;
$ltdb->start;

$session->backend;
$ltdb->pause;
$session->start('SELECT count(*) FROM metrics');
$observer->await_waiting($session);
$shown .= $observer->query('SELECT * FROM pg_stat_activity');
$shown .= slurp_file('/proc/' . $session->backend . '/cmdline');
$ltdb->resume;
$session->finish;
$shown .= LtdbdWire::server_log($ltdb->{server});
$shown .= slurp_file("/proc/$ltdb->{server}{pid}/cmdline");
$session->quit;
$observer->quit;
$node->stop;

# Any spelling of the right key has this in it.
my ($word) = $LtdbdWire::KEY =~ /(\w{5,})/;
my $log = slurp_file($node->logfile);
like($log, qr/LTDB server "ltdb": /, 'the log tells of failures');
like($shown, qr/28000: LTDB server "ltdb": /, '... and so do sessions');
for my $secret ($word, $WRONG)
{
	unlike($_->[1], qr/\Q$secret\E/, "no key in $_->[0]")
	  for [ "PostgreSQL's log", $log ], [ 'what sessions and processes show', $shown ];
}
done_testing();
