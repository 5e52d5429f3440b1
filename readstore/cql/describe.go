package cql

import (
	"context"

	"github.com/admitone/admitone/readstore"
)

var _ readstore.Describer = (*Store)(nil)

// Describe implements readstore.Describer. The version is the one of the protocol's
// reference, Apache Cassandra, that the server names itself compatible with.
func (s *Store) Describe(ctx context.Context) (readstore.Description, error) {
	d := readstore.Description{Product: "CQL server"}
	err := s.try(ctx, func(l *link) error {
		return l.data.Query("SELECT release_version, toTimestamp(now()) FROM system.local").WithContext(ctx).Scan(&d.Version, &d.Clock)
	})
	return d, s.errorOf(ctx, err)
}
