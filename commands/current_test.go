package commands_test

import (
	"context"
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestCurrentIsNeverStale(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	behind, other := newHandler(t, s), newHandler(t, s)
	id := uuid.New()
	res, err := behind.Current(ctx, id)
	require.NoError(t, err)
	require.Equal(t, commands.Result[jar]{}, res, "there is none")
	for version := uint64(1); version <= 3; version++ {
		_, err := other.Handle(ctx, cmd(id, put{[]int{int(version)}}))
		require.NoError(t, err)
		res, err := behind.Current(ctx, id)
		require.NoError(t, err)
		require.Equal(t, version, res.Version)
		require.Len(t, res.State.Coins, int(version))
		require.False(t, res.Appended)
	}
	require.Len(t, logOf(t, s, id), 3)
}

func TestAtAVersion(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	h, other := newHandler(t, s), newHandler(t, s)
	id := uuid.New()
	first, err := h.Handle(ctx, cmd(id, put{[]int{1}}))
	require.NoError(t, err)
	res, err := h.At(ctx, id, 2)
	require.NoError(t, err)
	require.Equal(t, uint64(1), res.Version, "it has not come so far")

	_, err = other.Handle(ctx, cmd(id, put{[]int{2, 3}}))
	require.NoError(t, err)
	for _, process := range []*handler{h, other, newHandler(t, s)} {
		for version, coins := range map[uint64][]int{1: {1}, 2: {1, 2}, 3: {1, 2, 3}} {
			res, err := process.At(ctx, id, version)
			require.NoError(t, err)
			require.Equal(t, version, res.Version)
			require.Equal(t, coins, res.State.Coins)
			require.Equal(t, first.Created, res.Created)
		}
	}
}

func TestCurrentTakesItsTurn(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	deciding, goOn := make(chan struct{}), make(chan struct{})
	h := newHandler(t, s, func(_ *commands.Config, d *commands.Decider[jar, any]) {
		d.Decide = func(s jar, c any) ([]eventstore.Payload, error) {
			close(deciding)
			<-goOn
			return decide(s, c)
		}
	})
	id, done := uuid.New(), make(chan error)
	go func() {
		_, err := h.Handle(ctx, cmd(id, put{[]int{1}}))
		done <- err
	}()
	<-deciding
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := h.Current(cancelled, id)
	require.ErrorIs(t, err, context.Canceled)
	close(goOn)
	require.NoError(t, <-done)
	res, err := h.Current(ctx, id)
	require.NoError(t, err)
	require.Equal(t, uint64(1), res.Version)
	_, err = h.Current(ctx, uuid.Nil)
	require.ErrorContains(t, err, "needs an id")
}

func TestCurrentRefusesAHole(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	id := uuid.New()
	publish(t, s, id, 1, coinPut{Coin: 1})
	publish(t, s, id, 3, coinPut{Coin: 3})
	_, err := newHandler(t, s).Current(ctx, id)
	require.ErrorIs(t, err, commands.ErrHistory)
}
