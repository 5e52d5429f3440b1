#!/usr/bin/env bash
# Holds the served contract against the server: starts one of its own in a folder that
# goes away again, and lets schemathesis send what /openapi.json allows and what it does
# not, in each role. SEED=n chooses other requests, EXAMPLES=n how many of them.
#
# It needs Go, curl and Python; contract/schemathesis.toml says what counts as a fault.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
seed=${SEED:-1}
examples=${EXAMPLES:-25}
work=$(mktemp -d)
server=

cleanup() {
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap cleanup EXIT

start() {
	(cd "$here/.." && go build -o "$work/admitone" ./cmd/admitone)
	"$work/admitone" serve --data "$work/data" --http 127.0.0.1:0 >"$work/server.log" 2>&1 &
	server=$!
	for _ in $(seq 300); do
		if [ -s "$work/data/http.url" ] && curl -sf "$(<"$work/data/http.url")/readyz" >/dev/null; then
			url=$(<"$work/data/http.url")
			return
		fi
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	echo "contract.sh: the server does not get ready; it said:" >&2
	cat "$work/server.log" >&2
	return 1
}

account() { printf '0190a6b0-7c3e-7d4f-8a5b-00000000000%s' "$1"; }
token() { "$work/admitone" token --data "$work/data" --sub "$(account "$1")" --role "$2"; }

# create TOKEN PATH BODY: the id and the consistency token of what was made.
create() {
	local answer
	answer=$(curl -sSf -D "$work/headers" -H "Authorization: Bearer $1" -H 'Content-Type: application/json' -d "$3" "$url$2")
	sed -E 's/.*"id":"([^"]+)".*/\1/' <<<"$answer"
	sed -nE 's/^Consistency-Token: (.*)\r$/\1/Ip' "$work/headers"
}

# check NUMBER ROLE: sends requests as that account, which has a ticket, an order and a
# conversation.
check() {
	local bearer offer ticket ticket_token order order_token talk talk_token ended
	bearer=$(token "$1" "$2")
	# Somebody else's, and nobody has ordered it yet.
	{ read -r offer; read -r _; } < <(create "$(token 1 user)" /v1/tickets "$listing")
	{ read -r ticket; read -r ticket_token; } < <(create "$bearer" /v1/tickets "$listing")
	{ read -r order; read -r order_token; } < <(create "$bearer" /v1/orders "{\"ticket_id\":\"$offer\"}")
	{ read -r talk; read -r talk_token; } < <(create "$bearer" /v1/conversations '{"topic":"other","text":"Hello"}')
	{ read -r ended; read -r _; } < <(create "$bearer" /v1/conversations '{"topic":"other","text":"Hello"}')
	printf '\n--- as %s\n' "$2"
	cp -r "$here/contract" "$work/$2"
	cd "$work/$2" # where it finds these, and leaves its notes
	printf '"%s"\n' "$ticket" "$offer" >tickets.dict
	printf '"%s"\n' "$order" >orders.dict
	printf '"%s"\n' "$talk" >conversations.dict
	printf '"%s"\n' "$ended" >ended.dict
	printf '"%s"\n' "$ticket" "$order" "$talk" >aggregates.dict
	printf '"%s"\n' "$ticket_token" "$order_token" "$talk_token" "$ticket_token, $order_token" >tokens.dict
	export CONTRACT_OFFER=$offer CONTRACT_TICKET=$ticket CONTRACT_ORDER=$order CONTRACT_TALK=$talk CONTRACT_ENDED=$ended
	"$here/python.sh" schemathesis run "$url/openapi.json" -H "Authorization: Bearer $bearer" \
		--checks all --max-examples "$examples" --seed "$seed" --no-color || {
		echo "contract.sh: the contract and the server differ, see above; the server's last words:" >&2
		tail -n 20 "$work/server.log" >&2
		return 1
	}
}

listing='{"title":"Row 7, seat 12","price":{"amount":2500,"currency":"EUR"}}'
start
check 2 admin
check 3 user
check 4 agent
check 5 bot
