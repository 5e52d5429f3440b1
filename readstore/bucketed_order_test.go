package readstore_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

// hour is a bucket of another length than a month.
func hour(t time.Time) string { return t.UTC().Format("2006-01-02T15") }

// newQueue is a list that is read oldest first, in buckets of an hour.
func newQueue(t *testing.T, store readstore.Store) *list {
	t.Helper()
	b := readstore.NewBucketed(&readstore.Table{
		Name:       "queue",
		Partition:  []readstore.Column{{Name: "status", Type: readstore.Text}, {Name: "hour", Type: readstore.Text}, {Name: "shard", Type: readstore.Int}},
		Clustering: []readstore.Column{{Name: "at", Type: readstore.Time}, {Name: "id", Type: readstore.Text}},
		Values:     []readstore.Column{{Name: "title", Type: readstore.Text}},
	}, 3)
	b.Bucket = hour
	require.NoError(t, b.Validate())
	require.Equal(t, "queue_hours", b.Marks.Name)
	l := &list{Bucketed: b, t: t, store: &watched{Store: store}, clock: now}
	b.Now = func() time.Time { return l.clock }
	require.NoError(t, store.Ensure(t.Context(), b.Table, b.Marks))
	return l
}

func TestListIsReadOldestFirst(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store readstore.Store) {
		random := seeded(t)
		l := newQueue(t, store)
		var want []readstore.Row
		for i := range 120 {
			at := now.Add(-time.Duration(random.IntN(5)) * time.Hour).Add(time.Duration(random.IntN(3)) * time.Minute)
			want = append(want, l.row("open", at, fmt.Sprintf("id-%03d", i)))
		}
		l.put(want...)
		slices.SortFunc(want, func(a, b readstore.Row) int {
			return cmp.Or(a[3].(time.Time).Compare(b[3].(time.Time)), strings.Compare(a[4].(string), b[4].(string)))
		})
		for _, limit := range []int{1, 7, 119, 120, 121} {
			require.Equal(t, want, l.all("open", limit), "limit %d", limit)
		}
		require.Len(t, l.months("open"), 5)
		require.True(t, slices.IsSorted(l.months("open")))
	})
}

func TestDrainedBucketsAheadAreNotReadAgain(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store readstore.Store) {
		l := newQueue(t, store)
		past, present, future := l.row("open", now.Add(-3*time.Hour), "past"), l.row("open", now, "present"), l.row("open", now.AddDate(900, 0, 0), "future")
		l.put(past, present, future)
		require.Len(t, l.all("open", 10), 3)
		l.write(true, past, present, future)
		l.clock = now.Add(readstore.MarkGrace + time.Second)
		require.Empty(t, l.all("open", 10))
		require.Equal(t, []string{hour(now)}, l.months("open"), "the current bucket's mark stays, no other")
		l.put(l.row("open", now.AddDate(900, 0, 0), "late"))
		require.Len(t, l.all("open", 10), 1, "a row put there later brings the mark back")
	})
}
