package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/stretchr/testify/require"
)

// A broker of one's own with SQLite: the broker says how many partitions there are.
func TestExternalBroker(t *testing.T) {
	t.Parallel()
	broker := natstest.Server(t)
	data := dataDir(t)
	args := []string{"--nats", broker.URL()}
	s := program.Serve(t, data, args...)
	load := blackbox.NewLoad(t, program, data, blackbox.LoadConfig{Seed: seed(t)})
	stop := underLoad(t, load)
	eventually(t, "there is load", func() bool { return load.Reads() > 100 })
	s.Kill()
	requireRefused(t, data, append(args, "--partitions", "4"), "8 partitions", "configure 8")
	s = program.Serve(t, data, args...)
	before := load.Reads()
	eventually(t, "it goes on", func() bool { return load.Reads() > before+100 })
	stop()
	requireAllThere(t, s, load)
	require.Zero(t, s.Stop(), s.Log())
}

// Copies with a read store each would each see a part of the events.
func TestCopiesNeedOneReadStore(t *testing.T) {
	t.Parallel()
	broker := natstest.Server(t)
	data := dataDir(t)
	s := program.Serve(t, data, "--nats", broker.URL())
	requireRefused(t, dataDir(t), []string{"--nats", broker.URL()}, data, "--cql", "stop the other one")
	requireRefused(t, dataDir(t), []string{"--nats", broker.URL(), "--cql", "127.0.0.1:1"}, data, "CQL keyspace admitone")
	s.Kill()
	s = program.Serve(t, dataDir(t), "--nats", broker.URL())
	list(t, seller(t, s.Data), 2)
}

// Two copies share a broker, rows and keys; one is killed, and comes back.
func TestProofTwoCopiesCQL(t *testing.T) {
	proof(t)
	broker := natstest.Server(t)
	folder := t.TempDir()
	args := []string{
		"--nats", broker.URL(), "--keys", filepath.Join(folder, "keys"),
		"--cql", cqltest.Hosts(t)[0], "--keyspace", cqltest.Keyspace(t),
	}
	data := []string{filepath.Join(folder, "one"), filepath.Join(folder, "other")}
	copies := []*blackbox.Server{program.Serve(t, data[0], args...), program.Serve(t, data[1], args...)}
	random := seed(t)
	var loads []*blackbox.Load
	var stops []func()
	for i, dir := range data {
		load := blackbox.NewLoad(t, program, dir, blackbox.LoadConfig{Seed: random + uint64(i), Keys: filepath.Join(folder, "keys")})
		loads, stops = append(loads, load), append(stops, underLoad(t, load))
	}
	eventually(t, "both are at work", func() bool { return loads[0].Reads() > 50 && loads[1].Reads() > 50 })
	copies[0].Kill()
	before := loads[1].Reads()
	eventually(t, "the other one goes on", func() bool { return loads[1].Reads() > before+100 })
	copies[0] = program.Serve(t, data[0], args...)
	rebuilt := program.Run(t, "rebuild", "--all", "--data", data[1])
	require.Zero(t, rebuilt.Code, rebuilt.ErrOut)
	before = loads[0].Reads()
	eventually(t, "it is back", func() bool { return loads[0].Reads() > before+50 })
	for i := range loads {
		stops[i]()
	}
	requireAllThere(t, copies[0], loads[0])
	requireAllThere(t, copies[1], loads[1])
	for _, s := range copies {
		require.Zero(t, s.Stop(), s.Log())
		require.NotContains(t, strings.ToLower(s.Log()), "panic")
	}
}
