package timers_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes/timers"
	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// More timers than there are slots cannot be handled, ever: they hold up no other one.
func TestTimersThatAlwaysFailHoldUpNoOther(t *testing.T) {
	t.Parallel()
	const slots = 64
	set, _ := setup(t)
	var mu sync.Mutex
	bad := map[uuid.UUID]bool{} // and whether it was tried
	tried := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, was := range bad {
			if was {
				n++
			}
		}
		return n
	}
	for range slots + 1 {
		bad[schedule(t, set, 0).ID] = false
	}
	rings, _ := listen(t, set, func(_ context.Context, f timers.Fired) error {
		mu.Lock()
		defer mu.Unlock()
		if _, is := bad[f.ID]; !is {
			return nil
		}
		bad[f.ID] = true
		return errors.New("it never works")
	})
	require.Eventually(t, func() bool { return tried() >= slots }, 30*time.Second, 5*time.Millisecond)
	good := schedule(t, set, 0)
	require.Equal(t, good.ID, next(t, rings).ID)
	_, due := count(t, set)
	require.GreaterOrEqual(t, due, slots+1, "what failed stays")
}

// crowded is a server with little room for its account's streams.
func crowded(t *testing.T) *nats.Conn {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	require.NoError(t, err)
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	require.True(t, ns.ReadyForConnections(30*time.Second))
	const unlimited = -1
	require.NoError(t, ns.GlobalAccount().UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {
		MaxMemory: unlimited, MaxStore: 64 << 10, MaxStreams: unlimited, MaxConsumers: unlimited, MaxAckPending: unlimited,
		MemoryMaxStreamBytes: unlimited, StoreMaxStreamBytes: unlimited,
	}}))
	nc, err := nats.Connect(ns.ClientURL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// A broker without room refuses a timer with the code of a bad request. It is none:
// room comes back.
func TestABrokerWithoutRoomIsUnavailable(t *testing.T) {
	t.Parallel()
	set := open(t, crowded(t))
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = set.Schedule(natstest.Context(t), timers.Timer{Kind: kind, ID: uuid.New(), At: time.Now().Add(time.Hour), Payload: make([]byte, 4<<10)})
	}
	var refused *jetstream.APIError
	require.ErrorAs(t, err, &refused)
	require.EqualValues(t, 10002, refused.ErrorCode)
	require.ErrorIs(t, err, eventstore.ErrUnavailable)
}
