package eventstore_test

import (
	"sync"
	"testing"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/stretchr/testify/require"
)

func TestNewestSnapshotIsKept(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	snapshots, err := eventstore.OpenSnapshots(ctx, s.JetStream(), 1)
	require.NoError(t, err)
	none, err := snapshots.Load(ctx, s, id, 1)
	require.NoError(t, err)
	require.Nil(t, none)

	snap := func(version uint64, revision int) eventstore.Snapshot {
		return eventstore.Snapshot{Version: version, Sequence: 10 * version, Revision: revision, State: []byte(`{"n":1}`)}
	}
	var wg sync.WaitGroup
	for v := range uint64(20) {
		wg.Go(func() {
			if err := snapshots.Save(ctx, s, id, snap(v+1, 1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, snapshots.Save(ctx, s, id, snap(20, 1)))
	require.NoError(t, snapshots.Save(ctx, s, id, snap(3, 1)), "an older one")
	got, err := snapshots.Load(ctx, s, id, 1)
	require.NoError(t, err)
	require.Equal(t, snap(20, 1), *got)

	require.NoError(t, snapshots.Save(ctx, s, id, snap(5, 2)), "another shape of the state")
	require.NoError(t, snapshots.Save(ctx, s, id, snap(99, 1)), "code of the past")
	got, err = snapshots.Load(ctx, s, id, 2)
	require.NoError(t, err)
	require.Equal(t, snap(5, 2), *got)
	got, err = snapshots.Load(ctx, s, id, 1)
	require.NoError(t, err)
	require.Nil(t, got)
}

func TestSnapshotOfAStreamCreatedAnewDoesNotCount(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	snapshots, err := eventstore.OpenSnapshots(ctx, s.JetStream(), 0)
	require.NoError(t, err)
	require.NoError(t, snapshots.Save(ctx, s, id, eventstore.Snapshot{Version: 9, Sequence: 9, State: []byte(`1`)}))
	require.NoError(t, s.JetStream().DeleteStream(ctx, s.Name()))
	anew := natstest.Stream(t, s.Conn(), eventstore.StreamConfig{Name: s.Name(), Registry: toyRegistry()})
	got, err := snapshots.Load(ctx, anew, id, 0)
	require.NoError(t, err)
	require.Nil(t, got)
	require.NoError(t, snapshots.Save(ctx, anew, id, eventstore.Snapshot{Version: 2, Sequence: 2, State: []byte(`2`)}))
	got, err = snapshots.Load(ctx, anew, id, 0)
	require.NoError(t, err)
	require.EqualValues(t, 2, got.Version)
}
