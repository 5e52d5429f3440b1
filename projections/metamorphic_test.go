package projections_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

// One list of facts gives one set of rows: whatever the store, the size of a
// flush, the order in the log and the deaths on the way, live or rebuilt.
func TestSameFactsSameRowsSQLite(t *testing.T) {
	sameRows(t, newSQLite, trials(1, 7, 256))
}

func TestSameFactsSameRowsCQL(t *testing.T) {
	sameRows(t, newCQL, []trial{{batch: 7, way: "shuffled"}, {batch: 1, way: "duplicated"}, {batch: 7, way: "killed"}})
}

func TestProofSameFactsSameRows(t *testing.T) {
	proof(t)
	for round := range 5 {
		t.Run(fmt.Sprint("SQLite/", round), func(t *testing.T) { sameRows(t, newSQLite, trials(1, 7, 256)) })
	}
	t.Run("CQL", func(t *testing.T) { sameRows(t, newCQL, trials(1, 7, 256)) })
}

// trial is one way to bring the facts to the rows.
type trial struct {
	batch int
	way   string // in order, shuffled, duplicated, killed
}

func trials(batches ...int) (all []trial) {
	for _, way := range []string{"in order", "shuffled", "duplicated", "killed"} {
		for _, batch := range batches {
			all = append(all, trial{batch: batch, way: way})
		}
	}
	return all
}

func sameRows(t *testing.T, open func(testing.TB) readstore.Store, trials []trial) {
	r := seeded(t)
	facts := lives(r, 60, 10)
	want := model(facts)
	for _, x := range trials {
		seed := r.Uint64()
		t.Run(fmt.Sprintf("%s/batch %d", x.way, x.batch), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t, 2, open(t))
			cfg := projections.Config{Batch: x.batch, HealAfter: 200 * time.Millisecond}
			p := x.live(t, w, r, facts, cfg)
			require.Equal(t, want, dump(t, p.Projector, w.store), "live")
			p = x.rebuild(t, w, r, p, cfg)
			require.Equal(t, want, dump(t, p.Projector, w.store), "rebuilt")
		})
	}
}

// live folds the facts as they come.
func (x trial) live(t *testing.T, w *world, r *rand.Rand, facts []fact, cfg projections.Config) *copyOf {
	p := w.startLive(t, cfg)
	if x.way != "killed" {
		w.publish(t, arrange(r, x.way, facts)...)
		idle(t, 2*time.Minute, p.Projector)
		return p
	}
	p.stop()
	facts = arrange(r, []string{"in order", "shuffled", "duplicated"}[r.IntN(3)], facts)
	deaths := 0
	for part := range slices.Chunk(facts, len(facts)/4+1) {
		m := w.mortal(t, r, 1+r.IntN(2+60/x.batch), cfg)
		w.publish(t, part...)
		if w.untilDeadOrIdle(t, m) {
			deaths++
		}
		m.bury()
	}
	t.Logf("%d copies died in a write", deaths)
	p = w.start(t, cfg)
	idle(t, 2*time.Minute, p.Projector)
	return p
}

func arrange(r *rand.Rand, way string, facts []fact) []fact {
	facts = slices.Clone(facts)
	switch way {
	case "shuffled":
		r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	case "duplicated":
		for _, f := range facts {
			for range r.IntN(3) {
				facts = slices.Insert(facts, r.IntN(len(facts)+1), f)
			}
		}
	}
	return facts
}

// untilDeadOrIdle waits for a mortal copy: it may find less to write than it has lives.
func (w *world) untilDeadOrIdle(t *testing.T, m *mortal) (dead bool) {
	eventually(t, 2*time.Minute, "the copy dies or is idle", func() bool {
		select {
		case <-m.store.dead:
			dead = true
			return true
		default:
		}
		s, err := m.Status(natstest.Context(t))
		return err == nil && s[0].LagEvents == 0
	})
	return dead
}

// rebuild fills another generation; where copies are killed, so is the one that fills it.
func (x trial) rebuild(t *testing.T, w *world, r *rand.Rand, p *copyOf, cfg projections.Config) *copyOf {
	generation, err := p.Rebuild(natstest.Context(t), "boxes")
	require.NoError(t, err)
	if x.way == "killed" {
		<-time.After(time.Duration(r.IntN(700)) * time.Millisecond) // a random moment
		p.stop()
		p = w.start(t, cfg)
	}
	rebuilt(t, p, generation)
	return p
}
