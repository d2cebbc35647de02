#!/bin/bash
#
# lint.sh
#	Look for bugs in src/client and src/server with what analyzers there are:
#	gcc -fanalyzer, cppcheck, clang-tidy.
#
# Fails if one of them finds something that is not in lint.accepted, where the
# reason stands.  src/fdw is left to the compilers' warnings: PostgreSQL's
# ereport(), which does not return, is beyond these analyzers.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -eu

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
jobs=$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

flags=(-std=gnu11)

# Runs a tool on each file, whatever it thinks of it.
each()	# COMMAND... {} ...
{
	printf '%s\n' src/client/*.c src/server/*.c |
		xargs -P "$jobs" -I {} "$@" >>"$log" 2>&1 || true
}

for tool in gcc cppcheck clang-tidy; do
	if ! command -v "$tool" >/dev/null; then
		echo "$tool is missing: skipped"
		continue
	fi
	case $tool in
		gcc) each gcc "${flags[@]}" -O1 -fanalyzer -c -o /dev/null {} ;;
		cppcheck)
			each cppcheck --quiet --std=c11 --enable=warning,performance,portability \
				--template='{file}:{line}:{column}: warning: {message} [{id}]' {}
			;;
		clang-tidy) each clang-tidy --quiet {} -- "${flags[@]}" -D_GNU_SOURCE ;;
	esac
	echo "$tool has been run"
done

# FILE:LINE:COLUMN: warning: TEXT [FINDING] becomes FILE FINDING
awk -v root="$root/" '
	FNR == NR { if ($0 !~ /^#/ && NF) accepted[$1 " " $2] = 1; next }
	/^[^ ]+:[0-9]+:[0-9]+: (warning|error): / {
		if (seen[$0]++) next
		file = $1
		sub(/:.*/, "", file)
		if (index(file, root) == 1) file = substr(file, length(root) + 1)
		finding = $NF
		gsub(/^\[|\]$/, "", finding)
		if ((file " " finding) in accepted) { known++; next }
		print
		new++
	}
	END {
		printf "%d findings, %d of them accepted\n", known + new, known
		exit new > 0
	}' scripts/lint.accepted "$log"
