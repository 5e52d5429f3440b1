package storetest

import (
	"math/rand/v2"
	"sync"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

func checkTimestamps(s *suite) {
	id := s.id("upserts")
	s.write([]readstore.Mutation{upsert(records, 5, record(id, 5)...)})
	s.write([]readstore.Mutation{upsert(records, 3, record(id, 3)...)})
	require.Equal(s, record(id, 5), s.row(records, id), "upsert@5, upsert@3")
	s.write([]readstore.Mutation{upsert(records, 6, record(id, 6)...)})
	require.Equal(s, record(id, 6), s.row(records, id), "upsert@6 then")

	id = s.id("late upsert")
	s.write([]readstore.Mutation{upsert(records, 2, record(id, 2)...)})
	s.write([]readstore.Mutation{remove(records, 5, id)})
	s.write([]readstore.Mutation{upsert(records, 3, record(id, 3)...)})
	require.Nil(s, s.row(records, id), "delete@5, upsert@3")
	s.write([]readstore.Mutation{upsert(records, 6, record(id, 6)...)})
	require.Equal(s, record(id, 6), s.row(records, id), "upsert@6 after delete@5")

	id = s.id("late delete")
	s.write([]readstore.Mutation{upsert(records, 5, record(id, 5)...)})
	s.write([]readstore.Mutation{remove(records, 3, id)})
	require.Equal(s, record(id, 5), s.row(records, id), "upsert@5, delete@3")
	s.write([]readstore.Mutation{remove(records, 9, id)})
	s.write([]readstore.Mutation{remove(records, 4, id)})
	s.write([]readstore.Mutation{upsert(records, 8, record(id, 8)...)})
	require.Nil(s, s.row(records, id), "delete@9, delete@4, upsert@8")
}

func checkTie(s *suite) {
	id := s.id("delete first")
	s.write([]readstore.Mutation{remove(records, 5, id)})
	s.write([]readstore.Mutation{upsert(records, 5, record(id, 5)...)})
	require.Nil(s, s.row(records, id))

	id = s.id("upsert first")
	s.write([]readstore.Mutation{upsert(records, 5, record(id, 5)...)})
	s.write([]readstore.Mutation{remove(records, 5, id)})
	require.Nil(s, s.row(records, id))
	s.write([]readstore.Mutation{upsert(records, 5, record(id, 5)...)})
	require.Nil(s, s.row(records, id), "and stays so")
}

func checkTombstone(s *suite) {
	id := s.id("row")
	s.write([]readstore.Mutation{remove(records, 5, id)})
	s.write([]readstore.Mutation{upsert(records, 4, record(id, 4)...)})
	require.Nil(s, s.row(records, id))
	s.write([]readstore.Mutation{upsert(records, 6, record(id, 6)...)})
	require.Equal(s, record(id, 6), s.row(records, id))
}

func checkSameRowOften(s *suite) {
	phase, phases := s.id("one phase"), s.id("two phases")
	s.write([]readstore.Mutation{
		upsert(records, 2, record(phase, 2)...), upsert(records, 4, record(phase, 4)...), upsert(records, 3, record(phase, 3)...),
	})
	require.Equal(s, record(phase, 4), s.row(records, phase))
	s.write([]readstore.Mutation{remove(records, 5, phase), upsert(records, 5, record(phase, 5)...)})
	require.Nil(s, s.row(records, phase))

	s.write([]readstore.Mutation{upsert(records, 7, record(phases, 7)...)}, []readstore.Mutation{upsert(records, 6, record(phases, 6)...)})
	require.Equal(s, record(phases, 7), s.row(records, phases))
	s.write([]readstore.Mutation{upsert(records, 8, record(phases, 8)...)}, []readstore.Mutation{remove(records, 8, phases)})
	require.Nil(s, s.row(records, phases))
}

func checkRewrite(s *suite) {
	id := s.id("row")
	for range 3 {
		s.write([]readstore.Mutation{upsert(records, 5, record(id, 5)...)})
		require.Equal(s, record(id, 5), s.row(records, id))
	}
	for range 3 {
		s.write([]readstore.Mutation{remove(records, 6, id)})
		require.Nil(s, s.row(records, id))
	}
}

func checkConverge(s *suite) {
	const rows, writers, writes = 5, 8, 40
	random := s.random()
	latest := map[string]readstore.Mutation{}
	var plans [writers][]readstore.Mutation
	for range writers * writes {
		m := randomWrite(s, random, rows)
		if old, ok := latest[m.Row[0].(string)]; !ok || m.Timestamp > old.Timestamp || m.Timestamp == old.Timestamp && m.Delete {
			latest[m.Row[0].(string)] = m
		}
		w := random.IntN(writers)
		plans[w] = append(plans[w], m)
	}
	var group sync.WaitGroup
	errs := make(chan error, writers*writes)
	for _, plan := range plans {
		group.Go(func() {
			for i := 0; i < len(plan); i += 3 {
				errs <- s.store.Write(s.Context(), plan[i:min(i+3, len(plan))])
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(s, err)
	}
	for id, m := range latest {
		want := m.Row
		if m.Delete {
			want = nil
		}
		require.Equal(s, want, s.row(records, id), "the largest timestamp was %d, a delete: %v", m.Timestamp, m.Delete)
	}
}

func randomWrite(s *suite, random *rand.Rand, rows int) readstore.Mutation {
	id, ts := s.id(random.IntN(rows)), 1+random.Int64N(100)
	if random.IntN(3) == 0 {
		return remove(records, ts, id)
	}
	return upsert(records, ts, record(id, ts)...)
}
