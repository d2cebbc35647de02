# LtdbLiar.pm
#	A server that answers requests with whatever it is told to.
#
# Each connection has a process of its own, which asks for the present lies at
# every request.  Frames are sound: what is wrong with those is LtdbFaults.pm's
# business.  What should come of a lie is left to the tests.
#
# Copyright (c) 2026, ltdb_fdw contributors

package LtdbLiar;

use strict;
use warnings;

use Digest::SHA qw(sha1_base64);
use IO::Socket::INET;
use JSON::PP;
use LtdbFaults;
use POSIX ();
use Storable;

my $json = JSON::PP->new->utf8;
my $GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
my %running;

# What honest servers answer where there is nothing.
my %honest = (
	'query-user' => ',"records":[]', query => ',"records":{}', collections => ',"collections":[]',
	'get-value' => ',"value":""', 'get-all-keys' => ',"keys":[]', 'get-all-values' => ',"values":{}');

END
{
	local $?;
	kill 'KILL', -$_ for keys %running;
}

# FOLDER is a place for its own use.
sub new
{
	my ($class, $folder) = @_;
	my $listener = IO::Socket::INET->new(Listen => 100, LocalAddr => '127.0.0.1', Proto => 'tcp')
	  // die "listen: $!";
	my $self = bless { port => $listener->sockport, orders => "$folder/lies" }, $class;

	$self->answer;
	$self->{pid} = fork() // die "fork: $!";
	if ($self->{pid} == 0)
	{
		%running = ();
		setpgrp;
		local $SIG{CHLD} = 'IGNORE';
		while (my $client = $listener->accept)
		{
			my $child = fork() // last;
			next if $child;
			eval { serve($client, $self->{orders}); 1 } or print STDERR "liar: $@";
			POSIX::_exit(0);
		}
		POSIX::_exit(0);
	}
	$running{ $self->{pid} } = 1;
	return $self;
}

sub stop
{
	my ($self) = @_;

	kill 'KILL', -$self->{pid}, $self->{pid};
	waitpid($self->{pid}, 0);
	delete $running{ $self->{pid} };
	return;
}

# From now on, answers by the type of request; others are honest.  An answer is
# a list of pieces: bytes in which %ID% stands for the request's id, or [bytes, n],
# which is sent n times; n = 0 means for ever.
sub answer
{
	my ($self, %lies) = @_;

	Storable::nstore(\%lies, "$self->{orders}.new");
	rename("$self->{orders}.new", $self->{orders}) or die "rename: $!";
	return;
}

# ---- a connection ----

sub serve
{
	my ($client, $orders) = @_;
	my ($buffer, $message) = ('', '');

	local $SIG{PIPE} = 'IGNORE';
	until ($buffer =~ /\r\n\r\n/)
	{
		sysread($client, $buffer, 65536, length $buffer) or return;
	}
	my ($key) = $buffer =~ /^Sec-WebSocket-Key: *(\S+)/mi or return;
	$buffer =~ s/\A.*?\r\n\r\n//s;
	put($client, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		  . 'Sec-WebSocket-Accept: ' . sha1_base64($key . $GUID) . "=\r\n\r\n");
	for (;;)
	{
		while (my ($first, $payload) = take_frame(\$buffer))
		{
			return if ($first & 15) == 8;
			next if ($first & 15) > 8;
			$message .= $payload;
			next unless $first & 0x80;
			my $request = $json->decode($message);
			$message = '';
			lie($client, $request, Storable::retrieve($orders)->{ $request->{type} }
				  // [ '{"id":"%ID%"' . ($honest{ $request->{type} } // '') . '}' ]) or return;
		}
		sysread($client, $buffer, 1 << 20, length $buffer) or return;
	}
}

sub put
{
	my ($client, $bytes) = @_;
	my $done = 0;

	while ($done < length $bytes)
	{
		$done += syswrite($client, $bytes, length($bytes) - $done, $done) // return 0;
	}
	return 1;
}

# A client's frame, unmasked.
sub take_frame
{
	my ($buffer) = @_;

	return if length $$buffer < 6;
	my ($first, $length) = unpack('CC', $$buffer);
	$length &= 0x7f;
	my $head = $length == 127 ? 10 : $length == 126 ? 4 : 2;
	return if length $$buffer < $head + 4;
	$length = unpack('x2n', $$buffer) if $head == 4;
	$length = unpack('x2Q>', $$buffer) if $head == 10;
	return if length $$buffer < $head + 4 + $length;
	my $mask = substr($$buffer, $head, 4);
	my $payload = substr($$buffer, $head + 4, $length) ^ substr($mask x ($length / 4 + 1), 0, $length);
	substr($$buffer, 0, $head + 4 + $length) = '';
	return ($first, $payload);
}

# One frame a piece; a piece that is repeated may have more.
sub lie
{
	my ($client, $request, $pieces) = @_;
	my $opcode = 1;

	for my $i (0 .. $#$pieces)
	{
		my ($bytes, $times) = ref $pieces->[$i] ? @{ $pieces->[$i] } : ($pieces->[$i] =~ s/%ID%/$request->{id}/gr, 1);
		my $at_once = int((1 << 20) / length $bytes) || 1;

		for (my $done = 0; $times == 0 || $done < $times; $done += $at_once)
		{
			$at_once = $times - $done if $times && $at_once > $times - $done;
			my $final = $i == $#$pieces && $times == $done + $at_once;
			put($client, LtdbFaults::frame($opcode | ($final ? 0x80 : 0), $bytes x $at_once)) or return 0;
			$opcode = 0;
		}
	}
	return 1;
}

1;
