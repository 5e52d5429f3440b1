package readstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/cql"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/admitone/admitone/readstore/storetest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the middle of a month, in the tests.
var now = time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)

func onEveryStore(t *testing.T, test func(t *testing.T, store readstore.Store)) {
	t.Run("sqlite", func(t *testing.T) {
		store, err := sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "test.db")})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		test(t, store)
	})
	t.Run("cql", func(t *testing.T) {
		store, err := cql.Open(cql.Config{Hosts: cqltest.Hosts(t), Keyspace: cqltest.Keyspace(t)})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		require.Eventually(t, func() bool { return store.Ping(t.Context()) == nil }, time.Minute, 20*time.Millisecond)
		test(t, store)
	})
}

// list is a Bucketed over a real store, whose clock the test sets.
type list struct {
	*readstore.Bucketed
	t     *testing.T
	store *watched
	clock time.Time
	ts    int64
}

func newList(t *testing.T, store readstore.Store, name string, idDesc bool) *list {
	t.Helper()
	b := readstore.NewBucketed(&readstore.Table{
		Name:       name,
		Partition:  []readstore.Column{{Name: "status", Type: readstore.Text}, {Name: "month", Type: readstore.Text}, {Name: "shard", Type: readstore.Int}},
		Clustering: []readstore.Column{{Name: "at", Type: readstore.Time, Desc: true}, {Name: "id", Type: readstore.Text, Desc: idDesc}},
		Values:     []readstore.Column{{Name: "title", Type: readstore.Text}},
	}, 4)
	require.NoError(t, b.Validate())
	l := &list{Bucketed: b, t: t, store: &watched{Store: store}, clock: now}
	b.Now = func() time.Time { return l.clock }
	require.NoError(t, store.Ensure(t.Context(), b.Table, b.Marks))
	return l
}

// watched counts the partitions of the list that are read, and runs step, if set,
// around whatever a reader does.
type watched struct {
	readstore.Store
	mu    sync.Mutex
	reads map[string]int // by month
	step  func()
}

func (w *watched) Page(ctx context.Context, t *readstore.Table, q readstore.Query) (readstore.Page, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.step != nil {
		w.step()
		defer w.step()
	}
	if w.reads != nil && len(q.Partition) > 1 {
		w.reads[q.Partition[1].(string)]++
	}
	return w.Store.Page(ctx, t, q)
}

func (w *watched) Write(ctx context.Context, phases ...[]readstore.Mutation) error {
	if w.step != nil {
		w.step()
		defer w.step()
	}
	return w.Store.Write(ctx, phases...)
}

func (l *list) row(status string, at time.Time, id string) readstore.Row {
	return append(readstore.Row(l.Key(readstore.Key{status}, at, id)), "title "+id)
}

// put writes rows and their marks, as a flush does.
func (l *list) put(rows ...readstore.Row) {
	l.t.Helper()
	l.write(false, rows...)
	require.NoError(l.t, l.store.Store.Write(l.t.Context(), l.MarkMutations(l.clock, rows)))
}

func (l *list) write(remove bool, rows ...readstore.Row) {
	l.t.Helper()
	l.ts++
	var all []readstore.Mutation
	for _, row := range rows {
		all = append(all, readstore.Mutation{Table: l.Table, Row: row, Timestamp: l.ts, Delete: remove})
	}
	require.NoError(l.t, l.store.Store.Write(l.t.Context(), all))
}

// all reads a list to its end, each position through its text.
func (l *list) all(status string, limit int) []readstore.Row {
	l.t.Helper()
	var rows []readstore.Row
	var after *readstore.Position
	for {
		page, next, err := l.Page(l.t.Context(), l.store, readstore.Key{status}, limit, after)
		require.NoError(l.t, err)
		rows = append(rows, page...)
		if next == nil {
			return rows
		}
		require.Len(l.t, page, limit)
		parsed, err := readstore.ParsePosition(next.String())
		require.NoError(l.t, err)
		require.Equal(l.t, *next, parsed)
		after = &parsed
	}
}

func (l *list) months(status string) []string {
	l.t.Helper()
	page, err := l.store.Store.Page(l.t.Context(), l.Marks, readstore.Query{Partition: readstore.Key{status}, Limit: 100})
	require.NoError(l.t, err)
	var months []string
	for _, mark := range page.Rows {
		months = append(months, mark[1].(string))
	}
	return months
}

func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if given, err := strconv.ParseUint(os.Getenv(storetest.SeedEnv), 10, 64); err == nil {
		seed = given
	}
	t.Logf("%s=%d", storetest.SeedEnv, seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestListIsReadNewestFirst(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store readstore.Store) {
		random := seeded(t)
		for _, idDesc := range []bool{false, true} {
			l := newList(t, store, fmt.Sprintf("list_%v", idDesc), idDesc)
			var want []readstore.Row
			for i := range 120 {
				at := now.AddDate(0, -random.IntN(5), 0).Add(-time.Duration(random.IntN(3)) * time.Hour) // many at the same time
				want = append(want, l.row("available", at, fmt.Sprintf("id-%03d", i)))
			}
			l.put(want...)
			l.put(l.row("sold", now, "another list"))
			slices.SortFunc(want, func(a, b readstore.Row) int {
				if c := b[3].(time.Time).Compare(a[3].(time.Time)); c != 0 {
					return c
				}
				c := strings.Compare(a[4].(string), b[4].(string))
				if idDesc {
					return -c
				}
				return c
			})
			for _, limit := range []int{1, 7, 50, 119, 120, 121, readstore.MaxLimit - 1} {
				require.Equal(t, want, l.all("available", limit), "limit %d", limit)
			}
			require.Empty(t, l.all("withdrawn", 10))
			require.Len(t, l.months("available"), 5)
		}
	})
}

func TestListStopsAtItsLimit(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store readstore.Store) {
		l := newList(t, store, "list", false)
		for month := range 6 {
			for i := range 10 {
				l.put(l.row("available", now.AddDate(0, -month, 0), fmt.Sprint(i)))
			}
		}
		l.store.reads = map[string]int{}
		_, next, err := l.Page(t.Context(), l.store, readstore.Key{"available"}, 15, nil)
		require.NoError(t, err)
		require.NotNil(t, next)
		require.Equal(t, map[string]int{"2026-11": 4, "2026-10": 4}, l.store.reads)
	})
}

func TestListRefuses(t *testing.T) {
	for _, limit := range []int{-1, 0, readstore.MaxLimit} {
		_, _, err := newShape(3).Page(t.Context(), nil, readstore.Key{"p"}, limit, nil)
		require.ErrorIs(t, err, readstore.ErrInvalid)
	}
	require.ErrorIs(t, newShape(0).Validate(), readstore.ErrInvalid)
	require.NoError(t, newShape(1).Validate())
	for _, s := range []string{"", ".", "x", "12", "!.id", "zzzzzzzzzzzzzzzzzzz.id", "1.\xff", "1." + strings.Repeat("x", readstore.MaxKeyText+1),
		"~", "~\xff", "~" + strings.Repeat("x", readstore.MaxKeyText+1)} {
		_, err := readstore.ParsePosition(s)
		require.ErrorIs(t, err, readstore.ErrBadCursor, "%q", s)
	}
}

func newShape(shards int) *readstore.Bucketed {
	return readstore.NewBucketed(&readstore.Table{
		Name:       "shape",
		Partition:  []readstore.Column{{Name: "p", Type: readstore.Text}, {Name: "month", Type: readstore.Text}, {Name: "shard", Type: readstore.Int}},
		Clustering: []readstore.Column{{Name: "at", Type: readstore.Time, Desc: true}, {Name: "id", Type: readstore.Text}},
	}, shards)
}

func TestDrainedMonthsAreNotReadAgain(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store readstore.Store) {
		l := newList(t, store, "list", false)
		june, july := now.AddDate(0, -5, 0), now.AddDate(0, -4, 0)
		old, kept, current := l.row("available", june, "old"), l.row("available", july, "kept"), l.row("available", now, "current")
		l.put(old, kept, current)
		l.write(true, old, current)

		require.Len(t, l.all("available", 10), 1)
		require.Equal(t, []string{"2026-11", "2026-07", "2026-06"}, l.months("available"), "a young mark stays")

		l.clock = now.Add(readstore.MarkGrace + time.Second)
		require.Len(t, l.all("available", 10), 1)
		require.Equal(t, []string{"2026-11", "2026-07"}, l.months("available"), "the current month's mark stays, though it is empty")
		l.store.reads = map[string]int{}
		require.Len(t, l.all("available", 10), 1)
		require.Equal(t, map[string]int{"2026-11": 4, "2026-07": 4}, l.store.reads)

		l.put(l.row("available", june, "late"))
		require.Len(t, l.all("available", 10), 2, "a row put there later brings the mark back")
		require.Equal(t, []string{"2026-11", "2026-07", "2026-06"}, l.months("available"))

		last := l.PositionOf(kept)
		l.write(true, kept)
		l.clock = l.clock.Add(readstore.MarkGrace + time.Second)
		rows, _, err := l.Page(t.Context(), l.store, readstore.Key{"available"}, 10, &last)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Contains(t, l.months("available"), "2026-07", "nothing behind a position does not mean that a month is empty")
	})
}

// TestDrainRace lets writers take steps wherever a reader could be interrupted:
// whatever they do, no row that has been put and marked is lost to readers.
func TestDrainRace(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store readstore.Store) {
		random := seeded(t)
		rounds := 40
		if _, slow := store.(*cql.Store); slow {
			rounds = 6
		}
		l := newList(t, store, "list", false)
		for round := range rounds {
			r := &race{list: l, random: random, status: fmt.Sprint(round), live: map[string]readstore.Row{}, marked: map[string]time.Time{}}
			for range 30 {
				l.clock = l.clock.Add(time.Duration(random.IntN(15)) * time.Minute)
				l.store.step = r.step
				_, _, err := l.Page(t.Context(), l.store, readstore.Key{r.status}, 3, nil)
				require.NoError(t, err)
				l.store.step = nil
			}
			r.mark()
			require.Len(t, l.all(r.status, 100), len(r.live), "round %d", round)
		}
	})
}

type race struct {
	*list
	random *rand.Rand
	status string
	live   map[string]readstore.Row
	n      int
	rows   []readstore.Row      // written, not yet marked
	marked map[string]time.Time // of late, by month
}

func (r *race) step() {
	switch r.random.IntN(6) {
	case 0:
		r.mark()
		r.n++
		row := r.row(r.status, now.AddDate(0, -1-r.random.IntN(2), 0), fmt.Sprint(r.n))
		r.write(false, row)
		r.live[row[4].(string)], r.rows = row, append(r.rows, row)
	case 1:
		r.mark()
	case 2, 3:
		for id, row := range r.live {
			r.write(true, row)
			delete(r.live, id)
		}
	}
}

// mark writes the marks of what was written, some time after that; one written in
// the last minute is left out.
func (r *race) mark() {
	rows := r.rows
	r.rows = nil
	for _, m := range r.MarkMutations(r.clock, rows) {
		month := m.Row[1].(string)
		if last, ok := r.marked[month]; ok && r.clock.Sub(last) < time.Minute {
			continue
		}
		require.NoError(r.t, r.store.Store.Write(r.t.Context(), []readstore.Mutation{m}))
		r.marked[month] = r.clock
		r.clock = r.clock.Add(time.Duration(r.random.IntN(20)) * time.Second)
	}
}
