#!/bin/bash
#
# check.sh [--keep] [--only SUITE]
#	Install what is missing, build, and run every test, or those of a suite:
#	build, unit, sanitize, fuzz, regress or tap.
#
# Works on a copy of the sources in a temporary folder, which is removed at the
# end unless something failed or --keep is given; for root everything but the
# installation of packages runs as an unprivileged user.  The last line of the
# output is "N passed, N failed", the exit status 0 only if nothing failed.
#
# The suites themselves are suites.sh; soak, which soak.sh asks for, runs only by
# itself.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -eu

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/cluster.sh"

keep=no
only=
while [ $# -gt 0 ]; do
	case $1 in
		--keep) keep=yes ;;
		--only)
			only=${2-}
			shift
			;;
		*) only=invalid ;;
	esac
	case $only in
		'' | build | unit | sanitize | fuzz | regress | tap | soak) ;;
		*)
			echo "usage: check.sh [--keep] [--only build|unit|sanitize|fuzz|regress|tap]" >&2
			exit 2
			;;
	esac
	shift
done

"$root/scripts/packages.sh" check

# root's TMPDIR may be one that nobody else can enter
parent=${TMPDIR:-/tmp}
[ "$(id -u)" -ne 0 ] || parent=/tmp
work=$(mktemp -d "$parent/ltdb_fdw_check.XXXXXX")
finish()
{
	[ "$keep" = yes ] || rm -rf "$work"
}
trap finish EXIT

cluster_clean_environment
copy_sources "$root" "$work/src"

status=0
as_unprivileged "$work" env TMPDIR="$work" \
	"$work/src/scripts/suites.sh" "$work" "$only" || status=$?

result='0 passed, 1 failed'
[ ! -f "$work/result" ] || result=$(cat "$work/result")
if [ $status -ne 0 ]; then
	keep=yes
fi
[ $keep = no ] || echo "kept: $work"
echo "$result"
exit $status
