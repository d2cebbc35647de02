# 250_hostile.pl
#	A server that lies: an error that names what is wrong, in bounded memory, and
#	a session that goes on.
#
# The frames are sound: 220_faults.pl is about those that are not.  That the
# decoder finds every flaw, however it is cut, is left to the C tests.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbLiar;
use LtdbSession;
use LtdbTest;
use PostgreSQL::Test::Utils;
use Test::More;

# More than an error message needs.
my $MESSAGE_MAX_BYTES = 4000;

my $liar = LtdbLiar->new(PostgreSQL::Test::Utils::tempdir());
my $node = start_node();
my $session = LtdbSession->new($node);
$session->query(
	"CREATE SERVER liar FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1:$liar->{port}', request_timeout '60');
	 CREATE USER MAPPING FOR CURRENT_USER SERVER liar OPTIONS (api_key 'key');
	 CREATE SERVER small FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1:$liar->{port}', request_timeout '60',
		max_message_size '4MB');
	 CREATE USER MAPPING FOR CURRENT_USER SERVER small OPTIONS (api_key 'key');
	 CREATE FOREIGN TABLE t (key text, ts bigint, data text) SERVER liar;
	 CREATE FOREIGN TABLE j (key text, ts bigint, data jsonb) SERVER liar;
	 CREATE FOREIGN TABLE f (key text, ts bigint, x text OPTIONS (field 'x')) SERVER liar;
	 CREATE FOREIGN TABLE kv (key text, value text) SERVER liar OPTIONS (kind 'kv');
	 CREATE FOREIGN TABLE small_t (key text, ts bigint, data text) SERVER small;");

# ---- what is asked ----

my %asked = (
	'query-user' => "SELECT * FROM t WHERE key = 'k'",
	query => "SELECT * FROM ltdb_latest('liar', 'c')",
	collections => "SELECT * FROM ltdb_collections('liar')",
	'get-value' => "SELECT ltdb_kv_get('liar', 'c', 'k')",
	'get-all-keys' => "SELECT * FROM ltdb_kv_keys('liar', 'c')",
	'get-all-values' => 'SELECT * FROM kv',
	'set-value' => "SELECT ltdb_kv_set('liar', 'c', 'k', 'v')",
	insert => "INSERT INTO t VALUES ('k', 1, 'd')");

# Whether a lie is answered with an error of that kind with those words.
sub flaw_of
{
	my ($sql, $state, $words) = @_;
	my $error = $session->error($sql);

	return "no error" if $error !~ /ERROR:  /;
	return "not $state: " . substr($error, 0, 500) if $error !~ /ERROR:  $state: /;
	return "does not say $words: " . substr($error, 0, 500) if $error !~ $words;
	return 'a message of ' . length($error) . ' bytes: ' . substr($error, 0, 500) if length $error > $MESSAGE_MAX_BYTES;
	return;
}

# A lie: the members of an answer after its id.
sub is_caught
{
	my ($type, $members, $state, $words, $about, $sql) = @_;

	$liar->answer($type => ref $members ? $members : [qq({"id":"%ID%"$members})]);
	my $flaw = flaw_of($sql // $asked{$type}, $state, $words);
	ok(!defined $flaw, $about) or diag($flaw);
	return;
}

# Whether an answer is taken: the rows.
sub is_taken
{
	my ($type, $members, $sql, $rows, $about) = @_;

	$liar->answer($type => ref $members ? $members : [qq({"id":"%ID%"$members})]);
	is($session->query($sql), $rows, $about);
	return;
}

# ---- wrong types in every place ----

my %values = (
	null => 'null', boolean => 'true', integer => '7', number => '1.5', string => '"x"', array => '[]', object => '{}');

# Where a value can stand, what may stand there, and what is said otherwise.
my @places = (
	[ 'query-user', ',"records":%s', qr/^array$/, qr/member "records"/ ],
	[ 'query-user', ',"records":[%s]', qr/^$/, qr/member "records": .*(record|object)/ ],
	[ 'query-user', ',"records":[{"ts":%s,"data":"x"}]', qr/^integer$/, qr/member "records": .*integer/ ],
	[ 'query-user', ',"records":[{"ts":1,"data":%s}]', qr/^string$/, qr/member "records": .*string/ ],
	[ 'query', ',"records":%s', qr/^object$/, qr/member "records"/ ],
	[ 'query', ',"records":{"k":%s}', qr/^$/, qr/member "records": .*(record|object)/ ],
	[ 'query', ',"records":{"k":{"ts":%s,"data":"x"}}', qr/^integer$/, qr/member "records": .*integer/ ],
	[ 'query', ',"records":{"k":{"ts":1,"data":%s}}', qr/^string$/, qr/member "records": .*string/ ],
	[ 'collections', ',"collections":%s', qr/^array$/, qr/member "collections"/ ],
	[ 'collections', ',"collections":[%s]', qr/^string$/, qr/member "collections": .*string/ ],
	[ 'get-value', ',"value":%s', qr/^string$/, qr/member "value": .*string/ ],
	[ 'get-all-keys', ',"keys":%s', qr/^array$/, qr/member "keys"/ ],
	[ 'get-all-keys', ',"keys":[%s]', qr/^string$/, qr/member "keys": .*string/ ],
	[ 'get-all-values', ',"values":%s', qr/^object$/, qr/member "values"/ ],
	[ 'get-all-values', ',"values":{"k":%s}', qr/^string$/, qr/member "values": .*string/ ],
	(map { [ $_, ',"error":%s', qr/^string$/, qr/member "error": .*string/ ] } qw(query-user get-value insert)));

for my $place (@places)
{
	my ($type, $form, $right, $words) = @$place;
	my @flaws;

	for my $kind (grep { $_ !~ $right } sort keys %values)
	{
		$liar->answer($type => [ '{"id":"%ID%"' . sprintf($form, $values{$kind}) . '}' ]);
		my $flaw = flaw_of($asked{$type}, '08P01', $words);
		push @flaws, "$kind: $flaw" if defined $flaw;
	}
	is("@flaws", '', "$type with the wrong type in " . sprintf($form, '?'));
}
is_caught('query-user', ',"records":[{"ts":1}]', '08P01', qr/record without data/, 'a record without data');
is_caught('query', ',"records":{"k":{"data":""}}', '08P01', qr/record without a timestamp/, 'a record without ts');
is_caught('query-user', ',"records":{}', '08P01', qr/not an array/, 'an object for an array');

# ---- texts ----

# In data, in a key, in the name of a collection, in a value, in a name.
my @places_of_texts = (
	[ 'query-user', ',"records":[{"ts":1,"data":"%s"}]' ], [ 'query', ',"records":{"%s":{"ts":1,"data":""}}' ],
	[ 'collections', ',"collections":["%s"]' ], [ 'get-value', ',"value":"%s"' ],
	[ 'get-all-keys', ',"keys":["%s"]' ], [ 'get-all-values', ',"values":{"%s":"x"}' ],
	[ 'get-all-values', ',"values":{"x":"%s"}' ]);
my @texts = (
	[ 'a lone high surrogate', '\ud800', '08P01', qr/lone surrogate/ ],
	[ 'a lone low surrogate', 'a\udc00', '08P01', qr/lone surrogate/ ],
	[ 'two high surrogates', '\ud800\ud800', '08P01', qr/lone surrogate/ ],
	[ 'U+0000', 'a\u0000b', '22P05', qr/U\+0000/ ],
	[ 'an unknown escape', '\x', '08P01', qr/invalid escape/ ],
	[ 'half an escape', '\u12', '08P01', qr/invalid escape/ ],
	[ 'a line end', "a\nb", '08P01', qr/control character/ ],

	(map { [ "bytes $_->[0]", $_->[1], '08P01', qr/UTF-8/ ] }
		[ 'ff', "\xff" ], [ 'c0 80', "\xc0\x80" ], [ 'ed a0 80', "\xed\xa0\x80" ], [ 'f4 90 80 80', "\xf4\x90\x80\x80" ], [ 'e2 82', "\xe2\x82" ]));

for my $text (@texts)
{
	my ($name, $bytes, $state, $words) = @$text;
	my @flaws;

	for my $place (@places_of_texts)
	{
		my ($type, $form) = @$place;

		$liar->answer($type => [ '{"id":"%ID%"' . sprintf($form, $bytes) . '}' ]);
		my $flaw = flaw_of($asked{$type}, $state, $words);
		push @flaws, sprintf("$form: $flaw\n", $name) if defined $flaw;
	}
	is("@flaws", '', "$name in every place");
}
is_caught('query-user', ',"a\u0000":1,"records":[]', '08P01', qr/NUL in its name/, 'U+0000 in the name of a member');
is_caught('query', ',"records":{"a\u0000b":{"ts":1,"data":""}}', '22P05', qr/key in LTDB collection "t" contains the character U\+0000/,
	'... in a key of those to be scanned', 'SELECT count(*) FROM t');
is_caught('query-user', ',"records":[{"ts":1,"data":"{\"x\":\"a\\\\u0000\"}"}]', '22P05', qr/U\+0000|\\u0000/,
	'... in a field', "SELECT x FROM f WHERE key = 'k'");
is_caught('query-user', ',"records":[{"ts":1,"data":"\u0000"}]', '22P02', qr/json/, '... in data that should be JSON',
	"SELECT x FROM f WHERE key = 'k'");

# ---- numbers ----

is_caught('query-user', qq(,"records":[{"ts":$_->[0],"data":""}]), '08P01', $_->[1], "ts $_->[0]")
  for [ '9223372036854775808', qr/beyond 64 bits/ ], [ '-9223372036854775809', qr/beyond 64 bits/ ],
  [ '1' . '0' x 1000, qr/beyond 64 bits/ ], [ '1.0', qr/not an integer/ ], [ '1e1', qr/not an integer/ ],
  [ '01', qr/leading zero/ ], [ '-', qr/not an integer/ ], [ '+1', qr/not an integer/ ], [ 'NaN', qr/not an integer/ ],
  [ '9223372036854775807', qr/outside of the interval/ ], [ '-9223372036854775808', qr/outside of the interval/ ],
  [ '2147483648', qr/outside of the interval/ ];
is_caught('query', ',"records":{"k":{"ts":9223372036854775807,"data":""}}', '22008', qr/ts of an LTDB record is out of range/,
	'a newest record in the year 292 billion');

# ---- more, or other, than asked for ----

is_caught('query-user', ',"records":[{"ts":1,"data":""},{"ts":1,"data":""}]', '08P01', qr/out of order/, 'the same ts twice');
is_caught('query-user', ',"records":[{"ts":2,"data":""},{"ts":1,"data":""}]', '08P01', qr/out of order/, 'a ts that goes back');
is_taken('query-user', ',"records":[{"ts":1,"data":"x"},{"ts":2,"data":"y"}]', "SELECT data FROM t WHERE key = 'k' ORDER BY ts LIMIT 1", 'x',
	'of two records where one was asked for, the second is not looked at');
is_caught('query-user', $_->[0], '08P01', $_->[1], "duplicate members: $_->[0]")
  for [ ',"records":[],"records":[]', qr/duplicate/ ], [ ',"id":"1","records":[]', qr/duplicate/ ],
  [ ',"records":[{"ts":1,"ts":1,"data":""}]', qr/duplicate/ ], [ ',"records":[{"ts":1,"data":"","dat\u0061":""}]', qr/duplicate/ ],
  [ ',"x":1,"x":1,"records":[]', qr/duplicate/ ], [ ',"records":[],"x":{"a":1,"a":1}', qr/not JSON/ ];
is_caught('query', ',"records":{"k":{"ts":1,"data":""},"j":{"ts":1,"data":""},"\u006b":{"ts":1,"data":""}}', '08P01', qr/in member "records": duplicate member/,
	"a key that comes twice, $_->[0]", $_->[1])
  for [ 'to be scanned', 'SELECT count(*) FROM t' ], [ 'with its newest record', "SELECT * FROM ltdb_latest('liar', 't')" ],
  [ 'in DISTINCT ON', 'SELECT DISTINCT ON (key) * FROM t ORDER BY key, ts DESC' ];
is_caught('get-all-values', ',"values":{"k":"a","k":"b"}', '08P01', qr/in member "values": duplicate member/, 'a pair that comes twice',
	"SELECT * FROM ltdb_kv_all('liar', 't')");
is_caught('query-user', ',"records":[]' . join('', map { qq(,"m$_":0) } 1 .. 100), '08P01', qr/more than 64 unknown members/,
	'100 unknown members');

# ---- depth ----

is_caught('query-user', [ '{"id":"%ID%","x":', [ '[', 10_000 ], [ ']', 10_000 ], ',"records":[]}' ], '08P01', qr/too deeply nested/,
	'an unknown member 10,000 deep');
is_caught('query-user', [ '{"id":"%ID%","x":', [ '{"a":', 0 ] ], '08P01', qr/too deeply nested/, '... that has no end');
my @deep = ('{"id":"%ID%","records":[{"ts":1,"data":"', [ '[', 1_000_000 ], [ ']', 1_000_000 ], '"}]}');
is_taken('query-user', \@deep, "SELECT length(data) FROM t WHERE key = 'k'", 2_000_000, 'data 1,000,000 deep is a text');
is_caught('query-user', \@deep, '54001', qr/stack depth limit/, '... but not jsonb', "SELECT data FROM j WHERE key = 'k'");
is_caught('query-user', \@deep, '(54001|22P02|54000)', qr/stack|nested|json/, '... nor has it fields', "SELECT x FROM f WHERE key = 'k'");
is_caught('query-user', [ '{"id":"%ID%","records":[{"ts":1,"data":"{\"x\":', [ '[', 1_000_000 ], [ ']', 1_000_000 ], '}"}]}' ],
	'(54001|22P02|54000)', qr/stack|nested|json/, '... nor in a field', "SELECT x FROM f WHERE key = 'k'");

# ---- length ----

my $MIB = 1 << 20;
my $fresh = LtdbSession->new($node);
$fresh->backend;
$liar->answer('query-user' => [ '{"id":"%ID%","records":[{"ts":1,"data":"', [ 'x', 100 * $MIB ], '"}]}' ]);
is($fresh->query("SELECT length(data) FROM t WHERE key = 'k'"), 100 * $MIB, 'data of 100 MiB');
$fresh->quit;

# Each with a server that may take up 4 MB.
for my $case (
	[ 'data of 100 MiB', 'query-user', [ '{"id":"%ID%","records":[{"ts":1,"data":"', [ 'x', 100 * $MIB ], '"}]}' ] ],
	[ 'data without an end', 'query-user', [ '{"id":"%ID%","records":[{"ts":1,"data":"', [ 'x', 0 ] ] ],
	[ 'a ts without an end', 'query-user', [ '{"id":"%ID%","records":[{"ts":', [ ' ', 0 ] ], 'or the end' ],
	[ 'the name of a member without an end', 'query-user', [ '{"id":"%ID%","', [ 'x', 0 ] ] ],
	[ 'a message that hides its id', 'query-user', [ '{"records":[{"ts":1,"data":"', [ 'x', 0 ] ] ],
	[ 'a key without an end', 'query', [ '{"id":"%ID%","records":{"', [ 'k', 0 ] ] ],
	[ 'an acknowledgement without an end', 'insert', [ '{"id":"%ID%"', [ ' ', 0 ] ], 'or the end' ],
	[ 'an error without an end', 'query-user', [ '{"id":"%ID%","error":"', [ 'x', 0 ] ] ])
{
	my ($about, $type, $answer, $harmless) = @$case;
	my $small = LtdbSession->new($node);
	my $sql = $type eq 'insert' ? "INSERT INTO small_t VALUES ('k', 1, 'd')" : 'SELECT * FROM small_t' . ($type eq 'query' ? '' : " WHERE key = 'k'");

	$small->backend;
	$liar->answer;
	$small->query("SELECT * FROM small_t WHERE key = 'k'");
	my $before = memory_peak($small->backend);
	$liar->answer($type => $answer);
	$small->start("SET statement_timeout = '3s'; $sql");
	my $error = ($small->finish)[1];
	my $grown = memory_peak($small->backend) - $before;
	if ($harmless)
	{
		like($error, qr/ERROR:  (57014|54000): /, "$about: can be cancelled");
	}
	else
	{
		like($error, qr/ERROR:  54000: .*answer has more than 4194304 bytes.*\nHINT:  The option max_message_size /s, $about);
	}
	cmp_ok($grown, '<', 24, '... in bounded memory');
	$liar->answer;
	is($small->query("SELECT count(*) FROM small_t WHERE key = 'k'"), 0, '... and the session goes on');
	$small->quit;
}
is_caught('query-user', [ '{"id":"%ID%","error":"\u001b[31m', [ 'long', $MIB ], '"}' ], 'HV000', qr/refused the request: \?\[31mlonglong/,
	'an error text of 4 MiB is cut');
is_caught('query-user', [ '{"id":"%ID%","records":[],"x":"', [ 'x', 2 * $MIB ], '"}' ], '08P01', qr/unknown member of more than 1 MiB/,
	'an unknown member of 2 MiB');

# ---- the answer to the api key ----

$session->query('ALTER SERVER liar OPTIONS (ADD keep_connections \'false\')');
is_caught('api-key', ',"error":7', '08P01', qr/was sent the api key: malformed answer: in member "error"/, 'a malformed answer to the api key',
	$asked{'query-user'});
is_caught('api-key', ',"error":"who are you?"', '28000', qr/refused the api key: .*who are you\?/, 'an error', $asked{'query-user'});
is_caught('api-key', [ '{"id":"%ID%","', [ 'x', 0 ] ], '54000', qr/was sent the api key: .*max_message_size/s, 'an answer without an end',
	'SELECT * FROM small_t');
$session->query('ALTER SERVER liar OPTIONS (DROP keep_connections)');

# ---- keys ----

my $long = 'k' x $MIB;
$liar->answer(
	query => [qq({"id":"%ID%","records":{"$long":{"ts":1,"data":"x"}}})],
	'query-user' => ['{"id":"%ID%","records":[{"ts":1,"data":"x"}]}']);
is($session->query('SELECT length(key), ts FROM t'), "$MIB|1", 'a key of 1 MiB');
for my $case ([ 'j', '22P02', '"not JSON' ], [ 't', '08P01', '1' ], [ 'f', '22P02', '"not JSON' ])
{
	my ($table, $state, $data) = @$case;
	my $quoted = $data =~ s/^"(.*)/"$1"/r;

	$liar->answer(
		query => [qq({"id":"%ID%","records":{"$long":{"ts":1,"data":"x"}}})],
		'query-user' => [qq({"id":"%ID%","records":[{"ts":1,"data":$quoted}]})]);
	my $flaw = flaw_of("SELECT * FROM $table", $state, qr/k\.\.\./);
	ok(!defined $flaw, "... is cut in errors of $table") or diag($flaw);
}

my $many = '{"id":"%ID%","records":{' . join(',', map { qq("key$_":{"ts":1,"data":""}) } 1 .. 1_000_000) . '}}';
$liar->answer(query => [$many], 'query-user' => ['{"id":"%ID%","records":[{"ts":1,"data":"x"}]}']);
is($session->query("SELECT count(*), count(DISTINCT key) FROM ltdb_latest('liar', 'c')"), '1000000|1000000', '1,000,000 keys, by the function');
is($session->query('SELECT ts, data FROM t LIMIT 1'), '1|x', '... by a scan');
is($session->query('SELECT count(*) FROM (SELECT DISTINCT ON (key) key, ts FROM t ORDER BY key, ts DESC) q'), 1_000_000, '... the newest record of each');

# ---- afterwards ----

$liar->answer;
is($session->query("SELECT count(*) FROM t"), 0, 'the session that was lied to goes on');
$session->quit;
$liar->stop;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|was terminated/, 'no process has crashed');
done_testing();
