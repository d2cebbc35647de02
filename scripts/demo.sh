#!/bin/bash
#
# demo.sh [--no-psql] | --stop
#	From a fresh Debian to SQL over LTDB: install what is missing, build, start
#	an ltdbd and a PostgreSQL, load the weather, show queries, open psql.
#
# Everything lives in one directory, LTDB_DEMO_DIR; the machine's own
# PostgreSQL is not touched.  Both servers go on running until --stop, and
# running the script again starts them anew on the same data.
#
# Preparing the directory is done here, by root if need be; all the rest is
# tour.sh, run by an ordinary user.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -eu

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/cluster.sh"

action=psql
case $#:${1-} in
	0:) ;;
	1:--no-psql) action=start ;;
	1:--stop) action=stop ;;
	*)
		echo "usage: demo.sh [--no-psql] | --stop" >&2
		exit 2
		;;
esac

# root's home is closed to the user that root's demonstration runs as
if [ "$(id -u)" -eq 0 ]; then
	dir=${LTDB_DEMO_DIR:-/var/lib/ltdb_fdw_demo}
else
	dir=${LTDB_DEMO_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/ltdb_fdw_demo}
fi
mark=$dir/this-is-the-ltdb_fdw-demo

tour()	# ACTION
{
	local command="$root/scripts/demo.sh"

	[ -z "${LTDB_DEMO_DIR-}" ] || command="LTDB_DEMO_DIR=$dir $command"
	as_unprivileged "$dir" env TMPDIR="$dir" LTDB_DEMO_COMMAND="$command" \
		"$dir/src/scripts/tour.sh" "$1" "$dir"
}

cluster_clean_environment

if [ $action = stop ]; then
	if [ ! -f "$mark" ]; then
		echo "no demo in $dir"
		exit 0
	fi
	tour stop
	exit
fi

# what is in the directory will be given to another user, or be overwritten
if [ -d "$dir" ] && [ ! -f "$mark" ] && [ -n "$(ls -A "$dir")" ]; then
	echo "$dir exists and is not a demo: choose another LTDB_DEMO_DIR" >&2
	exit 1
fi

"$root/scripts/packages.sh" demo

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
chmod 0700 "$dir"
[ ! -f "$dir/src/scripts/tour.sh" ] || tour stop
touch "$mark"
copy_sources "$root" "$dir/src"
tour $action
