package processes

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"
)

// share is the work on one partition, by the copy that holds it. All of it starts
// with what was delivered and perhaps not handled, to whichever copy, read from the
// stream in its order: nobody waits for a redelivery, and none of an aggregate's
// later events overtakes it.
type share struct {
	*keeper
	partition int
	ctx       context.Context // ends some time after stop
	stop      context.Context // nothing new is begun
	places    chan struct{}   // bounds what is read ahead of the lines
	running   sync.WaitGroup

	mu      sync.Mutex
	lines   map[uuid.UUID]*line             // aggregates with something to do
	last    *otter.Cache[uuid.UUID, uint64] // versions handled, of those without
	stored  uint64                          // the end of the stream when this share began
	scanned uint64                          // what was delivered up to here is read from the stream
}

// item is a message on its way through a line.
type item struct {
	eventstore.Message
	pos      eventstore.Position
	err      error                  // the envelope cannot be read
	delivery *subscription.Delivery // nil where it was read from the stream
	again    bool                   // it may have been handled before
}

// graceful is how long reactions under way may take when a partition moves.
const graceful = 3 * time.Second

// work reacts to the events of a partition until ctx ends.
func (k *keeper) work(ctx context.Context, partition int) {
	last, err := otter.New(&otter.Options[uuid.UUID, uint64]{MaximumSize: k.runner.cfg.Memory})
	if err != nil {
		k.runner.cfg.Logger.Error("process cannot run", "process", k.name(), "cause", err)
		return
	}
	defer last.StopAllGoroutines()
	hard, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-hard.Done():
		case <-time.After(graceful):
			end()
		}
	})()
	s := &share{
		keeper: k, partition: partition, ctx: hard, stop: ctx, places: make(chan struct{}, k.runner.cfg.MaxAckPending),
		lines: map[uuid.UUID]*line{}, last: last,
	}
	defer s.running.Wait()
	s.run()
}

// errConsumerGone: somebody deleted the consumer.
var errConsumerGone = errors.New("processes: the consumer was gone and is made anew")

func (s *share) run() {
	var sub *subscription.Subscription
	var state subscription.State
	s.runner.insist(s.stop, s.stats, func() (err error) {
		if sub, err = s.subscribe(s.partition, s.process.start); err != nil {
			return err
		}
		end, err := s.stream.State(s.stop)
		if err != nil {
			return err
		}
		s.stored = end.LastSequence
		if state, err = sub.State(s.stop); err != nil {
			return err
		}
		if !state.Exists {
			return errors.Join(errConsumerGone, s.keeper.open(s.stop))
		}
		sub, err = s.subscribe(s.partition, state.AckFloor+1)
		return err
	})
	if s.stop.Err() != nil {
		return
	}
	s.running.Go(s.retryParked)
	if s.scan(state); s.stop.Err() != nil {
		return
	}
	s.running.Go(func() { _ = sub.Run(s.stop) })
	for {
		select {
		case <-s.stop.Done():
			return
		case d := <-sub.Lane(0):
			s.put(s.item(d.Message, d))
		}
	}
}

// scan reads what was delivered and is not known to be acknowledged. Reactions are
// the same when they are repeated, so those that were acknowledged do no harm. What is
// delivered again later is known to its line, and only acknowledged.
func (s *share) scan(state subscription.State) {
	next := state.AckFloor + 1
	s.scanned = state.Delivered
	s.runner.insist(s.stop, s.stats, func() error {
		if next > s.scanned {
			return nil
		}
		return s.stream.Scan(s.stop, next, s.scanned, func(m eventstore.Message) error {
			if id := s.stream.Aggregate(m.Subject); id != uuid.Nil && s.stream.Partition(id) == s.partition {
				s.put(s.item(m, nil))
			}
			next = m.Sequence + 1
			return s.stop.Err()
		})
	})
}

func (s *share) item(m eventstore.Message, d *subscription.Delivery) *item {
	it := &item{Message: m, delivery: d, again: d == nil || d.Deliveries > 1 || m.Sequence <= s.stored}
	if it.pos, it.err = s.stream.Position(m); it.err != nil {
		it.pos.Aggregate = s.stream.Aggregate(m.Subject)
	}
	return it
}

// put hands an item to its aggregate's line. It blocks while too much is read ahead.
func (s *share) put(it *item) {
	if it.delivery == nil {
		select {
		case <-s.stop.Done():
			return
		case s.places <- struct{}{}:
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := it.pos.Aggregate
	l := s.lines[id]
	if l == nil {
		l = &line{share: s, id: id}
		l.last, l.known = s.last.GetIfPresent(id)
		s.lines[id] = l
		s.running.Go(l.run)
	}
	l.queue = append(l.queue, it)
}

// before orders items by version. One whose version cannot be read has its place by
// where it is stored.
func (it *item) before(other *item) bool {
	if it.err != nil || other.err != nil {
		return it.Sequence < other.Sequence
	}
	return it.pos.Version < other.pos.Version
}

// next is what a line takes up now: of what waits the lowest version. Without any,
// or when the share has to stop, the line ends.
func (s *share) next(l *line) *item {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(l.queue) == 0 || s.stop.Err() != nil {
		delete(s.lines, l.id)
		if l.known {
			s.last.Set(l.id, l.last)
		} else {
			s.last.Invalidate(l.id)
		}
		return nil
	}
	at := 0
	for i, it := range l.queue {
		if it.before(l.queue[at]) {
			at = i
		}
	}
	it := l.queue[at]
	l.queue = slices.Delete(l.queue, at, at+1)
	return it
}

// finish answers the broker for an item that is dealt with.
func (s *share) finish(it *item) {
	if it.delivery == nil {
		<-s.places
		return
	}
	if err := it.delivery.Ack(); err != nil {
		s.runner.cfg.Logger.Debug("acknowledgement failed, the message will come again", "sequence", it.Sequence, "cause", err)
	}
}

// seldom is the longest time between two attempts at a parked aggregate.
const seldom = 5 * time.Minute

// retryParked tries every parked aggregate at the start, since this code may do what
// another could not. Later it tries those whose reaction failed, each for the first time
// soon and then ever more seldom: what was in the way, a hole in another aggregate's
// history, say, may be mended.
func (s *share) retryParked() {
	tick := time.NewTicker(s.runner.cfg.RetryAfter)
	defer tick.Stop()
	tried := map[uuid.UUID]time.Time{}
	for first := true; s.stop.Err() == nil; first = false {
		before := tried
		tried = map[uuid.UUID]time.Time{}
		for _, mark := range s.runner.marks.List(s.name(), 0) {
			id := mark.Aggregate
			if s.stream.Partition(id) != s.partition || s.stop.Err() != nil {
				continue
			}
			if tried[id] = before[id]; first || due(mark, before[id]) {
				tried[id] = time.Now()
				s.tryParked(id)
			}
		}
		select {
		case <-s.stop.Done():
		case <-tick.C:
		}
	}
}

func due(mark parked.Mark, tried time.Time) bool {
	return mark.Kind == parked.CauseApply && time.Since(tried) >= min(time.Since(mark.Since)/2, seldom)
}

func (s *share) tryParked(id uuid.UUID) {
	if still, err := s.unpark(s.stop, id); err == nil && !still {
		s.runner.cfg.Logger.Info("aggregate un-parked", "process", s.name(), "aggregate", id)
	}
}
