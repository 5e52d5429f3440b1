package eventstore_test

import (
	"bytes"
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
	require.NoError(t, snapshots.SavePage(ctx, s, id, 0, []byte("page")))
	require.NoError(t, s.JetStream().DeleteStream(ctx, s.Name()))
	anew := natstest.Stream(t, s.Conn(), eventstore.StreamConfig{Name: s.Name(), Registry: toyRegistry()})
	got, err := snapshots.Load(ctx, anew, id, 0)
	require.NoError(t, err)
	require.Nil(t, got)
	page, err := snapshots.LoadPage(ctx, anew, id, 0)
	require.NoError(t, err)
	require.Nil(t, page)
	require.NoError(t, snapshots.Save(ctx, anew, id, eventstore.Snapshot{Version: 2, Sequence: 2, State: []byte(`2`)}))
	got, err = snapshots.Load(ctx, anew, id, 0)
	require.NoError(t, err)
	require.EqualValues(t, 2, got.Version)
}

func TestPagesOfSnapshots(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	snapshots, err := eventstore.OpenSnapshots(ctx, s.JetStream(), 1)
	require.NoError(t, err)
	none, err := snapshots.LoadPage(ctx, s, id, 0)
	require.NoError(t, err)
	require.Nil(t, none)

	page := func(n int) []byte { return bytes.Repeat([]byte{byte(n)}, 512<<10) }
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := snapshots.SavePage(ctx, s, id, i%3, page(i%3)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for n := range 3 {
		got, err := snapshots.LoadPage(ctx, s, id, n)
		require.NoError(t, err)
		require.True(t, bytes.Equal(page(n), got))
	}
	other, err := snapshots.LoadPage(ctx, s, newID(t), 0)
	require.NoError(t, err)
	require.Nil(t, other, "of another aggregate")

	sub, err := s.Conn().SubscribeSync("$KV.>")
	require.NoError(t, err)
	require.NoError(t, snapshots.SavePage(ctx, s, id, 1, page(1)))
	require.NoError(t, snapshots.SavePage(ctx, s, id, 2, page(7)))
	m, err := sub.NextMsgWithContext(ctx)
	require.NoError(t, err)
	require.True(t, bytes.Equal(page(7), m.Data), "what is there is not written again; what is damaged is")
}
