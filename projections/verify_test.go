package projections_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 20, 3)
	w.publish(t, facts...)
	idle(t, 2*time.Minute, p.Projector)
	reader, err := p.Reader("boxes")
	require.NoError(t, err)
	view, err := reader.View(natstest.Context(t))
	require.NoError(t, err)

	home, shelf, moves := view.Table("boxes"), view.Table("boxes_by_shelf"), view.Table("box_moves")
	first := facts[0].id.String()
	for _, c := range []struct {
		name      string
		break_    readstore.Mutation
		repair    readstore.Mutation
		complaint string
	}{
		{
			"a ghost in an index",
			readstore.Mutation{Table: shelf, Row: readstore.Row{"nowhere", first, int64(3), "x", ""}, Timestamp: 3},
			readstore.Mutation{Table: shelf, Row: readstore.Row{"nowhere", first}, Delete: true, Timestamp: 3},
			"has a row that the log does not say",
		},
		{
			"a ghost of an aggregate that never was",
			readstore.Mutation{Table: home, Row: readstore.Row{"018f0000-0000-7000-8000-000000000000", int64(1), "", "", "", int64(0), time.Time{}}, Timestamp: 1},
			readstore.Mutation{Table: home, Row: readstore.Row{"018f0000-0000-7000-8000-000000000000"}, Delete: true, Timestamp: 1},
			"no events",
		},
		{
			"an appended row too many",
			readstore.Mutation{Table: moves, Row: readstore.Row{first, int64(9), "x"}, Timestamp: 9},
			readstore.Mutation{Table: moves, Row: readstore.Row{first, int64(9)}, Delete: true, Timestamp: 9},
			"has a row that the log does not say",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, w.store.Write(natstest.Context(t), []readstore.Mutation{c.break_}))
			v, err := p.Verify(natstest.Context(t), nil)
			require.NoError(t, err)
			require.Equal(t, 1, v.Errors, v.Findings)
			require.Contains(t, v.Findings[0].Text, c.complaint)
			require.NoError(t, w.store.Write(natstest.Context(t), []readstore.Mutation{c.repair}))
			v, err = p.Verify(natstest.Context(t), nil)
			require.NoError(t, err)
			require.Zero(t, v.Errors, v.Findings)
		})
	}
	t.Run("a row that is gone", func(t *testing.T) {
		require.NoError(t, w.store.Write(natstest.Context(t), []readstore.Mutation{{Table: home, Row: readstore.Row{first}, Delete: true, Timestamp: 3}}))
		v, err := p.Verify(natstest.Context(t), nil)
		require.NoError(t, err)
		require.Equal(t, 1, v.Errors, v.Findings)
		require.Contains(t, v.Findings[0].Text, "lacks the row")
	})
}

func TestVerifyReadsTheLog(t *testing.T) {
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{HealAfter: 100 * time.Millisecond})
	a, b := life(r, someID(r), 3), life(r, someID(r), 3)
	w.publish(t, a[1], a[0], a[2], a[2]) // out of order, and one twice: warnings
	w.publish(t, b[0], b[2])             // a hole: an error, and parked
	eventually(t, 2*time.Minute, "the hole is parked", func() bool { return status(t, p).Parked == 1 })
	idle(t, 2*time.Minute, p.Projector)
	var reports atomic.Int64
	v, err := p.Verify(natstest.Context(t), func(done, total uint64) { assert.LessOrEqual(t, done, total); reports.Add(1) })
	require.NoError(t, err)
	require.Positive(t, reports.Load())
	require.EqualValues(t, 6, v.Events)
	require.EqualValues(t, 2, v.Aggregates)
	var texts string
	for _, f := range v.Findings {
		texts += f.Severity + ": " + f.Text + "\n"
	}
	require.Equal(t, 1, v.Errors, texts)
	require.Contains(t, texts, "error: version 2 is missing")
	require.Contains(t, texts, "warning: sequence 1 holds version 2 before version 1")
	require.Contains(t, texts, "warning: sequence 4 repeats version 3")
	require.Contains(t, texts, "warning: parked at version 2")
}

// Warnings, however many there are, leave room for what is wrong.
func TestVerifyTellsErrorsBesideManyWarnings(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, 1, nil), seeded(t)
	p := w.startLive(t, projections.Config{})
	facts := lives(r, 100, 12)
	w.publish(t, append(facts, facts...)...) // each event twice: a warning each
	idle(t, 2*time.Minute, p.Projector)
	rows := make([]readstore.Mutation, 40)
	for i := range rows {
		rows[i] = readstore.Mutation{
			Table: homeTable(t, p), Row: readstore.Row{facts[12*i].id.String(), int64(12), "wrong", "", "", int64(0), time.Time{}}, Timestamp: 13,
		}
	}
	require.NoError(t, w.store.Write(natstest.Context(t), rows))
	v, err := p.Verify(natstest.Context(t), nil)
	require.NoError(t, err)
	require.Equal(t, 40, v.Errors)
	require.Equal(t, 1200, v.Warnings)
	require.Len(t, v.Findings, 1040)
	require.Equal(t, projections.SeverityError, v.Findings[39].Severity)
}
