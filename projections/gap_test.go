package projections_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestLateEventIsAdmitted(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 1, 4)
	w.publish(t, facts[0], facts[2], facts[3])
	eventually(t, 2*time.Minute, "gaps are noticed", func() bool { return status(t, p).Counters.Gaps > 0 })
	<-time.After(3 * time.Second) // the event is 3 s late
	require.EqualValues(t, 1, status(t, p).Counters.Admitted)
	w.publish(t, facts[1])
	idle(t, 2*time.Minute, p.Projector)
	require.Equal(t, model(facts), dump(t, p.Projector, w.store))
	require.Zero(t, status(t, p).Parked)
}

// A rebuild meets the same gap, and has the same patience.
func TestLateEventDuringAScanIsAdmitted(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	facts := lives(r, 1, 4)
	w.publish(t, facts[0], facts[2], facts[3])
	p := w.start(t, projections.Config{HealAfter: 20 * time.Second})
	eventually(t, 2*time.Minute, "the first version is written", func() bool {
		rows, err := w.store.Get(natstest.Context(t), boxesHome(1), []any{facts[0].id.String()})
		return err == nil && rows[0] != nil
	})
	w.publish(t, facts[1])
	idle(t, 2*time.Minute, p.Projector)
	require.Equal(t, model(facts), dump(t, p.Projector, w.store))
	require.Zero(t, status(t, p).Counters.Parkings)
}

func status(t testing.TB, p *copyOf) projections.Status {
	list, err := p.Status(natstest.Context(t))
	require.NoError(t, err)
	return list[0]
}

// A version that another copy admitted meanwhile shows in the home row.
func TestGapThatAnotherCopyFilledIsSeen(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	// So long a patience that healing cannot be what admits it.
	p := w.startLive(t, projections.Config{HealAfter: time.Hour})
	facts := lives(r, 1, 3)
	w.publish(t, facts[0])
	idle(t, 2*time.Minute, p.Projector)
	w.publish(t, facts[2])
	eventually(t, 2*time.Minute, "the gap is noticed", func() bool { return status(t, p).Counters.Gaps > 0 })

	// Another copy moves the row on: it reads version 2 from elsewhere than this consumer.
	rows, err := w.store.Get(natstest.Context(t), homeTable(t, p), []any{facts[0].id.String()})
	require.NoError(t, err)
	row := rows[0]
	row[1] = int64(2)
	require.NoError(t, w.store.Write(natstest.Context(t), upsert(homeTable(t, p), row, 2)))
	eventually(t, 2*time.Minute, "version 3 is admitted", func() bool {
		rows, err := w.store.Get(natstest.Context(t), homeTable(t, p), []any{facts[0].id.String()})
		return err == nil && rows[0][1] == int64(3)
	})
	require.Zero(t, status(t, p).Counters.Healed)
}

func TestVersionNeverWrittenParksOneAggregate(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 8, nil), seeded(t)
	p := w.startLive(t, projections.Config{HealAfter: time.Second})
	facts := lives(r, 1000, 3)
	missing, rest := facts[1], append([]fact{facts[0], facts[2]}, facts[3:]...)
	w.publish(t, rest...)
	eventually(t, 2*time.Minute, "the aggregate is parked", func() bool { return status(t, p).Parked == 1 })
	parked, err := p.Parked(natstest.Context(t))
	require.NoError(t, err)
	require.Equal(t, missing.id, parked[0].Aggregate)
	require.EqualValues(t, 2, parked[0].Version)
	require.Equal(t, projections.CauseMissing, parked[0].Kind)
	require.Contains(t, parked[0].Cause, "version 2 is not in the stream")

	idle(t, 2*time.Minute, p.Projector)
	require.EqualValues(t, len(rest)-1, status(t, p).Counters.Admitted, "the others go on")

	w.publish(t, missing)
	eventually(t, 2*time.Minute, "it un-parks by itself", func() bool { return status(t, p).Parked == 0 })
	idle(t, 2*time.Minute, p.Projector)
	require.Equal(t, model(facts), dump(t, p.Projector, w.store))
}

// More versions wait than one aggregate may leave with the broker: the rest is
// read from the stream.
func TestManyVersionsBeforeTheFirst(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 1, 300)
	w.publish(t, facts[1:]...)
	eventually(t, 2*time.Minute, "what is beyond the limit is set aside", func() bool { return status(t, p).Counters.Gaps >= 299 })
	w.publish(t, facts[0])
	idle(t, 2*time.Minute, p.Projector)
	require.Equal(t, model(facts), dump(t, p.Projector, w.store))
}

// Gaps in front must not take the places of healthy aggregates behind.
func TestManyGapsDoNotDelayOthers(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{HealAfter: time.Hour, MaxAckPending: 2000})
	var gaps []fact
	for _, f := range lives(r, 1100, 2) {
		if f.version == 2 {
			gaps = append(gaps, f)
		}
	}
	w.publish(t, gaps...)
	healthy := lives(r, 100, 3)
	began := time.Now()
	w.publish(t, healthy...)
	eventually(t, 2*time.Minute, "healthy aggregates are written", func() bool { return status(t, p).Counters.Admitted >= 300 })
	t.Logf("300 events behind 1,100 gaps took %s", time.Since(began))
	require.True(t, strings.HasPrefix(status(t, p).Status, projections.StatusLive))
}

// Aggregates whose gaps last are healed side by side: one alone would be a read of the
// stream and a write for each, one after the other, while the lane does nothing else.
func TestGapsHealSideBySide(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	hoard := &hoard{held: map[eventKey]bool{}, met: make(chan struct{})}
	p := w.startLive(t, projections.Config{Lanes: 1, HealAfter: 2 * time.Second, AckWait: time.Hour, OnAdmit: hoard.admitted})
	hoard.share(t, w, p)
	facts := lives(r, 40, 10)
	w.publish(t, facts...)
	eventually(t, 2*time.Minute, "all is written", func() bool { return status(t, p).Counters.Flushed >= uint64(len(facts)) })
	require.Equal(t, model(facts), dump(t, p.Projector, w.store))
	require.True(t, hoard.haveMet(), "no two aggregates were healed at once")
}

type eventKey struct {
	aggregate uuid.UUID
	version   uint64
}

// hoard takes messages of a projection's consumer and never answers, so that only the
// stream can tell of them.
type hoard struct {
	mu    sync.Mutex
	held  map[eventKey]bool
	first uuid.UUID     // it waits for another
	met   chan struct{} // closed when another is caught up beside it
}

func (h *hoard) share(t *testing.T, w *world, p *copyOf) {
	t.Helper()
	consumer, err := w.stream.JetStream().Consumer(natstest.Context(t), w.stream.Name(), fmt.Sprintf("boxes_g%d_p0", status(t, p).Generation))
	require.NoError(t, err)
	taking, err := consumer.Consume(func(m jetstream.Msg) {
		version, _ := strconv.ParseUint(m.Headers().Get("ce-version"), 10, 64)
		if version == 10 {
			_ = m.Nak() // the last one: nothing would tell of it
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.held[eventKey{w.stream.Aggregate(m.Subject()), version}] = true
	})
	require.NoError(t, err)
	t.Cleanup(taking.Stop)
}

// admitted keeps one that is caught up waiting for another; not for long, since it may be
// the only one that is due.
func (h *hoard) admitted(a projections.Admission) {
	if !h.comesFirst(a) {
		return
	}
	select {
	case <-h.met:
	case <-time.After(time.Second):
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.first = uuid.Nil
}

func (h *hoard) comesFirst(a projections.Admission) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.held[eventKey{a.Aggregate, a.Version}]:
		return false
	case h.first == uuid.Nil:
		h.first = a.Aggregate
		return true
	case h.first != a.Aggregate && !h.haveMet():
		close(h.met)
	}
	return false
}

func (h *hoard) haveMet() bool {
	select {
	case <-h.met:
		return true
	default:
		return false
	}
}
