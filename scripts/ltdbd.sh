# shellcheck shell=bash
#
# ltdbd.sh
#	Find, start and stop an ltdbd.  To be sourced, by bash.
#
# What it is started for is the business of with-ltdbd and tour.sh.
#
# Copyright (c) 2026, ltdb_fdw contributors
#

# Prints the ltdbd to run: $LTDBD, else the one built in SOURCE_DIR, else an
# installed one.
ltdbd_find()	# SOURCE_DIR
{
	local candidate

	for candidate in "${LTDBD-}" "$1/ltdbd" "$(command -v ltdbd || true)" \
		"$("${PG_CONFIG:-pg_config}" --bindir 2>/dev/null || true)/ltdbd"; do
		if [ -n "$candidate" ] && [ -x "$candidate" ]; then
			echo "$candidate"
			return
		fi
	done
	echo "no ltdbd found: build it with make ltdbd, or name it in LTDBD" >&2
	return 1
}

ltdbd_random_key()
{
	od -An -N 16 -t x1 /dev/urandom | tr -d ' \n'
}

# Starts PROGRAM with ARGS, its output in LOG, and waits until it listens;
# sets ltdbd_pid and ltdbd_port.  The key comes from LTDB_SECRET_KEY.
#
# A session of its own keeps it from the terminal's Ctrl-C, which is meant for
# the command in the foreground.
ltdbd_start()	# LOG PROGRAM ARGS...
{
	local log=$1
	local tries

	shift
	: >"$log"
	setsid "$@" >>"$log" 2>&1 </dev/null &
	ltdbd_pid=$!
	for ((tries = 0; tries < 500; tries++)); do
		ltdbd_port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$log")
		[ -z "$ltdbd_port" ] || return 0
		kill -0 "$ltdbd_pid" 2>/dev/null || break
		sleep 0.02
	done
	echo "ltdbd did not start:" >&2
	cat "$log" >&2
	kill "$ltdbd_pid" 2>/dev/null || true
	return 1
}

# Whether PID is a process started as PROGRAM, not some other that has
# inherited the number.
ltdbd_is()	# PID PROGRAM
{
	local argv0

	[ -r "/proc/$1/cmdline" ] &&
		IFS= read -r -d '' argv0 <"/proc/$1/cmdline" && [ "$argv0" = "$2" ]
}

# Stops PID and waits for its end, by force after ten seconds.
ltdbd_stop()	# PID
{
	local tries

	kill "$1" 2>/dev/null || return 0
	for ((tries = 0; tries < 500; tries++)); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.02
	done
	kill -KILL "$1" 2>/dev/null || true
}
