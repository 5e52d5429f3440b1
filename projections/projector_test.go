package projections_test

import (
	"testing"
	"time"

	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/stretchr/testify/require"
)

func TestRowsFollowTheLog(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	early, late := lives(r, 10, 5), lives(r, 10, 5)
	w.publish(t, early...)
	p := w.start(t, projections.Config{})
	w.publish(t, late...)
	idle(t, 2*time.Minute, p.Projector)
	require.Equal(t, model(append(early, late...)), dump(t, p.Projector, w.store))
	v, err := p.Verify(natstest.Context(t), nil)
	require.NoError(t, err)
	require.Zero(t, v.Errors, v.Findings)
	require.EqualValues(t, 100, v.Events)
}
