#!/bin/bash
#
# soak.sh [MINUTES]
#	Let many sessions work, and much go wrong, for an hour or for MINUTES.
#
# Builds and cleans up as check.sh does; the test is t/270_soak.pl, of which
# check.sh runs some seconds.  Ends with a report: operations and errors by kind,
# memory and descriptors at the start, after the warm-up and at the end.
# LTDB_TEST_SEED repeats a run, as far as timing lets it.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -eu

minutes=${1-60}
case $minutes in
	'' | *[!0-9]* | 0)
		echo "usage: soak.sh [MINUTES]" >&2
		exit 2
		;;
esac

export LTDB_SOAK_SECONDS=$((minutes * 60))
exec "$(dirname "${BASH_SOURCE[0]}")/check.sh" --only soak
