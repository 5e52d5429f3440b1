package eventstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// sizes are a single publish and an atomic batch.
var sizes = map[string]uint64{"publish": 1, "batch": 5}

func TestAnswerIsLost(t *testing.T) {
	for name, n := range sizes {
		t.Run(name, func(t *testing.T) {
			p, s, _ := behindProxy(t)
			ctx, id := natstest.Context(t), newID(t)
			cut := p.cutAnswer(0, nil)
			last, err := appendOne(ctx, s, id, 0, events(t, id, 1, n)...)
			require.NoError(t, err)
			require.Equal(t, n, last)
			<-cut
			requireVersions(t, s, id, int(n))
		})
	}
}

func TestAnswerIsLostAndOthersGoOn(t *testing.T) {
	for name, n := range sizes {
		t.Run(name, func(t *testing.T) {
			p, s, direct := behindProxy(t)
			ctx, id := natstest.Context(t), newID(t)
			next := events(t, id, n+1, n+2)
			cut := p.cutAnswer(0, func() {
				_, err := appendOne(ctx, direct, id, n, next...)
				if err != nil {
					t.Error(err)
				}
			})
			last, err := appendOne(ctx, s, id, 0, events(t, id, 1, n)...)
			require.NoError(t, err, "stored, although not the newest any more")
			require.Equal(t, n, last)
			<-cut
			requireVersions(t, s, id, int(n)+2)
		})
	}
}

func TestRequestIsLost(t *testing.T) {
	for name, n := range sizes {
		t.Run(name, func(t *testing.T) {
			p, s, _ := behindProxy(t)
			ctx, id := natstest.Context(t), newID(t)
			cut := p.cutRequest("HPUB", nil)
			last, err := appendOne(ctx, s, id, 0, events(t, id, 1, n)...)
			require.NoError(t, err)
			require.Equal(t, n, last)
			<-cut
			requireVersions(t, s, id, int(n))
		})
	}
}

func TestRequestIsLostAndAnotherWins(t *testing.T) {
	for name, n := range sizes {
		t.Run(name, func(t *testing.T) {
			p, s, direct := behindProxy(t)
			ctx, id := natstest.Context(t), newID(t)
			other := event(t, id, 1)
			cut := p.cutRequest("HPUB", func() {
				_, err := appendOne(ctx, direct, id, 0, other)
				if err != nil {
					t.Error(err)
				}
			})
			_, err := appendOne(ctx, s, id, 0, events(t, id, 1, n)...)
			require.ErrorIs(t, err, eventstore.ErrConflict)
			<-cut
			requireVersions(t, s, id, 1)
		})
	}
}

func TestBatchIsCutInTheMiddle(t *testing.T) {
	p, s, _ := behindProxy(t)
	ctx, a, b := natstest.Context(t), newID(t), newID(t)
	// Messages of this size leave the client one by one.
	big := func(id uuid.UUID) []eventstore.Event {
		es := events(t, id, 1, 3)
		for i := range es {
			es[i].Payload = opened{Name: string(make([]rune, 20_000))}
		}
		return es
	}
	cut := p.cutRequest("Nats-Batch-Sequence: 4", nil)
	_, err := s.Append(ctx, eventstore.Append{Aggregate: a, Events: big(a)}, eventstore.Append{Aggregate: b, Events: big(b)})
	require.NoError(t, err)
	<-cut
	requireVersions(t, s, a, 3)
	requireVersions(t, s, b, 3)
}

func TestUnknownOutcomeIsSaidInTime(t *testing.T) {
	p, s, direct := behindProxy(t)
	id := newID(t)
	e := event(t, id, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	p.cutAnswer(0, func() { <-ctx.Done() })
	_, err := appendOne(ctx, s, id, 0, e)
	require.ErrorIs(t, err, eventstore.ErrUnknownOutcome)
	require.NotErrorIs(t, err, eventstore.ErrUnavailable)

	sequence, err := appendOne(natstest.Context(t), direct, id, 0, e)
	require.NoError(t, err, "sending the same event again is safe")
	require.EqualValues(t, 1, sequence)
	requireVersions(t, direct, id, 1)
}

func TestGroupCommitWithLostAnswersAndRequests(t *testing.T) {
	p, s, direct := behindProxy(t, func(c *eventstore.StreamConfig) { c.GroupCommit = true })
	ctx := natstest.Context(t)
	const writers, each = 64, 20
	ids := make([]uuid.UUID, writers)
	stop := make(chan struct{})
	var chaos, wg sync.WaitGroup
	chaos.Go(func() {
		for i := 0; ; i++ {
			var cut <-chan struct{}
			switch i % 3 {
			case 0:
				cut = p.cutAnswer(3, nil)
			case 1:
				cut = p.cutRequest("Nats-Batch-Commit", nil)
			default:
				cut = p.cutRequest("Nats-Batch-Sequence: 9\r\n", nil)
			}
			select {
			case <-cut:
			case <-stop:
				return
			}
		}
	})
	for i := range writers {
		ids[i] = uuid.New()
		wg.Go(func() {
			last := uint64(0)
			for n := range each {
				var err error
				if last, err = appendOne(ctx, s, ids[i], last, event(t, ids[i], uint64(n+1))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	chaos.Wait()
	for _, id := range ids {
		requireVersions(t, direct, id, each)
	}
}

// TestNobodyIsToldWrong cuts the connection for good while groups are under way:
// who is told that nothing was stored must be right, and who is told that all is.
func TestNobodyIsToldWrong(t *testing.T) {
	p, s, direct := behindProxy(t, func(c *eventstore.StreamConfig) { c.GroupCommit = true })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	p.add(&rule{text: []byte(`"count":`), skip: 2, then: func() { <-ctx.Done() }})
	const writers = 100
	type told struct {
		id     uuid.UUID
		stored int   // acknowledged
		last   error // of the first that was not
	}
	all := make([]told, writers)
	var wg sync.WaitGroup
	for i := range all {
		all[i].id = uuid.New()
		wg.Go(func() {
			w, last := &all[i], uint64(0)
			for w.last == nil {
				if last, w.last = appendOne(ctx, s, w.id, last, event(t, w.id, uint64(w.stored+1))); w.last == nil {
					w.stored++
				}
			}
		})
	}
	wg.Wait()
	unsure := 0
	for _, w := range all {
		h, err := direct.Load(natstest.Context(t), w.id, 0, 0)
		require.NoError(t, err)
		if errors.Is(w.last, eventstore.ErrUnknownOutcome) {
			unsure++
			require.Contains(t, []int{w.stored, w.stored + 1}, len(h.Events))
			continue
		}
		require.ErrorIs(t, w.last, eventstore.ErrUnavailable)
		require.Len(t, h.Events, w.stored, "told that nothing was stored: %v", w.last)
	}
	require.Positive(t, unsure)
}
