#!/bin/bash
#
# bench.sh [--quick] [--curves] [--out DIR]
#	Measure ltdb_fdw side by side with postgres_fdw and with a bare client.
#
# The servers, ltdbd and a PostgreSQL, are private, and live in a temporary
# directory that is removed at the end; for root they run as an unprivileged
# user.  The table, goals.json and, with --curves, curves.json and the curves
# as SVG go to DIR, build/bench by default.  --quick takes about a minute and
# smaller tables.  What is measured is in bench/.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -eu

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/cluster.sh"

what=goals
size=full
out=$root/build/bench
while [ $# -gt 0 ]; do
	case $1 in
		--quick) size=quick ;;
		--curves) what=curves ;;
		--out)
			out=${2?--out needs a directory}
			shift
			;;
		*)
			echo "usage: bench.sh [--quick] [--curves] [--out DIR]" >&2
			exit 2
			;;
	esac
	shift
done

"$root/scripts/packages.sh" bench

# root's TMPDIR may be one that nobody else can enter
parent=${TMPDIR:-/tmp}
[ "$(id -u)" -ne 0 ] || parent=/tmp
work=$(mktemp -d "$parent/ltdb_fdw_bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

BENCH_COMMIT=$(git -c safe.directory="$root" -C "$root" describe --always --dirty 2>/dev/null || echo unknown)
export BENCH_COMMIT

cluster_clean_environment
copy_sources "$root" "$work/src"
mkdir "$work/out"

status=0
as_unprivileged "$work" env TMPDIR="$work" \
	"$work/src/bench/session.sh" "$work" $what $size || status=$?
mkdir -p "$out"
cp -r "$work/out/." "$out"
[ $status -ne 0 ] || echo "written: $out"
exit $status
