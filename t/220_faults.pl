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
my $CONNECT_TIMEOUT_SEC = 0.4;
my $REQUEST_TIMEOUT_SEC = 0.4;
my $IN_TIME_SEC = 8;

# ---- the operations ----
#
# sql		what is done
# rows		what it shows
# check		what the server has then, asked for on a connection without faults;
#			of a statement that has failed, that or what was there before

my $untouched = '30|4515|90';
my $state = "SELECT count(*), sum(ts), sum(length(data)) FROM direct_%s";
my %operations = (
	scan => {
		sql => "SELECT count(*), sum(ts), string_agg(DISTINCT key, ',' ORDER BY key) FROM t_scan",
		rows => '30|4515|a,b,c'
	},
	ordered => {
		sql => "SELECT key, ts, data FROM t_ordered WHERE key >= 'b' ORDER BY key, ts LIMIT 3",
		rows => "b|101|xyz\nb|102|xyz\nb|103|xyz"
	},
	lookup => { sql => "SELECT data FROM t_lookup WHERE key = 'b' AND ts = 105", rows => 'xyz' },
	absent => { sql => "SELECT data FROM t_absent WHERE key = 'b' AND ts = 5", rows => '' },
	join => {
		sql => "SELECT l.k, count(*) FROM (VALUES ('a'), ('c')) l (k) JOIN t_join t ON t.key = l.k GROUP BY 1 ORDER BY 1",
		rows => "a|10\nc|10"
	},
	latest => { sql => "SELECT key, extract(epoch FROM ts)::int FROM ltdb_latest('s_latest', 'latest') ORDER BY key", rows => "a|10\nb|110\nc|345" },
	distinct => {
		sql => 'SELECT DISTINCT ON (key) key, ts FROM t_distinct ORDER BY key, ts DESC',
		rows => "a|10\nb|110\nc|345"
	},
	kv_get => { sql => "SELECT ltdb_kv_get('s_kv_get', 'kv_get', 'unit')", rows => 'm' },
	kv_all => { sql => "SELECT * FROM ltdb_kv_all('s_kv_all', 'kv_all') ORDER BY key", rows => "place|there\nunit|m" },
	kv_keys => { sql => "SELECT * FROM ltdb_kv_keys('s_kv_keys', 'kv_keys') ORDER BY 1", rows => "place\nunit" },
	collections => {
		sql => "SELECT c FROM ltdb_collections('s_collections') c WHERE c = 'collections'",
		rows => 'collections'
	},
	import => {
		sql => "IMPORT FOREIGN SCHEMA ltdb LIMIT TO (import) FROM SERVER s_import INTO imported;
			SELECT count(*) FROM pg_foreign_table WHERE ftrelid = to_regclass('imported.import');
			DROP FOREIGN TABLE imported.import",
		rows => '1'
	},
	analyze => {
		sql => "ANALYZE t_analyze; SELECT n_distinct FROM pg_stats WHERE tablename = 't_analyze' AND attname = 'key'",
		rows => '3'
	},
	insert => {
		sql => "INSERT INTO t_insert SELECT 'd', n, 'new' FROM generate_series(1, 20) n",
		rows => '', check => '50|4725|150'
	},
	immediate => {
		sql => "INSERT INTO t_immediate SELECT 'd', n, 'new' FROM generate_series(1, 20) n",
		rows => '', check => '50|4725|150', partial => 1
	},
	copy => {
		sql => "COPY t_copy FROM PROGRAM 'echo d,1,new'  (FORMAT csv)", rows => '', check => '31|4516|93'
	},
	update => { sql => "UPDATE t_update SET data = 'changed' WHERE key = 'a'", rows => '', check => '30|4515|130' },
	delete => { sql => "DELETE FROM t_delete WHERE key = 'b'", rows => '', check => '20|3460|60' },
	erase => { sql => "DELETE FROM t_erase WHERE ts > 105", rows => '', check => '15|570|45' },
	truncate => { sql => 'TRUNCATE t_truncate', rows => '', check => '0||' },
	kv_set => {
		sql => "SELECT ltdb_kv_set('s_kv_set', 'kv_set', 'unit', 'km')", rows => '',
		state => "SELECT ltdb_kv_get('direct', 'kv_set', 'unit')", before => 'm', check => 'km'
	},
	delete_key => { sql => "SELECT ltdb_delete_key('s_delete_key', 'delete_key', 'a')", rows => '', check => '20|4460|60' },
	delete_collection => {
		sql => "SELECT ltdb_delete_collection('s_delete_collection', 'delete_collection')", rows => '', check => '0||'
	},
	transaction => {
		sql => "BEGIN; INSERT INTO t_transaction VALUES ('d', 1, 'new'); DELETE FROM t_transaction WHERE key = 'a';
			SELECT count(*) FROM t_transaction; COMMIT",
		rows => '21', check => '21|4461|63'
	});
my @names = sort keys %operations;

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
	[ 'byte by byte', { trickle => 1 }, 'rows' ],
	[ 'slow', { delay_ms => 20 }, 'rows' ],

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
		'a truncated frame', 'a reserved opcode', 'a reserved bit', 'a continuation of nothing', 'an impossible frame', 'garbage'),
	[ 'a huge frame', { answer => 'a huge frame' }, "08006 $malformed" ],
	[ 'a masked frame', { answer => 'a masked frame' }, "08006 $malformed" ],
	[ 'a binary frame', { answer => 'a binary frame' }, "rows 08006 $malformed" ]);

# ---- everybody in place ----

my $ltdb = LtdbTest->new;
my $proxy = LtdbFaults->new($ltdb->{port}, scalar @names);
my $node = start_node();
my $direct = LtdbSession->new($node);

create_server($direct, 'direct', $ltdb);
$direct->query('CREATE SCHEMA imported');
for my $i (0 .. $#names)
{
	my $name = $names[$i];
	my $options = $name eq 'immediate' ? "OPTIONS (collection '$name', write_mode 'immediate')" : "OPTIONS (collection '$name')";

	# A connection for each transaction, so that each meets a fault on its way.
	$direct->query(
		"CREATE SERVER s_$name FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'ws://127.0.0.1:$proxy->{ports}[$i]',
			connect_timeout '$CONNECT_TIMEOUT_SEC', request_timeout '$REQUEST_TIMEOUT_SEC', keep_connections 'false');
		 CREATE USER MAPPING FOR CURRENT_USER SERVER s_$name OPTIONS (api_key " . quoted($LtdbdWire::KEY) . ");
		 CREATE FOREIGN TABLE t_$name (key text, ts bigint, data text) SERVER s_$name $options;
		 CREATE FOREIGN TABLE direct_$name (key text, ts bigint, data text) SERVER direct OPTIONS (collection '$name')");
}
my %sessions = map { $_ => LtdbSession->new($node) } @names;
$_->backend for values %sessions;

# What each operation finds.
sub fill
{
	my ($name) = @_;

	return "DELETE FROM direct_$name;
		INSERT INTO direct_$name SELECT k, n * m, 'xyz' FROM generate_series(1, 10) n, (VALUES ('a', 1)) v (k, m);
		INSERT INTO direct_$name SELECT 'b', 100 + n, 'xyz' FROM generate_series(1, 10) n;
		INSERT INTO direct_$name SELECT 'c', 344 + (n - 10), 'xyz' FROM generate_series(2, 11) n;
		SELECT ltdb_kv_set('direct', '$name', 'unit', 'm');
		SELECT ltdb_kv_set('direct', '$name', 'place', 'there')";
}

# ---- the product ----

my (%count, @broken, $slowest);
my $began = time;

# Does everything at once; what each session printed, complained of and took.
sub do_all
{
	my %result;
	my $start = time;

	$sessions{$_}->start($operations{$_}{sql}) for @names;
	for my $name (@names)
	{
		my ($out, $err) = $sessions{$name}->finish;
		$result{$name} = { out => $out, err => $err, took => time - $start };
	}
	return \%result;
}

sub is_state
{
	my ($name) = @_;
	my $operation = $operations{$name};

	return $direct->query($operation->{state} // sprintf($state, $name));
}

sub judge
{
	my ($fault, $name, $result, $allowed) = @_;
	my $operation = $operations{$name};
	my @complaints = $result->{err} =~ /\b(?:ERROR|FATAL|PANIC|WARNING):  (\w+): (.*)/g;
	my $states = join(' ', grep { /^\w{5}$/ } @complaints[ grep { $_ % 2 == 0 } 0 .. $#complaints ]);
	my $flaw;

	# WARNINGs tell of writes that cannot be taken back.
	$states =~ s/\b01000\b ?//g;
	my $before = $operation->{before} // $untouched;
	my $reached = defined $operation->{check} ? is_state($name) : undef;
	if ($result->{err} eq '')
	{
		$flaw = 'succeeded' unless $allowed =~ /\brows\b/;
		$flaw //= "rows: $result->{out}" if $result->{out} ne $operation->{rows};
		$flaw //= "state: $reached" if defined $reached && $reached ne $operation->{check};
		$count{rows}++;
	}
	else
	{
		my @errors = $result->{err} =~ /\b(?:ERROR|FATAL|PANIC):/g;
		# A transaction that has failed is no error of its other statements.
		$flaw = "not one error: $result->{err}" if @errors != 1 && $name ne 'transaction' && $name ne 'import';
		my ($first) = $result->{err} =~ /\b(?:ERROR|FATAL|PANIC):  (\w{5}): /;
		$flaw //= "unexpected: $result->{err}"
		  unless defined $first && grep { $_ eq $first } split / /, $allowed;
		$flaw //= "anonymous: $result->{err}" unless $result->{err} =~ /ERROR:  \w+: LTDB server "s_$name": /;
		$count{$first // 'none'}++;
	}
	$flaw //= sprintf('took %.1f s', $result->{took}) if $result->{took} > $IN_TIME_SEC;
	push @broken, "$name / $fault: $flaw" if $flaw;
	return;
}

# Sockets, pipes and the like; PostgreSQL keeps files of its own open.
sub sockets
{
	my ($name) = @_;

	return scalar grep { (readlink($_) // '') =~ /^(socket|pipe|anon_inode):/ }
	  glob('/proc/' . $sessions{$name}->backend . '/fd/*');
}

my ($sockets, $memory);
$direct->query(fill($_)) for @names;
for my $case ([ 'no fault', {}, 'rows' ], @faults)
{
	my ($fault, $options, $allowed) = @$case;
	my $flaws = @broken;

	$proxy->set(%$options);
	my $results = do_all();
	my $seen = $proxy->seen;
	judge($fault, $_, $results->{$_}, $allowed) for @names;
	if ($options->{answer} && ($options->{after} // 1) == 1)
	{
		my @spared = grep { !$seen->[$_]{faults} } 0 .. $#names;
		push @broken, "$fault: met by all but @names[@spared]" if @spared;
	}

	# ... and again without: this must work, whatever has happened.
	$proxy->set;
	my @writers = grep { defined $operations{$_}{check} } @names;
	$direct->query(join(';', 'SELECT 1', map { fill($_) } @writers));
	$sessions{$_}->error('ROLLBACK; DROP FOREIGN TABLE IF EXISTS imported.import') for qw(transaction import);
	$results = do_all();
	judge("after $fault", $_, $results->{$_}, 'rows') for @names;
	$direct->query(join(';', 'SELECT 1', map { fill($_) } @writers));
	is(@broken - $flaws, 0, $fault) or diag(map { "$_\n" } @broken[ $flaws .. $#broken ]);

	# The first rounds load what they need.
	if ($fault eq 'cut in an answer, once')
	{
		$sockets = { map { $_ => sockets($_) } @names };
		$memory = { map { $_ => memory_peak($sessions{$_}->backend) } @names };
	}
}
note(sprintf('%d faults, %d operations, %.0f s: %s', scalar @faults, scalar @names, time - $began,
	join(', ', map { "$_ $count{$_}" } sort keys %count)));

# ---- nothing is left behind ----

is_deeply({ map { $_ => sockets($_) } @names }, $sockets, 'no session has more sockets open');
my @grown = grep { memory_peak($sessions{$_}->backend) - $memory->{$_} > 8 } @names;
is("@grown", '', '... or much more memory');
$_->quit for values %sessions, $direct;
ok($ltdb->await_open(0), '... and ltdbd has no connection left')
  or diag(join("\n", grep { defined } (split /\n/, LtdbdWire::server_log($ltdb->{server}))[ -20 .. -1 ]));
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|was terminated/, 'no process has crashed');
done_testing();
