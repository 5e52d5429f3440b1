// Package readstore is the port to the database that holds read models. It is
// drawn from CQL downwards, so that a wide-column store can keep its promises:
// tables with partition and clustering keys, upserts and deletes at a timestamp
// the caller gives, rows by key, pages through one partition. There are no joins,
// offsets, counts, transactions across rows, or absent values.
//
// Projections write through it, readapi reads through it; only cmd and tests
// import an adapter (readstore/cql, readstore/sqlite). Every adapter passes
// readstore/storetest. It imports the standard library and uuid alone.
package readstore

import (
	"context"
	"errors"
)

// Errors of every adapter.
var (
	// ErrUnavailable: the database cannot be reached or did not answer in time.
	// The call may be repeated; every write is idempotent.
	ErrUnavailable = errors.New("read store unavailable")
	// ErrNoTable: the table does not exist (it was dropped, or never made).
	ErrNoTable = errors.New("no such table")
	// ErrBadCursor: a page cursor that was not given out for this partition and
	// direction, by this table or one with the same key columns.
	ErrBadCursor = errors.New("bad page cursor")
)

// Type is a column's type. A row holds the Go type named beside it, never nil.
type Type uint8

// Types of columns. An absent value is the type's empty value.
const (
	Text  Type = iota + 1 // string, UTF-8; NUL is allowed
	Int                   // int64
	Time                  // time.Time, cut to milliseconds, read back in UTC; the empty value is the zero time.Time and sorts first
	Bool                  // bool
	Bytes                 // []byte, empty rather than nil
)

// Column is a name (lower-case letters, digits, underscores) and a type.
type Column struct {
	Name string
	Type Type
	Desc bool // a clustering column sorted downwards
}

// Table is described once, in Go; adapters create it from that. Text sorts by
// its bytes, Bool and Bytes may not be part of a key. Ids in keys are text. A lone
// partition column of text is never empty, and text in a key is at most MaxKeyText.
type Table struct {
	Name       string // at most 48 lower-case letters, digits, underscores
	Partition  []Column
	Clustering []Column
	Values     []Column
}

// Key is the values of the partition columns, then of the clustering columns.
type Key []any

// Row is the values of all columns: partition, clustering, values, as described.
type Row []any

// Mutation writes or deletes one row as a whole at a timestamp. Of two writes to
// a row the larger timestamp wins, whichever comes first; at the same one a
// delete wins over an upsert. Two different rows at one timestamp are the caller's
// mistake: which of their values stay differs from store to store.
type Mutation struct {
	Table     *Table
	Row       Row // every column; for a delete the key columns suffice
	Delete    bool
	Timestamp int64 // above 0; a version, say; microseconds of a clock where a table is kept by the clock
}

// Query asks for one page of a partition in clustering order.
type Query struct {
	Partition Key    // the partition columns
	Limit     int    // rows, 1 to 1,000
	Cursor    string // empty: from the start; else the cursor of the page before
	// After, if not nil, starts behind this clustering key (whole), in place of a cursor.
	After   Key
	Reverse bool // from the other end
}

// Page is rows in order, and the cursor of the next page, empty at the end.
type Page struct {
	Rows   []Row
	Cursor string
}

// Store is one database (a keyspace, a file). Safe for concurrent use. Any call
// may answer ErrUnavailable (also after Close), ErrInvalid, or the error of a
// context that ended; calls on a table that is not there answer ErrNoTable.
type Store interface {
	// Ensure creates tables that are missing; existing ones stay as they are.
	Ensure(ctx context.Context, tables ...*Table) error
	// Drop removes tables; absent ones are no error.
	Drop(ctx context.Context, tables ...*Table) error
	// Write applies phases in order: none of a phase before all of the one
	// before it are acknowledged as durable. Within a phase the order is open,
	// and after an error any part of it may have been applied. (SQLite does all
	// in one transaction, which is stricter.)
	Write(ctx context.Context, phases ...[]Mutation) error
	// Get reads rows by their whole keys; the result has one entry for each key,
	// nil where there is no row.
	Get(ctx context.Context, table *Table, keys ...Key) ([]Row, error)
	// Page reads part of one partition.
	Page(ctx context.Context, table *Table, q Query) (Page, error)
	// Scan calls fn for every row of a table in no particular order, for checks.
	Scan(ctx context.Context, table *Table, fn func(Row) error) error
	// Ping says whether the database answers.
	Ping(ctx context.Context) error
	// Close releases it; calls under way end with an error.
	Close() error
}
