package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

func checkGet(s *suite) {
	rows, err := s.store.Get(s.Context(), records)
	require.NoError(s, err)
	require.Empty(s, rows)

	var writes []readstore.Mutation
	var keys []readstore.Key
	var want []readstore.Row
	for i := range 300 {
		id, n := s.id(i%200), int64(i%200)
		keys = append(keys, readstore.Key{id})
		if n%3 == 0 {
			want = append(want, nil)
			continue
		}
		want = append(want, record(id, n))
		writes = append(writes, upsert(records, 1, record(id, n)...))
	}
	s.write(writes)
	rows, err = s.store.Get(s.Context(), records, keys...)
	require.NoError(s, err)
	require.Equal(s, want, rows)

	whole := readstore.Row{s.id("p"), int64(3), int64(-1), "text", int64(7), "found"}
	s.write([]readstore.Mutation{upsert(mixed, 1, whole...)})
	require.Equal(s, whole, s.row(mixed, whole[:5]...))
	require.Nil(s, s.row(mixed, s.id("p"), int64(3), int64(-1), "text", int64(8)))
}

func checkScan(s *suite) {
	table := s.own(mixed)
	scan := func() map[string]int {
		seen := map[string]int{}
		require.NoError(s, s.store.Scan(s.Context(), table, func(row readstore.Row) error {
			seen[row[5].(string)]++
			return nil
		}))
		return seen
	}
	require.Empty(s, scan())

	const rows = 2345
	want := map[string]int{}
	var writes, deletes []readstore.Mutation
	for i := range rows {
		key := readstore.Row{s.id(i % 17), int64(i % 5), int64(i), "x", int64(0)}
		value := s.id(i)
		writes = append(writes, upsert(table, 1, append(key, value)...))
		if i%4 == 0 {
			deletes = append(deletes, remove(table, 1, key...))
		} else {
			want[value] = 1
		}
	}
	s.write(writes, deletes)
	require.Equal(s, want, scan())

	stop := errors.New("stop here")
	calls := 0
	err := s.store.Scan(s.Context(), table, func(row readstore.Row) error {
		require.Equal(s, row, s.row(table, row[:5]...), "a callback may read")
		if calls++; calls == 50 {
			return stop
		}
		return nil
	})
	require.ErrorIs(s, err, stop)
	require.Equal(s, 50, calls)
}

func checkEnsure(s *suite) {
	a, b := s.own(records), s.own(timeline)
	s.write([]readstore.Mutation{upsert(a, 1, record(s.id("row"), 1)...)})
	c := mixed.Named(a.Name + "c")
	errs := make([]error, 6)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { errs[i] = s.store.Ensure(s.Context(), a, b, c) })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(s, err)
	}
	require.Equal(s, record(s.id("row"), 1), s.row(a, s.id("row")), "existing tables stay as they are")
	s.write([]readstore.Mutation{upsert(c, 1, "p", int64(0), int64(0), "", int64(0), "")})
	s.ensure()
}

func checkDrop(s *suite) {
	table, stays := s.own(timeline), s.own(timeline)
	row := readstore.Row{s.id("p"), time.UnixMilli(5).UTC(), "x", int64(1)}
	s.write([]readstore.Mutation{upsert(table, 5, row...), upsert(stays, 5, row...)})
	require.Equal(s, row, s.row(table, row[:3]...))
	require.NoError(s, s.store.Drop(s.Context(), table, records.Named(table.Name+"x")))
	require.NoError(s, s.store.Drop(s.Context(), table), "dropped already")
	checkNoTable(s, table, row)
	require.Equal(s, row, s.row(stays, row[:3]...))

	s.ensure(table)
	require.Nil(s, s.row(table, row[:3]...), "made anew it is empty")
	s.write([]readstore.Mutation{upsert(table, 1, row...)})
	require.Equal(s, row, s.row(table, row[:3]...), "and has no timestamps of its former life")
}

func checkNoTable(s *suite, table *readstore.Table, row readstore.Row) {
	_, err := s.store.Get(s.Context(), table, readstore.Key(row[:3]))
	require.ErrorIs(s, err, readstore.ErrNoTable)
	_, err = s.store.Page(s.Context(), table, readstore.Query{Partition: readstore.Key(row[:1]), Limit: 1})
	require.ErrorIs(s, err, readstore.ErrNoTable)
	require.ErrorIs(s, s.store.Write(s.Context(), []readstore.Mutation{upsert(table, 9, row...)}), readstore.ErrNoTable)
	require.ErrorIs(s, s.store.Write(s.Context(), []readstore.Mutation{remove(table, 9, row[:3]...)}), readstore.ErrNoTable)
	require.ErrorIs(s, s.store.Scan(s.Context(), table, func(readstore.Row) error { return nil }), readstore.ErrNoTable)
}

// everyCall makes each kind of call once.
func everyCall(ctx context.Context, store readstore.Store, id string) map[string]error {
	errs := map[string]error{
		"Ensure": store.Ensure(ctx, records),
		"Drop":   store.Drop(ctx, records.Named("never_made")),
		"Write":  store.Write(ctx, []readstore.Mutation{upsert(records, 1, record(id, 1)...)}),
		"Scan":   store.Scan(ctx, records, func(readstore.Row) error { return nil }),
		"Ping":   store.Ping(ctx),
	}
	_, errs["Get"] = store.Get(ctx, records, readstore.Key{id})
	_, errs["Page"] = store.Page(ctx, timeline, readstore.Query{Partition: readstore.Key{id}, Limit: 1})
	return errs
}

func checkCancelled(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	for call, err := range everyCall(ctx, s.store, s.id("row")) {
		require.ErrorIs(s, err, context.Canceled, call)
	}
	ctx, cancel = context.WithTimeout(s.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	for call, err := range everyCall(ctx, s.store, s.id("row")) {
		require.ErrorIs(s, err, context.DeadlineExceeded, call)
		require.NotErrorIs(s, err, readstore.ErrUnavailable, call)
	}
}

func checkClosed(s *suite) {
	store := s.open()
	ready(s, store)
	require.NoError(s, store.Ensure(s.Context(), records, timeline))
	var group sync.WaitGroup
	var closed atomic.Bool
	for i := range 8 {
		group.Go(func() {
			for n := int64(1); !closed.Load(); n++ {
				if store.Write(s.Context(), []readstore.Mutation{upsert(records, n, record(s.id(i), n)...)}) != nil {
					return
				}
			}
		})
	}
	require.NoError(s, store.Close())
	closed.Store(true)
	group.Wait() // calls under way end
	for call, err := range everyCall(s.Context(), store, s.id("row")) {
		require.ErrorIs(s, err, readstore.ErrUnavailable, call)
	}
	require.NoError(s, store.Close(), "closing again")
}
