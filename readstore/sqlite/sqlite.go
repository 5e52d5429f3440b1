// Package sqlite keeps read models in one SQLite file: the read store of AdmitOne
// as a single process. One goroutine writes, a pool of connections reads.
//
// Only cmd and tests import it; it imports readstore and modernc.org/sqlite. A row
// carries two columns of our own, "@ts" and "@dead": its timestamp, and whether a
// delete left it there as a tombstone, so that timestamps decide as they do in CQL.
// Names with an @ cannot be those of a described column.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/admitone/admitone/readstore"
	"modernc.org/sqlite"
)

// Config of a store.
type Config struct {
	// Path of the database file; made when missing, its folder is not.
	Path string
	// Readers is how many reads run at once; 0 is 8.
	Readers int
}

// Store implements readstore.Store. A Write returns once it is synced to disk;
// concurrent ones share transactions and syncs.
type Store struct {
	path   string
	writer *writer
	reads  *sql.DB
	scans  *sql.DB // apart, so that the callback of a scan may read whatever the pool's size

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

var _ readstore.Store = (*Store)(nil)

// Open opens or makes the file. A file that is damaged, no database, or held by
// another process is an error that says so.
func Open(cfg Config) (*Store, error) {
	if cfg.Path == "" {
		return nil, errors.New("sqlite: path is empty")
	}
	if cfg.Readers == 0 {
		cfg.Readers = 8
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	own(path)
	w, err := openWriter(path)
	if err != nil {
		return nil, openError(path, err)
	}
	s := &Store{path: path, writer: w, prepared: map[string]*sql.Stmt{}}
	if s.reads, err = openReaders(path); err == nil {
		s.scans, err = openReaders(path)
	}
	if err != nil {
		return nil, errors.Join(openError(path, err), w.close())
	}
	s.reads.SetMaxOpenConns(cfg.Readers)
	s.reads.SetMaxIdleConns(cfg.Readers)
	return s, nil
}

// own makes a file that only its owner may read; SQLite gives those beside it the same
// mode. What keeps it from being made, SQLite tells.
func own(path string) {
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
		_ = f.Close()
	}
}

func openReaders(path string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(dsn(path, "mode=ro"))
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// dsn waits for locks of other processes (a backup, the sqlite3 shell) for a few seconds.
func dsn(path, options string) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: options + "&_pragma=busy_timeout(" + strconv.Itoa(busyMillis) + ")"}
	return u.String()
}

const busyMillis = 3000

// Ensure implements readstore.Store.
func (s *Store) Ensure(ctx context.Context, tables ...*readstore.Table) error {
	statements := make([]string, len(tables))
	for i, t := range tables {
		if err := t.Validate(); err != nil {
			return err
		}
		statements[i] = createTable(t)
	}
	return s.schema(ctx, statements)
}

// Drop implements readstore.Store.
func (s *Store) Drop(ctx context.Context, tables ...*readstore.Table) error {
	statements := make([]string, len(tables))
	for i, t := range tables {
		if err := t.Validate(); err != nil {
			return err
		}
		statements[i] = dropTable(t)
	}
	return s.schema(ctx, statements)
}

func (s *Store) schema(ctx context.Context, statements []string) error {
	return s.errorOf(ctx, s.writer.submit(ctx, len(statements), func(w *writer) error { return w.schema(statements) }))
}

// Write implements readstore.Store: all phases in one transaction.
func (s *Store) Write(ctx context.Context, phases ...[]readstore.Mutation) error {
	ops, err := encode(phases)
	if err != nil || len(ops) == 0 {
		return err
	}
	return s.errorOf(ctx, s.writer.submit(ctx, len(ops), func(w *writer) error { return w.apply(ops) }))
}

// Ping implements readstore.Store.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	return s.errorOf(ctx, s.reads.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n))
}

// Close implements readstore.Store. A transaction under way is finished first.
// Closing again does nothing.
func (s *Store) Close() error {
	err := errors.Join(s.reads.Close(), s.scans.Close(), s.writer.close())
	if err != nil {
		return fmt.Errorf("sqlite: close %s: %w", s.path, err)
	}
	return nil
}
