package projections_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// sharer is a copy that shares partitions with others, on a connection of its own.
type sharer struct {
	*copyOf
	name   string
	shares *subscription.Shares
	kill   func() // as kill -9 does, in the middle of its next write
}

// team is the copies that share, and what they have admitted together.
type team struct {
	w        *world
	mu       sync.Mutex
	admitted map[int]map[string]int // admissions of the live generation, by partition and copy
}

func (tm *team) start(t testing.TB, name string, cfg projections.Config) *sharer {
	nc := natstest.Conn(t, tm.w.server)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	s := &sharer{name: name}
	s.shares, err = subscription.JoinShares(natstest.Context(t), js, subscription.SharesConfig{Group: "projectors", Member: name})
	require.NoError(t, err)
	cfg.Shares = s.shares
	cfg.OnAdmit = func(a projections.Admission) { tm.admit(name, a) }
	stream := natstest.Stream(t, nc, eventstore.StreamConfig{Name: "BOXES", Registry: registry(t)})
	store := &dyingStore{Store: tm.w.store, nc: nc, r: rand.New(rand.NewPCG(1, 2)), left: math.MaxInt, dead: make(chan struct{})}
	p, err := projections.New(natstest.Context(t), store, map[string]*eventstore.Stream{"BOXES": stream}, cfg, tm.w.def)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.shares.Run(ctx) })
	s.copyOf = &copyOf{Projector: p, done: make(chan error, 1)}
	wg.Go(func() { s.done <- p.Run(ctx) })
	s.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		require.NoError(t, <-s.done)
	})
	s.kill = sync.OnceFunc(func() {
		store.die()
		cancel()
	})
	t.Cleanup(s.stop)
	return s
}

func (tm *team) admit(name string, a projections.Admission) {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	p := tm.w.stream.Partition(a.Aggregate)
	if tm.admitted == nil {
		tm.admitted = map[int]map[string]int{}
	}
	if tm.admitted[p] == nil {
		tm.admitted[p] = map[string]int{}
	}
	tm.admitted[p][name]++
}

// total is all admissions, and the copies that each partition's came from.
func (tm *team) total() (n int, by map[int]int) {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	by = map[int]int{}
	for p, names := range tm.admitted {
		by[p] = len(names)
		for _, count := range names {
			n += count
		}
	}
	return n, by
}

// settled waits until each partition has one copy that is due for it, that all know
// of each other, and that all are live.
func settled(t testing.TB, w *world, copies ...*sharer) {
	t.Helper()
	why := ""
	defer func() {
		if t.Failed() {
			t.Log(why)
		}
	}()
	eventually(t, 2*time.Minute, "the copies have shared out the partitions", func() bool {
		why = unsettled(t, w, copies)
		return why == ""
	})
}

func unsettled(t testing.TB, w *world, copies []*sharer) string {
	due := make([]int, w.stream.Partitions())
	for _, c := range copies {
		s, err := c.Status(natstest.Context(t))
		if err != nil || s[0].Generation == 0 || s[0].Status != projections.StatusLive || s[0].Building != nil {
			return fmt.Sprintf("%s: %+v (%v)", c.name, s, err)
		}
		for p := range due {
			mine, known := c.shares.Due(fmt.Sprintf("boxes_g%d", s[0].Generation), p)
			if !known {
				return c.name + " does not know"
			}
			if mine {
				due[p]++
			}
		}
	}
	if slices.ContainsFunc(due, func(n int) bool { return n != 1 }) {
		return fmt.Sprintf("due for the partitions: %v", due)
	}
	return ""
}

func (s *sharer) holds(t testing.TB) bool {
	name := fmt.Sprintf("boxes_g%d", status(t, s.copyOf).Generation)
	for p := range s.StreamOf("boxes").Partitions() {
		if due, _ := s.shares.Due(name, p); due {
			return true
		}
	}
	return false
}

// requireNoGaps: every delivery of these copies was the next version, and came once.
func requireNoGaps(t testing.TB, w *world, copies ...*sharer) {
	t.Helper()
	for _, c := range copies {
		s := status(t, c.copyOf).Counters
		require.Zero(t, s.Nacks+s.Gaps+s.Healed+s.Parkings, "%s: %+v", c.name, s)
	}
	require.Zero(t, w.sum(t, func(c *jetstream.ConsumerInfo) int { return c.NumRedelivered }))
}

func TestSharedPartitions(t *testing.T) {
	t.Parallel()
	for _, copies := range []int{2, 4} {
		t.Run(fmt.Sprintf("%d copies", copies), func(t *testing.T) { sharedPartitions(t, newSQLite(t), copies) })
	}
}

func TestSharedPartitionsCQL(t *testing.T) { sharedPartitions(t, newCQL(t), 4) }

// In the steady state each event is delivered once, to one copy, and is the next.
func sharedPartitions(t *testing.T, store readstore.Store, copies int) {
	w, r := newWorld(t, 8, store), seeded(t)
	tm := &team{w: w}
	var all []*sharer
	for i := range copies {
		all = append(all, tm.start(t, fmt.Sprint("copy-", i), projections.Config{}))
	}
	settled(t, w, all...)
	eventually(t, 2*time.Minute, "each partition has its holder", func() bool {
		return w.sum(t, func(c *jetstream.ConsumerInfo) int { return 1 - min(c.NumWaiting, 1) }) == 0
	})
	facts := lives(r, 300, 10)
	w.publish(t, facts...)
	for _, c := range all {
		idle(t, 2*time.Minute, c.Projector)
	}
	requireNoGaps(t, w, all...)
	n, by := tm.total()
	require.Equal(t, len(facts), n, "each event is admitted once")
	for p, names := range by {
		require.Equal(t, 1, names, "partition %d has one holder", p)
	}
	require.Equal(t, model(facts), dump(t, all[0].Projector, store))
}

// load publishes boxes one after the other until it is stopped.
type load struct {
	facts []fact
	stop  func()
	count atomic.Int64
}

func (w *world) load(t testing.TB, r *rand.Rand) *load {
	l := &load{}
	ctx, cancel := context.WithCancel(context.Background())
	r = rand.New(rand.NewPCG(r.Uint64(), 0))
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			facts := lives(r, 2, 10)
			w.publish(t, facts...)
			l.facts = append(l.facts, facts...)
			l.count.Store(int64(len(l.facts)))
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond): // the pace of the load
			}
		}
	})
	l.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(l.stop)
	return l
}

// until waits until n more events are published.
func (l *load) until(t testing.TB, n int64) {
	t.Helper()
	n += l.count.Load()
	eventually(t, 2*time.Minute, "more events are published", func() bool { return l.count.Load() >= n })
}

// A copy joins and leaves under load: no event is returned or delivered twice.
func TestCopyJoinsAndLeavesUnderLoad(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 8, nil), seeded(t)
	tm := &team{w: w}
	a, b := tm.start(t, "a", projections.Config{}), tm.start(t, "b", projections.Config{})
	settled(t, w, a, b)
	l := w.load(t, r)
	var all []*sharer
	for i := range 3 {
		l.until(t, 200)
		c := tm.start(t, fmt.Sprint("c", i), projections.Config{})
		settled(t, w, a, b, c)
		l.until(t, 200)
		c.stop()
		settled(t, w, a, b)
		all = append(all, c)
	}
	l.until(t, 200)
	a.stop()
	settled(t, w, b)
	l.until(t, 200)
	l.stop()
	idle(t, 2*time.Minute, b.Projector)
	require.Equal(t, model(l.facts), dump(t, b.Projector, w.store))
	n, _ := tm.total()
	require.Equal(t, len(l.facts), n, "each event is admitted once")
	requireNoGaps(t, w, append(all, a, b)...)
}

func TestKilledCopyIsTakenOver(t *testing.T) {
	t.Parallel()
	killedCopy(t, newSQLite(t), 1)
}

func TestKilledCopyIsTakenOverCQL(t *testing.T) { killedCopy(t, newCQL(t), 1) }

func TestProofKilledCopiesAreTakenOver(t *testing.T) {
	proof(t)
	t.Run("SQLite", func(t *testing.T) { killedCopy(t, newSQLite(t), 10) })
	t.Run("CQL", func(t *testing.T) { killedCopy(t, newCQL(t), 10) })
}

// takeOver is how soon others must go on where a copy was killed.
const takeOver = 5 * time.Second

// killedCopy kills one of three copies under load, with deliveries that it never
// answers: the others write those at once, and not only when the broker delivers
// them again.
func killedCopy(t *testing.T, store readstore.Store, rounds int) {
	w, r := newWorld(t, 8, store), seeded(t)
	tm := &team{w: w}
	cfg := projections.Config{AckWait: 10 * time.Minute, HealAfter: time.Minute}
	copies := []*sharer{tm.start(t, "a", cfg), tm.start(t, "b", cfg), tm.start(t, "c", cfg)}
	settled(t, w, copies...)
	var facts []fact
	for round := range rounds {
		l := w.load(t, r)
		l.until(t, 200)
		i := r.IntN(len(copies))
		for !copies[i].holds(t) {
			i = r.IntN(len(copies))
		}
		copies[i].kill()
		killed := time.Now()
		l.until(t, 200)
		l.stop()
		facts = append(facts, l.facts...)
		others := slices.Delete(slices.Clone(copies), i, i+1)
		for _, c := range others {
			idle(t, takeOver-time.Since(killed), c.Projector)
		}
		t.Logf("taken over after %s", time.Since(killed))
		require.Equal(t, model(facts), dump(t, others[0].Projector, store))
		copies[i] = tm.start(t, fmt.Sprint("copy-", round), cfg)
		settled(t, w, copies...)
	}
}

// overtaken is a store whose checkpoints are read just after another copy has moved on.
type overtaken struct {
	readstore.Store
	moveOn func()
}

func (s overtaken) Page(ctx context.Context, table *readstore.Table, q readstore.Query) (readstore.Page, error) {
	if table.Name == "checkpoints" {
		s.moveOn()
	}
	return s.Store.Page(ctx, table, q)
}

// A copy starts while another one writes what is appended at this moment: that is no
// reason to think that the log has lost its tail.
func TestCopyStartsWhileAnotherMovesOn(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 2, nil), seeded(t)
	a := w.startLive(t, projections.Config{})
	facts, moved := lives(r, 5, 10), make(chan struct{})
	other := *w
	other.store = overtaken{w.store, sync.OnceFunc(func() {
		defer close(moved)
		w.publish(t, facts...)
		idle(t, 2*time.Minute, a.Projector)
	})}
	b := other.start(t, projections.Config{})
	<-moved
	eventually(t, 2*time.Minute, "it is live", func() bool { return status(t, b).Status == projections.StatusLive })
	idle(t, 2*time.Minute, b.Projector)
	require.Equal(t, model(facts), dump(t, b.Projector, w.store))
}

// A rebuild is one copy's work; once readers have switched, all share it.
func TestRebuildWithSharedPartitions(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 8, nil), seeded(t)
	tm := &team{w: w}
	copies := []*sharer{tm.start(t, "a", projections.Config{}), tm.start(t, "b", projections.Config{}), tm.start(t, "c", projections.Config{})}
	settled(t, w, copies...)
	l := w.load(t, r)
	l.until(t, 200)
	// Copies that start together may each have spent a number.
	generation, err := copies[0].Rebuild(natstest.Context(t), "boxes")
	require.NoError(t, err)
	eventually(t, 2*time.Minute, "readers have switched", func() bool { return status(t, copies[0].copyOf).Generation == generation })
	l.until(t, 200)
	settled(t, w, copies...)
	for _, c := range copies {
		eventually(t, 2*time.Minute, c.name+" has its share", func() bool { return status(t, c.copyOf).Counters.Admitted > 0 })
	}
	l.stop()
	for _, c := range copies {
		idle(t, 2*time.Minute, c.Projector)
	}
	requireNoGaps(t, w, copies...)
	require.Equal(t, model(l.facts), dump(t, copies[0].Projector, w.store))
}

// What others hold is no reason to wait: a copy is live with no partition at all, and
// knows the lag of all.
func TestCopyThatHoldsNothingIsLive(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 1, nil), seeded(t)
	tm := &team{w: w}
	a, b := tm.start(t, "a", projections.Config{}), tm.start(t, "b", projections.Config{})
	settled(t, w, a, b)
	facts := lives(r, 20, 10)
	w.publish(t, facts...)
	idle(t, 2*time.Minute, a.Projector)
	idle(t, 2*time.Minute, b.Projector)
	held := min(status(t, a.copyOf).Counters.Admitted, status(t, b.copyOf).Counters.Admitted)
	require.Zero(t, held, "one of them holds nothing")
	require.Equal(t, model(facts), dump(t, a.Projector, w.store))
}
