package processes

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
	last    uint64                        // version reacted to last
	seen    uint64                        // stream sequence of the newest message read
	ahead   map[uint64]eventstore.Message // beyond a missing version
	stopped *stop                         // nil when nothing is missing or in the way
}

// errStopped ends a read of the stream early.
var errStopped = errors.New("stopped")

// catchUp reacts to what the stream holds of an aggregate from a version on, in order
// of version.
func (k *keeper) catchUp(ctx context.Context, id uuid.UUID, from uint64, attempts int) (caught, error) {
	c := caught{last: from - 1, ahead: map[uint64]eventstore.Message{}}
	err := k.stream.Read(ctx, id, 1, func(m eventstore.Message) error {
		c.seen = m.Sequence
		return k.admit(ctx, &c, m, attempts)
	})
	if err != nil && !errors.Is(err, errStopped) {
		return c, fmt.Errorf("processes: read %s for %s: %w", id, k.name(), err)
	}
	if c.stopped == nil && len(c.ahead) > 0 {
		c.stopped = c.missing()
	}
	return c, nil
}

// admit reacts to a message if its turn has come, and to those that waited for it.
func (k *keeper) admit(ctx context.Context, c *caught, m eventstore.Message, attempts int) error {
	pos, err := k.stream.Position(m)
	switch {
	case err != nil && (pos.Version == 0 || pos.Version == c.last+1):
		c.stopped = stopOf(err, c.last+1)
		return errStopped
	case pos.Version <= c.last:
		return nil
	case pos.Version > c.last+1:
		if _, there := c.ahead[pos.Version]; !there {
			c.ahead[pos.Version] = m
		}
		return nil
	}
	for ok := true; ok; m, ok = c.takeAhead() {
		if err := k.react(ctx, m, true, attempts); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			c.stopped = stopOf(err, c.last+1)
			return errStopped
		}
		c.last++
	}
	return nil
}

func (c *caught) takeAhead() (eventstore.Message, bool) {
	m, ok := c.ahead[c.last+1]
	delete(c.ahead, c.last+1)
	return m, ok
}

func (c *caught) missing() *stop {
	lowest := uint64(0)
	for v := range c.ahead {
		if lowest == 0 || v < lowest {
			lowest = v
		}
	}
	version := c.last + 1
	return &stop{version: version, kind: parked.CauseMissing, attempts: 1, cause: fmt.Sprintf(
		"version %d is not in the stream, though version %d is (sequence %d): it goes on by itself when version %d is written",
		version, lowest, c.ahead[lowest].Sequence, version)}
}

// park keeps a mark of an aggregate that cannot go on.
func (k *keeper) park(ctx context.Context, id uuid.UUID, s *stop, seen uint64) error {
	k.stats.parkings.Add(1)
	return k.runner.marks.Put(ctx, parked.Mark{
		Projection: k.name(), Stream: k.stream.Name(), Aggregate: id,
		Version: s.version, Kind: s.kind, Cause: s.cause, Attempts: s.attempts,
		Since: time.Now().UTC().Truncate(time.Millisecond), Seen: seen,
	})
}

// unpark tries a parked aggregate again, from the version that it stopped at, and
// reports whether it is still parked. The mark goes only if nothing was acknowledged
// on its account meanwhile.
func (k *keeper) unpark(ctx context.Context, id uuid.UUID) (bool, error) {
	key := k.key(id)
	for {
		mark, revision, err := k.runner.marks.Read(ctx, key)
		if err != nil || revision == 0 {
			return false, err
		}
		c, err := k.catchUp(ctx, id, max(mark.Version, 1), 1)
		if err != nil {
			return true, err
		}
		if c.stopped != nil {
			return true, k.park(ctx, id, c.stopped, mark.Seen)
		}
		if c.seen < mark.Seen {
			return true, fmt.Errorf("processes: the stream ends at sequence %d for %s, though %d was acknowledged", c.seen, id, mark.Seen)
		}
		removed, err := k.runner.marks.Remove(ctx, key, revision)
		if err != nil || removed {
			return err != nil, err
		}
	}
}
