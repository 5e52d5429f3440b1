package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

var (
	tickets = &readstore.Table{
		Name:      "tickets",
		Partition: []readstore.Column{{Name: "id", Type: readstore.Text}},
		Values: []readstore.Column{
			{Name: "version", Type: readstore.Int}, {Name: "title", Type: readstore.Text},
			{Name: "seller", Type: readstore.Text}, {Name: "amount", Type: readstore.Int},
		},
	}
	listed = &readstore.Table{
		Name:       "listed",
		Partition:  []readstore.Column{{Name: "status", Type: readstore.Text}, {Name: "shard", Type: readstore.Int}},
		Clustering: []readstore.Column{{Name: "at", Type: readstore.Time, Desc: true}, {Name: "id", Type: readstore.Text}},
		Values:     tickets.Values[:2],
	}
	sold = &readstore.Table{
		Name:       "sold",
		Partition:  []readstore.Column{{Name: "seller", Type: readstore.Text}},
		Clustering: []readstore.Column{{Name: "id", Type: readstore.Text, Desc: true}},
		Values:     tickets.Values[:2],
	}
)

// mutation i goes to one of three tables; ids grow with time as UUIDv7 does.
func mutation(i int64) readstore.Mutation {
	id := fmt.Sprintf("%012x-7000-8000-%012x", 1_700_000_000_000+i, i*7919%9973)
	version, title, seller := i%5+1, "Two seats in the front row", fmt.Sprintf("seller-%d", i/100%50)
	switch i % 3 {
	case 0:
		return readstore.Mutation{Table: tickets, Row: readstore.Row{id, version, title, seller, int64(2500)}, Timestamp: version}
	case 1:
		return readstore.Mutation{Table: listed, Row: readstore.Row{"available", int64(0), time.UnixMilli(i), id, version, title}, Timestamp: version}
	default:
		return readstore.Mutation{Table: sold, Row: readstore.Row{seller, id, version, title}, Timestamp: version}
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, writers := range []int{1, 4} {
		for _, rows := range []int64{1, 20, 500} {
			b.Run(fmt.Sprintf("%d writers, %d rows", writers, rows), func(b *testing.B) { benchmarkWrite(b, writers, rows) })
		}
	}
}

func benchmarkWrite(b *testing.B, writers int, rows int64) {
	store := open(b)
	require.NoError(b, store.Ensure(b.Context(), tickets, listed, sold))
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range writers {
		group.Go(func() {
			for from := next.Add(rows) - rows; from < int64(b.N); from = next.Add(rows) - rows {
				var phase []readstore.Mutation
				for i := from; i < min(from+rows, int64(b.N)); i++ {
					phase = append(phase, mutation(i))
				}
				if err := store.Write(b.Context(), phase); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkRead(b *testing.B) {
	store := open(b)
	require.NoError(b, store.Ensure(b.Context(), tickets, listed, sold))
	const rows = 30_000
	var phase []readstore.Mutation
	for i := range int64(rows) {
		phase = append(phase, mutation(i))
	}
	require.NoError(b, store.Write(b.Context(), phase))
	key := func() readstore.Key { return tickets.KeyOf(mutation(3 * rand.Int64N(rows/3)).Row) }
	b.Run("one row", func(b *testing.B) {
		for b.Loop() {
			if _, err := store.Get(b.Context(), tickets, key()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("100 rows by key", func(b *testing.B) {
		keys := make([]readstore.Key, 100)
		for i := range keys {
			keys[i] = key()
		}
		for b.Loop() {
			if _, err := store.Get(b.Context(), tickets, keys...); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("a page of 50", func(b *testing.B) {
		q := readstore.Query{Partition: readstore.Key{"available", int64(0)}, Limit: 50}
		for b.Loop() {
			if _, err := store.Page(b.Context(), listed, q); err != nil {
				b.Fatal(err)
			}
		}
	})
}
