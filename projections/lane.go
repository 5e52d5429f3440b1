package projections

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
)

// lane is the gate of a share of a partition's aggregates: one goroutine that
// takes what waits, admits what is next, writes once for all of it, and answers
// the broker afterwards.
type lane struct {
	g        *generation
	log      *slog.Logger
	sub      *subscription.Subscription
	in       <-chan *subscription.Delivery
	folder   *folder
	tune     tuning
	fresh    uint64 // above this sequence a version 1 on its first delivery has no home row
	check    func(sequence uint64) []readstore.Mutation
	gaps     map[uuid.UUID]*gap
	attempts map[uuid.UUID]*attempt
	spans    []trace.Span // of what is admitted and not written, where it is traced
}

// tuning is what lanes are set to.
type tuning struct {
	healAfter time.Duration // how long a gap may last
	maxGaps   int           // gaps of one lane before the oldest is healed at once
	batch     int           // deliveries folded into one flush, at most
	gather    gathering
	memory    int // entries kept, twice this at most
}

// run takes deliveries until ctx ends, or until nothing more comes and all that came
// is dealt with.
func (l *lane) run(ctx context.Context, drained <-chan struct{}) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		idle := tick.C
		if len(l.gaps) == 0 {
			idle = nil
		}
		select {
		case <-drained:
			for len(l.in) > 0 && ctx.Err() == nil {
				l.handle(ctx, l.drain(ctx, <-l.in))
			}
			return
		case d := <-l.in:
			l.handle(ctx, l.drain(ctx, d))
		case <-idle:
			l.healDue(ctx)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// handle takes a batch through the gate. First pass in the order of delivery,
// then what is left by version, then what is left after another look at the home
// rows, since another copy may have moved on. What still waits is given back.
func (l *lane) handle(ctx context.Context, batch []item) {
	l.persist(ctx, func() error { return l.loadHomes(ctx, batch) })
	left := l.pass(ctx, batch)
	if len(left) == 0 {
		return
	}
	slices.SortFunc(left, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.pos.Version, b.pos.Version), cmp.Compare(a.Sequence, b.Sequence))
	})
	if left = l.pass(ctx, left); len(left) == 0 {
		return
	}
	l.persist(ctx, func() error { return l.lookAgain(ctx, left) })
	for _, it := range slices.Backward(l.pass(ctx, left)) {
		l.wait(ctx, it)
	}
}

// persist repeats what a store or broker error interrupted: such an error never
// parks and is no attempt.
func (l *lane) persist(ctx context.Context, do func() error) {
	persist(ctx, l.g, do)
}

// loadHomes reads the home rows of aggregates that are not in memory. A version 1
// that was never delivered before, beyond what an earlier run may have written,
// has none.
func (l *lane) loadHomes(ctx context.Context, batch []item) error {
	var unknown []uuid.UUID
	asked := map[uuid.UUID]bool{}
	for _, it := range batch {
		id := it.pos.Aggregate
		if id == uuid.Nil || asked[id] || l.folder.get(id) != nil {
			continue
		}
		if it.pos.Version == 1 && it.Deliveries == 1 && it.Sequence > l.fresh {
			l.folder.fresh(id)
			continue
		}
		asked[id] = true
		unknown = append(unknown, id)
	}
	return l.folder.load(ctx, unknown)
}

func (l *lane) lookAgain(ctx context.Context, left []item) error {
	var ids []uuid.UUID
	asked := map[uuid.UUID]bool{}
	for _, it := range left {
		if id := it.pos.Aggregate; !asked[id] {
			asked[id] = true
			ids = append(ids, id)
		}
	}
	return l.folder.load(ctx, ids)
}

// pass takes items through the gate once, flushes, acknowledges what is written,
// and returns those beyond the next version.
func (l *lane) pass(ctx context.Context, items []item) (left []item) {
	var written []*subscription.Delivery
	var unsure []item
	overtaken := map[uuid.UUID]bool{} // what is left of them comes before what follows
	for _, it := range items {
		if overtaken[it.pos.Aggregate] {
			left = append(left, it)
			continue
		}
		switch l.gate(ctx, it) {
		case admitted:
			written = append(written, it.Delivery)
		case beyond:
			overtaken[it.pos.Aggregate] = true
			left = append(left, it)
		case unclear:
			unsure = append(unsure, it)
		case answered:
		}
	}
	l.flush(ctx, written)
	l.written()
	if ctx.Err() == nil {
		l.acknowledge(written)
		l.closeGaps(ctx, written)
	}
	return append(left, l.fromStream(ctx, unsure)...)
}

// fromStream admits what the stream holds in place of what was delivered, and returns
// what is beyond the next version still.
func (l *lane) fromStream(ctx context.Context, unsure []item) (left []item) {
	var ids []uuid.UUID
	caughtUp := map[uuid.UUID]caught{}
	for _, it := range unsure {
		if _, twice := caughtUp[it.pos.Aggregate]; !twice {
			caughtUp[it.pos.Aggregate] = caught{}
			ids = append(ids, it.pos.Aggregate)
		}
	}
	for _, c := range l.catchUp(ctx, ids, func(caught) error { return nil }) {
		caughtUp[c.entry.id] = c
	}
	for _, it := range unsure {
		c := caughtUp[it.pos.Aggregate]
		switch {
		case ctx.Err() != nil:
		case it.pos.Version <= c.entry.version:
			delete(l.attempts, it.pos.Aggregate)
			l.answer(ctx, it)
		case c.stopped == nil || c.stopped.version != it.pos.Version:
			left = append(left, it)
		case c.stopped.kind == CauseApply:
			l.retryLater(ctx, it, c.stopped)
		default:
			l.park(ctx, it, c.stopped, 1)
		}
	}
	return left
}

type verdict int

const (
	admitted verdict = iota // or a duplicate: acknowledged with the next flush
	beyond                  // a gap, so far
	unclear                 // it may not be the first of its version in the stream
	answered                // parked or given back
)

func (l *lane) gate(ctx context.Context, it item) verdict {
	id := it.pos.Aggregate
	if id == uuid.Nil {
		l.log.Warn("message on no aggregate's subject ignored", "stream", l.g.stream.Name(), "subject", it.Subject, "sequence", it.Sequence)
		return admitted
	}
	if mark, ok := l.g.parked(id); ok && l.waitParked(ctx, it, mark) {
		return answered
	}
	if it.err != nil {
		l.park(ctx, it, stopOf(it.err, it.pos.Version), 1)
		return answered
	}
	e := l.folder.get(id)
	if e == nil {
		// Forgotten since the batch began (abandoned, un-parked).
		return beyond
	}
	switch next := e.version + 1; {
	case it.pos.Version > next:
		return beyond
	case it.pos.Version < next:
		l.g.stats.duplicates.Add(1)
		return admitted
	}
	if !l.isFirst(it) {
		return unclear
	}
	return l.admit(ctx, e, it)
}

// isFirst: of two messages with one version the first in the stream counts, and no
// earlier one can be waiting, or with another copy.
func (l *lane) isFirst(it item) bool {
	if x := l.gaps[it.pos.Aggregate]; x != nil {
		if v, waits := x.versions[it.pos.Version]; waits && v.first < it.Sequence {
			return false
		}
	}
	return !it.Shared || it.Expected()
}

func (l *lane) admit(ctx context.Context, e *entry, it item) verdict {
	ev, err := l.g.stream.DecodeAt(it.Message, it.pos)
	if err != nil {
		l.park(ctx, it, stopOf(err, it.pos.Version), 1)
		return answered
	}
	if err := l.folder.admit(e, ev); err != nil {
		l.retryLater(ctx, it, stopOf(err, it.pos.Version))
		return answered
	}
	delete(l.attempts, e.id)
	l.trace(ctx, ev)
	return admitted
}

// flush writes what is dirty and the checkpoint that holds once it is written.
func (l *lane) flush(ctx context.Context, batch []*subscription.Delivery) {
	l.persist(ctx, func() error {
		err := l.folder.flush(ctx, l.check(l.sub.WatermarkWith(batch)))
		var broken *brokenError
		if !errors.As(err, &broken) {
			return err
		}
		// Its home row cannot be made: the others go on without it.
		l.folder.abandon(broken.entry)
		if err := l.g.park(ctx, broken.entry.id, stopOf(broken.err, broken.entry.written+1), 1, newest(batch)); err != nil {
			return err
		}
		return errAgain
	})
}

// acknowledge answers for what is written.
func (l *lane) acknowledge(written []*subscription.Delivery) {
	for _, d := range written {
		if err := d.Ack(); err != nil {
			l.log.Debug("acknowledgement failed, the message will come again", "sequence", d.Sequence, "cause", err)
		}
	}
}

func newest(batch []*subscription.Delivery) uint64 {
	var sequence uint64
	for _, d := range batch {
		sequence = max(sequence, d.Sequence)
	}
	return sequence
}
