package storetest

import (
	"sync"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

func missing() *readstore.Table { return records.Named("never_made") }

func checkPhases(s *suite) {
	id := func(name string) string { return s.id(name) }
	s.write()
	s.write(nil, []readstore.Mutation{}, nil)
	s.write(nil, []readstore.Mutation{upsert(records, 1, record(id("between"), 1)...)}, nil)
	require.NotNil(s, s.row(records, id("between")))

	err := s.store.Write(s.Context(),
		[]readstore.Mutation{upsert(records, 1, record(id("before"), 1)...)},
		[]readstore.Mutation{upsert(missing(), 1, record(id("failing"), 1)...)},
		[]readstore.Mutation{upsert(records, 1, record(id("behind"), 1)...)},
		[]readstore.Mutation{upsert(records, 1, record(id("far behind"), 1)...)})
	require.ErrorIs(s, err, readstore.ErrNoTable)
	require.Nil(s, s.row(records, id("behind")), "written though the phase before it failed")
	require.Nil(s, s.row(records, id("far behind")), "written though a phase before it failed")
}

// checkPhasesSeen reads the last phase first: what it shows, the first must have.
func checkPhasesSeen(s *suite) {
	const rows, rounds = 20, 60
	home := s.id("home")
	done := make(chan error, 1)
	go func() {
		var err error
		for v := int64(1); v <= rounds && err == nil; v++ {
			var index []readstore.Mutation
			for i := range rows {
				index = append(index, upsert(records, v, record(s.id(i), v)...))
			}
			err = s.store.Write(s.Context(), index, []readstore.Mutation{upsert(records, v, record(home, v)...)})
		}
		done <- err
	}()
	for {
		row := s.row(records, home)
		for i := 0; row != nil && i < rows; i++ {
			index := s.row(records, s.id(i))
			require.NotNil(s, index)
			require.GreaterOrEqual(s, index[1], row[1], "the second phase showed before the first")
		}
		select {
		case err := <-done:
			require.NoError(s, err)
			return
		default:
		}
	}
}

func checkManyRows(s *suite) {
	const rows = 3000
	var first, second []readstore.Mutation
	for i := range rows {
		first = append(first, upsert(records, 1, record(s.id(i), int64(i))...))
		second = append(second, upsert(mixed, 1, s.id("list"), int64(0), int64(i), "x", int64(0), "value"))
	}
	s.write(first, second)
	keys := make([]readstore.Key, rows)
	for i := range keys {
		keys[i] = readstore.Key{s.id(i)}
	}
	got, err := s.store.Get(s.Context(), records, keys...)
	require.NoError(s, err)
	for i, row := range got {
		require.Equal(s, record(s.id(i), int64(i)), row)
	}
	require.Len(s, s.all(mixed, readstore.Query{Partition: readstore.Key{s.id("list"), int64(0)}, Limit: 1000}), rows)
}

// checkFailsAlone: whoever shares a transaction or a batch with a write that
// fails is not harmed.
func checkFailsAlone(s *suite) {
	const writes = 200
	errs := make([]error, writes)
	var group sync.WaitGroup
	for i := range writes {
		group.Go(func() {
			table := records
			if i%4 == 0 {
				table = missing()
			}
			errs[i] = s.store.Write(s.Context(), []readstore.Mutation{upsert(table, 1, record(s.id(i), 1)...)})
		})
	}
	group.Wait()
	for i, err := range errs {
		if i%4 == 0 {
			require.ErrorIs(s, err, readstore.ErrNoTable)
			continue
		}
		require.NoError(s, err)
		require.NotNil(s, s.row(records, s.id(i)))
	}
}
