package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/internal/dialect"
)

// Get implements readstore.Store.
func (s *Store) Get(ctx context.Context, table *readstore.Table, keys ...readstore.Key) ([]readstore.Row, error) {
	rows := make([]readstore.Row, len(keys))
	text, columns := dialect.SelectAll(table, dialect.Equal(table.Partition, table.Clustering), alive), table.Columns()
	for i, key := range keys {
		if err := readstore.CheckWholeKey(table, key); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, s.errorOf(ctx, err)
		}
		// A watcher of the context for each key would take longer than the key.
		found, err := s.query(context.WithoutCancel(ctx), text, columns, dialect.AppendValues(nil, key))
		if err != nil {
			return nil, s.errorOf(ctx, err)
		}
		if len(found) > 0 {
			rows[i] = found[0]
		}
	}
	return rows, nil
}

// Page implements readstore.Store.
func (s *Store) Page(ctx context.Context, table *readstore.Table, q readstore.Query) (readstore.Page, error) {
	columns := table.Columns()
	return dialect.Page(table, q, func(slice dialect.Slice, limit int) ([]readstore.Row, error) {
		args := dialect.AppendValues(dialect.AppendValues(nil, q.Partition), slice.After)
		rows, err := s.query(ctx, dialect.SelectSlice(table, slice, alive), columns, append(args, limit))
		return rows, s.errorOf(ctx, err)
	})
}

// Scan implements readstore.Store. It sees the table as it was when it began, and
// the log file cannot be emptied while it runs.
func (s *Store) Scan(ctx context.Context, table *readstore.Table, fn func(readstore.Row) error) error {
	found, err := s.scans.QueryContext(ctx, dialect.SelectAll(table, alive))
	if err != nil {
		return s.errorOf(ctx, err)
	}
	defer func() { _ = found.Close() }()
	columns := table.Columns()
	dest := dialect.Destinations(columns)
	for found.Next() {
		if err := found.Scan(dest...); err != nil {
			return s.errorOf(ctx, err)
		}
		if err := fn(dialect.RowOf(columns, dest)); err != nil {
			return err
		}
	}
	return s.errorOf(ctx, found.Err())
}

func (s *Store) query(ctx context.Context, text string, columns []readstore.Column, args []any) ([]readstore.Row, error) {
	stmt, err := s.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	found, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }()
	var rows []readstore.Row
	dest := dialect.Destinations(columns)
	for found.Next() {
		if err := found.Scan(dest...); err != nil {
			return nil, err
		}
		rows = append(rows, dialect.RowOf(columns, dest))
	}
	return rows, found.Err()
}

// prepare keeps a statement for every shape of query on every table, those of
// dropped generations too: they are few and small, and closing one might break a
// read under way.
func (s *Store) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt := s.prepared[text]
	s.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt := s.prepared[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.reads.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	s.prepared[text] = stmt
	return stmt, nil
}
