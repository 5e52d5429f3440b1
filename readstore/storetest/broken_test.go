package storetest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/stretchr/testify/require"
)

// broken is a store that keeps its promises where none of these is set.
type broken struct {
	readstore.Store
	write  func(ctx context.Context, b *broken, phases [][]readstore.Mutation) error
	query  func(q *readstore.Query)
	page   func(p *readstore.Page, err *error)
	row    func(readstore.Row)
	got    func([]readstore.Row) []readstore.Row
	each   func(n int) bool
	ctx    func(context.Context) context.Context
	result func(error) error
	ensure func(ctx context.Context, b *broken, tables []*readstore.Table)

	mu      sync.Mutex
	clock   atomic.Int64
	deleted map[string]int64
}

func (b *broken) Write(ctx context.Context, phases ...[]readstore.Mutation) error {
	ctx = b.context(ctx)
	if b.write != nil {
		return b.outcome(b.write(ctx, b, phases))
	}
	return b.outcome(b.Store.Write(ctx, phases...))
}

func (b *broken) Get(ctx context.Context, t *readstore.Table, keys ...readstore.Key) ([]readstore.Row, error) {
	rows, err := b.Store.Get(b.context(ctx), t, keys...)
	b.spoil(rows)
	if b.got != nil && err == nil {
		rows = b.got(rows)
	}
	return rows, b.outcome(err)
}

func (b *broken) Page(ctx context.Context, t *readstore.Table, q readstore.Query) (readstore.Page, error) {
	if b.query != nil {
		b.query(&q)
	}
	p, err := b.Store.Page(b.context(ctx), t, q)
	b.spoil(p.Rows)
	if b.page != nil {
		b.page(&p, &err)
	}
	return p, b.outcome(err)
}

func (b *broken) Scan(ctx context.Context, t *readstore.Table, fn func(readstore.Row) error) error {
	n := 0
	return b.outcome(b.Store.Scan(b.context(ctx), t, func(row readstore.Row) error {
		if n++; b.each != nil && !b.each(n) {
			return nil
		}
		return fn(row)
	}))
}

func (b *broken) Ensure(ctx context.Context, tables ...*readstore.Table) error {
	if b.ensure != nil {
		b.ensure(ctx, b, tables)
	}
	return b.outcome(b.Store.Ensure(b.context(ctx), tables...))
}

func (b *broken) spoil(rows []readstore.Row) {
	for _, row := range rows {
		if b.row != nil && row != nil {
			b.row(row)
		}
	}
}

func (b *broken) context(ctx context.Context) context.Context {
	if b.ctx != nil {
		return b.ctx(ctx)
	}
	return ctx
}

func (b *broken) outcome(err error) error {
	if b.result != nil {
		return b.result(err)
	}
	return err
}

// changing is a write whose mutations are each changed first.
func changing(change func(b *broken, m *readstore.Mutation)) func(context.Context, *broken, [][]readstore.Mutation) error {
	return func(ctx context.Context, b *broken, phases [][]readstore.Mutation) error {
		copies := make([][]readstore.Mutation, len(phases))
		for i := range phases {
			copies[i] = slices.Clone(phases[i])
			for j := range copies[i] {
				change(b, &copies[i][j])
			}
		}
		return b.Store.Write(ctx, copies...)
	}
}

// forgetful drops tombstones: a late upsert lands as if the row had never been deleted.
func forgetful(b *broken, m *readstore.Mutation) {
	if m.Timestamp <= 0 || len(m.Row) < m.Table.KeyLen() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key := fmt.Sprint(m.Table.Name, m.Table.KeyOf(m.Row))
	if m.Delete {
		b.deleted[key] = max(b.deleted[key], m.Timestamp)
	} else if m.Timestamp < b.deleted[key] {
		m.Timestamp = b.deleted[key] + 1
	}
}

func oneByOne(order func([][]readstore.Mutation)) func(context.Context, *broken, [][]readstore.Mutation) error {
	return func(ctx context.Context, b *broken, phases [][]readstore.Mutation) error {
		phases = slices.Clone(phases)
		order(phases)
		var errs []error
		for _, p := range phases {
			errs = append(errs, b.Store.Write(ctx, p))
		}
		return errors.Join(errs...)
	}
}

func onlyFirst(ctx context.Context, b *broken, phases [][]readstore.Mutation) error {
	for _, p := range phases {
		if err := b.Store.Write(ctx, p[:min(len(p), 2048)]); err != nil {
			return err
		}
	}
	return nil
}

func firstOfEach(ctx context.Context, b *broken, phases [][]readstore.Mutation) error {
	seen := map[string]bool{}
	return only(func(m readstore.Mutation) bool {
		key := fmt.Sprint(m.Table.Name, m.Row[:min(len(m.Row), m.Table.KeyLen())])
		again := seen[key]
		seen[key] = true
		return !again
	})(ctx, b, phases)
}

// keepsOld leaves a cell as it was where the new value is empty.
func keepsOld(b *broken, m *readstore.Mutation) {
	if m.Delete || len(m.Row) <= m.Table.KeyLen() {
		return
	}
	old, err := b.Store.Get(context.Background(), m.Table, m.Table.KeyOf(m.Row))
	if err != nil || old[0] == nil || len(m.Row) != len(old[0]) {
		return
	}
	m.Row = slices.Clone(m.Row)
	for i := m.Table.KeyLen(); i < len(m.Row); i++ {
		if m.Row[i] == "" || m.Row[i] == int64(0) {
			m.Row[i] = old[0][i]
		}
	}
}

func without[E any](target error, value E) func(*E, *error) {
	return func(p *E, err *error) {
		if errors.Is(*err, target) {
			*p, *err = value, nil
		}
	}
}

func swallow(target error) func(error) error {
	return func(err error) error {
		if errors.Is(err, target) {
			return nil
		}
		return err
	}
}

// only lets some mutations through.
func only(keep func(readstore.Mutation) bool) func(context.Context, *broken, [][]readstore.Mutation) error {
	return func(ctx context.Context, b *broken, phases [][]readstore.Mutation) error {
		var kept [][]readstore.Mutation
		for _, p := range phases {
			kept = append(kept, slices.DeleteFunc(slices.Clone(p), func(m readstore.Mutation) bool { return !keep(m) }))
		}
		return b.Store.Write(ctx, kept...)
	}
}

var brokenStores = []struct {
	name  string
	store *broken
	fails string // a check that must fail, among others perhaps
}{
	{"ignores timestamps", &broken{write: changing(func(b *broken, m *readstore.Mutation) {
		if m.Timestamp > 0 {
			m.Timestamp = b.clock.Add(1)
		}
	})}, "the larger timestamp wins whichever comes first"},
	{"an upsert wins a tie", &broken{write: changing(func(_ *broken, m *readstore.Mutation) {
		if m.Timestamp *= 2; !m.Delete && m.Timestamp > 0 {
			m.Timestamp++
		}
	})}, "a delete wins a tie"},
	{"drops tombstones", &broken{write: changing(forgetful)}, "a delete stays where there was no row"},
	{"ignores deletes", &broken{write: only(func(m readstore.Mutation) bool { return !m.Delete })}, "pages skip what was deleted"},
	{"ignores what is rewritten", &broken{write: only(func(m readstore.Mutation) bool { return m.Timestamp != 6 })}, "writing a row again changes nothing"},
	{"ignores some writers", &broken{write: only(func(m readstore.Mutation) bool { return m.Timestamp < 90 })}, "random writers converge"},
	{"keeps older cells", &broken{write: changing(keepsOld)}, "empty values replace older ones"},
	{"reverses phases", &broken{write: oneByOne(slices.Reverse[[][]readstore.Mutation])}, "no phase before the one before it"},
	{"goes on behind a failed phase", &broken{write: oneByOne(func([][]readstore.Mutation) {})}, "no phase before the one before it"},
	{"shows phases in reverse", &broken{write: oneByOne(slices.Reverse[[][]readstore.Mutation])}, "a reader sees phases in order"},
	{"cuts long writes", &broken{write: onlyFirst}, "many rows in one write"},
	{"writes what does not fit", &broken{write: func(ctx context.Context, b *broken, phases [][]readstore.Mutation) error {
		for _, p := range phases {
			if err := b.Store.Write(ctx, p); err != nil {
				return err
			}
		}
		return nil
	}}, "what does not fit is refused before anything is written"},
	{"hides that a write failed", &broken{result: swallow(readstore.ErrNoTable)}, "a failing write fails alone"},
	{"hides a missing table", &broken{result: swallow(readstore.ErrNoTable)}, "Drop and missing tables"},
	{"keeps a dropped table's rows", &broken{ensure: func(ctx context.Context, b *broken, tables []*readstore.Table) {
		for i := range tables {
			tables[i] = tables[i].Named(tables[i].Name[:min(len(tables[i].Name), 3)])
		}
	}}, "Drop and missing tables"},
	{"empties a table that exists", &broken{ensure: func(ctx context.Context, b *broken, tables []*readstore.Table) {
		_ = b.Drop(ctx, tables...)
	}}, "Ensure may be repeated"},
	{"reverses pages", &broken{query: func(q *readstore.Query) { q.Reverse = !q.Reverse }}, "pages in order, both ways"},
	{"knows one direction", &broken{query: func(q *readstore.Query) { q.Reverse = false }}, "pages in order, both ways"},
	{"loses the last row of a page", &broken{page: func(p *readstore.Page, _ *error) {
		p.Rows = p.Rows[:max(0, len(p.Rows)-1)]
	}}, "pages in order, both ways"},
	{"gives a cursor at the end", &broken{page: func(p *readstore.Page, _ *error) {
		if p.Cursor == "" && len(p.Rows) > 0 {
			p.Cursor = "more"
		}
	}}, "pages in order, both ways"},
	{"ends after one page", &broken{page: func(p *readstore.Page, _ *error) { p.Cursor = "" }}, "pages of a thousand"},
	{"ignores After", &broken{query: func(q *readstore.Query) { q.After = nil }}, "After begins behind a key"},
	{"sorts text by letters", &broken{page: func(p *readstore.Page, _ *error) {
		slices.SortStableFunc(p.Rows, func(a, b readstore.Row) int {
			x, _ := a[min(3, len(a)-1)].(string)
			y, _ := b[min(3, len(b)-1)].(string)
			return -strings.Compare(strings.ToLower(x), strings.ToLower(y))
		})
	}}, "keys sort by bytes, numbers and time"},
	{"takes any cursor", &broken{page: without(readstore.ErrBadCursor, readstore.Page{})}, "cursors belong to a partition and direction"},
	{"invents a page", &broken{page: func(p *readstore.Page, _ *error) { p.Cursor = "more" }}, "an empty partition"},
	{"has no rows without clustering", &broken{page: func(p *readstore.Page, _ *error) { p.Rows = nil }}, "a table without clustering"},
	{"leaves absent rows out", &broken{got: func(rows []readstore.Row) []readstore.Row {
		return slices.DeleteFunc(rows, func(r readstore.Row) bool { return r == nil })
	}}, "Get keeps the order of its keys"},
	{"answers a key once", &broken{got: func(rows []readstore.Row) []readstore.Row {
		return rows[:min(len(rows), 200)]
	}}, "Get keeps the order of its keys"},
	{"scans most rows", &broken{each: func(n int) bool { return n != 2 }}, "Scan gives every row once"},
	{"cuts times to seconds", &broken{row: func(r readstore.Row) {
		if at, ok := r[min(3, len(r)-1)].(time.Time); ok {
			r[3] = at.Truncate(time.Second)
		}
	}}, "values come back as they were written"},
	{"takes the epoch for no time", &broken{row: func(r readstore.Row) {
		if at, ok := r[min(3, len(r)-1)].(time.Time); ok && at.UnixMilli() == 0 {
			r[3] = time.Time{}
		}
	}}, "values come back as they were written"},
	{"gives nil for no bytes", &broken{row: func(r readstore.Row) {
		if raw, ok := r[len(r)-1].([]byte); ok && len(raw) == 0 {
			r[len(r)-1] = []byte(nil)
		}
	}}, "values come back as they were written"},
	{"cuts text at NUL", &broken{row: func(r readstore.Row) {
		if text, ok := r[min(2, len(r)-1)].(string); ok {
			r[2], _, _ = strings.Cut(text, "\x00")
		}
	}}, "values come back as they were written"},
	{"does not end when its caller does", &broken{ctx: context.WithoutCancel}, "a cancelled call"},
	{"takes a closed store for done", &broken{result: swallow(readstore.ErrUnavailable)}, "a closed store"},
	{"keeps the first of one row", &broken{write: firstOfEach}, "one write may name a row often"},
}

func TestBrokenStoresFail(t *testing.T) {
	for _, b := range brokenStores {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			failed := false
			for _, c := range checks() {
				if c.name == b.fails {
					failed = fails(t, c, b.store)
				}
			}
			require.True(t, failed, "a store that %s passes %q", b.name, b.fails)
		})
	}
}

func TestSoundStorePasses(t *testing.T) {
	for _, c := range checks() {
		require.False(t, fails(t, c, &broken{}), c.name)
	}
}

func TestEveryCheckCanFail(t *testing.T) {
	covered := map[string]bool{}
	for _, b := range brokenStores {
		covered[b.fails] = true
	}
	for _, c := range checks() {
		require.True(t, covered[c.name], "no broken store fails %q", c.name)
	}
}

// fails puts a store to one check and says whether it failed.
func fails(t *testing.T, c check, like *broken) bool {
	r := &recorder{ctx: t.Context()}
	r.watch(func() {
		s := newSuite(r, func() readstore.Store {
			store, err := sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "test.db")})
			require.NoError(r, err)
			t.Cleanup(func() { _ = store.Close() })
			return &broken{
				Store: store, deleted: map[string]int64{}, write: like.write, query: like.query, page: like.page, row: like.row,
				got: like.got, each: like.each, ctx: like.ctx, result: like.result, ensure: like.ensure,
			}
		})
		s.check = c.name
		c.run(s)
	})
	if r.failed.Load() {
		t.Logf("%s: %s", c.name, r.first)
	}
	return r.failed.Load()
}

// recorder takes a check's failure in place of *testing.T.
type recorder struct {
	ctx    context.Context
	failed atomic.Bool
	first  string
}

// watch runs fn in a goroutine of its own, which a failure ends.
func (r *recorder) watch(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}

func (r *recorder) Errorf(format string, args ...any) {
	if !r.failed.Swap(true) {
		r.first = fmt.Sprintf(format, args...)
	}
}

func (r *recorder) FailNow() {
	r.failed.Store(true)
	runtime.Goexit()
}

func (r *recorder) Helper()                  {}
func (r *recorder) Logf(string, ...any)      {}
func (r *recorder) Context() context.Context { return r.ctx }
