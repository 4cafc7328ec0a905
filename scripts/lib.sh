# What scripts/demo and scripts/test share; sourced by bash.
#
# Both build in a directory of their own and install into a private copy of
# the PostgreSQL installation there, which PostgreSQL finds by the place of its
# programs. So nothing but Debian's packages is added to the system, and
# nothing is left in the clone.

# cd would look there, and say where it went
unset CDPATH
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
	printf '==> %s\n' "$*"
}

fail() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	shift
	(($#)) && printf '%s\n' "$@" >&2
	exit 1
}

# ---- counts ------------------------------------------------------------------

passed=0 failed=0 skipped=0 last_line=

counts() {
	echo "$passed passed, $failed failed$( ((skipped)) && echo ", $skipped skipped")"
}

# Adds what the last line of a log counts, as counts does; a command that ends
# otherwise has failed. tally log status
tally() {
	last_line=$(tail -n 1 "$1")
	if [[ $last_line =~ ^([0-9]+)' passed, '([0-9]+)' failed'(', '([0-9]+)' skipped')?$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
		(($2 == 0 || BASH_REMATCH[2])) && return
		last_line+=", but ended with status $2"
	else
		last_line="ended with status $2 and without counts"
	fi
	failed=$((failed + 1))
}

# Runs a command whose last line counts, shows what it says and adds its counts.
count() {
	local log screen tee status=0
	log=$(mktemp) || return
	exec {screen}> >(tee "$log")
	tee=$!
	"$@" </dev/null >&"$screen" 2>&1 &
	child=$!
	# it has children and servers of its own to end
	patience=60
	wait "$child" || status=$?
	child= patience=5
	exec {screen}>&-
	wait "$tee"
	tally "$log" "$status"
	rm -f "$log"
}

# ---- packages ----------------------------------------------------------------

# The PostgreSQL whose packages are used: PG_MAJOR, or that of this release of
# Debian; nothing where no packages of Debian are.
debian_postgresql() {
	[[ -r /etc/os-release ]] && command -v dpkg-query apt-get >/dev/null || return
	(
		. /etc/os-release
		[[ ${ID-} == debian ]] || exit
		case ${PG_MAJOR:-${VERSION_CODENAME-}} in
			bookworm) echo 15 ;;
			trixie) echo 17 ;;
			forky) echo 18 ;;
			[1-9][0-9]) echo "$PG_MAJOR" ;;
		esac
	)
}

debian_pg=$(debian_postgresql)
pg=${debian_pg:-15}

# Those of the packages that are not installed.
missing_packages() {
	local package
	for package; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
			echo "$package"
	done
}

# On a system without Debian's packages: the packages whose content is missing.
missing_programs() {
	local package probe
	for package; do
		case $package in
			gcc) probe='command -v cc' ;;
			libc6-dev) probe='echo "#include <stdio.h>" | cc -E -' ;;
			make | openssl | python3 | gcovr | pmccabe | sqlsmith) probe="command -v $package" ;;
			gettext) probe='command -v xgettext && command -v msgfmt' ;;
			locales) probe='test -f /usr/share/i18n/locales/ko_KR' ;;
			pkg-config) probe='command -v pkg-config' ;;
			postgresql-[0-9][0-9]) probe='test -x "$("$PG_CONFIG" --bindir)/initdb"' ;;
			postgresql-*-cron) probe='test -f "$("$PG_CONFIG" --pkglibdir)/pg_cron.so"' ;;
			postgresql-*-qualstats) probe='test -f "$("$PG_CONFIG" --pkglibdir)/pg_qualstats.so"' ;;
			postgresql-*-pgaudit) probe='test -f "$("$PG_CONFIG" --pkglibdir)/pgaudit.so"' ;;
			postgresql-*-partman) probe='test -f "$("$PG_CONFIG" --sharedir)/extension/pg_partman.control"' ;;
			postgresql-server-dev-*) probe='test -f "$("$PG_CONFIG" --pgxs)"' ;;
			libcurl4-openssl-dev) probe='pkg-config --exists libcurl' ;;
			libssl-dev) probe='pkg-config --exists libssl' ;;
			libcjson-dev) probe='pkg-config --exists libcjson' ;;
			libcmocka-dev) probe='pkg-config --exists cmocka' ;;
			libpq-dev) probe='test -f "$("$PG_CONFIG" --includedir)/libpq-fe.h"' ;;
			curl) probe='command -v curl' ;;
			python3-psycopg2) probe='python3 -c "import psycopg2"' ;;
			python3-uno) probe='python3 -c "import uno"' ;;
			libreoffice-base) probe='command -v soffice' ;;
			libreoffice-sdbc-postgresql) probe='test -f /usr/lib/libreoffice/program/libpostgresql-sdbclo.so' ;;
			node-pg) probe='NODE_PATH=/usr/share/nodejs node -e "require(\"pg\")"' ;;
			python3-pyodbc) probe='python3 -c "import pyodbc"' ;;
			odbc-postgresql) probe='grep -qx "\[PostgreSQL Unicode\]" /etc/odbcinst.ini' ;;
			libpostgresql-jdbc-java) probe='test -f /usr/share/java/postgresql.jar' ;;
			default-jre-headless) probe='java --describe-module jdk.compiler' ;;
			libc-ares2) probe='ldconfig -p | grep -q "libcares\.so\.2"' ;;
			libevent-2.1-7*) probe='ldconfig -p | grep -q "libevent-2\.1\.so\.7"' ;;
			python3-requests) probe='python3 -c "import requests"' ;;
			perl) probe='command -v prove' ;;
			libipc-run-perl) probe='perl -MIPC::Run -e 1' ;;
			ca-certificates) probe='ls /etc/ssl/certs || ls /etc/pki/tls/certs' ;;
			clang | libclang-rt-dev) probe='echo "int LLVMFuzzerTestOneInput(void) { return 0; }" | clang -fsanitize=fuzzer -x c - -o /dev/null' ;;
			valgrind) probe='command -v valgrind' ;;
			chromium) probe='command -v chromium' ;;
			chromium-driver) probe='command -v chromedriver' ;;
			npm) probe='command -v npm' ;;
			gnuplot-nox) probe='gnuplot -e "set terminal svg"' ;;
			fonts-nanum) probe='fc-list :family=NanumGothic | grep .' ;;
			postgresql-client-*) probe='command -v psql' ;;
			*) probe=false ;;
		esac
		export PG_CONFIG
		bash -c "$probe" >/dev/null 2>&1 || echo "$package"
	done
}

# How we become root: "", "sudo", or "no".
way_to_root() {
	if ((EUID == 0)); then
		echo
	elif ! command -v sudo >/dev/null; then
		echo no
	elif sudo -n true 2>/dev/null || { [[ -t 0 && -t 2 ]] && sudo -v; }; then
		echo sudo
	else
		echo no
	fi
}

# need_packages package ... [-- package ...]: installs those that are missing, all
# at once, and says so before; where it can't, it says which they are and ends.
# Those after -- only some tests (or what $optional says) need, which see for
# themselves what there is, and say what they lack: they are installed as far as
# that can be.
optional=tests
need_packages() {
	local needed=() missing wanted root command
	: "${PG_CONFIG:=$(default_pg_config)}"
	while (($#)) && [[ $1 != -- ]]; do
		needed+=("$1")
		shift
	done
	shift $(($# > 0))

	if [[ -z $debian_pg ]]; then
		mapfile -t missing < <(missing_programs "${needed[@]}")
		((${#missing[@]} == 0)) ||
			fail "this system is not Debian 12 or later, so nothing is installed here; missing is what these packages of Debian 12 bring:" \
				"    ${missing[*]}" \
				"Install the same by your system's means (PG_CONFIG=/path/to/pg_config chooses a PostgreSQL) and start $0 again."
		mapfile -t wanted < <(missing_programs "$@")
		say_skipped "${wanted[@]}"
		return
	fi

	mapfile -t missing < <(missing_packages "${needed[@]}")
	mapfile -t wanted < <(missing_packages "$@")
	((${#missing[@]} + ${#wanted[@]})) || return 0
	root=$(way_to_root)
	if [[ $root != no ]]; then
		update_lists "$root"
		mapfile -t wanted < <(installable_packages "${wanted[@]}")
		install_packages "$root" "${missing[@]}" "${wanted[@]}"
	fi
	mapfile -t missing < <(missing_packages "${needed[@]}")
	if ((${#missing[@]})); then
		command="apt-get install --no-install-recommends ${missing[*]}"
		[[ $root == no ]] &&
			fail "not root, and sudo is not there or refused, so Debian packages that are missing can't be installed. As root:" \
				"    apt-get update && $command" \
				"(postgresql-$pg makes a cluster on port 5432 of its own, unless create_main_cluster = false stands in /etc/postgresql-common/createcluster.conf before.)"
		fail "still missing: ${missing[*]}"
	fi
	mapfile -t wanted < <(missing_packages "$@")
	say_skipped "${wanted[@]}"
}

say_skipped() {
	((${#} == 0)) || say "$optional that need them are skipped, for there is no: $*"
}

default_pg_config() {
	if [[ -n $debian_pg ]]; then
		echo "/usr/lib/postgresql/$debian_pg/bin/pg_config"
	else
		command -v pg_config || echo pg_config
	fi
}

# While packages are installed: the drop-in file of ours, and how to remove it.
# Without it Debian's PostgreSQL would make a cluster of its own on port 5432.
drop_in=
as_root=

end_installation() {
	[[ -n $drop_in ]] || return 0
	$as_root rm -f "$drop_in"
	$as_root rmdir --ignore-fail-on-non-empty "${drop_in%/*}"
	drop_in=
}

# What apt-get does, by sudo or nothing, and its status; of what fails it shows the end.
apt_get() {
	local root=$1 log status=0
	shift
	log=$($root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Use-Pty=0 "$@" </dev/null 2>&1) || status=$?
	((status == 0)) || tail -n 25 <<<"$log" >&2
	return "$status"
}

update_lists() {
	apt_get "$1" update || say "apt-get update failed; trying with the lists at hand"
}

# Those of the packages that this release has, and that nothing installed is in the way of.
installable_packages() {
	local package
	for package; do
		apt-get -q --simulate install "$package" >/dev/null 2>&1 && echo "$package"
	done
}

# install_packages "sudo or nothing" package ...
install_packages() {
	as_root=$1
	shift
	(($#)) || return 0
	say "installing Debian packages${as_root:+ by sudo}, which takes a minute or two: $*"

	drop_in=/etc/postgresql-common/createcluster.d/market_investor_fdw.conf
	$as_root mkdir -p "${drop_in%/*}"
	echo 'create_main_cluster = false' | $as_root tee "$drop_in" >/dev/null
	apt_get "$as_root" install --yes --no-install-recommends "$@" || say "apt-get install failed"
	end_installation
}

# ---- the demo ------------------------------------------------------------------

# Where scripts/demo lives: its user's alone, and root's clone may be out of
# reach for the user postgres.
demo_directory() {
	if ((EUID == 0)); then
		echo /var/lib/market_investor_fdw-demo
	else
		echo "${XDG_STATE_HOME:-$HOME/.local/state}/market_investor_fdw-demo"
	fi
}

# Does the server in this directory run?
server_runs() {
	local pid
	read -r pid 2>/dev/null <"$1/data/postmaster.pid" &&
		[[ $(readlink "/proc/$pid/cwd") == "$1/data" ]]
}

# ---- the user who runs servers -----------------------------------------------

# PostgreSQL refuses to run as root; then it runs as Debian's user postgres.
choose_server_user() {
	server_user=$(id -un)
	if ((EUID == 0)); then
		server_user=postgres
		id -u "$server_user" >/dev/null 2>&1 ||
			fail "root can't run PostgreSQL, and there is no user $server_user to run it as"
	fi
}

# Starts a command as that user in $work, with a small environment and no keys
# in it; in a process group of its own, so that end_child can end all of it.
# Variables before the command go with it: start A=1 command ...
child=
start() {
	local change=()
	((EUID == 0)) && change=(setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --init-groups)
	(
		cd "$work" && exec setsid "${change[@]}" env -i HOME="$work" LANG=C.UTF-8 TERM="${TERM-dumb}" \
			PATH="$bindir:/usr/local/bin:/usr/bin:/bin" PG_CONFIG="$bindir/pg_config" "$@"
	) </dev/null &
	child=$!
}

# Starts it and waits for its end.
run() {
	local status=0
	start "$@"
	wait "$child" || status=$?
	child=
	return "$status"
}

# Whoever has not ended after so many seconds is killed.
patience=5
end_children() {
	local pid n=0
	for pid; do
		kill -TERM -- "-$pid" "$pid" 2>/dev/null
	done
	for pid; do
		for (( ; n < patience * 10; n++)); do
			kill -0 -- "-$pid" 2>/dev/null || kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL -- "-$pid" 2>/dev/null
	done
}

end_child() {
	[[ -n $child ]] && end_children "$child"
	child=
}

# ---- building ------------------------------------------------------------------

# A directory where programs may be run, in which servers' sockets fit.
make_work_directory() {
	local place
	for place in "${TMPDIR-}" /tmp /var/tmp; do
		[[ -d $place && -w $place && ${#place} -lt 40 ]] || continue
		work=$(mktemp -d "$place/market_investor_fdw.XXXXXX") || continue
		printf '#!/bin/sh\n' >"$work/probe"
		chmod 755 "$work/probe"
		if "$work/probe" 2>/dev/null; then
			rm -f "$work/probe"
			return
		fi
		rm -rf "$work"
	done
	work=
	fail "no directory to work in: neither TMPDIR, /tmp nor /var/tmp is writable and runs programs"
}

# The clone without what is built in it.
copy_source() {
	mkdir -p "$work/src"
	tar -C "$top" -cf - --exclude-vcs --exclude='*.o' --exclude='*.bc' --exclude='*.so' --exclude='*.mo' \
		--exclude='__pycache__' --exclude=./tmp_check --exclude=./results --exclude=./log --exclude=./packages \
		--exclude='./regression.*' --exclude=./src/kis/catalog_data.h \
		--exclude='./test/unit/build*' --exclude=./test/fuzz/build \
		--exclude=./examples/dashboard/node_modules --exclude='./examples/dashboard/dist*' \
		--exclude=./examples/dashboard/src/.observablehq . |
		tar -C "$work/src" -xf - --no-same-owner && chmod -R u+w "$work/src"
}

# A copy of the PostgreSQL installation that extensions can be put into; with more
# of its programs. copy_installation pg_config [program ...]
copy_installation() {
	local pg_config=$1 program directory
	shift
	bindir=$work/pg$("$pg_config" --bindir)
	mkdir -p "$bindir"
	# They look for the rest from where they lie themselves, so links won't do
	for program in initdb pg_basebackup pg_config pg_ctl pg_dump pg_isready pg_restore pgbench postgres psql "$@"; do
		cp "$("$pg_config" --bindir)/$program" "$bindir/"
	done
	for directory in "$("$pg_config" --pkglibdir)" "$("$pg_config" --sharedir)" "$("$pg_config" --includedir-server)"; do
		mkdir -p "$work/pg$directory"
		cp -rs "$directory/." "$work/pg$directory/"
		find "$work/pg$directory" -name 'market_investor_fdw*' -prune -exec rm -rf {} +
	done
}

own_work() {
	((EUID == 0)) && chown -R "$server_user:" "$work"
	return 0
}

# Builds with any warning an error, and installs into the copy. More flags for
# the compiler and the linker: KIS_TEST_CFLAGS. build pg_config [variable of make ...]
build() {
	local pg_config=$1 jobs
	shift
	jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
	run make --silent -C src -j "$jobs" PG_CONFIG="$pg_config" COPT="-Werror ${KIS_TEST_CFLAGS-}" "$@" &&
		run make --silent -C src install "$@" >"$work/install.log" || {
		[[ -s $work/install.log ]] && cat "$work/install.log" >&2
		fail "the build failed"
	}
}

# ---- servers -----------------------------------------------------------------------

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# What servers have in their environment besides: NAME=value, each.
server_environment=()

# make_cluster directory port [setting ...]: a running server with the extension,
# preloaded where the version needs that, its socket in the directory, which only
# its user can enter.
make_cluster() {
	local directory=$1 port=$2 preload=()
	shift 2
	(($("$bindir/pg_config" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/') < 17)) &&
		preload=("shared_preload_libraries = 'market_investor_fdw'")
	run sh -c 'mkdir -m 700 "$1" && initdb -D "$1/data" -U postgres -A trust -N --no-locale --encoding=UTF8 >"$1/initdb.log" 2>&1' \
		sh "$directory" || {
		cat "$directory/initdb.log" >&2
		fail "initdb failed"
	}
	run sh -c 'printf "%s\n" "$@" >>"$0/postgresql.conf"' "$directory/data" \
		${preload[@]+"${preload[@]}"} "listen_addresses = ''" "unix_socket_directories = '$directory'" "port = $port" "$@"
	[[ -z ${TEMP_CONFIG-} ]] || cat "$TEMP_CONFIG" >>"$directory/data/postgresql.conf"
	run "${server_environment[@]}" pg_ctl -D "$directory/data" -l "$directory/log" -w -s start || {
		cat "$directory/log" >&2
		fail "the server did not start"
	}
}

# Ends the servers whose data lies under a directory, each by its pid.
stop_clusters() {
	local file pid n
	while IFS= read -r file; do
		read -r pid <"$file" || continue
		[[ $(readlink "/proc/$pid/cwd") == "${file%/postmaster.pid}" ]] || continue
		kill -INT "$pid" 2>/dev/null
		for n in {1..100}; do
			# A process that has ended but is not reaped yet has no program
			readlink "/proc/$pid/exe" >/dev/null || continue 2
			sleep 0.1
		done
		kill -QUIT "$pid" 2>/dev/null
	done < <(find "$1" -name postmaster.pid 2>/dev/null)
}
