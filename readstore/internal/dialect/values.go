package dialect

import (
	"time"

	"github.com/admitone/admitone/readstore"
)

// AppendValues appends a row's or key's values as both databases keep them: a time
// as its milliseconds. The zero time is those of the year 1, so that it comes back
// as it was, equals no other time and sorts before those that occur.
func AppendValues(args, values []any) []any {
	for _, v := range values {
		if t, ok := v.(time.Time); ok {
			v = t.UnixMilli()
		}
		args = append(args, v)
	}
	return args
}

// Destinations are pointers that a row of these columns can be scanned into.
func Destinations(columns []readstore.Column) []any {
	dest := make([]any, len(columns))
	for i, c := range columns {
		switch c.Type {
		case readstore.Text:
			dest[i] = new(string)
		case readstore.Bool:
			dest[i] = new(bool)
		case readstore.Bytes:
			dest[i] = new([]byte)
		default:
			dest[i] = new(int64)
		}
	}
	return dest
}

// RowOf is the row that destinations hold; they may be used again.
func RowOf(columns []readstore.Column, dest []any) readstore.Row {
	row := make(readstore.Row, len(columns))
	for i, d := range dest {
		switch d := d.(type) {
		case *string:
			row[i] = *d
		case *bool:
			row[i] = *d
		case *[]byte:
			row[i] = append([]byte{}, *d...)
		case *int64:
			row[i] = *d
			if columns[i].Type == readstore.Time {
				row[i] = time.UnixMilli(*d).UTC()
			}
		}
	}
	return row
}
