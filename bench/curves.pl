# curves.pl OUT [quick]
#	How the times grow: with the number of records and of keys, with the size
#	of the data, with the number of clients.
#
# Prints the points, and writes OUT/curves.json and one SVG for each curve.
# Is called by session.sh.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use Bench::Chart;
use Bench::Report;
use Bench::Rig;
use Bench::Rounds;
use Bench::Tables;

my ($out_dir, $size) = @ARGV;
my $quick = ($size // '') eq 'quick';
my $rounds = 3;

my $psql;
my %curves;

# The alternatives' medians at one point, added to the curve.
sub add_point
{
	my ($curve, $x, $compute, @alternatives) = @_;
	my $measured = measure($rounds, @alternatives);

	for (my $i = 0; $i < @alternatives; $i += 2)
	{
		my $name = $alternatives[$i];
		my $median = summary(map { $compute->($_->{$name}) } @$measured)->{median};
		my ($series) = grep { $_->{name} eq $name } @{ $curve->{series} };

		push @{ $curve->{series} }, $series = { name => $name, points => [] } unless $series;
		push @{ $series->{points} }, [ $x, $median ];
		printf "%-8s %10s  %-14s %.6g\n", $curve->{name}, $x, $name, $median;
	}
	return;
}

sub finish
{
	my ($curve) = @_;

	write_chart("$out_dir/$curve->{name}.svg", %$curve);
	$curves{ $curve->{name} } = $curve;
	return;
}

# Scans of a collection, over whatever it is that varies.
sub add_scan
{
	my ($curve, $x, $compute, %load) = @_;
	my $scan = sub {
		my ($schema) = @_;

		return sub { $psql->seconds("SELECT count(data), max(ts) FROM (SELECT * FROM $schema.curve OFFSET 0) s") };
	};

	load_records($psql, 'curve', %load);
	add_point($curve, $x, $compute,
		'ltdb_fdw' => $scan->('ltdb'),
		'postgres_fdw' => $scan->('pg'),
		'bare client' => sub { wire(['scan'], %load, collection => 'curve') });
	return;
}

sub over_records
{
	my $curve = {
		name => 'records', x => 'records (100 keys, 50 bytes of data)', y => 'seconds',
		title => 'Full scan'
	};

	add_scan($curve, $_, sub { $_[0] }, records => $_, keys => 100)
	  for 10_000, 100_000, 1_000_000, $quick ? () : 10_000_000;
	finish($curve);
	return;
}

sub over_keys
{
	my $records = $quick ? 200_000 : 1_000_000;
	my $curve = {
		name => 'keys', x => 'keys (' . $records / 1000 . ' k records in all)', y => 'seconds',
		title => 'Full scan'
	};

	add_scan($curve, $_, sub { $_[0] }, records => $records, keys => $_)
	  for 1, 10, 100, 1_000, 10_000, $quick ? () : 100_000;
	finish($curve);
	return;
}

sub over_data
{
	my $total = $quick ? 20_000_000 : 100_000_000;
	my $curve = {
		name => 'data', x => 'bytes of data in a record', y => 'microseconds a record',
		title => 'Full scan'
	};

	for my $bytes (20, 200, 2_000, 20_000)
	{
		my $records = $total / ($bytes > 100 ? $bytes : 100);

		add_scan($curve, $bytes, sub { 1e6 * $_[0] / $records },
			records => $records, keys => 100, data_bytes => $bytes);
	}
	finish($curve);
	return;
}

sub over_clients
{
	my $transactions = $quick ? 1_000 : 2_000;
	my $curve = {
		name => 'clients', x => 'clients', y => 'lookups a second, all clients', base => 2,
		title => 'Point lookups by key and ts'
	};
	my $lookups = sub {
		my ($schema, $clients) = @_;
		my $script = "\\set ts random(1000000000, 1000000999)\n"
		  . "SELECT data FROM $schema.curve WHERE key = :key AND ts = to_timestamp(:ts);";

		return sub { pgbench($script, $transactions, $clients, '-D', 'key=key-7') };
	};

	load_records($psql, 'curve', records => 100_000, keys => 100);
	for my $clients (1, 2, 4, 8, 16)
	{
		add_point($curve, $clients, sub { $clients / $_[0] },
			'ltdb_fdw' => $lookups->('ltdb', $clients),
			'postgres_fdw' => $lookups->('pg', $clients));
	}
	finish($curve);
	return;
}

$| = 1;
$psql = session();
my $machine = machine();
print_machine($machine);
create_servers($psql);
over_clients();
over_data();
over_keys();
over_records();
write_json("$out_dir/curves.json", { machine => $machine, size => $quick ? 'quick' : 'full', curves => \%curves });
