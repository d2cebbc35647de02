# goals.pl OUT [quick]
#	Measures ltdb_fdw side by side with postgres_fdw on the same rows, and with
#	a bare client of the same server, against the goals set for it.
#
# Prints a table, and writes OUT/goals.json.  Is called by session.sh.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use Bench::Report;
use Bench::Rig;
use Bench::Rounds;
use Bench::Tables;

my ($out_dir, $size) = @ARGV;
my $quick = ($size // '') eq 'quick';
our $rounds = $quick ? 3 : 9;
my $records = $quick ? 200_000 : 1_000_000;
my $points = $quick ? 2_000 : 10_000;
my $scanned = $quick ? 1_000_000 : 10_000_000;
my $copied = $quick ? 500_000 : 5_000_000;

my $psql;
my @rows;

# Measures the alternatives, judges them by the goals, prints the row.
sub row
{
	my ($title, $unit, $alternatives, @goals) = @_;
	my $measured = measure($rounds, @$alternatives);
	my @names = map { $alternatives->[ 2 * $_ ] } 0 .. @$alternatives / 2 - 1;
	my $factor = $unit eq 'ms' ? 1000 : 1;
	my $row = {
		title => $title,
		unit => $unit,
		rounds => $rounds,
		series => [
			map { my $name = $_; { name => $name, %{ summary(map { $factor * $_->{$name} } @$measured) } } } @names
		],
		goals => [ map { judge($_, $measured) } @goals ]
	};

	print_row($row);
	push @rows, $row;
	return;
}

sub sql
{
	my ($statement) = @_;

	return sub { $psql->seconds($statement) };
}

# OFFSET 0 keeps the subquery apart, so that every row passes through it, with
# those columns that are counted.
sub all_rows
{
	my ($table, @counted) = @_;
	my $counts = join(', ', map { "count($_)" } @counted);

	return "SELECT $counts, max(ts) FROM (SELECT * FROM $table OFFSET 0) s";
}

sub count_of
{
	my ($n) = @_;

	return $n >= 1_000_000 ? $n / 1_000_000 . ' M' : $n / 1_000 . ' k';
}

# ---- reading ----

# A scan takes as long as the slower of the two it is made by, the server and
# the backend, if they work at the same time.
sub to_slower_side
{
	my ($bound) = @_;

	return goal('ltdb_fdw / slower side', 'most', $bound, '',
		sub { $_[0]{ltdb_fdw} / ($_[0]{bare} > $_[0]{'backend busy'} ? $_[0]{bare} : $_[0]{'backend busy'}) });
}

sub scans
{
	my %many = (records => $records, keys => 100);
	my %one = (records => $records, keys => 1);

	load_records($psql, 'many', %many);
	load_records($psql, 'one', %one);
	row('full scan of ' . count_of($records) . ' records of 100 keys', 's',
		[
			ltdb_fdw => sql(all_rows('ltdb.many', 'data')),
			postgres_fdw => sql(all_rows('pg.many', 'data')),
			bare => sub { wire(['scan'], %many, collection => 'many') },
			'backend busy' => sub { $psql->busy_seconds(all_rows('ltdb.many', 'data')) }
		],
		ratio('ltdb_fdw', 'postgres_fdw', 0.35),
		ratio('ltdb_fdw', 'bare', undef),
		to_slower_side(1.3));
	row('scan of one key of ' . count_of($records) . ' records', 's',
		[
			ltdb_fdw => sql(all_rows(q{ltdb.one WHERE key = 'key-0'}, 'data')),
			postgres_fdw => sql(all_rows(q{pg.one WHERE key = 'key-0'}, 'data')),
			bare => sub { wire(['fetch'], %one, collection => 'one') },
			'backend busy' => sub { $psql->busy_seconds(all_rows(q{ltdb.one WHERE key = 'key-0'}, 'data')) }
		],
		ratio('ltdb_fdw', 'postgres_fdw', 0.35),
		ratio('ltdb_fdw', 'bare', undef),
		to_slower_side(1.3));
	return;
}

sub columns
{
	$psql->query(<<'END');
CREATE FOREIGN TABLE ltdb.j (key text NOT NULL, ts timestamptz NOT NULL, data json)
	SERVER ltdb OPTIONS (collection 'many');
CREATE FOREIGN TABLE ltdb.b (key text NOT NULL, ts timestamptz NOT NULL, data jsonb)
	SERVER ltdb OPTIONS (collection 'many');
CREATE FOREIGN TABLE ltdb.f (key text NOT NULL, ts timestamptz NOT NULL,
	n int OPTIONS (field 'n'), t float8 OPTIONS (field 't'), u text OPTIONS (field 'u'))
	SERVER ltdb OPTIONS (collection 'many')
END
	my @queries = (
		'key, ts, data' => all_rows('ltdb.many', 'key', 'data'),
		'key, ts' => all_rows('ltdb.many', 'key'),
		'3 fields' => all_rows('ltdb.f', 'key', 'n', 't', 'u'),
		'json' => all_rows('ltdb.j', 'key', 'data'),
		'jsonb' => all_rows('ltdb.b', 'key', 'data'),
		'data::jsonb' => all_rows('ltdb.many', 'key', 'data::jsonb'));
	my %busy = @queries[ 0 .. 3 ];

	row('columns of the same ' . count_of($records) . ' records', 's',
		[ map { $_ % 2 ? sql($queries[$_]) : $queries[$_] } 0 .. $#queries ],
		ratio('3 fields', 'key, ts, data', 1.6),
		ratio('json', 'key, ts, data', undef),
		ratio('jsonb', 'data::jsonb', 1.1));
	row('... and for how long the backend was busy', 's',
		[ map { my $query = $busy{$_}; ($_ => sub { $psql->busy_seconds($query) }) } 'key, ts, data', 'key, ts' ],
		ratio('key, ts', 'key, ts, data', 0.9));
	return;
}

sub points
{
	my $per_key = $records / 100;
	my $script = sub {
		my ($schema) = @_;

		return "\\set ts random(1000000000, 999999999 + $per_key)\n"
		  . "SELECT data FROM $schema.many WHERE key = :key AND ts = to_timestamp(:ts);";
	};

	row('point lookup by key and ts, prepared', 'ms',
		[
			ltdb_fdw => sub { pgbench($script->('ltdb'), $points, 1, '-D', 'key=key-7') },
			postgres_fdw => sub { pgbench($script->('pg'), $points, 1, '-D', 'key=key-7') },
			'no table' => sub { pgbench("\\set ts random(1, $per_key)\nSELECT :ts, :key;", $points, 1, '-D', 'key=key-7') },
			bare => sub { wire(['point'], records => $records, collection => 'many', requests => $points) / $points }
		],
		ratio('ltdb_fdw', 'postgres_fdw', 0.4),
		ratio('ltdb_fdw', 'bare', 2),
		goal('(ltdb_fdw - no table) / bare', 'most', 2, '',
			sub { ($_[0]{ltdb_fdw} - $_[0]{'no table'}) / $_[0]{bare} }));
	return;
}

sub keys_of_records
{
	my $keys = 10_000;
	my $load = { records => 10 * $keys, keys => $keys };

	load_records($psql, 'keys', %$load);
	$psql->query(<<"END");
CREATE TABLE outer_rows AS SELECT 'key-' || n AS key FROM generate_series(0, $keys - 1) n;
VACUUM ANALYZE outer_rows;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off
END
	my $join = sub {
		my ($schema) = @_;

		return "SELECT count(data), max(ts) FROM outer_rows o JOIN $schema.keys k ON k.key = o.key";
	};

	for my $schema ('ltdb', 'pg')
	{
		my $plan = $psql->query('EXPLAIN (VERBOSE) ' . $join->($schema));

		print "not a join by key:\n$plan\n" unless $plan =~ /Nested Loop.*Seq Scan on public.outer_rows.*Foreign Scan/s;
	}
	row("join, $keys outer rows by key", 's',
		[
			ltdb_fdw => sql($join->('ltdb')),
			postgres_fdw => sql($join->('pg')),
			bare => sub { wire(['lookup'], %$load, collection => 'keys', requests => $keys) }
		],
		ratio('ltdb_fdw', 'postgres_fdw', 0.5),
		ratio('ltdb_fdw', 'bare', undef));

	my $latest = sub { "SELECT count(data) FROM (SELECT DISTINCT ON (key) * FROM $_[0].keys ORDER BY key, ts DESC) s" };
	my ($requests) = $psql->query('EXPLAIN (ANALYZE, VERBOSE) ' . $latest->('ltdb')) =~ /LTDB Requests: (\d+)/;

	row("newest record of each of $keys keys, LTDB requests: $requests", 'ms',
		[
			ltdb_fdw => sql($latest->('ltdb')),
			postgres_fdw => sql($latest->('pg')),
			bare => sub { wire(['latest'], %$load, collection => 'keys') }
		],
		difference('ltdb_fdw', 'bare', 50));
	$psql->query('RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material');
	return;
}

# ---- writing ----

sub writes
{
	my $file = "$ENV{BENCH_WORK}/rows";
	my $columns = 'key text NOT NULL, ts timestamptz NOT NULL, data text';
	my $into = sub {
		my ($table, $statement) = @_;

		return sub {
			wire(['delete'], collection => 'sink');
			$psql->query('TRUNCATE local.sink; CHECKPOINT');
			$psql->seconds($statement eq 'copy'
				? "COPY $table FROM '$file'"
				: "INSERT INTO $table SELECT * FROM local.many");
		};
	};

	$psql->query(<<"END");
CREATE TABLE local.sink ($columns, PRIMARY KEY (key, ts));
CREATE FOREIGN TABLE pg.sink ($columns) SERVER loopback OPTIONS (schema_name 'local');
CREATE FOREIGN TABLE ltdb.sink_commit ($columns) SERVER ltdb OPTIONS (collection 'sink');
CREATE FOREIGN TABLE ltdb.sink_immediate ($columns) SERVER ltdb
	OPTIONS (collection 'sink', write_mode 'immediate');
COPY local.many TO '$file'
END
	for my $statement ('insert', 'copy')
	{
		# postgres_fdw takes more than a minute for a COPY
		local $rounds = $statement eq 'copy' || $quick ? 3 : 5;

		row(($statement eq 'copy' ? 'COPY' : 'INSERT ... SELECT') . ' of ' . count_of($records) . ' rows', 's',
			[
				'commit' => $into->('ltdb.sink_commit', $statement),
				'immediate' => $into->('ltdb.sink_immediate', $statement),
				'postgres_fdw' => $into->('pg.sink', $statement),
				'bare' => sub { wire([ 'delete', 'insert' ], collection => 'sink', records => $records) }
			],
			rate('commit', $records, 250), rate('immediate', $records, 250),
			ratio('commit', 'postgres_fdw', 0.3), ratio('immediate', 'postgres_fdw', 0.3),
			ratio('immediate', 'bare', undef));
	}
	return;
}

# ---- the rest ----

sub connects
{
	my $warm = 'SELECT data FROM ltdb.many WHERE key = \'key-7\' AND ts = to_timestamp(1000000000)';

	row('connect and authenticate', 'ms',
		[
			'first query' => sub {
				my $session = session();

				# loads the library and plans, but sends nothing
				$session->query("EXPLAIN $warm");
				my $first = $session->seconds($warm);
				my $second = $session->seconds($warm);
				$session->leave;
				return $first - $second;
			},
			bare => sub { wire(['connect'], requests => 100) / 100 }
		],
		value('first query', 'most', 10, 'ms', 1000));
	return;
}

sub server
{
	local $rounds = 3;
	my @loads = map { { records => $records, keys => $_ } } 10, 1_000, $quick ? 100_000 : 1_000_000;
	my @alternatives;
	my @goals;

	for my $load (@loads)
	{
		my $keys = count_of($load->{keys}) =~ s/^0\.01 k$/10/r;
		my $name = 'server_' . $load->{keys};

		push @alternatives,
		  "insert, $keys keys" => sub { wire([ 'delete', 'insert' ], %$load, collection => $name) },
		  "fetch, $keys keys" => sub { wire(['fetch'], %$load, collection => $name) };
		push @goals, rate("insert, $keys keys", $records, 400),
		  rate("fetch, $keys keys", $records, $load->{keys} > 1_000 ? undef : 2_000);
	}
	row('ltdbd alone, ' . count_of($records) . ' records', 's', \@alternatives, @goals);

	row('ltdbd alone, one key', 's',
		[
			'fetch, ' . count_of($records) => sub { wire(['fetch'], records => $records, keys => 1, collection => 'one') },
			'fetch, ' . count_of($scanned) => sub { wire(['fetch'], records => $scanned, keys => 1, collection => 'long') },
		],
		rate('fetch, ' . count_of($records), $records, 2_000),
		rate('fetch, ' . count_of($scanned), $scanned, 2_000));
	return;
}

sub memory
{
	my $file = "$ENV{BENCH_WORK}/rows";
	my $scan = 'SELECT count(data) FROM (SELECT * FROM ltdb.long OFFSET 0) s';

	wire([ 'delete', 'insert' ], records => $scanned, keys => 1, collection => 'long');
	$psql->query(<<"END");
CREATE FOREIGN TABLE ltdb.long (key text NOT NULL, ts timestamptz NOT NULL, data text)
	SERVER ltdb OPTIONS (collection 'long');
COPY (SELECT * FROM ltdb.long LIMIT $copied) TO '$file'
END
	local $rounds = 1;
	row('growth of the backend', 'MiB',
		[
			'scan of ' . count_of($scanned) . ' records' => sub { rss_growth_mib('SELECT data FROM ltdb.long LIMIT 1', $scan) },
			'COPY of ' . count_of($copied) . ' rows' => sub {
				rss_growth_mib('SELECT data FROM ltdb.long LIMIT 1', "COPY ltdb.sink_immediate FROM '$file'");
			}
		],
		value('scan of ' . count_of($scanned) . ' records', 'most', 64, 'MiB'),
		value('COPY of ' . count_of($copied) . ' rows', 'most', 64, 'MiB'));
	return;
}

$| = 1;
$psql = session();
my $machine = machine();
print_machine($machine);
create_servers($psql);
scans();
columns();
points();
keys_of_records();
writes();
connects();
memory();
server();
print_goals(@rows);
write_json("$out_dir/goals.json", { machine => $machine, size => $quick ? 'quick' : 'full', rows => \@rows });
