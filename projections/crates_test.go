package projections

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// crateState is folded from events that set it as a whole.
type crateState struct {
	Shelf string
	Tags  int64 // a bit for each
	Note  string
	At    time.Time
}

func (crateState) EventType() string { return "crate.set.v1" }

func newCrate(r *rand.Rand) crate {
	x := crate{id: uuid.UUID{}}
	for i := range x.id {
		x.id[i] = byte(r.Uint32())
	}
	for v := range uint64(1 + r.IntN(12)) {
		set := crateState{
			Shelf: []string{"", "a", "b", "c"}[r.IntN(4)], Tags: r.Int64N(16), Note: []string{"", "x", "y"}[r.IntN(3)],
			At: time.Date(2026, time.Month(1+r.IntN(3)), 1, 0, 0, 0, 0, time.UTC),
		}
		x.log = append(x.log, eventstore.Event{Aggregate: x.id, Version: v + 1, Payload: set})
	}
	return x
}

// crates has index tables of each kind: at most one row, several rows, a list;
// with and without values that change at every version.
func crates(t *testing.T) *Projection {
	id := readstore.Column{Name: "id", Type: readstore.Text}
	text := func(name string) readstore.Column { return readstore.Column{Name: name, Type: readstore.Text} }
	number := func(name string) readstore.Column { return readstore.Column{Name: name, Type: readstore.Int} }
	list := readstore.NewBucketed(&readstore.Table{
		Name: "crates_by_age", Partition: []readstore.Column{text("crate"), text("month"), number("shard")},
		Clustering: []readstore.Column{{Name: "at", Type: readstore.Time, Desc: true}, id}, Values: []readstore.Column{text("note")},
	}, 2)
	p, err := Define(Definition[crateState]{
		Name: "crates", Revision: 1, Stream: "CRATES",
		Home: readstore.Table{
			Name: "crates", Partition: []readstore.Column{id},
			Values: []readstore.Column{number("version"), text("shelf"), number("tags"), text("note"), {Name: "at", Type: readstore.Time}},
		},
		Values: func(s crateState) readstore.Row { return readstore.Row{s.Shelf, s.Tags, s.Note, s.At} },
		Scan: func(v readstore.Row) crateState {
			return crateState{Shelf: v[0].(string), Tags: v[1].(int64), Note: v[2].(string), At: v[3].(time.Time)}
		},
		Fold: func(s *crateState, e eventstore.Event) error { *s = e.Payload.(crateState); return nil },
		Indexes: []Index[crateState]{
			{
				Table: readstore.Table{
					Name: "crates_by_shelf", Partition: []readstore.Column{text("shelf")}, Clustering: []readstore.Column{id},
					Values: []readstore.Column{number("version"), text("note")},
				},
				IDColumn: "id",
				Rows: func(e Entry[crateState]) []readstore.Row {
					if e.Row.Shelf == "" {
						return nil
					}
					return []readstore.Row{{e.Row.Shelf, e.ID, e.Version, e.Row.Note}}
				},
			},
			{
				Table: readstore.Table{
					Name: "crates_by_tag", Partition: []readstore.Column{number("tag")}, Clustering: []readstore.Column{id},
					Values: []readstore.Column{text("note")},
				},
				IDColumn: "id",
				Rows: func(e Entry[crateState]) (rows []readstore.Row) {
					for tag := range int64(4) {
						if e.Row.Tags&(1<<tag) != 0 {
							rows = append(rows, readstore.Row{tag, e.ID, e.Row.Note})
						}
					}
					return rows
				},
			},
			{Table: *list.Table, IDColumn: "id", List: list, Rows: func(e Entry[crateState]) []readstore.Row {
				return []readstore.Row{append(readstore.Row(list.Key(readstore.Key{e.ID}, e.Row.At, e.ID)), e.Row.Note)}
			}},
		},
		Appended: []Appended{{
			Table: readstore.Table{
				Name: "crate_notes", Partition: []readstore.Column{id}, Clustering: []readstore.Column{number("version")},
				Values: []readstore.Column{text("note")},
			},
			IDColumn: "id",
			Row: func(e eventstore.Event) (readstore.Row, bool) {
				note := e.Payload.(crateState).Note
				return readstore.Row{e.Aggregate.String(), int64(e.Version), note}, note != ""
			},
		}},
	})
	require.NoError(t, err)
	return p
}
