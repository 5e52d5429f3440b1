package main

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/cqltest"
	"github.com/stretchr/testify/require"
)

// projectionItem is one item of GET /v1/admin/projections.
type projectionItem struct {
	Name       string
	Generation int
	Status     string
	LagEvents  uint64 `json:"lag_events"`
	Rebuild    *struct {
		Events, Total uint64
	}
}

// projection asks how far the projection of tickets is; ok is false while the server is away.
func projection(t testing.TB, c *blackbox.Client) (p projectionItem, ok bool) {
	t.Helper()
	a, err := c.Send(t.Context(), "GET", "/v1/admin/projections", "")
	if err != nil || a.Status != 200 {
		return p, false
	}
	var page struct{ Items []projectionItem }
	require.NoError(t, json.Unmarshal(a.Body, &page))
	i := slices.IndexFunc(page.Items, func(p projectionItem) bool { return p.Name == "tickets" })
	require.GreaterOrEqual(t, i, 0)
	return page.Items[i], true
}

func TestRebuildOfNothing(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	program.Serve(t, data)
	r := program.Run(t, "rebuild", "--all", "--data", data)
	require.Zero(t, r.Code, r.ErrOut)
	require.Contains(t, r.Out, "tickets: generation 2 is live")
	a := seller(t, data).Do(t, "GET", "/v1/tickets", "")
	require.JSONEq(t, `{"items":[],"next_cursor":""}`, string(a.Body))
	requireSound(t, data)
}

func TestRebuildUnderLoad(t *testing.T) {
	t.Parallel()
	rebuildUnderLoad(t, 2_000, 3)
}

func TestProofRebuildUnderLoadCQL(t *testing.T) {
	proof(t)
	rebuildUnderLoad(t, 500, 2, "--cql", cqltest.Hosts(t)[0], "--keyspace", cqltest.Keyspace(t))
}

func TestProofRebuildUnderLoad(t *testing.T) {
	proof(t)
	rebuildUnderLoad(t, 30_000, 3)
}

// rebuildUnderLoad rebuilds several times under 200 commands a second, each followed
// by a query with its token: none may fail, and none may show older data.
func rebuildUnderLoad(t *testing.T, tickets, rounds int, args ...string) {
	data := dataDir(t)
	s := program.Serve(t, data, append(args, "--sync-interval", "1m")...)
	admin := operator(t, data)
	fill(t, s, admin, tickets)
	load := blackbox.NewLoad(t, program, data, blackbox.LoadConfig{Seed: seed(t), Rate: 200, Query: 1, Strict: true})
	stop := underLoad(t, load)
	began, ok := projection(t, admin)
	require.True(t, ok)
	eventually(t, "there is load", func() bool { return load.Reads() > 50 })
	for range rounds {
		r := program.Run(t, "rebuild", "--all", "--data", data)
		require.Zero(t, r.Code, r.ErrOut)
		t.Log(strings.TrimSpace(r.Out))
		before := load.Reads()
		eventually(t, "queries go on after the switch", func() bool { return load.Reads() > before+50 })
	}
	stop()
	requireAllThere(t, s, load)
	p, ok := projection(t, admin)
	require.True(t, ok)
	require.Equal(t, began.Generation+rounds, p.Generation)
	require.Zero(t, s.Stop(), s.Log())
}

// fill puts tickets of ten events each into the log, and waits until they are admitted.
func fill(t testing.TB, s *blackbox.Server, admin *blackbox.Client, tickets int) {
	t.Helper()
	blackbox.Backlog(t, s.NATS(), tickets)
	eventually(t, "the backlog is admitted", func() bool {
		p, ok := projection(t, admin)
		return ok && p.LagEvents == 0
	})
}

func TestOneRebuildAtATime(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data, "--sync-interval", "1m")
	blackbox.Backlog(t, s.NATS(), 1_000)
	admin := operator(t, data)
	require.Equal(t, 202, admin.Do(t, "POST", "/v1/admin/projections/tickets/rebuild", "").Status)
	again := admin.Do(t, "POST", "/v1/admin/projections/tickets/rebuild", "")
	require.Equal(t, 409, again.Status, again)
	require.Equal(t, "rebuild_running", again.Code())
	eventually(t, "it is done", func() bool {
		p, ok := projection(t, admin)
		return ok && p.Generation == 2 && p.Rebuild == nil
	})

	one := program.Begin(t.Context(), "rebuild", "--all", "--data", data)
	other := program.Begin(t.Context(), "rebuild", "--all", "--data", data)
	first, second := <-one, <-other
	require.Equal(t, 1, first.Code+second.Code, "one is refused\n%s%s", first.ErrOut, second.ErrOut)
	require.Contains(t, first.ErrOut+second.ErrOut, "is being built")
	require.Equal(t, 404, admin.Do(t, "POST", "/v1/admin/projections/seats/rebuild", "").Status)
	requireSound(t, data)
}

func TestRebuildGoesOnWhenKilled(t *testing.T) {
	t.Parallel()
	killRebuild(t, 2_000, 1)
}

func TestProofRebuildGoesOnWhenKilled(t *testing.T) {
	proof(t)
	killRebuild(t, 40_000, 3)
}

// killRebuild kills the server while it rebuilds: the command that asked for the
// rebuild waits, and the same generation becomes live.
func killRebuild(t *testing.T, tickets, kills int) {
	random := rand.New(rand.NewPCG(seed(t), 0))
	data := dataDir(t)
	s := program.Serve(t, data, "--sync-interval", "1m")
	admin := operator(t, data)
	fill(t, s, admin, tickets)
	load := blackbox.NewLoad(t, program, data, blackbox.LoadConfig{Seed: random.Uint64(), Rate: 200})
	stop := underLoad(t, load)
	done := program.Begin(t.Context(), "rebuild", "--all", "--data", data)
	for range kills {
		eventually(t, "it rebuilds", func() bool {
			p, ok := projection(t, admin)
			require.False(t, ok && p.Generation == 2, "the rebuild was over before it could be killed: the backlog is too small")
			return ok && p.Rebuild != nil
		})
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond) // the random moment
		s.Kill()
		s = program.Serve(t, data, "--sync-interval", "1m")
	}
	r := <-done
	require.Zero(t, r.Code, r.ErrOut)
	require.Contains(t, r.Out, "tickets: generation 2 is live")
	before := load.Reads()
	eventually(t, "queries go on after the switch", func() bool { return load.Reads() > before+50 })
	stop()
	requireAllThere(t, s, load)
}
