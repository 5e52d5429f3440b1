package projections

import (
	"context"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
)

// item is a delivery on its way through the gate.
type item struct {
	*subscription.Delivery
	pos eventstore.Position
	err error // the envelope cannot be read
}

// gathering is how a lane waits for more behind a backlog.
type gathering struct {
	until  int           // as many deliveries are worth a flush
	within time.Duration // it waits at most
	lull   time.Duration // without a delivery that ends the wait
}

// gatheringOf leaves half of what the broker may hand to a lane, so that the rest comes
// while the lane writes.
func gatheringOf(c *Config, lanes int) gathering {
	return gathering{
		until:  min(c.Batch, c.MaxAckPending/lanes/2),
		within: 250 * time.Millisecond, lull: 30 * time.Millisecond,
	}
}

// lookForMore is how often a lane looks at what came: waking it for each message would
// cost as much as the message.
const lookForMore = 2 * time.Millisecond

// batchBytes of payload end a batch, whatever their number: what a lane folds and writes
// stays small where events are large. What waits in front of it is bounded by its number
// alone, see package subscription.
const batchBytes = 8 << 20

// batch is what a lane takes through the gate at once.
type batch struct {
	items []item
	bytes int // of their payloads
}

// drain takes what waits: idle, one event is flushed at once, and under load many make
// one flush.
func (l *lane) drain(ctx context.Context, first *subscription.Delivery) []item {
	var b batch
	l.add(&b, first)
	l.take(&b)
	if l.moreIsComing(&b) {
		l.gather(ctx, &b)
	}
	return b.items
}

// gather waits for as many as are worth a flush: each flush has its price, and what
// is behind in the backlog is written sooner for it. It would wait in vain while all
// that the broker may hand out is with other lanes or copies: a lull ends it.
func (l *lane) gather(ctx context.Context, b *batch) {
	began := time.Now()
	for grown := began; l.moreIsComing(b) && ctx.Err() == nil; {
		pause(ctx, lookForMore)
		before, now := len(b.items), time.Now()
		if l.take(b); len(b.items) > before {
			grown = now
		}
		if now.Sub(grown) > l.tune.gather.lull || now.Sub(began) > l.tune.gather.within {
			break
		}
	}
}

// moreIsComing: the broker had as many to send behind the newest delivery.
func (l *lane) moreIsComing(b *batch) bool {
	until := l.tune.gather.until
	return len(b.items) < until && b.bytes < batchBytes && b.items[len(b.items)-1].Pending >= uint64(until)
}

// take adds what is there, up to a whole batch.
func (l *lane) take(b *batch) {
	for len(b.items) < l.tune.batch && b.bytes < batchBytes {
		select {
		case d := <-l.in:
			l.add(b, d)
		default:
			return
		}
	}
}

func (l *lane) add(b *batch, d *subscription.Delivery) {
	pos, err := l.g.position(d.Message)
	b.items = append(b.items, item{Delivery: d, pos: pos, err: err})
	b.bytes += len(d.Data)
}
