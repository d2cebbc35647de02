#!/bin/bash
#
# session.sh WORK goals|curves full|quick
#	Build WORK/src, start the servers to be measured, measure, stop them.
#
# Preparing WORK, and removing it, is the business of scripts/bench.sh;
# everything here happens below WORK, as an ordinary user.  Results go to
# WORK/out.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -eu -o pipefail

work=$1
what=$2
size=$3
src=$work/src

. "$src/scripts/cluster.sh"
. "$src/scripts/ltdbd.sh"

# we may have been called from a make that has its own ideas
unset MAKEFLAGS MAKELEVEL MFLAGS

# COMMAND..., its output shown only if it fails
quietly()
{
	"$@" >"$work/log" 2>&1 || {
		tail -n 40 "$work/log" >&2
		echo "failed: $*" >&2
		return 1
	}
}

stop()
{
	[ -z "${ltdbd_pid-}" ] || ltdbd_stop "$ltdbd_pid"
	[ -z "${postgres_bin-}" ] || cluster_stop "$work/data"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

quietly make -s -C "$src" -j"$(nproc)" PG_CONFIG="$pg_config" COPT=-O2 with_llvm=no all
quietly make -s -C "$src" build/wire_load
cp "$src/build/wire_load" "$work/"
postgres_copy "$work/pg"
quietly make -s -C "$src" PG_CONFIG="$pg_config" with_llvm=no DESTDIR="$work/pg" install
export PATH="$postgres_bin:$PATH"

# Both servers keep what they acknowledge, and both have their data in memory.
# Nothing runs besides what is measured.
conf='shared_buffers = 1GB
max_wal_size = 8GB
autovacuum = off
jit = off
max_parallel_workers_per_gather = 0'

cluster_create "$work/data" "$work/run" "$conf"
cluster_start "$work/data" "$work/run" "$work/postgres.log"
export PGDATABASE=postgres

LTDB_SECRET_KEY=$(ltdbd_random_key)
export LTDB_SECRET_KEY
ltdbd_start "$work/ltdbd.log" "$postgres_bin/ltdbd" --port 0 --data "$work/ltdb"
export LTDB_PORT=$ltdbd_port
export BENCH_WORK=$work

perl "$src/bench/$what.pl" "$work/out" "$size" | tee "$work/out/$what.txt"
