package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/stretchr/testify/require"
)

func TestBothSidesAreMeasuredInTurnAfterARoundThatDoesNotCount(t *testing.T) {
	t.Parallel()
	var order strings.Builder
	of := func(name string, values ...float64) side {
		i := -1
		return func(context.Context, *lab.Lab) ([]float64, error) {
			order.WriteString(name)
			i++
			return []float64{values[i], 10 * values[i]}, nil
		}
	}
	m := measurement{
		limit: time.Minute, rows: []spec{rate("one", "", 1), latency("two", "", 0)},
		open: each(of("o", 1000, 8, 9, 10), of("r", 1, 4, 3, 5)),
	}
	rows, err := measure(t.Context(), m, &lab.Lab{}, options{rounds: 3}, "a server")
	require.NoError(t, err)
	require.Equal(t, "orororor", order.String())
	require.Equal(t, "one", rows[0].Name)
	require.Equal(t, "a server", rows[0].Server)
	require.InDelta(t, 9, rows[0].Ours, 0)
	require.InDelta(t, 4, rows[0].Raw, 0)
	require.InDelta(t, 2, rows[0].Ratio, 0)
	require.InDelta(t, 90, rows[1].Ours, 0, "each row has its own value")
}

func TestWhatTakesTooLongFailsAndSaysSo(t *testing.T) {
	t.Parallel()
	gone := 0
	slow := func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		l.Later(func() { gone++ })
		<-ctx.Done()
		return nil, errors.New("it was cut off")
	}
	m := measurement{limit: time.Millisecond, rows: []spec{rate("one", "", 1)}, open: each(slow, slow)}
	_, err := measure(t.Context(), m, &lab.Lab{}, options{rounds: 5}, "")
	require.ErrorContains(t, err, "longer than its limit, 1ms")
	require.ErrorContains(t, err, "it was cut off")
	require.Equal(t, 1, gone, "its lab is closed")
}

func TestEveryRowHasANameOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range plan() {
		require.Positive(t, m.limit)
		for _, s := range m.rows {
			require.False(t, seen[s.name], s.name)
			seen[s.name] = true
			require.True(t, m.matches(regexp.MustCompile("^"+regexp.QuoteMeta(s.name)+"$")))
		}
	}
	require.Len(t, names(plan()), len(seen))
}
