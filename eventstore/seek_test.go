package eventstore_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// However long an aggregate is, few of its events are read to go on in its middle.
func TestSeekLooksAtFewEvents(t *testing.T) {
	ctx, s, id, other := natstest.Context(t), setup(t), newID(t), newID(t)
	const n = 8000
	var sequences []uint64 // by version, from 1 on
	var last, others uint64
	for v := uint64(1); v < n; v += 100 {
		var err error
		last, err = appendOne(ctx, s, id, last, events(t, id, v, v+99)...)
		require.NoError(t, err)
		for i := range uint64(100) {
			sequences = append(sequences, last-99+i)
		}
		if v > n/2 { // the second half is not as dense
			others, err = appendOne(ctx, s, other, others, events(t, other, v-n/2, v-n/2+99)...)
			require.NoError(t, err)
		}
	}
	asked, err := s.Conn().SubscribeSync("$JS.API.DIRECT.GET.>")
	require.NoError(t, err)
	for _, version := range []uint64{0, 1, 200, 201, 1000, 4000, 5555, n - 1} {
		from, err := s.Seek(ctx, id, version)
		require.NoError(t, err)
		require.NoError(t, s.Conn().Flush())
		requests, _, err := asked.Pending()
		require.NoError(t, err)
		require.LessOrEqual(t, requests, 20)
		for range requests {
			m, err := asked.NextMsgWithContext(ctx)
			require.NoError(t, err)
			var r struct{ Batch int }
			require.NoError(t, json.Unmarshal(m.Data, &r))
			require.Equal(t, 1, r.Batch)
		}
		before, _ := slices.BinarySearch(sequences, from+1)
		require.LessOrEqual(t, version-uint64(before), uint64(200), "%d stand before %d", before, from)
		want, err := s.LoadSome(ctx, id, version, 0, 50)
		require.NoError(t, err)
		got, err := s.LoadSome(ctx, id, version, from, 50)
		require.NoError(t, err)
		require.Equal(t, want, got)
		for pending := 1; pending > 0; pending, _, _ = asked.Pending() {
			_, err := asked.NextMsgWithContext(ctx)
			require.NoError(t, err)
		}
	}
}

// mixed is a log of n events, in which one thing is not as it should be.
func mixed(rng *rand.Rand, kind string, n int) (log []uint64) {
	for v := range uint64(n) {
		log = append(log, v+1)
	}
	if kind == "in order" {
		return log
	}
	at := rng.IntN(n - 100)
	switch kind {
	case "hole":
		log = slices.Delete(log, at, at+1)
	case "twice":
		log = slices.Insert(log, rng.IntN(n), uint64(at+1))
	case "two swapped":
		other := rng.IntN(n)
		log[at], log[other] = log[other], log[at]
	case "some shuffled":
		some := log[at : at+100]
		rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	case "all shuffled":
		rng.Shuffle(n, func(i, j int) { log[i], log[j] = log[j], log[i] })
	}
	return log
}

// Whatever the log is like, what follows a version is found as by a read of it all.
func TestSeekInLogsOfAnyOrder(t *testing.T) {
	rng := seed(t)
	ctx, s := natstest.Context(t), setup(t)
	const n = 700
	for _, kind := range []string{"in order", "hole", "twice", "two swapped", "some shuffled", "all shuffled"} {
		for range 2 {
			id := uuid.New()
			for i, v := range mixed(rng, kind, n) {
				foreign(t, s, id, v, `{"by": `+strconv.Itoa(i)+`}`, nil)
			}
			for range 20 {
				version := rng.Uint64N(n - 1)
				want, err := s.LoadSome(ctx, id, version, 0, 30)
				require.NoError(t, err)
				got, err := loadFrom(t, s, id, version)
				require.NoError(t, err)
				require.Equal(t, want.Events, got.Events, "%s behind %d", kind, version)
				require.Equal(t, want.Missing, got.Missing, "%s behind %d", kind, version)
			}
		}
	}
}

// A log that has a version twice, or not at all, is not looked through.
func TestSeekLeavesALogThatIsNotInOrder(t *testing.T) {
	ctx, s := natstest.Context(t), setup(t)
	for kind, change := range map[string]func(log []uint64) []uint64{
		"a hole before": func(log []uint64) []uint64 { return slices.Delete(log, 50, 51) },
		"a hole behind": func(log []uint64) []uint64 { return slices.Delete(log, 450, 451) },
		"twice":         func(log []uint64) []uint64 { return slices.Insert(log, 10, 420) },
		"begins late":   func(log []uint64) []uint64 { return slices.Insert(log[1:], 200, 300) },
	} {
		id, log := uuid.New(), mixed(nil, "in order", 500)
		for i, v := range change(log) {
			foreign(t, s, id, v, `{"by": `+strconv.Itoa(i)+`}`, nil)
		}
		from, err := s.Seek(ctx, id, 400)
		require.NoError(t, err)
		require.Zero(t, from, kind)
	}
}

// loadFrom is how Seek's doc comment says to go on.
func loadFrom(t *testing.T, s *eventstore.Stream, id uuid.UUID, version uint64) (eventstore.History, error) {
	t.Helper()
	from, err := s.Seek(natstest.Context(t), id, version)
	require.NoError(t, err)
	h, err := s.LoadSome(natstest.Context(t), id, version, from, 30)
	if h.Missing > 0 {
		return s.LoadSome(natstest.Context(t), id, version, 0, 30)
	}
	return h, err
}

// An aggregate that is not there, or cannot be read, is left to LoadSome.
func TestSeekOfNothing(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	from, err := s.Seek(ctx, id, 1000)
	require.NoError(t, err)
	require.Zero(t, from)
	foreign(t, s, id, 1, `{}`, map[string]string{"ce-version": ""})
	from, err = s.Seek(ctx, id, 1000)
	require.NoError(t, err)
	require.Zero(t, from)
}
