package projections

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/readstore"
)

// Entry is one aggregate in a projection.
type Entry[R any] struct {
	ID      string
	Version int64
	Row     R
}

// Definition describes a projection of one stream. R is what is kept of an
// aggregate: a plain struct without pointers, maps or slices that Fold changes in
// place, since it is copied by assignment.
//
// Raise Revision whenever Fold, Values, Scan or a table changes: rows of two
// revisions never meet in one table.
type Definition[R any] struct {
	Name     string // lower-case letters, digits, underscores; at most 30
	Revision int    // from 1
	Stream   string // the name of the stream it reads
	// Home is keyed by the aggregate: partition "id" (Text), no clustering, and
	// "version" (Int) as the first value.
	Home readstore.Table
	// Values are the home row's values after version; Scan reads them back.
	Values func(R) readstore.Row
	Scan   func(values readstore.Row) R
	// Fold applies one event. An error or a panic leaves the row as it was, and
	// parks the aggregate after some attempts.
	Fold func(*R, eventstore.Event) error
	// Indexes are derived from the home row alone.
	Indexes []Index[R]
	// Appended rows come from one event alone.
	Appended []Appended
}

// Index is a table whose rows follow from an aggregate's home row. The
// aggregate's id must be part of the rows' keys.
type Index[R any] struct {
	Table readstore.Table
	// IDColumn names the key column that holds the aggregate's id.
	IDColumn string
	// Rows are the aggregate's rows in the table, often one, none where it does not belong.
	Rows func(Entry[R]) []readstore.Row
	// List is set where the table is read newest first over months and shards.
	List *readstore.Bucketed
}

// Appended is a table with a row for one event, keyed by aggregate and version.
type Appended struct {
	Table    readstore.Table
	IDColumn string
	Row      func(eventstore.Event) (row readstore.Row, ok bool)
}

// Projection is a validated Definition, its row type erased.
type Projection struct {
	name     string
	revision int
	stream   string
	home     readstore.Table
	indexes  []index
	appended []Appended

	empty  func() any
	assign func(dst, src any)
	scan   func(readstore.Row) any
	values func(any) readstore.Row
	fold   func(any, eventstore.Event) error
}

type index struct {
	table readstore.Table
	id    int // position of the aggregate's id among the columns
	rows  func(id string, version int64, state any) []readstore.Row
	list  *readstore.Bucketed
}

// check reports a row that the store would not take.
func (x *index) check(row readstore.Row) error {
	if x.list != nil {
		return x.list.CheckRow(row)
	}
	return readstore.CheckRow(&x.table, row)
}

// Name of the projection.
func (p *Projection) Name() string { return p.name }

// Stream is the name of the stream that it reads.
func (p *Projection) Stream() string { return p.stream }

// Revision of its fold and tables.
func (p *Projection) Revision() int { return p.revision }

// Folds says whether the projection has a row for an aggregate that begins with this
// payload: whether its fold knows the type.
func (p *Projection) Folds(payload eventstore.Payload) (known bool) {
	defer func() {
		if recover() != nil {
			known = false
		}
	}()
	return p.fold(p.empty(), eventstore.Event{Version: 1, Type: payload.EventType(), Payload: payload}) == nil
}

// Define validates a definition and reports every fault at once.
func Define[R any](d Definition[R]) (*Projection, error) {
	if err := d.validate(); err != nil {
		return nil, fmt.Errorf("projections: definition of %q: %w", d.Name, err)
	}
	p := &Projection{
		name: d.Name, revision: d.Revision, stream: d.Stream, home: d.Home, appended: d.Appended,
		empty:  func() any { return new(R) },
		assign: func(dst, src any) { *dst.(*R) = *src.(*R) },
		scan:   func(v readstore.Row) any { r := d.Scan(v); return &r },
		values: func(s any) readstore.Row { return d.Values(*s.(*R)) },
		fold:   func(s any, e eventstore.Event) error { return d.Fold(s.(*R), e) },
	}
	for _, x := range d.Indexes {
		p.indexes = append(p.indexes, index{
			table: x.Table,
			id:    columnIndex(&x.Table, x.IDColumn),
			list:  x.List,
			rows: func(id string, version int64, s any) []readstore.Row {
				return x.Rows(Entry[R]{ID: id, Version: version, Row: *s.(*R)})
			},
		})
	}
	return p, nil
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,29}$`)

func (d Definition[R]) validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(nameForm.MatchString(d.Name), "name must match %s", nameForm)
	check(d.Revision >= 1, "revision must be at least 1")
	check(d.Stream != "", "stream is empty")
	check(d.Fold != nil && d.Values != nil && d.Scan != nil, "fold, values and scan are required")
	home := d.Home
	check(len(home.Partition) == 1 && home.Partition[0].Type == readstore.Text && len(home.Clustering) == 0 &&
		len(home.Values) >= 1 && home.Values[0] == readstore.Column{Name: "version", Type: readstore.Int},
		"home table %q must be keyed by one text column and have version (int) as its first value", home.Name)
	tables := map[string]bool{home.Name: true}
	derived := func(t *readstore.Table, id string) {
		check(!tables[t.Name], "table %q stands twice", t.Name)
		tables[t.Name] = true
		i := columnIndex(t, id)
		check(i >= 0 && i < t.KeyLen(), "table %q: column %q must be in its key", t.Name, id)
	}
	for i := range d.Indexes {
		derived(&d.Indexes[i].Table, d.Indexes[i].IDColumn)
		check(d.Indexes[i].Rows != nil, "table %q has no rows function", d.Indexes[i].Table.Name)
	}
	for i := range d.Appended {
		derived(&d.Appended[i].Table, d.Appended[i].IDColumn)
		check(d.Appended[i].Row != nil, "table %q has no row function", d.Appended[i].Table.Name)
	}
	for name := range tables {
		check(len(name) <= 40, "table name %q is longer than 40 characters", name)
	}
	return errors.Join(faults...)
}

func columnIndex(t *readstore.Table, name string) int {
	for i, c := range t.Columns() {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// tables lists the described tables, the home table first.
func (p *Projection) tables() []*readstore.Table {
	all := []*readstore.Table{&p.home}
	for i := range p.indexes {
		all = append(all, &p.indexes[i].table)
		if l := p.indexes[i].list; l != nil {
			all = append(all, l.Marks)
		}
	}
	for i := range p.appended {
		all = append(all, &p.appended[i].Table)
	}
	return all
}
