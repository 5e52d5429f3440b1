package eventstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestAppendAndLoad(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	first, err := appendOne(ctx, s, id, 0, event(t, id, 1))
	require.NoError(t, err)
	last, err := appendOne(ctx, s, id, first, events(t, id, 2, 4)...)
	require.NoError(t, err)
	require.Equal(t, first+3, last)

	h, err := s.Load(ctx, id, 0, 0)
	require.NoError(t, err)
	require.Len(t, h.Events, 4)
	require.Equal(t, last, h.LastSequence)
	require.Equal(t, opened{Name: "toy"}, h.Events[0].Payload)
	require.Equal(t, raised{By: 4}, h.Events[3].Payload)

	leader, err := s.LastSequence(ctx, id)
	require.NoError(t, err)
	require.Equal(t, last, leader)
	none, err := s.LastSequence(ctx, newID(t))
	require.NoError(t, err)
	require.Zero(t, none)
}

func TestEnvelopeSurvivesTheWire(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	e := event(t, id, 1)
	e.Time = time.Date(2031, 2, 3, 4, 5, 6, 7000, time.FixedZone("", 3600))
	e.CorrelationID, e.CausationID, e.CommandID, e.CommandHash = "req", "cause", "cmd", "abc"
	e.Actor, e.TraceParent = "process/bot", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	sequence, err := appendOne(ctx, s, id, 0, e)
	require.NoError(t, err)

	var raw eventstore.Message
	require.NoError(t, s.Read(ctx, id, 0, func(m eventstore.Message) error { raw = m; return nil }))
	require.Equal(t, s.Subject(id), raw.Subject)
	require.JSONEq(t, `{"name": "toy"}`, string(raw.Data))
	for header, want := range map[string]string{
		"Nats-Msg-Id": e.ID.String(), "ce-id": e.ID.String(), "ce-specversion": "1.0", "ce-type": "counter.opened.v2",
		"ce-subject": id.String(), "ce-time": "2031-02-03T03:05:06.000007Z", "ce-version": "1", "ce-correlationid": "req",
		"ce-causationid": "cause", "ce-commandid": "cmd", "ce-commandhash": "abc", "ce-actor": "process/bot",
		"traceparent": e.TraceParent,
	} {
		require.Equal(t, []string{want}, raw.Header[header], header)
	}
	require.Regexp(t, `^/test\d+$`, raw.Header["ce-source"][0])

	back, err := s.Decode(raw)
	require.NoError(t, err)
	e.Time, e.Type, e.Sequence, e.Stored = e.Time.UTC(), "counter.opened.v2", sequence, raw.Stored
	require.Equal(t, e, back)
}

func TestConflictNamesBothSequences(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	first, err := appendOne(ctx, s, id, 0, event(t, id, 1))
	require.NoError(t, err)
	for name, es := range map[string][]eventstore.Event{"one": events(t, id, 1, 1), "batch": events(t, id, 1, 3)} {
		_, err = appendOne(ctx, s, id, 0, es...)
		var conflict *eventstore.ConflictError
		require.ErrorAs(t, err, &conflict, name)
		require.ErrorIs(t, err, eventstore.ErrConflict)
		require.Equal(t, eventstore.ConflictError{Aggregate: id, Expected: 0, Actual: first}, *conflict)
	}
	_, err = appendOne(ctx, s, id, first+7, event(t, id, 2))
	require.ErrorIs(t, err, eventstore.ErrConflict, "an expectation beyond the log")
}

func TestAppendIsIdempotent(t *testing.T) {
	for name, window := range map[string]time.Duration{"within the duplicate window": time.Minute, "after it": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			ctx := natstest.Context(t)
			s := setup(t, func(c *eventstore.StreamConfig) { c.DuplicateWindow = window })
			id, other := newID(t), newID(t)
			one, batch := event(t, id, 1), events(t, id, 2, 4)
			first, err := appendOne(ctx, s, id, 0, one)
			require.NoError(t, err)
			last, err := appendOne(ctx, s, id, first, batch...)
			require.NoError(t, err)
			if window < time.Second {
				time.Sleep(2 * window) // the server offers no sign of the window's end
			}
			_, err = appendOne(ctx, s, id, last, event(t, id, 5))
			require.NoError(t, err)

			again, err := appendOne(ctx, s, id, 0, one)
			require.NoError(t, err)
			require.Equal(t, first, again)
			again, err = appendOne(ctx, s, id, first, batch...)
			require.NoError(t, err)
			require.Equal(t, last, again)
			_, err = appendOne(ctx, s, other, 0, event(t, other, 1))
			require.NoError(t, err)
			requireVersions(t, s, id, 5)
		})
	}
}

// requireVersions says that an aggregate has versions 1..n, each stored once.
func requireVersions(t *testing.T, s *eventstore.Stream, id uuid.UUID, n int) {
	t.Helper()
	var got, want []uint64
	require.NoError(t, s.Read(natstest.Context(t), id, 1, func(m eventstore.Message) error {
		p, err := s.Position(m)
		got = append(got, p.Version)
		return err
	}))
	for v := range n {
		want = append(want, uint64(v+1))
	}
	require.Equal(t, want, got)
}

func TestBatchOfSeveralAggregates(t *testing.T) {
	ctx, s := natstest.Context(t), setup(t)
	a, b, c := newID(t), newID(t), newID(t)
	sequences, err := s.Append(ctx,
		eventstore.Append{Aggregate: a, Events: events(t, a, 1, 2)},
		eventstore.Append{Aggregate: b, Events: events(t, b, 1, 1)},
		eventstore.Append{Aggregate: c, Events: events(t, c, 1, 3)})
	require.NoError(t, err)
	require.Len(t, sequences, 3)
	for i, id := range []uuid.UUID{a, b, c} {
		last, err := s.LastSequence(ctx, id)
		require.NoError(t, err)
		require.Equal(t, last, sequences[i])
	}
}

func TestBatchIsAllOrNothing(t *testing.T) {
	ctx, s := natstest.Context(t), setup(t)
	a, b := newID(t), newID(t)
	at, err := appendOne(ctx, s, b, 0, event(t, b, 1))
	require.NoError(t, err)
	_, err = s.Append(ctx,
		eventstore.Append{Aggregate: a, Events: events(t, a, 1, 2)},
		eventstore.Append{Aggregate: b, Events: events(t, b, 1, 1)})
	var conflict *eventstore.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, eventstore.ConflictError{Aggregate: b, Expected: 0, Actual: at}, *conflict)
	requireVersions(t, s, a, 0)
	requireVersions(t, s, b, 1)
}

func TestLargestBatch(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	_, err := appendOne(ctx, s, id, 0, events(t, id, 1, eventstore.MaxBatch+1)...)
	require.ErrorIs(t, err, eventstore.ErrMalformed)
	last, err := appendOne(ctx, s, id, 0, events(t, id, 1, eventstore.MaxBatch)...)
	require.NoError(t, err)
	require.EqualValues(t, eventstore.MaxBatch, last)
}

func TestMoreBatchesThanTheServerAllowsAtOnce(t *testing.T) {
	server := natstest.Server(t)
	ctx, name := natstest.Context(t), "MANY"
	var wg sync.WaitGroup
	for range 8 { // copies of the program, each with its own bound
		s := natstest.Stream(t, natstest.Conn(t, server), eventstore.StreamConfig{Name: name, Registry: toyRegistry()})
		for range 16 {
			wg.Go(func() {
				id := uuid.New()
				_, err := appendOne(ctx, s, id, 0, events(t, id, 1, 5)...)
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
}

func TestAppendRefusesMalformedEvents(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	for name, spoil := range map[string]func(*eventstore.Append){
		"no events": func(a *eventstore.Append) { a.Events = nil },
		"no aggregate": func(a *eventstore.Append) {
			a.Aggregate, a.Events[0].Aggregate, a.Events[1].Aggregate = uuid.Nil, uuid.Nil, uuid.Nil
		},
		"no id":             func(a *eventstore.Append) { a.Events[0].ID = uuid.Nil },
		"no time":           func(a *eventstore.Append) { a.Events[1].Time = time.Time{} },
		"other aggregate":   func(a *eventstore.Append) { a.Events[1].Aggregate = uuid.New() },
		"hole":              func(a *eventstore.Append) { a.Events[1].Version = 3 },
		"late first":        func(a *eventstore.Append) { a.Events = events(t, id, 2, 3) },
		"line break":        func(a *eventstore.Append) { a.Events[0].Actor = "x\r\nce-version: 9" },
		"unregistered type": func(a *eventstore.Append) { a.Events[0].Payload = late{} },
	} {
		a := eventstore.Append{Aggregate: id, Events: events(t, id, 1, 2)}
		spoil(&a)
		_, err := s.Append(ctx, a)
		require.Error(t, err, name)
		if name != "unregistered type" {
			require.ErrorIs(t, err, eventstore.ErrMalformed, name)
		}
	}
	twice := eventstore.Append{Aggregate: id, Events: events(t, id, 1, 1)}
	_, err := s.Append(ctx, twice, twice)
	require.ErrorIs(t, err, eventstore.ErrMalformed)
	requireVersions(t, s, id, 0)
}

func TestFullStream(t *testing.T) {
	for name, group := range map[string]bool{"plain": false, "group commit": true} {
		t.Run(name, func(t *testing.T) {
			ctx, id := natstest.Context(t), newID(t)
			s := setup(t, func(c *eventstore.StreamConfig) { c.MaxBytes, c.GroupCommit = 64<<10, group })
			var last uint64
			var err error
			n := uint64(0)
			for ; err == nil; n++ {
				last, err = appendOne(ctx, s, id, last, event(t, id, n+1))
			}
			require.ErrorIs(t, err, eventstore.ErrStreamFull)
			requireVersions(t, s, id, int(n-1))
			other := newID(t)
			_, err = appendOne(ctx, s, other, 0, events(t, other, 1, 9)...)
			require.ErrorIs(t, err, eventstore.ErrStreamFull)
			requireVersions(t, s, other, 0)
		})
	}
}

func TestAppendIsObserved(t *testing.T) {
	var seen []eventstore.AppendObservation
	s := setup(t, func(c *eventstore.StreamConfig) {
		c.Observe = func(o eventstore.AppendObservation) { seen = append(seen, o) }
	})
	ctx, id := natstest.Context(t), newID(t)
	_, err := appendOne(ctx, s, id, 0, events(t, id, 1, 3)...)
	require.NoError(t, err)
	_, err = appendOne(ctx, s, id, 0, event(t, id, 1))
	require.Error(t, err)
	require.Len(t, seen, 2)
	require.Equal(t, 3, seen[0].Events)
	require.NoError(t, seen[0].Err)
	require.Positive(t, seen[0].Duration)
	require.ErrorIs(t, seen[1].Err, eventstore.ErrConflict)
	require.Equal(t, s.Name(), seen[1].Stream)
}

func TestUnavailableBroker(t *testing.T) {
	server := natstest.Server(t)
	s := natstest.Stream(t, natstest.Conn(t, server), eventstore.StreamConfig{Registry: toyRegistry()})
	id := newID(t)
	server.Close()
	require.Eventually(t, func() bool { return !s.Conn().IsConnected() }, 30*time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := appendOne(ctx, s, id, 0, event(t, id, 1))
	require.ErrorIs(t, err, eventstore.ErrUnavailable)
	require.NotErrorIs(t, err, eventstore.ErrUnknownOutcome)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = s.Load(ctx, id, 0, 0)
	require.ErrorIs(t, err, eventstore.ErrUnavailable)
	_, err = s.LastSequence(ctx, id)
	require.ErrorIs(t, err, eventstore.ErrUnavailable)
}

func TestAppendAfterTheCallersTime(t *testing.T) {
	s, id := setup(t), newID(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := appendOne(ctx, s, id, 0, event(t, id, 1))
	require.ErrorIs(t, err, eventstore.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	requireVersions(t, s, id, 0)
}
