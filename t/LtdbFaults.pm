# LtdbFaults.pm
#	A proxy between sessions and their ltdbd that does them wrong, as told.
#
# One process with one loop and several ports, all of which lead to the same
# ltdbd.  A fault holds for all ports, and is counted for each: so many sessions
# can meet it at once, each on a port of its own.  Which faults there are stands
# above the functions that commit them; what should come of them is left to the
# tests.
#
# Copyright (c) 2026, ltdb_fdw contributors

package LtdbFaults;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER SO_RCVBUF);
use Time::HiRes qw(time);

my $PIECE = 1 << 16;

# Beyond this nothing is taken from the one side until the other has caught up.
my $BACKLOG = 4 << 20;

my @RECOVERABLE = (
	'twice', 'a ping before', 'a pong before', 'wrong id', 'no id', 'id of another type', 'not JSON', 'an array',
	'a reserved opcode', 'a reserved bit', 'a masked frame', 'a continuation of nothing', 'an impossible frame',
	'garbage', 'a truncated frame', 'close 1001', 'close 1012');

my $json = JSON::PP->new->canonical;
my %running;

END
{
	local $?;
	kill 'KILL', $_ for keys %running;
}

# ---- what tests call ----

# A proxy in front of a port, with COUNT ports of its own: {ports}, {port}.
sub new
{
	my ($class, $target, $count) = @_;
	my @listeners = map {
		IO::Socket::INET->new(Listen => 100, LocalAddr => '127.0.0.1', Proto => 'tcp', Blocking => 0)
		  // die "listen: $!"
	} 1 .. $count // 1;
	my @ports = map { $_->sockport } @listeners;

	# what nobody reads is not to fit into sockets, which the system lets grow
	setsockopt($_, SOL_SOCKET, SO_RCVBUF, 256 * 1024) for @listeners;
	pipe(my $orders_read, my $orders_write) or die "pipe: $!";
	pipe(my $replies_read, my $replies_write) or die "pipe: $!";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		close $orders_write;
		close $replies_read;
		%running = ();
		eval { run($target, \@listeners, $orders_read, $replies_write); 1 } or print STDERR "proxy: $@";
		POSIX::_exit(0);
	}
	$running{$pid} = 1;
	$_->autoflush(1) for $orders_write;
	return bless {
		pid => $pid, ports => \@ports, port => $ports[0],
		orders => $orders_write, replies => $replies_read
	}, $class;
}

# From now on, do this; without arguments, no harm.  Connections are closed
# first, unless keep is among the arguments.
sub set
{
	my ($self, %fault) = @_;

	return $self->_ask({ fault => \%fault });
}

# What has happened since the last set(): lists by port.
sub seen
{
	my ($self) = @_;

	return $self->_ask({});
}

sub _ask
{
	my ($self, $order) = @_;

	syswrite($self->{orders}, $json->encode($order) . "\n") or die "proxy: $!";
	my $reply = readline($self->{replies}) // die 'the proxy has died';
	return $json->decode($reply);
}

sub stop
{
	my ($self) = @_;

	kill 'KILL', $self->{pid};
	waitpid($self->{pid}, 0);
	delete $running{ $self->{pid} };
	return;
}

# ---- the loop ----

my (%pairs, $target, $fault, @left, @seen);

sub run
{
	my ($listeners, $orders, $replies);
	($target, $listeners, $orders, $replies) = @_;
	my $pending = '';

	local $SIG{PIPE} = 'IGNORE';
	set_fault({}, scalar @$listeners);
	for (;;)
	{
		my ($reading, $writing) = (IO::Select->new($orders, @$listeners), IO::Select->new);
		my $wait = 1;

		for my $pair (values %pairs)
		{
			my $slow = $pair->{trickle} || $pair->{not_before};
			$reading->add($pair->{client}) if $pair->{client_speaks} && length $pair->{to_server} < $BACKLOG;
			$reading->add($pair->{server})
			  if $pair->{server} && !$pair->{server_ended} && length $pair->{to_client} < $BACKLOG;
			$writing->add($pair->{server}) if $pair->{server} && length $pair->{to_server};
			$writing->add($pair->{client}) if length $pair->{to_client} && !$pair->{not_before};
			$wait = 0.001 if $slow || $pair->{ending};
		}
		my ($readable, $writable) = IO::Select->select($reading, $writing, undef, $wait);
		my %can_write = map { fileno($_) => 1 } @{ $writable // [] };

		for my $handle (@{ $readable // [] })
		{
			if ($handle == $orders)
			{
				sysread($orders, $pending, 1 << 20, length $pending) or return;
				while ($pending =~ s/^(.*)\n//)
				{
					my $order = $json->decode($1);
					set_fault($order->{fault}, scalar @$listeners) if $order->{fault};
					syswrite($replies, $json->encode(\@seen) . "\n");
				}
				last;
			}
			my ($index) = grep { $listeners->[$_] == $handle } 0 .. $#$listeners;
			if (defined $index)
			{
				accept_client($handle, $index);
			}
			elsif (my $pair = find_pair($handle))
			{
				receive($pair, $handle);
			}
		}
		for my $pair (values %pairs)
		{
			flush($pair, \%can_write);
		}
	}
	return;
}

sub set_fault
{
	my ($new, $count) = @_;

	$fault = $new;
	@left = map { $fault->{times} // 1e9 } 1 .. $count;
	@seen = map { { connections => [], faults => 0, pongs => 0, requests => 0 } } 1 .. $count;
	return if $fault->{keep};
	hang_up($_) for values %pairs;
	return;
}

sub find_pair
{
	my ($handle) = @_;
	my ($pair) = grep { $_->{client} == $handle || ($_->{server} && $_->{server} == $handle) } values %pairs;

	return $pair;
}

sub hang_up
{
	my ($pair, $reset) = @_;

	setsockopt($pair->{client}, SOL_SOCKET, SO_LINGER, pack('II', 1, 0)) if $reset;
	delete $pairs{ $pair->{number} };
	close $pair->{client};
	close $pair->{server} if $pair->{server};
	return;
}

# ---- faults of a connection ----
#
# cut => n			hang up after n bytes to the client, reset => 1 by force
# stall => n		say nothing more after n bytes to the client
# half_open => n	... and do not even read
# half_closed => n	end the stream to the client after n bytes, but go on reading
# random => [a, b]	any number between is the n of the above
# trickle => 1		byte by byte, and a little faster after a while
# delay_ms => n		let each piece wait
# handshake => text	answer the client's handshake with this, and hang up
# silent => 1		accept, and say nothing at all
# deaf => 1			... and do not even read
# times => n		on so many connections of each port

sub accept_client
{
	my ($listener, $index) = @_;
	my $client = $listener->accept or return;
	my $pair = {
		number => fileno($client), client => $client, index => $index, fault => {}, passed => 0,
		client_speaks => 1, to_server => '', to_client => '', from_server => '', message => '',
		answers => 0, from_client => ''
	};

	push @{ $seen[$index]{connections} }, time;
	$client->blocking(0);
	setsockopt($client, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!$fault->{answer} && $left[$index] > 0 && %$fault)
	{
		$left[$index]--;
		$seen[$index]{faults}++;
		$pair->{fault} = {%$fault};
	}
	$fault->{answer} and $pair->{by_message} = 1;
	my $own = $pair->{fault};
	for my $kind (qw(cut stall half_open half_closed))
	{
		next unless exists $own->{$kind};
		$pair->{limit_kind} = $kind;
		$pair->{limit} = $own->{random}
		  ? $own->{random}[0] + int(rand($own->{random}[1] - $own->{random}[0] + 1))
		  : $own->{$kind};
	}
	$pair->{trickle} = $own->{trickle};
	$pair->{client_speaks} = 0 if $own->{deaf};
	if (!$own->{handshake} && !$own->{silent} && !$own->{deaf})
	{
		$pair->{server} = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $target, Proto => 'tcp');
		unless ($pair->{server})
		{
			close $client;
			return;
		}
		$pair->{server}->blocking(0);
		setsockopt($pair->{server}, IPPROTO_TCP, TCP_NODELAY, 1);
	}
	$pairs{ $pair->{number} } = $pair;
	reach_limit($pair) if defined $pair->{limit} && $pair->{limit} <= 0;
	return;
}

sub receive
{
	my ($pair, $handle) = @_;
	my $is_client = $handle == $pair->{client};
	my $bytes = '';

	return unless $pairs{ $pair->{number} };
	my $count = sysread($handle, $bytes, $PIECE);
	return if !defined $count && ($!{EAGAIN} || $!{EINTR});
	if (!$count)
	{
		return hang_up($pair) if $is_client;
		$pair->{server_ended} = 1;
		$pair->{ending} //= 'cut' unless $pair->{limit_reached};
		return;
	}
	if ($is_client)
	{
		from_client($pair, $bytes);
	}
	elsif (!$pair->{limit_reached})
	{
		$pair->{from_server} .= $bytes;
		from_server($pair);
	}
	return;
}

sub from_client
{
	my ($pair, $bytes) = @_;

	$seen[ $pair->{index} ]{requests}++;

	# one with what a ping of ours said
	$seen[ $pair->{index} ]{pongs}++ if $bytes =~ /\x8a\x84/;
	if (my $text = $pair->{fault}{handshake})
	{
		$pair->{from_client} .= $bytes;
		return unless $pair->{from_client} =~ /\r\n\r\n/;
		$pair->{to_client} .= $text;
		$pair->{ending} = 'cut';
		return;
	}
	$pair->{to_server} .= $bytes if $pair->{server};
	return;
}

# What the server has sent, through whatever is to happen to it.
sub from_server
{
	my ($pair) = @_;

	if (!$pair->{by_message})
	{
		my $bytes = $pair->{from_server};
		$pair->{from_server} = '';
		return pass($pair, $bytes);
	}
	if (!$pair->{shaken})
	{
		$pair->{from_server} =~ s/\A(.*?\r\n\r\n)//s or return;
		$pair->{shaken} = 1;
		pass($pair, $1);
	}
	take_frames($pair);
	return;
}

# Towards the client, up to the limit.
sub pass
{
	my ($pair, $bytes) = @_;

	return if $pair->{limit_reached};
	if (defined $pair->{limit} && $pair->{passed} + length $bytes >= $pair->{limit})
	{
		$bytes = substr($bytes, 0, $pair->{limit} - $pair->{passed});
		$pair->{to_client} .= $bytes;
		$pair->{passed} += length $bytes;
		return reach_limit($pair);
	}
	$pair->{to_client} .= $bytes;
	$pair->{passed} += length $bytes;
	$pair->{not_before} //= time + $pair->{fault}{delay_ms} / 1000 if $pair->{fault}{delay_ms};
	return;
}

sub reach_limit
{
	my ($pair) = @_;

	$pair->{limit_reached} = 1;
	$pair->{ending} = $pair->{limit_kind} if $pair->{limit_kind} =~ /^(cut|half_closed)$/;
	$pair->{client_speaks} = 0 if $pair->{limit_kind} eq 'half_open';
	return;
}

sub flush
{
	my ($pair, $can_write) = @_;

	return unless $pairs{ $pair->{number} };
	if ($pair->{server} && length $pair->{to_server} && $can_write->{ fileno($pair->{server}) })
	{
		my $count = syswrite($pair->{server}, $pair->{to_server}, $PIECE);
		return hang_up($pair) if !defined $count && !$!{EAGAIN};
		substr($pair->{to_server}, 0, $count // 0) = '';
	}
	if ($pair->{not_before})
	{
		return if time < $pair->{not_before};
		delete $pair->{not_before};
	}
	if (length $pair->{to_client})
	{
		my $piece = $pair->{trickle} ? ($pair->{trickled}++ < 250 ? 1 : 30) : $PIECE;
		my $count = syswrite($pair->{client}, $pair->{to_client}, $piece);
		return hang_up($pair) if !defined $count && !$!{EAGAIN};
		substr($pair->{to_client}, 0, $count // 0) = '';
		return if length $pair->{to_client};
	}
	if (($pair->{ending} // '') eq 'cut')
	{
		hang_up($pair, $pair->{fault}{reset});
	}
	elsif (($pair->{ending} // '') eq 'half_closed')
	{
		shutdown($pair->{client}, 1);
		delete $pair->{ending};
	}
	return;
}

# ---- faults of answers ----
#
# answer => kind	what becomes of an answer: see spoil(); "any" is one that a
#					client can recover from
# chance => n		of each, between 0 and 1
# after => n		not of the first n of a connection; the first of all is that
#					to the api key, and spared by default
# times => n		of so many of each port

sub frame
{
	my ($first, $payload) = @_;
	my $length = length $payload;

	return pack('C', $first)
	  . ( $length < 126 ? pack('C', $length)
		: $length < 65536 ? pack('Cn', 126, $length)
		:                   pack('CQ>', 127, $length))
	  . $payload;
}

# Each complete frame; a message that goes on is joined.
sub take_frames
{
	my ($pair) = @_;

	while (length $pair->{from_server} >= 2)
	{
		my ($first, $length) = unpack('CC', $pair->{from_server});
		my $head = $length == 127 ? 10 : $length == 126 ? 4 : 2;

		return if length $pair->{from_server} < $head;
		$length = unpack('x2n', $pair->{from_server}) if $head == 4;
		$length = unpack('x2Q>', $pair->{from_server}) if $head == 10;
		return if length $pair->{from_server} < $head + $length;
		my $payload = substr($pair->{from_server}, $head, $length);
		substr($pair->{from_server}, 0, $head + $length) = '';

		if (($first & 15) >= 8)
		{
			pass($pair, frame($first, $payload));
			next;
		}
		$pair->{message} .= $payload;
		next unless $first & 0x80;
		$payload = $pair->{message};
		$pair->{message} = '';
		take_answer($pair, $payload);
	}
	return;
}

sub take_answer
{
	my ($pair, $text) = @_;
	my $index = $pair->{index};

	($pair->{first_id}) = $text =~ /"id":"([^"]*)"/ if !$pair->{answers};
	if (   $pair->{answers}++ < ($fault->{after} // 1)
		|| $left[$index] <= 0
		|| !$fault->{answer}
		|| rand() >= ($fault->{chance} // 1))
	{
		pass($pair, frame(0x81, $text));
		return;
	}
	$left[$index]--;
	$seen[$index]{faults}++;
	my $kind = $fault->{answer};
	$kind = $RECOVERABLE[ rand @RECOVERABLE ] if $kind eq 'any';
	spoil($pair, $kind, $text);
	return;
}

# An answer goes wrong in this way.
sub spoil
{
	my ($pair, $kind, $text) = @_;
	my ($id) = $text =~ /"id":"([^"]*)"/;
	my %changed = (
		drop => sub { },
		twice => sub { ($text, $text) },
		'wrong id' => sub { $text =~ s/"id":"[^"]*"/"id":"999999"/r },
		'the id of an answered request' => sub { $text =~ s/"id":"[^"]*"/"id":"$pair->{first_id}"/r },
		'id of another type' => sub { $text =~ s/"id":"[^"]*"/"id":$id/r },
		'no id' => sub { $text =~ s/"id":"[^"]*",?//r },
		'wrong types' => sub { qq({"id":"$id","records":7,"collections":7,"keys":7,"values":7,"value":7}) },
		'wrong elements' =>
		  sub { qq({"id":"$id","records":[7],"collections":[7],"keys":[7],"values":{"a":7},"value":[]}) },
		'nothing but the id' => sub { qq({"id":"$id"}) },
		'truncated JSON' => sub { substr($text, 0, length($text) - 1) },
		'more after the JSON' => sub { $text . '}' },
		'not JSON' => sub { 'Service Unavailable' },
		'an array' => sub { "[$text]" },
		'an empty message' => sub { '' },
		'an error' => sub { qq({"id":"$id","error":"out of order"}) },
		'an error without id' => sub { '{"error":"Unknown message type"}' });
	my %raw = (
		'one byte to a frame, pings between' => sub {
			my @bytes = split //, $text;
			my $last = $#bytes;
			join('', map {
				frame(($_ == 0 ? 0x01 : 0x00) | ($_ == $last ? 0x80 : 0), $bytes[$_])
				  . ($_ % 50 == 0 && $_ < $last ? frame(0x89, 'ping') : '')
			} 0 .. $last);
		},
		'a ping before' => sub { frame(0x89, 'ping') . frame(0x81, $text) },
		'a pong before' => sub { frame(0x8a, 'pong') . frame(0x81, $text) },
		'a binary frame' => sub { frame(0x82, $text) },
		'a reserved opcode' => sub { frame(0x83, $text) },
		'a reserved bit' => sub { frame(0xf1, $text) },
		'a masked frame' => sub {
			my $frame = frame(0x81, '');
			substr($frame, 1, 1) = pack('C', 0x80 | 4);
			$frame . "\0\0\0\0" . 'what';
		},
		'a continuation of nothing' => sub { frame(0x80, $text) },
		'a huge frame' => sub { pack('CCQ>', 0x81, 127, 1 << 40) . $text },
		'an impossible frame' => sub { pack('CCQ>', 0x81, 127, ~0) . $text },
		'garbage' => sub { "\xff" x 100 });

	return map { pass($pair, frame(0x81, $_)) } $changed{$kind}->() if $changed{$kind};
	return pass($pair, $raw{$kind}->()) if $raw{$kind};
	if ($kind eq 'a truncated frame')
	{
		pass($pair, substr(frame(0x81, $text), 0, length($text)));
		$pair->{ending} = 'half_closed';
	}
	elsif ($kind =~ /^close (\d*)$/)
	{
		pass($pair, frame(0x88, $1 eq '' ? '' : pack('n', $1)));
	}
	else
	{
		die "unknown fault: $kind";
	}
	$pair->{limit_reached} = 1;
	return;
}

1;
