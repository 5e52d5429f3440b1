package commands_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// withSnapshots is a process that snapshots each 10 events. folded counts the
// events it has folded, so that it shows where a load began.
func withSnapshots(t *testing.T, s *eventstore.Stream, snapshots *eventstore.Snapshots, change ...func(*commands.Config)) (h *handler, folded *int) {
	t.Helper()
	folded = new(int)
	d := decider()
	d.Evolve = func(state jar, p eventstore.Payload) jar {
		*folded++
		return evolve(state, p)
	}
	cfg := commands.Config{SnapshotEvery: 10}
	for _, c := range change {
		c(&cfg)
	}
	return openHandler(t, s, snapshots, d, cfg), folded
}

func setupSnapshots(t *testing.T) (context.Context, *eventstore.Stream, *eventstore.Snapshots) {
	t.Helper()
	ctx, _, s := setup(t)
	snapshots, err := eventstore.OpenSnapshots(ctx, s.JetStream(), 1)
	require.NoError(t, err)
	return ctx, s, snapshots
}

func TestASnapshotHoldsAllThatIsKnown(t *testing.T) {
	t.Parallel()
	ctx, s, snapshots := setupSnapshots(t)
	h, _ := withSnapshots(t, s, snapshots)
	id := uuid.New()
	first := cmd(id, put{[]int{1, 2, 3}})
	for _, c := range []commands.Command[any]{first, cmd(id, put{[]int{4, 5, 6, 7, 8, 9, 10, 11}})} {
		_, err := h.Handle(ctx, c)
		require.NoError(t, err)
	}
	require.NoError(t, h.Close(ctx), "it waits for what is on its way")

	h, folded := withSnapshots(t, s, snapshots)
	res, err := h.Handle(ctx, cmd(id, put{[]int{12}}))
	require.NoError(t, err)
	require.Equal(t, 1, *folded, "the load began at the snapshot")
	require.Equal(t, commands.Result[jar]{State: jar{Coins: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}, Version: 12, Appended: true}, timeless(t, res))

	res, err = h.Handle(ctx, first)
	require.NoError(t, err)
	require.Equal(t, commands.Result[jar]{State: jar{Coins: []int{1, 2, 3}}, Version: 3, Repeated: true}, timeless(t, res))
	first.Hash = "another"
	_, err = h.Handle(ctx, first)
	require.ErrorIs(t, err, commands.ErrKeyReused)
}

// A load that finds nothing beyond the snapshot appends with the snapshot's sequence.
func TestASnapshotOfTheNewestVersion(t *testing.T) {
	t.Parallel()
	ctx, s, snapshots := setupSnapshots(t)
	h, _ := withSnapshots(t, s, snapshots)
	id := uuid.New()
	_, err := h.Handle(ctx, cmd(id, put{make([]int, 10)}))
	require.NoError(t, err)
	require.NoError(t, h.Close(ctx))
	snap, err := snapshots.Load(ctx, s, id, 0)
	require.NoError(t, err)
	require.Equal(t, uint64(10), snap.Version)
	h, _ = withSnapshots(t, s, snapshots)
	res, err := h.Handle(ctx, cmd(id, reopen{}))
	require.NoError(t, err)
	require.False(t, res.Appended)
	res, err = h.Handle(ctx, cmd(id, put{[]int{1}}))
	require.NoError(t, err)
	require.Equal(t, uint64(11), res.Version)
}

func TestASnapshotOfAnotherShapeIsIgnored(t *testing.T) {
	t.Parallel()
	ctx, s, snapshots := setupSnapshots(t)
	h, _ := withSnapshots(t, s, snapshots)
	id := uuid.New()
	_, err := h.Handle(ctx, cmd(id, put{make([]int, 10)}))
	require.NoError(t, err)
	require.NoError(t, h.Close(ctx))
	for _, want := range []int{11, 1} { // the first one leaves a snapshot of its own shape
		revised, folded := withSnapshots(t, s, snapshots, func(cfg *commands.Config) { cfg.SnapshotRevision = 1 })
		_, err = revised.Handle(ctx, cmd(id, put{[]int{1}}))
		require.NoError(t, err)
		require.Equal(t, want, *folded)
		require.NoError(t, revised.Close(ctx))
	}
}

// gated is a state whose encoding waits until the gate is open.
type gated struct{ gate chan struct{} }

func (g gated) MarshalJSON() ([]byte, error) {
	<-g.gate
	return []byte("{}"), nil
}

func gatedDecider(gate chan struct{}) commands.Decider[gated, any] {
	return commands.Decider[gated, any]{
		Initial: func() gated { return gated{gate} },
		Decide:  func(_ gated, c any) ([]eventstore.Payload, error) { return decide(jar{}, c) },
		Evolve:  func(g gated, _ eventstore.Payload) gated { return g },
	}
}

// queued is a handler with 20 snapshots on their way, none of them saved yet.
func queued(ctx context.Context, t *testing.T, s *eventstore.Stream, snapshots *eventstore.Snapshots, gate chan struct{}) (*commands.Handler[gated, any], []uuid.UUID) {
	t.Helper()
	h, err := commands.New(s, snapshots, gatedDecider(gate), commands.Config{SnapshotEvery: 1})
	require.NoError(t, err)
	ids := make([]uuid.UUID, 20)
	for i := range ids {
		ids[i] = uuid.New()
		_, err := h.Handle(ctx, cmd(ids[i], put{[]int{1}}))
		require.NoError(t, err)
	}
	return h, ids
}

func TestCloseSavesWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	ctx, s, snapshots := setupSnapshots(t)
	gate := make(chan struct{})
	h, ids := queued(ctx, t, s, snapshots, gate)
	closed := make(chan error)
	go func() { closed <- h.Close(ctx) }()
	close(gate)
	require.NoError(t, <-closed)
	require.NoError(t, h.Close(ctx), "twice")
	for _, id := range ids {
		snap, err := snapshots.Load(ctx, s, id, 0)
		require.NoError(t, err)
		require.NotNil(t, snap)
	}
	_, err := h.Handle(ctx, cmd(ids[0], put{[]int{2}}))
	require.NoError(t, err, "a closed handler saves no snapshot, and does the rest")
}

func TestCloseDropsSnapshotsWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	ctx, s, snapshots := setupSnapshots(t)
	gate := make(chan struct{})
	h, _ := queued(ctx, t, s, snapshots, gate)
	over, cancel := context.WithCancel(ctx)
	cancel()
	time.AfterFunc(50*time.Millisecond, func() { close(gate) }) // Close waits for the one that is being saved
	require.ErrorIs(t, h.Close(over), context.Canceled)
}

func TestASnapshotThatCannotBeReadIsIgnored(t *testing.T) {
	t.Parallel()
	ctx, s, snapshots := setupSnapshots(t)
	var log bytes.Buffer
	h, folded := withSnapshots(t, s, snapshots, func(cfg *commands.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	id := uuid.New()
	publish(t, s, id, 1, coinPut{Coin: 1})
	require.NoError(t, snapshots.Save(ctx, s, id, eventstore.Snapshot{Version: 1, Sequence: 1, State: []byte(`{"state":7}`)}))
	res, err := h.Handle(ctx, cmd(id, put{[]int{2}}))
	require.NoError(t, err)
	require.Equal(t, jar{Coins: []int{1, 2}}, res.State)
	require.Equal(t, 2, *folded)
	require.Contains(t, log.String(), "snapshot not usable")
}

// A log that was cut, accepted as it is, and has grown again: what a snapshot
// remembers of the lost end may not come back.
func TestASnapshotOfALostEndIsIgnored(t *testing.T) {
	t.Parallel()
	ctx, s, snapshots := setupSnapshots(t)
	id := uuid.New()
	for v := range uint64(3) {
		publish(t, s, id, v+1, coinPut{Coin: 1})
	}
	kept := []byte(`{"state":{"coins":[9,9]},"last":"` + uuid.NewString() + `"}`)
	for _, at := range []uint64{2, 7} { // within the log, and beyond its end
		require.NoError(t, snapshots.Save(ctx, s, id, eventstore.Snapshot{Version: at, Sequence: at, State: kept}))
		h, folded := withSnapshots(t, s, snapshots)
		res, err := h.Handle(ctx, cmd(id, reopen{}))
		require.NoError(t, err)
		require.Equal(t, commands.Result[jar]{State: jar{Coins: []int{1, 1, 1}}, Version: 3}, timeless(t, res))
		require.Equal(t, 3, *folded)
	}
}

func TestSnapshotsThatFailCostALogLineOnly(t *testing.T) {
	t.Parallel()
	ctx, s, snapshots := setupSnapshots(t)
	var log bytes.Buffer
	h, _ := withSnapshots(t, s, snapshots, func(cfg *commands.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for name := range s.JetStream().KeyValueStoreNames(ctx).Name() {
		require.NoError(t, s.JetStream().DeleteKeyValue(ctx, name))
	}
	res, err := h.Handle(ctx, cmd(uuid.New(), put{make([]int, 10)}))
	require.NoError(t, err)
	require.True(t, res.Appended)
	_ = h.Close(ctx)
	require.Contains(t, log.String(), "snapshot not saved")
}
