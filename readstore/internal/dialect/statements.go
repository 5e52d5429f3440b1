// Package dialect is what SQL and CQL have in common, as far as a read store needs
// it: statements that read, the values of rows, and paging through a partition,
// its cursors among it. Only readstore/cql and readstore/sqlite import it; it
// imports readstore.
package dialect

import (
	"slices"
	"strings"

	"github.com/admitone/admitone/readstore"
)

// SelectAll reads all rows of a table, or those that meet a condition.
func SelectAll(t *readstore.Table, conditions ...string) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	List(&b, ", ", t.Columns())
	b.WriteString(` FROM "` + t.Name + `"`)
	if len(conditions) > 0 {
		b.WriteString(" WHERE " + strings.Join(conditions, " AND "))
	}
	return b.String()
}

// SelectSlice reads a slice: its parameters are the partition columns, the slice's
// After and a limit.
func SelectSlice(t *readstore.Table, s Slice, conditions ...string) string {
	where := []string{Equal(t.Partition)}
	for i := range s.After {
		op := " = ?"
		if i == len(s.After)-1 {
			op = beyond(t.Clustering[i].Desc != s.Reverse)
		}
		where = append(where, `"`+t.Clustering[i].Name+`"`+op)
	}
	return SelectAll(t, append(where, conditions...)...) + OrderBy(" ORDER BY ", t, s.Reverse) + " LIMIT ?"
}

// OrderBy lists the clustering columns with their directions behind an
// introduction; it is empty where there are none.
func OrderBy(introduction string, t *readstore.Table, reverse bool) string {
	text, sep := "", introduction
	for _, c := range t.Clustering {
		text += sep + `"` + c.Name + `"` + direction(c.Desc != reverse)
		sep = ", "
	}
	return text
}

func beyond(down bool) string {
	if down {
		return " < ?"
	}
	return " > ?"
}

func direction(down bool) string {
	if down {
		return " DESC"
	}
	return " ASC"
}

// List writes the quoted names of columns.
func List(b *strings.Builder, sep string, columns []readstore.Column) {
	for i, c := range columns {
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(`"` + c.Name + `"`)
	}
}

// Equal is the condition that each column equals a parameter.
func Equal(columns ...[]readstore.Column) string {
	var b strings.Builder
	List(&b, " = ? AND ", slices.Concat(columns...))
	return b.String() + " = ?"
}
