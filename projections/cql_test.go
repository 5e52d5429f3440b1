package projections_test

import (
	"testing"
	"time"

	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/cql"
	"github.com/stretchr/testify/require"
)

// openCQL connects to a keyspace and waits until it answers.
func openCQL(t testing.TB, hosts []string, keyspace string) readstore.Store {
	s, err := cql.Open(cql.Config{Hosts: hosts, Keyspace: keyspace})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	eventually(t, 2*time.Minute, "the CQL server answers", func() bool { return s.Ping(natstest.Context(t)) == nil })
	return s
}
