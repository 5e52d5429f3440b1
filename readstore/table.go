package readstore

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Columns lists all columns in the order of a Row.
func (t *Table) Columns() []Column {
	return slices.Concat(t.Partition, t.Clustering, t.Values)
}

// KeyLen is the number of columns in a whole key.
func (t *Table) KeyLen() int { return len(t.Partition) + len(t.Clustering) }

// KeyOf is the key part of a row.
func (t *Table) KeyOf(r Row) Key { return Key(r[:t.KeyLen()]) }

// Named is a copy of the table under another name.
func (t *Table) Named(name string) *Table {
	c := *t
	c.Name = name
	return &c
}

// CheckRow reports, as ErrInvalid, a row that does not have one value of the right
// Go type for each column of the table, has text that is not UTF-8 (CQL refuses it),
// or a key that CheckKey refuses.
func CheckRow(t *Table, row Row) error {
	i := 0
	for _, group := range [][]Column{t.Partition, t.Clustering, t.Values} {
		for _, c := range group {
			if i >= len(row) || !c.Type.holds(row[i]) {
				return fmt.Errorf("readstore: table %s: %w: column %s: %T is not a %s", t.Name, ErrInvalid, c.Name, valueAt(row, i), c.Type)
			}
			i++
		}
	}
	if len(row) != i {
		return fmt.Errorf("readstore: table %s: %w: %d values for %d columns", t.Name, ErrInvalid, len(row), i)
	}
	return CheckKey(t, Key(row[:t.KeyLen()]))
}

func valueAt(row Row, i int) any {
	if i < len(row) {
		return row[i]
	}
	return nil
}

func (t Type) holds(v any) bool {
	var ok bool
	switch t {
	case Text:
		var s string
		s, ok = v.(string)
		ok = ok && utf8.ValidString(s)
	case Int:
		_, ok = v.(int64)
	case Time:
		_, ok = v.(time.Time)
	case Bool:
		_, ok = v.(bool)
	case Bytes:
		var b []byte
		b, ok = v.([]byte)
		ok = ok && b != nil
	}
	return ok
}

// String is the type's name in messages.
func (t Type) String() string {
	names := [...]string{Text: "text", Int: "int", Time: "time", Bool: "bool", Bytes: "bytes"}
	if int(t) < len(names) && names[t] != "" {
		return names[t]
	}
	return "unknown type"
}

// Empty is the type's empty value, for what is absent.
func (t Type) Empty() any {
	switch t {
	case Text:
		return ""
	case Int:
		return int64(0)
	case Time:
		return time.Time{}
	case Bool:
		return false
	case Bytes:
		return []byte{}
	}
	return nil
}
