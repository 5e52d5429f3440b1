package commands_test

import (
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

func TestARivalThatIsAlwaysFirst(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	id := uuid.New()
	decisions := uint64(0)
	h := newHandler(t, s, func(_ *commands.Config, d *commands.Decider[jar, any]) {
		d.Decide = func(state jar, c any) ([]eventstore.Payload, error) {
			decisions++
			publish(t, s, id, decisions, coinPut{Coin: 100})
			return decide(state, c)
		}
	})
	_, err := h.Handle(ctx, cmd(id, put{[]int{1}}))
	require.ErrorIs(t, err, commands.ErrContention)
	require.ErrorIs(t, err, eventstore.ErrConflict)
	require.Equal(t, uint64(6), decisions, "once, and five times more")
	for _, e := range logOf(t, s, id) {
		require.Equal(t, coinPut{Coin: 100}, e.Payload)
	}
}

func TestARivalThatIsFirstTwice(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	id := uuid.New()
	decisions := uint64(0)
	h := newHandler(t, s, func(_ *commands.Config, d *commands.Decider[jar, any]) {
		d.Decide = func(state jar, c any) ([]eventstore.Payload, error) {
			if decisions++; decisions <= 2 {
				publish(t, s, id, decisions, coinPut{Coin: 100})
			}
			return decide(state, c)
		}
	})
	res, err := h.Handle(ctx, cmd(id, put{[]int{1, 2}}))
	require.NoError(t, err)
	require.Equal(t, commands.Result[jar]{State: jar{Coins: []int{100, 100, 1, 2}}, Version: 4, Appended: true}, timeless(t, res))
	require.Len(t, logOf(t, s, id), 4)
}

func TestAHoleInTheHistory(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	cached := newHandler(t, s)
	id := uuid.New()
	_, err := cached.Handle(ctx, cmd(id, put{[]int{1}}))
	require.NoError(t, err)
	publish(t, s, id, 3, coinPut{Coin: 3})
	for _, h := range []*handler{cached, newHandler(t, s)} {
		_, err = h.Handle(ctx, cmd(id, put{[]int{4}}))
		require.ErrorIs(t, err, commands.ErrHistory)
		for _, part := range []string{"JARS", id.String(), "version 2", "until it is published"} {
			require.ErrorContains(t, err, part)
		}
	}
	publish(t, s, id, 2, coinPut{Coin: 2})
	for _, h := range []*handler{cached, newHandler(t, s)} {
		_, err := h.Handle(ctx, cmd(id, put{[]int{4}}))
		require.NoError(t, err, "the missing version came")
	}
	require.Len(t, logOf(t, s, id), 5)
}

func TestAnEventThatCannotBeRead(t *testing.T) {
	t.Parallel()
	ctx, nc, s := setup(t)
	id := uuid.New()
	m := nats.NewMsg(s.Subject(id))
	m.Header = nats.Header{
		"ce-id": {uuid.NewString()}, "ce-type": {"jar.broken.v1"}, "ce-subject": {id.String()}, "ce-version": {"1"},
	}
	m.Data = []byte("{}")
	_, err := nc.RequestMsgWithContext(ctx, m)
	require.NoError(t, err)
	_, err = newHandler(t, s).Handle(ctx, cmd(id, put{[]int{1}}))
	require.ErrorIs(t, err, commands.ErrHistory)
	require.ErrorIs(t, err, eventstore.ErrUnknownType)
	for _, part := range []string{"JARS", id.String(), "version 1", "jar.broken.v1", "until code that can read it"} {
		require.ErrorContains(t, err, part)
	}
}

func TestALogThatLostItsEnd(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]any{"append": put{[]int{1}}, "nothing to do": reopen{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, _, s := setup(t)
			h := newHandler(t, s)
			id := uuid.New()
			for range 3 {
				_, err := h.Handle(ctx, cmd(id, put{[]int{1}}))
				require.NoError(t, err)
			}
			require.NoError(t, s.JetStream().DeleteStream(ctx, s.Name()))
			anew := natstest.Stream(t, s.Conn(), eventstore.StreamConfig{Name: "JARS", Registry: registry(t)})
			publish(t, anew, id, 1, coinPut{Coin: 1})
			_, err := h.Handle(ctx, cmd(id, body))
			require.ErrorIs(t, err, commands.ErrHistory)
			require.ErrorContains(t, err, "lost its end")
		})
	}
}
