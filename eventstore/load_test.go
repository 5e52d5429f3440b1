package eventstore_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// foreign publishes a message as another writer might, with changes to its headers.
func foreign(t testing.TB, s *eventstore.Stream, id uuid.UUID, version uint64, body string, change map[string]string) uint64 {
	t.Helper()
	eventID := uuid.NewString()
	h := nats.Header{
		"Nats-Msg-Id": {eventID}, "ce-id": {eventID}, "ce-type": {"counter.raised.v1"},
		"ce-subject": {id.String()}, "ce-version": {strconv.FormatUint(version, 10)},
	}
	for k, v := range change {
		h[k] = []string{v}
		if v == "" {
			delete(h, k)
		}
	}
	ack, err := s.JetStream().PublishMsg(natstest.Context(t), &nats.Msg{Subject: s.Subject(id), Header: h, Data: []byte(body)})
	require.NoError(t, err)
	return ack.Sequence
}

func TestLoadPagesThroughThousands(t *testing.T) {
	ctx, s, id, other := natstest.Context(t), setup(t), newID(t), newID(t)
	var last, otherLast uint64
	const n = 3_500
	for v := uint64(1); v < n; v += 500 {
		var err error
		last, err = appendOne(ctx, s, id, last, events(t, id, v, v+499)...)
		require.NoError(t, err)
		otherLast, err = appendOne(ctx, s, other, otherLast, event(t, other, v/500+1))
		require.NoError(t, err)
	}
	h, err := s.Load(ctx, id, 0, 0)
	require.NoError(t, err)
	require.Len(t, h.Events, n)
	require.EqualValues(t, n, h.Events[n-1].Version)
	require.Equal(t, last, h.LastSequence)
	requireVersions(t, s, id, n)

	h, err = s.Load(ctx, id, n-3, h.Events[n-4].Sequence)
	require.NoError(t, err)
	require.Len(t, h.Events, 3)
	require.EqualValues(t, n-2, h.Events[0].Version)
	h, err = s.Load(ctx, id, n, last)
	require.NoError(t, err)
	require.Equal(t, eventstore.History{Events: []eventstore.Event{}}, h)
}

func TestLoadPagesByBytes(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	var last uint64
	for v := uint64(1); v <= 20; v++ {
		e := event(t, id, v)
		e.Payload = opened{Name: string(slices.Repeat([]byte("x"), 600_000))}
		var err error
		last, err = appendOne(ctx, s, id, last, e)
		require.NoError(t, err)
	}
	h, err := s.Load(ctx, id, 0, 0)
	require.NoError(t, err)
	require.Len(t, h.Events, 20)
}

func TestLoadOfNothing(t *testing.T) {
	s := setup(t)
	h, err := s.Load(natstest.Context(t), newID(t), 0, 0)
	require.NoError(t, err)
	require.Empty(t, h.Events)
	require.Zero(t, h.LastSequence)
	require.Zero(t, h.Missing)
}

func TestHistoryIsInOrderOfVersion(t *testing.T) {
	rng := seed(t)
	ctx, s := natstest.Context(t), setup(t)
	for range 20 {
		id := uuid.New()
		first := map[uint64]int{} // what the first message of each version says
		log := slices.Concat(slices.Sorted(maps.Keys(versionsTo(15))), slices.Sorted(maps.Keys(versionsTo(15))))
		rng.Shuffle(len(log), func(i, j int) { log[i], log[j] = log[j], log[i] })
		for i, v := range log {
			foreign(t, s, id, v, `{"by": `+strconv.Itoa(i)+`}`, nil)
			if _, known := first[v]; !known {
				first[v] = i
			}
		}
		h, err := s.Load(ctx, id, 0, 0)
		require.NoError(t, err)
		require.Len(t, h.Events, 15)
		require.Zero(t, h.Missing)
		for i, e := range h.Events {
			require.EqualValues(t, i+1, e.Version)
			require.Equal(t, raised{By: first[e.Version]}, e.Payload)
		}
	}
}

func versionsTo(n uint64) map[uint64]bool {
	vs := map[uint64]bool{}
	for v := range n {
		vs[v+1] = true
	}
	return vs
}

func TestHoleEndsHistory(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	var last uint64
	for _, v := range []uint64{6, 1, 2, 5} {
		last = foreign(t, s, id, v, `{"by": 1}`, nil)
	}
	h, err := s.Load(ctx, id, 0, 0)
	require.NoError(t, err)
	require.Len(t, h.Events, 2)
	require.EqualValues(t, 3, h.Missing)
	require.Equal(t, last, h.LastSequence)
	h, err = s.Load(ctx, id, 2, 0)
	require.NoError(t, err)
	require.Empty(t, h.Events)
	require.EqualValues(t, 3, h.Missing)
}

func TestPoisonBeyondTheFirstOfAVersionIsHarmless(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	foreign(t, s, id, 1, `{"by": 1}`, nil)
	foreign(t, s, id, 1, `poison`, nil)
	h, err := s.Load(ctx, id, 0, 0)
	require.NoError(t, err)
	require.Len(t, h.Events, 1)
}

func TestUnreadableEvents(t *testing.T) {
	s := setup(t)
	for name, c := range map[string]struct {
		body     string
		change   map[string]string
		kind     error
		version  uint64
		position bool // the envelope's place is readable
	}{
		"not JSON":        {"poison", nil, eventstore.ErrMalformed, 1, true},
		"empty body":      {"", nil, eventstore.ErrMalformed, 1, true},
		"unknown type":    {"{}", map[string]string{"ce-type": "counter.vanished.v1"}, eventstore.ErrUnknownType, 1, true},
		"bad time":        {"{}", map[string]string{"ce-time": "yesterday"}, eventstore.ErrMalformed, 1, true},
		"no type":         {"{}", map[string]string{"ce-type": ""}, eventstore.ErrMalformed, 1, false},
		"no id":           {"{}", map[string]string{"ce-id": ""}, eventstore.ErrMalformed, 1, false},
		"no version":      {"{}", map[string]string{"ce-version": ""}, eventstore.ErrMalformed, 0, false},
		"version zero":    {"{}", map[string]string{"ce-version": "0"}, eventstore.ErrMalformed, 0, false},
		"version minus":   {"{}", map[string]string{"ce-version": "-1"}, eventstore.ErrMalformed, 0, false},
		"version beyond":  {"{}", map[string]string{"ce-version": "18446744073709551616"}, eventstore.ErrMalformed, 0, false},
		"no subject":      {"{}", map[string]string{"ce-subject": ""}, eventstore.ErrMalformed, 1, false},
		"other aggregate": {"{}", map[string]string{"ce-subject": uuid.NewString()}, eventstore.ErrMalformed, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, id := natstest.Context(t), newID(t)
			sequence := foreign(t, s, id, 1, c.body, c.change)
			_, err := s.Load(ctx, id, 0, 0)
			require.ErrorIs(t, err, c.kind)
			var de *eventstore.DecodeError
			require.ErrorAs(t, err, &de)
			require.Equal(t, sequence, de.Sequence)
			require.Equal(t, id, de.Position.Aggregate, "known from the subject alone")
			require.Equal(t, c.version, de.Position.Version)
			require.NoError(t, s.Read(ctx, id, 1, func(m eventstore.Message) error {
				_, err := s.Position(m)
				require.Equal(t, c.position, err == nil, "%v", err)
				return nil
			}))
		})
	}
}

func TestReadEndsWithTheCallersError(t *testing.T) {
	ctx, s, id := natstest.Context(t), setup(t), newID(t)
	_, err := appendOne(ctx, s, id, 0, events(t, id, 1, 5)...)
	require.NoError(t, err)
	enough, calls := errors.New("enough"), 0
	err = s.Read(ctx, id, 3, func(m eventstore.Message) error {
		require.EqualValues(t, 3+calls, m.Sequence)
		if calls++; calls == 2 {
			return enough
		}
		return nil
	})
	require.ErrorIs(t, err, enough)
	require.Equal(t, 2, calls)
}

// BenchmarkLoadTenEvents loads aggregates whose events follow each other closely,
// or lie a thousand messages apart.
func BenchmarkLoadTenEvents(b *testing.B) {
	for name, stride := range map[string]int{"close": 4, "apart": 1000} {
		s, ids := setup(b), make([]uuid.UUID, 1000)
		for from := 0; from < len(ids); from += stride {
			interleave(b, s, ids[from:from+stride])
		}
		load := func(b *testing.B) {
			h, err := s.Load(b.Context(), ids[rand.IntN(len(ids))], 0, 0)
			if err != nil || len(h.Events) != 10 {
				b.Errorf("%d events, %v", len(h.Events), err)
			}
		}
		b.Run(name+"/serial", func(b *testing.B) {
			for b.Loop() {
				load(b)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "loads/s")
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					load(b)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "loads/s")
		})
	}
}

// interleave makes aggregates of ten events, one event of each in turn.
func interleave(b *testing.B, s *eventstore.Stream, ids []uuid.UUID) {
	b.Helper()
	last := make([]uint64, len(ids))
	for v := range uint64(10) {
		for i := range ids {
			if v == 0 {
				ids[i] = uuid.New()
			}
			var err error
			last[i], err = appendOne(b.Context(), s, ids[i], last[i], event(b, ids[i], v+1))
			require.NoError(b, err)
		}
	}
}
