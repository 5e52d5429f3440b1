package eventstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// fill appends n events, batch by batch, and returns the last sequence.
func fill(t testing.TB, s *eventstore.Stream, n int) uint64 {
	t.Helper()
	var last uint64
	for n > 0 {
		size := uint64(min(n, eventstore.MaxBatch))
		id := uuid.New()
		var err error
		last, err = appendOne(t.Context(), s, id, 0, events(t, id, 1, size)...)
		require.NoError(t, err)
		n -= int(size)
	}
	return last
}

// scanned are the sequences of a scan.
func scanned(t *testing.T, s *eventstore.Stream, from, to uint64) (seen []uint64) {
	t.Helper()
	require.NoError(t, s.Scan(natstest.Context(t), from, to, func(m eventstore.Message) error {
		seen = append(seen, m.Sequence)
		return nil
	}))
	return seen
}

func sequences(from, to uint64) (all []uint64) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func TestScanRanges(t *testing.T) {
	s := setup(t)
	require.Empty(t, scanned(t, s, 0, 1<<62), "an empty stream")
	last := fill(t, s, 2_500)
	require.Equal(t, sequences(1, last), scanned(t, s, 0, 1<<62))
	require.Equal(t, sequences(1, last), scanned(t, s, 1, last))
	require.Equal(t, sequences(700, 1300), scanned(t, s, 700, 1300))
	require.Equal(t, sequences(last, last), scanned(t, s, last, last+5))
	require.Empty(t, scanned(t, s, last+1, last+5))
	require.Empty(t, scanned(t, s, 9, 8))
}

func TestScanOfOnePartition(t *testing.T) {
	s := setup(t, func(c *eventstore.StreamConfig) { c.Partitions = 4 })
	byPartition := map[int][]uint64{}
	for range 100 {
		id := uuid.New()
		last, err := appendOne(t.Context(), s, id, 0, events(t, id, 1, 3)...)
		require.NoError(t, err)
		byPartition[s.Partition(id)] = append(byPartition[s.Partition(id)], last-2, last-1, last)
	}
	for p, want := range byPartition {
		for _, from := range []uint64{1, want[len(want)/2] + 1} {
			for _, to := range []uint64{want[len(want)-1], 1 << 62} {
				var seen []uint64
				require.NoError(t, s.ScanPartition(natstest.Context(t), p, from, to, func(m eventstore.Message) error {
					seen = append(seen, m.Sequence)
					return nil
				}))
				first, _ := slices.BinarySearch(want, from)
				require.Equal(t, want[first:], seen)
			}
		}
	}
}

func TestScanEndsWhereMessagesAreMissing(t *testing.T) {
	// Such a log is not ours; an operator may have cut it.
	nc := natstest.Conn(t, natstest.Server(t))
	s := natstest.Stream(t, nc, eventstore.StreamConfig{Name: "CUT", Registry: toyRegistry()})
	last := fill(t, s, 20)
	ctx := natstest.Context(t)
	h, err := s.JetStream().Stream(ctx, "CUT")
	require.NoError(t, err)
	c := h.CachedInfo().Config
	require.NoError(t, s.JetStream().DeleteStream(ctx, "CUT"))
	c.DenyDelete, c.DenyPurge = false, false
	// The server may not have removed all files of the one before yet.
	require.Eventually(t, func() bool {
		h, err = s.JetStream().CreateStream(ctx, c)
		return err == nil
	}, time.Minute, 5*time.Millisecond)
	for range last {
		id := uuid.New()
		foreign(t, s, id, 1, `{"by": 1}`, nil)
	}
	for _, sequence := range []uint64{1, 7, 19, 20} {
		require.NoError(t, h.DeleteMsg(ctx, sequence))
	}
	c.DenyDelete, c.DenyPurge = true, true
	_, err = s.JetStream().UpdateStream(ctx, c)
	require.NoError(t, err)
	s = natstest.Stream(t, nc, eventstore.StreamConfig{Name: "CUT", Registry: toyRegistry()})

	require.Equal(t, append(sequences(2, 6), sequences(8, 18)...), scanned(t, s, 1, 20))
	require.Equal(t, sequences(5, 6), scanned(t, s, 5, 7))
	require.Equal(t, sequences(15, 18), scanned(t, s, 15, 19))
	require.Empty(t, scanned(t, s, 19, 20))
}

func TestScanEndsWithTheCallersErrorOrContext(t *testing.T) {
	s := setup(t)
	fill(t, s, 500)
	enough, calls := errors.New("enough"), 0
	err := s.Scan(natstest.Context(t), 1, 500, func(eventstore.Message) error {
		if calls++; calls == 123 {
			return enough
		}
		return nil
	})
	require.ErrorIs(t, err, enough)
	require.Equal(t, 123, calls)

	ctx, cancel := context.WithCancel(t.Context())
	err = s.Scan(ctx, 1, 500, func(eventstore.Message) error { cancel(); return nil })
	if err != nil { // it may have been through before it noticed
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestScanGoesOnAfterBrokenConnections(t *testing.T) {
	p, s, direct := behindProxy(t)
	last := fill(t, direct, 20_000)
	var seen []uint64
	require.NoError(t, s.Scan(natstest.Context(t), 1, last, func(m eventstore.Message) error {
		if seen = append(seen, m.Sequence); len(seen)%6_000 == 0 {
			p.cutAll()
		}
		return nil
	}))
	require.Equal(t, sequences(1, last), seen, "each once, in order")
}

func TestScanOfAReplacedLog(t *testing.T) {
	s := setup(t)
	last := fill(t, s, 20_000)
	ctx := natstest.Context(t)
	err := s.Scan(ctx, 1, last, func(m eventstore.Message) error {
		if m.Sequence == 10 {
			return s.JetStream().DeleteStream(ctx, s.Name())
		}
		return nil
	})
	if err != nil { // all of it may have been delivered already
		require.ErrorIs(t, err, eventstore.ErrLogChanged)
	}
	err = s.Scan(ctx, 1, last, func(eventstore.Message) error { return nil })
	require.ErrorIs(t, err, eventstore.ErrLogChanged)
	natstest.Stream(t, s.Conn(), eventstore.StreamConfig{Name: s.Name(), Registry: toyRegistry()})
	err = s.Scan(ctx, 1, last, func(eventstore.Message) error { return nil })
	require.ErrorIs(t, err, eventstore.ErrLogChanged)
}

// BenchmarkScan reads a log of events with eight headers, and compares with
// nats.go's own ordered consumer on it.
func BenchmarkScan(b *testing.B) {
	s := setup(b, func(c *eventstore.StreamConfig) { c.Partitions = 1 })
	const n = 200_000
	last := fill(b, s, n)
	var ratios, rates []float64
	for b.Loop() {
		began := time.Now()
		rawScan(b, s, last)
		raw := time.Since(began)
		began = time.Now()
		count := 0
		err := s.Scan(b.Context(), 1, last, func(eventstore.Message) error { count++; return nil })
		if err != nil || count != n {
			b.Fatal(count, err)
		}
		own := time.Since(began)
		ratios, rates = append(ratios, raw.Seconds()/own.Seconds()), append(rates, n/own.Seconds())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(rates), "messages/s")
	b.ReportMetric(median(ratios), "ratio")
}

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

func rawScan(b *testing.B, s *eventstore.Stream, last uint64) {
	b.Helper()
	cons, err := s.JetStream().OrderedConsumer(b.Context(), s.Name(), jetstream.OrderedConsumerConfig{})
	require.NoError(b, err)
	done, count := make(chan struct{}), uint64(0)
	cc, err := cons.Consume(func(jetstream.Msg) {
		if count++; count == last {
			close(done)
		}
	})
	require.NoError(b, err)
	<-done
	cc.Stop()
}
