# Bench::Tables
#	The same records behind ltdb_fdw, behind postgres_fdw, and locally.
#
# Copyright (c) 2026, ltdb_fdw contributors

package Bench::Tables;

use strict;
use warnings;

use Bench::Rig;
use Exporter 'import';

our @EXPORT = qw(create_servers load_records);

my $columns = 'key text NOT NULL, ts timestamptz NOT NULL';

sub create_servers
{
	my ($psql) = @_;

	$psql->query(<<"END");
SET client_min_messages = warning;
CREATE EXTENSION ltdb_fdw;
CREATE EXTENSION postgres_fdw;
CREATE SERVER ltdb FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url '@{[ wire_url() ]}');
CREATE USER MAPPING FOR CURRENT_USER SERVER ltdb OPTIONS (api_key '$ENV{LTDB_SECRET_KEY}');
CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw
	OPTIONS (host '$ENV{PGHOST}', dbname 'postgres', fetch_size '10000', batch_size '1000');
CREATE USER MAPPING FOR CURRENT_USER SERVER loopback;
CREATE SCHEMA local;
CREATE SCHEMA ltdb;
CREATE SCHEMA pg
END
	return;
}

# A collection NAME with so many records and keys, and three tables of that
# name: ltdb.NAME, pg.NAME, and the local.NAME that pg.NAME leads to.
sub load_records
{
	my ($psql, $name, %load) = @_;

	wire([ 'delete', 'insert' ], collection => $name, %load);
	$psql->query(<<"END");
DROP TABLE IF EXISTS local.$name;
DROP FOREIGN TABLE IF EXISTS ltdb.$name, pg.$name;
CREATE FOREIGN TABLE ltdb.$name ($columns, data text) SERVER ltdb OPTIONS (collection '$name');
CREATE TABLE local.$name ($columns, data text, PRIMARY KEY (key, ts));
CREATE FOREIGN TABLE pg.$name ($columns, data text) SERVER loopback
	OPTIONS (schema_name 'local', table_name '$name', use_remote_estimate 'true');
INSERT INTO local.$name SELECT * FROM ltdb.$name;
VACUUM ANALYZE local.$name;
ANALYZE ltdb.$name;
ANALYZE pg.$name;
CHECKPOINT
END
	return;
}

1;
