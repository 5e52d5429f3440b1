package sqlite

import (
	"context"

	"github.com/admitone/admitone/readstore"
)

var _ readstore.Describer = (*Store)(nil)

// Describe implements readstore.Describer.
func (s *Store) Describe(ctx context.Context) (readstore.Description, error) {
	d := readstore.Description{Product: "SQLite"}
	err := s.reads.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&d.Version)
	return d, s.errorOf(ctx, err)
}
