package cql

import (
	"context"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/internal/dialect"
	"github.com/gocql/gocql"
)

const scanPage = 1000

// Get implements readstore.Store.
func (s *Store) Get(ctx context.Context, table *readstore.Table, keys ...readstore.Key) ([]readstore.Row, error) {
	for _, key := range keys {
		if err := readstore.CheckWholeKey(table, key); err != nil {
			return nil, err
		}
	}
	rows := make([]readstore.Row, len(keys))
	text, columns := dialect.SelectAll(table, dialect.Equal(table.Partition, table.Clustering)), table.Columns()
	err := s.workers.each(ctx, len(keys), func(i int) error {
		found, _, err := s.query(ctx, columns, func(l *link) *gocql.Query {
			return l.data.Query(text, dialect.AppendValues(nil, keys[i])...)
		})
		if len(found) > 0 {
			rows[i] = found[0]
		}
		return err
	})
	return rows, s.errorOf(ctx, err)
}

// Page implements readstore.Store.
func (s *Store) Page(ctx context.Context, table *readstore.Table, q readstore.Query) (readstore.Page, error) {
	columns := table.Columns()
	return dialect.Page(table, q, func(slice dialect.Slice, limit int) (rows []readstore.Row, err error) {
		text := dialect.SelectSlice(table, slice)
		args := append(dialect.AppendValues(dialect.AppendValues(nil, q.Partition), slice.After), limit)
		err = s.workers.each(ctx, 1, func(int) (err error) {
			rows, _, err = s.query(ctx, columns, func(l *link) *gocql.Query {
				return l.data.Query(text, args...).PageSize(limit)
			})
			return err
		})
		return rows, s.errorOf(ctx, err)
	})
}

// Scan implements readstore.Store. It reads a thousand rows at a time, and sees
// what is written meanwhile or does not.
func (s *Store) Scan(ctx context.Context, table *readstore.Table, fn func(readstore.Row) error) error {
	text, columns := dialect.SelectAll(table), table.Columns()
	for state, more := []byte(nil), true; more; more = len(state) > 0 {
		rows, next, err := s.query(ctx, columns, func(l *link) *gocql.Query {
			return l.data.Query(text).PageSize(scanPage).PageState(state)
		})
		if err != nil {
			return s.errorOf(ctx, err)
		}
		for _, row := range rows {
			if err := fn(row); err != nil {
				return err
			}
		}
		state = next
	}
	return nil
}

// query reads one page of a statement, and the state to read on with.
func (s *Store) query(ctx context.Context, columns []readstore.Column, statement func(*link) *gocql.Query) (rows []readstore.Row, next []byte, err error) {
	err = s.try(ctx, func(l *link) error {
		found := statement(l).WithContext(ctx).Iter()
		rows, next = rows[:0], found.PageState()
		dest := dialect.Destinations(columns)
		for n := found.NumRows(); n > 0 && found.Scan(dest...); n-- {
			rows = append(rows, dialect.RowOf(columns, dest))
		}
		return found.Close()
	})
	return rows, next, err
}
