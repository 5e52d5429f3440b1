package commands_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// What is checked here: an aggregate with very many commands forgets none of them,
// and its snapshots stay small.

func TestTwentyThousandCommandsAreRememberedInSmallSnapshots(t *testing.T) {
	t.Parallel()
	_, s, snapshots := setupSnapshots(t)
	ctx := t.Context() // on a slow machine it takes a minute
	largest := bucketSizes(t, s)
	l := &life{aggregate: uuid.New()}
	h, _ := totals(t, s, snapshots)
	for range 20 {
		l.batch(t, s, 999)
		l.handle(ctx, t, s, h) // catches up, and takes a snapshot
	}
	require.NoError(t, h.Close(ctx))
	require.Less(t, largest(), 256<<10)

	h, folded := totals(t, s, snapshots)
	l.handle(ctx, t, s, h)
	require.Equal(t, 1, *folded, "the load began at the snapshot")
	l.requireKnown(ctx, t, h, 3)
}

func TestAPageThatIsMissingOrDamagedForgetsNoCommand(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(context.Context, jetstream.KeyValue, string) error{
		"missing": func(ctx context.Context, kv jetstream.KeyValue, key string) error { return kv.Delete(ctx, key) },
		"damaged": func(ctx context.Context, kv jetstream.KeyValue, key string) error {
			_, err := kv.Put(ctx, key, make([]byte, 64))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, s, snapshots := setupSnapshots(t)
			l := &life{aggregate: uuid.New()}
			l.batch(t, s, 3000)
			h, _ := totals(t, s, snapshots)
			l.handle(ctx, t, s, h)
			require.NoError(t, h.Close(ctx))
			kv, err := s.JetStream().KeyValue(ctx, "snapshots")
			require.NoError(t, err)
			pages, err := kv.ListKeysFiltered(ctx, "JARS."+l.aggregate.String()+".>")
			require.NoError(t, err)
			keys := 0
			for key := range pages.Keys() {
				if keys++; keys == 1 {
					require.NoError(t, harm(ctx, kv, key))
				}
			}
			require.Equal(t, 2, keys)

			var log bytes.Buffer
			h, folded := totals(t, s, snapshots, func(cfg *commands.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			l.handle(ctx, t, s, h)
			require.Equal(t, int(l.version), *folded, "the whole log")
			require.Contains(t, log.String(), "is missing or damaged")
			l.requireKnown(ctx, t, h, 1)
			require.NoError(t, h.Close(ctx))

			h, folded = totals(t, s, snapshots)
			l.handle(ctx, t, s, h)
			require.Equal(t, 1, *folded, "the page is there again")
			l.requireKnown(ctx, t, h, 2)
		})
	}
}

// A broker that takes snapshots but no page: no snapshot may need a page that is not there.
func TestNoSnapshotWithoutItsPages(t *testing.T) {
	t.Parallel()
	ctx, _, s := setup(t)
	_, err := s.JetStream().CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "snapshots", MaxValueSize: 50 << 10})
	require.NoError(t, err)
	snapshots, err := eventstore.OpenSnapshots(ctx, s.JetStream(), 1)
	require.NoError(t, err)
	for n, kept := range map[int]bool{500: true, 1100: false} {
		h, _ := totals(t, s, snapshots)
		l := &life{aggregate: uuid.New()}
		l.batch(t, s, n)
		l.handle(ctx, t, s, h)
		require.NoError(t, h.Close(ctx))
		snap, err := snapshots.Load(ctx, s, l.aggregate, 0)
		require.NoError(t, err)
		require.Equal(t, kept, snap != nil, "%d commands", n)
	}
}

// What is remembered after a snapshot was taken, and before it is encoded, is not in it.
func TestASnapshotHoldsWhatWasRememberedThen(t *testing.T) {
	t.Parallel()
	ctx, s, snapshots := setupSnapshots(t)
	gate := make(chan struct{})
	h, err := commands.New(s, snapshots, gatedDecider(gate), commands.Config{})
	require.NoError(t, err)
	_, err = h.Handle(ctx, cmd(uuid.New(), put{make([]int, 100)})) // it holds up the ones behind it
	require.NoError(t, err)
	l := &life{aggregate: uuid.New()}
	l.batch(t, s, 900)
	_, err = h.Current(ctx, l.aggregate)
	require.NoError(t, err)
	for range 50 {
		_, err := h.Handle(ctx, cmd(l.aggregate, put{[]int{1}}))
		require.NoError(t, err)
	}
	close(gate)
	require.NoError(t, h.Close(ctx))

	snap, err := snapshots.Load(ctx, s, l.aggregate, 0)
	require.NoError(t, err)
	require.Equal(t, l.version, snap.Version)
	l.version += 50
	again, _ := totals(t, s, snapshots)
	l.requireKnown(ctx, t, again, 0)
}

// Two processes take turns on one aggregate, and both keep its pages.
func TestTwoProcessesKeepTheSamePages(t *testing.T) {
	t.Parallel()
	_, s, snapshots := setupSnapshots(t)
	ctx := t.Context() // see above
	often := func(cfg *commands.Config) { cfg.SnapshotEvery = 8 }
	one, _ := totals(t, s, snapshots, often)
	two, _ := totals(t, s, snapshots, often)
	l := &life{aggregate: uuid.New()}
	for range 4 {
		for _, h := range []*totalHandler{one, two} {
			l.batch(t, s, 300)
			for range 10 {
				l.handle(ctx, t, s, h)
			}
		}
	}
	require.NoError(t, one.Close(ctx))
	for range 10 {
		l.handle(ctx, t, s, two) // so that its newest snapshot has no rival
	}
	require.NoError(t, two.Close(ctx))
	l.requireKnown(ctx, t, one, 0)
	l.requireKnown(ctx, t, two, 0)
	h, folded := totals(t, s, snapshots)
	l.handle(ctx, t, s, h)
	require.LessOrEqual(t, *folded, 10+1, "of what follows the newest snapshot")
	l.requireKnown(ctx, t, h, 5)
}

// A snapshot as it was written before there were pages, with more commands than one holds.
func TestASnapshotWithoutPagesIsStillRead(t *testing.T) {
	t.Parallel()
	_, s, snapshots := setupSnapshots(t)
	ctx := t.Context() // see above
	l := &life{aggregate: uuid.New()}
	l.batch(t, s, 2500)
	all := logOf(t, s, l.aggregate)
	remembered := map[string]any{}
	for i, c := range l.done {
		first := uint64(1)
		if i > 0 {
			first = l.ended[i-1] + 1
		}
		remembered[c.ID.String()] = map[string]any{"hash": c.Hash, "first": first, "last": l.ended[i]}
	}
	last := all[len(all)-1]
	state, err := json.Marshal(map[string]any{
		"state": total{int(l.version)}, "last": last.ID, "time": last.Time, "created": all[0].Time, "updated": last.Time,
		"handled": remembered, "open": l.done[len(l.done)-1].ID, "cause": l.done[len(l.done)-1].ID.String(),
	})
	require.NoError(t, err)
	require.NoError(t, snapshots.Save(ctx, s, l.aggregate, eventstore.Snapshot{Version: l.version, Sequence: l.sequence, State: state}))
	for _, want := range []int{100, 1} {
		h, folded := totals(t, s, snapshots)
		for range want {
			l.handle(ctx, t, s, h)
		}
		require.Equal(t, want, *folded, "the load began at the snapshot")
		l.requireKnown(ctx, t, h, 3)
		require.NoError(t, h.Close(ctx))
	}

	// Whoever makes a page makes the same one, so that none is written again.
	again, err := s.Conn().SubscribeSync("$KV.snapshots.JARS." + l.aggregate.String() + ".>")
	require.NoError(t, err)
	revised, folded := totals(t, s, snapshots, func(cfg *commands.Config) { cfg.SnapshotRevision = 1 })
	l.handle(ctx, t, s, revised)
	require.Equal(t, int(l.version), *folded, "it reads the whole log")
	require.NoError(t, revised.Close(ctx))
	snap, err := snapshots.Load(ctx, s, l.aggregate, 1)
	require.NoError(t, err)
	require.NotNil(t, snap)
	require.NoError(t, s.Conn().Flush())
	pages, _, err := again.Pending()
	require.NoError(t, err)
	require.Zero(t, pages)

	// A program that knows no pages must do without the snapshot, not without the pages.
	var older struct {
		Handled map[uuid.UUID]any `json:"handled"`
	}
	require.Error(t, json.Unmarshal(snap.State, &older))
}

// A hash that is not ours is compared as it is written.
func TestHashesOfOtherWriters(t *testing.T) {
	t.Parallel()
	ctx, s, snapshots := setupSnapshots(t)
	h, _ := totals(t, s, snapshots)
	own := hash(t, "own")
	for _, c := range [][2]string{{"", own}, {"hash", "hasH"}, {own, own[:62]}, {own, own + "00"}, {"AB" + own[2:], "ab" + own[2:]}} {
		first := cmd(uuid.New(), put{[]int{1}})
		first.Hash = c[0]
		_, err := h.Handle(ctx, first)
		require.NoError(t, err)
		res, err := h.Handle(ctx, first)
		require.NoError(t, err)
		require.True(t, res.Repeated)
		first.Hash = c[1]
		_, err = h.Handle(ctx, first)
		require.ErrorIs(t, err, commands.ErrKeyReused)
	}
}
