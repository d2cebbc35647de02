# shellcheck shell=bash
#
# cluster.sh
#	A private PostgreSQL: a copy of the installed programs, and a cluster run
#	from it.  To be sourced, by bash.
#
# Extensions are installed into the copy, so that nothing of the machine's own
# PostgreSQL is touched.  That works because PostgreSQL finds its libraries and
# its share directory relative to its own programs.  Building and installing is
# the caller's business (DESTDIR is the copy's root).
#
# Copyright (c) 2026, ltdb_fdw contributors
#

pg_config=${PG_CONFIG:-pg_config}

# The programs that tests and demo use; bindir may hold a whole system's.
postgres_programs=(postgres initdb pg_ctl psql pg_config pg_isready pg_controldata
	pg_resetwal pg_basebackup pg_dump pg_restore pgbench createdb dropdb)

# No setting of the caller's PostgreSQL environment may reach ours.
cluster_clean_environment()
{
	local name

	for name in ${!PG*}; do
		[ "$name" = PG_CONFIG ] || unset "$name"
	done
}

# The user to run as when the caller is root, for whom PostgreSQL does not run.
unprivileged_user()
{
	getent passwd postgres >/dev/null && echo postgres || echo nobody
}

# Runs a command that may read and write DIR only: for root as that user.
as_unprivileged()	# DIR COMMAND...
{
	local dir=$1
	local user

	shift
	if [ "$(id -u)" -ne 0 ]; then
		(cd "$dir" && "$@")
		return
	fi
	user=$(unprivileged_user)
	chown -Rh "$user:" "$dir"
	(cd "$dir" &&
		setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups \
			env HOME="$dir" USER="$user" LOGNAME="$user" "$@")
}

# Copies the sources, which may lie where only root can read them.
copy_sources()	# FROM TO
{
	rm -rf "$2"
	mkdir -p "$2"
	tar -C "$1" --exclude=./.git --exclude=./build --exclude=./tmp_check \
		--exclude='*.o' --exclude='*.so' --exclude='*.bc' --exclude=./ltdbd -cf - . |
		tar -C "$2" --no-same-owner -xf -
}

# Copies the installation to below DEST; sets postgres_bin to its programs.
postgres_copy()	# DEST
{
	local bindir dir program link original

	bindir=$("$pg_config" --bindir)
	postgres_bin=$1$bindir
	rm -rf "$1"
	mkdir -p "$postgres_bin"
	for program in "${postgres_programs[@]}"; do
		[ ! -x "$bindir/$program" ] || cp -L "$bindir/$program" "$postgres_bin/"
	done
	for dir in "$("$pg_config" --pkglibdir)" "$("$pg_config" --sharedir)"; do
		mkdir -p "$1$dir"
		cp -a "$dir/." "$1$dir"
	done

	# a relative link may have led out of what was copied
	find "$1" -type l ! -exec test -e {} \; -print | while IFS= read -r link; do
		original=${link#"$1"}
		[ ! -e "$original" ] || ln -sfn "$(readlink -f "$original")" "$link"
	done
}

# Creates a cluster that is reached through a socket in RUN only, a directory
# that only its owner can enter; hence no password.  CONF is appended to its
# configuration.
cluster_create()	# DATA RUN CONF
{
	if [ ${#2} -gt 90 ]; then
		echo "the path of the socket's directory is too long: $2" >&2
		return 1
	fi
	mkdir -p "$2"
	chmod 0700 "$2"
	"$postgres_bin/initdb" -D "$1" -E UTF8 --no-locale -A trust --no-sync >/dev/null
	cat >>"$1/postgresql.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$2'
		unix_socket_permissions = 0700
		timezone = 'UTC'
		log_timezone = 'UTC'
		$3
	END
}

# Starts it and points libpq's environment at it.
cluster_start()	# DATA RUN LOG
{
	if ! "$postgres_bin/pg_ctl" -D "$1" -l "$3" -w -s start </dev/null >/dev/null; then
		echo "PostgreSQL did not start:" >&2
		tail -n 20 "$3" >&2
		return 1
	fi
	export PGHOST=$2
}

cluster_is_running()	# DATA
{
	[ -f "$1/postmaster.pid" ] && "$postgres_bin/pg_ctl" -D "$1" status >/dev/null
}

cluster_stop()	# DATA
{
	if cluster_is_running "$1"; then
		"$postgres_bin/pg_ctl" -D "$1" -m fast -w -s stop
	fi
}
