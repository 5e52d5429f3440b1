package cql_test

import (
	"testing"
	"time"

	"github.com/admitone/admitone/internal/cqltest"
	"github.com/stretchr/testify/require"
)

func TestDescribeCQL(t *testing.T) {
	store := open(t, cqltest.Keyspace(t))
	requireReady(t, store)
	d, err := store.Describe(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, d.Version)
	require.WithinDuration(t, time.Now(), d.Clock, time.Minute)
}
