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

// drain takes what waits: idle, one event is flushed at once, and under load many make
// one flush.
func (l *lane) drain(ctx context.Context, first *subscription.Delivery) []item {
	batch := l.take([]item{l.read(first)})
	if !l.moreIsComing(batch) {
		return batch
	}
	return l.gathered(ctx, batch)
}

// gathered waits for as many as are worth a flush: each flush has its price, and what
// is behind in the backlog is written sooner for it. It would wait in vain while all
// that the broker may hand out is with other lanes or copies: a lull ends it.
func (l *lane) gathered(ctx context.Context, batch []item) []item {
	began := time.Now()
	for grown := began; l.moreIsComing(batch) && ctx.Err() == nil; {
		pause(ctx, lookForMore)
		before, now := len(batch), time.Now()
		if batch = l.take(batch); len(batch) > before {
			grown = now
		}
		if now.Sub(grown) > l.tune.gather.lull || now.Sub(began) > l.tune.gather.within {
			break
		}
	}
	return batch
}

// moreIsComing: the broker had as many to send behind the newest delivery.
func (l *lane) moreIsComing(batch []item) bool {
	return len(batch) < l.tune.gather.until && batch[len(batch)-1].Pending >= uint64(l.tune.gather.until)
}

// take adds what is there, up to a whole batch.
func (l *lane) take(batch []item) []item {
	for len(batch) < l.tune.batch {
		select {
		case d := <-l.in:
			batch = append(batch, l.read(d))
		default:
			return batch
		}
	}
	return batch
}

func (l *lane) read(d *subscription.Delivery) item {
	pos, err := l.g.position(d.Message)
	return item{Delivery: d, pos: pos, err: err}
}
