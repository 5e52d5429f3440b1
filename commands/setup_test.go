package commands_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { natstest.VerifyTestMain(m) }

// A toy domain: a jar that coins are put into, up to a lid that can be closed.
type (
	jar struct {
		Coins  []int `json:"coins"`
		Closed bool  `json:"closed"`
	}
	put    struct{ Coins []int } // one event for each coin; none when there are none
	shut   struct{}
	reopen struct{} // nothing to do when it is open
)

type coinPut struct {
	Coin int `json:"coin"`
}
type jarClosed struct{}
type jarOpened struct{}

func (coinPut) EventType() string   { return "jar.coin_put.v1" }
func (jarClosed) EventType() string { return "jar.closed.v1" }
func (jarOpened) EventType() string { return "jar.opened.v1" }

var errClosed = errors.New("the jar is closed")

func decide(s jar, command any) ([]eventstore.Payload, error) {
	switch c := command.(type) {
	case put:
		if s.Closed {
			return nil, errClosed
		}
		var events []eventstore.Payload
		for _, coin := range c.Coins {
			events = append(events, coinPut{Coin: coin})
		}
		return events, nil
	case shut:
		return []eventstore.Payload{jarClosed{}}, nil
	case reopen:
		if !s.Closed {
			return nil, nil
		}
		return []eventstore.Payload{jarOpened{}}, nil
	}
	return nil, errors.New("no such command")
}

func evolve(s jar, p eventstore.Payload) jar {
	switch e := p.(type) {
	case coinPut:
		// A copy: states are never changed in place.
		s.Coins = append(s.Coins[:len(s.Coins):len(s.Coins)], e.Coin)
	case jarClosed:
		s.Closed = true
	case jarOpened:
		s.Closed = false
	}
	return s
}

func decider() commands.Decider[jar, any] {
	return commands.Decider[jar, any]{Initial: func() jar { return jar{} }, Decide: decide, Evolve: evolve}
}

func registry(t testing.TB) *eventstore.Registry {
	t.Helper()
	r := eventstore.NewRegistry()
	r.Register(coinPut{}, jarClosed{}, jarOpened{})
	require.NoError(t, r.Validate())
	return r
}

// setup opens a stream on a server of the test's own.
func setup(t testing.TB) (context.Context, *nats.Conn, *eventstore.Stream) {
	t.Helper()
	nc := natstest.Conn(t, natstest.Server(t))
	return natstest.Context(t), nc, natstest.Stream(t, nc, eventstore.StreamConfig{Name: "JARS", Registry: registry(t)})
}

type handler = commands.Handler[jar, any]

// newHandler is one process: what it caches, others do not see.
func newHandler(t testing.TB, s *eventstore.Stream, change ...func(*commands.Config, *commands.Decider[jar, any])) *handler {
	t.Helper()
	cfg, d := commands.Config{}, decider()
	for _, c := range change {
		c(&cfg, &d)
	}
	return openHandler(t, s, nil, d, cfg)
}

func openHandler(t testing.TB, s *eventstore.Stream, snapshots *eventstore.Snapshots, d commands.Decider[jar, any], cfg commands.Config) *handler {
	t.Helper()
	h, err := commands.New(s, snapshots, d, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	return h
}

// cmd is a command with an id of its own.
func cmd(aggregate uuid.UUID, body any) commands.Command[any] {
	return commands.Command[any]{ID: uuid.New(), Hash: "hash", Aggregate: aggregate, Actor: "someone", Body: body}
}

func ifVersion(c commands.Command[any], v uint64) commands.Command[any] {
	c.IfVersion = &v
	return c
}

// logOf is all that the stream holds of an aggregate.
func logOf(t testing.TB, s *eventstore.Stream, id uuid.UUID) []eventstore.Event {
	t.Helper()
	h, err := s.Load(natstest.Context(t), id, 0, 0)
	require.NoError(t, err)
	require.Zero(t, h.Missing)
	return h.Events
}

// publish appends one event past every handler, as another program would.
func publish(t testing.TB, s *eventstore.Stream, id uuid.UUID, version uint64, p eventstore.Payload) {
	t.Helper()
	publishAt(t, s, id, version, p, time.Now().UTC())
}

func publishAt(t testing.TB, s *eventstore.Stream, id uuid.UUID, version uint64, p eventstore.Payload, at time.Time) {
	t.Helper()
	ctx := natstest.Context(t)
	last, err := s.LastSequence(ctx, id)
	require.NoError(t, err)
	event := eventstore.Event{ID: uuid.Must(uuid.NewV7()), Aggregate: id, Version: version, Time: at, Payload: p}
	_, err = s.Append(ctx, eventstore.Append{Aggregate: id, ExpectedSequence: last, Events: []eventstore.Event{event}})
	require.NoError(t, err)
}

// timeless checks that a result has its times and takes them out, to compare the rest.
func timeless(t testing.TB, r commands.Result[jar]) commands.Result[jar] {
	t.Helper()
	require.False(t, r.Created.IsZero())
	require.False(t, r.Updated.Before(r.Created))
	r.Created, r.Updated = time.Time{}, time.Time{}
	return r
}
