package cql_test

import (
	"context"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/cql"
	"github.com/stretchr/testify/require"
)

var visits = &readstore.Table{
	Name:      "visits",
	Partition: []readstore.Column{{Name: "id", Type: readstore.Text}},
	Values:    []readstore.Column{{Name: "n", Type: readstore.Int}},
}

func visit(id string, n int64) []readstore.Mutation {
	return []readstore.Mutation{{Table: visits, Row: readstore.Row{id, n}, Timestamp: n}}
}

// bound is far above what a call may take while the server is away, and far below
// the half minute that a driver takes when left to itself.
const bound = 10 * time.Second

func TestServerComesAndGoes(t *testing.T) {
	server := cqltest.StartServer(t)
	server.Stop()
	store, err := cql.Open(cql.Config{Hosts: server.Hosts, Keyspace: "outage"})
	require.NoError(t, err, "Open does not wait for the server")
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	requireAway(t, store)

	server.Start()
	requireBack(t, store)
	require.NoError(t, store.Ensure(t.Context(), visits))
	require.NoError(t, store.Write(t.Context(), visit("first", 1)))

	server.Stop()
	requireAway(t, store)
	server.Start()
	requireBack(t, store)
	requireVisit(t, store, "first", 1)
	require.NoError(t, store.Write(t.Context(), visit("second", 2)))

	server.Pause()
	requireAway(t, store)
	server.Resume()
	requireBack(t, store)
	requireVisit(t, store, "second", 2)
}

func requireAway(t *testing.T, store *cql.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	start := time.Now()
	require.ErrorIs(t, store.Ping(ctx), readstore.ErrUnavailable)
	require.ErrorIs(t, store.Write(ctx, visit("lost", 1)), readstore.ErrUnavailable)
	_, err := store.Get(ctx, visits, readstore.Key{"first"}, readstore.Key{"second"})
	require.ErrorIs(t, err, readstore.ErrUnavailable)
	t.Logf("three calls ended after %v", time.Since(start))
}

func requireBack(t *testing.T, store *cql.Store) {
	t.Helper()
	start := time.Now()
	require.Eventually(t, func() bool { return store.Ping(t.Context()) == nil }, time.Minute, 50*time.Millisecond)
	t.Logf("back after %v", time.Since(start))
}

func requireVisit(t *testing.T, store *cql.Store, id string, n int64) {
	t.Helper()
	rows, err := store.Get(t.Context(), visits, readstore.Key{id})
	require.NoError(t, err)
	require.Equal(t, readstore.Row{id, n}, rows[0])
}
