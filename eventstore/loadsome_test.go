package eventstore_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// loadAll goes through an aggregate with LoadSome, to the last page.
func loadAll(t testing.TB, s *eventstore.Stream, id uuid.UUID, limit int) (all eventstore.History, pages int) {
	t.Helper()
	ctx, version := natstest.Context(t), uint64(0)
	for {
		h, err := s.LoadSome(ctx, id, version, all.LastSequence, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(h.Events), limit)
		require.GreaterOrEqual(t, h.LastSequence, all.LastSequence)
		pages++
		all.Events = append(all.Events, h.Events...)
		all.LastSequence, all.Missing = h.LastSequence, h.Missing
		version += uint64(len(h.Events))
		if len(h.Events) < limit {
			return all, pages
		}
		require.Zero(t, h.Missing)
	}
}

func TestLoadSomeOfALogInOrderAsksOncePerPage(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	var last uint64
	for v := uint64(1); v < 2500; v += 500 {
		var err error
		last, err = appendOne(ctx, s, id, last, events(t, id, v, v+499)...)
		require.NoError(t, err)
	}
	whole, err := s.Load(ctx, id, 0, 0)
	require.NoError(t, err)
	asked, err := s.Conn().SubscribeSync("$JS.API.DIRECT.GET.>")
	require.NoError(t, err)
	for limit, want := range map[int]int{1: 2501, 7: 358, 1000: 3, 3000: 4} {
		all, _ := loadAll(t, s, id, limit)
		require.Equal(t, whole, all)
		require.NoError(t, s.Conn().Flush())
		requests, _, err := asked.Pending()
		require.NoError(t, err)
		t.Logf("limit %d: %d requests", limit, requests)
		require.LessOrEqual(t, requests, want, "limit %d", limit)
		for range requests {
			_, err := asked.NextMsgWithContext(ctx)
			require.NoError(t, err)
		}
	}
	h, err := s.LoadSome(ctx, id, 2500, last, 5)
	require.NoError(t, err)
	require.Equal(t, eventstore.History{Events: []eventstore.Event{}, LastSequence: last}, h)
	h, err = s.LoadSome(ctx, newID(t), 0, 0, 5)
	require.NoError(t, err)
	require.Equal(t, eventstore.History{Events: []eventstore.Event{}}, h)
}

// Logs of other writers: versions out of order, twice, and missing.
func TestLoadSomeReadsAsLoadDoes(t *testing.T) {
	rng := seed(t)
	ctx, s := natstest.Context(t), setup(t)
	for range 40 {
		id := uuid.New()
		log := disordered(rng)
		for i, v := range log {
			foreign(t, s, id, v, `{"by": `+strconv.Itoa(i)+`}`, nil)
		}
		whole, err := s.Load(ctx, id, 0, 0)
		require.NoError(t, err)
		for _, limit := range []int{1, 2, 5, 11, 100} {
			all, _ := loadAll(t, s, id, limit)
			require.Len(t, all.Events, len(whole.Events), "%v by %d", log, limit)
			for i := range whole.Events {
				require.Equal(t, whole.Events[i], all.Events[i], "%v by %d", log, limit)
			}
			require.Equal(t, whole.Missing, all.Missing, "%v by %d", log, limit)
			if whole.Missing == 0 {
				require.Equal(t, whole.LastSequence, all.LastSequence, "%v by %d", log, limit)
			}
		}
	}
}

// Who follows an aggregate stops at a hole, and misses nothing once it is filled.
func TestLoadSomeGoesOnWhereAHoleIsFilled(t *testing.T) {
	ctx, s := natstest.Context(t), setup(t)
	for _, log := range [][]uint64{{1, 2, 4, 5}, {4, 1, 2, 5}, {5, 1, 4, 2}, {1, 5, 2, 4, 5}} {
		for _, limit := range []int{3, 4, 100} {
			id := newID(t)
			for i, v := range log {
				foreign(t, s, id, v, `{"by": `+strconv.Itoa(i)+`}`, nil)
			}
			h, err := s.LoadSome(ctx, id, 0, 0, limit)
			require.NoError(t, err)
			require.Len(t, h.Events, 2)
			require.EqualValues(t, 3, h.Missing)
			foreign(t, s, id, 3, `{"by": 9}`, nil)
			rest, err := s.LoadSome(ctx, id, 2, h.LastSequence, limit)
			require.NoError(t, err)
			whole, err := s.Load(ctx, id, 0, 0)
			require.NoError(t, err)
			require.Equal(t, whole.Events, append(h.Events, rest.Events...), "%v by %d", log, limit)
			require.Equal(t, whole.LastSequence, rest.LastSequence)
		}
	}
}

func disordered(rng *rand.Rand) (log []uint64) {
	for v := range uint64(20) {
		for range 1 + rng.IntN(2) {
			log = append(log, v+1)
		}
	}
	rng.Shuffle(len(log), func(i, j int) { log[i], log[j] = log[j], log[i] })
	return log[:len(log)-rng.IntN(8)]
}

// What lies behind the page harms nobody.
func TestLoadSomeStopsBeforeWhatCannotBeRead(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	for v := range uint64(3) {
		foreign(t, s, id, v+1, `{"by": 1}`, nil)
	}
	foreign(t, s, id, 4, `poison`, nil)
	h, err := s.LoadSome(ctx, id, 0, 0, 3)
	require.NoError(t, err)
	require.Len(t, h.Events, 3)
	_, err = s.LoadSome(ctx, id, 3, h.LastSequence, 3)
	var unreadable *eventstore.DecodeError
	require.ErrorAs(t, err, &unreadable)
	require.EqualValues(t, 4, unreadable.Position.Version, fmt.Sprint(err))
}
