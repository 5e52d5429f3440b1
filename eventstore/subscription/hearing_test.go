package subscription

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestHearing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		echoes []uint64 // as they are seen after each announcement, a beat apart
		away   map[int]bool
		mute   map[int]bool
	}{
		"each comes before the broker answers":  {echoes: []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		"each comes a beat later":               {echoes: []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		"several come together":                 {echoes: []uint64{0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12}},
		"the bucket was made anew":              {echoes: []uint64{900, 901, 902, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		"nothing comes":                         {echoes: make([]uint64, 12), mute: map[int]bool{5: true, 10: true}},
		"anew, and the watch is of the old one": {echoes: []uint64{900, 901, 901, 901, 901, 901, 901, 901}, mute: map[int]bool{6: true}},
		"a new watch shows what was there":      {echoes: []uint64{0, 0, 0, 0, 0, 0, 5, 7, 8, 9, 10, 11}, mute: map[int]bool{5: true}},
		"the broker was away":                   {echoes: []uint64{1, 2, 2, 2, 3, 4}, away: map[int]bool{2: true}, mute: map[int]bool{3: true}},
		"away, and the watch goes on":           {echoes: []uint64{1, 2, 2, 3, 4, 5}, away: map[int]bool{2: true}, mute: map[int]bool{3: true}},
	} {
		var h hearing
		for i, echo := range c.echoes {
			if c.away[i] {
				h.away = true
				continue
			}
			require.Equal(t, c.mute[i], h.mute(echo, uint64(i)), "%s: beat %d", name, i)
		}
	}
}

func TestHearingCountsBeats(t *testing.T) {
	t.Parallel()
	var h hearing
	for range 100 {
		require.False(t, h.mute(0, mutedAfter), "many announcements within a beat say nothing of the watch")
	}
	require.True(t, h.mute(0, mutedAfter+1))
}

// slowBroker answers a write only when its echo has come back.
type slowBroker struct {
	jetstream.JetStream
	s *Shares
}

type slowBucket struct {
	jetstream.KeyValue
	s *Shares
}

func (b slowBroker) KeyValue(ctx context.Context, name string) (jetstream.KeyValue, error) {
	kv, err := b.JetStream.KeyValue(ctx, name)
	return slowBucket{KeyValue: kv, s: b.s}, err
}

func (b slowBucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	revision, err := b.KeyValue.Put(ctx, key, value)
	for err == nil && ctx.Err() == nil && b.s.echo() < revision {
		time.Sleep(time.Millisecond)
	}
	return revision, err
}

// An echo may come before the broker's answer to the announcement does, as it often
// does over a network. The watch goes on.
func TestSharesKeepAWatchThatIsFast(t *testing.T) {
	t.Parallel()
	ctx := natstest.Context(t)
	nc, err := eventstore.Connect(ctx, natstest.Server(t).URL())
	require.NoError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	var log bytes.Buffer
	s, err := JoinShares(ctx, js, SharesConfig{Group: "readers", Member: "a", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	s.js = slowBroker{JetStream: js, s: s}
	s.kv = slowBucket{KeyValue: s.kv, s: s}

	live, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(live) })
	beats, err := s.bucket().Watch(ctx, s.keys.member("a"))
	require.NoError(t, err)
	for newest := uint64(0); newest < 3*mutedAfter; {
		e, open := <-beats.Updates()
		require.True(t, open)
		if e != nil {
			var a announcement
			require.NoError(t, json.Unmarshal(e.Value(), &a))
			newest = a.Beat
		}
	}
	stopWatch(beats)
	end()
	wg.Wait()
	require.NotContains(t, log.String(), "interrupted")
}
