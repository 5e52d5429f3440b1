package readstore

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ErrInvalid: a table, row, key or query is not what the port allows. It is the
// caller's mistake, found before the database is asked; repeating does not help.
var ErrInvalid = errors.New("not valid for this table")

// MaxLimit is the largest Query.Limit.
const MaxLimit = 1000

// MaxKeyText is the largest text in a key column, in bytes. (Cassandra keeps all
// of a partition key, and each clustering column, below 64 KiB.)
const MaxKeyText = 8 << 10

var validName = regexp.MustCompile(`^[a-z0-9_]{1,48}$`)

// Validate reports every fault of the description at once, as ErrInvalid: names
// that are not 1 to 48 lower-case letters, digits and underscores (or begin with
// sqlite_), no partition column, a name given twice, a key of Bool or Bytes.
func (t *Table) Validate() error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("readstore: table %q: %w: "+format, append([]any{t.Name, ErrInvalid}, args...)...))
	}
	if !validName.MatchString(t.Name) || strings.HasPrefix(t.Name, "sqlite_") {
		fault("a name is 1 to 48 of a-z, 0-9 and _, and does not begin with sqlite_")
	}
	if len(t.Partition) == 0 {
		fault("no partition column")
	}
	seen := map[string]bool{}
	for i, c := range t.Columns() {
		if !validName.MatchString(c.Name) || seen[c.Name] {
			fault("column %q: bad name, or one given twice", c.Name)
		}
		if c.Type < Text || c.Type > Bytes || i < t.KeyLen() && (c.Type == Bool || c.Type == Bytes) {
			fault("column %q: a column cannot be %s here", c.Name, c.Type)
		}
		seen[c.Name] = true
	}
	return errors.Join(errs...)
}

// Validate reports a mutation without a timestamp, or whose row does not fit its
// table (see CheckRow and CheckKey), as ErrInvalid.
func (m *Mutation) Validate() error {
	if m.Timestamp <= 0 {
		return fmt.Errorf("readstore: table %s: %w: timestamp %d is not above 0", m.Table.Name, ErrInvalid, m.Timestamp)
	}
	if !m.Delete {
		return CheckRow(m.Table, m.Row)
	}
	n := m.Table.KeyLen()
	if len(m.Row) < n {
		return fmt.Errorf("readstore: table %s: %w: a delete with %d of %d key columns", m.Table.Name, ErrInvalid, len(m.Row), n)
	}
	return CheckKey(m.Table, Key(m.Row[:n]))
}

// CheckKey reports, as ErrInvalid, a whole key or the first columns of one that
// does not fit the table: another Go type, text that is longer than MaxKeyText or
// not UTF-8, an empty text as the only partition column (CQL has no empty key).
func CheckKey(t *Table, key Key) error {
	for i, v := range key {
		c := t.keyColumn(i)
		if c == nil || !c.Type.holds(v) {
			return fmt.Errorf("readstore: table %s: %w: key column %d is a %T", t.Name, ErrInvalid, i+1, v)
		}
		if s, ok := v.(string); ok && (len(s) > MaxKeyText || s == "" && i == 0 && len(t.Partition) == 1) {
			return fmt.Errorf("readstore: table %s: %w: key column %s has %d bytes of text", t.Name, ErrInvalid, c.Name, len(s))
		}
	}
	return nil
}

func (t *Table) keyColumn(i int) *Column {
	switch p := len(t.Partition); {
	case i < p:
		return &t.Partition[i]
	case i < t.KeyLen():
		return &t.Clustering[i-p]
	}
	return nil
}

// CheckWholeKey is CheckKey for a key that must have every key column.
func CheckWholeKey(t *Table, key Key) error {
	if len(key) != t.KeyLen() {
		return fmt.Errorf("readstore: table %s: %w: a key of %d columns for %d", t.Name, ErrInvalid, len(key), t.KeyLen())
	}
	return CheckKey(t, key)
}

// Validate reports a limit out of range and keys that do not fit, as ErrInvalid.
func (q *Query) Validate(t *Table) error {
	switch {
	case q.Limit < 1 || q.Limit > MaxLimit:
		return fmt.Errorf("readstore: table %s: %w: a limit of %d is not within 1 and %d", t.Name, ErrInvalid, q.Limit, MaxLimit)
	case len(q.Partition) != len(t.Partition):
		return fmt.Errorf("readstore: table %s: %w: %d of %d partition columns", t.Name, ErrInvalid, len(q.Partition), len(t.Partition))
	case q.After != nil && (q.Cursor != "" || len(q.After) != len(t.Clustering)):
		return fmt.Errorf("readstore: table %s: %w: After is not a whole clustering key, or stands beside a cursor", t.Name, ErrInvalid)
	}
	return CheckKey(t, append(q.Partition[:len(q.Partition):len(q.Partition)], q.After...))
}
