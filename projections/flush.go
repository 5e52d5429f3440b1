package projections

import (
	"time"

	"github.com/admitone/admitone/readstore"
)

// flushOf lays out the writes of dirty entries in the phases that make a crash
// between any two steps, a late writer and a second copy harmless:
//
//  1. appended rows; a delete for each index key that a version from written to
//     version-1 had and version has not; every index row of version, changed or
//     not, never a key that is also deleted;
//  2. the marks of lists whose rows stand in step 1;
//  3. the home rows, which are the gate's memory.
//
// Every write of an entry carries its version as the timestamp.
func (g *generation) flushOf(dirty []*entry) ([][]readstore.Mutation, error) {
	var first, home []readstore.Mutation
	var listed []listedRow
	for _, e := range dirty {
		ts := int64(e.version)
		for _, a := range e.appended {
			first = append(first, readstore.Mutation{Table: g.appended[a.table], Row: a.row, Timestamp: ts})
		}
		for _, s := range e.stale {
			if !hasKey(g.indexes[s.index], e.rows[s.index], s.key) {
				first = append(first, readstore.Mutation{Table: g.indexes[s.index], Row: readstore.Row(s.key), Delete: true, Timestamp: ts})
			}
		}
		for i, rows := range e.rows {
			for _, row := range rows {
				first = append(first, readstore.Mutation{Table: g.indexes[i], Row: row, Timestamp: ts})
				if g.lists[i] != nil {
					listed = append(listed, listedRow{index: i, row: row})
				}
			}
		}
		row, err := g.projection.homeRow(e)
		if err != nil {
			return nil, &brokenError{entry: e, err: err}
		}
		home = append(home, readstore.Mutation{Table: g.home, Row: row, Timestamp: ts})
	}
	return [][]readstore.Mutation{first, g.marksOf(listed), home}, nil
}

// brokenError is an entry whose home row cannot be made.
type brokenError struct {
	entry *entry
	err   error
}

func (e *brokenError) Error() string { return e.err.Error() }

type listedRow struct {
	index int
	row   readstore.Row
}

// markEvery is how long a list's mark is not written again. It stays far below
// readstore's drain margin, so a mark that is skipped cannot have been drained.
const markEvery = time.Minute
