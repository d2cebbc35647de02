# Bench::Rig
#	What is measured with: psql, pgbench, the bare client, a process' memory.
#
# Each way to measure returns seconds, or MiB.  The servers have been started by
# session.sh, which says in the environment where they are; what is measured
# is the business of goals.pl and curves.pl.
#
# Copyright (c) 2026, ltdb_fdw contributors

package Bench::Rig;

use strict;
use warnings;

use Exporter 'import';
use IPC::Open2;
use Time::HiRes;

our @EXPORT = qw(wire wire_url session pgbench rss_growth_mib);

my $end = '--end of answer--';

# ---- the bare client ----

sub wire_url
{
	return "ws://127.0.0.1:$ENV{LTDB_PORT}";
}

# The time of the last mode.
sub wire
{
	my ($modes, %options) = @_;
	my @arguments = map { my $name = $_; $name =~ tr/_/-/; ("--$name", $options{$_}) } sort keys %options;

	open(my $out, '-|', "$ENV{BENCH_WORK}/wire_load", @arguments, wire_url(), @$modes)
	  or die "cannot run wire_load: $!";
	my @lines = <$out>;
	close($out) or die "wire_load failed";
	$lines[-1] =~ /^\w+ ([0-9.]+) s/ or die "wire_load printed: $lines[-1]";
	return $1;
}

# ---- psql ----

# A psql that stays, with a backend of its own.
sub session
{
	my $pid = open2(my $out, my $in, 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1');
	my $self = bless { pid => $pid, out => $out, in => $in }, 'Bench::Rig';

	$in->autoflush(1);
	$self->{backend} = $self->query('SELECT pg_backend_pid()');
	return $self;
}

sub _ask
{
	my ($self, $text) = @_;
	my @lines;

	print { $self->{in} } "$text\n\\echo $end\n";
	while (my $line = readline($self->{out}))
	{
		chomp $line;
		return @lines if $line eq $end;
		push @lines, $line;
	}
	die "psql has ended: $text\n";
}

# What statements print.
sub query
{
	my ($self, $sql) = @_;

	return join("\n", $self->_ask("$sql;"));
}

# The time of one statement.
sub seconds
{
	my ($self, $sql) = @_;
	my @lines = $self->_ask("\\timing on\n$sql;\n\\timing off");

	$lines[-1] =~ /^Time: ([0-9.]+) ms/ or die "no time for: $sql\n";
	return $1 / 1000;
}

# The time that the backend was running for it, which waiting for a server, or
# for others on the machine, does not count in.
sub busy_seconds
{
	my ($self, $sql) = @_;
	my $before = _running_ns($self->{backend});

	$self->query($sql);
	return (_running_ns($self->{backend}) - $before) / 1e9;
}

sub _running_ns
{
	my ($pid) = @_;

	open(my $stat, '<', "/proc/$pid/schedstat") or die "no schedstat: $!";
	my ($ns) = split / /, <$stat>;
	CORE::close($stat);
	return $ns;
}

sub backend
{
	my ($self) = @_;

	return $self->{backend};
}

# Starts statements without waiting for them.
sub start
{
	my ($self, $sql) = @_;

	print { $self->{in} } "$sql;\n";
	return;
}

sub leave
{
	my ($self) = @_;

	close($self->{in});
	close($self->{out});
	waitpid($self->{pid}, 0);
	return;
}

# ---- pgbench ----

# The mean latency of a script's transactions, and all of pgbench's answer.
sub pgbench
{
	my ($script, $transactions, $clients, @options) = @_;
	my $file = "$ENV{BENCH_WORK}/script.sql";

	open(my $out, '>', $file) or die "$file: $!";
	print $out "$script\n";
	close($out);
	my $text = qx{pgbench -n -M prepared -t $transactions -c $clients -j $clients @options -f $file 2>&1};
	$text =~ /latency average = ([0-9.]+) ms/ or die "pgbench failed: $text";
	return $1 / 1000;
}

# ---- memory ----

sub _anonymous_kib
{
	my ($pid) = @_;

	open(my $status, '<', "/proc/$pid/status") or return 0;
	my ($kib) = map { /^RssAnon:\s+(\d+) kB/ ? $1 : () } <$status>;
	close($status);
	return $kib // 0;
}

# By how much a fresh backend's own memory grows, at its height, while it runs
# a statement.  A first small statement is not counted: it loads the library.
sub rss_growth_mib
{
	my ($first, $sql) = @_;
	my $session = session();
	my $highest = 0;

	$session->query($first);
	my $before = _anonymous_kib($session->backend);
	$session->start("$sql;\n\\echo $end");

	my $ready = '';
	vec($ready, fileno($session->{out}), 1) = 1;
	until (select(my $read = $ready, undef, undef, 0.01))
	{
		my $now = _anonymous_kib($session->backend);
		$highest = $now if $now > $highest;
	}
	while (my $line = readline($session->{out}))
	{
		last if $line =~ /$end/;
	}
	$session->leave;
	return $highest > $before ? ($highest - $before) / 1024 : 0;
}

1;
