#!/usr/bin/env bash
# Runs one of the checkers in tools/requirements.txt: scripts/python.sh schemathesis run …
#
# They are installed on first use into a virtual environment of their own, under
# ${XDG_CACHE_HOME:-~/.cache}/admitone, and again when the list changes.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: python.sh COMMAND…" >&2; exit 2; }
list=$(cd "$(dirname "$0")/.." && pwd)/tools/requirements.txt
venv=${XDG_CACHE_HOME:-$HOME/.cache}/admitone/python-$(sha256sum "$list" | cut -c1-12)
if [ ! -d "$venv" ]; then
	command -v python3 >/dev/null || { echo "python.sh: Python 3.10 or newer is missing: install it" >&2; exit 1; }
	echo "python.sh: installing $(grep -c '==' "$list") checkers into $venv" >&2
	mkdir -p "$(dirname "$venv")"
	fresh=$(mktemp -d "$venv.XXXXXX")
	trap 'rm -rf "$fresh"' EXIT
	python3 -m venv "$fresh"
	"$fresh/bin/pip" install -q --disable-pip-version-check -r "$list" >&2
	# Of two that install at once, the second finds it there. Scripts name their own
	# interpreter, so the place must not change: a link leads to it.
	ln -sT "$fresh" "$venv" 2>/dev/null || true
	trap - EXIT
fi
name=$1
shift
exec "$venv/bin/$name" "$@"
