# 240_encodings.pl
#	Databases of other encodings than LTDB's UTF-8: what fits is converted both
#	ways, what does not is an error.
#
# The test speaks UTF-8 with everybody; what the databases hold is PostgreSQL's
# business.  Texts that are no texts at all are 250_hostile.pl's subject.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use Encode qw(decode encode);
use FindBin;
use lib $FindBin::RealBin;

use LtdbdWire;
use LtdbSession;
use LtdbTest;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PGCLIENTENCODING} = 'UTF8';

# A text of each encoding, and one that no text of it can be.
my %encodings = (
	UTF8      => { fits => "Gr\xc3\xb6\xc3\x9fe \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80" },
	LATIN1    => { fits => "Gr\xc3\xb6\xc3\x9fe", other => "\xe2\x82\xac" },
	EUC_JP    => { fits => "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", other => "\xf0\x9f\x98\x80" },
	SQL_ASCII => { fits => "Gr\xc3\xb6\xc3\x9fe \xe6\x97\xa5\xe6\x9c\xac" });

my $ltdb = LtdbTest->new;
my $node = start_node();
my $wire = LtdbdWire::login($ltdb->{server});

# What LTDB has of a collection and key, all in UTF-8.
sub stored
{
	my ($collection, $key) = @_;

	return encode('UTF-8', $wire->fetch(decode('UTF-8', $collection), decode('UTF-8', $key)));
}

sub records
{
	my ($collection, @records) = @_;

	$wire->request('insert',
		[ map { { collection => decode('UTF-8', $collection), key => decode('UTF-8', $_->[0]), ts => 0 + $_->[1], data => decode('UTF-8', $_->[2]) } } @records ]);
	return;
}

# An error of that kind that has all these words.
sub complains
{
	my ($session, $sql, $state, $about, @words) = @_;
	my $error = $session->error($sql);

	like($error, qr/ERROR:  $state: /, $about);
	like($error, qr/\Q$_\E/, "... which says: $_") for @words;
	is($session->query('SELECT 1'), 1, '... and the session goes on') if $error !~ /ERROR:  $state: /;
	return;
}

for my $encoding (sort keys %encodings)
{
	my ($fits, $other) = @{ $encodings{$encoding} }{qw(fits other)};
	my $database = lc $encoding;
	my $collection = "$fits/$database";

	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	my $session = LtdbSession->new($node, $database);
	note("---- $encoding");
	$session->query('CREATE EXTENSION ltdb_fdw');
	create_server($session, 'ltdb', $ltdb);
	$session->query(
		"CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection '$collection');
		 CREATE FOREIGN TABLE j (key text, ts bigint, data jsonb) SERVER ltdb OPTIONS (collection '$collection json');
		 CREATE FOREIGN TABLE f (key text, ts bigint, value text OPTIONS (field '\"$fits\".x'),
			n int OPTIONS (field 'n')) SERVER ltdb OPTIONS (collection '$collection json');
		 CREATE FOREIGN TABLE kv (key text, value text) SERVER ltdb OPTIONS (collection '$collection', kind 'kv')");

	# ---- to LTDB and back ----

	$session->query("INSERT INTO t VALUES ('$fits', 1, 'data of $fits'), ('b', 2, '$fits')");
	is(stored($collection, $fits), "1=data of $fits", 'collection, key and data reach LTDB as UTF-8');
	records($collection, [ "$fits 2", 3, "$fits\n\"\\" ]);
	is($session->query("SELECT * FROM t WHERE key = '$fits 2'"), "$fits 2|3|$fits\n\"\\", '... and come back');
	is($session->query("SELECT count(*) FROM t WHERE key IN ('b', '$fits', '$fits 3')"), 2, 'several keys');
	is($session->query("SELECT ts FROM t WHERE data LIKE '%$fits' AND key <> 'b' ORDER BY key COLLATE \"C\""), 1, 'a local condition');
	like($session->query("EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM t WHERE key = '$fits'"),
		qr/"collection": "\Q$collection\E", "key": "\Q$fits\E"/, 'EXPLAIN shows the request');
	is($session->query("SELECT key, extract(epoch FROM ts)::int FROM ltdb_latest('ltdb', '$collection') ORDER BY ts"),
		"$fits|1\nb|2\n$fits 2|3", 'latest records by the function');
	is($session->query('SELECT DISTINCT ON (key) ts FROM t ORDER BY key, ts DESC') =~ tr/\n//, 2, '... and by the planner');
	$session->query('ANALYZE t');

	# ---- JSON ----

	$session->query(qq(INSERT INTO j VALUES ('$fits', 1, '{"$fits": {"x": "<$fits>"}, "n": 7}')));
	is($session->query('SELECT value, n FROM f'), "<$fits>|7", 'a field with such a name and value');
	$session->query("UPDATE f SET value = value || '$fits', n = 8");
	is(stored("$collection json", $fits), qq(1={"n": 8, "$fits": {"x": "<$fits>$fits"}}), '... is updated')
	  or note(stored("$collection json", $fits));
	my $escaped = join('', map { sprintf('\\u%04x', $_) } unpack('n*', encode('UTF-16BE', decode('UTF-8', $fits))));
	records("$collection json", [ 'escaped', 2, qq({"$escaped": {"x": "$escaped"}}) ]);
	is($session->query("SELECT value FROM f WHERE key = 'escaped'"), $fits, 'a field with escapes');
	if ($encoding ne 'SQL_ASCII')
	{
		is($session->query("SELECT data->'$fits'->>'x' FROM j WHERE key = 'escaped'"), $fits, '... as jsonb');
	}

	# ---- pairs ----

	$session->query("SELECT ltdb_kv_set('ltdb', '$collection', '$fits', 'is $fits')");
	is(encode('UTF-8', $wire->request('get-value', { collection => decode('UTF-8', $collection), key => decode('UTF-8', $fits) })->{value}),
		"is $fits", 'a pair reaches LTDB');
	is($session->query("SELECT * FROM kv"), "$fits|is $fits", '... and is read as a table');
	is($session->query("SELECT ltdb_kv_get('ltdb', '$collection', '$fits')"), "is $fits", '... and by the function');

	# ---- writes that wait ----

	my $merged = $session->query("BEGIN;
		INSERT INTO t VALUES ('$fits', 4, 'new $fits'), ('$fits 9', 9, '$fits');
		UPDATE t SET data = data || ' $fits' WHERE key = '$fits' AND ts = 1;
		DELETE FROM t WHERE key = '$fits 2';
		INSERT INTO kv VALUES ('$fits new', '$fits');
		SELECT key, ts, data FROM t ORDER BY key COLLATE \"C\", ts;
		SELECT key, extract(epoch FROM ts)::int FROM ltdb_latest('ltdb', '$collection') ORDER BY ts;
		SELECT ltdb_kv_get('ltdb', '$collection', '$fits new')");
	my @rows = ("$fits|1|data of $fits $fits", "$fits|4|new $fits", "$fits 9|9|$fits", "b|2|$fits");
	is(join("\n", sort((split /\n/, $merged)[ 0 .. 3 ])), join("\n", sort @rows), 'a transaction sees what it writes');
	is(join("\n", (split /\n/, $merged)[ 4 .. 7 ]), "b|2\n$fits|4\n$fits 9|9\n$fits", '... also the functions');
	is(stored($collection, $fits), "1=data of $fits", '... and LTDB does not');
	$session->query('ROLLBACK');
	is($session->query('SELECT count(*) FROM t'), 3, '... nor anybody after ROLLBACK');
	$session->query("BEGIN; INSERT INTO t VALUES ('$fits', 4, 'new $fits'); SAVEPOINT a; DELETE FROM t; ROLLBACK TO a;
		UPDATE t SET key = key || '$fits' WHERE key = 'b'; COMMIT");
	is(stored($collection, $fits), "1=data of $fits 4=new $fits", 'COMMIT sends it');
	is(stored($collection, "b$fits"), "2=$fits", '... with new keys');
	$session->query("DELETE FROM t WHERE key = '$fits'");
	is(stored($collection, $fits), '', 'a whole key is erased');

	# ---- names of collections ----

	is($session->query("SELECT count(*) FROM ltdb_collections('ltdb') c WHERE c = '$collection'"), 1, 'the list of collections')
	  unless grep { $encodings{$_}{fits} ne $fits } grep { $_ lt $encoding } keys %encodings;
	$session->query("CREATE SCHEMA imported; IMPORT FOREIGN SCHEMA ltdb LIMIT TO (\"$collection json\")
		FROM SERVER ltdb INTO imported OPTIONS (fields 'infer')");
	is($session->query("SELECT \"$fits\"->>'x' FROM imported.\"$collection json\" WHERE key = '$fits'"), "<$fits>$fits",
		'a table that was imported');
	$session->quit;
}

# ---- what does not fit ----

for my $encoding (grep { $encodings{$_}{other} } sort keys %encodings)
{
	my ($fits, $other) = @{ $encodings{$encoding} }{qw(fits other)};
	my $session = LtdbSession->new($node, lc $encoding);
	my $bytes = join(' ', map { sprintf('0x%02x', $_) } unpack('C*', $other));

	my $c = 'strange/' . lc $encoding;

	note("---- $encoding, what does not fit");
	$session->query(
		"CREATE FOREIGN TABLE strange (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection '$c');
		 CREATE FOREIGN TABLE strange_key (key text, ts bigint, data text) SERVER ltdb OPTIONS (collection '$c key');
		 CREATE FOREIGN TABLE strange_json (key text, ts bigint, data jsonb) SERVER ltdb OPTIONS (collection '$c');
		 CREATE FOREIGN TABLE strange_field (key text, ts bigint, x text OPTIONS (field 'x')) SERVER ltdb OPTIONS (collection '$c');
		 CREATE FOREIGN TABLE strange_kv (key text, value text) SERVER ltdb OPTIONS (collection '$c', kind 'kv')");
	records($c, [ $fits, 1, qq({"x": "$other"}) ], [ 'good', 1, '{"x": "y"}' ]);
	records("$c key", [ $other, 1, 'x' ], [ 'good', 1, 'y' ]);
	$wire->request('set-value', { collection => $c, key => 'k', value => decode('UTF-8', $other) });

	complains($session, 'SELECT * FROM strange', '22P05', 'data that does not fit', $bytes, $encoding,
		qq(in collection "$c" with key "$fits" and ts 1));
	is($session->query("SELECT data FROM strange WHERE key = 'good'"), '{"x": "y"}', '... does not hurt others');
	is($session->query('SELECT count(*), max(ts) FROM strange'), '2|1', '... nor who does not look at it');
	complains($session, 'SELECT * FROM strange_json', '22P05', '... as jsonb', $bytes);
	complains($session, 'SELECT * FROM strange_field', '22P05', '... as a field', $bytes, qq(with key "$fits" and ts 1));
	complains($session, "UPDATE strange SET data = data || 'x'", '22P05', '... to be updated', $bytes);
	complains($session, 'SELECT * FROM strange_kv', '22P05', 'a value', $bytes, qq(with key "k" in LTDB collection "$c"));
	complains($session, "SELECT ltdb_kv_get('ltdb', '$c', 'k')", '22P05', '... by the function', $bytes,
		qq(value in LTDB collection "$c"));
	complains($session, 'SELECT count(*) FROM strange_key', '22P05', 'a key', $bytes, qq(key in LTDB collection "$c key"));
	complains($session, "SELECT * FROM ltdb_latest('ltdb', '$c key')", '22P05', '... by the function', $bytes,
		qq(key in LTDB collection "$c key"));
	complains($session, 'ANALYZE strange_key', '22P05', '... to ANALYZE', $bytes);
	is($session->query("SELECT data FROM strange_key WHERE key = 'good'"), 'y', '... does not hurt who asks for another');
	is($session->query('BEGIN; INSERT INTO strange_key VALUES (\'more\', 1, \'z\'); SELECT data FROM strange_key WHERE key = \'more\'; COMMIT'),
		'z', '... nor writes');
	complains($session, "BEGIN; INSERT INTO strange_key VALUES ('lost', 1, 'z'); SELECT count(*) FROM strange_key; COMMIT",
		'22P05', '... but reads in a transaction that has written', $bytes);
	$session->error('ROLLBACK');
	is($session->query("SELECT count(*) FROM strange_key WHERE key = 'lost'"), 0, '... which is undone');

	# the server has collections of all the other databases
	complains($session, "SELECT * FROM ltdb_collections('ltdb')", '22P05', 'the name of a collection');
	complains($session, 'CREATE SCHEMA everything; IMPORT FOREIGN SCHEMA ltdb FROM SERVER ltdb INTO everything', '22P05', '... to import');
	$session->quit;
}

# ---- what is no text ----

my $ascii = LtdbSession->new($node, 'sql_ascii');
complains($ascii, "INSERT INTO t VALUES (E'\\xff', 1, 'x')", '22021', 'a key of SQL_ASCII that is not UTF-8', '0xff');
complains($ascii, "INSERT INTO t VALUES ('a', 1, E'x\\xe4')", '22021', '... data', '0xe4');
complains($ascii, "INSERT INTO kv VALUES ('a', E'x\\xe4')", '22021', '... a value', '0xe4');
complains($ascii, "SELECT ltdb_kv_set('ltdb', E'\\xff', 'a', 'b')", '22021', '... a collection', '0xff');
is($ascii->query("SELECT count(*) FROM t WHERE key = E'\\xff'"), 0, 'no record has such a key');
is($ascii->query("SELECT count(*) FROM t WHERE key IN (E'\\xff', 'bGr\xc3\xb6\xc3\x9fe \xe6\x97\xa5\xe6\x9c\xac')"), 1, '... but others may');
$ascii->quit;

$ltdb->stop;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|was terminated/, 'no process has crashed');
done_testing();
