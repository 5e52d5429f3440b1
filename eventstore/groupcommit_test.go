package eventstore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// seed is ADMITONE_TEST_SEED, or a new one; it is printed, to be given back.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	n, err := strconv.ParseUint(os.Getenv("ADMITONE_TEST_SEED"), 10, 64)
	if err != nil {
		n = rand.Uint64()
	}
	t.Logf("ADMITONE_TEST_SEED=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}

// TestGroupCommitUnderLoad has 512 writers, each with aggregates of its own and
// some that all share, who append one or several events and now and then with an
// expectation that is wrong.
func TestGroupCommitUnderLoad(t *testing.T) {
	const writers, rounds, shared = 512, 12, 8
	rng := seed(t)
	server := natstest.Server(t, func(c *eventstore.ServerConfig) { c.SyncInterval = 0 })
	s := natstest.Stream(t, natstest.Conn(t, server), eventstore.StreamConfig{Registry: toyRegistry(), Partitions: 8, GroupCommit: true})
	ctx := natstest.Context(t)

	var acknowledged, conflicts atomic.Int64
	var mu sync.Mutex
	stored := map[uuid.UUID]uint64{} // event id → sequence, as Append has said
	store := func(id uuid.UUID, last uint64, expected uint64, es []eventstore.Event) (uint64, bool) {
		sequence, err := appendOne(ctx, s, id, expected, es...)
		if errors.Is(err, eventstore.ErrConflict) {
			conflicts.Add(1)
			return last, false
		}
		if err != nil {
			t.Error(err)
			return last, false
		}
		acknowledged.Add(int64(len(es)))
		mu.Lock()
		defer mu.Unlock()
		for i := range es {
			stored[es[i].ID] = sequence - uint64(len(es)-1-i)
		}
		return sequence, true
	}
	common := make([]uuid.UUID, shared)
	for i := range common {
		common[i] = uuid.New()
	}
	var wg sync.WaitGroup
	for range writers {
		own, dice := uuid.New(), rand.New(rand.NewPCG(rng.Uint64(), 1))
		wg.Go(func() {
			var last, version uint64
			for range rounds {
				n := 1 + dice.Uint64N(3)
				switch dice.IntN(20) {
				case 0: // all race for the first event of a shared aggregate
					id := common[dice.IntN(shared)]
					store(id, 0, 0, events(t, id, 1, 1))
				case 1: // a wrong expectation
					if last > 1 { // at 1 it would claim a new aggregate, which is malformed
						_, ok := store(own, last, last-1, events(t, own, version+1, version+1))
						if ok {
							t.Error("a wrong expectation was accepted")
						}
					}
				default:
					var ok bool
					if last, ok = store(own, last, last, events(t, own, version+1, version+n)); ok {
						version += n
					}
				}
			}
		})
	}
	wg.Wait()
	require.Positive(t, conflicts.Load())

	seen, versions := 0, map[uuid.UUID]uint64{}
	require.NoError(t, s.Scan(ctx, 1, 1<<62, func(m eventstore.Message) error {
		e, err := s.Decode(m)
		if err != nil {
			return err
		}
		seen++
		require.Equal(t, versions[e.Aggregate]+1, e.Version, "aggregate %s", e.Aggregate)
		versions[e.Aggregate] = e.Version
		require.Equal(t, stored[e.ID], m.Sequence, "event %s", e.ID)
		return nil
	}))
	require.EqualValues(t, acknowledged.Load(), seen, "every acknowledged event once, and no other")
}

func TestGroupCommitGivesUpInTime(t *testing.T) {
	server := natstest.Server(t)
	s := natstest.Stream(t, natstest.Conn(t, server), eventstore.StreamConfig{Registry: toyRegistry(), GroupCommit: true})
	server.Close()
	require.Eventually(t, func() bool { return !s.Conn().IsConnected() }, 30*time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			id := uuid.New()
			_, err := appendOne(ctx, s, id, 0, event(t, id, 1))
			if !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrUnknownOutcome) {
				t.Errorf("unexpected: %v", err)
			}
		})
	}
	wg.Wait()
}
