# LtdbdWire.pm
#	An ltdbd under test, and a client that speaks its wire by hand.
#
# Core modules only, so that what the server does is seen byte by byte and not
# through a WebSocket library.  What is sent and expected is left to the tests.
#
# Copyright (c) 2026, ltdb_fdw contributors

package LtdbdWire;

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_RCVBUF);
use Time::HiRes qw(time sleep);

our @EXPORT_OK = qw(start_server stop_server kill_server ltdbd_path connect_to login);

our $KEY = 'sesame, "open"';
our $TIMEOUT = 20;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my %running;

END
{
	local $?;
	kill 'KILL', $_ for keys %running;
}

# ---- the server ----

sub ltdbd_path
{
	return $ENV{LTDBD} // './ltdbd';
}

# Starts an ltdbd on any port: { pid, port, log }.
sub start_server
{
	return start_server_as([ ltdbd_path() ], @_);
}

# The same through a command that ends up as ltdbd.
sub start_server_as
{
	my ($command, @arguments) = @_;

	pipe(my $out, my $out_write) or die "pipe: $!";

	# Appending: whoever reads it moves the position that the server would write at.
	open(my $log, '+>>', undef) or die "temporary file: $!";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		close $out;
		open(STDOUT, '>&', $out_write) or POSIX::_exit(99);
		open(STDERR, '>&', $log) or POSIX::_exit(99);
		$ENV{LTDB_SECRET_KEY} = $KEY;
		exec(@$command, '--port', 0, @arguments) or POSIX::_exit(99);
	}
	close $out_write;
	$running{$pid} = 1;
	my $line = <$out> // '';
	my $server = { pid => $pid, line => $line, out => $out, log => $log };
	($server->{port}) = $line =~ /^listening on 127\.0\.0\.1:(\d+)\n\z/
	  or die "ltdbd did not start: " . server_log($server);
	return $server;
}

# What a server has used of memory, in kB.
sub resident_kb
{
	my ($server) = @_;

	open(my $status, '<', "/proc/$server->{pid}/status") or die "status: $!";
	my ($resident_kb) = join('', <$status>) =~ /^VmRSS:\s*(\d+)/m;
	return $resident_kb;
}

sub server_log
{
	my ($server) = @_;

	seek($server->{log}, 0, 0);
	return join('', readline($server->{log}));
}

# Signals the server, waits for its end, returns its exit status.
sub stop_server
{
	my ($server, $signal) = @_;

	kill $signal // 'TERM', $server->{pid};
	for (1 .. $TIMEOUT * 100)
	{
		if (waitpid($server->{pid}, WNOHANG) == $server->{pid})
		{
			delete $running{ $server->{pid} };
			return $?;
		}
		sleep(0.01);
	}
	die 'ltdbd does not stop';
}

sub kill_server
{
	my ($server) = @_;

	return stop_server($server, 'KILL');
}

# ---- a connection ----

# Connects and shakes hands; no authentication yet.
sub connect_to
{
	my ($server, %option) = @_;
	my $socket = IO::Socket::INET->new(Proto => 'tcp') or die "socket: $!";

	# The window is fixed by the buffer size before connecting.
	setsockopt($socket, SOL_SOCKET, SO_RCVBUF, pack('i', $option{receive_buffer}))
	  if $option{receive_buffer};
	$socket->connect($server->{port}, Socket::inet_aton('127.0.0.1')) or die "connect: $!";
	setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);

	my $self = bless { socket => $socket, buffer => '', id => 0, closed => undef }, __PACKAGE__;
	$self->write_bytes("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
		  . "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		  . "Sec-WebSocket-Version: 13\r\n" . ($option{headers} // '') . "\r\n");
	while ($self->{buffer} !~ /\r\n\r\n/)
	{
		$self->fill or die 'no handshake';
	}
	$self->{buffer} =~ s/\AHTTP\/1\.1 101 .*?\r\n\r\n//s
	  or die "handshake refused: $self->{buffer}";
	return $self;
}

# Connects and authenticates.
sub login
{
	my ($server, %option) = @_;
	my $self = connect_to($server, %option);

	$self->request('api-key', $KEY);
	return $self;
}

sub write_bytes
{
	my ($self, $bytes) = @_;
	my $done = 0;

	local $SIG{PIPE} = 'IGNORE';
	while ($done < length $bytes)
	{
		my $count = syswrite($self->{socket}, $bytes, length($bytes) - $done, $done);
		return 0 unless defined $count;
		$done += $count;
	}
	return 1;
}

# Reads what is there, at least a byte; false at the end.
sub fill
{
	my ($self, $timeout) = @_;

	IO::Select->new($self->{socket})->can_read($timeout // $TIMEOUT)
	  or die 'nothing comes from ltdbd';
	return sysread($self->{socket}, $self->{buffer}, 1 << 18, length $self->{buffer});
}

# A masked client frame.
sub frame
{
	my ($opcode, $payload, $final) = @_;
	my $length = length $payload;
	my $mask = "\x11\x22\x33\x44";
	my $header = pack('C', ($final // 1 ? 0x80 : 0) | $opcode);

	$header .=
	    $length < 126 ? pack('C', 0x80 | $length)
	  : $length < 65536 ? pack('Cn', 0x80 | 126, $length)
	  :                   pack('CQ>', 0x80 | 127, $length);
	my $pad = $mask x (($length + 3) / 4);
	return $header . $mask . ($payload ^ substr($pad, 0, $length));
}

sub send_text
{
	my ($self, $text) = @_;

	return $self->write_bytes(frame(1, $text));
}

# The text of a request; data is serialised unless it is a plain string.
sub request_text
{
	my ($self, $type, $data) = @_;

	$data = JSON::PP->new->canonical->encode($data) if ref $data;
	return $json->encode({ id => 'r' . ++$self->{id}, type => $type, data => $data });
}

sub send_request
{
	my ($self, $type, $data) = @_;

	$self->send_text($self->request_text($type, $data));
	return 'r' . $self->{id};
}

# One frame: (opcode, final, payload); nothing at the end of the stream.
sub read_frame
{
	my ($self) = @_;

	for (;;)
	{
		if (length $self->{buffer} >= 2)
		{
			my ($first, $length) = unpack('CC', $self->{buffer});
			my $header = 2;
			($header, $length) = (4, unpack('x2n', $self->{buffer}))
			  if $length == 126 && length $self->{buffer} >= 4;
			($header, $length) = (10, unpack('x2Q>', $self->{buffer}))
			  if $length == 127 && length $self->{buffer} >= 10;
			if (($header > 2 || $length < 126) && length $self->{buffer} >= $header + $length)
			{
				my $payload = substr($self->{buffer}, $header, $length);
				substr($self->{buffer}, 0, $header + $length) = '';
				return ($first & 15, $first & 0x80 ? 1 : 0, $payload);
			}
		}
		$self->fill or return;
	}
}

# The text of the next message; undef when closed, with the code in {closed}.
sub read_text
{
	my ($self) = @_;
	my $text = '';

	$self->{frames} = 0;
	while (my ($opcode, $final, $payload) = $self->read_frame)
	{
		if ($opcode == 8)
		{
			$self->{closed} = length $payload ? unpack('n', $payload) : 1005;
			$self->write_bytes(frame(8, $payload));
			return;
		}
		next if $opcode > 8;
		$self->{frames}++;
		$text .= $payload;
		return $text if $final;
	}
	$self->{closed} //= 'end of stream';
	return;
}

sub read_answer
{
	my ($self) = @_;
	my $text = $self->read_text;

	return defined $text ? $json->decode($text) : undef;
}

# Sends a request and returns the answer without its id; dies if that is wrong.
sub request
{
	my ($self, $type, $data) = @_;
	my $id = $self->send_request($type, $data);
	my $answer = $self->read_answer;

	return unless defined $answer;
	die "answer with a wrong id" unless (delete $answer->{id} // q()) eq $id;
	return $answer;
}

# ---- shorthands of common requests ----

sub insert
{
	my ($self, $collection, @records) = @_;

	return $self->request('insert',
		[ map { { collection => $collection, key => $_->[0], ts => $_->[1], data => $_->[2] } }
			@records ]);
}

# "ts=data ts=data ..."
sub fetch
{
	my ($self, $collection, $key, %option) = @_;
	my $answer = $self->request('query-user',
		{ collection => $collection, key => $key, from => -2147483648, to => 2147483647,
			%option });

	return unless defined $answer;
	return join(' ', map { "$_->{ts}=$_->{data}" } @{ $answer->{records} });
}

# "key:ts=data ..." by key
sub latest
{
	my ($self, $collection, %option) = @_;
	my $answer = $self->request('query',
		{ collection => $collection, key => '', ts => 2147483647, from => 0, %option });

	return unless defined $answer;
	my $records = $answer->{records};
	return join(' ', map { "$_:$records->{$_}{ts}=$records->{$_}{data}" } sort keys %$records);
}

sub collections
{
	my ($self) = @_;

	return join(' ', sort @{ $self->request('collections', {})->{collections} });
}

1;
