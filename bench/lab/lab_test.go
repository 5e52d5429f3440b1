package lab_test

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/stretchr/testify/require"
)

func TestWhatALabGaveIsGone(t *testing.T) {
	t.Parallel()
	l := &lab.Lab{}
	var order []int
	l.Later(func() { order = append(order, 1) })
	l.Later(func() { order = append(order, 2) })
	dir, err := l.Dir()
	require.NoError(t, err)
	require.DirExists(t, dir)
	l.Close()
	require.Equal(t, []int{2, 1}, order)
	_, err = os.Stat(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestALoadCountsWhatEndsWithinItsSpan(t *testing.T) {
	t.Parallel()
	l := &lab.Lab{Smoke: true}
	var done atomic.Int64
	load, err := l.Drive(t.Context(), 4, func(context.Context, int) error {
		done.Add(1)
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, load.Rate)
	require.LessOrEqual(t, load.Rate*l.Span().Seconds(), float64(done.Load()))

	failed := errors.New("failed")
	_, err = l.Drive(t.Context(), 4, func(_ context.Context, writer int) error {
		if writer == 3 {
			return failed
		}
		return nil
	})
	require.ErrorIs(t, err, failed)
}

func TestP99(t *testing.T) {
	t.Parallel()
	var took []time.Duration
	for i := range 200 {
		took = append(took, time.Duration(200-i)*time.Millisecond)
	}
	require.InDelta(t, 199, lab.P99(took), 0)
	require.Zero(t, lab.P99(nil))
}
