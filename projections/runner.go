package projections

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// runner keeps one generation up to date in this process, partition by partition:
// those that this copy holds. What was delivered but perhaps not written is
// scanned from the checkpoint when a partition comes; the live consumer follows.
type runner struct {
	g       *generation
	cfg     *Config
	whole   bool // one scan of all partitions comes first
	scan    atomic.Pointer[scan]
	started time.Time
	ready   chan struct{}      // closed when what this copy is due for at first is live
	scans   chan struct{}      // takes a token for each scan of a partition
	served  chan struct{}      // one more partition is live
	stop    context.CancelFunc // lets go of what is held, in order
	cancel  context.CancelFunc // at once
	ended   chan struct{}

	mu      sync.Mutex
	scanned []stretch                    // by the first scan; each is used once
	live    []*subscription.Subscription // by partition, nil where it is not held here
	kept    []uint64                     // checkpoints by partition
	err     error                        // valid once ended
}

// scansAtOnce bounds what the scans of partitions hold in memory.
const scansAtOnce = 2

// graceful is how long the flushes under way may take when a partition moves or the
// runner stops.
const graceful = 3 * time.Second

// startRunner begins. whole: this copy is to fill the generation, and scans all
// partitions at once before it holds any.
func startRunner(ctx context.Context, g *generation, cfg *Config, whole bool) *runner {
	ctx, cancel := context.WithCancel(ctx)
	holding, stop := context.WithCancel(ctx)
	partitions := g.stream.Partitions()
	r := &runner{
		g: g, cfg: cfg, whole: whole, cancel: cancel, stop: stop, started: time.Now(),
		ready: make(chan struct{}), ended: make(chan struct{}),
		scans: make(chan struct{}, scansAtOnce), served: make(chan struct{}, 1),
		live: make([]*subscription.Subscription, partitions), kept: make([]uint64, partitions),
	}
	g.written = r.written
	go func() {
		defer close(r.ended)
		defer cancel()
		r.run(ctx, holding)
	}()
	return r
}

// written is the sequence up to which all of a partition is, if it is held here.
func (r *runner) written(partition int) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sub := r.live[partition]; sub != nil {
		return sub.Watermark()
	}
	return 0
}

// isReady: what this copy was due for at first is live.
func (r *runner) isReady() bool {
	select {
	case <-r.ready:
		return true
	default:
		return false
	}
}

// close stops pulling, lets lanes finish what they hold, and waits.
func (r *runner) close() {
	r.stop()
	<-r.ended
}

// fail ends the runner for a reason that waiting does not cure.
func (r *runner) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
		r.g.stats.setProblem(err)
		r.cancel()
	}
}

// run holds partitions until holding ends; ctx is for what must still be finished.
func (r *runner) run(ctx, holding context.Context) {
	r.persist(holding, func() error { return r.g.store.Ensure(holding, append(r.g.tables(), checkpoints)...) })
	if r.whole || r.holdsAll() {
		r.scanned = r.catchUp(holding, r.all(), r.scan.Store)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { r.becomeReady(holding) })
	wg.Go(func() { r.keepCheckpoints(holding) })
	r.cfg.Shares.Each(holding, r.g.name(), len(r.live), func(mine context.Context, p int) { r.hold(ctx, mine, p) })
}

// holdsAll: no partition is shared out.
func (r *runner) holdsAll() bool {
	for p := range r.live {
		if due, known := r.cfg.Shares.Due(r.g.name(), p); !due || !known {
			return false
		}
	}
	return true
}

func (r *runner) all() []int {
	var all []int
	for p := range r.live {
		all = append(all, p)
	}
	return all
}

// becomeReady waits until all that this copy is due for is live. What another one
// holds is not waited for.
func (r *runner) becomeReady(ctx context.Context) {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !r.servesItsShare() {
		select {
		case <-ctx.Done():
			return
		case <-r.served:
		case <-look.C:
		}
	}
	close(r.ready)
}

func (r *runner) servesItsShare() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, sub := range r.live {
		if due, known := r.cfg.Shares.Due(r.g.name(), p); !known || due && sub == nil {
			return false
		}
	}
	return true
}

// keepCheckpoints keeps, while partitions are held, what a flush could not know: that
// what other lanes held at that moment is written too. Else a log that lost its
// tail might go unnoticed.
func (r *runner) keepCheckpoints(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.keepWatermarks(ctx)
		}
	}
}

func (r *runner) keepWatermarks(ctx context.Context) {
	var marks []readstore.Mutation
	now := map[int]uint64{}
	r.mu.Lock()
	for p, sub := range r.live {
		if sub == nil {
			continue
		}
		if mark := sub.Watermark(); mark > r.kept[p] {
			now[p] = mark
			marks = append(marks, r.g.checkpoint(p, mark)...)
		}
	}
	r.mu.Unlock()
	if len(marks) == 0 {
		return
	}
	if err := r.g.store.Write(ctx, marks); err != nil {
		r.g.log.Debug("checkpoints not kept this time", "cause", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, mark := range now {
		r.kept[p] = mark
	}
}

func (r *runner) persist(ctx context.Context, do func() error) { persist(ctx, r.g, do) }

// consumer is the durable consumer's name for a partition.
func (g *generation) consumer(partition int) string {
	return fmt.Sprintf("%s_p%d", g.name(), partition)
}

func (r *runner) lane(sub *subscription.Subscription, partition, i int) *lane {
	lanes := sub.Lanes()
	return &lane{
		g: r.g, log: r.g.log, sub: sub, in: sub.Lane(i),
		folder: newFolder(r.g, r.cfg.Memory/lanes/2),
		tune: tuning{
			healAfter: r.cfg.HealAfter, batch: r.cfg.Batch, memory: r.cfg.Memory / lanes,
			gather:  gatheringOf(r.cfg, lanes),
			maxGaps: max(1, r.cfg.MaxAckPending/4/lanes),
		},
		fresh:    sub.Watermark(),
		check:    func(sequence uint64) []readstore.Mutation { return r.g.checkpoint(partition, sequence) },
		gaps:     map[uuid.UUID]*gap{},
		attempts: map[uuid.UUID]*attempt{},
	}
}

// tryParkedEvery is how often marks are compared with the rows: a version may
// have been admitted by a copy that did not know yet that it was waited for.
const tryParkedEvery = 2 * time.Second

// tryParked tries every parked aggregate of a partition once at the start, since
// this code may read what another could not, and later those whose missing version
// is written.
func (r *runner) tryParked(ctx context.Context, partition int) {
	tick := time.NewTicker(tryParkedEvery)
	defer tick.Stop()
	for first := true; ctx.Err() == nil; first = false {
		for _, mark := range r.g.marks.List(r.g.projection.name, r.g.number) {
			if ctx.Err() != nil || r.g.stream.Partition(mark.Aggregate) != partition || !first && !r.passed(ctx, mark) {
				continue
			}
			if still, err := r.g.unpark(ctx, mark.Aggregate); err == nil && !still {
				r.g.log.Info("aggregate un-parked", "aggregate", mark.Aggregate)
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// passed: the home row reached the version that the mark waits for.
func (r *runner) passed(ctx context.Context, mark Parked) bool {
	if mark.Kind != CauseMissing {
		return false
	}
	entries, err := r.g.readHome(ctx, []uuid.UUID{mark.Aggregate})
	return err == nil && entries[0].version >= mark.Version
}
