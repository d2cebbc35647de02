# Bench::Report
#	Writes what was measured: a table for people, JSON for programs.
#
# Copyright (c) 2026, ltdb_fdw contributors

package Bench::Report;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(machine print_machine print_row print_goals write_json);

# ---- where ----

sub _first_line
{
	my ($command) = @_;
	my ($line) = split /\n/, qx{$command 2>/dev/null} // '';

	return $line // 'unknown';
}

sub machine
{
	my $model = _first_line(q{sed -n 's/^model name[^:]*: //p' /proc/cpuinfo});

	return {
		date => _first_line('date -u +%Y-%m-%dT%H:%M:%SZ'),
		processor => $model,
		cores => _first_line('nproc') + 0,
		memory_mib => int(_first_line(q{sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo}) / 1024),
		kernel => _first_line('uname -sr'),
		postgresql => _first_line('postgres --version'),
		libwebsockets => _first_line('dpkg-query -W -f \'${Version}\' libwebsockets-dev'),
		sqlite => _first_line('dpkg-query -W -f \'${Version}\' libsqlite3-dev'),
		compiler => _first_line('cc --version'),
		commit => $ENV{BENCH_COMMIT} || 'unknown'
	};
}

sub print_machine
{
	my ($machine) = @_;

	printf "%-14s %s\n", $_, $machine->{$_} for sort keys %$machine;
	return;
}

# ---- the table ----

sub _number
{
	my ($number) = @_;

	return '' unless defined $number;
	return sprintf($number >= 100 ? '%.0f' : $number >= 10 ? '%.1f' : $number >= 0.01 ? '%.3f' : '%.6f', $number);
}

# One thing measured: its alternatives, then its goals.
sub print_row
{
	my ($row) = @_;

	print "\n$row->{title}\n";
	for my $series (@{ $row->{series} })
	{
		printf "  %-34s %10s %3s  (%s to %s)\n", $series->{name}, _number($series->{median}),
		  $row->{unit}, _number($series->{min}), _number($series->{max});
	}
	for my $goal (@{ $row->{goals} })
	{
		my $sign = $goal->{at} eq 'most' ? '<=' : '>=';

		printf "  %-34s %10s %3s  (%s to %s)%s\n", $goal->{what}, _number($goal->{median}),
		  $goal->{unit}, _number($goal->{min}), _number($goal->{max}),
		  defined $goal->{bound}
		  ? "  goal $sign $goal->{bound}: " . ($goal->{met} ? 'met' : 'NOT MET')
		  : '';
	}
	return;
}

# How many goals there are, and which are not met.
sub print_goals
{
	my @goals;

	for my $row (@_)
	{
		push @goals, map { { %$_, title => $row->{title} } } grep { defined $_->{bound} } @{ $row->{goals} };
	}
	my @missed = grep { !$_->{met} } @goals;

	printf "\n%d of %d goals met\n", @goals - @missed, scalar @goals;
	printf "  not met: %s: %s %s, goal %s\n", $_->{title}, $_->{what}, _number($_->{median}), $_->{bound}
	  for @missed;
	return;
}

# ---- JSON ----

sub _json
{
	my ($value) = @_;

	return 'null' unless defined $value;
	return '[' . join(', ', map { _json($_) } @$value) . ']' if ref $value eq 'ARRAY';
	return '{' . join(', ', map { _json($_) . ': ' . _json($value->{$_}) } sort keys %$value) . '}'
	  if ref $value eq 'HASH';

	# as perl writes numbers: a commit may be called 686e768
	return $value if $value =~ /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[-+][0-9]+)?$/;
	$value =~ s/(["\\])/\\$1/g;
	$value =~ s/([\x00-\x1f])/sprintf('\\u%04x', ord $1)/ge;
	return qq{"$value"};
}

sub write_json
{
	my ($file, $value) = @_;

	open(my $out, '>', $file) or die "$file: $!";
	print $out _json($value), "\n";
	close($out);
	return;
}

1;
