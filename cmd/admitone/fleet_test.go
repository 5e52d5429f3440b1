package main

import (
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/internal/natstest"
)

// twoOfEach is two copies of each role.
var twoOfEach = []string{roleAPI, roleAPI, roleProjector, roleProjector, roleProcesses, roleProcesses}

// fleetCQL starts the distributed form on a broker and a keyspace of its own.
func fleetCQL(t testing.TB, roles []string, args ...string) *blackbox.Fleet {
	t.Helper()
	hosts := cqltest.Hosts(t)
	broker := natstest.Server(t)
	return program.Fleet(t, blackbox.FleetConfig{Roles: roles, Args: append([]string{
		"--nats", broker.URL(), "--cql", hosts[0], "--keyspace", cqltest.Keyspace(t),
	}, args...)})
}
