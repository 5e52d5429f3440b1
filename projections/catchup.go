package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/parked"
	"github.com/google/uuid"
)

// caught is how far an aggregate could be caught up.
type caught struct {
	entry   *entry
	healed  int                           // events admitted
	ahead   map[uint64]eventstore.Message // beyond a missing version
	last    uint64                        // stream sequence of the newest message read
	stopped *stop                         // nil when nothing is missing or in the way
}

// stop is why an aggregate cannot go on.
type stop struct {
	version uint64
	kind    string
	cause   string
	since   time.Time // when a missing version was first overtaken, by the broker's clock
}

// errStopped ends a read of the stream early.
var errStopped = errors.New("stopped")

// catchUpChunk is how many events are folded between two flushes.
const catchUpChunk = 5_000

// catchUpAtOnce is how many aggregates a lane catches up side by side: each is reads
// and one write, and the read store lets writes share a sync.
const catchUpAtOnce = 16

// catchUp brings one aggregate's rows up to what the stream holds now, as its
// leader has it. Healing a gap and un-parking are this. It is idempotent and may
// run beside lanes and other copies.
func (g *generation) catchUp(ctx context.Context, id uuid.UUID) (caught, error) {
	entries, err := g.readHome(ctx, []uuid.UUID{id})
	if err != nil {
		return caught{}, err
	}
	c, err := g.foldLog(ctx, entries[0], func(e *entry) error {
		if e.version-e.written < catchUpChunk {
			return nil
		}
		return g.settle(ctx, e)
	})
	if err == nil {
		err = g.settle(ctx, c.entry)
	}
	var broken *brokenError
	if errors.As(err, &broken) {
		c.stopped, err = stopOf(broken.err, c.entry.written+1), nil
	}
	return c, err
}

func (g *generation) settle(ctx context.Context, e *entry) error {
	if !e.dirty() {
		return nil
	}
	for v := e.written + 1; v <= e.version; v++ {
		g.admitted(e.id, v)
	}
	return g.write(ctx, []*entry{e}, nil)
}

// foldLog admits what the stream holds of an aggregate beyond e, in memory;
// folded is called now and then.
func (g *generation) foldLog(ctx context.Context, e *entry, folded func(*entry) error) (caught, error) {
	c := caught{entry: e, ahead: map[uint64]eventstore.Message{}}
	scratch := g.projection.empty()
	err := g.stream.Read(ctx, e.id, 1, func(m eventstore.Message) error {
		if err := g.foldOne(&c, scratch, m); err != nil {
			return err
		}
		return folded(e)
	})
	if err != nil && !errors.Is(err, errStopped) {
		return c, fmt.Errorf("projections: read %s for %s: %w", e.key, g.name(), err)
	}
	if c.stopped == nil && len(c.ahead) > 0 {
		c.stopped = c.missing()
	}
	return c, nil
}

func (g *generation) foldOne(c *caught, scratch any, m eventstore.Message) error {
	c.last = max(c.last, m.Sequence)
	pos, err := g.position(m)
	if err != nil {
		c.stopped = stopOf(err, pos.Version)
		return errStopped
	}
	next := c.entry.version + 1
	if pos.Version > next {
		if _, there := c.ahead[pos.Version]; !there {
			c.ahead[pos.Version] = m
		}
		return nil
	}
	if pos.Version < next {
		return nil
	}
	for ok := true; ok; m, ok = c.takeAhead() {
		if c.stopped = g.step(c, scratch, m); c.stopped != nil {
			return errStopped
		}
	}
	return nil
}

func (c *caught) takeAhead() (eventstore.Message, bool) {
	m, ok := c.ahead[c.entry.version+1]
	delete(c.ahead, c.entry.version+1)
	return m, ok
}

func (g *generation) step(c *caught, scratch any, m eventstore.Message) *stop {
	ev, err := g.stream.Decode(m)
	if err == nil {
		err = g.projection.admit(c.entry, ev, scratch)
	}
	if err != nil {
		return stopOf(err, c.entry.version+1)
	}
	c.healed++
	return nil
}

func (c *caught) missing() *stop {
	lowest := uint64(0)
	for v := range c.ahead {
		if lowest == 0 || v < lowest {
			lowest = v
		}
	}
	version := c.entry.version + 1
	return &stop{version: version, kind: CauseMissing, since: c.ahead[lowest].Stored, cause: fmt.Sprintf(
		"version %d is not in the stream, though version %d is (sequence %d): it goes on by itself when version %d is written",
		version, lowest, c.ahead[lowest].Sequence, version)}
}

func stopOf(err error, version uint64) *stop {
	s := &stop{version: version, cause: err.Error(), kind: CauseMalformed}
	var apply *applyError
	switch {
	case errors.As(err, &apply):
		s.kind = CauseApply
	case errors.Is(err, eventstore.ErrUnknownType):
		s.kind = CauseUnknown
	}
	return s
}

// park keeps a mark of an aggregate that cannot go on.
func (g *generation) park(ctx context.Context, id uuid.UUID, s *stop, attempts int, seen uint64) error {
	g.stats.parkings.Add(1)
	return g.marks.Put(ctx, Parked{
		Projection: g.projection.name, Generation: g.number, Stream: g.stream.Name(), Aggregate: id,
		Version: s.version, Kind: s.kind, Cause: s.cause, Attempts: attempts,
		Since: time.Now().UTC().Truncate(time.Millisecond), Seen: seen,
	})
}

// unpark tries a parked aggregate again and reports whether it is still parked.
// The mark goes only if nothing was acknowledged on its account meanwhile.
func (g *generation) unpark(ctx context.Context, id uuid.UUID) (bool, error) {
	key := g.markKey(id)
	for {
		mark, revision, err := g.marks.Read(ctx, key)
		if err != nil || revision == 0 {
			return false, err
		}
		c, err := g.catchUp(ctx, id)
		if err != nil {
			return true, err
		}
		if c.stopped != nil {
			return true, g.park(ctx, id, c.stopped, 1, mark.Seen)
		}
		if c.last < mark.Seen {
			return true, fmt.Errorf("projections: the stream ends at sequence %d for %s, though %d was acknowledged", c.last, id, mark.Seen)
		}
		removed, err := g.marks.Remove(ctx, key, revision)
		if err != nil {
			return true, err
		}
		if removed {
			g.stats.healed.Add(uint64(c.healed))
			return false, nil
		}
	}
}

func (g *generation) markKey(id uuid.UUID) string {
	return parked.Key(g.projection.name, g.number, id)
}
