package commands_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// total is a jar whose state is small however many coins it holds.
type total struct {
	Sum int `json:"sum"`
}

type totalHandler = commands.Handler[total, any]

// totals is a process; folded counts the events that it has folded.
func totals(t testing.TB, s *eventstore.Stream, snapshots *eventstore.Snapshots, change ...func(*commands.Config)) (h *totalHandler, folded *int) {
	t.Helper()
	folded = new(int)
	cfg := commands.Config{}
	for _, c := range change {
		c(&cfg)
	}
	h, err := commands.New(s, snapshots, commands.Decider[total, any]{
		Initial: func() total { return total{} },
		Decide:  func(_ total, c any) ([]eventstore.Payload, error) { return decide(jar{}, c) },
		Evolve: func(s total, p eventstore.Payload) total {
			*folded++
			return total{s.Sum + p.(coinPut).Coin}
		},
	}, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	return h, folded
}

// life is the history of one aggregate: each command, and the version it ended at.
type life struct {
	aggregate uuid.UUID
	sequence  uint64
	version   uint64
	done      []commands.Command[any]
	ended     []uint64
}

// batch appends many commands at once, past every handler; each 50th has 3 events.
func (l *life) batch(t testing.TB, s *eventstore.Stream, n int) {
	t.Helper()
	var events []eventstore.Event
	flush := func() {
		last, err := s.Append(natstest.Context(t), eventstore.Append{Aggregate: l.aggregate, ExpectedSequence: l.sequence, Events: events})
		require.NoError(t, err)
		l.sequence, events = last[0], nil
	}
	for i := range n {
		c := cmd(l.aggregate, put{[]int{1}})
		c.Hash = hash(t, c.ID)
		for j := range 1 + 2*(i%50/49) {
			l.version++
			e := eventstore.Event{
				ID: uuid.New(), Aggregate: l.aggregate, Version: l.version, Time: time.Now(), CausationID: c.ID.String(), Payload: coinPut{Coin: 1},
			}
			if j == 0 {
				e.CommandID, e.CommandHash = c.ID.String(), c.Hash
			}
			events = append(events, e)
		}
		l.done, l.ended = append(l.done, c), append(l.ended, l.version)
		if len(events) > eventstore.MaxBatch-3 {
			flush()
		}
	}
	flush()
}

func hash(t testing.TB, of any) string {
	t.Helper()
	h, err := commands.Hash(of)
	require.NoError(t, err)
	return h
}

// handle lets a handler handle one command more.
func (l *life) handle(ctx context.Context, t testing.TB, s *eventstore.Stream, h *totalHandler) {
	t.Helper()
	c := cmd(l.aggregate, put{[]int{1}})
	c.Hash = hash(t, c.ID)
	res, err := h.Handle(ctx, c)
	require.NoError(t, err)
	require.Equal(t, l.version+1, res.Version)
	l.version++
	l.done, l.ended = append(l.done, c), append(l.ended, res.Version)
	l.sequence, err = s.LastSequence(ctx, l.aggregate)
	require.NoError(t, err)
}

// requireKnown checks the commands of a sample, the first and the last among them: more
// by a hash that is not their own, some by their results.
func (l *life) requireKnown(ctx context.Context, t *testing.T, h *totalHandler, results int) {
	t.Helper()
	another := hash(t, "another")
	for _, at := range sample(len(l.done), 1000) {
		c := l.done[at]
		c.Hash = another
		_, err := h.Handle(ctx, c)
		require.ErrorIs(t, err, commands.ErrKeyReused, "command %d of %d", at, len(l.done))
	}
	for _, at := range sample(len(l.done), results) {
		res, err := h.Handle(ctx, l.done[at])
		require.NoError(t, err)
		require.True(t, res.Repeated, "command %d of %d", at, len(l.done))
		require.Equal(t, l.ended[at], res.Version)
		require.Equal(t, total{int(l.ended[at])}, res.State)
	}
	last, err := h.Current(ctx, l.aggregate)
	require.NoError(t, err)
	require.Equal(t, l.version, last.Version, "no command had a second effect")
}

// bucketSizes sees each message that goes into the bucket of snapshots.
func bucketSizes(t *testing.T, s *eventstore.Stream) (largest func() int) {
	t.Helper()
	sub, err := s.Conn().SubscribeSync("$KV.snapshots.>")
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	require.NoError(t, s.Conn().Flush())
	return func() int {
		require.NoError(t, s.Conn().Flush())
		n := 0
		for pending, _, _ := sub.Pending(); pending > 0; pending-- {
			m, err := sub.NextMsg(time.Minute)
			require.NoError(t, err)
			n = max(n, m.Size())
		}
		require.NotZero(t, n)
		return n
	}
}

// sample is so many of n numbers, evenly, the first and the last among them.
func sample(n, size int) (numbers []int) {
	for i := range min(n, size) {
		numbers = append(numbers, i*(n-1)/max(min(n, size)-1, 1))
	}
	return numbers
}

// BenchmarkColdLoad loads an aggregate of a hundred thousand commands: from its
// snapshot, and from its log alone.
func BenchmarkColdLoad(b *testing.B) {
	_, _, s := setup(b)
	snapshots, err := eventstore.OpenSnapshots(b.Context(), s.JetStream(), 1)
	require.NoError(b, err)
	l := &life{aggregate: uuid.New()}
	for range 100 {
		l.batch(b, s, 1000)
	}
	h, _ := totals(b, s, snapshots)
	l.handle(b.Context(), b, s, h)
	require.NoError(b, h.Close(b.Context()))
	for name, from := range map[string]*eventstore.Snapshots{"snapshot": snapshots, "log": nil} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h, _ := totals(b, s, from)
				res, err := h.At(b.Context(), l.aggregate, l.version)
				if err != nil || res.Version != l.version {
					b.Fatal(fmt.Sprint(res.Version, err))
				}
			}
		})
	}
	b.Run("repeat of the first", func(b *testing.B) {
		for b.Loop() {
			res, err := h.Handle(b.Context(), l.done[0])
			if err != nil || !res.Repeated {
				b.Fatal(err)
			}
		}
	})
	b.Run("repeat of any", func(b *testing.B) {
		for b.Loop() {
			c := l.done[rand.IntN(len(l.done))]
			c.Hash = ""
			if _, err := h.Handle(b.Context(), c); err == nil {
				b.Fatal("another hash")
			}
		}
	})
}
