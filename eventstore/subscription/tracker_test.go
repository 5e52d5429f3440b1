package subscription

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The watermark never claims more than what is dealt with, however deliveries,
// answers, other copies and looks at the broker's floor fall; and once all is
// dealt with it says so.
func TestWatermarkNeverClaimsTooMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBroker(t)
		t.Repeat(map[string]func(*rapid.T){
			"":               b.check,
			"deliver":        b.deliverNew,
			"deliver again":  b.deliverAgain,
			"acknowledge":    b.acknowledge,
			"lose ack":       b.loseAck,
			"return":         b.giveBack,
			"set aside":      b.setAside,
			"deal with":      b.dealWithAside,
			"other deals":    b.otherDeals,
			"ask for floor":  b.askFloor,
			"hear of floor":  b.hearFloor,
			"consumer anew":  b.consumerAnew,
			"batch of those": b.batch,
		})
		b.finish(t)
	})
}

// broker is a consumer with this copy, whose tracker is tested, and others.
type broker struct {
	tracker *tracker
	exists  []uint64          // sequences of the partition, delivered so far
	dealt   map[uint64]bool   // truly
	open    map[uint64]bool   // delivered and not acknowledged
	times   map[uint64]uint64 // delivered so often
	acked   map[uint64]bool
	held    map[uint64]*Delivery // by this copy
	aside   map[uint64]bool      // by this copy
	others  map[uint64]bool      // held by others
	last    uint64
	cursor  uint64 // what is beyond was not delivered by this consumer
	number  uint64
	floors  []uint64 // asked for, not heard of yet
}

func newBroker(t *rapid.T) *broker {
	before := State{Number: rapid.Uint64Range(0, 3).Draw(t, "number"), Delivered: rapid.Uint64Range(0, 3).Draw(t, "delivered")}
	return &broker{
		tracker: newTracker(before.Delivered, before.Number), last: before.Delivered, cursor: before.Delivered, number: before.Number,
		dealt: map[uint64]bool{}, open: map[uint64]bool{}, times: map[uint64]uint64{}, acked: map[uint64]bool{},
		held: map[uint64]*Delivery{}, aside: map[uint64]bool{}, others: map[uint64]bool{},
	}
}

// deliverNew delivers what this consumer never did before, in order.
func (b *broker) deliverNew(t *rapid.T) {
	for _, sequence := range b.exists {
		if sequence > b.cursor {
			b.cursor = sequence
			b.deliver(t, sequence)
			return
		}
	}
	b.last += rapid.Uint64Range(1, 3).Draw(t, "further") // those between are of other partitions
	b.exists = append(b.exists, b.last)
	b.cursor = b.last
	b.deliver(t, b.last)
}

// deliverAgain: AckWait has passed, or the message was given back.
func (b *broker) deliverAgain(t *rapid.T) { b.deliver(t, pick(t, b.open)) }

func (b *broker) deliver(t *rapid.T, sequence uint64) {
	b.number++
	b.times[sequence]++
	b.open[sequence] = true
	if rapid.Bool().Draw(t, "to another copy") {
		b.others[sequence] = true
		return
	}
	d := &Delivery{Message: eventstore.Message{Sequence: sequence}, Deliveries: b.times[sequence]}
	b.tracker.delivered(d, b.number)
	b.held[sequence] = d
}

func (b *broker) acknowledge(t *rapid.T) {
	sequence := pick(t, b.held)
	b.ack(sequence)
	b.loseAckOf(sequence)
}

func (b *broker) loseAck(t *rapid.T) { b.loseAckOf(pick(t, b.held)) }

func (b *broker) loseAckOf(sequence uint64) {
	b.dealt[sequence] = true
	delete(b.held, sequence)
	delete(b.aside, sequence)
	b.tracker.done(sequence)
}

func (b *broker) ack(sequence uint64) {
	b.acked[sequence] = true
	delete(b.open, sequence)
}

func (b *broker) giveBack(t *rapid.T) {
	sequence := pick(t, b.held)
	delete(b.held, sequence)
	b.tracker.returned(sequence)
}

func (b *broker) setAside(t *rapid.T) {
	sequence := pick(t, b.held)
	delete(b.held, sequence)
	b.aside[sequence] = true
	b.tracker.setAside(sequence)
	b.ack(sequence)
}

func (b *broker) dealWithAside(t *rapid.T) {
	sequence := pick(t, b.aside)
	delete(b.aside, sequence)
	b.dealt[sequence] = true
	b.tracker.done(sequence)
}

func (b *broker) otherDeals(t *rapid.T) {
	sequence := pick(t, b.others)
	delete(b.others, sequence)
	b.dealt[sequence] = true
	b.ack(sequence)
}

// floor is as the server counts: up to the newest delivery at most.
func (b *broker) floor() uint64 {
	for _, sequence := range b.exists {
		if !b.acked[sequence] {
			return sequence - 1
		}
	}
	return b.cursor
}

func (b *broker) askFloor(*rapid.T) { b.floors = append(b.floors, b.floor()) }

func (b *broker) hearFloor(t *rapid.T) {
	if len(b.floors) == 0 {
		t.Skip("none asked for")
	}
	b.tracker.floorAt(b.floors[0])
	b.floors = b.floors[1:]
}

// consumerAnew: it was deleted, and this or another copy has made it again, from
// behind what is dealt with.
func (b *broker) consumerAnew(t *rapid.T) {
	from := rapid.Uint64Range(0, b.dealtUpTo()).Draw(t, "from")
	if rapid.Bool().Draw(t, "by this copy") {
		from = b.tracker.watermark()
	}
	b.tracker.unsure()
	b.number, b.floors, b.times = 0, nil, map[uint64]uint64{}
	b.acked, b.open, b.others = map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}
	b.cursor = from
	for _, sequence := range b.exists {
		if sequence <= from {
			b.acked[sequence] = true
		}
	}
}

func (b *broker) dealtUpTo() uint64 {
	for _, sequence := range b.exists {
		if !b.dealt[sequence] {
			return sequence - 1
		}
	}
	return b.last
}

func (b *broker) check(t *rapid.T) {
	require.LessOrEqual(t, b.tracker.watermark(), b.dealtUpTo())
}

// batch asks what the watermark will be once some of what is held is dealt with.
func (b *broker) batch(t *rapid.T) {
	var some []*Delivery
	was := maps.Clone(b.dealt)
	for _, sequence := range slices.Sorted(maps.Keys(b.held)) {
		if rapid.Bool().Draw(t, "in the batch") {
			some = append(some, b.held[sequence])
			b.dealt[sequence] = true
		}
	}
	require.LessOrEqual(t, b.tracker.watermarkWith(some), b.dealtUpTo())
	b.dealt = was
	b.check(t)
}

// finish deals with everything.
func (b *broker) finish(t *rapid.T) {
	for _, sequence := range b.exists {
		b.dealt[sequence] = true
		b.ack(sequence)
		b.cursor = b.last
		if _, ours := b.held[sequence]; ours || b.aside[sequence] {
			b.tracker.done(sequence)
		}
	}
	b.tracker.floorAt(b.floor())
	require.Equal(t, b.last, max(b.tracker.watermark(), b.othersOnly()))
	require.Empty(t, b.tracker.working(time.Now().Add(time.Hour)))
	require.False(t, b.tracker.needsFloor())
}

// othersOnly is the end of the stream where this copy was given nothing of it.
func (b *broker) othersOnly() uint64 {
	if b.tracker.highest < b.last {
		return b.last
	}
	return 0
}

func pick[V any](t *rapid.T, from map[uint64]V) uint64 {
	if len(from) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(from))).Draw(t, "sequence")
}
