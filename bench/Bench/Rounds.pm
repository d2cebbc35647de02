# Bench::Rounds
#	Measures alternatives in turn, several times, and sums up.
#
# One round runs every alternative once, so that whatever else the machine is
# doing meets all of them; ratios are taken within a round.  A first round is
# not counted.
#
# Copyright (c) 2026, ltdb_fdw contributors

package Bench::Rounds;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(measure summary judge goal ratio difference rate value);

# Takes pairs of a name and a function that returns what it has measured, in
# order; returns the rounds, each a hash by name.
sub measure
{
	my ($count, @alternatives) = @_;
	my @rounds;

	for my $round (0 .. $count)
	{
		my %measured;

		for (my $i = 0; $i < @alternatives; $i += 2)
		{
			$measured{ $alternatives[$i] } = $alternatives[ $i + 1 ]->();
		}
		push @rounds, \%measured if $round > 0;
	}
	return \@rounds;
}

# Median, minimum and maximum.
sub summary
{
	my @sorted = sort { $a <=> $b } @_;
	my $middle = @sorted / 2;

	return {
		median => @sorted % 2 ? $sorted[$middle] : ($sorted[$middle] + $sorted[ $middle - 1 ]) / 2,
		min => $sorted[0],
		max => $sorted[-1]
	};
}

# ---- goals: what is computed of a round, and its bound ----

sub goal
{
	my ($what, $at, $bound, $unit, $compute) = @_;

	return { what => $what, at => $at, bound => $bound, unit => $unit, compute => $compute };
}

sub ratio
{
	my ($name, $other, $bound) = @_;

	return goal("$name / $other", 'most', $bound, '', sub { $_[0]{$name} / $_[0]{$other} });
}

# In milliseconds.
sub difference
{
	my ($name, $other, $bound) = @_;

	return goal("$name - $other", 'most', $bound, 'ms',
		sub { 1000 * ($_[0]{$name} - $_[0]{$other}) });
}

# Of so many things in the time measured, in thousands a second.
sub rate
{
	my ($name, $count, $bound) = @_;

	return goal("$name, rate", 'least', $bound, 'k/s', sub { $count / $_[0]{$name} / 1000 });
}

# What was measured itself, times a factor.
sub value
{
	my ($name, $at, $bound, $unit, $factor) = @_;

	return goal($name, $at, $bound, $unit, sub { $_[0]{$name} * ($factor // 1) });
}

# A goal's summary over the rounds, and whether it is met.
sub judge
{
	my ($goal, $rounds) = @_;
	my $result = summary(map { $goal->{compute}->($_) } @$rounds);

	$result->{what} = $goal->{what};
	$result->{unit} = $goal->{unit};
	$result->{at} = $goal->{at};
	$result->{bound} = $goal->{bound};
	$result->{met} =
	  !defined $goal->{bound} ? undef
	  : ($goal->{at} eq 'most' ? $result->{median} <= $goal->{bound}
		: $result->{median} >= $goal->{bound}) ? 1 : 0;
	return $result;
}

1;
