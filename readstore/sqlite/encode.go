package sqlite

import (
	"database/sql/driver"
	"slices"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/internal/dialect"
)

// op is one mutation as the writer runs it.
type op struct {
	statement string
	args      []driver.NamedValue
}

// encode checks all mutations and lays them out, in the caller's goroutine: the
// writer has enough to do.
func encode(phases [][]readstore.Mutation) ([]op, error) {
	n := 0
	for _, p := range phases {
		n += len(p)
	}
	ops := make([]op, 0, n)
	upserts, deletes := map[*readstore.Table]string{}, map[*readstore.Table]string{}
	for _, phase := range phases {
		for i := range phase {
			m := &phase[i]
			if err := m.Validate(); err != nil {
				return nil, err
			}
			if m.Delete {
				ops = append(ops, op{textOf(deletes, m.Table, tombstone), arguments(m)})
			} else {
				ops = append(ops, op{textOf(upserts, m.Table, upsert), arguments(m)})
			}
		}
	}
	return ops, nil
}

func textOf(texts map[*readstore.Table]string, t *readstore.Table, build func(*readstore.Table) string) string {
	text, ok := texts[t]
	if !ok {
		text = build(t)
		texts[t] = text
	}
	return text
}

func arguments(m *readstore.Mutation) []driver.NamedValue {
	t := m.Table
	row := m.Row
	if m.Delete {
		row = slices.Clone(row[:t.KeyLen()])
		for _, c := range t.Values {
			row = append(row, c.Type.Empty())
		}
	}
	values := append(dialect.AppendValues(make([]any, 0, len(row)+1), row), m.Timestamp)
	args := make([]driver.NamedValue, len(values))
	for i, v := range values {
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return args
}
