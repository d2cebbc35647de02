#!/bin/bash
#
# valgrind.sh [TEST...]
#	Run the regression tests, or those given, with every backend under valgrind.
#
# Fails if a report has a frame of ours, or a test fails.  PostgreSQL's own
# memory contexts are opaque to valgrind, so this is about what the client
# allocates, and about values that were never set.  Takes half an hour for all.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -eu

self=$(readlink -f "${BASH_SOURCE[0]}")
root=$(dirname "$(dirname "$self")")

# The outer half prepares a folder for an ordinary user, as check.sh does.
if [ "${1-}" != --inside ]; then
	. "$root/scripts/cluster.sh"
	"$root/scripts/packages.sh" check
	parent=${TMPDIR:-/tmp}
	[ "$(id -u)" -ne 0 ] || parent=/tmp
	work=$(mktemp -d "$parent/ltdb_fdw_valgrind.XXXXXX")
	cluster_clean_environment
	copy_sources "$root" "$work/src"
	status=0
	as_unprivileged "$work" env TMPDIR="$work" \
		"$work/src/scripts/valgrind.sh" --inside "$work" "$@" || status=$?
	if [ $status -eq 0 ]; then
		rm -rf "$work"
	else
		echo "kept: $work"
	fi
	exit $status
fi

work=$2
shift 2
src=$work/src
. "$src/scripts/cluster.sh"

make -s -C "$src" -j"$(nproc)" PG_CONFIG="$pg_config" COPT='-O1 -g' with_llvm=no all
postgres_copy "$work/pg"
make -s -C "$src" PG_CONFIG="$pg_config" with_llvm=no DESTDIR="$work/pg" install >/dev/null
cluster_create "$work/data" "$work/run" 'fsync = off
	max_prepared_transactions = 10
	statement_timeout = 0
	ltdb_fdw.write_set_memory = 2GB'

# From here on postgres is a wrapper; --fullpath-after tells our files by src/.
mkdir -p "$work/reports"
mv "$postgres_bin/postgres" "$postgres_bin/postgres.bin"
cat >"$postgres_bin/postgres" <<-END
	#!/bin/sh
	case \$1 in
		-V | --version) exec "$postgres_bin/postgres.bin" "\$@" ;;
	esac
	exec valgrind --quiet --trace-children=yes --leak-check=no --num-callers=30 \\
		--fullpath-after="$src/" --log-file="$work/reports/%p" "$postgres_bin/postgres.bin" "\$@"
END
chmod +x "$postgres_bin/postgres"
export PGCTLTIMEOUT=300
cluster_start "$work/data" "$work/run" "$work/postgres.log"
trap 'cluster_stop "$work/data"' EXIT

status=0
make -s -C "$src" PG_CONFIG="$pg_config" TAP_TESTS= ${1+REGRESS="$*"} \
	EXTRA_REGRESS_OPTS="--bindir=$postgres_bin" installcheck || status=1
cluster_stop "$work/data"
trap - EXIT

# A report ends with a line that says nothing.
awk '
	{ line = $0; sub(/^==[0-9]+== ?/, "", line) }
	line ~ /^ *$/ {
		if (ours) { print report; found++ }
		report = ""
		ours = 0
		next
	}
	{ report = report $0 "\n" }
	line ~ /\((src\/(fdw|client)\/|ltdb_fdw\.c)|ltdb_fdw\.so\)/ { ours = 1 }
	END {
		if (ours) { print report; found++ }
		printf "%d reports of valgrind with a frame of ours\n", found
		exit found > 0
	}' "$work"/reports/* || status=1
exit $status
