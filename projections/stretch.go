package projections

import (
	"context"
	"errors"
	"time"

	"github.com/admitone/admitone/eventstore/subscription"
)

// stretch is what of a partition must be scanned before its consumer is followed.
type stretch struct {
	from   uint64 // written up to here
	to     uint64
	before subscription.State // of the consumer, before the scan
	used   bool
}

// catchUp scans partitions from their checkpoints over what was delivered, and
// returns how far, by partition; nil when ctx ended or the log is another one.
func (r *runner) catchUp(ctx context.Context, partitions []int, begun func(*scan)) []stretch {
	s := &scan{g: r.g, tune: r.cfg.scanTuning(), partitions: partitions}
	begun(s)
	for ctx.Err() == nil {
		r.persist(ctx, func() error { return r.measure(ctx, s) })
		if ctx.Err() != nil {
			return nil
		}
		err := s.fill(ctx)
		if err == nil {
			r.g.stats.setProblem(nil)
			return s.stretches
		}
		if ctx.Err() != nil {
			return nil
		}
		r.g.stats.setProblem(err)
		r.g.log.Warn("scan interrupted, starting again from its checkpoint", "cause", err)
		pause(ctx, 500*time.Millisecond)
	}
	return nil
}

// measure says for each partition of a scan up to which sequence everything is
// written, and, the first time, up to which the scan must go: as far as the consumer
// has delivered, or to the end of the stream where there is no consumer yet.
func (r *runner) measure(ctx context.Context, s *scan) error {
	from, last, err := r.g.readCheckpoints(ctx)
	if errors.Is(err, ErrLogChanged) {
		r.fail(err)
		return nil
	}
	if err != nil {
		return err
	}
	first := s.stretches == nil
	stretches := make([]stretch, len(from))
	for _, p := range s.partitions {
		if !first {
			stretches[p] = s.stretches[p]
			stretches[p].from = from[p]
			continue
		}
		before, err := subscription.StateOf(ctx, r.g.stream, r.g.consumer(p))
		if err != nil {
			return err
		}
		stretches[p] = stretch{from: from[p], to: last, before: before}
		if before.Exists {
			stretches[p].to = max(before.Delivered, from[p])
		}
	}
	s.stretches = stretches
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
