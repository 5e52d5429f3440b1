#!/usr/bin/env bash
# Runs one CQL server on free loopback ports, for tests and benchmarks.
#
#   scripts/cql-server.sh DIR
#
# DIR takes its configuration, log and data; it must not exist or must be left by
# an earlier run, which is then continued on the same port with the same data.
# Once the server accepts connections it prints "ready HOST:PORT". It lives as
# long as standard input is open, so that it cannot outlast whoever started it;
# at the end of input, or on TERM or INT, the server is stopped. Lines on
# standard input command it, each answered by one line:
#
#   stop    end it in order (TERM)          -> stopped
#   kill    end it at once (KILL)           -> stopped
#   start   start it again                  -> ready HOST:PORT
#   pause   freeze it, connections stay     -> paused
#   resume  thaw it                         -> resumed
#
# With CQL_PASSWORDS=1 (jars only) it asks for a password; cassandra's is cassandra.
# CQL_JVM (jars only) replaces -XX:TieredStopAtLevel=1, with which Java compiles fast
# rather than best: on two cores a server that lives for minutes serves more with it.
#
# Where a container engine runs it is scylladb/scylla; else, or where that image
# cannot be had, Apache Cassandra from Maven Central (JDK 17 and Maven, 66 MB
# kept in ${XDG_CACHE_HOME:-~/.cache}/admitone).
set -uo pipefail

dir=${1:?usage: cql-server.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
image=docker.io/scylladb/scylla:2025.1
version=$(sed -n 's:.*<version>\([0-9]*\.[0-9.]*\)</version>.*:\1:p' "$here/cassandra/pom.xml")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/admitone/cassandra-$version
host=127.0.0.1
pid=

say() { echo "cql-server: $*" >&2; }

answers() { (exec 3<>"/dev/tcp/$host/$1") 2>/dev/null; }

# Below the range that systems hand out for port 0, so that a port free now stays so.
free_port() {
	local p
	while p=$((12000 + RANDOM % 18000)); do
		answers "$p" || { echo "$p"; return; }
	done
}

# wait_ready ALIVE…: until the port answers; fails when the command ALIVE does.
wait_ready() {
	local i
	for ((i = 0; i < 2400; i++)); do
		answers "$port" && return 0
		"$@" || return 1
		sleep 0.1
	done
	return 1
}

# --- Apache Cassandra from jars

jars_fetch() {
	[ -d "$cache/lib" ] && return
	command -v mvn >/dev/null || { say "Maven is missing: install JDK 17 and Maven, or a container engine"; return 1; }
	mkdir -p "$cache"
	local tmp
	tmp=$(mktemp -d "$cache/fetch.XXXXXX")
	say "fetching Apache Cassandra $version into $cache"
	if ! mvn -q -B -f "$here/cassandra/pom.xml" dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$tmp" >"$tmp.log" 2>&1; then
		cat "$tmp.log" >&2
		rm -rf "$tmp" "$tmp.log"
		return 1
	fi
	rm -f "$tmp.log"
	# Of two that fetch at once, the second finds lib there.
	if [ -d "$cache/lib" ]; then rm -rf "$tmp"; else mv "$tmp" "$cache/lib"; fi
}

jars_java() {
	java=${JAVA_HOME:+$JAVA_HOME/bin/}java
	"$java" -version 2>&1 | grep -q '"17[."]' && return
	say "Java 17 is missing (Apache Cassandra $version needs that release): install it or set JAVA_HOME"
	return 1
}

jars_configure() {
	port=$(free_port)
	local storage
	storage=$(free_port)
	mkdir -p "$dir/conf"
	cat >"$dir/conf/cassandra.yaml" <<-YAML
		cluster_name: admitone-test
		num_tokens: 1
		partitioner: org.apache.cassandra.dht.Murmur3Partitioner
		endpoint_snitch: SimpleSnitch
		seed_provider:
		  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
		    parameters:
		      - seeds: "$host:$storage"
		listen_address: $host
		rpc_address: $host
		storage_port: $storage
		native_transport_port: $port
		data_file_directories: ["$dir/data"]
		commitlog_directory: "$dir/commitlog"
		hints_directory: "$dir/hints"
		saved_caches_directory: "$dir/caches"
		cdc_raw_directory: "$dir/cdc"
		commitlog_sync: periodic
		commitlog_sync_period: 10000ms
		auto_snapshot: false
		memtable_heap_space: 128MiB
		memtable_offheap_space: 128MiB
		file_cache_size: 64MiB
	YAML
	[ -z "${CQL_PASSWORDS:-}" ] || echo 'authenticator: PasswordAuthenticator' >>"$dir/conf/cassandra.yaml"
	cat >"$dir/conf/logback.xml" <<-'XML'
		<configuration>
		  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
		    <encoder><pattern>%date %-5level %logger{0}: %msg%n</pattern></encoder>
		  </appender>
		  <root level="WARN"><appender-ref ref="OUT"/></root>
		</configuration>
	XML
	echo "$port" >"$dir/port"
}

jars_spawn() {
	local flags=() x
	for x in java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch \
		java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server \
		java.rmi/sun.rmi.transport.tcp java.sql/java.sql java.base/java.lang.ref jdk.unsupported/sun.misc \
		jdk.attach/sun.tools.attach; do
		flags+=("--add-exports" "$x=ALL-UNNAMED")
	done
	for x in java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref \
		java.base/jdk.internal.reflect java.base/jdk.internal.math java.base/jdk.internal.module \
		java.base/jdk.internal.util.jar jdk.management/com.sun.management.internal java.base/sun.nio.ch java.base/java.io \
		java.base/java.nio java.base/java.util.concurrent java.base/java.util java.base/java.lang \
		java.base/java.util.concurrent.atomic; do
		flags+=("--add-opens" "$x=ALL-UNNAMED")
	done
	"$java" "${flags[@]}" ${CQL_JVM:--XX:TieredStopAtLevel=1} -Xms1g -Xmx1g -Dcassandra.storagedir="$dir" \
		-Dcassandra.config="file://$dir/conf/cassandra.yaml" -Dlogback.configurationFile="$dir/conf/logback.xml" \
		-Dcassandra-foreground=yes -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=0 \
		-Djava.security.manager=allow -Djdk.attach.allowAttachSelf=true \
		-cp "$dir/conf:$cache/lib/*" org.apache.cassandra.service.CassandraDaemon >>"$dir/server.log" 2>&1 </dev/null &
	pid=$!
}

jars_start() {
	jars_java && jars_fetch || return 1
	local try
	for try in 1 2 3; do
		if [ -f "$dir/port" ]; then port=$(cat "$dir/port"); else jars_configure; fi
		jars_spawn
		wait_ready kill -0 "$pid" && return 0
		jars_end KILL
		# A port may have been taken since; a server with data keeps its own.
		grep -qi 'address already in use' "$dir/server.log" && [ ! -e "$dir/started" ] || break
		rm -rf "$dir/port" "$dir/data" "$dir/commitlog"
	done
	say "the server did not start; the end of its log:"
	tail -n 40 "$dir/server.log" >&2
	return 1
}

jars_end() {
	[ -n "$pid" ] || return 0
	kill -CONT "$pid" 2>/dev/null
	kill "-$1" "$pid" 2>/dev/null
	local i
	for ((i = 0; i < 300; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	pid=
}

# A thread that runs stops at its next return from the kernel, not when the signal is sent.
jars_signal() {
	kill "-$1" "$pid" || return
	[ "$1" = STOP ] || return 0
	local i
	for ((i = 0; i < 100; i++)); do
		grep -hs '^State:' "/proc/$pid"/task/*/status | grep -qv 'T (stopped)' || return 0
		sleep 0.01
	done
	say "the server's threads do not stop"
	return 1
}
jars_remove() { :; }

# --- ScyllaDB in a container

box_usable() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }
box_alive() { [ "$(docker inspect -f '{{.State.Running}}' "$name" 2>/dev/null)" = true ]; }

box_start() {
	if [ -f "$dir/container" ]; then
		name=$(cat "$dir/container") port=$(cat "$dir/port")
		docker start "$name" >/dev/null && box_ready
		return
	fi
	name=admitone-cql-$$
	port=$(free_port)
	docker run -d --name "$name" -p "$host:$port:9042" "$image" --smp 1 --memory 1G --overprovisioned 1 \
		--developer-mode 1 --broadcast-rpc-address "$host" >/dev/null || return 1
	echo "$name" >"$dir/container"
	echo "$port" >"$dir/port"
	box_ready && return
	docker logs --tail 40 "$name" >&2
	docker rm -f -v "$name" >/dev/null 2>&1
	rm -f "$dir/container" "$dir/port"
	return 1
}

# The engine's own proxy accepts connections before the server does.
box_ready() {
	local i
	for ((i = 0; i < 600; i++)); do
		docker exec "$name" cqlsh -e 'SELECT key FROM system.local' >/dev/null 2>&1 && return 0
		box_alive || return 1
		sleep 0.2
	done
	return 1
}

box_end() {
	docker unpause "$name" >/dev/null 2>&1
	if [ "$1" = KILL ]; then docker kill "$name"; else docker stop -t 30 "$name"; fi >/dev/null 2>&1
	return 0
}

box_signal() { if [ "$1" = STOP ]; then docker pause "$name"; else docker unpause "$name"; fi >/dev/null; }
box_remove() { docker rm -f -v "$name" >/dev/null 2>&1; }

# --- the life of either

start() {
	"${kind}_start" || return 1
	touch "$dir/started"
	echo "ready $host:$port"
}

finish() {
	trap '' INT TERM HUP
	"${kind}_end" TERM
	"${kind}_remove"
	exit "$1"
}

# A group of its own: Ctrl-C in a terminal reaches this script alone, which then stops the server in order.
set -m
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
name='' port=''
kind=jars
if [ ! -e "$dir/conf" ] && [ -z "${CQL_PASSWORDS:-}" ] && box_usable; then kind=box; fi
trap 'finish 143' INT TERM HUP
if ! start; then
	[ "$kind" = box ] || finish 1
	say "no container of $image could be run, so Apache Cassandra is used instead"
	kind=jars
	start || finish 1
fi
while read -r command; do
	case $command in
	stop) "${kind}_end" TERM && echo stopped ;;
	kill) "${kind}_end" KILL && echo stopped ;;
	start) start || finish 1 ;;
	pause) "${kind}_signal" STOP && echo paused ;;
	resume) "${kind}_signal" CONT && echo resumed ;;
	*) say "unknown command: $command" ;;
	esac
done
finish 0
