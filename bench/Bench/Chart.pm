# Bench::Chart
#	A chart of lines over logarithmic axes, as SVG.
#
# Copyright (c) 2026, ltdb_fdw contributors

package Bench::Chart;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(write_chart);

my ($width, $height) = (640, 400);
my ($left, $right, $top, $bottom) = (80, 150, 40, 55);
my @colours = ('#0b5fa5', '#c2410c', '#6b7280', '#15803d');

sub _log10
{
	return log($_[0]) / log(10);
}

# 1000000 as 1 M, 0.001 as 0.001
sub _label
{
	my ($number) = @_;

	return sprintf('%g M', $number / 1e6) if $number >= 1e6;
	return sprintf('%g k', $number / 1e3) if $number >= 1e3;
	return sprintf('%g', $number);
}

sub _escape
{
	my ($text) = @_;

	$text =~ s/&/&amp;/g;
	$text =~ s/</&lt;/g;
	return $text;
}

sub _text
{
	my ($x, $y, $text, %attributes) = @_;
	my $more = join('', map { qq{ $_="$attributes{$_}"} } sort keys %attributes);

	return sprintf(qq{<text x="%.1f" y="%.1f"%s>%s</text>\n}, $x, $y, $more, _escape($text));
}

# The powers of the base that enclose all the values.
sub _scale
{
	my ($base, @values) = @_;
	my @sorted = sort { $a <=> $b } @values;
	my $unit = log($base);
	my $first = int(log($sorted[0]) / $unit + 1000 + 1e-9) - 1000;
	my $last = -(int(-log($sorted[-1]) / $unit + 1000 + 1e-9) - 1000);

	$last = $first + 1 if $last <= $first;
	return map { $base**$_ } $first .. $last;
}

# title, x, y: texts; base: of the x axis, 10 by default; series: a list of a
# name and its points, each x and y.
sub write_chart
{
	my ($file, %chart) = @_;
	my @points = map { @{ $_->{points} } } @{ $chart{series} };
	my @x_ticks = _scale($chart{base} // 10, map { $_->[0] } @points);
	my @y_ticks = _scale(10, map { $_->[1] } @points);
	my $x_of = sub {
		$left + ($width - $left - $right) * _log10($_[0] / $x_ticks[0]) / _log10($x_ticks[-1] / $x_ticks[0]);
	};
	my $y_of = sub {
		$height - $bottom - ($height - $top - $bottom) * _log10($_[0] / $y_ticks[0]) / _log10($y_ticks[-1] / $y_ticks[0]);
	};
	my $svg = qq{<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height"}
	  . qq{ font-family="sans-serif" font-size="12">\n}
	  . qq{<rect width="$width" height="$height" fill="#ffffff"/>\n}
	  . _text($left, 22, $chart{title}, 'font-size' => 14, 'font-weight' => 'bold');

	for my $tick (@x_ticks)
	{
		my $x = $x_of->($tick);

		$svg .= sprintf qq{<path d="M%.1f %.1fV%.1f" stroke="#e5e7eb"/>\n}, $x, $top, $height - $bottom;
		$svg .= _text($x, $height - $bottom + 18, _label($tick), 'text-anchor' => 'middle');
	}
	for my $tick (@y_ticks)
	{
		my $y = $y_of->($tick);

		$svg .= sprintf qq{<path d="M%.1f %.1fH%.1f" stroke="#e5e7eb"/>\n}, $left, $y, $width - $right;
		$svg .= _text($left - 8, $y + 4, _label($tick), 'text-anchor' => 'end');
	}
	$svg .= _text(($left + $width - $right) / 2, $height - 14, $chart{x}, 'text-anchor' => 'middle');
	$svg .= _text(18, ($top + $height - $bottom) / 2, $chart{y}, 'text-anchor' => 'middle',
		transform => sprintf('rotate(-90 18 %.1f)', ($top + $height - $bottom) / 2));

	for my $i (0 .. $#{ $chart{series} })
	{
		my $series = $chart{series}[$i];
		my $colour = $colours[ $i % @colours ];
		my @places = map { sprintf('%.1f %.1f', $x_of->($_->[0]), $y_of->($_->[1])) } @{ $series->{points} };
		my $y = $top + 14 + 20 * $i;

		$svg .= sprintf qq{<path d="M%s" fill="none" stroke="%s" stroke-width="2"/>\n}, join('L', @places), $colour;
		$svg .= join('', map { sprintf qq{<circle cx="%s" cy="%s" r="3" fill="$colour"/>\n}, split / / } @places);
		$svg .= sprintf qq{<path d="M%d %dh18" stroke="%s" stroke-width="2"/>\n}, $width - $right + 12, $y - 4, $colour;
		$svg .= _text($width - $right + 36, $y, $series->{name});
	}
	open(my $out, '>', $file) or die "$file: $!";
	print $out $svg, "</svg>\n";
	close($out);
	return;
}

1;
