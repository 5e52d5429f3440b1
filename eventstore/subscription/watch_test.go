package subscription_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// watch follows a stream until the test ends.
func watch(t *testing.T, stream *eventstore.Stream) *subscription.Watch {
	w := subscription.NewWatch(stream, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	signalled(t, w.Started())
	return w
}

func signalled(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-natstest.Context(t).Done():
		require.Fail(t, "no signal")
	}
}

// note appends the next version of an aggregate.
func note(t *testing.T, stream *eventstore.Stream, id uuid.UUID, version, after uint64) uint64 {
	t.Helper()
	sequences, err := stream.Append(natstest.Context(t), eventstore.Append{
		Aggregate: id, ExpectedSequence: after,
		Events: []eventstore.Event{{ID: uuid.New(), Aggregate: id, Version: version, Time: time.Now(), Payload: noted{}}},
	})
	require.NoError(t, err)
	return sequences[0]
}

func TestWatchSignalsTheVersionThatIsWaitedFor(t *testing.T) {
	stream := setup(t, 8)
	id, other := uuid.New(), uuid.New()
	first := note(t, stream, id, 1, 0)
	w := watch(t, stream)
	second, forget := w.Wait(id, 2)
	defer forget()
	theirs, forgetTheirs := w.Wait(other, 1)
	note(t, stream, id, 2, first)
	signalled(t, second)
	select {
	case <-theirs:
		require.Fail(t, "nothing happened to the other one")
	default:
	}
	forgetTheirs()
	note(t, stream, other, 1, 0)
	third, forget := w.Wait(other, 2)
	forget()
	select {
	case <-third:
		require.Fail(t, "that one was forgotten")
	default:
	}
}

func TestWatchOutlivesTheServer(t *testing.T) {
	dir := t.TempDir()
	start := func() *eventstore.Server {
		s, err := eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{Dir: dir})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		return s
	}
	server := start()
	nc, err := eventstore.Connect(natstest.Context(t), server.URL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	w := watch(t, open(t, nc, 1))
	server.Close()
	server = start()
	id := uuid.New()
	reached, forget := w.Wait(id, 1)
	defer forget()
	note(t, open(t, natstest.Conn(t, server), 1), id, 1, 0)
	signalled(t, reached)
}
