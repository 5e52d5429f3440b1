package projections_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// gatekeeper records every admission of all copies and notices one out of turn: a
// version is admitted after the one before it was, by the same copy or by another.
// (A copy may admit again what it or another did before.)
type gatekeeper struct {
	mu     sync.Mutex
	last   map[string]uint64
	faults []string
}

func (k *gatekeeper) admit(a projections.Admission) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil {
		k.last = map[string]uint64{}
	}
	key := fmt.Sprint(a.Generation, " ", a.Aggregate)
	if a.Version > k.last[key]+1 {
		k.faults = append(k.faults, fmt.Sprintf("%s: %d after %d", key, a.Version, k.last[key]))
	}
	k.last[key] = max(k.last[key], a.Version)
}

type order struct {
	name    string
	arrange func(r *rand.Rand, facts []fact) []fact
}

func orders() []order {
	return []order{
		{"reversed", func(_ *rand.Rand, facts []fact) []fact {
			sort.SliceStable(facts, func(i, j int) bool { return facts[i].version > facts[j].version })
			return facts
		}},
		{"shuffled", func(r *rand.Rand, facts []fact) []fact {
			r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
			return facts
		}},
		{"repeated", func(r *rand.Rand, facts []fact) []fact {
			all := append([]fact(nil), facts...)
			for i, f := range facts {
				all = append(all, retold(f))
				if i%2 == 0 {
					all = append(all, f)
				}
			}
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			return all
		}},
		{"first last", func(_ *rand.Rand, facts []fact) []fact {
			sort.SliceStable(facts, func(i, j int) bool { return facts[i].version != 1 && facts[j].version == 1 })
			return facts
		}},
	}
}

// retold is another event of the same version: the first in the stream counts.
func retold(f fact) fact {
	switch p := f.payload.(type) {
	case packed:
		f.payload = packed{Label: "retold", Shelf: p.Shelf}
	case moved:
		f.payload = moved{Shelf: "retold " + p.Shelf}
	case taken:
		f.payload = taken{By: "retold"}
	}
	return f
}

// TestFirstInTheStreamCountsBehindAGap: the first of version 2 waits for version 1,
// and the second one is there when that comes.
func TestFirstInTheStreamCountsBehindAGap(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 50, 2)
	var early, late []fact
	for i := 0; i < len(facts); i += 2 {
		early = append(early, facts[i+1])
		late = append(late, facts[i], retold(facts[i+1]))
	}
	w.publish(t, early...)
	eventually(t, 2*time.Minute, "the gaps are noticed", func() bool { return status(t, p).Counters.Gaps >= 50 })
	w.publish(t, late...)
	idle(t, 2*time.Minute, p.Projector)
	require.Equal(t, model(append(early, late...)), dump(t, p.Projector, w.store))
}

// TestFirstInTheStreamCountsForCopies: the broker hands the two of a version to
// different copies.
func TestFirstInTheStreamCountsForCopies(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	w.startLive(t, projections.Config{})
	var all []fact
	for _, f := range lives(r, 300, 2) {
		all = append(all, f, retold(f))
	}
	w.publish(t, all...)
	idle(t, 2*time.Minute, p.Projector)
	require.Equal(t, model(all), dump(t, p.Projector, w.store))
}

func TestOutOfOrderSQLite(t *testing.T) {
	for _, partitions := range []int{1, 8} {
		t.Run(fmt.Sprintf("P%d", partitions), func(t *testing.T) {
			outOfOrder(t, newSQLite(t), partitions, 1, 100)
		})
	}
}

func TestOutOfOrderCQL(t *testing.T) { outOfOrderCQL(t, 100) }

func TestProofOutOfOrder(t *testing.T) {
	proof(t)
	for _, partitions := range []int{1, 8} {
		t.Run(fmt.Sprintf("SQLite/P%d", partitions), func(t *testing.T) {
			outOfOrder(t, newSQLite(t), partitions, 1, 1000)
		})
	}
	t.Run("CQL", func(t *testing.T) { outOfOrderCQL(t, 1000) })
}

func outOfOrderCQL(t *testing.T, boxes int) {
	for _, partitions := range []int{1, 8} {
		for _, copies := range []int{1, 2, 4} {
			t.Run(fmt.Sprintf("P%d/%d copies", partitions, copies), func(t *testing.T) {
				outOfOrder(t, newCQL(t), partitions, copies, boxes)
			})
		}
	}
}

// proof skips what takes long, unless it is asked for.
func proof(t testing.TB) {
	if os.Getenv("ADMITONE_PROOF") == "" {
		t.Skip("a long test: it runs in `make proof`")
	}
}

// outOfOrder publishes the same kind of history in each order, one after the other,
// to any number of copies that all hold all partitions.
func outOfOrder(t *testing.T, store readstore.Store, partitions, copies, boxes int) {
	w, r := newWorld(t, partitions, store), seeded(t)
	var keeper gatekeeper
	var projectors []*copyOf
	for range copies {
		projectors = append(projectors, w.start(t, projections.Config{OnAdmit: keeper.admit}))
	}
	idle(t, 2*time.Minute, projectors[0].Projector)
	var all []fact
	for _, o := range orders() {
		t.Run(o.name, func(t *testing.T) {
			facts := o.arrange(r, lives(r, boxes, 20))
			all = append(all, facts...)
			w.publish(t, facts...)
			idle(t, 60*time.Second, projectors[0].Projector)
			require.Equal(t, model(all), dump(t, projectors[0].Projector, store))
			require.Empty(t, keeper.faults)
			parked, err := projectors[0].Parked(natstest.Context(t))
			require.NoError(t, err)
			require.Empty(t, parked)
			quiet(t, w, projectors)
		})
	}
	v, err := projectors[0].Verify(natstest.Context(t), nil)
	require.NoError(t, err)
	require.Zero(t, v.Errors, v.Findings)
}

// quiet proves that nothing is delivered again, and that each copy (a process
// elsewhere, four of them in this one here) takes less than 5 % of a core.
func quiet(t *testing.T, w *world, projectors []*copyOf) {
	// What was written by way of another copy may come once more.
	eventually(t, 2*time.Minute, "all is acknowledged", func() bool { return w.unacknowledged(t) == 0 })
	count := func() (total uint64) {
		for _, p := range projectors {
			s, err := p.Status(natstest.Context(t))
			require.NoError(t, err)
			total += s[0].Counters.Gaps + s[0].Counters.Duplicates + s[0].Counters.Nacks
		}
		return total
	}
	before := count()
	eventually(t, 2*time.Minute, "the process is idle", func() bool {
		cpu, began := cpuTime(t), time.Now()
		<-time.After(500 * time.Millisecond) // the measurement itself
		return (cpuTime(t)-cpu).Seconds()/time.Since(began).Seconds() < 0.05*float64(len(projectors))
	})
	require.Equal(t, before, count(), "redeliveries went on")
}

func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func someID(r *rand.Rand) uuid.UUID {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	return id
}

func newCQL(t testing.TB) readstore.Store {
	return openCQL(t, cqltest.Hosts(t), cqltest.Keyspace(t))
}
