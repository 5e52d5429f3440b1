package readstore_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

// mostBuckets is what a page of a list in four shards may read.
const mostBuckets = 100

// pieces reads a list to its end, in pages that may be short before it.
func (l *list) pieces(status string, limit int) (rows []readstore.Row, pages int) {
	l.t.Helper()
	var after *readstore.Position
	for {
		marks := l.marks()
		l.store.reads = map[string]int{}
		page, next, err := l.Page(l.t.Context(), l.store, readstore.Key{status}, limit, after)
		require.NoError(l.t, err)
		require.LessOrEqual(l.t, len(l.store.reads), mostBuckets, "a page's cost is bounded")
		require.LessOrEqual(l.t, marks-l.marks(), mostBuckets, "what it clears away too")
		rows, pages = append(rows, page...), pages+1
		if next == nil {
			return rows, pages
		}
		parsed, err := readstore.ParsePosition(next.String())
		require.NoError(l.t, err)
		require.Equal(l.t, *next, parsed)
		after = &parsed
	}
}

func (l *list) marks() (n int) {
	l.t.Helper()
	require.NoError(l.t, l.store.Scan(l.t.Context(), l.Marks, func(readstore.Row) error {
		n++
		return nil
	}))
	return n
}

// TestEmptyBucketsAreReadInPieces: hours in which many waited, and hardly one still does.
func TestEmptyBucketsAreReadInPieces(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store readstore.Store) {
		l := newQueue(t, store)
		l.Shards = 4
		var gone, want []readstore.Row
		for i := range 240 {
			row := l.row("open", now.Add(-time.Duration(i+1)*time.Hour), fmt.Sprintf("id-%03d", i))
			if i%10 == 9 {
				want = append(want, row)
			} else {
				gone = append(gone, row)
			}
		}
		slices.Reverse(want) // the oldest first
		l.put(append(gone, want...)...)
		l.write(true, gone...)
		read := func(limit, pages int) {
			t.Helper()
			rows, n := l.pieces("open", limit)
			require.Equal(t, want, rows, "limit %d", limit)
			require.Equal(t, pages, n, "limit %d", limit)
		}
		for limit, pages := range map[int]int{3: 8, 11: 3, 100: 3} {
			read(limit, pages)
		}
		require.Equal(t, 240, l.marks(), "young marks stay")
		l.clock = now.Add(readstore.MarkGrace + time.Second)
		read(100, 3)
		require.Equal(t, len(want), l.marks())
		read(100, 1)
	})
}
