// Package storetest is the conformance suite of readstore.Store: everything that
// the port promises, as checks that any store can be put to.
//
// The tests of every adapter call Run; its own tests put stores to it that each
// break one promise, and see the suite fail. Whoever changes a store first
// extends the suite. It imports readstore and testify.
package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

// T is what a check needs of *testing.T, so that a recorder can stand in for it.
type T interface {
	require.TestingT
	Helper()
	Logf(format string, args ...any)
	Context() context.Context
}

// Open gives a new, empty store; closing it is the opener's matter, though a check
// may have done so.
type Open func() readstore.Store

// SeedEnv names the variable that gives random checks their seed back.
const SeedEnv = "ADMITONE_TEST_SEED"

// Run puts stores to all checks, as subtests that share one store.
func Run(t *testing.T, open func(t *testing.T) readstore.Store) {
	s := newSuite(t, func() readstore.Store { return open(t) })
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) { c.run(s.with(t)) })
	}
}

type check struct {
	name string
	run  func(*suite)
}

func checks() []check {
	return []check{
		{"values come back as they were written", checkValues},
		{"empty values replace older ones", checkEmptyReplaces},
		{"what does not fit is refused before anything is written", checkInvalid},
		{"the larger timestamp wins whichever comes first", checkTimestamps},
		{"a delete wins a tie", checkTie},
		{"a delete stays where there was no row", checkTombstone},
		{"one write may name a row often", checkSameRowOften},
		{"writing a row again changes nothing", checkRewrite},
		{"random writers converge", checkConverge},
		{"no phase before the one before it", checkPhases},
		{"a reader sees phases in order", checkPhasesSeen},
		{"many rows in one write", checkManyRows},
		{"a failing write fails alone", checkFailsAlone},
		{"pages in order, both ways", checkPages},
		{"After begins behind a key", checkAfter},
		{"keys sort by bytes, numbers and time", checkOrder},
		{"pages of a thousand", checkBigPages},
		{"pages skip what was deleted", checkPagesSkipDeleted},
		{"cursors belong to a partition and direction", checkCursors},
		{"an empty partition", checkEmptyPartition},
		{"a table without clustering", checkSingleRows},
		{"Get keeps the order of its keys", checkGet},
		{"Scan gives every row once", checkScan},
		{"Ensure may be repeated", checkEnsure},
		{"Drop and missing tables", checkDrop},
		{"a cancelled call", checkCancelled},
		{"a closed store", checkClosed},
	}
}

// suite is a store under test with the tables that most checks share; each check
// keeps to partitions of its own.
type suite struct {
	T
	open  Open
	store readstore.Store
	check string
}

var (
	records = &readstore.Table{
		Name:      "records",
		Partition: []readstore.Column{{Name: "id", Type: readstore.Text}},
		Values: []readstore.Column{
			{Name: "version", Type: readstore.Int}, {Name: "title", Type: readstore.Text},
			{Name: "at", Type: readstore.Time}, {Name: "open", Type: readstore.Bool}, {Name: "raw", Type: readstore.Bytes},
		},
	}
	// timeline is shaped like a list, newest first.
	timeline = &readstore.Table{
		Name:       "timeline",
		Partition:  []readstore.Column{{Name: "owner", Type: readstore.Text}},
		Clustering: []readstore.Column{{Name: "time", Type: readstore.Time, Desc: true}, {Name: "id", Type: readstore.Text}},
		Values:     []readstore.Column{{Name: "order", Type: readstore.Int}},
	}
	// mixed has a key of two and three columns, in turn up and down, and names that
	// are words of SQL and CQL.
	mixed = &readstore.Table{
		Name:      "mixed",
		Partition: []readstore.Column{{Name: "select", Type: readstore.Text}, {Name: "token", Type: readstore.Int}},
		Clustering: []readstore.Column{
			{Name: "from", Type: readstore.Int}, {Name: "text", Type: readstore.Text, Desc: true}, {Name: "where", Type: readstore.Int},
		},
		Values: []readstore.Column{{Name: "value", Type: readstore.Text}},
	}
)

func newSuite(t T, open Open) *suite {
	t.Helper()
	s := &suite{T: t, open: open, store: open()}
	ready(t, s.store)
	s.ensure(records, timeline, mixed)
	return s
}

// ready waits for a store that connects in the background.
func ready(t T, store readstore.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for err := store.Ping(ctx); err != nil; err = store.Ping(ctx) {
		require.ErrorIs(t, err, readstore.ErrUnavailable, "a store not ready yet")
		select {
		case <-ctx.Done():
			require.NoError(t, err, "the store did not become ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *suite) with(t *testing.T) *suite {
	c := *s
	c.T, c.check = t, t.Name()
	return &c
}

// id is a name within this check's own partitions.
func (s *suite) id(name any) string { return fmt.Sprintf("%s/%v", s.check, name) }

// own is a table that only this check uses.
func (s *suite) own(shape *readstore.Table) *readstore.Table {
	t := shape.Named(fmt.Sprintf("own_%016x", rand.Uint64()))
	s.ensure(t)
	return t
}

func (s *suite) ensure(tables ...*readstore.Table) {
	s.Helper()
	require.NoError(s, s.store.Ensure(s.Context(), tables...))
}

func (s *suite) write(phases ...[]readstore.Mutation) {
	s.Helper()
	require.NoError(s, s.store.Write(s.Context(), phases...))
}

// row reads one row, nil if there is none.
func (s *suite) row(t *readstore.Table, key ...any) readstore.Row {
	s.Helper()
	rows, err := s.store.Get(s.Context(), t, key)
	require.NoError(s, err)
	require.Len(s, rows, 1)
	return rows[0]
}

// page reads one page, which must succeed.
func (s *suite) page(t *readstore.Table, q readstore.Query) readstore.Page {
	s.Helper()
	p, err := s.store.Page(s.Context(), t, q)
	require.NoError(s, err)
	return p
}

// all reads a partition to its end in pages of a size.
func (s *suite) all(t *readstore.Table, q readstore.Query) []readstore.Row {
	s.Helper()
	var rows []readstore.Row
	for {
		p := s.page(t, q)
		require.LessOrEqual(s, len(p.Rows), q.Limit)
		rows = append(rows, p.Rows...)
		if p.Cursor == "" {
			return rows
		}
		require.Len(s, p.Rows, q.Limit, "a page that is not the last one is full")
		require.NotEqual(s, q.Cursor, p.Cursor)
		q.Cursor, q.After = p.Cursor, nil
	}
}

// random is seeded anew each time, or from SeedEnv.
func (s *suite) random() *rand.Rand {
	seed := rand.Uint64()
	if given, err := strconv.ParseUint(os.Getenv(SeedEnv), 10, 64); err == nil {
		seed = given
	}
	s.Logf("%s=%d", SeedEnv, seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func upsert(t *readstore.Table, timestamp int64, row ...any) readstore.Mutation {
	return readstore.Mutation{Table: t, Row: row, Timestamp: timestamp}
}

func remove(t *readstore.Table, timestamp int64, key ...any) readstore.Mutation {
	return readstore.Mutation{Table: t, Row: key, Timestamp: timestamp, Delete: true}
}

// record is a row of records whose values all follow from n.
func record(id string, n int64) readstore.Row {
	return readstore.Row{id, n, fmt.Sprintf("title %d", n), time.UnixMilli(n).UTC(), n%2 == 0, fmt.Appendf(nil, "raw %d", n)}
}
