package projections

import (
	"context"
	"sync"
	"time"

	"github.com/admitone/admitone/eventstore/subscription"
)

// hold keeps a partition up to date while it is this copy's, and hands it on with
// everything written and acknowledged that was delivered here.
func (r *runner) hold(ctx, mine context.Context, partition int) {
	from, ok := r.takeScanned(partition)
	if !ok {
		from, ok = r.scanPartition(mine, partition)
	}
	if !ok || mine.Err() != nil {
		return
	}
	sub, err := r.subscribe(partition, from)
	if err != nil {
		r.fail(err)
		return
	}
	r.serve(ctx, mine, partition, sub)
}

func (r *runner) takeScanned(partition int) (stretch, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.scanned == nil || r.scanned[partition].used {
		return stretch{}, false
	}
	r.scanned[partition].used = true
	return r.scanned[partition], true
}

func (r *runner) scanPartition(ctx context.Context, partition int) (stretch, bool) {
	select {
	case r.scans <- struct{}{}:
		defer func() { <-r.scans }()
	case <-ctx.Done():
		return stretch{}, false
	}
	scanned := r.catchUp(ctx, []int{partition}, func(*scan) {})
	if scanned == nil {
		return stretch{}, false
	}
	return scanned[partition], true
}

func (r *runner) subscribe(partition int, from stretch) (*subscription.Subscription, error) {
	sub, err := subscription.New(subscription.Config{
		Stream: r.g.stream, Durable: r.g.consumer(partition), Partition: partition,
		Lanes: r.cfg.lanes(len(r.live)), MaxAckPending: r.cfg.MaxAckPending, AckWait: r.cfg.AckWait,
		Replicas: r.cfg.Replicas, Logger: r.g.log,
	})
	if err == nil {
		sub.Resume(from.to, from.before)
	}
	return sub, err
}

// serve runs the live consumer and its lanes.
func (r *runner) serve(ctx, mine context.Context, partition int, sub *subscription.Subscription) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	drained := make(chan struct{})
	var lanes sync.WaitGroup
	for i := range sub.Lanes() {
		l := r.lane(sub, partition, i)
		lanes.Go(func() { l.run(ctx, drained) })
	}
	lanes.Go(func() { r.tryParked(mine, partition) })
	r.setLive(partition, sub)
	context.AfterFunc(mine, func() {
		sub.Drain()
		time.AfterFunc(graceful, cancel)
	})
	_ = sub.Run(ctx)
	close(drained)
	lanes.Wait()
	r.keepWatermarks(ctx)
	r.setLive(partition, nil)
}

func (r *runner) setLive(partition int, sub *subscription.Subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[partition], r.kept[partition] = sub, 0
	select {
	case r.served <- struct{}{}:
	default:
	}
}
