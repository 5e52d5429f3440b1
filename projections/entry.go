package projections

import (
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// entry is one aggregate in the memory of a folder. Between admission and flush
// it is dirty: version is ahead of written.
type entry struct {
	id      uuid.UUID
	key     string
	state   any
	version uint64 // last admitted
	written uint64 // what its home row is known to hold

	rows     [][]readstore.Row // of version, one list for each index
	stale    []staleRow        // keys that versions from written to version-1 had, and their successors had not
	appended []appendedRow
}

type staleRow struct {
	index int
	key   readstore.Key
}

type appendedRow struct {
	table int
	row   readstore.Row
}

func (e *entry) dirty() bool { return e.version > e.written }

// applyError is an event that the fold refused or panicked at.
type applyError struct {
	version uint64
	err     error
}

func (e *applyError) Error() string {
	return fmt.Sprintf("version %d cannot be applied: %v", e.version, e.err)
}

func (e *applyError) Unwrap() error { return e.err }

// admit folds the next event into the entry; after an error it is as before.
// The caller has checked that ev is version+1.
func (p *Projection) admit(e *entry, ev eventstore.Event, scratch any) (err error) {
	p.assign(scratch, e.state)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		if err != nil {
			p.assign(e.state, scratch)
			err = &applyError{version: ev.Version, err: err}
		}
	}()
	if err := p.fold(e.state, ev); err != nil {
		return err
	}
	appended, err := p.appendedRows(ev)
	if err != nil {
		return err
	}
	rows, err := p.indexRows(e.key, ev.Version, e.state)
	if err != nil {
		return err
	}
	e.noteStale(p, rows)
	e.appended = append(e.appended, appended...)
	e.rows, e.version = rows, ev.Version
	return nil
}

func (p *Projection) appendedRows(ev eventstore.Event) ([]appendedRow, error) {
	var rows []appendedRow
	for i := range p.appended {
		row, ok := p.appended[i].Row(ev)
		if !ok {
			continue
		}
		if err := readstore.CheckRow(&p.appended[i].Table, row); err != nil {
			return nil, err
		}
		rows = append(rows, appendedRow{table: i, row: row})
	}
	return rows, nil
}

func (p *Projection) indexRows(key string, version uint64, state any) ([][]readstore.Row, error) {
	if len(p.indexes) == 0 {
		return nil, nil
	}
	all := make([][]readstore.Row, len(p.indexes))
	for i := range p.indexes {
		all[i] = p.indexes[i].rows(key, int64(version), state)
		for _, row := range all[i] {
			if err := p.indexes[i].check(row); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (p *Projection) homeRow(e *entry) (row readstore.Row, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &applyError{version: e.version, err: fmt.Errorf("panic: %v", r)}
		}
	}()
	row = append(readstore.Row{e.key, int64(e.version)}, p.values(e.state)...)
	if err := readstore.CheckRow(&p.home, row); err != nil {
		return nil, &applyError{version: e.version, err: err}
	}
	return row, nil
}

// noteStale remembers the keys that the entry is about to lose.
func (e *entry) noteStale(p *Projection, next [][]readstore.Row) {
	for i, rows := range e.rows {
		t := &p.indexes[i].table
		for _, row := range rows {
			if key := t.KeyOf(row); !hasKey(t, next[i], key) {
				e.stale = append(e.stale, staleRow{index: i, key: key})
			}
		}
	}
}

// settled marks the entry as written up to version.
func (e *entry) settled(version uint64) {
	e.written = version
	e.stale, e.appended = nil, nil
}

func hasKey(t *readstore.Table, rows []readstore.Row, key readstore.Key) bool {
	for _, row := range rows {
		if sameValues(t.KeyOf(row), key) {
			return true
		}
	}
	return false
}

func sameValues[T ~[]any](a, b T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !sameValue(a[i], b[i]) {
			return false
		}
	}
	return true
}

func sameValue(a, b any) bool {
	switch x := a.(type) {
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	case []byte:
		y, ok := b.([]byte)
		return ok && string(x) == string(y)
	default:
		return a == b
	}
}
