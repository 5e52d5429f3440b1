package projections_test

import (
	"testing"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

// Who reads can tell a broker that is away from what is wrong for good.
func TestAReaderSaysThatTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, 1, nil), natstest.Context(t)
	p, err := projections.New(ctx, w.store, map[string]*eventstore.Stream{"BOXES": w.stream}, projections.Config{}, w.def)
	require.NoError(t, err)
	reader, err := p.Reader("boxes")
	require.NoError(t, err)
	_, err = reader.View(ctx)
	require.ErrorIs(t, err, readstore.ErrBuilding)
	require.NoError(t, w.js.DeleteKeyValue(ctx, "generations")) // nobody answers for it
	_, err = reader.View(ctx)
	require.ErrorIs(t, err, eventstore.ErrUnavailable)
}
