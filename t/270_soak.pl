# 270_soak.pl
#	Many sessions read and write for a while, and are cancelled, terminated, cut
#	and lied to, while ltdbd is killed and stopped: every answer is right, every
#	error one that was to be expected, nothing is lost, and nothing grows.
#
# Each session has keys of its own, so that what they hold is known whatever the
# others do; some records that nobody changes are read by all.  A record whose
# COMMIT failed is old or new until it is written again.
#
# scripts/soak.sh runs this for longer; LTDB_SOAK_SECONDS is for how long.
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
use Time::HiRes qw(time sleep);

my $SECONDS = $ENV{LTDB_SOAK_SECONDS} || 15;
my $SESSIONS = 6;
my $FIXED = 20_000;
my $KEYS = 3;
my $TIMES = 20;

# The first sessions are never terminated, so that their memory can be watched.
my $WATCHED = 2;

# What may be added between the warm-up and the end, in kB.
my $BACKEND_GROWTH = 4096;
my $SERVER_GROWTH = 16_384;

# An hour in one psql is no reason to give up.
$LtdbSession::TIMEOUT = 10 * $SECONDS + 600;

my $seed = $ENV{LTDB_TEST_SEED} // time;
srand $seed;
note "LTDB_TEST_SEED=$seed";

# One that is killed now and then, and one that has to last.
my $ltdb = LtdbTest->new(durable => 1);
my $steady = LtdbTest->new(durable => 1);
my @proxies = map { LtdbFaults->new($_->{port}) } $ltdb, $steady;
my $node = start_node("max_connections = 60\n");
my $admin = LtdbSession->new($node);

create_server($admin, 'direct', $ltdb);
create_server($admin, 'direct_steady', $steady);
create_server($admin, $_, $ltdb, "request_timeout '2s', connect_timeout '2s'") for 'soak', 'soak_steady';
$admin->query(
	"ALTER SERVER soak OPTIONS (SET url 'ws://127.0.0.1:$proxies[0]{port}');
	 ALTER SERVER soak_steady OPTIONS (SET url 'ws://127.0.0.1:$proxies[1]{port}');
	 CREATE FOREIGN TABLE own (key text, ts bigint, data text) SERVER soak;
	 CREATE FOREIGN TABLE own_now (key text, ts bigint, data text) SERVER soak_steady OPTIONS (write_mode 'immediate');
	 CREATE FOREIGN TABLE fixed (key text, ts bigint, data text) SERVER soak_steady OPTIONS (fetch_size '2000');
	 CREATE FOREIGN TABLE direct_own (key text, ts bigint, data text) SERVER direct OPTIONS (collection 'own');
	 CREATE FOREIGN TABLE direct_own_now (key text, ts bigint, data text) SERVER direct_steady OPTIONS (collection 'own_now');
	 CREATE FOREIGN TABLE direct_fixed (key text, ts bigint, data text) SERVER direct_steady OPTIONS (collection 'fixed');
	 INSERT INTO direct_fixed SELECT 'f' || n % 5, n, 'value ' || n FROM generate_series(1, $FIXED) n");

# ---- the model ----

# Of each session: what each of its records may be, by "key ts"; '' is none.
my @sessions = map { { number => $_, may => {} } } 0 .. $SESSIONS - 1;
my $version = 0;
my (%operations, %errors, %events, @wrong);

sub connect_session
{
	my ($s) = @_;

	$s->{psql} = LtdbSession->new($node);
	$s->{psql}->backend;
	return;
}

sub one_of
{
	return $_[ rand @_ ];
}

# Each table has keys of its own, too.
sub keys_of
{
	my ($s, $table) = @_;

	return map { "s$s->{number}$table$_" } 1 .. $KEYS;
}

sub a_key
{
	return one_of(keys_of(@_));
}

sub may_be
{
	my ($s, $name) = @_;

	return @{ $s->{may}{$name} // [''] };
}

sub unique
{
	my %seen;

	return grep { !$seen{$_}++ } @_;
}

# After a change, to be made for sure or perhaps.
sub change
{
	my ($s, $change, $for_sure) = @_;

	for my $name (keys %$change)
	{
		$s->{may}{$name} = [ unique(@{ $change->{$name} }, $for_sure ? () : may_be($s, $name)) ];
	}
	return;
}

# ---- statements that write: SQL, and what it changes ----

# What is to be, of all changes so far in a transaction.
sub to_be
{
	my ($s, $change, $name) = @_;

	return $change->{$name} ? @{ $change->{$name} } : may_be($s, $name);
}

my @writes = (
	sub {
		my ($s, $change, $table) = @_;
		my $data = 'v' . ++$version . ' ' . 'x' x rand(rand() < 0.1 ? 5000 : 50);
		my %rows = map { (a_key($s, $table) . ' ' . (1 + int rand $TIMES)) => 1 } 1 .. 1 + rand 8;

		$change->{$_} = [$data] for keys %rows;
		return "INSERT INTO $table VALUES " . join(', ', map { sprintf("('%s', %d, '$data')", split / /) } sort keys %rows);
	},
	sub {
		my ($s, $change, $table) = @_;
		my ($key, $from) = (a_key($s, $table), 1 + int rand $TIMES);
		my $data = 'v' . ++$version;

		for my $name (map { "$key $_" } $from .. $from + 5)
		{
			$change->{$name} = [ unique(map { $_ eq '' ? '' : $data } to_be($s, $change, $name)) ];
		}
		return "UPDATE $table SET data = '$data' WHERE key = '$key' AND ts BETWEEN $from AND $from + 5";
	},
	sub {
		my ($s, $change, $table) = @_;
		my ($key, $from) = (a_key($s, $table), 1 + int rand $TIMES);

		$change->{"$key $_"} = [''] for $from .. $from + 3;
		return "DELETE FROM $table WHERE key = '$key' AND ts BETWEEN $from AND $from + 3";
	},
	sub {
		my ($s, $change, $table) = @_;
		my $key = a_key($s, $table);

		$change->{"$key $_"} = [''] for 1 .. $TIMES;
		return "DELETE FROM $table WHERE key = '$key'";
	});

# ---- operations: SQL, and what to do with what it shows ----

sub right
{
	my ($what, $is, $should) = @_;

	push @wrong, "$what: is $is, should be $should" if $is ne $should;
	return;
}

sub check_rows
{
	my ($s, $what, $rows, @keys) = @_;
	my %is = map { my ($key, $ts, $data) = split /\|/, $_, 3; ("$key $ts" => $data) } split /\n/, $rows;

	for my $name (map { my $key = $_; map { "$key $_" } 1 .. $TIMES } @keys)
	{
		my $is = delete $is{$name} // '';
		my @may = may_be($s, $name);
		push @wrong, "$what: $name is '$is', may be " . join(' or ', map { "'$_'" } @may)
		  unless grep { $_ eq $is } @may;
	}
	push @wrong, "$what: $_ should not be" for keys %is;
	return;
}

my %kinds = (
	transaction => sub {
		my ($s) = @_;
		my $change = {};
		my @sql = ('BEGIN', map { one_of(@writes)->($s, $change, 'own') } 1 .. 1 + rand 4);
		return { sql => join('; ', @sql, 'COMMIT'), change => $change };
	},
	statement => sub {
		my ($s) = @_;
		my $change = {};
		return { sql => one_of(@writes)->($s, $change, 'own'), change => $change };
	},
	immediate => sub {
		my ($s) = @_;
		my $change = {};
		return { sql => one_of(@writes)->($s, $change, 'own_now'), change => $change };
	},
	rollback => sub {
		my ($s) = @_;
		my $change = {};
		return { sql => join('; ', 'BEGIN', map({ one_of(@writes)->($s, $change, 'own') } 1 .. 2), 'ROLLBACK') };
	},
	savepoint => sub {
		my ($s) = @_;
		my ($change, $undone) = ({}, {});
		my @sql = ('BEGIN', one_of(@writes)->($s, $change, 'own'), 'SAVEPOINT s');
		push @sql, one_of(@writes)->($s, $undone, 'own'), 'ROLLBACK TO s', 'COMMIT';
		return { sql => join('; ', @sql), change => $change };
	},
	read_own => sub {
		my ($s) = @_;
		my $table = one_of('own', 'own_now');
		my $key = a_key($s, $table);
		return {
			sql => "SELECT key, ts, data FROM $table WHERE key = '$key' ORDER BY ts",
			rows => sub { check_rows($s, $table, $_[0], $key) }
		};
	},
	scan => sub {
		my $sum = $FIXED * ($FIXED + 1) / 2;
		return {
			sql => 'SELECT count(*), sum(ts) FROM fixed',
			rows => sub { right('scan', $_[0], "$FIXED|$sum") }
		};
	},
	range => sub {
		my ($key, $from) = (int rand 5, 1 + int rand($FIXED - 1000));
		my @ts = grep { $_ % 5 == $key } $from .. $from + 500;
		return {
			sql => "SELECT ts, data FROM fixed WHERE key = 'f$key' AND ts BETWEEN $from AND $from + 500 ORDER BY ts",
			rows => sub { right('range', $_[0], join("\n", map { "$_|value $_" } @ts)) }
		};
	},
	newest => sub {
		return {
			sql => 'SELECT DISTINCT ON (key) ts FROM fixed ORDER BY key, ts DESC',
			rows => sub { right('newest', $_[0], join("\n", $FIXED, map { $FIXED - 5 + $_ } 1 .. 4)) }
		};
	},
	cursor => sub {
		return {
			sql => "BEGIN; DECLARE c CURSOR FOR SELECT ts FROM fixed WHERE key = 'f1' ORDER BY ts DESC; FETCH 2 FROM c; COMMIT",
			rows => sub { right('cursor', $_[0], join("\n", $FIXED - 4, $FIXED - 9)) }
		};
	},
	join => sub {
		return {
			sql => "SELECT l.k, count(*) FROM (VALUES ('f1'), ('f4'), ('none')) l (k) JOIN fixed f ON f.key = l.k AND f.ts <= 100 GROUP BY 1 ORDER BY 1",
			rows => sub { right('join', $_[0], "f1|20\nf4|20") }
		};
	});
my @often = (('transaction') x 5, ('statement') x 3, ('immediate') x 3, ('read_own') x 5, keys %kinds);

# ---- what happens meanwhile ----

my @faults = (
	{ cut => 1, random => [ 150, 5000 ], times => 8 },
	{ cut => 1, random => [ 150, 100_000 ], reset => 1, times => 8 },
	{ stall => 1, random => [ 150, 2000 ], times => 2 },
	{ half_open => 1, random => [ 150, 2000 ], times => 2 },
	{ half_closed => 1, random => [ 150, 2000 ], times => 4 },
	{ delay_ms => 20 },
	{ handshake => "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", times => 3 },
	(map { { answer => $_, times => 2 } } 'drop', 'twice', 'wrong id', 'no id', 'wrong types', 'truncated JSON',
		'an error', 'a reserved bit', 'a huge frame', 'garbage', 'close 1001', 'a ping before'));

# Each with the SQLSTATEs that it may lead to.
my @lost = qw(08001 08006);
my %happenings = (
	cancel => { codes => ['57014'], do => sub { $admin->query('SELECT pg_cancel_backend(' . $_[0]{psql}->backend . ')') } },
	timeout => { codes => ['57014'], before => sub { $_[0]{psql}->query("SET statement_timeout = '" . int(1 + rand 30) . "ms'") } },
	terminate => {
		codes => ['57P01'],
		victims => [ $WATCHED .. $SESSIONS - 1 ],
		do => sub { $admin->query('SELECT pg_terminate_backend(' . $_[0]{psql}->backend . ')') }
	},
	kill => { codes => \@lost, do => sub { $ltdb->restart } },
	stop => { codes => [ @lost, 'HV000', '28000', '28P01' ], do => sub { $ltdb->stop; $ltdb->start } },
	hang_up => { codes => \@lost, do => sub { $_->set for @proxies } },
	fault => {
		codes => [ @lost, '08P01', 'HV000', '28000', '28P01', '0A000', '08004' ],
		before => sub { my $fault = one_of(@faults); $_->set(%$fault) for @proxies }
	});

# ---- a round ----

# The statement_timeout of a victim may be over before anything is done.
sub insist
{
	my ($psql, $sql) = @_;

	1 while $psql->error($sql) =~ /57014/;
	return;
}

sub run_round
{
	my ($calm) = @_;
	my $name = !$calm && rand() < 0.5 ? one_of(sort keys %happenings) : '';
	my $happening = $happenings{$name} // { codes => [] };
	my $victim = $sessions[ one_of(@{ $happening->{victims} // [ 0 .. $SESSIONS - 1 ] }) ];
	my %expected = map { $_ => 1 } @{ $happening->{codes} };

	$events{$name}++ if $name;
	$happening->{before}->($victim) if $happening->{before};
	for my $s (@sessions)
	{
		my $kind = one_of(@often);

		$operations{$kind}++;
		$s->{work} = { %{ $kinds{$kind}->($s) }, kind => $kind };
		$s->{psql}->start($s->{work}{sql});
	}
	if ($happening->{do})
	{
		sleep rand 0.02;
		$happening->{do}->($victim);
	}
	for my $s (@sessions)
	{
		my ($work, $psql) = @$s{qw(work psql)};
		my ($rows, $error) = $psql->finish;
		my ($code) = $error =~ /(?:ERROR|FATAL|PANIC):  (\w{5}): /;

		if (defined $code)
		{
			$errors{$code}{ $name || 'calm' }++;
			push @wrong, "$work->{kind} after " . ($name || 'nothing') . ": $error" unless $expected{$code};
		}
		elsif ($error ne '')
		{
			push @wrong, "$work->{kind}: $error" unless $error =~ /WARNING|NOTICE/;
		}
		change($s, $work->{change}, !defined $code) if $work->{change};
		$work->{rows}->($rows) if $work->{rows} && !defined $code;
		if ($name eq 'terminate' && $s == $victim)
		{
			connect_session($s);
		}
		elsif ($error ne '')
		{
			insist($psql, 'ROLLBACK');
		}
	}
	insist($victim->{psql}, 'RESET statement_timeout') if $name eq 'timeout';
	if ($name eq 'fault')
	{
		$_->set for @proxies;
	}
	return;
}

# Everything there is, without the proxy.
sub check_all
{
	for my $table ('own', 'own_now')
	{
		my @lines = split /\n/, $admin->query("SELECT key, ts, data FROM direct_$table");

		for my $s (@sessions)
		{
			check_rows($s, "all of $table", join("\n", grep { /^s$s->{number}\D/ } @lines), keys_of($s, $table));
		}
	}
	return;
}

sub resident_kb
{
	my ($pid) = @_;
	my ($kb) = slurp_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB$/m;

	return $kb;
}

# A process that was started by us has other files of ours, too.
sub open_sockets
{
	my ($pid) = @_;

	return scalar grep { (readlink($_) // '') =~ /^socket:/ } glob("/proc/$pid/fd/*");
}

# In peace, with everybody connected, so that measurements can be compared.
sub measure
{
	my ($when) = @_;

	run_round(1) for 1 .. 10;
	check_all();
	my $server = $steady->{server}{pid};
	my %found = (server_kb => resident_kb($server), server_files => open_sockets($server));
	for my $s (@sessions[ 0 .. $WATCHED - 1 ])
	{
		my $backend = $s->{psql}->backend;
		$found{"backend$s->{number}_kb"} = resident_kb($backend);
		$found{"backend$s->{number}_files"} = open_files($backend);
	}
	diag(sprintf('%-14s %s', "$when:", join(' ', map { "$_ $found{$_}" } sort keys %found)));
	return \%found;
}

# ---- the run ----

connect_session($_) for @sessions;
my $began = time;
my $at_start = measure('at the start');
my $warm;
my $rounds = 0;

while (time < $began + $SECONDS && @wrong < 20)
{
	run_round();
	$rounds++;
	check_all() if $rounds % 25 == 0;
	$warm //= measure('warmed up') if time > $began + $SECONDS / 4;
}
$warm //= measure('warmed up');
my $at_end = measure('at the end');

diag("$rounds rounds of $SESSIONS sessions in " . int(time - $began) . ' s');
diag('operations: ' . join(', ', map { "$_ $operations{$_}" } sort keys %operations));
diag('happenings: ' . join(', ', map { "$_ $events{$_}" } sort keys %events));
diag('errors: ' . join('; ', map { my $code = $_; "$code: " . join(', ', map { "$errors{$code}{$_} by $_" } sort keys %{ $errors{$code} }) } sort keys %errors));

is(join("\n", @wrong), '', 'every answer is right, every error to be expected, and nothing is lost');

my $unsure = 0;
for my $s (@sessions)
{
	$unsure += grep { @$_ > 1 } values %{ $s->{may} };
}
diag("$unsure records are old or new");
for my $name (sort keys %$at_end)
{
	my $growth = $at_end->{$name} - $warm->{$name};
	my $limit = $name =~ /files/ ? 2 : $name =~ /server/ ? $SERVER_GROWTH : $BACKEND_GROWTH;
	cmp_ok($growth, '<=', $limit, "$name is flat: $warm->{$name} after the warm-up, $at_end->{$name} at the end");
}

$_->{psql}->quit for @sessions;
$admin->quit;
$node->stop;
$_->stop for $ltdb, $steady;
done_testing();
