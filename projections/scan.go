package projections

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// scan reads a stretch of the log in order and folds it into a generation: to
// fill a fresh one, to go on where a rebuild was killed, and at each start for
// what was delivered but not acknowledged. Lanes fold side by side; each writes
// once for all it holds of an aggregate.
type scan struct {
	g          *generation
	partitions []int         // those that are scanned
	stretches  []stretch     // by partition, empty where it is not scanned
	done       atomic.Uint64 // messages folded, for progress
	tune       scanTuning
}

type scanTuning struct {
	lanes  int
	chunk  int // messages handed over at once
	dirty  int // aggregates of one lane between two flushes
	memory int // clean aggregates kept in a lane's layer
	ahead  int // messages of one lane that wait for an earlier version
	// healAfter is how long a missing version is waited for.
	healAfter time.Duration
}

// maxSequence is more than any stream has.
const maxSequence = ^uint64(0)

// fill runs the scan and returns once everything up to the given sequences is
// written and the aggregates that cannot go on are parked.
func (s *scan) fill(ctx context.Context) error {
	first, last := maxSequence, uint64(0)
	for _, part := range s.stretches {
		if part.from < part.to {
			first, last = min(first, part.from+1), max(last, part.to)
		}
	}
	if last == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	d := dealer{scan: s.read, chunk: s.tune.chunk, keep: s.keep}
	for range s.tune.lanes {
		l := &scanLane{s: s, folder: newFolder(s.g, s.tune.memory), in: d.lane()}
		group.Go(func() error { return l.run(ctx) })
	}
	group.Go(func() error { return d.deal(ctx, first, last) })
	return group.Wait()
}

// read is the whole stream's Scan, or one partition's.
func (s *scan) read(ctx context.Context, first, last uint64, fn func(eventstore.Message) error) error {
	if len(s.partitions) == 1 && len(s.stretches) > 1 {
		return s.g.stream.ScanPartition(ctx, s.partitions[0], first, last, fn)
	}
	return s.g.stream.Scan(ctx, first, last, fn)
}

func (s *scan) keep(ctx context.Context, sequence uint64) error {
	var marks []readstore.Mutation
	for p, part := range s.stretches {
		if upTo := min(sequence, part.to); upTo > part.from {
			marks = append(marks, s.g.checkpoint(p, upTo)...)
		}
	}
	s.persist(ctx, func() error { return s.g.store.Write(ctx, marks) })
	return ctx.Err()
}

// scanLane folds a share of the aggregates.
type scanLane struct {
	s       *scan
	folder  *folder
	in      <-chan work
	ahead   map[uuid.UUID]map[uint64]place
	waiting int                    // messages in ahead
	alone   map[uuid.UUID]struct{} // aggregates to be caught up one by one at the end
}

func (l *scanLane) run(ctx context.Context) error {
	l.ahead, l.alone = map[uuid.UUID]map[uint64]place{}, map[uuid.UUID]struct{}{}
	for w := range l.in {
		if err := l.take(ctx, w.messages); err != nil {
			return err
		}
		l.s.done.Add(uint64(len(w.messages)))
		if len(l.folder.dirty) >= l.s.tune.dirty {
			if err := l.flush(ctx); err != nil {
				return err
			}
		}
		if w.barrier != nil {
			w.barrier <- l.finish(ctx)
		}
	}
	return ctx.Err()
}

// finish writes the rest and catches up, one by one, what could not be folded in
// passing: aggregates with events out of order beyond the bound, with a hole, or
// with an event that cannot be read or applied.
func (l *scanLane) finish(ctx context.Context) error {
	if err := l.flush(ctx); err != nil {
		return err
	}
	for id := range l.ahead {
		l.alone[id] = struct{}{}
	}
	var group errgroup.Group
	group.SetLimit(catchUpAtOnce)
	for id := range l.alone {
		l.folder.forget(id)
		group.Go(func() error {
			l.s.persist(ctx, func() error { return l.catchUp(ctx, id) })
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	clear(l.ahead)
	clear(l.alone)
	l.waiting = 0
	return ctx.Err()
}

// catchUp parks what cannot go on; a version that is missing gets the time that it
// has in a lane.
func (l *scanLane) catchUp(ctx context.Context, id uuid.UUID) error {
	for {
		c, err := l.s.g.catchUp(ctx, id)
		if err != nil || c.stopped == nil {
			return err
		}
		patience := time.Until(c.stopped.since.Add(l.s.tune.healAfter))
		if c.stopped.kind != CauseMissing || patience <= 0 {
			return l.s.g.park(ctx, id, c.stopped, 1, c.last)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(patience, 200*time.Millisecond)):
		}
	}
}

func (l *scanLane) flush(ctx context.Context) error {
	var broken []*entry
	l.s.persist(ctx, func() error {
		err := l.folder.flush(ctx, nil)
		var b *brokenError
		if errors.As(err, &b) {
			l.folder.abandon(b.entry)
			broken = append(broken, b.entry)
			return errAgain
		}
		return err
	})
	for _, e := range broken {
		l.alone[e.id] = struct{}{}
	}
	return ctx.Err()
}

func (s *scan) persist(ctx context.Context, do func() error) { persist(ctx, s.g, do) }

// place is a message with its position in its aggregate.
type place struct {
	pos     eventstore.Position
	message eventstore.Message
	err     error
}

func (l *scanLane) take(ctx context.Context, chunk []eventstore.Message) error {
	places := make([]place, 0, len(chunk))
	for _, m := range chunk {
		pos, err := l.s.g.position(m)
		if pos.Aggregate == uuid.Nil || !l.s.wants(pos.Aggregate, m.Sequence) {
			continue
		}
		places = append(places, place{pos: pos, message: m, err: err})
	}
	if err := l.loadHomes(ctx, places); err != nil {
		return err
	}
	for _, p := range places {
		l.fold(p)
	}
	return nil
}

// wants: the message lies in the stretch that its partition needs.
func (s *scan) wants(id uuid.UUID, sequence uint64) bool {
	part := &s.stretches[s.g.stream.Partition(id)]
	return sequence > part.from && sequence <= part.to
}

// loadHomes reads the home rows of aggregates not in memory. In a generation that
// was never written to, and in an aggregate's first event, there is none.
func (l *scanLane) loadHomes(ctx context.Context, places []place) error {
	var unknown []uuid.UUID
	asked := map[uuid.UUID]struct{}{}
	for _, p := range places {
		id := p.pos.Aggregate
		if l.folder.get(id) != nil {
			continue
		}
		if _, again := asked[id]; again {
			continue
		}
		if p.pos.Version == 1 {
			l.folder.fresh(id)
			continue
		}
		asked[id] = struct{}{}
		unknown = append(unknown, id)
	}
	l.s.persist(ctx, func() error { return l.folder.load(ctx, unknown) })
	return ctx.Err()
}

func (l *scanLane) fold(p place) {
	id := p.pos.Aggregate
	if _, alone := l.alone[id]; alone {
		return
	}
	if _, parked := l.s.g.parked(id); parked || p.err != nil {
		l.alone[id] = struct{}{}
		return
	}
	e := l.folder.get(id)
	switch next := e.version + 1; {
	case p.pos.Version < next:
		return
	case p.pos.Version > next:
		l.keepAhead(p)
		return
	}
	if !l.admit(e, p) || len(l.ahead) == 0 {
		return
	}
	l.takeAhead(e)
}

func (l *scanLane) admit(e *entry, p place) bool {
	ev, err := l.s.g.stream.DecodeAt(p.message, p.pos)
	if err == nil {
		err = l.folder.admit(e, ev)
	}
	if err != nil {
		l.alone[e.id] = struct{}{}
		return false
	}
	return true
}

// keepAhead holds a message until its turn comes, within bounds; beyond them its
// aggregate is caught up by itself at the end.
func (l *scanLane) keepAhead(p place) {
	id := p.pos.Aggregate
	if l.waiting >= l.s.tune.ahead {
		l.waiting -= len(l.ahead[id])
		delete(l.ahead, id)
		l.alone[id] = struct{}{}
		return
	}
	if l.ahead[id] == nil {
		l.ahead[id] = map[uint64]place{}
	}
	if _, twice := l.ahead[id][p.pos.Version]; !twice {
		l.ahead[id][p.pos.Version] = p
		l.waiting++
	}
}

func (l *scanLane) takeAhead(e *entry) {
	held := l.ahead[e.id]
	versions := make([]uint64, 0, len(held))
	for v := range held {
		versions = append(versions, v)
	}
	slices.SortFunc(versions, cmp.Compare[uint64])
	for _, v := range versions {
		if v > e.version+1 {
			return
		}
		if v == e.version+1 && !l.admit(e, held[v]) {
			return
		}
		delete(held, v)
		l.waiting--
	}
	delete(l.ahead, e.id)
}
