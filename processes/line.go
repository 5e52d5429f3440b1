package processes

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/parked"
	"github.com/google/uuid"
)

// line is where one aggregate's events wait for each other. It has a goroutine of its
// own as long as there is something to do, so that nothing waits for another
// aggregate.
type line struct {
	*share
	id    uuid.UUID
	queue []*item // of the share, under its lock
	last  uint64  // the version handled last
	known bool    // last is
	mark  *Parked // what the broker said of it when this share began with it
}

// attempts is how often a step may fail for a reason that waiting may not cure,
// before the aggregate is parked.
const attempts = 5

func (l *line) run() {
	for it := l.next(l); it != nil; it = l.next(l) {
		if l.handle(it); l.ctx.Err() == nil {
			l.finish(it)
		}
	}
}

// handle deals with one item; when it returns and l.ctx goes on, that is durable.
func (l *line) handle(it *item) {
	if it.pos.Aggregate == uuid.Nil {
		l.runner.cfg.Logger.Warn("message on no aggregate's subject ignored", "stream", l.stream.Name(), "subject", it.Subject, "sequence", it.Sequence)
		return
	}
	if !l.known {
		l.insist(func() error { return l.look(it) })
	}
	if l.waitsParked(it) || l.ctx.Err() != nil {
		return
	}
	if it.err != nil {
		l.park(it, stopOf(it.err, l.last+1))
		return
	}
	switch next := l.last + 1; {
	case it.pos.Version > next:
		l.heal(it)
	case it.pos.Version == next:
		l.react(it)
	}
}

func (l *line) insist(do func() error) { l.runner.insist(l.ctx, l.stats, do) }

// look finds out, for an aggregate that this share has not had to do with, up to
// where it is handled: what was delivered before the share began, and lies before the
// item in the stream, since what was not acknowledged of that would be in its line and
// be taken first. What came later and was not given to this share is with another copy,
// which may be dead, so the share reacts to it as well. It also asks whether the aggregate is parked, since what this
// copy knows of the marks may lag.
func (l *line) look(it *item) error {
	if it.pos.Version == 1 {
		l.last, l.known = 0, true
		return nil
	}
	mark, revision, err := l.runner.marks.Read(l.ctx, l.key(l.id))
	if err != nil {
		return err
	}
	if revision > 0 {
		l.mark = &mark
	}
	before := map[uint64]bool{}
	err = l.stream.Read(l.ctx, l.id, 1, func(m eventstore.Message) error {
		if pos, err := l.stream.Position(m); err == nil && m.Sequence <= l.scanned && m.Sequence < it.Sequence {
			before[pos.Version] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for l.last = 0; before[l.last+1]; l.last++ {
	}
	if it.err == nil {
		l.last = min(l.last, it.pos.Version-1)
	}
	l.known = true
	return nil
}

func (l *line) react(it *item) {
	err := l.keeper.react(l.ctx, it.Message, it.again, attempts)
	switch {
	case l.ctx.Err() != nil:
	case err != nil:
		l.park(it, stopOf(err, it.pos.Version))
	default:
		l.last = it.pos.Version
	}
}

// react is what the process does about one event; again says that it may have done so
// before.
func (k *keeper) react(ctx context.Context, m eventstore.Message, again bool, attempts int) error {
	e, err := k.stream.Decode(m)
	if err != nil {
		if k.process.passesOver(err) {
			return nil
		}
		return err
	}
	if !k.process.types[e.Payload.EventType()] {
		return nil
	}
	var log []eventstore.Event
	if k.process.folds {
		if log, err = k.log(ctx, e, again); err != nil {
			return err
		}
	}
	err = k.reaction(causeOf(e), attempts, func(answers []Answer) Step { return k.process.decide(log, e, answers) }).run(ctx)
	if err == nil {
		k.stats.handled.Add(1)
	}
	return err
}

// log is the aggregate's events in order of version, at least up to e, without those
// of types that this code does not know and need not.
func (k *keeper) log(ctx context.Context, e eventstore.Event, again bool) ([]eventstore.Event, error) {
	if e.Version == 1 && !again {
		return []eventstore.Event{e}, nil
	}
	var events []eventstore.Event
	var unread error
	k.runner.insist(ctx, k.stats, func() error {
		events, unread = nil, nil
		return k.stream.Read(ctx, e.Aggregate, 1, func(m eventstore.Message) error {
			one, err := k.stream.Decode(m)
			switch {
			case err == nil:
				events = append(events, one)
			case m.Sequence < e.Sequence && !k.process.passesOver(err):
				unread = err
			}
			return nil
		})
	})
	slices.SortStableFunc(events, func(a, b eventstore.Event) int { return cmp.Compare(a.Version, b.Version) })
	return slices.CompactFunc(events, func(a, b eventstore.Event) bool { return a.Version == b.Version }), unread
}

// healEvery is how often an event that waits for a version before it looks into the
// stream.
const healEvery = 100 * time.Millisecond

// heal waits until the versions before an item are in the stream, and reacts to all
// of them in order. What is not there in time was never written.
func (l *line) heal(it *item) {
	deadline := time.Now().Add(l.runner.cfg.HealAfter)
	for l.ctx.Err() == nil {
		var c caught
		l.insist(func() (err error) {
			c, err = l.catchUp(l.ctx, l.id, l.last+1, attempts)
			return err
		})
		l.last = max(l.last, c.last)
		switch {
		case l.ctx.Err() != nil || c.stopped == nil && l.last >= it.pos.Version:
			return
		case c.stopped != nil && (c.stopped.kind != parked.CauseMissing || time.Now().After(deadline)):
			l.park(it, c.stopped)
			return
		}
		select {
		case <-l.ctx.Done():
		case <-time.After(healEvery):
		}
	}
}

// park stops at the aggregate; the item counts as dealt with.
func (l *line) park(it *item, s *stop) {
	l.insist(func() error { return l.keeper.park(l.ctx, l.id, s, it.Sequence) })
	l.known = false
	l.runner.cfg.Logger.Error("aggregate parked", "process", l.name(), "aggregate", l.id, "version", s.version, "kind", s.kind, "cause", s.cause)
}

// waitsParked notes an item of a parked aggregate as seen, unless it is what the
// aggregate waits for. False when the aggregate is not parked, or not any more.
func (l *line) waitsParked(it *item) bool {
	mark, still := l.runner.marks.Known(l.name(), 0, l.id)
	if !still && l.mark == nil {
		return false
	}
	if !still {
		mark = *l.mark
	}
	l.insist(func() (err error) {
		if still, err = l.runner.marks.Raise(l.ctx, l.key(l.id), it.Sequence); err != nil || !still {
			return err
		}
		if mark.Kind == parked.CauseMissing && it.pos.Version == mark.Version {
			_, err = l.unpark(l.ctx, l.id)
		}
		return err
	})
	if l.known, l.mark = false, nil; !still {
		l.insist(func() error { return l.look(it) })
	}
	return still
}

// stop is why an aggregate cannot go on.
type stop struct {
	version  uint64
	kind     string
	cause    string
	attempts int
}

func stopOf(err error, version uint64) *stop {
	s := &stop{version: version, cause: err.Error(), kind: parked.CauseApply, attempts: 1}
	var unread *eventstore.DecodeError
	var failed *attemptsError
	switch {
	case errors.As(err, &failed):
		s.attempts = failed.attempts
	case errors.As(err, &unread) && errors.Is(err, eventstore.ErrUnknownType):
		s.kind = parked.CauseUnknown
	case errors.As(err, &unread):
		s.kind = parked.CauseMalformed
	}
	return s
}
