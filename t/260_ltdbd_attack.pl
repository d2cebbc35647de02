# 260_ltdbd_attack.pl
#	ltdbd among peers that are broken, slow, many, or hostile: it ends them, in
#	time and in bounded memory, and goes on serving the others.
#
# What a correct client sees is the subject of 020_ltdbd.pl, crashes that of
# 261_ltdbd_crash.pl, and files that of 262_ltdbd_disk.pl.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use LtdbdWire qw(start_server stop_server ltdbd_path connect_to login);
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(time sleep);

my $LOGIN = 2;
my $STALL = 3;

# The library's own clock ticks in seconds.
my $SLACK = 2;

my $server = start_server('--login-timeout', $LOGIN, '--stall-timeout', $STALL);
my $friend = login($server);
$friend->insert('w', [ 'a', 1, 'x' ]);

# Somebody who does nothing wrong is served, and soon.
sub is_serving
{
	my ($what) = @_;
	my $began = time;
	my $seen = eval { login($server)->fetch('w', 'a') } // $@;

	is($seen, '1=x', "$what: a new client is served");
	is($friend->fetch('w', 'a'), '1=x', '... and an old one');
	cmp_ok(time - $began, '<', 1, '... soon');
	return;
}

sub raw_connection
{
	my ($to) = @_;

	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => ($to // $server)->{port}, Proto => 'tcp')
	  // die "connect: $!";
}

# Sends bytes to a connection without any handshake; what comes until its end,
# or undef if it does not end.
sub reaction
{
	my ($bytes) = @_;
	my $socket = raw_connection();
	my $seen = '';

	local $SIG{PIPE} = 'IGNORE';
	syswrite($socket, $bytes);
	while (IO::Select->new($socket)->can_read(5))
	{
		sysread($socket, $seen, 65536, length $seen) or return $seen;
	}
	return;
}

sub descriptors
{
	my ($of) = @_;
	my @files = glob('/proc/' . ($of // $server)->{pid} . '/fd/*');

	return scalar @files;
}

sub await
{
	my ($condition, $patience) = @_;
	my $deadline = time + ($patience // 10);

	while (time < $deadline)
	{
		return 1 if $condition->();
		sleep 0.02;
	}
	return 0;
}

# ---- slow ones, who are looked at again at the end ----

# With a server of their own: a crowd would have them turned away sooner.
my $slow_server = start_server('--login-timeout', $LOGIN, '--stall-timeout', $STALL);

my $handshake = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
  . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
my $key_text = JSON::PP->new->canonical->encode({ id => '1', type => 'api-key', data => $LtdbdWire::KEY });
my $key_frame = LtdbdWire::frame(1, $key_text);

# One process writes for all of them, a byte at a time to those who trickle.
# When each was cut comes back through a pipe.
my %slow = (
	'says nothing' => { limit => $LOGIN },
	'stops in its handshake' => { at_once => substr($handshake, 0, 60), limit => $LOGIN },
	'shakes hands byte by byte' => { trickle => $handshake, limit => $LOGIN },
	'connects with CONNECT' => { at_once => "CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", limit => $LOGIN },
	'says no key' => { at_once => $handshake, limit => 2 * $LOGIN },
	'stops in its key' => { at_once => $handshake . substr($key_frame, 0, 20), limit => 2 * $LOGIN },
	'says its key byte by byte' => { at_once => $handshake, trickle => $key_frame x 2, limit => 2 * $LOGIN },
	'pings and says no key' => { at_once => $handshake, trickle => LtdbdWire::frame(9, '') x 50, limit => 2 * $LOGIN },
	'stops in a message' =>
	  { at_once => $handshake . $key_frame . substr(LtdbdWire::frame(1, 'x' x 9999), 0, 5000), limit => $STALL },
	'stops between two fragments' =>
	  { at_once => $handshake . $key_frame . LtdbdWire::frame(1, '{', 0), limit => $STALL },
	'announces 60 MB and stops' =>
	  { at_once => $handshake . $key_frame . substr(LtdbdWire::frame(1, ''), 0, 1) . pack('CQ>', 0xff, 60_000_000) . "\0\0\0\0x",
		limit => $STALL },
	'writes a message byte by byte' => {
		at_once => $handshake . $key_frame,
		trickle => LtdbdWire::frame(1, '{"id":"2","type":"collections","data":"{}"}'),
		limit => undef
	},
	'is connected and idle' => { at_once => $handshake . $key_frame, limit => undef });

pipe(my $slow_read, my $slow_write) or die "pipe: $!";
my $slow_pid = fork() // die "fork: $!";
if ($slow_pid == 0)
{
	eval { be_slow(); 1 } or print STDERR $@;
	POSIX::_exit(0);
}
close $slow_write;

sub be_slow
{
	my $began = time;

	local $SIG{PIPE} = 'IGNORE';
	for my $peer (values %slow)
	{
		$peer->{socket} = raw_connection($slow_server);
		syswrite($peer->{socket}, $peer->{at_once}) if $peer->{at_once};
		$peer->{seen} = '';
	}
	while (time - $began < 2 * $LOGIN + 2 * $SLACK + 3)
	{
		my @open = grep { !defined $_->{cut} } values %slow;

		for my $peer (@open)
		{
			if (length($peer->{trickle} // ''))
			{
				syswrite($peer->{socket}, substr($peer->{trickle}, 0, 1, ''));
			}
			while (!defined $peer->{cut} && IO::Select->new($peer->{socket})->can_read(0))
			{
				my $count = sysread($peer->{socket}, $peer->{seen}, 65536, length $peer->{seen});
				$peer->{cut} = time - $began unless $count;
			}
		}
		sleep 0.1;
	}
	syswrite($slow_write, JSON::PP->new->encode(
			{ map { $_ => [ $slow{$_}{cut}, unpack('H*', $slow{$_}{seen}) ] } keys %slow }));
	return;
}

# ---- slow readers ----

# Each has 25 MB to come, and reads nothing of it.
for my $part (0 .. 4)
{
	$friend->insert('big', map { [ 'k', 500 * $part + $_, 'y' x 10_000 ] } 1 .. 500);
}
my $before_kb = LtdbdWire::resident_kb($server);
my @lazy = map { login($server, receive_buffer => 4096) } 1 .. 20;
for my $lazy (@lazy)
{
	$lazy->send_request('query-user', { collection => 'big', key => 'k', from => 0, to => 10_000 }) for 1 .. 10;
}
is_serving('20 clients that take nothing of 5 GB of answers');
cmp_ok(LtdbdWire::resident_kb($server) - $before_kb, '<', 60_000, '... whose answers do not pile up in memory');

# ---- what is no handshake ----

my $upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
my $version = "Sec-WebSocket-Version: 13\r\n";
my $nonce = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
my $get = "GET / HTTP/1.1\r\nHost: x\r\n";
for my $case (
	[ 'no key' => "$get$upgrade$version\r\n", qr/^$/ ],
	[ 'a key of 1 kB' => "$get$upgrade${version}Sec-WebSocket-Key: " . 'k' x 1000 . "\r\n\r\n", qr/^$/ ],
	[ 'no version' => "$get$upgrade$nonce\r\n", qr/^$/ ],
	[ 'version 99' => "$get$upgrade${nonce}Sec-WebSocket-Version: 99\r\n\r\n", qr/^$/ ],
	[ 'no host' => "GET / HTTP/1.1\r\n$upgrade$nonce$version\r\n", qr/^$/ ],
	[ 'a POST' => "POST / HTTP/1.1\r\nHost: x\r\n$upgrade$nonce$version\r\n", qr/^$/ ],
	[ 'no upgrade' => "$get\r\n", qr/^HTTP\/1\.1 426 / ],
	[ 'HTTP/1.0' => "GET / HTTP/1.0\r\n\r\n", qr/^HTTP\/1\.\d 426 / ],
	[ 'a POST of 100 MB' => "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n" . 'x' x 1000, qr/^(HTTP\/1\.1 4\d\d |$)/ ],
	[ 'an upgrade to h2c' => "${get}Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", qr/^$/ ],
	[ 'HTTP/2' => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", qr/^(HTTP\/1\.\d 4\d\d |$)/ ],
	[ 'an upgrade to something' => "${get}Upgrade: something\r\nConnection: Upgrade\r\n\r\n", qr/^(HTTP\/1\.\d 4\d\d |$)/ ],
	[ 'TLS' => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'a' x 400, qr/^(HTTP\/1\.\d 4\d\d |$)/ ],
	[ 'garbage' => "\xff" x 1000, qr/^(HTTP\/1\.\d 4\d\d |$)/ ],
	[ 'zeros' => "\0" x 1000, qr/^(HTTP\/1\.\d 4\d\d |$)/ ],
	[ 'a header of 100 kB' => "${get}X: " . 'y' x 100_000 . "\r\n\r\n", qr/^(HTTP\/1\.\d 4\d\d |$)/ ],
	[ 'a path of 100 kB' => 'GET /' . 'y' x 100_000 . " HTTP/1.1\r\n\r\n", qr/^(HTTP\/1\.\d 4\d\d |$)/ ],
	[ '5000 headers' => $get . join('', map { "X$_: y\r\n" } 1 .. 5000) . "\r\n", qr/^(HTTP\/1\.\d 4\d\d |$)/ ])
{
	my ($what, $bytes, $expected) = @$case;

	like(reaction($bytes) // 'it stays open', $expected, "instead of a handshake: $what");
}
is_serving('after what is no handshake');

# ---- what is no frame ----

# A frame with this first byte; what is said about its length need not be true.
sub raw_frame
{
	my ($first, $payload, $length) = @_;
	my $frame = LtdbdWire::frame(0, $payload);

	substr($frame, 0, 1) = pack('C', $first);
	return $frame unless defined $length;
	return pack('CCQ>', $first, 0xff, $length) . "\0\0\0\0" . $payload;
}

# What comes back, until the end or the answer to this.
my $request = '{"id":"9","type":"collections","data":"{}"}';
sub outcome
{
	my ($bytes, $connection) = @_;

	$connection //= login($server);
	$connection->write_bytes($bytes);
	my $text = eval { $connection->read_text };
	return $@ ? 'nothing' : defined $text ? ($text =~ /"id":"9"/ ? 'answer' : $text) : $connection->{closed} || 'end of stream';
}

my @frames = (
	(map { [ "reserved bit $_", raw_frame(0x81 | $_, $request), '1002' ] } 0x40, 0x20, 0x10),
	(map { [ "opcode $_", raw_frame(0x80 | $_, $request), '1002' ] } 3 .. 7, 11 .. 15),
	[ 'a binary frame', raw_frame(0x82, $request), '1003' ],
	[ 'a continuation of nothing', raw_frame(0x80, $request), '1002' ],
	[ 'a message inside a message', raw_frame(0x01, '{"id":') . raw_frame(0x81, $request), '1002' ],
	[ 'a fragmented ping', raw_frame(0x09, 'x'), '1002' ],
	[ 'a fragmented close', raw_frame(0x08, pack('n', 1000)), '1002' ],
	[ 'a ping of 126 bytes', raw_frame(0x89, 'x' x 126), 'end of stream' ],
	[ 'a ping of 125 bytes', raw_frame(0x89, 'x' x 125) . raw_frame(0x81, $request), 'answer' ],
	[ 'a ping of 2^40 bytes', raw_frame(0x89, 'x', 1 << 40), 'end of stream' ],
	[ 'a pong that nobody asked for', raw_frame(0x8a, 'x') . raw_frame(0x81, $request), 'answer' ],
	(map { [ "a message of 2^$_ bytes", raw_frame(0x81, $request, 1 << $_), '1009' ] } 27, 32, 40, 62),
	[ 'a message of 2^32 + n bytes', raw_frame(0x81, $request, (1 << 32) + length $request), '1009' ],
	[ 'a message of 2^63 + n bytes', raw_frame(0x81, $request, (1 << 63) + length $request), 'end of stream' ],
	[ 'a message of 2^64 - 1 bytes', raw_frame(0x81, $request, ~0), 'end of stream' ],
	[ 'a length in more bytes than needed', raw_frame(0x81, $request, length $request), 'answer' ],
	[ '10,000 empty fragments', raw_frame(0x01, '') . raw_frame(0, '') x 10_000 . raw_frame(0x80, $request), 'answer' ],
	[ 'a close of one byte', raw_frame(0x88, 'x'), '(1002|1005|end of stream)' ],
	(map { [ "a close with code $_", raw_frame(0x88, pack('n', $_)), '1002' ] } 0, 999, 1005, 1006),
	[ 'an empty close', raw_frame(0x88, ''), '1005' ],
	[ 'garbage', "\xff" x 1000, '1002' ],
	[ 'zeros', "\0" x 1000, '1002' ],
	[ 'HTTP', "GET / HTTP/1.1\r\n\r\n", '1002' ]);
like(outcome($$_[1]), qr/^$$_[2]$/, "frame: $$_[0]") for @frames;

# By a stranger: no answer, whatever it is.
like(outcome($$_[1], connect_to($server)), qr/^(\d{4}|end of stream|)$/, "frame of a stranger: $$_[0]") for @frames;

# RFC 6455 wants frames without a mask refused; the library takes them.
my $unmasked = pack('CC', 0x81, length $request) . $request;
like(outcome($unmasked), qr/^(answer|1002|end of stream)$/, 'a frame without a mask does no harm');

# LTDB's answer to what it cannot read is an empty message; see 020_ltdbd.pl.
is(outcome(raw_frame(0x81, $_)), '', 'a message that is no UTF-8')
  for qq({"id":"\xff"}), qq({"id":"\xc0\x80"}), qq({"id":"\xed\xa0\x80"}), qq({"id":"\xf4\x90\x80\x80"});
is(outcome(raw_frame(0x81, $_ x 100_000)), '', "100,000 times '$_'") for '[', '{"a":', '"\\';

is_serving('after what is no frame');

# Random bytes behind a handshake, the same again from the same seed.
{
	my $seed = $ENV{LTDB_TEST_SEED} // time;
	my $good = raw_frame(0x81, $request);

	srand $seed;
	note "LTDB_TEST_SEED=$seed";
	for (1 .. $ENV{LTDB_TEST_ROUNDS} // 200)
	{
		my $bytes = $good x 3;
		substr($bytes, int(rand(length $bytes)), 1) = chr int rand 256 for 1 .. 1 + int rand 8;
		my $connection = rand() < 0.7 ? login($server) : connect_to($server);
		$connection->write_bytes($bytes);
		setsockopt($connection->{socket}, SOL_SOCKET, SO_LINGER, pack('II', 1, 0)) if rand() < 0.3;
	}
	is_serving('after frames with random damage');
}

# ---- a thousand clients ----

{
	my $clients = 1000;
	my $children = 4;
	my @children;

	for (1 .. $children)
	{
		pipe(my $read, my $write) or die "pipe: $!";
		pipe(my $go_read, my $go_write) or die "pipe: $!";
		my $pid = fork() // die "fork: $!";
		if ($pid == 0)
		{
			close $go_write;
			my @crowd = eval { map { login($server) } 1 .. $clients / $children };
			syswrite($write, scalar(@crowd) . "\n");
			readline($go_read);
			my $answered = 0;
			$_->send_request('query-user', { collection => 'w', key => 'a', from => 0, to => 9 }) for @crowd;
			for (@crowd) { $answered++ if ($_->read_answer // {})->{records}[0]{data} eq 'x'; }
			syswrite($write, "$answered\n");
			POSIX::_exit(0);
		}
		push @children, { pid => $pid, read => $read, go => $go_write };
	}
	my $connected = 0;
	$connected += readline($_->{read}) for @children;
	is($connected, $clients, "$clients clients are connected at once");
	cmp_ok(LtdbdWire::resident_kb($server) - $before_kb, '<', 60_000 + 150 * $clients, '... at some 100 kB each');
	close $_->{go} for @children;
	my $answered = 0;
	$answered += readline($_->{read}) for @children;
	is($answered, $clients, '... and each is answered');
	waitpid($_->{pid}, 0) for @children;
}

# ---- a flood of strangers ----

{
	my @strangers = map { raw_connection() } 1 .. 700;
	is_serving('700 connections that say nothing');
	cmp_ok(descriptors(), '<', 600, '... of which not all are kept');
	ok(LtdbdWire::server_log($server) =~ /\d+ connections have yet to say the key: the oldest are turned away/, '... as the log says');

	# strangers that come faster than they are served
	pipe(my $stop_read, my $stop_write) or die "pipe: $!";
	my $flood = fork() // die "fork: $!";
	if ($flood == 0)
	{
		my @held;

		close $stop_write;
		until (IO::Select->new($stop_read)->can_read(0))
		{
			my $one = eval { raw_connection() } or next;
			syswrite($one, $handshake);
			push @held, $one;
			shift @held if @held > 200;
		}
		POSIX::_exit(0);
	}
	sleep 0.2;
	is_serving('a stream of connections that shake hands and say no key');
	close $stop_write;
	waitpid($flood, 0);
	@strangers = ();
}

# ---- few descriptors ----

{
	my $poor = LtdbdWire::start_server_as([ 'sh', '-c', 'ulimit -n 100; exec "$@"', 'sh', ltdbd_path() ],
		'--login-timeout', 1);
	my ($room) = LtdbdWire::server_log($poor) =~ /leaves room for (\d+) clients/;
	ok($room, "with a limit of 100 descriptors there is room for $room clients");
	my @strangers = map { raw_connection($poor) } 1 .. 150;
	is(login($poor)->collections, '', '... whom 150 strangers do not keep out');
	@strangers = ();
	ok(await(sub { descriptors($poor) < 20 }), '... and are forgotten');
	my @members = map { login($poor) } 1 .. $room;
	is(eval { login($poor) } // 'refused', 'refused', '... one more is refused');
	like(LtdbdWire::server_log($poor), qr/\Q$room\E clients are connected: others are refused/, '... as the log says');
	is($members[-1]->collections, '', '... the others are served');
	pop @members;
	ok(await(sub { eval { login($poor)->collections; 1 } }), '... and somebody else when one of them has gone');
	unlike(LtdbdWire::server_log($poor), qr/accept/, '... no accept() failed');
	is(stop_server($poor), 0, 'it stops in order');
}

{
	my $small = start_server('--max-connections', 3);
	my @members = map { login($small) } 1 .. 3;
	is(eval { login($small) } // 'refused', 'refused', '--max-connections');
	is(stop_server($small), 0, 'it stops in order');
}

# ---- TLS ----

SKIP: {
	my $dir = tempdir(CLEANUP => 1);
	skip 'no openssl', 6
	  if system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout $dir/key -out $dir/cert >/dev/null 2>&1") != 0;
	my $tls = start_server('--tls-cert', "$dir/cert", '--tls-key', "$dir/key", '--login-timeout', 1);
	my $before = descriptors($tls);
	my @peers = map { raw_connection($tls) } 1 .. 60;
	syswrite($peers[$_], "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") for 20 .. 39;
	syswrite($peers[$_], 'GET / HTTP/1.1' x 10) for 40 .. 59;
	my $handshake_works = sub {
		return `openssl s_client -connect 127.0.0.1:$tls->{port} </dev/null 2>&1` =~ /BEGIN CERTIFICATE/;
	};
	ok($handshake_works->(), 'TLS: 60 that say nothing, half a hello, or plain HTTP keep nobody out');
	ok(await(sub { descriptors($tls) == $before }, 1 + $SLACK), '... and are cut in time');
	unlike(`openssl s_client -alpn h2,http/1.1 -connect 127.0.0.1:$tls->{port} </dev/null 2>&1`, qr/ALPN protocol: h2/,
		'... HTTP/2 is not offered');
	@peers = map { raw_connection($tls) } 1 .. 700;
	ok($handshake_works->(), '... nor do 700');
	cmp_ok(descriptors($tls), '<', 600, '... of which not all are kept');
	@peers = ();
	is(stop_server($tls), 0, 'it stops in order');
}

# ---- peers whose machine is gone ----

{
	my $idle = login($server);
	my $where = sprintf('%04X 0100007F:%04X', $server->{port}, $idle->{socket}->sockport);
	my $keeps_alive = sub {
		open(my $table, '<', '/proc/net/tcp') or die "/proc/net/tcp: $!";
		return grep { /:$where 01 \S+ 02:/ } readline($table);
	};
	ok(await($keeps_alive), 'TCP asks now and then whether an idle client is still there');
}

# ---- the slow ones ----

{
	my $report = JSON::PP->new->decode(join('', readline($slow_read)));
	waitpid($slow_pid, 0);
	for my $name (sort keys %slow)
	{
		my ($cut, $seen) = @{ $report->{$name} };
		my $limit = $slow{$name}{limit};

		if (defined $limit)
		{
			ok(defined $cut, "one that $name is cut");
			cmp_ok($cut // 1e9, '<', $limit + $SLACK, '... in time');
		}
		else
		{
			ok(!defined $cut, "one that $name is not cut");
		}
		like(pack('H*', $seen), qr/"id":"2","collections"/, '... and is answered') if $name =~ /message byte by byte/;
	}
	ok(LtdbdWire::server_log($slow_server) =~ /closed: $_$/m, "the log has: $_")
	  for 'not authenticated in time', 'leaves a message unfinished';
	ok(LtdbdWire::server_log($server) =~ /closed: takes none of its answers$/m, '... and those that take none of their answers');
	is(stop_server($slow_server), 0, 'it stops in order');
}

# ---- afterwards ----

@lazy = ();
is_serving('after all this');
ok(await(sub { descriptors() < 20 }), 'no descriptors are left behind');
cmp_ok(LtdbdWire::resident_kb($server) - $before_kb, '<', 90_000, 'nor is memory');
cmp_ok(-s $server->{log}, '<', 2_000_000, 'nor a flooded log');
is(stop_server($server), 0, 'it stops in order');
done_testing();
