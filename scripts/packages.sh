#!/bin/bash
#
# packages.sh
#	Install, by name, the Debian packages that are missing.
#
#	scripts/packages.sh demo     what it takes to build and run
#	scripts/packages.sh check    and what it takes to test, besides
#	scripts/packages.sh bench    or to measure
#
# Installs nothing that is there, and asks for root only if something is not.
# PG_CONFIG chooses the PostgreSQL; without any, Debian's default one is taken.
# Elsewhere than on Debian it only says that it cannot help.
#
# Copyright (c) 2026, ltdb_fdw contributors
#
set -eu

pg_config=${PG_CONFIG:-pg_config}

die()
{
	echo "packages.sh: $*" >&2
	exit 1
}

# COMMAND... as root
as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "neither root nor sudo: have root run this script first"
	fi
}

installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# A PostgreSQL built from source is as good as packages.
postgres_is_complete()
{
	command -v "$pg_config" >/dev/null &&
		[ -x "$("$pg_config" --bindir)/postgres" ] &&
		[ -x "$("$pg_config" --bindir)/initdb" ] &&
		[ -f "$("$pg_config" --pgxs)" ] &&
		[ -f "$("$pg_config" --includedir-server)/postgres.h" ]
}

# The major version to install: that of pg_config, else the distribution's own.
postgres_major()
{
	if command -v "$pg_config" >/dev/null; then
		"$pg_config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'
	else
		apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p'
	fi
}

# Fills the array missing with those of the given names that are.
find_missing()
{
	local package

	missing=()
	for package in "$@"; do
		installed "$package" || missing+=("$package")
	done
}

# What apt has to say matters only if it fails.
apt_install()
{
	local log status=0

	echo "installing: $*"
	log=$(mktemp)
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o Dpkg::Use-Pty=0 --no-install-recommends install "$@" >"$log" 2>&1 || status=$?
	[ $status -eq 0 ] || cat "$log" >&2
	rm -f "$log"
	return $status
}

# Debian's server package creates a cluster and starts it on port 5432, which
# nobody asked us for.  Its own switch against that is a line in this file; it
# is there for the duration of the installation only.
install_server()
{
	local conf=/etc/postgresql-common/createcluster.conf
	local status=0

	installed postgresql-common || apt_install postgresql-common
	as_root cp -p "$conf" "$conf.ltdb_fdw"
	as_root sh -c "echo 'create_main_cluster = false' >>$conf"
	trap 'as_root mv "$conf.ltdb_fdw" "$conf"; exit 1' HUP INT TERM
	(apt_install "$@") || status=$?
	as_root mv "$conf.ltdb_fdw" "$conf"
	trap - HUP INT TERM
	return $status
}

case ${1-} in
	demo | check | bench) ;;
	*) die "usage: packages.sh demo|check|bench" ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	echo "packages.sh: not a Debian system; assuming that everything needed is installed" >&2
	exit 0
fi

# Clang's runtime for sanitizers and libFuzzer, whose package has the version of
# clang in its name; nothing if it is not known or there is none.
clang_runtime()
{
	local major package

	if command -v clang >/dev/null; then
		major=$(clang -dumpversion | cut -d. -f1)
	else
		major=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p')
	fi
	package=libclang-rt-$major-dev
	if installed "$package" || [ -n "$(apt-cache pkgnames "$package")" ]; then
		echo "$package"
	fi
}

# Fills the array wanted for demo, check or bench.
find_wanted()
{
	wanted=(gcc make libc6-dev libwebsockets-dev libwslay-dev libssl-dev libjansson-dev libsqlite3-dev)
	if [ "$1" = check ]; then
		# shellcheck disable=SC2207
		wanted+=(binutils clang $(clang_runtime) perl libipc-run-perl openssl valgrind)
	elif [ "$1" = bench ]; then
		wanted+=(perl)
	fi
}

find_wanted "$1"
find_missing "${wanted[@]}"
if [ ${#missing[@]} -eq 0 ] && postgres_is_complete; then
	exit 0
fi

echo "missing: ${missing[*]}$(postgres_is_complete || echo ' PostgreSQL, its server and headers')"
echo "updating the list of packages"
as_root apt-get -qq update || die "apt-get update failed"
find_wanted "$1"
find_missing "${wanted[@]}"

if ! postgres_is_complete; then
	major=$(postgres_major)
	[ -n "$major" ] || die "apt offers no PostgreSQL"
	find_missing "${wanted[@]}" "postgresql-server-dev-$major"
	if ! installed "postgresql-$major"; then
		install_server "postgresql-$major" || die "cannot install postgresql-$major"
	fi
fi
if [ ${#missing[@]} -gt 0 ]; then
	apt_install "${missing[@]}" || die "cannot install ${missing[*]}"
fi
