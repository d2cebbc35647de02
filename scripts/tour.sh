#!/bin/bash
#
# tour.sh start|psql|stop DIR
#	Build DIR/src, run an ltdbd and a PostgreSQL in DIR, show queries; with
#	psql, leave the person in psql if there is a terminal.
#
# Preparing DIR, and not being root, is the business of demo.sh, whose name for
# itself is LTDB_DEMO_COMMAND.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -eu -o pipefail

action=$1
dir=$2
src=$dir/src

. "$src/scripts/cluster.sh"
. "$src/scripts/ltdbd.sh"

postgres_bin=$dir/pg$("$pg_config" --bindir)
ltdbd=$postgres_bin/ltdbd

say()
{
	printf '\n== %s\n' "$*"
}

# COMMAND..., its output kept for the case that it fails
quietly()	# LOG COMMAND...
{
	local log=$1

	shift
	"$@" >"$log" 2>&1 || {
		tail -n 40 "$log" >&2
		echo "failed: $* (all of it: $log)" >&2
		return 1
	}
}

stop()
{
	local pid

	if [ -f "$dir/ltdbd.pid" ]; then
		pid=$(cat "$dir/ltdbd.pid")
		if ltdbd_is "$pid" "$ltdbd"; then
			ltdbd_stop "$pid"
			echo "ltdbd is stopped"
		fi
		rm -f "$dir/ltdbd.pid"
	fi
	if cluster_is_running "$dir/data"; then
		cluster_stop "$dir/data"
		echo "PostgreSQL is stopped"
	fi
}

build()
{
	say "Building the extension and ltdbd"
	# without bitcode for PostgreSQL's JIT, which the demo can do without
	quietly "$dir/log/build.log" make -s -C "$src" -j"$(nproc)" \
		PG_CONFIG="$pg_config" with_llvm=no all
	say "Installing them into a copy of PostgreSQL, $dir/pg"
	postgres_copy "$dir/pg"
	quietly "$dir/log/install.log" make -s -C "$src" \
		PG_CONFIG="$pg_config" with_llvm=no DESTDIR="$dir/pg" install
}

start_ltdbd()
{
	(
		umask 077
		mkdir -p "$dir/ltdbd"
		[ -f "$dir/secret-key" ] || ltdbd_random_key >"$dir/secret-key"
	)
	LTDB_API_KEY=$(cat "$dir/secret-key")
	LTDB_SECRET_KEY=$LTDB_API_KEY ltdbd_start "$dir/log/ltdbd.log" \
		"$ltdbd" --port 0 --data "$dir/ltdbd"
	echo "$ltdbd_pid" >"$dir/ltdbd.pid"
	LTDB_URL=ws://127.0.0.1:$ltdbd_port
	say "ltdbd runs at $LTDB_URL, its data in $dir/ltdbd"
}

start_postgres()
{
	local version

	version=$("$postgres_bin/postgres" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
	if [ -f "$dir/data/PG_VERSION" ]; then
		if [ "$(cat "$dir/data/PG_VERSION")" != "$version" ]; then
			echo "$dir/data is of another PostgreSQL than $version: remove it and start again" >&2
			return 1
		fi
	else
		cluster_create "$dir/data" "$dir/run" "shared_buffers = 32MB"
	fi
	cluster_start "$dir/data" "$dir/run" "$dir/log/postgres.log"
	say "PostgreSQL $version runs, its data in $dir/data, its socket in $dir/run"
}

load()
{
	export PGDATABASE=demo
	PGDATABASE=postgres run_psql -Atc "SELECT 1 FROM pg_database WHERE datname = 'demo'" |
		grep -q 1 || "$postgres_bin/createdb" --maintenance-db=postgres demo
	say "Mapping the collection \"weather\" and loading it (examples/weather.sql)"
	(cd "$src/examples" &&
		LTDB_URL=$LTDB_URL LTDB_API_KEY=$LTDB_API_KEY run_psql -f weather.sql)
	run_psql -c 'SELECT key, count(*), min(ts), max(ts) FROM weather GROUP BY key ORDER BY key'
}

# Without notices: on every run but the first, things exist already.
run_psql()
{
	PGOPTIONS='-c client_min_messages=warning' \
		"$postgres_bin/psql" -X -q -P pager=off -v ON_ERROR_STOP=1 "$@"
}

# Runs the paragraphs of a file one by one, each in a session of its own; the
# comments that a paragraph begins with are its title.
show()	# FILE
{
	local line title='' statements=''

	# the last paragraph, too, ends with an empty line
	while IFS= read -r line; do
		case $line in
			--*) title+=${title:+ }${line#-- } ;;
			?*) statements+=${statements:+$'\n'}$line ;;
			*)
				[ -z "$statements" ] || show_paragraph "$title" "$statements"
				title=
				statements=
				;;
		esac
	done < <(cat "$1" && echo)
}

# A query or a change by itself is followed by its plan.
show_paragraph()	# TITLE STATEMENTS
{
	say "$1"
	printf '\n%s\n\n' "$2"
	run_psql <<<"$2"
	case $2 in
		SELECT* | INSERT* | UPDATE* | DELETE*)
			echo 'EXPLAIN (VERBOSE, COSTS OFF)'
			run_psql -At -c "EXPLAIN (VERBOSE, COSTS OFF) $2" | sed 's/^/  /'
			;;
	esac
}

farewell()
{
	local user

	user=$(id -un)
	cat <<-END

		To come back:  $postgres_bin/psql -h $dir/run -U $user demo
		To stop both:  $LTDB_DEMO_COMMAND --stop
	END
}

if [ "$action" = stop ]; then
	stop
	exit
fi

mkdir -p "$dir/log"
trap 'stop' EXIT
trap 'exit 1' HUP INT TERM
build
start_ltdbd
start_postgres
load
show "$src/examples/queries.sql"
trap - EXIT HUP INT TERM

farewell
if [ "$action" = psql ] && [ -t 0 ] && [ -t 1 ]; then
	say "psql: try \\d weather, leave with \\q"
	"$postgres_bin/psql" || true
	farewell
fi
