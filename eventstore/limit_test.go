package eventstore_test

import (
	"math"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

const mib = 1 << 20

// bounded opens LIMITS and returns its settings at the broker.
func bounded(t testing.TB, nc *nats.Conn, maxBytes, byDefault int64, change ...func(*eventstore.StreamConfig)) jetstream.StreamConfig {
	t.Helper()
	cfg := eventstore.StreamConfig{Name: "LIMITS", MaxBytes: maxBytes, DefaultMaxBytes: byDefault, Registry: toyRegistry()}
	for _, c := range change {
		c(&cfg)
	}
	s := natstest.Stream(t, nc, cfg)
	h, err := s.JetStream().Stream(natstest.Context(t), s.Name())
	require.NoError(t, err)
	has := h.CachedInfo().Config
	require.Equal(t, max(has.MaxBytes, 0), s.MaxBytes())
	return has
}

func roomFor(t testing.TB, bytes int64) *nats.Conn {
	return natstest.Conn(t, natstest.Server(t, func(c *eventstore.ServerConfig) { c.MaxStore = bytes }))
}

func TestByteLimits(t *testing.T) {
	t.Parallel()
	nc := roomFor(t, 100*mib)
	for _, step := range []struct {
		what            string
		named, standard int64
		then            int64
	}{
		{"new", 0, 8 * mib, 8 * mib},
		{"not lowered by itself", 0, 4 * mib, 8 * mib},
		{"nor raised", 0, 16 * mib, 8 * mib},
		{"lowered", 2 * mib, 16 * mib, 2 * mib},
		{"raised", 4 * mib, 0, 4 * mib},
		{"kept", 0, 0, 4 * mib},
		{"taken off", -1, 16 * mib, -1},
		{"none is left", 0, 0, -1},
		{"none is left where there is no room", 0, 200 * mib, -1},
		{"given to what has none", 0, 16 * mib, 16 * mib},
	} {
		require.Equal(t, step.then, bounded(t, nc, step.named, step.standard).MaxBytes, step.what)
	}
}

// A default that the broker cannot reserve stops nobody, and no other setting.
func TestDefaultLimitWithoutRoom(t *testing.T) {
	t.Parallel()
	nc := roomFor(t, 100*mib)
	require.EqualValues(t, -1, bounded(t, nc, 0, 200*mib).MaxBytes)
	has := bounded(t, nc, 0, 200*mib, func(c *eventstore.StreamConfig) { c.DuplicateWindow = time.Hour })
	require.EqualValues(t, -1, has.MaxBytes)
	require.Equal(t, time.Hour, has.Duplicates)
}

func TestNamedLimitWithoutRoom(t *testing.T) {
	t.Parallel()
	nc := roomFor(t, 100*mib)
	open := func(maxBytes int64) error {
		_, err := eventstore.OpenStream(natstest.Context(t), nc, eventstore.StreamConfig{
			Name: "LIMITS", MaxBytes: maxBytes, DefaultMaxBytes: mib, Registry: toyRegistry(),
		})
		return err
	}
	for _, what := range []string{"new", "there"} {
		err := open(200 * mib)
		require.ErrorIs(t, err, eventstore.ErrMisconfigured, what)
		require.ErrorContains(t, err, "cannot reserve the byte limit of 209715200")
		require.ErrorContains(t, err, "lower the limit, or give the broker more storage")
		require.NoError(t, open(mib))
	}
}

// A stream that nobody limited does not fill up because a new release limits it.
func TestDefaultLimitLeavesRoomToGrow(t *testing.T) {
	t.Parallel()
	nc := roomFor(t, 100*mib)
	s := natstest.Stream(t, nc, eventstore.StreamConfig{Name: "LIMITS", Registry: toyRegistry()})
	id := newID(t)
	_, err := appendOne(natstest.Context(t), s, id, 0, events(t, id, 1, 10)...)
	require.NoError(t, err)
	state, err := s.State(natstest.Context(t))
	require.NoError(t, err)
	twice := 2 * int64(state.Bytes)
	require.EqualValues(t, -1, bounded(t, nc, 0, twice-1).MaxBytes)
	require.Equal(t, twice, bounded(t, nc, 0, twice).MaxBytes)
}

// The disk has become smaller than what was reserved on it.
func TestLimitsOnASmallerDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func(room int64) *eventstore.Server {
		return natstest.Server(t, func(c *eventstore.ServerConfig) { c.Dir, c.MaxStore = dir, room })
	}
	server := start(100 * mib)
	require.EqualValues(t, 100*mib, server.MaxStore())
	nc := natstest.Conn(t, server)
	named := func(c *eventstore.StreamConfig) { c.Name = "UNLIMITED" }
	bounded(t, nc, 0, 50*mib)
	bounded(t, nc, 0, 0, named)
	server.Close()

	nc = natstest.Conn(t, start(10*mib))
	require.EqualValues(t, 50*mib, bounded(t, nc, 0, mib).MaxBytes)
	require.EqualValues(t, -1, bounded(t, nc, 0, mib, named).MaxBytes)
}

func TestDefaultLimitInACluster(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts three servers")
	}
	nc, err := eventstore.Connect(natstest.Context(t), startCluster(t)[0])
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	for _, step := range []struct {
		name           string
		standard, then int64
	}{
		{"WITHOUT_ROOM", math.MaxInt64 / 8, -1},
		{"WITHOUT_ROOM", mib, -1}, // a server without room would lose its replica
		{"WITH_ROOM", mib, mib},
		{"WITH_ROOM", 2 * mib, mib},
	} {
		has := bounded(t, nc, 0, step.standard, func(c *eventstore.StreamConfig) { c.Name, c.Replicas = step.name, 3 })
		require.Equal(t, step.then, has.MaxBytes, "%s by default %d", step.name, step.standard)
	}
	_, err = eventstore.OpenStream(natstest.Context(t), nc, eventstore.StreamConfig{Name: "TOO_LARGE", Replicas: 3, MaxBytes: math.MaxInt64 / 8, Registry: toyRegistry()})
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	require.ErrorContains(t, err, "lower the limit")
}
