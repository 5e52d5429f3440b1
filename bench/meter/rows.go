package meter

import (
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
)

// state is the row of a meter.
type state struct {
	value, total int64
	place        string
	readAt       time.Time
}

// Projection is one table with a row for each meter.
func Projection(name string) (*projections.Projection, error) {
	column := func(name string, t readstore.Type) readstore.Column { return readstore.Column{Name: name, Type: t} }
	return projections.Define(projections.Definition[state]{
		Name: name, Revision: 1, Stream: Stream,
		Home: readstore.Table{
			Name: name, Partition: []readstore.Column{column("id", readstore.Text)},
			Values: []readstore.Column{column("version", readstore.Int), column("value", readstore.Int),
				column("total", readstore.Int), column("place", readstore.Text), column("read_at", readstore.Time)},
		},
		Values: func(s state) readstore.Row { return readstore.Row{s.value, s.total, s.place, s.readAt} },
		Scan: func(v readstore.Row) state {
			return state{value: v[0].(int64), total: v[1].(int64), place: v[2].(string), readAt: v[3].(time.Time)}
		},
		Fold: fold,
	})
}

func fold(s *state, e eventstore.Event) error {
	read, ok := e.Payload.(Read)
	if !ok {
		return fmt.Errorf("meters do not know %s", e.Type)
	}
	s.value, s.place, s.readAt = read.Value, read.Place, e.Time.UTC().Truncate(time.Millisecond)
	s.total += read.Value
	return nil
}

// The same table and rows for bare CQL.
const (
	CreateTable = "CREATE TABLE rows (id text PRIMARY KEY, version bigint, value bigint, total bigint, place text, read_at timestamp)"
	InsertRow   = "INSERT INTO rows (id, version, value, total, place, read_at) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)

// RowAt is the i-th meter's row, at a version, for InsertRow.
func RowAt(i int, version int64) []any {
	return []any{ID(kindMeter, uint64(i)).String(), version, int64(i), int64(i), Place, time.UnixMilli(1_700_000_000_000 + int64(i)), version}
}
