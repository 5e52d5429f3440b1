package projections

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// Limits of what waits for a missing version.
const (
	gapsPerAggregate = 64 // versions of one aggregate that go back to the broker
	applyAttempts    = 5
	firstDelay       = 50 * time.Millisecond // of a nack; it doubles with each delivery
	longestDelay     = 2 * time.Second
)

// gap is an aggregate with versions beyond the next.
type gap struct {
	since    time.Time
	versions map[uint64]waiting
	held     int // versions given back
	highest  uint64
	aside    []uint64 // sequences acknowledged beyond the limit; healing reads them from the stream
}

// waiting is a version beyond the next.
type waiting struct {
	first uint64 // the sequence of its first message among those delivered here
	back  bool   // given back to the broker, else set aside
}

// attempt counts the tries to apply one event.
type attempt struct {
	version uint64
	count   int
}

// wait gives a delivery beyond the next version back, with a delay that grows. A
// message that comes while the aggregate has many is set aside instead: healing
// reads the stream anyway.
func (l *lane) wait(ctx context.Context, it item) {
	l.g.stats.gaps.Add(1)
	x := l.gaps[it.pos.Aggregate]
	if x == nil {
		x = &gap{since: time.Now(), versions: map[uint64]waiting{}}
		l.gaps[it.pos.Aggregate] = x
	}
	if !x.keep(it.pos.Version, it.Sequence) {
		x.aside = append(x.aside, it.Sequence)
		if err := it.SetAside(); err != nil {
			l.log.Debug("could not set a message aside", "sequence", it.Sequence, "cause", err)
		}
		return
	}
	l.nack(it, delayOf(it.Deliveries))
	if len(l.gaps) > l.tune.maxGaps {
		l.healOldest(ctx)
	}
}

// keep says whether a version goes back to the broker. The highest always does:
// should this copy die, it tells another one of those that were set aside.
func (x *gap) keep(version, sequence uint64) bool {
	x.highest = max(x.highest, version)
	v, known := x.versions[version]
	keep := version == x.highest || x.held < gapsPerAggregate || v.back && x.held == gapsPerAggregate
	switch {
	case keep && !v.back:
		x.held++
	case v.back && !keep:
		x.held--
	}
	if !known || sequence < v.first {
		v.first = sequence
	}
	v.back = keep
	x.versions[version] = v
	return keep
}

func delayOf(deliveries uint64) time.Duration {
	delay := firstDelay
	for range min(deliveries, 10) - 1 {
		delay *= 2
	}
	return min(delay, longestDelay)
}

func (l *lane) nack(it item, delay time.Duration) {
	l.g.stats.nacks.Add(1)
	if err := it.Nak(delay); err != nil {
		l.log.Debug("could not give a message back", "sequence", it.Sequence, "cause", err)
	}
}

// healDue closes gaps that lasted too long, from the stream.
func (l *lane) healDue(ctx context.Context) {
	now := time.Now()
	var due []uuid.UUID
	for id, x := range l.gaps {
		if now.Sub(x.since) >= l.tune.healAfter || l.closed(id, x) {
			due = append(due, id)
		}
	}
	l.heal(ctx, due)
}

// closed: everything that waited has been admitted since.
func (l *lane) closed(id uuid.UUID, x *gap) bool {
	e := l.folder.get(id)
	return e != nil && e.written >= x.highest
}

// healOldest makes room for more gaps.
func (l *lane) healOldest(ctx context.Context) {
	ids := slices.SortedFunc(maps.Keys(l.gaps), func(a, b uuid.UUID) int { return l.gaps[a].since.Compare(l.gaps[b].since) })
	l.heal(ctx, ids[:min(catchUpAtOnce, len(ids))])
}

// heal catches aggregates up whose gaps lasted, and parks those of which a version was
// never written.
func (l *lane) heal(ctx context.Context, ids []uuid.UUID) {
	due := slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool {
		x := l.gaps[id]
		return l.closed(id, x) && len(x.aside) == 0
	})
	l.catchUp(ctx, due, func(c caught) error {
		l.g.stats.healed.Add(uint64(c.healed))
		if c.stopped == nil {
			return nil
		}
		return l.g.park(ctx, c.entry.id, c.stopped, 1, c.last)
	})
	if ctx.Err() != nil {
		return
	}
	for _, id := range ids {
		l.sub.Done(l.gaps[id].aside...)
		delete(l.gaps, id)
	}
}

// catchUp brings aggregates up to what the stream holds, side by side; then is called
// for each, from many goroutines. What it returns is in the order of ids, and nothing
// once ctx has ended.
func (l *lane) catchUp(ctx context.Context, ids []uuid.UUID, then func(caught) error) []caught {
	all := make([]caught, len(ids))
	var group errgroup.Group
	group.SetLimit(catchUpAtOnce)
	for i, id := range ids {
		group.Go(func() error {
			l.persist(ctx, func() error {
				c, err := l.g.catchUp(ctx, id)
				if err != nil {
					return err
				}
				all[i] = c
				return then(c)
			})
			return nil
		})
	}
	_ = group.Wait()
	if ctx.Err() != nil {
		return nil
	}
	for _, c := range all {
		l.folder.replace(c.entry)
	}
	return all
}

// closeGaps is called when versions were admitted that others wait for: those are
// with the broker until their delay ends, and in the stream now.
func (l *lane) closeGaps(ctx context.Context, written []*subscription.Delivery) {
	if len(l.gaps) == 0 {
		return
	}
	waited := map[uuid.UUID]bool{} // true: the next version waits
	for _, d := range written {
		id := l.g.stream.Aggregate(d.Subject)
		x, e := l.gaps[id], l.folder.get(id)
		if x == nil || e == nil {
			continue
		}
		_, waited[id] = x.versions[e.version+1]
	}
	var next []uuid.UUID
	for id, waits := range waited {
		if waits {
			next = append(next, id)
		}
	}
	l.catchUp(ctx, next, l.countHealed)
	for id := range waited {
		if x := l.gaps[id]; l.closed(id, x) && len(x.aside) == 0 {
			delete(l.gaps, id)
		}
	}
}

func (l *lane) countHealed(c caught) error {
	l.g.stats.healed.Add(uint64(c.healed))
	return nil
}

// retryLater gives an event back that the fold refused, and parks its aggregate
// after enough attempts.
func (l *lane) retryLater(ctx context.Context, it item, s *stop) {
	a := l.attempts[it.pos.Aggregate]
	if a == nil || a.version != it.pos.Version {
		a = &attempt{version: it.pos.Version}
		l.attempts[it.pos.Aggregate] = a
	}
	a.count++
	if a.count < applyAttempts {
		l.nack(it, delayOf(uint64(a.count)+1))
		return
	}
	delete(l.attempts, it.pos.Aggregate)
	l.park(ctx, it, s, a.count)
}

// park stops at an aggregate and acknowledges the message it stopped at. What was
// admitted before it is written first.
func (l *lane) park(ctx context.Context, it item, s *stop, attempts int) {
	l.persist(ctx, func() error { return l.g.park(ctx, it.pos.Aggregate, s, attempts, it.Sequence) })
	l.log.Error("aggregate parked", "projection", l.g.projection.name, "generation", l.g.number,
		"aggregate", it.pos.Aggregate, "version", s.version, "kind", s.kind, "cause", s.cause)
	l.answer(ctx, it)
}

// waitParked deals with a delivery of a parked aggregate: one that it waited for
// un-parks it, any other is acknowledged once its mark says that it was seen.
// False when the aggregate is not parked any more.
func (l *lane) waitParked(ctx context.Context, it item, mark Parked) bool {
	still := true
	l.persist(ctx, func() (err error) {
		if mark.Kind == CauseMissing && it.pos.Version == mark.Version {
			still, err = l.g.unpark(ctx, it.pos.Aggregate)
			l.folder.forget(it.pos.Aggregate)
			return err
		}
		still, err = l.g.marks.Raise(ctx, l.g.markKey(it.pos.Aggregate), it.Sequence)
		return err
	})
	if !still {
		l.persist(ctx, func() error { return l.folder.load(ctx, []uuid.UUID{it.pos.Aggregate}) })
		return false
	}
	l.answer(ctx, it)
	return true
}

func (l *lane) answer(ctx context.Context, it item) {
	if ctx.Err() != nil {
		return
	}
	if err := it.Ack(); err != nil {
		l.log.Debug("acknowledgement failed, the message will come again", "sequence", it.Sequence, "cause", err)
	}
}

// errAgain asks persist for another round at once.
var errAgain = errors.New("again")

// persist repeats do until it succeeds or ctx ends, with a growing pause; the
// problem shows in the projection's status meanwhile.
func persist(ctx context.Context, g *generation, do func() error) {
	pause := 20 * time.Millisecond
	failed := false
	for ctx.Err() == nil {
		err := do()
		switch {
		case err == nil:
			if failed {
				g.stats.setProblem(nil)
				g.log.Info("projection goes on", "generation", g.name())
			}
			return
		case errors.Is(err, errAgain):
			continue
		case ctx.Err() != nil:
			return
		}
		if !failed {
			g.log.Warn("projection waits", "generation", g.name(), "cause", err)
		}
		failed = true
		g.stats.setProblem(err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, 2*time.Second)
	}
}
