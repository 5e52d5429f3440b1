#!/usr/bin/env bash
# Runs a command with a CQL server at hand: scripts/with-cql.sh go test ./...
#
# Where ADMITONE_TEST_CQL is set, that server is used. Else one is started on free
# loopback ports with a fresh folder for its data, its HOST:PORT is given to the
# command in that variable, and both server and folder are gone afterwards,
# however this ends. The exit code is the command's.
set -uo pipefail

[ $# -gt 0 ] || { echo "usage: with-cql.sh COMMAND…" >&2; exit 2; }
[ -z "${ADMITONE_TEST_CQL:-}" ] || exec "$@"

here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/admitone-cql.XXXXXX")
server='' command=''

finish() {
	trap '' INT TERM HUP
	exec 8>&- 9<&-
	[ -z "$server" ] || wait "$server"
	rm -rf "$dir"
	exit "$1"
}

interrupted() {
	[ -z "$command" ] || { kill -TERM -- "-$command" 2>/dev/null; wait "$command" 2>/dev/null; }
	finish 130
}

trap interrupted INT TERM HUP
mkfifo "$dir/in" "$dir/out"
# Each in a group of its own: Ctrl-C ends the command and all its children first, then the server.
set -m
"$here/cql-server.sh" "$dir/server" <"$dir/in" >"$dir/out" &
server=$!
exec 8>"$dir/in" 9<"$dir/out"
read -r -u 9 ready address || finish 1
[ "$ready" = ready ] || finish 1

# The command must not hold the server's standard input open.
ADMITONE_TEST_CQL=$address "$@" 8>&- 9<&- <&0 &
command=$!
wait "$command"
finish $?
