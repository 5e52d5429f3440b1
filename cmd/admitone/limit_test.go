package main

import (
	"testing"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// byteLimits is the limit of each event stream at a broker.
func byteLimits(t testing.TB, url string) (limits []int64) {
	t.Helper()
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	for _, name := range streamNames() {
		s, err := js.Stream(natstest.Context(t), name)
		require.NoError(t, err)
		limits = append(limits, s.CachedInfo().Config.MaxBytes)
	}
	return limits
}

func TestStreamsHaveALimit(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	first := byteLimits(t, s.NATS())
	for _, limit := range first {
		require.Positive(t, limit)
		require.LessOrEqual(t, limit, int64(8<<30))
	}
	require.NotContains(t, s.Log(), "no byte limit")
	require.Contains(t, examined(t, "--data", data)["stream TICKETS"].Detail, " of ", "of so many bytes")
	require.Zero(t, s.Stop(), s.Log())

	for _, step := range []struct {
		args []string
		then []int64
	}{
		{nil, first},
		{[]string{"--stream-bytes", "20000000"}, []int64{20000000, 20000000, 20000000}},
		{nil, []int64{20000000, 20000000, 20000000}},
		{[]string{"--stream-bytes", "-1"}, []int64{-1, -1, -1}},
	} {
		s = program.Serve(t, data, step.args...)
		require.Equal(t, step.then, byteLimits(t, s.NATS()), "%v", step.args)
		require.NotContains(t, s.Log(), "no byte limit", "whoever wants none is not warned")
		require.Zero(t, s.Stop(), s.Log())
	}
	requireRefused(t, data, []string{"--stream-bytes", "9000000000000000000"}, "TICKETS", "byte limit", "lower the limit, or give the broker more storage")
}

// A broker without room for the limits serves without, and says so.
func TestStreamsWithoutRoomForALimit(t *testing.T) {
	t.Parallel()
	broker := natstest.Server(t, func(c *eventstore.ServerConfig) { c.MaxStore = 20 << 30 })
	data := dataDir(t)
	s := program.Serve(t, data, "--nats", broker.URL())
	require.Equal(t, []int64{8 << 30, 8 << 30, -1}, byteLimits(t, broker.URL()))
	require.Regexp(t, `level=WARN msg="event stream has no byte limit.*--stream-bytes.*" stream=CONVERSATIONS default="8.0 GiB"`, s.Log())
	list(t, seller(t, data), 1)
}

func TestStreamBytesByDefault(t *testing.T) {
	t.Parallel()
	embedded := func(room int64) *broker {
		return &broker{server: natstest.Server(t, func(c *eventstore.ServerConfig) { c.MaxStore = room })}
	}
	require.EqualValues(t, 8<<30, (&broker{}).streamBytes())
	require.EqualValues(t, 8<<30, embedded(100<<30).streamBytes())
	require.EqualValues(t, 1<<30, embedded(8<<30).streamBytes())
}
