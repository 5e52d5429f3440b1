package projections

import (
	"context"
	"time"

	"github.com/admitone/admitone/eventstore"
)

// work is what a lane gets: messages, or a barrier at which it writes all it has.
type work struct {
	messages []eventstore.Message
	barrier  chan<- error
}

// checkpointEvery is how often a scan keeps how far it came.
const checkpointEvery = 3 * time.Second

// dealer deals a stretch of the log out to lanes, all messages of an aggregate to
// the same one.
type dealer struct {
	scan  func(ctx context.Context, first, last uint64, fn func(eventstore.Message) error) error
	chunk int // messages handed over at once
	// keep, if set, is called now and then when every lane has taken what it was dealt up to
	// a sequence, and at the end.
	keep   func(ctx context.Context, sequence uint64) error
	lanes  []chan work
	chunks [][]eventstore.Message
	kept   time.Time
}

// lane adds a lane. It is closed when all is dealt.
func (d *dealer) lane() <-chan work {
	lane := make(chan work, 8)
	d.lanes = append(d.lanes, lane)
	d.chunks = append(d.chunks, nil)
	return lane
}

func (d *dealer) close() {
	for _, lane := range d.lanes {
		close(lane)
	}
}

func (d *dealer) deal(ctx context.Context, first, last uint64) error {
	defer d.close()
	d.kept = time.Now()
	if err := d.scan(ctx, first, last, func(m eventstore.Message) error { return d.take(ctx, m) }); err != nil {
		return err
	}
	return d.barrier(ctx, last)
}

func (d *dealer) take(ctx context.Context, m eventstore.Message) error {
	i := laneOf(m.Subject, len(d.lanes))
	if d.chunks[i] == nil {
		d.chunks[i] = make([]eventstore.Message, 0, d.chunk)
	}
	d.chunks[i] = append(d.chunks[i], m)
	if len(d.chunks[i]) < d.chunk {
		return nil
	}
	if err := d.send(ctx, i, work{messages: d.chunks[i]}); err != nil {
		return err
	}
	if d.keep != nil && time.Since(d.kept) > checkpointEvery {
		return d.barrier(ctx, m.Sequence)
	}
	return nil
}

func (d *dealer) send(ctx context.Context, lane int, w work) error {
	d.chunks[lane] = nil
	select {
	case d.lanes[lane] <- w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// barrier hands out what is left, waits until every lane has finished it, and
// keeps how far that is.
func (d *dealer) barrier(ctx context.Context, sequence uint64) error {
	finished := make(chan error, len(d.lanes))
	for i := range d.lanes {
		w := work{messages: d.chunks[i]}
		if d.keep != nil {
			w.barrier = finished
		}
		if err := d.send(ctx, i, w); err != nil {
			return err
		}
	}
	if d.keep == nil {
		return nil
	}
	for range d.lanes {
		select {
		case err := <-finished:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.kept = time.Now()
	return d.keep(ctx, sequence)
}

// laneOf spreads aggregates by the end of their UUID, FNV-1a.
func laneOf(subject string, lanes int) int {
	h := uint32(2166136261)
	for i := max(0, len(subject)-8); i < len(subject); i++ {
		h = (h ^ uint32(subject[i])) * 16777619
	}
	return int(h % uint32(lanes))
}
