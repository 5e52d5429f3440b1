package processes_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestAProcessReactsToAnEvent(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	r := h.run(t, porter())
	bell, into := uuid.New(), uuid.New()
	e := h.ring(t, bell, 1, rung{Jar: into, Coin: 5})
	h.ring(t, bell, 2, oiled{})
	h.ring(t, bell, 3, rung{Jar: into, Coin: 6})
	h.holds(t, into, 5, 6)

	effect := h.history(t, into)[0]
	require.Equal(t, e.ID.String(), effect.CausationID)
	require.Equal(t, "request 1", effect.CorrelationID)
	require.Equal(t, "process/porter", effect.Actor)
	require.Equal(t, e.TraceParent, effect.TraceParent)
	require.NotEmpty(t, effect.CommandID)
	require.NotEmpty(t, effect.CommandHash)
	r.rests(t)
	s := r.status(t)
	require.Equal(t, processes.Status{Name: "porter", Stream: "BELLS", Handled: 2}, s)
}

func TestARefusalIsAnAnswer(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	h.run(t, porter())
	closed, open := uuid.New(), uuid.New()
	shutJar(t, h, closed)
	bell := uuid.New()
	h.ring(t, bell, 1, rung{Jar: closed, Coin: 1})
	h.ring(t, bell, 2, rung{Jar: open, Coin: 2})
	h.holds(t, open, 2)
	h.holds(t, spare, 1)
}

func shutJar(t testing.TB, h *house, id uuid.UUID) {
	t.Helper()
	require.NoError(t, target(h.handler(t))(natstest.Context(t), processes.Command{ID: uuid.New(), Hash: "-", Aggregate: id, Body: shut{}}))
}

func TestARepeatedDeliveryChangesNothing(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	first := h.run(t, porter())
	bell, into, closed := uuid.New(), uuid.New(), uuid.New()
	shutJar(t, h, closed)
	for v := range uint64(10) {
		p := rung{Jar: into, Coin: int(v)}
		if v%3 == 0 {
			p.Jar = closed
		}
		h.ring(t, bell, v+1, p)
	}
	first.rests(t)
	first.stop()
	before, spilled := h.coins(t, into), h.coins(t, spare)
	require.Len(t, before, 6)
	require.NoError(t, h.bells.JetStream().DeleteConsumer(natstest.Context(t), "BELLS", "process_porter_p0"))
	again := h.run(t, porter())
	again.rests(t)
	require.EqualValues(t, 10, again.status(t).Handled, "it reacted to all of them once more")
	require.Equal(t, before, h.coins(t, into))
	require.Equal(t, spilled, h.coins(t, spare))
}

func TestWhereAProcessStarts(t *testing.T) {
	t.Parallel()
	h := setup(t, 4)
	into := uuid.New()
	var last uint64
	for i := range 8 {
		bell := bellOf(i)
		h.ring(t, bell, 1, rung{Jar: into, Coin: i})
		last = h.sent[bell]
	}
	start := func(name string, start uint64) *runner {
		return h.run(t, porter(func(d *definition) {
			d.Name, d.Start = name, start
			decide := d.Decide
			d.Decide = func(_ struct{}, e eventstore.Event, answers []processes.Answer) processes.Step {
				step := decide(struct{}{}, e, answers)
				if send, ok := step.(processes.Send); ok {
					send.Aggregate = uuid.NewSHA1(uuid.Nil, []byte(name))
					return send
				}
				return step
			}
			d.Timer, d.Due = "", nil
		}))
	}
	runners := []*runner{start("fresh", processes.NewEvents), start("all", processes.Beginning), start("some", last-1)}
	for _, r := range runners {
		r.stop()
	}
	h.ring(t, bellOf(0), 1, rung{Jar: into, Coin: 100}) // while nobody runs
	for _, r := range []*runner{start("fresh", processes.NewEvents), start("all", processes.Beginning), start("some", last-1)} {
		r.rests(t)
	}
	require.ElementsMatch(t, []int{100}, h.coins(t, uuid.NewSHA1(uuid.Nil, []byte("fresh"))))
	require.ElementsMatch(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 100}, h.coins(t, uuid.NewSHA1(uuid.Nil, []byte("all"))))
	require.ElementsMatch(t, []int{6, 7, 100}, h.coins(t, uuid.NewSHA1(uuid.Nil, []byte("some"))))
}

// One aggregate's command fails for a while: its later events wait, others go on.
func TestATransientErrorHoldsUpItsOwnAggregateOnly(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	stuck, free := uuid.New(), uuid.New()
	failing := make(chan struct{})
	r := h.run(t, porter(), into(func(next processes.Target) processes.Target {
		return func(ctx context.Context, c processes.Command) error {
			select {
			case <-failing:
			default:
				if c.Aggregate == stuck && c.Body == any(put{1}) {
					return eventstore.ErrUnknownOutcome
				}
			}
			return next(ctx, c)
		}
	}))
	one, other := uuid.New(), uuid.New()
	for v := range uint64(5) {
		h.ring(t, one, v+1, rung{Jar: stuck, Coin: int(v) + 1})
		h.ring(t, other, v+1, rung{Jar: free, Coin: int(v) + 1})
	}
	h.holds(t, free, 1, 2, 3, 4, 5)
	require.Empty(t, h.coins(t, stuck))
	eventually(t, "it is tried again", func() bool { return r.status(t).Retries > 2 })
	require.Contains(t, r.status(t).Problem, "outcome unknown")
	require.NotZero(t, r.status(t).LagEvents)
	close(failing)
	h.holds(t, stuck, 1, 2, 3, 4, 5)
	r.rests(t)
	require.Empty(t, r.status(t).Problem)
	require.Zero(t, r.status(t).Parked)
}

// A copy dies with events in its hands, which the broker gives to nobody before an
// hour has passed. The next one takes them on at once, before what comes later.
func TestTheNextCopyGoesOnAtOnceAndInOrder(t *testing.T) {
	t.Parallel()
	h := setup(t, 2)
	bell, into1 := bellOf(1), uuid.New()
	hour := func(c *processes.Config) { c.AckWait = time.Hour }
	holding := make(chan struct{}, 10)
	first := h.run(t, porter(), hour, into(func(next processes.Target) processes.Target {
		return func(ctx context.Context, c processes.Command) error {
			if c.Body == any(put{2}) {
				holding <- struct{}{}
				<-ctx.Done() // its effect is there or not, who knows
				return ctx.Err()
			}
			return next(ctx, c)
		}
	}))
	for v := range uint64(4) {
		h.ring(t, bell, v+1, rung{Jar: into1, Coin: int(v) + 1})
	}
	<-holding
	first.stop()
	require.Equal(t, []int{1}, h.coins(t, into1))

	h.ring(t, bell, 5, rung{Jar: into1, Coin: 5})
	h.run(t, porter(), hour)
	h.holds(t, into1, 1, 2, 3, 4, 5)
}

// Between two steps of one reaction the copy dies; the next one takes both steps, the
// first of them without effect.
func TestKilledBetweenTwoSteps(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	twice := porter(func(d *definition) {
		d.Decide = func(_ struct{}, e eventstore.Event, answers []processes.Answer) processes.Step {
			if p := e.Payload.(rung); len(answers) < 2 {
				return putInto(p.Jar, 10*p.Coin+len(answers))
			}
			return nil
		}
	})
	into1 := uuid.New()
	between := make(chan struct{})
	first := h.run(t, twice, into(func(next processes.Target) processes.Target {
		return func(ctx context.Context, c processes.Command) error {
			if c.Body == any(put{11}) {
				close(between)
				<-ctx.Done()
				return ctx.Err()
			}
			return next(ctx, c)
		}
	}))
	h.ring(t, uuid.New(), 1, rung{Jar: into1, Coin: 1})
	<-between
	first.stop()
	require.Equal(t, []int{10}, h.coins(t, into1))
	h.run(t, twice)
	h.holds(t, into1, 10, 11)
}

// Nothing is shared out: every copy takes from every partition, and all dies now and
// then.
func TestManyCopiesHaveOneEffect(t *testing.T) {
	t.Parallel()
	h := setup(t, 4)
	var wg sync.WaitGroup
	quick := func(c *processes.Config) { c.AckWait = time.Second }
	copies := []*runner{h.run(t, porter(), quick), h.run(t, porter(), quick), h.run(t, porter(), quick)}
	jars := make([]uuid.UUID, 20)
	for i := range jars {
		jars[i] = uuid.New()
	}
	wg.Go(func() {
		for range 3 {
			copies[0].stop()
			copies[0] = h.run(t, porter(), quick)
		}
	})
	bells := make([]uuid.UUID, len(jars))
	for i := range bells {
		bells[i] = bellOf(i)
	}
	for v := range uint64(10) {
		for i, bell := range bells {
			h.ring(t, bell, v+1, rung{Jar: jars[i], Coin: int(v)})
		}
	}
	wg.Wait()
	copies[1].rests(t)
	for _, id := range jars {
		require.ElementsMatch(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, h.coins(t, id))
	}
}

// Partitions move from copy to copy as these come and go, and take what is under way
// along.
func TestOrderHoldsWhilePartitionsMove(t *testing.T) {
	t.Parallel()
	h := setup(t, 4)
	// By these names each of them is due for some of the partitions.
	join := func(member string) (r *runner) {
		shares, err := subscription.JoinShares(natstest.Context(t), h.bells.JetStream(), subscription.SharesConfig{Group: "porters", Member: member})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- shares.Run(ctx) }()
		r = h.run(t, porter(), func(c *processes.Config) { c.Shares = shares })
		stop := r.stop
		r.stop = sync.OnceFunc(func() {
			stop()
			cancel()
			require.NoError(t, <-done)
		})
		t.Cleanup(r.stop)
		return r
	}
	const bells = 8
	ids, jars := make([]uuid.UUID, bells), make([]uuid.UUID, bells)
	for i := range ids {
		ids[i], jars[i] = bellOf(i), uuid.New()
	}
	var want []int
	ringAll := func() {
		want = append(want, len(want))
		for i := range ids {
			h.ring(t, ids[i], uint64(len(want)), rung{Jar: jars[i], Coin: len(want) - 1})
		}
	}
	var copies []*runner
	for _, member := range []string{"one", "two", "three"} {
		r := join(member)
		eventually(t, member+" has its share", func() bool {
			ringAll()
			return r.status(t).Handled > 0
		})
		copies = append(copies, r)
	}
	for _, r := range copies[:2] {
		ringAll()
		r.stop()
		for range 5 {
			ringAll()
		}
	}
	for _, id := range jars {
		h.holds(t, id, want...)
	}
	t.Logf("%d events", bells*len(want))
}

// Nothing is shared out, and one copy hangs with what it was given: the other one
// handles that too, before what comes later.
func TestAnEventOfAnotherCopyIsNotOvertaken(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	hour := func(c *processes.Config) { c.AckWait = time.Hour }
	hangs := into(func(processes.Target) processes.Target {
		return func(ctx context.Context, _ processes.Command) error {
			<-ctx.Done()
			return ctx.Err()
		}
	})
	h.run(t, porter(), hour, hangs)
	works := h.run(t, porter(), hour)
	want := []int{1, 2, 3, 4, 5}
	jars := map[uuid.UUID]bool{}
	for range 20 {
		bell, into1 := uuid.New(), uuid.New()
		for _, v := range want {
			h.ring(t, bell, uint64(v), rung{Jar: into1, Coin: v})
		}
		jars[into1] = true
	}
	eventually(t, "it has done what it was given", func() bool { return works.status(t).Handled >= 20 })
	for id := range jars {
		got := h.coins(t, id)
		require.Equal(t, want[:len(got)], append([]int{}, got...), "the rest is with the one that hangs")
	}
}

func TestTheBrokerRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() *eventstore.Server {
		s, err := eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{Dir: dir})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		return s
	}
	server := start()
	nc, err := eventstore.Connect(natstest.Context(t), server.URL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	h := furnish(t, nc, 1)
	away := make(chan struct{})
	var attempts atomic.Int64
	r := h.run(t, porter(), func(c *processes.Config) { c.AckWait = time.Second }, into(func(next processes.Target) processes.Target {
		return func(ctx context.Context, c processes.Command) error {
			if c.Body == any(put{2}) {
				<-away // the command comes when nobody can take it
				attempts.Add(1)
			}
			return next(ctx, c)
		}
	}))
	bell, into1 := uuid.New(), uuid.New()
	for v := range uint64(3) {
		h.ring(t, bell, v+1, rung{Jar: into1, Coin: int(v) + 1})
	}
	h.holds(t, into1, 1)
	server.Close()
	close(away)
	eventually(t, "it is tried", func() bool { return attempts.Load() > 0 })
	start()
	h.holds(t, into1, 1, 2, 3)
	h.ring(t, bell, 4, rung{Jar: into1, Coin: 4})
	h.holds(t, into1, 1, 2, 3, 4)
	r.rests(t)
}

func TestDeletedConsumer(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	r := h.run(t, porter())
	bell, into1 := uuid.New(), uuid.New()
	h.ring(t, bell, 1, rung{Jar: into1, Coin: 1})
	r.rests(t)
	require.NoError(t, h.bells.JetStream().DeleteConsumer(natstest.Context(t), "BELLS", "process_porter_p0"))
	h.ring(t, bell, 2, rung{Jar: into1, Coin: 2})
	h.holds(t, into1, 1, 2)
}

func TestTimersOfAProcess(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	r := h.run(t, porter())
	bell := uuid.New()
	e := h.ring(t, bell, 1, muted{})
	h.holds(t, bell, -1)
	effect := h.history(t, bell)[0]
	require.False(t, effect.Time.Before(e.Time.Add(time.Second)), "not before its time")
	require.Equal(t, e.ID.String(), effect.CausationID)
	require.Equal(t, "request 1", effect.CorrelationID)
	require.Equal(t, e.TraceParent, effect.TraceParent)
	r.rests(t)

	// The same event once more sets the same timer, which has no effect any more.
	r.stop()
	require.NoError(t, h.bells.JetStream().DeleteConsumer(natstest.Context(t), "BELLS", "process_porter_p0"))
	r = h.run(t, porter())
	eventually(t, "it was due again", func() bool { return r.status(t).Handled == 2 })
	h.holds(t, bell, -1)
}

func TestWhatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	_, err := processes.Define(definition{Name: "a.b", Timer: "x"})
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	for _, fault := range []string{"letters", "stream", "Decide", "Due"} {
		require.ErrorContains(t, err, fault)
	}
	p, err := processes.Define(porter())
	require.NoError(t, err)
	_, err = processes.New(natstest.Context(t), processes.Config{}, p)
	require.ErrorContains(t, err, "BELLS")
	streams := map[string]*eventstore.Stream{"BELLS": h.bells}
	_, err = processes.New(natstest.Context(t), processes.Config{Streams: streams}, p)
	require.ErrorContains(t, err, "timers")
	plain, err := processes.Define(porter(func(d *definition) { d.Timer, d.Due = "", nil }))
	require.NoError(t, err)
	_, err = processes.New(natstest.Context(t), processes.Config{Streams: streams}, plain, plain)
	require.ErrorContains(t, err, "twice")
	r, err := processes.New(natstest.Context(t), processes.Config{Streams: streams}, plain)
	require.NoError(t, err)
	_, err = r.Retry(natstest.Context(t), "nobody", uuid.New())
	require.ErrorIs(t, err, processes.ErrUnknownProcess)
}
