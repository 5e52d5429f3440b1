package meter

import (
	"context"

	"github.com/admitone/admitone/bench/raw"
	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go"
)

// Kinds of ids.
const (
	kindMeter = iota + 1
	kindEvent
)

// window is how many messages the events of one meter are spread over.
const window = 50_000

// At is the place of message i in a log of n with perMeter events to a meter, all
// within a window: which meter, and which version of it.
func At(i, n, perMeter int) (meter uint64, version uint64) {
	first := i / window * window
	meters := max(1, min(window, n-first)/perMeter)
	return uint64(first/perMeter + (i-first)%meters), uint64((i-first)/meters + 1)
}

// Fill puts n events into the stream, perMeter of them to each meter. n is a
// multiple of perMeter.
func Fill(ctx context.Context, s *eventstore.Stream, n, perMeter int) error {
	return raw.Fill(ctx, s.Conn(), n, func(i int) *nats.Msg {
		meter, version := At(i, n, perMeter)
		e := Event(ID(kindEvent, uint64(i)), ID(kindMeter, meter), version, nil)
		return raw.Message(s, e, Type, Body(int64(i)))
	})
}
