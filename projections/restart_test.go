package projections_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/stretchr/testify/require"
)

// A copy dies in a backlog, with thousands of deliveries that it never answered:
// the next one does not wait until the broker delivers them again.
func TestBacklogGoesOnAtOnceAfterAKill(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"in order", "shuffled"} {
		t.Run(order, func(t *testing.T) {
			w, r := newWorld(t, 1, nil), seeded(t)
			cfg := projections.Config{AckWait: 10 * time.Minute, HealAfter: 10 * time.Minute}
			w.startLive(t, cfg).stop()
			facts := lives(r, 1000, 10)
			w.publish(t, arrange(r, order, facts)...)
			for range 3 {
				m := w.mortal(t, r, 1+r.IntN(3), projections.Config{AckWait: cfg.AckWait, HealAfter: cfg.HealAfter, Batch: 512})
				require.True(t, w.untilDeadOrIdle(t, m))
				m.bury()
			}
			began := time.Now()
			p := w.start(t, cfg)
			idle(t, 3*2*time.Minute, p.Projector)
			t.Logf("caught up %s after the start", time.Since(began))
			require.Equal(t, model(facts), dump(t, p.Projector, w.store))
		})
	}
}

func TestBacklogGoesOnAfterAStop(t *testing.T) {
	w, r := newWorld(t, 8, nil), seeded(t)
	cfg := projections.Config{AckWait: 10 * time.Minute}
	p := w.startLive(t, cfg)
	facts := lives(r, 2000, 10)
	w.publish(t, facts...)
	for range 3 {
		began := time.Now()
		p.stop()
		require.Less(t, time.Since(began), time.Minute, "it does not wait for AckWait")
		p = w.start(t, cfg)
		<-time.After(time.Duration(r.IntN(100)) * time.Millisecond) // a random moment
	}
	idle(t, 60*time.Second, p.Projector)
	require.Equal(t, model(facts), dump(t, p.Projector, w.store))
}

// rowsFile is a SQLite store that can be put back to what it was.
type rowsFile struct {
	t     *testing.T
	path  string
	store readstore.Store
}

func newRowsFile(t *testing.T) *rowsFile {
	f := &rowsFile{t: t, path: filepath.Join(t.TempDir(), "rows.db")}
	f.open()
	t.Cleanup(func() { require.NoError(t, f.store.Close()) })
	return f
}

func (f *rowsFile) open() {
	var err error
	f.store, err = sqlite.Open(sqlite.Config{Path: f.path})
	require.NoError(f.t, err)
}

func (f *rowsFile) backup() {
	require.NoError(f.t, f.store.Close())
	copyFile(f.t, f.path, f.path+".old")
	f.open()
}

func (f *rowsFile) restore() {
	require.NoError(f.t, f.store.Close())
	require.NoError(f.t, os.RemoveAll(f.path+"-wal"))
	require.NoError(f.t, os.RemoveAll(f.path+"-shm"))
	copyFile(f.t, f.path+".old", f.path)
	f.open()
}

func copyFile(t *testing.T, from, to string) {
	in, err := os.Open(from)
	require.NoError(t, err)
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}

// The consumers have acknowledged what the restored rows do not hold.
func TestReadStoreRestoredFromAnOlderCopy(t *testing.T) {
	t.Parallel()
	for _, rebuiltBetween := range []bool{false, true} {
		t.Run(fmt.Sprintf("rebuilt between: %t", rebuiltBetween), func(t *testing.T) {
			file := newRowsFile(t)
			w, r := newWorld(t, 2, file.store), seeded(t)
			p := w.startLive(t, projections.Config{})
			facts := arrange(r, "shuffled", lives(r, 200, 10))
			w.publish(t, facts[:1000]...)
			eventually(t, 2*time.Minute, "some are written", func() bool { return status(t, p).Counters.Admitted > 100 })
			p.stop()
			file.backup()

			w.store = file.store
			p = w.start(t, projections.Config{})
			w.publish(t, facts[1000:]...)
			idle(t, 2*time.Minute, p.Projector)
			if rebuiltBetween {
				_, err := p.Rebuild(natstest.Context(t), "boxes")
				require.NoError(t, err)
				rebuilt(t, p, 2)
			}
			p.stop()
			file.restore()

			w.store = file.store
			p = w.start(t, projections.Config{})
			more := lives(r, 10, 5)
			w.publish(t, more...)
			idle(t, 2*time.Minute, p.Projector)
			require.Equal(t, model(append(facts, more...)), dump(t, p.Projector, w.store))
			v, err := p.Verify(natstest.Context(t), nil)
			require.NoError(t, err)
			require.Zero(t, v.Errors, v.Findings)
		})
	}
}

// unsteady is a store that is away for a while, or fails now and then.
type unsteady struct {
	readstore.Store

	mu     sync.Mutex
	r      *rand.Rand
	faulty float64 // the share of calls that fail
}

func (s *unsteady) fail(share float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faulty = share
}

func (s *unsteady) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.r.Float64() < s.faulty {
		return fmt.Errorf("the test says so: %w", readstore.ErrUnavailable)
	}
	return nil
}

func (s *unsteady) Write(ctx context.Context, phases ...[]readstore.Mutation) error {
	for _, phase := range phases {
		if err := s.fault(); err != nil {
			return err
		}
		if err := s.Store.Write(ctx, phase); err != nil {
			return err
		}
	}
	return s.fault()
}

func (s *unsteady) Get(ctx context.Context, table *readstore.Table, keys ...readstore.Key) ([]readstore.Row, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, table, keys...)
}

// A store that is away stalls the projection, visibly, and parks nothing.
func TestStoreAway(t *testing.T) {
	store := &unsteady{Store: newSQLite(t), r: seeded(t)}
	w, r := newWorld(t, 1, store), store.r
	p := w.startLive(t, projections.Config{HealAfter: 50 * time.Millisecond})
	facts := lives(r, 100, 6)
	w.publish(t, facts[:300]...)
	idle(t, 2*time.Minute, p.Projector)

	store.fail(1)
	w.publish(t, arrange(r, "shuffled", facts[300:])...)
	eventually(t, 2*time.Minute, "it is stalled", func() bool { return status(t, p).Status == projections.StatusStalled })
	require.Contains(t, status(t, p).Problem, "the test says so")
	require.Zero(t, status(t, p).Parked)
	require.Positive(t, status(t, p).LagEvents)

	store.fail(0)
	idle(t, 2*time.Minute, p.Projector)
	require.Equal(t, projections.StatusLive, status(t, p).Status)
	require.Empty(t, status(t, p).Problem)
	require.Zero(t, status(t, p).Counters.Parkings)
	require.Equal(t, model(facts), dump(t, p.Projector, store.Store))
}

// Faults in between, parts of writes among them, cost time and nothing else: while
// running, at a start and in a rebuild.
func TestStoreFailsNowAndThen(t *testing.T) {
	t.Parallel()
	store := &unsteady{Store: newSQLite(t), r: seeded(t)}
	w, r := newWorld(t, 2, store), rand.New(rand.NewPCG(store.r.Uint64(), 0))
	cfg := projections.Config{Batch: 16}
	p := w.startLive(t, cfg)
	store.fail(0.15)
	facts := lives(r, 50, 6)
	shuffled := arrange(r, "shuffled", facts)
	w.publish(t, shuffled[:150]...)
	p.stop()
	p = w.start(t, cfg)
	w.publish(t, shuffled[150:]...)
	idle(t, 60*time.Second, p.Projector)
	_, err := p.Rebuild(natstest.Context(t), "boxes")
	require.NoError(t, err)
	eventually(t, 2*time.Minute, "the generation is filled", func() bool {
		b := status(t, p).Building
		return b != nil && b.Events >= uint64(len(facts))
	})
	store.fail(0)
	rebuilt(t, p, 2)
	require.Zero(t, status(t, p).Counters.Parkings)
	require.Equal(t, model(facts), dump(t, p.Projector, store.Store))
}
