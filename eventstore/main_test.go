package eventstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { natstest.VerifyTestMain(m) }

// The toy domain: a counter that was opened and goes up.

type opened struct {
	Name string `json:"name"`
}

func (opened) EventType() string { return "counter.opened.v2" }

type raised struct {
	By int `json:"by"`
}

func (raised) EventType() string { return "counter.raised.v1" }

func toyRegistry() *eventstore.Registry {
	r := eventstore.NewRegistry()
	r.Register(opened{}, raised{})
	r.Upcast("counter.opened.v1", "counter.opened.v2", renameTitle)
	return r
}

// setup opens a stream of the test's own on a server of its own.
func setup(t testing.TB, change ...func(*eventstore.StreamConfig)) *eventstore.Stream {
	t.Helper()
	cfg := eventstore.StreamConfig{Registry: toyRegistry(), Partitions: 4}
	for _, c := range change {
		c(&cfg)
	}
	return natstest.Stream(t, natstest.Conn(t, natstest.Server(t)), cfg)
}

func newID(t testing.TB) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	require.NoError(t, err)
	return id
}

// event is the toy's n-th: opened first, then raised by n.
func event(t testing.TB, id uuid.UUID, n uint64) eventstore.Event {
	t.Helper()
	e := eventstore.Event{ID: newID(t), Aggregate: id, Version: n, Time: time.Now(), Payload: raised{By: int(n)}}
	if n == 1 {
		e.Payload = opened{Name: "toy"}
	}
	return e
}

// events are versions from to to.
func events(t testing.TB, id uuid.UUID, from, to uint64) []eventstore.Event {
	t.Helper()
	var es []eventstore.Event
	for n := from; n <= to; n++ {
		es = append(es, event(t, id, n))
	}
	return es
}

// appendOne appends versions from to to of one aggregate behind a sequence.
func appendOne(ctx context.Context, s *eventstore.Stream, id uuid.UUID, expected uint64, es ...eventstore.Event) (uint64, error) {
	sequences, err := s.Append(ctx, eventstore.Append{Aggregate: id, ExpectedSequence: expected, Events: es})
	if err != nil {
		return 0, err
	}
	return sequences[0], nil
}
