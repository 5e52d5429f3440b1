package readapi

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/stretchr/testify/require"
)

// queue is a list read oldest first, over a real store that lets the test in before
// it reads a bucket.
type queue struct {
	readstore.Store
	*readstore.Bucketed
	t      *testing.T
	before func(bucket string)
	mu     sync.Mutex
	reads  int // partitions
}

func newQueue(t *testing.T) *queue {
	t.Helper()
	store, err := sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "test.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	q := &queue{Store: store, t: t, Bucketed: readstore.NewBucketed(&readstore.Table{
		Name:       "queue",
		Partition:  []readstore.Column{{Name: "status", Type: readstore.Text}, {Name: "month", Type: readstore.Text}, {Name: "shard", Type: readstore.Int}},
		Clustering: []readstore.Column{{Name: "turn", Type: readstore.Time}, {Name: "id", Type: readstore.Text}},
	}, 4)}
	require.NoError(t, store.Ensure(t.Context(), q.Table, q.Marks))
	return q
}

func (q *queue) Page(ctx context.Context, table *readstore.Table, query readstore.Query) (readstore.Page, error) {
	if table == q.Table {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.reads++
		if q.before != nil {
			q.before(query.Partition[1].(string))
		}
	}
	return q.Store.Page(ctx, table, query)
}

func (q *queue) put(turn time.Time, id string, remove bool) {
	q.t.Helper()
	row := readstore.Row(q.Key(readstore.Key{"open"}, turn, id))
	q.write([]readstore.Mutation{{Table: q.Table, Row: row, Timestamp: 1, Delete: remove}})
	q.write(q.MarkMutations(time.Now(), []readstore.Row{row}))
}

func (q *queue) write(all []readstore.Mutation) {
	q.t.Helper()
	require.NoError(q.t, q.Write(q.t.Context(), all))
}

// ids reads a page of the ids that keep lets through.
func (q *queue) ids(limit int, after *readstore.Position, keep func(string) bool) ([]string, *readstore.Position) {
	q.t.Helper()
	idOf := func(in columns, row readstore.Row) string { return in.text(row, "id") }
	ids, next, err := readList(q.t.Context(), q, q.Bucketed, readstore.Key{"open"}, limit, after, idOf, keep)
	require.NoError(q.t, err)
	return ids, next
}

func every(string) bool { return true }

var march = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// TestListHasAnItemOnce, though it moves to a later bucket while the page is read.
func TestListHasAnItemOnce(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	april := march.AddDate(0, 1, 0)
	q.put(march, "moves", false)
	q.put(april, "stays", false)
	q.before = func(bucket string) {
		if bucket == readstore.Month(april) {
			q.put(march, "moves", true)
			q.put(april.Add(time.Hour), "moves", false)
		}
	}
	ids, next := q.ids(10, nil, every)
	require.Equal(t, []string{"moves", "stays"}, ids)
	require.Nil(t, next)
}

// TestListEndsAPageThatCostsTooMuch: one whose buckets are empty, and one whose
// filter keeps nothing; the next pages find what is behind.
func TestListEndsAPageThatCostsTooMuch(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	const months = 250
	for i := range months {
		q.put(march.AddDate(0, i, 0), fmt.Sprint(i), i < months-1)
	}
	var after *readstore.Position
	for pages := 1; ; pages++ {
		q.reads = 0
		ids, next := q.ids(20, after, every)
		require.LessOrEqual(t, q.reads, 400)
		if after = next; after == nil {
			require.Equal(t, []string{fmt.Sprint(months - 1)}, ids)
			require.Equal(t, 3, pages)
			break
		}
		require.Empty(t, ids)
	}
	for i := range 20 {
		q.put(march.AddDate(0, months, i), fmt.Sprint("hidden ", i), false)
	}
	ids, next := q.ids(3, &readstore.Position{Bucket: readstore.Month(march.AddDate(0, months-1, 0))}, func(string) bool { return false })
	require.Empty(t, ids)
	require.NotNil(t, next)
}
