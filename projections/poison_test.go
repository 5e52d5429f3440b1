package projections_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// labelled is a type that older code does not know.
type labelled struct {
	Label string `json:"label"`
}

func (labelled) EventType() string { return "box.labelled.v1" }

func TestPoisonParksOneAggregate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, kind, cause string
		poison            fact
	}{
		{"not JSON", projections.CauseMalformed, "malformed", fact{raw: []byte("{no"), typ: "box.moved.v1"}},
		{"unknown type", projections.CauseUnknown, "box.labelled.v1", fact{payload: labelled{Label: "x"}}},
		{"empty key", projections.CauseApply, "has 0 bytes of text", fact{payload: moved{}}},
		{"long key", projections.CauseApply, "bytes of text", fact{payload: moved{Shelf: strings.Repeat("x", readstore.MaxKeyText+1)}}},
		{"panic", projections.CauseApply, "this shelf cannot be", fact{payload: moved{Shelf: "panic"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r := newWorld(t, 1, nil), seeded(t)
			p := w.startLive(t, projections.Config{})
			facts := lives(r, 20, 4)
			poison := c.poison
			poison.id, poison.version = facts[1].id, 2
			sick, healthy := facts[:4], facts[4:]
			w.publish(t, sick[0], poison, sick[2], sick[3])
			w.publish(t, healthy...)
			eventually(t, 2*time.Minute, "it is parked", func() bool { return status(t, p).Parked == 1 })
			parked, err := p.Parked(natstest.Context(t))
			require.NoError(t, err)
			require.Equal(t, poison.id, parked[0].Aggregate)
			require.EqualValues(t, 2, parked[0].Version)
			require.Equal(t, c.kind, parked[0].Kind)
			require.Contains(t, parked[0].Cause, c.cause)
			idle(t, 2*time.Minute, p.Projector)
			require.Equal(t, model(append(healthy, sick[0])), dump(t, p.Projector, w.store))

			left, err := p.Retry(natstest.Context(t), "boxes", poison.id)
			require.NoError(t, err)
			require.Len(t, left, 1)
			require.Greater(t, left[0].Attempts, parked[0].Attempts)
			v, err := p.Verify(natstest.Context(t), nil)
			require.NoError(t, err)
			require.Positive(t, v.Warnings+v.Errors)
		})
	}
}

// Code that knows the type tries again when it starts.
func TestNewCodeCatchesUp(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 1, 3)
	w.publish(t, facts[0], fact{id: facts[0].id, version: 2, payload: labelled{Label: "new"}}, facts[2])
	eventually(t, 2*time.Minute, "it is parked", func() bool { return status(t, p).Parked == 1 })
	idle(t, 2*time.Minute, p.Projector)
	p.stop()

	w.stream = natstest.Stream(t, w.nc, eventstore.StreamConfig{Name: "BOXES", Registry: registry(t, labelled{})})
	w.def = boxes(t, "BOXES", func(d *projections.Definition[box]) {
		d.Fold = func(b *box, e eventstore.Event) error {
			if l, ok := e.Payload.(labelled); ok {
				b.label = l.Label
				return nil
			}
			return foldBox(b, e)
		}
	})
	p = w.start(t, projections.Config{})
	eventually(t, 2*time.Minute, "it is un-parked", func() bool { return status(t, p).Parked == 0 })
	rows := dump(t, p.Projector, w.store)
	require.Len(t, rows["boxes"], 1)
	require.Contains(t, rows["boxes"][0], facts[0].id.String()+" 3 new ")
}

// Un-parking deletes the mark only where it caught up with all that was
// acknowledged on its account.
func TestParkingRacesWithNewEvents(t *testing.T) {
	t.Parallel()
	rounds := 50
	if testing.Short() {
		rounds = 10
	}
	parkingRaces(t, rounds)
}

func TestProofParkingRacesWithNewEvents(t *testing.T) {
	proof(t)
	parkingRaces(t, 1000)
}

func parkingRaces(t *testing.T, rounds int) {
	w, r := newWorld(t, 1, nil), seeded(t)
	copies := []*copyOf{
		w.startLive(t, projections.Config{HealAfter: 20 * time.Millisecond}),
		w.startLive(t, projections.Config{HealAfter: 20 * time.Millisecond}),
	}
	idle(t, 2*time.Minute, copies[0].Projector)
	var all []fact
	for round := range rounds {
		facts := life(r, someID(r), 6)
		all = append(all, facts...)
		racingRound(t, w, r, copies[round%2], facts)
	}
	eventually(t, 60*time.Second, "nothing is parked", func() bool { return status(t, copies[0]).Parked == 0 })
	idle(t, 2*time.Minute, copies[0].Projector)
	require.Equal(t, model(all), dump(t, copies[0].Projector, w.store))
}

// racingRound leaves version 2 out until the aggregate may be parked, while
// operators retry and more versions come.
func racingRound(t *testing.T, w *world, r *rand.Rand, p *copyOf, facts []fact) {
	w.publish(t, facts[0], facts[2])
	pause := time.Duration(r.IntN(60)) * time.Millisecond
	var wg sync.WaitGroup
	wg.Go(func() { w.publish(t, facts[3], facts[4]) })
	wg.Go(func() {
		<-time.After(pause) // a random moment of the race
		w.publish(t, facts[1])
	})
	wg.Go(func() {
		_, err := p.Retry(natstest.Context(t), "boxes", facts[0].id)
		if err != nil {
			t.Error(fmt.Errorf("retry: %w", err))
		}
	})
	wg.Wait()
	w.publish(t, facts[5])
}

func TestRetryOfWhatIsNotParked(t *testing.T) {
	w := newWorld(t, 1, nil)
	p := w.startLive(t, projections.Config{})
	left, err := p.Retry(natstest.Context(t), "boxes", uuid.New())
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = p.Retry(natstest.Context(t), "crates", uuid.New())
	require.ErrorIs(t, err, projections.ErrUnknownProjection)
}
