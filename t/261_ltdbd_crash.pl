# 261_ltdbd_crash.pl
#	ltdbd killed under load, many times: nothing that was acknowledged is lost,
#	nothing that was deleted comes back.
#
# The work is done by crash_load.c, for speed.  LTDB_CRASH_ROUNDS is how many
# times, LTDB_TEST_SEED repeats a run, as far as timing lets it.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use File::Temp qw(tempdir);

my $dir = tempdir(CLEANUP => 1);
my @command = (
	'build/crash_load', $ENV{LTDBD} // './ltdbd',
	"$dir/data", $ENV{LTDB_CRASH_ROUNDS} // 100,
	$ENV{LTDB_TEST_SEED} // ());

if (system(@command) != 0)
{
	print '# ', $_ for slurp("$dir/data.log");
	exit 1;
}

# The end of a file.
sub slurp
{
	open(my $file, '<', $_[0]) or return;
	my @lines = readline($file);
	splice(@lines, 0, @lines - 30) if @lines > 30;
	return @lines;
}
