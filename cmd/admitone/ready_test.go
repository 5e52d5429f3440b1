package main

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/stretchr/testify/require"
)

// holdable stands before a server and can hold all that is on its way to it.
type holdable struct {
	listener net.Listener
	to       string
	conns    sync.WaitGroup
	gate     sync.RWMutex // locked: nothing passes
}

func startHoldable(t *testing.T, to string) *holdable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := &holdable{listener: l, to: to}
	h.conns.Go(h.accept)
	t.Cleanup(func() {
		_ = l.Close()
		h.conns.Wait()
	})
	return h
}

func (h *holdable) addr() string { return h.listener.Addr().String() }

func (h *holdable) accept() {
	for {
		client, err := h.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", h.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		h.conns.Go(func() { h.pass(client, server) })
		h.conns.Go(func() { h.pass(server, client) })
	}
}

func (h *holdable) pass(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	_, _ = io.Copy(gated{to, h}, from)
}

type gated struct {
	io.Writer
	h *holdable
}

func (g gated) Write(p []byte) (int, error) {
	g.h.gate.RLock()
	defer g.h.gate.RUnlock()
	return g.Writer.Write(p)
}

// A container's health check asks the copy on its data directory.
func TestReadyCommand(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	r := program.Run(t, "ready", "--data", data)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, "no server runs on "+data)
	s := program.Serve(t, data)
	require.Zero(t, program.Run(t, "ready", "--data", data).Code)
	s.Kill()
	r = program.Run(t, "ready", "--data", data)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, "does not answer")
}

// A copy that serves the API takes requests on when its read store does not answer, and
// says what it cannot do; one that was never ready, or serves none, is not ready.
func TestReadyWithoutTheReadStoreCQL(t *testing.T) {
	t.Parallel()
	rows, broker := startHoldable(t, cqltest.Hosts(t)[0]), natstest.Server(t)
	fleet := program.Fleet(t, blackbox.FleetConfig{
		Roles: []string{roleAPI, roleAPI, roleProjector}, Args: []string{"--nats", broker.URL(), "--cql", rows.addr(), "--keyspace", cqltest.Keyspace(t)},
	})
	c, started, projector := fleet.Client("0190a000-0000-7000-8000-000000000001", "user"), fleet.Copies[1], fleet.Copies[2]
	plain := readiness(t, fleet.Copies[0])
	require.NotContains(t, plain, "degraded")
	rows.hold(func() {
		eventually(t, "the projector is not ready", func() bool { return !projector.Ready() })
		require.Contains(t, readiness(t, fleet.Copies[0]), "degraded: commands go on")
		for _, check := range checksIn(t, readiness(t, fleet.Copies[0])) {
			require.True(t, check.Ok, check)
			require.Equal(t, check.Name == checkReadStore, check.Detail != "", check)
		}
		for _, check := range checksIn(t, readiness(t, projector)) {
			require.Equal(t, check.Name != checkReadStore, check.Ok, "nothing else is accused: %+v", check)
		}
		started.Kill()
		started.Again()
		eventually(t, "one that starts meanwhile says that it is not ready", func() bool {
			return started.URL() != "" && strings.Contains(readiness(t, started), "not_ready")
		})
		r := program.Run(t, "ready", "--data", started.Data)
		require.Equal(t, 1, r.Code)
		require.Contains(t, r.ErrOut, "not_ready")
		eventually(t, "commands go on at every copy", func() bool {
			return c.Do(t, "POST", "/v1/tickets", blackbox.Offer("Seat", 1)).Status == 201
		})
		requireDegraded(t, broker.URL())
	})
	for _, copied := range fleet.Copies {
		copied.AwaitReady()
	}
	eventually(t, "nothing is said any more", func() bool { return readiness(t, fleet.Copies[0]) == plain })
}

// hold lets nothing pass meanwhile.
func (h *holdable) hold(meanwhile func()) {
	h.gate.Lock()
	defer h.gate.Unlock()
	meanwhile()
}

func readiness(t *testing.T, c *blackbox.Copy) string {
	t.Helper()
	return string(blackbox.NewClient(t, c.Data, "").Do(t, "GET", "/readyz?verbose", "").Body)
}

func checksIn(t *testing.T, body string) []api.Check {
	t.Helper()
	var answer struct{ Checks []api.Check }
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.NotEmpty(t, answer.Checks)
	return answer.Checks
}

// requireDegraded: operators are warned of the copy that works in part, and told of
// those that do not.
func requireDegraded(t *testing.T, url string) {
	t.Helper()
	r := program.Run(t, "services", "--nats", url)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.Out, "read_store: degraded: commands go on")
	levels := map[level]int{}
	for _, f := range findingsOf(t, "--nats", url) {
		if strings.HasPrefix(f.Check, "copy ") {
			levels[f.Level]++
		}
	}
	require.Equal(t, map[level]int{levelWarn: 1, levelFail: 2}, levels)
}
