# 262_ltdbd_disk.pl
#	ltdbd and files that are full, not to be written, damaged, or somebody
#	else's: nothing is acknowledged that is not stored, and it says what is wrong.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use File::Copy qw(copy);
use File::Temp qw(tempdir);
use LtdbdWire qw(start_server stop_server kill_server ltdbd_path connect_to login);
use Test::More;

my $top = tempdir(CLEANUP => 1);

# What ltdbd says that does not start: "status text".
sub refusal
{
	my ($dir, @arguments) = @_;
	my $said = `LTDB_SECRET_KEY=x timeout 20 @{[ ltdbd_path() ]} --port 0 --data $dir @arguments 2>&1`;

	return ($? >> 8) . " $said";
}

# ---- full ----

# Several writers, each with many requests under way, run out of room: of what
# was acknowledged nothing is missing, at once and after a crash.
{
	my $dir = "$top/full";
	my $server = LtdbdWire::start_server_as(
		[ 'sh', '-c', 'ulimit -S -f 8192; exec "$@"', 'sh', ltdbd_path() ], '--data', $dir);
	my @writers = map { { number => $_, connection => login($server), sent => 0, answered => 0 } } 1 .. 4;
	my $onlooker = login($server);
	$onlooker->insert('w', [ 'gone', 1, 'x' ]);

	for (1 .. 100)
	{
		for my $w (grep { !$_->{ended} } @writers)
		{
			$w->{connection}->send_request('insert',
				[ { collection => 'w', key => "k$w->{number}", ts => ++$w->{sent}, data => 'x' x 50_000 } ]);
		}
		for my $w (grep { !$_->{ended} && $_->{sent} - $_->{answered} > 3 } @writers)
		{
			defined $w->{connection}->read_text ? $w->{answered}++ : ($w->{ended} = 1);
		}
	}
	is(join(' ', map { $_->{ended} // 0 } @writers), '1 1 1 1', 'each of several writers is told that there is no room');
	is(join(' ', map { $_->{connection}{closed} } @writers), '1011 1011 1011 1011', '... by a close');

	my $all_there = sub {
		my ($connection) = @_;
		my $missing = 0;
		for my $w (@writers)
		{
			my %stored = map { $_ => 1 } ($connection->fetch('w', "k$w->{number}") // '') =~ /(\d+)=/g;
			$missing += grep { !$stored{$_} } 1 .. $w->{answered};
		}
		return $missing;
	};
	my $answered = 0;
	$answered += $_->{answered} for @writers;
	cmp_ok($answered, '>', 20, "$answered writes were acknowledged");
	is($all_there->($onlooker), 0, '... all of which are there');
	like(LtdbdWire::server_log($server), qr/(commit|request) failed: (database or disk is full|disk I\/O error)/, 'the log has the reason');

	SKIP: {
		skip 'no prlimit', 2 if system('command -v prlimit >/dev/null') != 0;
		system('prlimit', '--pid', $server->{pid}, '--fsize=unlimited:');
		is_deeply(login($server)->insert('w', [ 'after', 1, 'y' ]), {}, 'when there is room again it goes on, without a restart');
		is($onlooker->fetch('w', 'after'), '1=y', '... and stores');
	}
	kill_server($server);
	$server = start_server('--data', $dir);
	is($all_there->(login($server)), 0, 'after a crash nothing is missing, either');
	is(stop_server($server), 0, 'it stops in order');
}

# ---- not to be written ----

SKIP: {
	skip 'root may write anywhere', 4 if $> == 0;
	my $dir = "$top/locked";
	mkdir $dir or die "mkdir: $!";
	chmod 0500, $dir;
	like(refusal($dir), qr/^1 .*cannot use directory "\Q$dir\E": Permission denied$/m,
		'a directory that cannot be written');
	like(refusal("$dir/new"), qr/^1 .*cannot create directory "\Q$dir\E\/new": Permission denied$/m, '... nor have a directory made in it');
	chmod 0700, $dir;
	is(stop_server(start_server('--data', $dir)), 0, '... until it can');
	chmod 0400, "$dir/ltdb.sqlite";
	like(refusal($dir), qr/^1 .*cannot use the database .*: it cannot be written$/m, 'a file that cannot be written');
}
{
	my $dir = "$top/directory";
	mkdir $_ or die "mkdir: $!" for $dir, "$dir/ltdb.sqlite";
	like(refusal($dir), qr/^1 .*cannot use the database .*: unable to open database file: /m, 'a directory where the file should be');
	open(my $file, '>', "$top/file") or die "open: $!";
	close $file;
	like(refusal("$top/file"), qr/^1 .*cannot use directory "\Q$top\E\/file": Not a directory$/m,
		'a file where the directory should be');
}

# ---- taken ----

{
	my $dir = "$top/taken";
	my $first = start_server('--data', $dir);
	like(refusal($dir), qr/^1 .*another program, perhaps another ltdbd, has it open$/m, 'a second ltdbd on the same directory');
	is_deeply(login($first)->insert('w', [ 'a', 1, 'x' ]), {}, '... does not disturb the first');
	kill_server($first);
	is(login(my $next = start_server('--data', $dir))->fetch('w', 'a'), '1=x', 'the lock does not outlive a crash');
	stop_server($next);
}

# ---- damaged ----

# SQLite's pages.
my $page_bytes = 8192;

# A database of some size, to damage copies of.
my $sound = "$top/sound";
{
	my $server = start_server('--data', $sound);
	my $connection = login($server);
	for my $part (0 .. 19)
	{
		$connection->insert('w', map { [ 'k' . $_ % 10, $part * 100 + $_, 'd' x 200 ] } 1 .. 100);
	}
	move_into_blocks($connection);
	is(stop_server($server), 0, 'a database to be damaged');
}

# Records are kept in a journal at first, until there are many, or keys are deleted.
sub move_into_blocks
{
	my ($connection) = @_;

	$connection->insert('gone', [ 'a', 1, 'x' ]);
	$connection->request('delete-user', { collection => 'gone', key => 'a' });
	return;
}

sub damaged
{
	my ($offset, $bytes, $truncate) = @_;
	my $dir = tempdir(DIR => $top);

	copy("$sound/ltdb.sqlite", "$dir/ltdb.sqlite") or die "copy: $!";
	truncate("$dir/ltdb.sqlite", $truncate) or die "truncate: $!" if defined $truncate;
	open(my $file, '+<', "$dir/ltdb.sqlite") or die "open: $!";
	seek($file, $offset, 0);
	print $file $bytes;
	close $file;
	return $dir;
}

# What the journal had in front of the blocks is free: nothing is lost there.
my $size = -s "$sound/ltdb.sqlite";
my $block = int($size / $page_bytes * 3 / 4) * $page_bytes;
my $refused = qr/^1 .*cannot use the database ".*": \S/m;
like(refusal(damaged(0, 'x' x 100)), $refused, 'a damaged header is refused');
like(refusal(damaged($page_bytes, "\xff" x $page_bytes)), $refused, '... a damaged page');
like(refusal(damaged($block, "\0" x $page_bytes)), $refused, '... a page of zeros');
like(refusal(damaged($size - $page_bytes, "\xff" x $page_bytes)), $refused, '... a damaged last page');
like(refusal(damaged(0, '', $size - 2 * $page_bytes)), $refused, '... a file that lacks its end');
like(refusal(damaged($block, "\xff" x $page_bytes)), qr/it is damaged: |malformed/, '... and it says that it is damaged');
is(stop_server(start_server('--data', $sound, '--check')), 0, 'a sound one is not');

# A piece of the log of SQLite that is lost in a crash: its checksums end there.
{
	my $dir = "$top/wal";
	my $server = start_server('--data', $dir);
	my $connection = login($server);
	$connection->insert('w', [ 'a', $_, 'x' x 3000 ]) for 1 .. 50;
	kill_server($server);
	my $wal = -s "$dir/ltdb.sqlite-wal";
	truncate("$dir/ltdb.sqlite-wal", int($wal * 0.7)) or die "truncate: $!";
	$server = start_server('--data', $dir);
	my @left = login($server)->fetch('w', 'a') =~ /(\d+)=/g;
	is(join(' ', @left), join(' ', 1 .. @left), 'of a log that lacks its end (' . @left . ' records are left) the beginning counts');
	cmp_ok(scalar(@left), '<', 50, '... and no more');
	is(stop_server($server), 0, 'it stops in order');
}

# Under a running server: more than it keeps in memory.
{
	my $dir = "$top/running";
	my $server = start_server('--data', $dir);
	my $connection = login($server);
	my $data = 'd' x 50_000;
	for my $part (0 .. 19)
	{
		# by hand, for speed
		$connection->send_text('{"id":"i","type":"insert","data":"['
			  . join(',', map { qq({\\"collection\\":\\"big\\",\\"key\\":\\"k$part\\",\\"ts\\":$_,\\"data\\":\\"$data\\"}) } 1 .. 100)
			  . ']"}');
		$connection->read_text;
	}
	move_into_blocks($connection);
	$connection->insert('small', [ 'a', 1, 'x' ]);
	stop_server($server);
	$server = start_server('--data', $dir);
	open(my $file, '+<', "$dir/ltdb.sqlite") or die "open: $!";
	my $pages = (-s $file) / $page_bytes;
	for my $page (int($pages / 4) .. int($pages * 3 / 4))
	{
		seek($file, $page * $page_bytes, 0);
		print $file "\xff" x $page_bytes;
	}
	close $file;

	# what the check at the start has left in memory goes
	my %outcome;
	for my $part (reverse 0 .. 19)
	{
		my $reader = login($server);
		$reader->send_request('query-user', { collection => 'big', key => "k$part", from => 1, to => 100 });
		my $answer = $reader->read_text;
		my $sound = defined $answer && $answer =~ /"records":(.*)\}\z/s
		  && $1 eq '[' . join(',', map { qq({"ts":$_,"data":"$data"}) } 1 .. 100) . ']';
		$outcome{ $sound ? 'right' : defined $answer ? 'WRONG' : $reader->{closed} // 'closed' }++;
	}
	is(join(' ', sort keys %outcome), '1011 right', 'damage under a running server: an answer is right, or a close with 1011');
	like(LtdbdWire::server_log($server), qr/request failed: database disk image is malformed/, '... and the log has the reason');
	is(login($server)->fetch('small', 'a'), '1=x', '... and the rest is served');
	kill_server($server);
	like(refusal($dir), qr/it is damaged|malformed/, '... until it is started again');
}

done_testing();
