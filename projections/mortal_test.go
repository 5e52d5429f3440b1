package projections_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// mortal is a copy that dies as a killed process does, in the middle of a write:
// part of it has reached the store, nothing more does, and the broker hears
// nothing of it any more.
type mortal struct {
	*projections.Projector
	store *dyingStore
	bury  func() // once it is dead: what is left of it goes away, and the broker knows
}

// mortal starts a copy that dies at its nth write.
func (w *world) mortal(t testing.TB, r *rand.Rand, n int, cfg projections.Config) *mortal {
	nc := natstest.Conn(t, w.server)
	stream := natstest.Stream(t, nc, eventstore.StreamConfig{Name: "BOXES", Registry: registry(t)})
	store := &dyingStore{Store: w.store, nc: nc, r: rand.New(rand.NewPCG(r.Uint64(), 0)), left: n, dead: make(chan struct{})}
	p, err := projections.New(natstest.Context(t), store, map[string]*eventstore.Stream{"BOXES": stream}, cfg, w.def)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return &mortal{Projector: p, store: store, bury: func() {
		nc.Close()
		cancel()
		w.nobodyPulls(t)
	}}
}

type dyingStore struct {
	readstore.Store
	nc   *nats.Conn
	dead chan struct{} // closed at the death

	mu   sync.Mutex
	r    *rand.Rand
	left int // writes until then
}

func (s *dyingStore) Write(ctx context.Context, phases ...[]readstore.Mutation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusal(); err != nil {
		return err
	}
	if s.left--; s.left > 0 {
		return s.Store.Write(ctx, phases...)
	}
	cut := s.r.IntN(len(phases) + 1)
	arrived := append([][]readstore.Mutation(nil), phases[:cut]...)
	if cut < len(phases) {
		torn := append([]readstore.Mutation(nil), phases[cut]...)
		s.r.Shuffle(len(torn), func(i, j int) { torn[i], torn[j] = torn[j], torn[i] })
		arrived = append(arrived, torn[:s.r.IntN(len(torn)+1)])
	}
	if err := s.Store.Write(ctx, arrived...); err != nil {
		return err
	}
	s.nc.Close()
	close(s.dead)
	return s.refusal()
}

// die makes the next write the last one, and waits for it.
func (s *dyingStore) die() {
	s.mu.Lock()
	s.left = 1
	s.mu.Unlock()
	<-s.dead
}

func (s *dyingStore) refusal() error {
	select {
	case <-s.dead:
		return fmt.Errorf("this copy is dead: %w", readstore.ErrUnavailable)
	default:
		return nil
	}
}

func (s *dyingStore) Get(ctx context.Context, table *readstore.Table, keys ...readstore.Key) ([]readstore.Row, error) {
	if err := s.refusal(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, table, keys...)
}

func (s *dyingStore) Page(ctx context.Context, table *readstore.Table, q readstore.Query) (readstore.Page, error) {
	if err := s.refusal(); err != nil {
		return readstore.Page{}, err
	}
	return s.Store.Page(ctx, table, q)
}

// nobodyPulls waits until the broker has noticed that the last copy is gone. What it
// sends to one whose death it has not noticed yet waits for AckWait.
func (w *world) nobodyPulls(t testing.TB) {
	eventually(t, 2*time.Minute, "nobody pulls", func() bool {
		return w.sum(t, func(c *jetstream.ConsumerInfo) int { return c.NumWaiting }) == 0
	})
}

// unacknowledged is what the broker has delivered and may deliver again.
func (w *world) unacknowledged(t testing.TB) int {
	return w.sum(t, func(c *jetstream.ConsumerInfo) int { return c.NumAckPending })
}

func (w *world) sum(t testing.TB, of func(*jetstream.ConsumerInfo) int) (n int) {
	stream, err := w.js.Stream(natstest.Context(t), "BOXES")
	require.NoError(t, err)
	list := stream.ListConsumers(natstest.Context(t))
	for c := range list.Info() {
		n += of(c)
	}
	require.NoError(t, list.Err())
	return n
}
