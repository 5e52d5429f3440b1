#!/usr/bin/env bash
# Runs each fuzz target of the module, one after the other, for so many inputs.
#
#   scripts/fuzz.sh [COUNTx|DURATION]   (200000x)
#
# With a duration a target that found nothing fails now and then before Go 1.27, with
# "context deadline exceeded" (https://go.dev/issue/75804); a count has no such end.
# Inputs that fail are kept by Go in testdata/fuzz of the package; commit them.
set -euo pipefail

cd "$(dirname "$0")/.."
budget=${1:-200000x}
found=0
while IFS=: read -r file function; do
	name=$(sed -E 's/func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$function")
	found=$((found + 1))
	echo "== $name in $(dirname "$file")"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$budget" -fuzzminimizetime 5s "./$(dirname "$file")"
done < <(git grep --untracked -HE '^func Fuzz[A-Za-z0-9_]*\(' -- '*_test.go')
[ "$found" -gt 0 ] || { echo "no fuzz target was found" >&2; exit 1; }
