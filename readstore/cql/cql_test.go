package cql_test

import (
	"testing"

	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/cql"
	"github.com/admitone/admitone/readstore/storetest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, keyspace string) *cql.Store {
	t.Helper()
	s, err := cql.Open(cql.Config{Hosts: cqltest.Hosts(t), Keyspace: keyspace})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	keyspace := cqltest.Keyspace(t)
	storetest.Run(t, func(t *testing.T) readstore.Store { return open(t, keyspace) })
}
