package projections_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

func rebuilt(t *testing.T, p *copyOf, generation int) {
	t.Helper()
	eventually(t, 2*time.Minute, "the generation is live", func() bool { return status(t, p).Generation == generation })
	idle(t, 2*time.Minute, p.Projector)
}

func TestRebuildSwitchesToAnEqualGeneration(t *testing.T) {
	w, r := newWorld(t, 8, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 300, 10)
	r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	w.publish(t, facts...)
	idle(t, 2*time.Minute, p.Projector)
	before := dump(t, p.Projector, w.store)

	generation, err := p.Rebuild(natstest.Context(t), "boxes")
	require.NoError(t, err)
	require.Equal(t, 2, generation)
	_, err = p.Rebuild(natstest.Context(t), "boxes")
	require.ErrorIs(t, err, projections.ErrRebuildRunning)
	rebuilt(t, p, 2)
	require.Equal(t, before, dump(t, p.Projector, w.store))
	require.Equal(t, model(facts), before)

	more := lives(r, 10, 3)
	w.publish(t, more...)
	idle(t, 2*time.Minute, p.Projector)
	require.Equal(t, model(append(facts, more...)), dump(t, p.Projector, w.store))
}

func TestRebuildOfNothing(t *testing.T) {
	w := newWorld(t, 1, nil)
	p := w.startLive(t, projections.Config{})
	_, err := p.Rebuild(natstest.Context(t), "boxes")
	require.NoError(t, err)
	rebuilt(t, p, 2)
	_, err = p.Rebuild(natstest.Context(t), "crates")
	require.ErrorIs(t, err, projections.ErrUnknownProjection)
}

// The generation before the last switch is dropped by the next rebuild.
func TestRebuildDropsWhatAnEarlierOneLeft(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	w.publish(t, lives(r, 5, 2)...)
	for generation := 2; generation <= 3; generation++ {
		_, err := p.Rebuild(natstest.Context(t), "boxes")
		require.NoError(t, err)
		rebuilt(t, p, generation)
	}
	eventually(t, 2*time.Minute, "generation 1 is gone", func() bool {
		err := w.store.Scan(natstest.Context(t), boxesHome(1), func(readstore.Row) error { return nil })
		return err != nil
	})
	rows := 0
	require.NoError(t, w.store.Scan(natstest.Context(t), boxesHome(2), func(readstore.Row) error { rows++; return nil }))
	require.Equal(t, 5, rows, "the generation before is still there")
}

func TestKilledRebuildGoesOn(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 2000, 10)
	w.publish(t, facts...)
	idle(t, 2*time.Minute, p.Projector)
	_, err := p.Rebuild(natstest.Context(t), "boxes")
	require.NoError(t, err)
	for range 3 {
		p.stop()
		p = w.start(t, projections.Config{})
	}
	rebuilt(t, p, 2)
	require.Equal(t, model(facts), dump(t, p.Projector, w.store))
}

// TestStoppedRebuildDoesNotBeginAgain: what lies below the checkpoint that it kept is not
// folded a second time.
func TestStoppedRebuildDoesNotBeginAgain(t *testing.T) {
	t.Parallel()
	store := &endsAtCheckpoint{Store: newSQLite(t), reached: make(chan struct{})}
	w, r := newWorld(t, 1, store), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 2000, 10)
	w.publish(t, facts...)
	idle(t, 2*time.Minute, p.Projector)
	p.stop()

	var admitted atomic.Int64
	p = w.startLive(t, projections.Config{OnAdmit: func(a projections.Admission) {
		// A checkpoint is kept every 3 seconds.
		if a.Generation == 2 && admitted.Add(1) == 1000 {
			<-time.After(3 * time.Second)
		}
	}})
	store.generation.Store("boxes_g2")
	_, err := p.Rebuild(natstest.Context(t), "boxes")
	require.NoError(t, err)
	<-store.reached
	p.stop()
	store.generation.Store("")
	written := store.sequence.Load()
	require.Less(t, written, int64(len(facts)), "it was stopped half-way")

	admitted.Store(0)
	p = w.start(t, projections.Config{OnAdmit: func(a projections.Admission) {
		if a.Generation == 2 {
			admitted.Add(1)
		}
	}})
	rebuilt(t, p, 2)
	require.Equal(t, int64(len(facts))-written, admitted.Load())
	require.Equal(t, model(facts), dump(t, p.Projector, w.store))
}

// endsAtCheckpoint takes the first checkpoint of a generation, and nothing after it.
type endsAtCheckpoint struct {
	readstore.Store
	generation atomic.Value // a string; empty: it takes all
	sequence   atomic.Int64
	reached    chan struct{}
	once       sync.Once
}

func (s *endsAtCheckpoint) Write(ctx context.Context, phases ...[]readstore.Mutation) error {
	name, _ := s.generation.Load().(string)
	if name == "" {
		return s.Store.Write(ctx, phases...)
	}
	if s.sequence.Load() != 0 {
		return fmt.Errorf("the test says so: %w", readstore.ErrUnavailable)
	}
	err := s.Store.Write(ctx, phases...)
	for _, m := range slices.Concat(phases...) {
		if m.Table.Name == "checkpoints" && m.Row[0] == name && err == nil {
			s.sequence.Store(m.Timestamp)
			s.once.Do(func() { close(s.reached) })
		}
	}
	return err
}

func TestRaisedRevisionBuildsAndSwitchesByItself(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 50, 3)
	w.publish(t, facts...)
	idle(t, 2*time.Minute, p.Projector)
	p.stop()

	w.def = boxes(t, "BOXES", func(d *projections.Definition[box]) {
		d.Revision = 2
		d.Fold = func(b *box, e eventstore.Event) error {
			err := foldBox(b, e)
			b.moves = -b.moves
			return err
		}
	})
	p = w.start(t, projections.Config{})
	reader, err := p.Reader("boxes")
	require.NoError(t, err)
	view, err := reader.View(natstest.Context(t))
	require.NoError(t, err, "the generation of revision 1 is read meanwhile")
	require.NotNil(t, view.Table("boxes"))
	rebuilt(t, p, 2)
	eventually(t, 2*time.Minute, "readers follow", func() bool {
		view, err := reader.View(natstest.Context(t))
		return err == nil && view.Revision() == 2
	})
}

// A revision that cannot apply what the old one could is not switched to.
func TestRevisionThatParksMoreIsNotSwitchedTo(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 5, 3)
	w.publish(t, facts...)
	idle(t, 2*time.Minute, p.Projector)
	p.stop()

	w.def = boxes(t, "BOXES", func(d *projections.Definition[box]) {
		d.Revision = 2
		d.Fold = func(b *box, e eventstore.Event) error {
			if e.Aggregate == facts[0].id {
				panic("new code is wrong")
			}
			return foldBox(b, e)
		}
	})
	p = w.start(t, projections.Config{})
	eventually(t, 2*time.Minute, "it says why it is not switched to", func() bool {
		b := status(t, p).Building
		return b != nil && b.Blocked
	})
	require.Contains(t, status(t, p).Building.LastError, "new code is wrong")
	reader, err := p.Reader("boxes")
	require.NoError(t, err)
	view, err := reader.View(natstest.Context(t))
	require.NoError(t, err)
	require.Equal(t, 1, view.Revision())
}

// Readers that name a version never see an older row, whatever is switched.
func TestNoStaleReadDuringARebuild(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	w.publish(t, lives(r, 3000, 5)...)
	reader, err := p.Reader("boxes")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(natstest.Context(t))
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			fact := life(r, someID(r), 1)[0]
			w.publish(t, fact)
			view, err := reader.View(natstest.Context(t))
			if err == nil {
				err = view.Wait(natstest.Context(t), fact.id, 1)
			}
			if err != nil {
				t.Error(err)
				return
			}
			rows, err := w.store.Get(natstest.Context(t), view.Table("boxes"), readstore.Key{fact.id.String()})
			if err != nil || rows[0] == nil {
				t.Error("a row that was waited for is not there", err)
				return
			}
		}
	})
	for generation := 2; generation <= 3; generation++ {
		_, err := p.Rebuild(natstest.Context(t), "boxes")
		require.NoError(t, err)
		eventually(t, 2*time.Minute, "the generation is live", func() bool { return status(t, p).Generation == generation })
	}
	cancel()
	wg.Wait()
}
