package cql_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/cql"
	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"
)

const (
	inFlight = 192 // statements at once, of the store and of bare gocql alike
	perWrite = 500
)

var tickets = &readstore.Table{
	Name:      "tickets",
	Partition: []readstore.Column{{Name: "id", Type: readstore.Text}},
	Values: []readstore.Column{
		{Name: "version", Type: readstore.Int}, {Name: "title", Type: readstore.Text},
		{Name: "seller", Type: readstore.Text}, {Name: "amount", Type: readstore.Int},
	},
}

var listed = &readstore.Table{
	Name:       "listed",
	Partition:  []readstore.Column{{Name: "status", Type: readstore.Text}, {Name: "shard", Type: readstore.Int}},
	Clustering: []readstore.Column{{Name: "at", Type: readstore.Time, Desc: true}, {Name: "id", Type: readstore.Text}},
	Values:     tickets.Values,
}

func ticket(i int64) readstore.Row {
	id := fmt.Sprintf("01931b2a-%04x-7%03x-8000-%012x", i>>12&0xffff, i&0xfff, i*7919)
	return readstore.Row{id, int64(1), "Two seats in the front row", "01931b2a-0000-7000-8000-000000000000", int64(2500)}
}

// BenchmarkInserts puts single rows into a table, by bare gocql and by the store:
// the quotient of the two is the store's bar (0.90). Batching is the third.
func BenchmarkInserts(b *testing.B) {
	for range 3 {
		b.Run("gocql", benchmarkGocql)
		b.Run("store", func(b *testing.B) {
			benchmarkWrites(b, func(i int64) readstore.Mutation {
				return readstore.Mutation{Table: tickets, Row: ticket(i), Timestamp: 1}
			})
		})
		b.Run("store, into 16 partitions", func(b *testing.B) {
			benchmarkWrites(b, func(i int64) readstore.Mutation {
				t := ticket(i)
				row := append(readstore.Row{"available", i % 16, timeOf(i)}, t...)
				return readstore.Mutation{Table: listed, Row: row, Timestamp: 1}
			})
		})
	}
}

func benchmarkGocql(b *testing.B) {
	prepared := setUpBench(b)
	c := gocql.NewCluster(cqltest.Hosts(b)...)
	c.Keyspace, c.Consistency = prepared, gocql.LocalQuorum
	c.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	s, err := c.CreateSession()
	require.NoError(b, err)
	defer s.Close()
	next := atomic.Int64{}
	var group sync.WaitGroup
	b.ResetTimer()
	for range inFlight {
		group.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				args := append(ticket(i), int64(1))
				if err := s.Query("INSERT INTO tickets (id, version, title, seller, amount) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?", args...).Exec(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func benchmarkWrites(b *testing.B, mutation func(int64) readstore.Mutation) {
	store, err := cql.Open(cql.Config{Hosts: cqltest.Hosts(b), Keyspace: setUpBench(b), Concurrency: inFlight})
	require.NoError(b, err)
	defer func() { require.NoError(b, store.Close()) }()
	requireReady(b, store)
	next := atomic.Int64{}
	var group sync.WaitGroup
	b.ResetTimer()
	for range 4 {
		group.Go(func() {
			for from := next.Add(perWrite) - perWrite; from < int64(b.N); from = next.Add(perWrite) - perWrite {
				var rows []readstore.Mutation
				for i := from; i < min(from+perWrite, int64(b.N)); i++ {
					rows = append(rows, mutation(i))
				}
				if err := store.Write(b.Context(), rows); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func setUpBench(b *testing.B) (keyspace string) {
	keyspace = cqltest.Keyspace(b)
	store, err := cql.Open(cql.Config{Hosts: cqltest.Hosts(b), Keyspace: keyspace})
	require.NoError(b, err)
	defer func() { require.NoError(b, store.Close()) }()
	requireReady(b, store)
	require.NoError(b, store.Ensure(b.Context(), tickets, listed))
	return keyspace
}

func requireReady(t testing.TB, store *cql.Store) {
	t.Helper()
	require.Eventually(t, func() bool { return store.Ping(t.Context()) == nil }, time.Minute, 10*time.Millisecond)
}

func timeOf(i int64) time.Time { return time.UnixMilli(1_700_000_000_000 + i) }
