package processes_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// appraiser puts in what a coin is worth, which it looks up, and then another coin.
func appraiser(looks int) definition {
	return porter(func(d *definition) {
		d.Decide = func(_ struct{}, e eventstore.Event, answers []processes.Answer) processes.Step {
			p := e.Payload.(rung)
			switch n := len(answers); {
			case n < looks:
				return processes.Look{Up: "worth", Query: p.Coin}
			case n == looks && looks > 0:
				worth, _ := answers[n-1].Found.(int)
				if answers[n-1].Refusal != nil {
					worth = -1
				}
				return putInto(p.Jar, worth)
			case n == looks:
				return putInto(p.Jar, 10*p.Coin)
			case n == looks+1:
				return putInto(p.Jar, 1)
			}
			return nil
		}
	})
}

func worth(lookup processes.Lookup) func(*processes.Config) {
	return func(c *processes.Config) { c.Lookups = map[string]processes.Lookup{"worth": lookup} }
}

func tenfold(_ context.Context, query any) (any, error) { return 10 * query.(int), nil }

func TestAProcessLooksUpWhatItMustKnow(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	into1 := uuid.New()
	h.run(t, appraiser(1), worth(tenfold))
	h.ring(t, uuid.New(), 1, rung{Jar: into1, Coin: 5})
	h.holds(t, into1, 50, 1)
}

// A process that has come to look up more sends the same commands: repeated, its
// reactions change nothing.
func TestALookIsNotInTheIDsOfCommands(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	bell, into1 := uuid.New(), uuid.New()
	e := h.ring(t, bell, 1, rung{Jar: into1, Coin: 5})
	r := h.run(t, appraiser(0))
	h.holds(t, into1, 50, 1)
	r.rests(t)
	r.stop()
	require.Equal(t, commands.CommandID("porter", "jar.put", into1.String(), e.ID.String()+"/2").String(), h.history(t, into1)[1].CommandID)
	require.NoError(t, h.bells.JetStream().DeleteConsumer(natstest.Context(t), "BELLS", "process_porter_p0"))
	r = h.run(t, appraiser(3), worth(tenfold))
	r.rests(t)
	require.EqualValues(t, 1, r.status(t).Handled)
	require.Equal(t, []int{50, 1}, h.coins(t, into1))
}

func TestALookupIsAskedUntilItAnswers(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	into1 := uuid.New()
	var asked atomic.Int64
	r := h.run(t, appraiser(1), worth(func(ctx context.Context, query any) (any, error) {
		if asked.Add(1) <= 8 {
			return "not this", eventstore.ErrUnavailable
		}
		return tenfold(ctx, query)
	}))
	h.ring(t, uuid.New(), 1, rung{Jar: into1, Coin: 5})
	h.holds(t, into1, 50, 1)
	require.Zero(t, r.status(t).Parked)
}

func TestALookupMayRefuse(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	into1 := uuid.New()
	h.run(t, appraiser(1), worth(func(context.Context, any) (any, error) { return nil, errClosed }))
	h.ring(t, uuid.New(), 1, rung{Jar: into1, Coin: 5})
	h.holds(t, into1, -1, 1)
}

// What no waiting cures parks the aggregate: a lookup that fails, panics or is none.
func TestALookupThatFailsParks(t *testing.T) {
	t.Parallel()
	for name, lookup := range map[string]processes.Lookup{
		"broken": func(context.Context, any) (any, error) { return nil, errors.New("broken") },
		"panic":  func(context.Context, any) (any, error) { panic("broken") },
		"none":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := setup(t, 1)
			r := h.run(t, appraiser(1), worth(lookup))
			into1 := uuid.New()
			h.ring(t, uuid.New(), 1, rung{Jar: into1, Coin: 5})
			eventually(t, "it is parked", func() bool { return r.status(t).Parked == 1 })
			require.Empty(t, h.coins(t, into1))
		})
	}
}

func TestABodyMustBeACommandOfItsTarget(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	handler, err := commands.New(h.jars, nil, commands.Adapt(
		func() jar { return jar{} },
		func(jar, put) ([]eventstore.Payload, error) { return nil, nil },
		func(s jar, _ eventstore.Payload) jar { return s }), commands.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, handler.Close(context.Background())) })
	err = processes.To(handler)(natstest.Context(t), processes.Command{ID: uuid.New(), Hash: "-", Operation: "jar.shut", Aggregate: uuid.New(), Body: shut{}})
	require.ErrorContains(t, err, "processes_test.shut is no command of")
}
