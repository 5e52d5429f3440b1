package projections

import (
	"context"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/stretchr/testify/require"
)

// intake is how many a lane takes at once that gathers 8, where more come one by one,
// each with so many messages behind it.
func intake(t *testing.T, g gathering, pending uint64, more int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	in := make(chan *subscription.Delivery)
	go func() {
		for range more {
			select {
			case in <- &subscription.Delivery{Pending: pending}:
			case <-ctx.Done():
				return
			}
		}
	}()
	g.until = 8
	l := &lane{g: &generation{stream: &eventstore.Stream{}}, in: in, tune: tuning{batch: 12, gather: g}}
	batch := l.drain(ctx, &subscription.Delivery{Pending: pending})
	require.NoError(t, ctx.Err(), "the lane waited for what was not to come")
	return len(batch)
}

func TestLaneGathersBehindABacklog(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, intake(t, gathering{within: time.Hour, lull: time.Hour}, 8, 20), 8)
}

func TestLaneWaitsForNothingAtTheEndOfABacklog(t *testing.T) {
	t.Parallel()
	require.Equal(t, 1, intake(t, gathering{within: time.Hour, lull: time.Hour}, 7, 0))
}

func TestLaneGathersNoLongerThanMessagesCome(t *testing.T) {
	t.Parallel()
	require.Equal(t, 1, intake(t, gathering{within: time.Hour, lull: time.Millisecond}, 100, 0))
}

func TestLaneGathersForABoundedTime(t *testing.T) {
	t.Parallel()
	require.Equal(t, 1, intake(t, gathering{within: time.Millisecond, lull: time.Hour}, 100, 0))
}

// TestLaneTakesNoMoreThanItHoldsWell: of large events a few make a batch.
func TestLaneTakesNoMoreThanItHoldsWell(t *testing.T) {
	t.Parallel()
	in := make(chan *subscription.Delivery, 10)
	for range cap(in) {
		in <- &subscription.Delivery{Message: eventstore.Message{Data: make([]byte, batchBytes/3)}, Pending: 100}
	}
	l := &lane{
		g: &generation{stream: &eventstore.Stream{}}, in: in,
		tune: tuning{batch: 12, gather: gathering{until: 8, within: time.Hour, lull: time.Hour}},
	}
	require.Len(t, l.drain(natstest.Context(t), <-in), 4)
	require.Len(t, in, 6)
}
