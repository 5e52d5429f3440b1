package eventstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Measured with one fsync for each publish and a few for each batch: below some 16
// waiting writes plain publishes are faster; one batch at a time, for which the
// writers of the last one are waited a moment, does better than two at once.
const (
	worthABatch = 16
	groupBytes  = 8 << 20
	gatherWait  = 2 * time.Millisecond
	siftAtOnce  = 32
)

// groupCommit appends waiting writes of many aggregates as one atomic batch, while
// there are enough of them; otherwise each goes alone. It has no goroutine of its
// own while nothing waits.
type groupCommit struct {
	s *Stream

	mu     sync.Mutex
	queue  []*waiting
	alone  int         // writes that are on their way by themselves
	busy   bool        // a batch is on its way
	load   int         // the writers seen at the end of the last batch; 0: no need to wait for company
	gather *time.Timer // runs while a queue waits for company
}

// waiting is a write in the queue; its caller blocks on turn.
type waiting struct {
	w    *write
	turn chan turn
}

// turn tells a caller that its write is stored, or that it is to go alone.
type turn struct {
	sequences []uint64
	unsure    bool // the write was in a batch that may be stored
}

func newGroupCommit(s *Stream) *groupCommit { return &groupCommit{s: s} }

func (g *groupCommit) append(ctx context.Context, w *write) ([]uint64, error) {
	q := g.enter(w)
	if q == nil {
		defer g.left()
		return g.s.settle(ctx, w)
	}
	select {
	case t := <-q.turn:
		if t.sequences != nil {
			return t.sequences, nil
		}
		defer g.left()
		w.unsure = t.unsure
		return g.s.settle(ctx, w)
	case <-ctx.Done():
		return nil, g.abandon(ctx, q)
	}
}

// enter queues a write, or returns nil when it may go alone at once.
func (g *groupCommit) enter(w *write) *waiting {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.busy && len(g.queue) == 0 && g.load == 0 && g.alone < worthABatch {
		g.alone++
		return nil
	}
	q := &waiting{w: w, turn: make(chan turn, 1)}
	g.queue = append(g.queue, q)
	g.pump(false)
	return q
}

// left is called when a write that went alone is done.
func (g *groupCommit) left() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.alone--
	g.pump(false)
}

// abandon gives up a write whose caller's time is over.
func (g *groupCommit) abandon(ctx context.Context, q *waiting) error {
	g.mu.Lock()
	at := slices.Index(g.queue, q)
	if at >= 0 {
		g.queue = slices.Delete(g.queue, at, at+1)
	}
	g.mu.Unlock()
	if at >= 0 {
		return g.s.gaveUp(false, errNotSent, ctx.Err())
	}
	go func() {
		if t := <-q.turn; t.sequences == nil {
			g.left()
		}
	}()
	return g.s.gaveUp(true, errCut, ctx.Err())
}

// pump starts what may start now. The lock is held.
func (g *groupCommit) pump(gathered bool) {
	for len(g.queue) > 0 && !g.busy {
		n := len(g.queue)
		switch {
		case n < g.load*19/20 && !gathered:
			g.waitForCompany()
			return
		case n >= worthABatch:
			batch := g.take()
			g.busy = true
			go g.send(batch)
		default:
			g.load = 0
			if g.alone >= worthABatch {
				return
			}
			q := g.queue[0]
			g.queue = g.queue[1:]
			g.alone++
			q.turn <- turn{}
		}
	}
}

// waitForCompany lets the writers of the last batch come back with their next.
func (g *groupCommit) waitForCompany() {
	if g.gather != nil {
		return
	}
	g.gather = time.AfterFunc(gatherWait, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.gather = nil
		g.pump(true)
	})
}

// take removes the next batch from the queue: in order of arrival, each aggregate
// once, within the server's limit of messages.
func (g *groupCommit) take() []*waiting {
	if g.gather != nil {
		g.gather.Stop()
		g.gather = nil
	}
	var batch, rest []*waiting
	messages, bytes := 0, 0
	taken := make(map[string]bool, len(g.queue))
	for i, q := range g.queue {
		if messages+len(q.w.messages) > MaxBatch || bytes+q.w.size > groupBytes && messages > 0 {
			rest = append(rest, g.queue[i:]...)
			break
		}
		if anyTaken(taken, q.w.parts) {
			rest = append(rest, q)
			continue
		}
		for _, p := range q.w.parts {
			taken[p.subject] = true
		}
		messages += len(q.w.messages)
		bytes += q.w.size
		batch = append(batch, q)
	}
	g.queue = rest
	return batch
}

func anyTaken(taken map[string]bool, parts []part) bool {
	for _, p := range parts {
		if taken[p.subject] {
			return true
		}
	}
	return false
}

// send commits a batch and gives each write its turn. A batch that the broker
// refused for the sake of some of its writes is tried once more without them.
func (g *groupCommit) send(batch []*waiting) {
	if refused := g.commit(batch); len(refused) > 0 {
		current, moved := g.sift(refused)
		g.sendAway(moved, false)
		g.sendAway(g.commit(current), false)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	// Those of the batch are about to come back to those who wait already. Without
	// them the writers would fall into two groups that take turns, for ever.
	g.load = min(len(batch)+len(g.queue), MaxBatch)
	g.busy = false
	g.pump(false)
}

// commit sends a batch; what it returns was certainly not stored by it.
func (g *groupCommit) commit(batch []*waiting) (refused []*waiting) {
	if len(batch) < worthABatch/2 {
		return batch
	}
	w := &write{}
	for _, q := range batch {
		w.messages = append(w.messages, q.w.messages...)
	}
	a := g.s.transmit(context.Background(), w)
	switch a.verdict {
	case stored:
		next := a.first
		for _, q := range batch {
			q.turn <- turn{sequences: q.w.sequencesFrom(next)}
			next += uint64(len(q.w.messages))
		}
		return nil
	case conflict, inFlight, duplicate:
		return batch
	default:
		g.sendAway(batch, a.verdict == unknown)
		return nil
	}
}

// sift asks the leader which writes still may follow what they expect.
func (g *groupCommit) sift(batch []*waiting) (current, moved []*waiting) {
	ctx, cancel := context.WithTimeout(context.Background(), attemptTimeout)
	defer cancel()
	stale := make([]bool, len(batch))
	var asking errgroup.Group
	asking.SetLimit(siftAtOnce)
	for i, q := range batch {
		asking.Go(func() error {
			for _, p := range q.w.parts {
				last, err := g.s.LastSequence(ctx, p.aggregate)
				stale[i] = stale[i] || err != nil || last != p.expected
			}
			return nil
		})
	}
	_ = asking.Wait() // none returns an error
	for i, q := range batch {
		if stale[i] {
			moved = append(moved, q)
		} else {
			current = append(current, q)
		}
	}
	return current, moved
}

// sendAway lets each write of a failed batch go alone.
func (g *groupCommit) sendAway(batch []*waiting, unsure bool) {
	g.mu.Lock()
	g.alone += len(batch)
	g.mu.Unlock()
	for _, q := range batch {
		q.turn <- turn{unsure: unsure}
	}
}
