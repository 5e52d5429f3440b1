package projections

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/cql"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/stretchr/testify/require"
)

// Late and torn writers: whatever part of whoever's flush arrives when, in the
// end there is no ghost, no missing and no torn row.
func TestFlushOfManyCopiesSQLite(t *testing.T) { flushHolds(t, simSQLite(t), 2000) }

func TestFlushOfManyCopiesCQL(t *testing.T) { flushHolds(t, simCQL(t), 300) }

func TestProofFlushOfManyCopies(t *testing.T) {
	simProof(t)
	t.Run("SQLite", func(t *testing.T) { flushHolds(t, simSQLite(t), 10_000) })
	t.Run("CQL", func(t *testing.T) { flushHolds(t, simCQL(t), 2000) })
}

func simProof(t *testing.T) {
	if os.Getenv("ADMITONE_PROOF") == "" {
		t.Skip("a long test: it runs in `make proof`")
	}
}

func flushHolds(t *testing.T, store readstore.Store, histories int) {
	s := newSimulation(t, store, 1)
	require.NoError(t, s.play(t.Context(), 0, histories))
	s.compare(t)
	for _, f := range s.faults[:min(10, len(s.faults))] {
		t.Errorf("history %d: %s: %s", f.history, f.kind, f.text)
	}
}

// Each part of the flush rule is needed: without it some history ends wrong.
func TestFlushRuleUndone(t *testing.T) {
	t.Parallel()
	store := simSQLite(t)
	for i, m := range mutants() {
		t.Run(m.name, func(t *testing.T) { foundBy(t, store, i+1, m.undo) })
	}
}

func TestProofFlushRuleUndoneCQL(t *testing.T) {
	simProof(t)
	store := simCQL(t)
	for i, m := range mutants() {
		t.Run(m.name, func(t *testing.T) { foundBy(t, store, i+1, m.undo) })
	}
}

// enoughHistories is some times what the hardest to notice takes.
const enoughHistories = 6000

func foundBy(t *testing.T, store readstore.Store, number int, undo func(flushed) [][]readstore.Mutation) {
	s := newSimulation(t, store, number)
	s.undo = undo
	for played := 0; len(s.faults) == 0; played += 100 {
		require.Less(t, played, enoughHistories, "no history noticed it")
		require.NoError(t, s.play(t.Context(), played, 100))
		s.compare(t)
		if len(s.faults) > 0 {
			t.Logf("%d faults in %d histories, such as: %s: %s", len(s.faults), played+100, s.faults[0].kind, s.faults[0].text)
		}
	}
}

type mutant struct {
	name string
	undo func(flushed) [][]readstore.Mutation
}

// Positions of the phases that flushOf makes.
const (
	phaseRows = iota
	phaseMarks
	phaseHome
)

func mutants() []mutant {
	return []mutant{
		{"unchanged index rows are left out", func(f flushed) [][]readstore.Mutation {
			return f.without(func(m readstore.Mutation) bool { return f.indexed(m) && !m.Delete && f.stood(m, true) })
		}},
		{"keys of the versions between are not deleted", func(f flushed) [][]readstore.Mutation {
			return f.without(func(m readstore.Mutation) bool { return m.Delete && !f.stood(m, false) })
		}},
		{"only the difference is written", func(f flushed) [][]readstore.Mutation {
			return f.without(func(m readstore.Mutation) bool { return f.indexed(m) && m.Delete != f.stood(m, !m.Delete) })
		}},
		{"a key that is written is deleted too", func(f flushed) [][]readstore.Mutation {
			f.phases[phaseRows] = slices.Concat(f.phases[phaseRows], f.leftAndCameBack())
			return f.phases
		}},
		{"one timestamp for all", func(f flushed) [][]readstore.Mutation {
			return f.stamped(func(int64) int64 { return 1 })
		}},
		{"the clock for a timestamp", func(f flushed) [][]readstore.Mutation {
			now := time.Now().UnixMicro()
			return f.stamped(func(int64) int64 { return now })
		}},
		{"deletes at the version written before", func(f flushed) [][]readstore.Mutation {
			f.phases[phaseRows] = slices.Clone(f.phases[phaseRows])
			for i, m := range f.phases[phaseRows] {
				if m.Delete {
					f.phases[phaseRows][i].Timestamp = int64(max(1, f.entryOf(m).written))
				}
			}
			return f.phases
		}},
		{"home rows before index rows", func(f flushed) [][]readstore.Mutation {
			return [][]readstore.Mutation{f.phases[phaseHome], f.phases[phaseRows], f.phases[phaseMarks]}
		}},
		{"home rows beside index rows", func(f flushed) [][]readstore.Mutation {
			return [][]readstore.Mutation{slices.Concat(f.phases...)}
		}},
		{"marks of lists after home rows", func(f flushed) [][]readstore.Mutation {
			return [][]readstore.Mutation{f.phases[phaseRows], f.phases[phaseHome], f.phases[phaseMarks]}
		}},
		{"appended rows after home rows", func(f flushed) [][]readstore.Mutation {
			late := slices.DeleteFunc(slices.Clone(f.phases[phaseRows]), f.indexed)
			return append(f.without(func(m readstore.Mutation) bool { return !f.indexed(m) }), late)
		}},
	}
}

// without drops mutations of the first phase.
func (f flushed) without(drop func(readstore.Mutation) bool) [][]readstore.Mutation {
	rows := slices.DeleteFunc(slices.Clone(f.phases[phaseRows]), drop)
	return [][]readstore.Mutation{rows, f.phases[phaseMarks], f.phases[phaseHome]}
}

func (f flushed) indexed(m readstore.Mutation) bool { return slices.Contains(f.g.indexes, m.Table) }

// entryOf finds whose index row it is, by the aggregate's id in its key.
func (f flushed) entryOf(m readstore.Mutation) *entry {
	i := slices.IndexFunc(f.dirty, func(e *entry) bool { return slices.Contains(m.Row, any(e.key)) })
	return f.dirty[i]
}

// stood: an index row was there at the version written before, as a whole or with its key.
func (f flushed) stood(m readstore.Mutation, whole bool) bool {
	n := m.Table.KeyLen()
	if whole {
		n = len(m.Row)
	}
	old := f.before(f.entryOf(m))[slices.Index(f.g.indexes, m.Table)]
	return slices.ContainsFunc(old, func(row readstore.Row) bool { return sameValues(row[:n], m.Row[:n]) })
}

func (f flushed) leftAndCameBack() (deletes []readstore.Mutation) {
	for _, e := range f.dirty {
		for _, s := range e.stale {
			deletes = append(deletes, readstore.Mutation{
				Table: f.g.indexes[s.index], Row: readstore.Row(s.key), Delete: true, Timestamp: int64(e.version),
			})
		}
	}
	return deletes
}

func (f flushed) stamped(at func(version int64) int64) [][]readstore.Mutation {
	for _, i := range []int{phaseRows, phaseHome} {
		f.phases[i] = slices.Clone(f.phases[i])
		for j := range f.phases[i] {
			f.phases[i][j].Timestamp = at(f.phases[i][j].Timestamp)
		}
	}
	return f.phases
}

func newSimulation(t *testing.T, store readstore.Store, number int) *simulation {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ADMITONE_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("ADMITONE_TEST_SEED=%d", seed)
	s := &simulation{store: store, def: crates(t), number: number, seed: seed, origins: map[string]uint64{}, want: map[string]expectedRows{}}
	g := newGeneration(s.def, number, nil, silentDeps())
	for _, table := range g.tables() {
		s.want[table.Name] = expectedRows{}
	}
	require.NoError(t, store.Ensure(t.Context(), g.tables()...))
	return s
}

// compare reads all tables and notes what differs from the fold.
func (s *simulation) compare(t *testing.T) {
	s.faults = nil
	g := newGeneration(s.def, s.number, nil, silentDeps())
	for _, table := range g.tables() {
		seen := expectedRows{}
		require.NoError(t, s.store.Scan(t.Context(), table, func(row readstore.Row) error {
			seen[fmt.Sprint(table.KeyOf(row))] = row
			return nil
		}))
		marks := slices.ContainsFunc(g.lists, func(l *readstore.Bucketed) bool { return l != nil && l.Marks.Name == table.Name })
		s.compareTable(table, seen, marks)
	}
}

func (s *simulation) compareTable(table *readstore.Table, seen expectedRows, marks bool) {
	note := func(kind string, row readstore.Row, text string) {
		s.faults = append(s.faults, fault{kind: kind, history: s.originOf(row), text: table.Name + " " + text})
	}
	for key, row := range seen {
		if s.want[table.Name][key] == nil && !marks {
			note("ghost", row, fmt.Sprint(row))
		}
	}
	for key, want := range s.want[table.Name] {
		switch have := seen[key]; {
		case have == nil:
			note("missing", want, fmt.Sprint(want))
		case !marks && !sameValues(have, want):
			note("torn", want, fmt.Sprintf("%v, not %v", have, want))
		}
	}
}

// originOf finds the history by the aggregate's id, which is in every row.
func (s *simulation) originOf(row readstore.Row) uint64 {
	for _, v := range row {
		if text, ok := v.(string); ok {
			if number, ok := s.origins[text]; ok {
				return number
			}
		}
	}
	return 0
}

func silentDeps() *deps { return &deps{log: slog.New(slog.DiscardHandler)} }

func simSQLite(t *testing.T) readstore.Store {
	s, err := sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "rows.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func simCQL(t *testing.T) readstore.Store {
	s, err := cql.Open(cql.Config{Hosts: cqltest.Hosts(t), Keyspace: cqltest.Keyspace(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, 30*time.Second, 50*time.Millisecond)
	return s
}
