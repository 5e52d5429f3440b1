package processes_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// coin is the body of a ring.
func coin(jar uuid.UUID, coin int) string { return fmt.Sprintf(`{"jar":%q,"coin":%d}`, jar, coin) }

// unreadable is a message whose version cannot be told.
func (h *house) unreadable(t testing.TB, bell uuid.UUID) { h.raw(t, bell, 0, "bell.rung.v1", "{}") }

// A copy stops while events wait for a version before them. They are not
// acknowledged, so the next copy takes them.
func TestAnEventThatWaitsWhenItsCopyStops(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	forever := func(c *processes.Config) { c.HealAfter, c.AckWait = time.Hour, time.Hour }
	first := h.run(t, porter(), forever)
	bells, jars := make([]uuid.UUID, 8), make([]uuid.UUID, 8)
	for i := range bells {
		bells[i], jars[i] = uuid.New(), uuid.New()
		h.ring(t, bells[i], 1, rung{Jar: jars[i], Coin: 1})
		h.raw(t, bells[i], 3, "bell.rung.v1", coin(jars[i], 3))
	}
	last := uuid.New()
	h.ring(t, uuid.New(), 1, rung{Jar: last, Coin: 1})
	h.holds(t, last, 1)
	first.stop()
	for i := range bells {
		h.holds(t, jars[i], 1)
		h.raw(t, bells[i], 2, "bell.rung.v1", coin(jars[i], 2))
	}
	h.run(t, porter(), forever)
	for _, jar := range jars {
		h.holds(t, jar, 1, 2, 3)
	}
}

// What comes later in the stream is not handled because a copy that died was given it:
// the aggregate stops at what cannot be read.
func TestACopyThatBeginsAtWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	first := h.run(t, porter())
	bell, into1 := uuid.New(), uuid.New()
	h.ring(t, bell, 1, rung{Jar: into1, Coin: 1})
	h.holds(t, into1, 1)
	first.stop()
	eventually(t, "version 1 is acknowledged", func() bool { return h.place(t).CachedInfo().AckFloor.Stream == h.sent[bell] })
	h.unreadable(t, bell)
	h.raw(t, bell, 2, "bell.rung.v1", coin(into1, 2))
	h.raw(t, bell, 3, "bell.rung.v1", coin(into1, 3))
	give(t, h.place(t), 3)

	r := h.run(t, porter())
	eventually(t, "it is parked", func() bool { return r.parkedAt(t, bell) != nil })
	r.rests(t)
	m := r.parkedAt(t, bell)
	require.Equal(t, parked.CauseMalformed, m.Kind)
	require.EqualValues(t, 2, m.Version, "the version that is needed next")
	require.Equal(t, []int{1}, h.coins(t, into1))
}

// place is the porter's place in the stream.
func (h *house) place(t testing.TB) jetstream.Consumer {
	t.Helper()
	consumer, err := h.bells.JetStream().Consumer(natstest.Context(t), "BELLS", "process_porter_p0")
	require.NoError(t, err)
	return consumer
}

// give has the broker give n messages to a copy that does nothing with them.
func give(t testing.TB, consumer jetstream.Consumer, n int) {
	t.Helper()
	batch, err := consumer.Fetch(n, jetstream.FetchMaxWait(30*time.Second))
	require.NoError(t, err)
	given := 0
	for range batch.Messages() {
		given++
	}
	require.NoError(t, batch.Error())
	require.Equal(t, n, given)
}

// What cannot be read has its turn by where it is stored, not before all that waits
// with it.
func TestWhatCannotBeReadWaitsItsTurn(t *testing.T) {
	t.Parallel()
	h := setup(t, 1)
	begun, goOn := make(chan struct{}), make(chan struct{})
	r := h.run(t, porter(), into(func(next processes.Target) processes.Target {
		return func(ctx context.Context, c processes.Command) error {
			if c.Body == any(put{1}) {
				close(begun)
				<-goOn
			}
			return next(ctx, c)
		}
	}))
	bell, into1, last := uuid.New(), uuid.New(), uuid.New()
	h.ring(t, bell, 1, rung{Jar: into1, Coin: 1})
	h.ring(t, bell, 2, rung{Jar: into1, Coin: 2})
	h.unreadable(t, bell)
	h.raw(t, bell, 3, "bell.rung.v1", coin(into1, 3))
	h.ring(t, uuid.New(), 1, rung{Jar: last, Coin: 4})
	h.holds(t, last, 4)
	<-begun
	close(goOn)
	eventually(t, "it is parked", func() bool { return r.parkedAt(t, bell) != nil })
	require.EqualValues(t, 3, r.parkedAt(t, bell).Version)
	require.Equal(t, []int{1, 2}, h.coins(t, into1))
}
