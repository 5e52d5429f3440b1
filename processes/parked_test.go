package processes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// poison is something in an aggregate's way until it is cured.
type poison struct {
	name, kind, cause string
	attempts          int
	// put is version 2, which would put coin 2 into the jar.
	put func(t *testing.T, h *house, bell, jar uuid.UUID)
	// works spoils what the process does about coin 2.
	decide func() processes.Step
	target func() error
}

func ringTwice(t *testing.T, h *house, bell, jar uuid.UUID) {
	h.ring(t, bell, 2, rung{Jar: jar, Coin: 2})
}

var poisons = []poison{
	{name: "malformed", kind: parked.CauseMalformed, cause: "bell.rung.v1", attempts: 1,
		put: func(t *testing.T, h *house, bell, _ uuid.UUID) { h.raw(t, bell, 2, "bell.rung.v1", `{"coin":"two"}`) }},
	{name: "another revision", kind: parked.CauseUnknown, cause: "bell.rung.v2", attempts: 1,
		put: func(t *testing.T, h *house, bell, _ uuid.UUID) { h.raw(t, bell, 2, "bell.rung.v2", `{}`) }},
	{name: "panic", kind: parked.CauseApply, cause: "cannot be", attempts: 1, put: ringTwice,
		decide: func() processes.Step { panic("this cannot be") }},
	{name: "no answer", kind: parked.CauseApply, cause: "what now", attempts: 1, put: ringTwice,
		decide: func() processes.Step { return processes.Stop{Cause: errors.New("what now")} }},
	{name: "no such target", kind: parked.CauseApply, cause: `"vases"`, attempts: 1, put: ringTwice,
		decide: func() processes.Step { return processes.Send{To: "vases"} }},
	{name: "unexpected error", kind: parked.CauseApply, cause: "out of glass", attempts: 5, put: ringTwice,
		target: func() error { return errors.New("out of glass") }},
	{name: "panic of the target", kind: parked.CauseApply, cause: "broken glass", attempts: 5, put: ringTwice,
		target: func() error { panic("broken glass") }},
}

// poisoned is a porter, and a jar, that the poison is in the way of.
func (p poison) poisoned(cured *atomic.Bool) (processes.Definition[struct{}], func(*processes.Config)) {
	d := porter(func(d *definition) {
		decide := d.Decide
		d.Decide = func(s struct{}, e eventstore.Event, answers []processes.Answer) processes.Step {
			if r, ok := e.Payload.(rung); ok && r.Coin == 2 && p.decide != nil && !cured.Load() {
				return p.decide()
			}
			return decide(s, e, answers)
		}
	})
	return d, into(func(next processes.Target) processes.Target {
		return func(ctx context.Context, c processes.Command) error {
			if c.Body == any(put{2}) && p.target != nil && !cured.Load() {
				return p.target()
			}
			return next(ctx, c)
		}
	})
}

func TestWhatCannotBeHandledParksItsAggregateAlone(t *testing.T) {
	t.Parallel()
	for _, p := range poisons {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			h := setup(t, 1)
			var cured atomic.Bool
			d, target := p.poisoned(&cured)
			r := h.run(t, d, target)
			bell, other, into1, into2 := uuid.New(), uuid.New(), uuid.New(), uuid.New()
			h.ring(t, bell, 1, rung{Jar: into1, Coin: 1})
			p.put(t, h, bell, into1)
			h.ring(t, bell, 3, rung{Jar: into1, Coin: 3})
			h.ring(t, other, 1, rung{Jar: into2, Coin: 4})
			h.holds(t, into2, 4)
			eventually(t, "all is seen", func() bool {
				m := r.parkedAt(t, bell)
				return m != nil && m.Seen == h.sent[bell]
			})
			m := r.parkedAt(t, bell)
			require.Equal(t, []int{1}, h.coins(t, into1))
			require.Equal(t, "porter", m.Projection)
			require.Equal(t, "BELLS", m.Stream)
			require.EqualValues(t, 2, m.Version)
			require.Equal(t, p.kind, m.Kind)
			require.Contains(t, m.Cause, p.cause)
			require.Equal(t, p.attempts, m.Attempts)
			require.WithinDuration(t, time.Now(), m.Since, time.Minute)
			require.Equal(t, 1, r.status(t).Parked)
			r.rests(t)

			left, err := r.Retry(natstest.Context(t), "porter", bell)
			require.NoError(t, err)
			require.Len(t, left, 1)
			require.Equal(t, p.attempts+1, left[0].Attempts)
			require.Equal(t, m.Since, left[0].Since)
			if p.decide == nil && p.target == nil {
				return
			}
			cured.Store(true)
			left, err = r.Retry(natstest.Context(t), "porter", bell)
			require.NoError(t, err)
			require.Empty(t, left)
			h.ring(t, bell, 4, rung{Jar: into1, Coin: 4})
			h.holds(t, into1, 1, 2, 3, 4)
			require.Nil(t, r.parkedAt(t, bell))
			left, err = r.Retry(natstest.Context(t), "porter", bell)
			require.NoError(t, err, "nothing is parked any more")
			require.Empty(t, left)
		})
	}
}

func (r *runner) parkedAt(t testing.TB, id uuid.UUID) *processes.Parked {
	t.Helper()
	all, err := r.Parked(natstest.Context(t))
	require.NoError(t, err)
	for _, m := range all {
		if m.Aggregate == id {
			return &m
		}
	}
	return nil
}

// Another copy, or the same code a day later, may do what this one could not.
func TestTheNextCopyTriesWhatIsParked(t *testing.T) {
	t.Parallel()
	h := setup(t, 2)
	var cured atomic.Bool
	d, target := poisons[2].poisoned(&cured)
	first := h.run(t, d, target)
	bell, into1 := bellOf(1), uuid.New()
	for v := range uint64(3) {
		h.ring(t, bell, v+1, rung{Jar: into1, Coin: int(v) + 1})
	}
	eventually(t, "it is parked", func() bool { return first.parkedAt(t, bell) != nil })
	first.rests(t)
	first.stop()
	body, err := json.Marshal(first.parkedAt(t, bell))
	require.NoError(t, err)
	for _, field := range []string{"projection", "generation", "stream", "aggregate_id", "version", "kind", "cause", "attempts", "since", "seen"} {
		require.Contains(t, string(body), `"`+field+`":`)
	}
	cured.Store(true)
	next := h.run(t, d, target)
	h.holds(t, into1, 1, 2, 3)
	eventually(t, "the mark is gone", func() bool { return next.parkedAt(t, bell) == nil })
}

// What was in the way may go by itself, and then nobody has to say so.
func TestWhatWasInTheWayMayPass(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	var cured atomic.Bool
	d, target := poisons[2].poisoned(&cured)
	r := h.run(t, d, target, func(c *processes.Config) { c.RetryAfter = 20 * time.Millisecond })
	bell, into1 := uuid.New(), uuid.New()
	for v := range uint64(3) {
		h.ring(t, bell, v+1, rung{Jar: into1, Coin: int(v) + 1})
	}
	eventually(t, "it is tried again in vain", func() bool {
		m := r.parkedAt(t, bell)
		return m != nil && m.Attempts > poisons[2].attempts
	})
	cured.Store(true)
	h.holds(t, into1, 1, 2, 3)
	eventually(t, "the mark is gone", func() bool { return r.parkedAt(t, bell) == nil })
}

// A copy that begins while an aggregate is parked leaves its later events alone.
func TestAParkedAggregateStaysParkedForTheNextCopy(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	var cured atomic.Bool
	d, target := poisons[2].poisoned(&cured)
	first := h.run(t, d, target)
	bell, into1 := uuid.New(), uuid.New()
	h.ring(t, bell, 1, rung{Jar: into1, Coin: 1})
	h.ring(t, bell, 2, rung{Jar: into1, Coin: 2})
	eventually(t, "it is parked", func() bool { return first.parkedAt(t, bell) != nil })
	first.stop()
	next := h.run(t, d, target)
	h.ring(t, bell, 3, rung{Jar: into1, Coin: 3})
	eventually(t, "it is seen", func() bool { return next.parkedAt(t, bell).Seen == h.sent[bell] })
	require.Equal(t, []int{1}, h.coins(t, into1))
}

func TestEventsOfOtherTypesArePassedOver(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	r := h.run(t, porter())
	bell, into1 := uuid.New(), uuid.New()
	h.ring(t, bell, 1, rung{Jar: into1, Coin: 1})
	h.raw(t, bell, 2, "bell.polished.v1", `{}`)
	h.raw(t, bell, 3, "bell.oiled.v1", `not JSON`)
	h.ring(t, bell, 4, rung{Jar: into1, Coin: 4})
	h.holds(t, into1, 1, 4)
	r.rests(t)
	require.Zero(t, r.status(t).Parked)
}

// Another writer put version 3 into the stream before version 2.
func TestOrderIsByVersion(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	r := h.run(t, porter())
	bell, into1 := uuid.New(), uuid.New()
	coin := func(v int) string { return fmt.Sprintf(`{"jar":%q,"coin":%d}`, into1, v) }
	for _, v := range []int{1, 4, 3, 2, 2, 6, 5} {
		h.raw(t, bell, uint64(v), "bell.rung.v1", coin(v))
	}
	h.holds(t, into1, 1, 2, 3, 4, 5, 6)
	r.rests(t)
	require.Zero(t, r.status(t).Parked)

	// One that knows nothing of the aggregate yet finds the same order.
	r.stop()
	second := h.run(t, porter(func(d *definition) { d.Name = "second" }))
	eventually(t, "the second porter did it too", func() bool { return len(h.coins(t, into1)) == 12 })
	require.Equal(t, []int{1, 2, 3, 4, 5, 6}, h.coins(t, into1)[6:])
	second.rests(t)
}

func TestAMissingVersionParksUntilItIsWritten(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	r := h.run(t, porter(), func(c *processes.Config) { c.HealAfter = 100 * time.Millisecond })
	bell, into1 := uuid.New(), uuid.New()
	h.ring(t, bell, 1, rung{Jar: into1, Coin: 1})
	h.raw(t, bell, 3, "bell.rung.v1", fmt.Sprintf(`{"jar":%q,"coin":3}`, into1))
	eventually(t, "it is parked", func() bool { return r.parkedAt(t, bell) != nil })
	m := r.parkedAt(t, bell)
	require.Equal(t, parked.CauseMissing, m.Kind)
	require.EqualValues(t, 2, m.Version)
	h.raw(t, bell, 2, "bell.rung.v1", fmt.Sprintf(`{"jar":%q,"coin":2}`, into1))
	h.holds(t, into1, 1, 2, 3)
	eventually(t, "the mark is gone", func() bool { return r.parkedAt(t, bell) == nil })
}

// A decider that wants the aggregate's own history has it, also of an aggregate that
// this copy has never seen.
func TestADeciderKnowsTheAggregatesEvents(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	sum := func(name string) processes.Definition[int] {
		return processes.Definition[int]{
			Name: name, Stream: "BELLS", Start: processes.Beginning, Reacts: []eventstore.Payload{muted{}},
			Evolve: func(s int, e eventstore.Event) int {
				if r, ok := e.Payload.(rung); ok {
					return s + r.Coin
				}
				return s
			},
			Decide: func(s int, e eventstore.Event, answers []processes.Answer) processes.Step {
				if len(answers) > 0 {
					return nil
				}
				return putInto(e.Aggregate, s)
			},
		}
	}
	bell := uuid.New()
	h.ring(t, bell, 1, rung{Coin: 3})
	h.raw(t, bell, 2, "bell.polished.v1", `{}`)
	h.ring(t, bell, 3, rung{Coin: 4})
	h.ring(t, bell, 4, muted{})
	runOf(t, h, sum("adder"))
	h.holds(t, bell, 7)
}

func runOf[S any](t *testing.T, h *house, d processes.Definition[S]) {
	t.Helper()
	p, err := processes.Define(d)
	require.NoError(t, err)
	r, err := processes.New(natstest.Context(t), processes.Config{
		Streams: map[string]*eventstore.Stream{"BELLS": h.bells}, Targets: map[string]processes.Target{"jars": target(h.handler(t))},
	}, p)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}
