#!/bin/bash
#
# lint.sh
#	Look for bugs with what analyzers there are: gcc -fanalyzer, cppcheck,
#	clang-tidy.
#
# Fails if one of them finds something that is not in lint.accepted, where the
# reason stands.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -eu

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
jobs=$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

flags=(-std=gnu11 -D_GNU_SOURCE)
plain=(src/client/*.c src/server/*.c)
wrapper=()
cppcheck=(cppcheck --quiet --std=c11 --enable=warning,performance,portability
	--template='{file}:{line}:{column}: warning: {message} [{id}]')

# PostgreSQL's own headers are not ours to judge; nor are its macros, of which
# cppcheck thinks that list_make3() cares who comes first, and that forboth()
# forgets to look at its second list.
if pg_config=$(command -v "${PG_CONFIG:-pg_config}"); then
	headers=$("$pg_config" --includedir-server)
	wrapper=(ltdb_fdw.c src/fdw/*.c)
	flags+=(-isystem "$headers" -Isrc)
	cppcheck_wrapper=("${cppcheck[@]}" -D_GNU_SOURCE -D__x86_64__ -D__GNUC__=12 "-I$headers" -Isrc
		"--suppress=*:$headers/*" --suppress=unknownEvaluationOrder --suppress=nullPointerRedundantCheck)
else
	echo "pg_config is missing: src/fdw skipped"
fi
all=("${plain[@]}" "${wrapper[@]}")

# Runs a tool on each file, whatever it thinks of it.
each()	# FILE... -- COMMAND... {} ...
{
	local files=()

	while [ "$1" != -- ]; do
		files+=("$1")
		shift
	done
	shift
	printf '%s\n' "${files[@]}" | xargs -P "$jobs" -I {} "$@" >>"$log" 2>&1 || true
}

for tool in gcc cppcheck clang-tidy; do
	if ! command -v "$tool" >/dev/null; then
		echo "$tool is missing: skipped"
		continue
	fi
	case $tool in
		gcc) each "${all[@]}" -- gcc "${flags[@]}" -O1 -fanalyzer -c -o /dev/null {} ;;
		cppcheck)
			each "${plain[@]}" -- "${cppcheck[@]}" {}
			[ ${#wrapper[@]} -eq 0 ] || each "${wrapper[@]}" -- "${cppcheck_wrapper[@]}" {}
			;;
		clang-tidy) each "${all[@]}" -- clang-tidy --quiet {} -- "${flags[@]}" ;;
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
