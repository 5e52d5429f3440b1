package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/admitone/admitone/readstore"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// errClosed is what calls after Close end with.
var errClosed = fmt.Errorf("%w: it is closed", readstore.ErrUnavailable)

// errorOf gives an error of the database the port's meaning.
func (s *Store) errorOf(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.Is(err, readstore.ErrInvalid):
		return err
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, errClosed):
	case strings.Contains(err.Error(), "sql: database is closed"):
		err = errClosed
	case strings.Contains(err.Error(), "no such table"):
		err = fmt.Errorf("%w: %w", readstore.ErrNoTable, err)
	default:
		err = explain(err)
	}
	return fmt.Errorf("sqlite: %s: %w", s.path, err)
}

// explain says what to do about the faults of a file, and which of them may pass.
func explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: another process holds the file; end it: %w", readstore.ErrUnavailable, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: the disk is full; make room: %w", readstore.ErrUnavailable, err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%w: the disk or file system failed: %w", readstore.ErrUnavailable, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the file is damaged or no SQLite database; move it and its -wal file away "+
			"and rebuild the projections from the events: %w", err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY:
		return fmt.Errorf("the file cannot be opened for writing; check that its folder exists and who owns it: %w", err)
	}
	return err
}

func openError(path string, err error) error {
	return fmt.Errorf("sqlite: open %s: %w", path, explain(err))
}
