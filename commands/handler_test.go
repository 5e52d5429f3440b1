package commands_test

import (
	"context"
	"testing"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestACommandIsAppendedWithItsEnvelope(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	h := newHandler(t, s)
	id := uuid.New()
	c := cmd(id, put{[]int{1, 2, 3}})
	c.CorrelationID = "a request"
	res, err := h.Handle(ctx, c)
	require.NoError(t, err)
	require.Equal(t, commands.Result[jar]{State: jar{Coins: []int{1, 2, 3}}, Version: 3, Appended: true}, timeless(t, res))

	events := logOf(t, s, id)
	require.Len(t, events, 3)
	for i, e := range events {
		require.Equal(t, uint64(i)+1, e.Version)
		require.Equal(t, uuid.Version(7), e.ID.Version())
		require.Equal(t, coinPut{Coin: i + 1}, e.Payload)
		require.Equal(t, "a request", e.CorrelationID)
		require.Equal(t, c.ID.String(), e.CausationID)
		require.Equal(t, "someone", e.Actor)
	}
	require.Equal(t, c.ID.String(), events[0].CommandID)
	require.Equal(t, "hash", events[0].CommandHash)
	require.Empty(t, events[1].CommandID)
	require.Empty(t, events[2].CommandHash)
}

func TestACauseThatIsGivenIsKept(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	h := newHandler(t, s)
	c := cmd(uuid.New(), put{[]int{1}})
	c.CausationID = "an event"
	_, err := h.Handle(ctx, c)
	require.NoError(t, err)
	require.Equal(t, "an event", logOf(t, s, c.Aggregate)[0].CausationID)
}

func TestTimesNeverGoBack(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	now := time.Date(2026, 5, 1, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))
	clock := func(cfg *commands.Config, _ *commands.Decider[jar, any]) { cfg.Now = func() time.Time { return now } }
	id := uuid.New()
	for _, h := range []*handler{newHandler(t, s, clock), newHandler(t, s, clock)} {
		_, err := h.Handle(ctx, cmd(id, put{[]int{1}}))
		require.NoError(t, err)
		now = now.Add(-time.Hour)
	}
	first := time.Date(2026, 5, 1, 11, 0, 0, 123_000_000, time.UTC)
	for _, e := range logOf(t, s, id) {
		require.Equal(t, first, e.Time)
	}
	// Another writer's clock went back: the newest time of all counts.
	publishAt(t, s, id, 3, coinPut{Coin: 1}, first.Add(-time.Minute))
	_, err := newHandler(t, s, clock).Handle(ctx, cmd(id, put{[]int{1}}))
	require.NoError(t, err)
	require.Equal(t, first, logOf(t, s, id)[3].Time)
}

func TestNothingToDo(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	h := newHandler(t, s)
	id := uuid.New()
	_, err := h.Handle(ctx, cmd(id, put{[]int{1}}))
	require.NoError(t, err)
	res, err := h.Handle(ctx, cmd(id, reopen{}))
	require.NoError(t, err)
	require.Equal(t, commands.Result[jar]{State: jar{Coins: []int{1}}, Version: 1}, timeless(t, res))
}

// Each answer without an append is given first by a handler whose cache has
// fallen behind another process: none may be stale.
func TestNoAnswerIsStale(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	behind, other := newHandler(t, s), newHandler(t, s)
	id := uuid.New()
	do := func(h *handler, c commands.Command[any]) commands.Result[jar] {
		res, err := h.Handle(ctx, c)
		require.NoError(t, err)
		return res
	}
	do(behind, cmd(id, put{[]int{1}}))
	do(behind, cmd(id, shut{}))
	do(other, cmd(id, reopen{}))
	require.Equal(t, uint64(4), do(behind, cmd(id, put{[]int{2}})).Version, "refused by a jar that is open again")

	do(other, cmd(id, shut{}))
	require.True(t, do(behind, cmd(id, reopen{})).Appended, "nothing to do for a jar that is closed now")

	do(other, cmd(id, put{[]int{3}}))
	require.Equal(t, uint64(8), do(behind, ifVersion(cmd(id, put{[]int{4}}), 7)).Version, "a mismatch with an old version")

	do(other, cmd(id, shut{}))
	_, err := behind.Handle(ctx, cmd(id, put{[]int{5}}))
	require.ErrorIs(t, err, errClosed, "a conflict whose second decision is a refusal")
}

func TestIfVersion(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	h, other := newHandler(t, s), newHandler(t, s)
	id := uuid.New()
	first := ifVersion(cmd(id, put{[]int{1}}), 0)
	_, err := h.Handle(ctx, first)
	require.NoError(t, err)

	_, err = h.Handle(ctx, ifVersion(cmd(id, put{[]int{2}}), 7))
	require.ErrorIs(t, err, commands.ErrVersionMismatch)
	var mismatch *commands.VersionMismatchError
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, commands.VersionMismatchError{Aggregate: id, Expected: 7, Actual: 1}, *mismatch)

	res, err := h.Handle(ctx, first)
	require.NoError(t, err, "a repeat is known before the version is compared")
	require.True(t, res.Repeated)

	_, err = other.Handle(ctx, cmd(id, put{[]int{3}}))
	require.NoError(t, err)
	_, err = h.Handle(ctx, ifVersion(cmd(id, put{[]int{4}}), 1))
	require.ErrorIs(t, err, commands.ErrVersionMismatch, "the append that found the conflict may not be tried on another version")
	require.Len(t, logOf(t, s, id), 2)
}

func TestAFreshAggregateIsNotLoaded(t *testing.T) {
	t.Parallel()
	ctx, nc, s := setup(t)
	h := newHandler(t, s)
	reads, err := nc.SubscribeSync("$JS.API.DIRECT.GET.>")
	require.NoError(t, err)
	fresh := cmd(uuid.Must(uuid.NewV7()), put{[]int{1}})
	fresh.Fresh = true
	_, err = h.Handle(ctx, fresh)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	pending, _, err := reads.Pending()
	require.NoError(t, err)
	require.Zero(t, pending)

	keyed := cmd(commands.NewAggregateID("jar", uuid.New()), put{[]int{1}})
	for _, process := range []*handler{h, newHandler(t, s)} {
		res, err := process.Handle(ctx, keyed)
		require.NoError(t, err)
		require.Equal(t, uint64(1), res.Version)
	}
	require.Len(t, logOf(t, s, keyed.Aggregate), 1)
}

func TestEvictedAggregatesAreLoadedAgain(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	h := newHandler(t, s, func(cfg *commands.Config, _ *commands.Decider[jar, any]) { cfg.CacheSize = 1 })
	ids := make([]uuid.UUID, 20)
	for i := range ids {
		ids[i] = uuid.New()
	}
	for round := range 3 {
		for _, id := range ids {
			res, err := h.Handle(ctx, cmd(id, put{[]int{round}}))
			require.NoError(t, err)
			require.Equal(t, uint64(round)+1, res.Version)
		}
	}
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	deciding, goOn := make(chan struct{}), make(chan struct{})
	h := newHandler(t, s, func(_ *commands.Config, d *commands.Decider[jar, any]) {
		d.Decide = func(s jar, c any) ([]eventstore.Payload, error) {
			deciding <- struct{}{}
			<-goOn
			return decide(s, c)
		}
	})
	id := uuid.New()
	first := make(chan error)
	go func() {
		_, err := h.Handle(ctx, cmd(id, put{[]int{1}}))
		first <- err
	}()
	<-deciding
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := h.Handle(cancelled, cmd(id, put{[]int{2}}))
	require.ErrorIs(t, err, context.Canceled)
	goOn <- struct{}{}
	require.NoError(t, <-first)
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	_, _, s := setup(t)
	_, err := commands.New(s, nil, commands.Decider[jar, any]{}, commands.Config{})
	require.Error(t, err)
	_, err = commands.New(s, nil, decider(), commands.Config{CacheSize: -1, SnapshotRevision: -1})
	require.ErrorContains(t, err, "CacheSize")
	require.ErrorContains(t, err, "SnapshotRevision")
	h := newHandler(t, s)
	_, err = h.Handle(context.Background(), commands.Command[any]{Body: reopen{}})
	require.ErrorContains(t, err, "needs an id")
}

// The nil UUID names nothing, so a refusal is what it would be of any aggregate that
// does not exist.
func TestNilAggregate(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	h := newHandler(t, s)
	_, err := h.Handle(ctx, cmd(uuid.Nil, "what no jar does"))
	require.ErrorContains(t, err, "no such command")
	_, err = h.Handle(ctx, cmd(uuid.Nil, put{[]int{1}}))
	require.ErrorIs(t, err, eventstore.ErrMalformed)
}
