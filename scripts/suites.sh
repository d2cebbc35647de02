#!/bin/bash
#
# suites.sh WORK [SUITE]
#	Build WORK/src and run its tests, all or one suite's; counts in WORK/result.
#
# Goes on after a failure.  Preparing WORK, and cleaning it up, is check.sh's
# business; everything here happens below WORK, as an ordinary user.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -u

work=$1
only=${2-}
src=$work/src

. "$src/scripts/cluster.sh"

# we may have been called from a make that has its own ideas
unset MAKEFLAGS MAKELEVEL MFLAGS

jobs=$(nproc)
pgxs_test=$(dirname "$("$pg_config" --pgxs)")/../test

# PostgreSQL's own flags leave -Wextra out.
warnings="-Werror -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers"

# PostgreSQL's flags and printf attributes are those of the compiler it was
# built with, gcc.
clang_warnings="$warnings -Wno-unknown-warning-option"
clang_warnings+=" -Wno-ignored-attributes -Wno-ignored-optimization-argument"

# A finding ends the program.
sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined"

# What the extension may export: it shares a backend with any other module.
exports='^(ltdb_|ltdbp_|ltfdw_|pg_finfo_|Pg_magic_func$|_PG_init$)'

passed=0
failed=0
summary=()

# Adds up, and shows what failed: LOG where there is one.
count()	# NAME PASSED FAILED [LOG]
{
	passed=$((passed + $2))
	failed=$((failed + $3))
	summary+=("$(printf '%-36s %5d passed %5d failed' "$1" "$2" "$3")")
	echo "${summary[-1]}"
	if [ "$3" -gt 0 ] && [ -n "${4-}" ]; then
		echo "---- $4"
		tail -n 200 "$4"
		echo "----"
	fi
}

# One test that is a command: it passes if the command succeeds.
check()	# NAME COMMAND...
{
	local name=$1
	local log=$work/log/$name.log

	shift
	if "$@" >"$log" 2>&1; then
		count "$name" 1 0
	else
		count "$name" 0 1 "$log"
		return 1
	fi
}

# Counts test results in TAP, or in what pg_regress printed before it spoke
# TAP.  Prints: passed failed.  A program that has failed without telling of a
# failed test, or has run fewer tests than it planned, is one failure more; so
# is one whose log is not there.
tally()	# LOG STATUS
{
	[ -f "$1" ] || {
		echo 0 1
		return
	}
	awk -v status="$2" '
		/^ok [0-9]+/ || /^(test|     ) .* \.\.\. ok / { passed++ }
		/^not ok [0-9]+/ {
			if (/# *TODO/) passed++
			else failed++
		}
		/^(test|     ) .* \.\.\. (FAILED|failed)/ { failed++ }
		/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; skip = /SKIP/ }
		END {
			if (plan > passed + failed) failed++
			if (status != 0 && failed == 0) failed = 1
			if (passed + failed == 0 && !skip) failed = 1
			print passed + 0, failed + 0
		}' "$1"
}

# Runs a program whose output tally can count.
run_tests()	# NAME COMMAND...
{
	local name=$1
	local log=$work/log/$name.log
	local status=0

	shift
	timeout --kill-after=10 300 "$@" >"$log" 2>&1 </dev/null || status=$?
	# shellcheck disable=SC2046
	count "$name" $(tally "$log" $status) "$log"
}

# ---- build ----

unit_targets()	# SRC
{
	(cd "$1" && for test in t/unit_*.c; do
		[ ! -f "$test" ] || basename "$test" .c | sed 's,^,build/,'
	done)
}

build()	# SRC CC COPT MAKE_ARGS...
{
	local dir=$1 cc=$2 copt=$3

	shift 3
	# shellcheck disable=SC2046
	make -s -C "$dir" -j"$jobs" -k PG_CONFIG="$pg_config" CC="$cc" COPT="$copt" \
		EXTRA_CFLAGS=-Werror "$@" all tap_programs $(unit_targets "$dir")
}

# The client is a plain C library: no header of PostgreSQL's, found or not.
client_alone()
{
	local file

	for file in "$src"/src/client/*.c; do
		gcc -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter \
			-Wno-missing-field-initializers -fsyntax-only "$file" || return 1
		if gcc -std=gnu11 -M "$file" | grep -n 'postgres'; then
			echo "$file includes headers of PostgreSQL"
			return 1
		fi
	done
}

exports_are_ours()
{
	local strays

	strays=$(nm -D --defined-only "$src/ltdb_fdw.so" | awk '{ print $3 }' |
		grep -Ev "$exports" || true)
	nm -D --defined-only "$src/ltdb_fdw.so" | grep -q ' _PG_init$\| Pg_magic_func$' || return 1
	[ -z "$strays" ] || {
		echo "exported without a prefix of ours: $strays"
		return 1
	}
}

suite_build()
{
	copy_sources "$src" "$work/src-clang"
	check build-clang build "$work/src-clang" clang "$clang_warnings" with_llvm=no
	rm -rf "$work/src-clang"
	check client-without-postgresql client_alone
	check exported-symbols exports_are_ours
}

# ---- test ----

suite_unit()
{
	local target

	for target in $(unit_targets "$src"); do
		run_tests "$(basename "$target")" "$src/$target"
	done
}

# The C tests of one compiler, in a copy of the sources.
sanitized()	# CC
{
	local dir=$work/src-sanitize-$1
	local status=0
	local target targets

	copy_sources "$src" "$dir"
	targets=$(unit_targets "$dir")
	# shellcheck disable=SC2086
	make -s -C "$dir" -j"$jobs" PG_CONFIG="$pg_config" CC="$1" \
		EXTRA_CFLAGS="-Werror -O1 -fno-omit-frame-pointer $sanitizers" $targets || return
	for target in $targets; do
		(cd "$dir" && "./$target") || status=1
	done
	rm -rf "$dir"
	return $status
}

# Much of it is waiting, so the compilers go side by side.
suite_sanitize()
{
	local cc pids=() log
	local compilers=(gcc)

	! clang_has -fsanitize=address || compilers+=(clang)
	for cc in "${compilers[@]}"; do
		sanitized "$cc" >"$work/log/sanitize-$cc.log" 2>&1 </dev/null &
		pids+=($!)
	done
	for cc in "${compilers[@]}"; do
		log=$work/log/sanitize-$cc.log
		wait "${pids[0]}"
		# shellcheck disable=SC2046
		count "sanitize-$cc" $(tally "$log" $?) "$log"
		pids=("${pids[@]:1}")
	done
}

# Whether clang's runtime for such programs is installed.
clang_has()	# FLAG
{
	echo 'int LLVMFuzzerTestOneInput(const char *data, long size); int LLVMFuzzerTestOneInput(const char *data, long size) { return 0; }
		#ifdef MAIN
		int main(void) { return 0; }
		#endif' >"$work/clang_has.c"
	clang "$1" $([ "$1" = -fsanitize=fuzzer ] || echo -DMAIN) -o "$work/clang_has" "$work/clang_has.c" 2>/dev/null
}

suite_fuzz()
{
	if ! clang_has -fsanitize=fuzzer; then
		echo "fuzz skipped: clang has no libFuzzer here"
		return
	fi
	check fuzz-build make -s -C "$src/fuzz" -j"$jobs" || return
	check fuzz make -s -k -C "$src/fuzz" -j"$jobs" run FUZZ_SECONDS=2
}

suite_regress()
{
	local conf='fsync = off
		max_prepared_transactions = 10'

	check cluster start_cluster "$conf" || return
	run_tests regress make -C "$src" PG_CONFIG="$pg_config" TAP_TESTS= \
		EXTRA_REGRESS_OPTS="--bindir=$postgres_bin" installcheck
	if [ -s "$src/regression.diffs" ]; then
		echo "---- regression.diffs"
		head -n 500 "$src/regression.diffs"
		echo "----"
	fi
	cluster_stop "$work/data"
}

start_cluster()	# CONF
{
	cluster_create "$work/data" "$work/run" "$1" &&
		cluster_start "$work/data" "$work/run" "$work/log/postgres.log"
}

suite_tap()
{
	local test

	for test in "$src"/t/*.pl; do
		[ ! -f "$test" ] || run_tap "$test" 300
	done
}

run_tap()	# FILE SECONDS
{
	local name

	name=$(basename "$1" .pl)
	(
		cd "$src" || exit
		unset PGHOST
		export PATH="$postgres_bin:$PATH" PGPORT=65432 TESTDIR="$src" \
			TESTDATADIR="$work/tap/$name" TESTLOGDIR="$work/tap/$name/log" \
			PG_REGRESS="$pgxs_test/regress/pg_regress"
		mkdir -p "$TESTLOGDIR"
		exec timeout --kill-after=10 "$2" perl -I "$pgxs_test/perl" -I t "$1"
	) >"$work/log/$name.log" 2>&1 </dev/null
	# shellcheck disable=SC2046
	count "$name" $(tally "$work/log/$name.log" $?) "$work/log/$name.log"
}

# Part of suite tap, for longer, with its report.
suite_soak()
{
	run_tap "$src/t/270_soak.pl" $((${LTDB_SOAK_SECONDS:-0} + 600))
	cat "$work/log/270_soak.log"
}

wanted()
{
	[ -z "$only" ] || [ "$only" = "$1" ]
}

finish()
{
	[ -z "${postgres_bin-}" ] || cluster_stop "$work/data"
	echo "$passed passed, $failed failed" >"$work/result"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
trap 'exit 1' HUP INT TERM
trap 'finish || exit 1' EXIT

mkdir -p "$work/log"
check build-gcc build "$src" gcc "$warnings"
if wanted build; then
	suite_build
fi
if wanted unit; then
	suite_unit
fi
if wanted sanitize; then
	suite_sanitize
fi
if wanted fuzz; then
	suite_fuzz
fi
if wanted regress || wanted tap || [ "$only" = soak ]; then
	postgres_copy "$work/pg"
	check install make -C "$src" PG_CONFIG="$pg_config" DESTDIR="$work/pg" install
fi
if wanted regress; then
	suite_regress
fi
if wanted tap; then
	suite_tap
fi
if [ "$only" = soak ]; then
	suite_soak
fi

echo
echo "Summary"
printf '  %s\n' "${summary[@]}"
