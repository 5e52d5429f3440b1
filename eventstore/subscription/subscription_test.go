package subscription_test

import (
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestAnAggregateStaysInItsLaneInOrder(t *testing.T) {
	stream := setup(t, 1)
	publish(t, stream, 1000, someIDs(50)...)
	s := subscribe(t, subscription.Config{Stream: stream, Lanes: 4})
	lanes := map[string]int{}
	last := map[string]uint64{}
	used := map[int]bool{}
	for left := 1000; left > 0; {
		for i := range s.Lanes() {
			select {
			case d := <-s.Lane(i):
				if lane, known := lanes[d.Subject]; known {
					require.Equal(t, lane, i)
				}
				require.Greater(t, d.Sequence, last[d.Subject])
				lanes[d.Subject], last[d.Subject], used[i] = i, d.Sequence, true
				require.NoError(t, d.Ack())
				left--
			default:
			}
		}
	}
	require.Greater(t, len(used), 1)
	require.EqualValues(t, 1000, s.Watermark())
	eventually(t, "all is acknowledged", func() bool { return consumer(t, stream).AckFloor.Stream == 1000 })
}

func TestOnlyItsPartition(t *testing.T) {
	stream := setup(t, 8)
	publish(t, stream, 400, someIDs(100)...)
	for p := range 8 {
		s, err := subscription.New(subscription.Config{Stream: stream, Durable: "reader", Partition: p})
		require.NoError(t, err)
		r := run(t, s)
		state, err := s.State(natstest.Context(t))
		for err == nil && !state.Exists {
			state, err = s.State(natstest.Context(t))
		}
		require.NoError(t, err)
		for _, d := range r.take(t, int(state.Pending)) {
			require.Equal(t, p, stream.Partition(stream.Aggregate(d.Subject)))
			require.NoError(t, d.Ack())
		}
		r.stop()
		require.NoError(t, stream.JetStream().DeleteConsumer(natstest.Context(t), stream.Name(), "reader"))
	}
}

func TestReturnedMessageComesAgainAfterItsDelay(t *testing.T) {
	stream := setup(t, 1)
	publish(t, stream, 1)
	s := subscribe(t, subscription.Config{Stream: stream})
	first := s.take(t, 1)[0]
	require.EqualValues(t, 1, first.Deliveries)
	began := time.Now()
	require.NoError(t, first.Nak(700*time.Millisecond))
	require.Zero(t, s.Watermark())
	again := s.take(t, 1)[0]
	require.GreaterOrEqual(t, time.Since(began), 600*time.Millisecond)
	require.EqualValues(t, 2, again.Deliveries)
	require.NoError(t, again.Ack())
	require.EqualValues(t, 1, s.Watermark())
}

func TestWhatIsSetAsideHoldsTheWatermark(t *testing.T) {
	stream := setup(t, 1)
	publish(t, stream, 3)
	s := subscribe(t, subscription.Config{Stream: stream, Lanes: 1})
	got := s.take(t, 3)
	require.NoError(t, got[1].SetAside())
	require.NoError(t, got[0].Ack())
	require.EqualValues(t, 1, s.WatermarkWith(got[2:]))
	require.NoError(t, got[2].Ack())
	eventually(t, "the broker is done with all", func() bool { return consumer(t, stream).AckFloor.Stream == 3 })
	require.EqualValues(t, 1, s.Watermark())
	s.Done(got[1].Sequence)
	require.EqualValues(t, 3, s.Watermark())
}

// A lane that takes nothing slows the pull, and nothing is lost or given twice.
func TestBackPressure(t *testing.T) {
	const all, bound = 20_000, 8192 // a full lane, what was asked for, and as much again
	stream := setup(t, 1)
	publish(t, stream, all)
	s := subscribe(t, subscription.Config{Stream: stream, Lanes: 1, MaxAckPending: all})
	eventually(t, "the lane is full", func() bool { return len(s.Lane(0)) == cap(s.Lane(0)) })
	for range 50 {
		require.Less(t, consumer(t, stream).NumAckPending, bound)
		time.Sleep(10 * time.Millisecond) // a window to look through
	}
	seen := map[uint64]bool{}
	for range all / 100 {
		got := s.take(t, 100)
		for _, d := range got {
			require.False(t, seen[d.Sequence])
			seen[d.Sequence] = true
		}
		require.Less(t, consumer(t, stream).NumAckPending, bound)
		ackAll(t, got)
	}
	require.EqualValues(t, all, s.Watermark())
}

// Work that takes longer than AckWait is extended, also what waits in a lane.
func TestSlowWorkIsNotDeliveredAgain(t *testing.T) {
	stream := setup(t, 1)
	publish(t, stream, 20)
	s := subscribe(t, subscription.Config{Stream: stream, Lanes: 1, AckWait: time.Second})
	first := s.take(t, 1)
	<-time.After(3500 * time.Millisecond) // the slow work
	got := append(first, s.take(t, 19)...)
	for _, d := range got {
		require.EqualValues(t, 1, d.Deliveries)
	}
	require.Zero(t, consumer(t, stream).NumRedelivered)
	ackAll(t, got)
	require.EqualValues(t, 20, s.Watermark())
}

func TestTwoCopiesShare(t *testing.T) {
	stream := setup(t, 1)
	a := subscribe(t, subscription.Config{Stream: stream})
	b := subscribe(t, subscription.Config{Stream: stream})
	eventually(t, "both ask", func() bool {
		state, err := a.State(natstest.Context(t))
		return err == nil && state.Exists && consumer(t, stream).NumWaiting == 2
	})
	publish(t, stream, 1000)
	seen := map[uint64]int{}
	var ofB []*subscription.Delivery
	count := [2]int{}
	for len(seen) < 1000 {
		for i, s := range []*subscriber{a, b} {
			for lane := range s.Lanes() {
				select {
				case d := <-s.Lane(lane):
					seen[d.Sequence]++
					count[i]++
					if s == b {
						ofB = append(ofB, d)
						continue
					}
					require.NoError(t, d.Ack())
				default:
				}
			}
		}
	}
	t.Logf("shares: %v", count)
	for sequence, times := range seen {
		require.Equal(t, 1, times, "sequence %d", sequence)
	}
	require.NotEmpty(t, ofB)
	require.Less(t, a.Watermark(), slices.Min(sequences(ofB)), "what the other copy holds is not dealt with")
	ackAll(t, ofB)
	eventually(t, "both know that all is dealt with", func() bool {
		publish(t, stream, 2) // a copy looks at the floor from the next delivery on
		for _, s := range []*subscriber{a, b} {
			for lane := range s.Lanes() {
				select {
				case d := <-s.Lane(lane):
					require.NoError(t, d.Ack())
				default:
				}
			}
		}
		return a.Watermark() >= 1000 && b.Watermark() >= 1000
	})
}

// What a copy held that went away comes to the other one.
func TestOtherCopyTakesOver(t *testing.T) {
	stream := setup(t, 1)
	a := subscribe(t, subscription.Config{Stream: stream, AckWait: time.Second})
	publish(t, stream, 100)
	held := a.take(t, 100)
	a.stop()
	b := subscribe(t, subscription.Config{Stream: stream, AckWait: time.Second})
	got := b.take(t, 100)
	require.ElementsMatch(t, sequences(held), sequences(got))
	ackAll(t, got)
	eventually(t, "all is acknowledged", func() bool { return consumer(t, stream).AckFloor.Stream == 100 })
	eventually(t, "it knows", func() bool { return b.Watermark() == 100 })
}

func TestResumeGoesOnBehindAScan(t *testing.T) {
	stream := setup(t, 1)
	id := uuid.New()
	publish(t, stream, 10, id)
	s, err := subscription.New(subscription.Config{Stream: stream, Durable: "reader"})
	require.NoError(t, err)
	before, err := s.State(natstest.Context(t))
	require.NoError(t, err)
	require.False(t, before.Exists)
	s.Resume(7, before)
	require.EqualValues(t, 7, s.Watermark())
	got := run(t, s).take(t, 3)
	require.Equal(t, []uint64{8, 9, 10}, sequences(got))
	ackAll(t, got)
	require.EqualValues(t, 10, s.Watermark())
}

func TestSettingsAreCorrected(t *testing.T) {
	stream := setup(t, 1)
	for _, pending := range []int{100, 200} {
		s := subscribe(t, subscription.Config{Stream: stream, MaxAckPending: pending})
		eventually(t, "the consumer has its settings", func() bool {
			state, err := s.State(natstest.Context(t))
			return err == nil && state.Exists && consumer(t, stream).Config.MaxAckPending == pending
		})
		s.stop()
	}
	c := consumer(t, stream).Config
	require.Equal(t, -1, c.MaxDeliver)
	require.Empty(t, c.FilterSubjects)
	_, err := subscription.New(subscription.Config{Stream: stream})
	require.Error(t, err)
}

// A copy that drains deals with all that it was given, and the next one gets the
// rest: nothing is delivered twice.
func TestDrain(t *testing.T) {
	stream := setup(t, 1)
	publish(t, stream, 6_000)
	var got []uint64
	for len(got) < 6_000 {
		sub, err := subscription.New(subscription.Config{Stream: stream, Durable: "reader", Lanes: 1})
		require.NoError(t, err)
		s := run(t, sub)
		taken := s.take(t, 1)
		s.Drain()
		taken = append(taken, s.takeRest()...)
		ackAll(t, taken)
		got = append(got, sequences(taken)...)
	}
	require.Len(t, got, 6_000)
	slices.Sort(got)
	require.Len(t, slices.Compact(got), 6_000)
	eventually(t, "all is acknowledged", func() bool { return consumer(t, stream).NumAckPending == 0 })
}
