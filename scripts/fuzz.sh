#!/usr/bin/env bash
# Runs each fuzz target of the module for a while, one after the other.
#
#   scripts/fuzz.sh [DURATION]   (30s)
#
# Inputs that fail are kept by Go in testdata/fuzz of the package; commit them.
set -euo pipefail

cd "$(dirname "$0")/.."
duration=${1:-30s}
found=0
while IFS=: read -r file function; do
	name=$(sed -E 's/func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$function")
	found=$((found + 1))
	echo "== $name in $(dirname "$file")"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$duration" -fuzzminimizetime 5s "./$(dirname "$file")"
done < <(git grep --untracked -HE '^func Fuzz[A-Za-z0-9_]*\(' -- '*_test.go')
[ "$found" -gt 0 ] || { echo "no fuzz target was found" >&2; exit 1; }
