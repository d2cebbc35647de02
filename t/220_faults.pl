# 220_faults.pl
#	Every operation against every fault: the right rows, or one clear error of
#	the right kind in time; and the session works again afterwards.
#
# Each operation has a session and a port of the proxy of its own, so that all
# of them meet a fault at the same time.  Faults that come and go while much is
# read are 230_resume.pl's subject.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbFaults;
use LtdbSession;
use LtdbTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

# Of the foreign servers, and what a statement may take: requests one after the
# other, attempts to reconnect.
my $TIMEOUT_SEC = 0.7;
my $PATIENT_SEC = 10;
my $IN_TIME_SEC = 15;

# ---- the operations ----
#
# Of each there is one for each team: {T} is its table, {S} its foreign server,
# {C} its collection, {D} the same on a connection without faults.
#
# sql		what is done
# rows		what it shows
# check		what the server has then; of a statement that has failed, anything
#			between that and what was there before
# state		how to ask for that
# kept		what of it must be there as before, come what may
# also		tables it needs besides

my $state = 'SELECT count(*), sum(ts), sum(length(data)) FROM {D}';
my $newest = "a|10\nb|110\nc|345";
my %operations = (
	scan => {
		sql => "SELECT count(*), sum(ts), string_agg(DISTINCT key, ',' ORDER BY key) FROM {T}",
		rows => '30|4515|a,b,c'
	},
	ordered => {
		sql => "SELECT key, ts, data FROM {T} WHERE key >= 'b' ORDER BY key, ts LIMIT 3",
		rows => "b|101|xyz\nb|102|xyz\nb|103|xyz"
	},
	lookup => { sql => "SELECT data FROM {T} WHERE key = 'b' AND ts = 105", rows => 'xyz' },
	absent => { sql => "SELECT data FROM {T} WHERE key = 'b' AND ts = 5", rows => '' },
	cursor => {
		sql => "BEGIN; DECLARE c CURSOR FOR SELECT ts FROM {T} ORDER BY ts DESC; FETCH 1 FROM c; FETCH 1 FROM c; COMMIT",
		rows => "345\n344", several => 1
	},
	join => {
		sql => "SELECT l.k, count(*) FROM (VALUES ('a'), ('c')) l (k) JOIN {T} t ON t.key = l.k GROUP BY 1 ORDER BY 1",
		rows => "a|10\nc|10"
	},
	append => {
		also => 'CREATE FOREIGN TABLE {T}_more (key text, ts bigint, data text) SERVER {S} OPTIONS (collection \'{C}\')',
		sql => 'SELECT count(*), sum(ts) FROM (SELECT ts FROM {T} UNION ALL SELECT ts FROM {T}_more) u', rows => '60|9030'
	},
	estimate => {
		also => "ALTER FOREIGN TABLE {T} OPTIONS (ADD use_remote_estimate 'true')",
		sql => "SELECT count(*) FROM {T} WHERE ts > 100", rows => '20'
	},
	latest => { sql => "SELECT key, extract(epoch FROM ts)::int FROM ltdb_latest('{S}', '{C}') ORDER BY key", rows => $newest },
	distinct => { sql => 'SELECT DISTINCT ON (key) key, ts FROM {T} ORDER BY key, ts DESC', rows => $newest },
	kv_get => { sql => "SELECT ltdb_kv_get('{S}', '{C}', 'unit')", rows => 'm' },
	kv_all => { sql => "SELECT * FROM ltdb_kv_all('{S}', '{C}') ORDER BY key", rows => "place|there\nunit|m" },
	kv_keys => { sql => "SELECT * FROM ltdb_kv_keys('{S}', '{C}') ORDER BY 1", rows => "place\nunit" },
	kv_table => { sql => 'SELECT key, value FROM {T}_kv ORDER BY key', rows => "place|there\nunit|m" },
	collections => { sql => "SELECT c = '{C}' FROM ltdb_collections('{S}') c WHERE c = '{C}'", rows => 't' },
	import => {
		sql => "IMPORT FOREIGN SCHEMA ltdb LIMIT TO ({C}) FROM SERVER {S} INTO imported;
			SELECT count(*) FROM pg_foreign_table WHERE ftrelid = to_regclass('imported.{C}');
			DROP FOREIGN TABLE imported.{C}",
		rows => '1', several => 1
	},
	infer => {
		sql => "IMPORT FOREIGN SCHEMA ltdb LIMIT TO ({C}) FROM SERVER {S} INTO imported OPTIONS (fields 'infer');
			SELECT count(*) FROM pg_foreign_table WHERE ftrelid = to_regclass('imported.{C}');
			DROP FOREIGN TABLE imported.{C}",
		rows => '1', several => 1
	},
	analyze => {
		sql => "ANALYZE {T}; SELECT n_distinct FROM pg_stats WHERE tablename = '{T}' AND attname = 'key'", rows => '3',
		several => 1
	},
	insert => {
		sql => "INSERT INTO {T} SELECT 'd', n, 'new' FROM generate_series(1, 20) n", rows => '', check => '50|4725|150',
		kept => "30 data = 'xyz'"
	},
	immediate => {
		also => "ALTER FOREIGN TABLE {T} OPTIONS (ADD write_mode 'immediate')",
		sql => "INSERT INTO {T} SELECT 'd', n, 'new' FROM generate_series(1, 20) n", rows => '', check => '50|4725|150',
		kept => "30 data = 'xyz'"
	},
	copy => { sql => "COPY {T} FROM PROGRAM 'echo d,1,new' (FORMAT csv)", rows => '', check => '31|4516|93' },
	update => {
		sql => "UPDATE {T} SET data = 'changed' WHERE key = 'a'", rows => '', check => '30|4515|130',
		kept => "20 key <> 'a' AND data = 'xyz'"
	},
	delete => {
		sql => "DELETE FROM {T} WHERE key = 'b'", rows => '', check => '20|3460|60', kept => "20 key <> 'b'"
	},
	delete_some => {
		sql => 'DELETE FROM {T} WHERE ts > 105', rows => '', check => '15|570|45', kept => '15 ts <= 105'
	},
	truncate => { sql => 'TRUNCATE {T}', rows => '', check => '0||' },
	kv_set => {
		sql => "SELECT ltdb_kv_set('{S}', '{C}', 'unit', 'km')", rows => '',
		state => "SELECT ltdb_kv_get('direct', '{C}', 'unit')", check => 'km'
	},
	kv_change => {
		sql => "UPDATE {T}_kv SET value = 'km' WHERE key = 'unit'", rows => '',
		state => "SELECT ltdb_kv_get('direct', '{C}', 'unit')", check => 'km'
	},
	delete_key => {
		sql => "SELECT ltdb_delete_key('{S}', '{C}', 'a')", rows => '', check => '20|4460|60',
		kept => "20 key <> 'a'"
	},
	delete_collection => { sql => "SELECT ltdb_delete_collection('{S}', '{C}')", rows => '', check => '0||' },
	transaction => {
		sql => "BEGIN; INSERT INTO {T} VALUES ('d', 1, 'new'); DELETE FROM {T} WHERE key = 'a'; SELECT count(*) FROM {T}; COMMIT",
		rows => '21', check => '21|4461|63', several => 1, kept => "20 key <> 'a' AND data = 'xyz'"
	});
my @names = sort keys %operations;
my @writers = grep { defined $operations{$_}{check} } @names;

# ---- the faults ----
#
# What an operation may end with: rows, or SQLSTATEs.  "once" is a fault that
# each port sees once only.

my $lost = '08001 08006';
my $slow = '08001 08006';
my $malformed = '08P01';
my @faults = (
	# of the way there
	[ 'refused handshake, 401', { handshake => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" }, '08001' ],
	[ 'refused handshake, 404', { handshake => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" }, '08001' ],
	[ 'refused handshake, 500', { handshake => "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops" }, '08001' ],
	[ 'a web page', { handshake => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" }, '08001' ],
	[ 'a redirect', { handshake => "HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n" }, '08001' ],
	[ 'another protocol', { handshake => "220 mail.example.com ESMTP\r\n" }, '08001' ],
	[ 'endless headers', { handshake => "HTTP/1.1 101 Switching Protocols\r\n" . 'X-Header: value\r\n' x 10_000 }, '08001' ],
	[ 'silence', { silent => 1 }, '08001' ],
	[ 'a deaf peer', { deaf => 1 }, '08001' ],

	# of the stream; a handshake has 129 bytes, the answer to the key 10 more
	[ 'hangs up at once', { cut => 0 }, '08001' ],
	[ 'cut in the handshake', { cut => 60 }, '08001' ],
	[ 'cut behind the handshake', { cut => 130 }, '08001' ],
	[ 'cut in the answer to the key', { cut => 135 }, '08001' ],
	[ 'cut in an answer', { cut => 150 }, "rows 08006" ],
	[ 'reset in an answer', { cut => 150, reset => 1 }, "rows 08006" ],
	[ 'cut in an answer, once', { cut => 150, times => 1 }, 'rows' ],
	[ 'reset in an answer, once', { cut => 150, reset => 1, times => 1 }, 'rows' ],
	[ 'cut somewhere', { cut => 1, random => [ 142, 600 ] }, "rows 08006" ],
	[ 'end of stream in an answer, once', { half_closed => 150, times => 1 }, 'rows' ],
	[ 'stalls in the handshake', { stall => 60 }, '08001' ],
	[ 'stalls behind the handshake', { stall => 129 }, '08001' ],
	[ 'stalls in an answer', { stall => 150 }, "rows 08006" ],
	[ 'half-open in an answer', { half_open => 150 }, "rows 08006" ],
	[ 'byte by byte', { trickle => 1, patiently => 1 }, 'rows' ],
	[ 'slow', { delay_ms => 20, patiently => 1 }, 'rows' ],

	# of answers
	(map { [ "$_", { answer => $_ }, 'rows' ] }
		'twice', 'one byte to a frame, pings between', 'a ping before', 'a pong before'),
	(map { ([ $_, { answer => $_ }, '08006' ], [ "$_, later", { answer => $_, after => 2 }, "rows 08006" ]) }
		'drop', 'an empty message', 'the id of an answered request'),
	(map { ([ $_, { answer => $_ }, $malformed ], [ "$_, once", { answer => $_, times => 1 }, 'rows' ]) }
		'wrong id', 'no id', 'not JSON', 'an array', 'id of another type'),
	(map { [ $_, { answer => $_ }, "rows $malformed" ] } 'wrong types', 'wrong elements', 'nothing but the id'),

	# Who needs the first of an answer only may have got that.
	(map { [ $_, { answer => $_ }, "rows $malformed" ] } 'truncated JSON', 'more after the JSON'),
	[ 'an error', { answer => 'an error' }, 'HV000' ],
	[ 'an error without id', { answer => 'an error without id' }, 'HV000 08006' ],
	(map { ([ "close $_", { answer => "close $_" }, 'HV000' ], [ "close $_, once", { answer => "close $_", times => 1 }, 'rows' ]) }
		'', 1000, 1008, 1009, 1011, 4000),
	(map { ([ "close $_", { answer => "close $_" }, '08006' ], [ "close $_, once", { answer => "close $_", times => 1 }, 'rows' ]) }
		1001, 1012),
	(map { ([ $_, { answer => $_ }, "08006 $malformed" ], [ "$_, once", { answer => $_, times => 1 }, 'rows' ]) }
		'a reserved opcode', 'a reserved bit', 'a continuation of nothing', 'an impossible frame', 'garbage'),

	# whoever wants one record has it before the frame is found to be cut
	[ 'a truncated frame', { answer => 'a truncated frame' }, "rows 08006 $malformed" ],
	[ 'a truncated frame, once', { answer => 'a truncated frame', times => 1 }, 'rows' ],

	# of the second answer, of those who need two: what the first has brought is not lost, nor comes twice
	(map { [ "$_, second", { answer => $_, after => 2, times => 1 }, 'rows' ] }
		'wrong id', 'no id', 'not JSON', 'an array', 'a truncated frame', 'a reserved bit', 'garbage', 'close 1000', 'close 1001'),
	(map { [ "$_, second", { answer => $_, after => 2, times => 1 }, "rows $malformed" ] }
		'wrong types', 'wrong elements', 'nothing but the id', 'truncated JSON'),
	[ 'a huge frame', { answer => 'a huge frame' }, "08006 $malformed" ],
	[ 'a masked frame', { answer => 'a masked frame' }, "08006 $malformed" ],
	[ 'a binary frame', { answer => 'a binary frame' }, "rows 08006 $malformed" ]);

# ---- everybody in place ----
#
# Teams, each with a proxy, so that several faults can be tried at a time.

my $ltdb = LtdbTest->new;
my @teams = map { { number => $_, proxy => LtdbFaults->new($ltdb->{port}, scalar @names) } } 1 .. 3;
my $node = start_node("max_connections = 150\n");
my $direct = LtdbSession->new($node);

create_server($direct, 'direct', $ltdb);
$direct->query('CREATE SCHEMA imported');
for my $team (@teams)
{
	# A connection for each transaction, so that each meets a fault on its way.
	for my $i (0 .. $#names)
	{
		my $host = $team->{number} == 1 ? 'localhost' : '127.0.0.1';
		my $url = "ws://$host:$team->{proxy}{ports}[$i]";

		$direct->query(for_team($team, $names[$i],
			"CREATE SERVER {S} FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url '$url', keep_connections 'false',
				connect_timeout '$TIMEOUT_SEC', request_timeout '$TIMEOUT_SEC');
			 CREATE USER MAPPING FOR CURRENT_USER SERVER {S} OPTIONS (api_key " . quoted($LtdbdWire::KEY) . ");
			 CREATE FOREIGN TABLE {T} (key text, ts bigint, data text) SERVER {S} OPTIONS (collection '{C}');
			 CREATE FOREIGN TABLE {T}_kv (key text, value text) SERVER {S} OPTIONS (collection '{C}', kind 'kv');
			 CREATE FOREIGN TABLE {D} (key text, ts bigint, data text) SERVER direct OPTIONS (collection '{C}');"
			  . ($operations{ $names[$i] }{also} // '')));
	}
	$team->{sessions} = { map { $_ => LtdbSession->new($node) } @names };
	$_->backend for values %{ $team->{sessions} };
	$direct->query(join(';', map { fill($team, $_) } @names));
}

# SQL about one team's part of an operation.
sub for_team
{
	my ($team, $name, $sql) = @_;
	my %word = (T => 't', S => 's', C => 'c', D => 'd');

	return $sql =~ s/\{([TSCD])\}/$word{$1}_${name}_$team->{number}/gr;
}

# What each operation finds.
sub fill
{
	my ($team, $name) = @_;

	return for_team($team, $name,
		"SELECT ltdb_delete_collection('direct', '{C}');
		 INSERT INTO {D} SELECT 'a', n, 'xyz' FROM generate_series(1, 10) n
			UNION ALL SELECT 'b', 100 + n, 'xyz' FROM generate_series(1, 10) n
			UNION ALL SELECT 'c', 335 + n, 'xyz' FROM generate_series(1, 10) n;
		 SELECT ltdb_kv_set('direct', '{C}', 'unit', 'm'), ltdb_kv_set('direct', '{C}', 'place', 'there')");
}

sub set_timeouts
{
	my ($team, $sec) = @_;

	$direct->query(join(';', map { for_team($team, $_,
		"ALTER SERVER {S} OPTIONS (SET connect_timeout '$sec', SET request_timeout '$sec')") } @names));
	return;
}

# ---- the product ----

my (%count, @broken);
my $began = time;

# Each session starts its statement, and then each is waited for.
sub start_all
{
	my ($team) = @_;

	$team->{start} = time;
	$team->{sessions}{$_}->start(for_team($team, $_, $operations{$_}{sql})) for @names;
	return;
}

sub finish_all
{
	my ($team) = @_;

	for my $name (@names)
	{
		my ($out, $err) = $team->{sessions}{$name}->finish;
		$team->{result}{$name} = { out => $out, err => $err, took => time - $team->{start} };
	}
	return;
}

# What is wrong with the outcome of an operation; undef = nothing.
sub flaw
{
	my ($team, $name, $allowed) = @_;
	my $operation = $operations{$name};
	my ($out, $err, $took) = @{ $team->{result}{$name} }{qw(out err took)};

	return sprintf('took %.1f s', $took) if $took > $IN_TIME_SEC;
	if (my ($number, $condition) = ($operation->{kept} // '') =~ /^(\d+) (.*)/)
	{
		my $kept = $direct->query(for_team($team, $name, "SELECT count(*) FROM {D} WHERE $condition"));
		return "kept $kept of $number" if $kept ne $number;
	}
	if ($err !~ /\b(?:ERROR|FATAL|PANIC):/)
	{
		$count{rows}++;
		return 'succeeded' unless $allowed =~ /\brows\b/;
		return "rows: $out" if $out ne $operation->{rows};
		return unless defined $operation->{check};
		my $reached = $direct->query(for_team($team, $name, $operation->{state} // $state));
		return $reached eq $operation->{check} ? undef : "state: $reached";
	}
	my @errors = $err =~ /\b(?:ERROR|FATAL|PANIC):  (\w{5}): /g;
	$count{ $errors[0] }++;

	# Statements of a broken transaction are refused, and others go on.
	return "several errors: $err" if @errors > 1 && !$operation->{several};
	return "unexpected: $err" unless grep { $_ eq $errors[0] } split / /, $allowed;
	my $server = for_team($team, $name, '{S}');
	return "anonymous: $err" unless $err =~ /ERROR:  \w+: LTDB server "$server": /;
	return;
}

sub judge_all
{
	my ($team, $fault, $allowed) = @_;

	for my $name (@names)
	{
		my $flaw = flaw($team, $name, $allowed) // next;
		push @broken, "$name / $fault: $flaw";
	}
	return;
}

# Sockets, pipes and the like; PostgreSQL keeps files of its own open.
sub sockets
{
	my ($session) = @_;

	return scalar grep { (readlink($_) // '') =~ /^(socket|pipe|anon_inode):/ } glob('/proc/' . $session->backend . '/fd/*');
}

my @all = map { values %{ $_->{sessions} } } @teams;
my (@sockets, @memory);

# Those that take long belong together: what is once is over soon.
my @cases = (
	[ 'no fault', {}, 'rows' ],
	(grep { !$_->[1]{times} } @faults),
	(grep { $_->[1]{times} } @faults));
my $rounds = 0;
while (my @now = splice(@cases, 0, scalar @teams))
{
	my @busy = @teams[ 0 .. $#now ];
	my $flaws = @broken;

	$busy[$_]{case} = $now[$_] for 0 .. $#busy;
	for my $team (@busy)
	{
		set_timeouts($team, $PATIENT_SEC) if $team->{case}[1]{patiently};
		$team->{proxy}->set(%{ $team->{case}[1] });
		start_all($team);
	}
	for my $team (@busy)
	{
		my ($fault, $options, $allowed) = @{ $team->{case} };

		finish_all($team);
		my $seen = $team->{proxy}->seen;
		my @spared = grep { !$seen->[$_]{faults} } 0 .. $#names;
		push @broken, "$fault: met by all but @names[@spared]"
		  if @spared && %$options && ($options->{after} // 1) == 1;
		my @mute = grep { !$seen->[$_]{pongs} } 0 .. $#names;
		push @broken, "$fault: no pong from @names[@mute]" if @mute && $fault =~ /\bping/;
		judge_all($team, $fault, $allowed);
		set_timeouts($team, $TIMEOUT_SEC) if $options->{patiently};
		$team->{proxy}->set;
	}

	# ... and again without: this must work, whatever has happened.
	for my $team (@busy)
	{
		$direct->query(join(';', map { fill($team, $_) } @writers));
		$team->{sessions}{$_}->error(for_team($team, $_, 'ROLLBACK; DROP FOREIGN TABLE IF EXISTS imported.{C}'))
		  for qw(transaction cursor import infer);
		start_all($team);
	}
	for my $team (@busy)
	{
		finish_all($team);
		judge_all($team, "after $team->{case}[0]", 'rows');
		$direct->query(join(';', map { fill($team, $_) } @writers));
	}
	my @wrong = splice(@broken, $flaws);
	for my $case (@now)
	{
		my @mine = grep { /: \Q$case->[0]\E: |\/ (?:after )?\Q$case->[0]\E: |^\Q$case->[0]\E: / } @wrong;
		is(scalar @mine, 0, $case->[0]) or diag(map { "$_\n" } @mine);
	}

	# The first rounds load what they need.
	if (++$rounds == 5)
	{
		@sockets = map { sockets($_) } @all;
		@memory = map { memory_peak($_->backend) } @all;
	}
}
note(sprintf('%d faults, %d operations, %.0f s: %s', scalar @faults, scalar @names, time - $began,
	join(', ', map { "$_ $count{$_}" } sort keys %count)));

# ---- nothing is left behind ----

is_deeply([ map { sockets($_) } @all ], \@sockets, 'no session has more sockets open');
my @grown = grep { memory_peak($all[$_]->backend) - $memory[$_] > 8 } 0 .. $#all;
is("@grown", '', '... or much more memory');
$_->quit for @all, $direct;
ok($ltdb->await_open(0), '... and ltdbd has no connection left')
  or diag(join("\n", grep { defined } (split /\n/, LtdbdWire::server_log($ltdb->{server}))[ -20 .. -1 ]));
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|was terminated/, 'no process has crashed');
done_testing();
