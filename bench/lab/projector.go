package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
)

// Running is a projector with one projection that runs until Stop.
type Running struct {
	*projections.Projector
	began  atomic.Int64 // when it admitted its first event, Unix nanoseconds; 0: not yet
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run, valid once ended
}

// Project runs a projection of stream into store until Stop, or until the lab is
// closed.
func (l *Lab) Project(ctx context.Context, stream *eventstore.Stream, store readstore.Store, def *projections.Projection) (*Running, error) {
	return l.project(ctx, stream, store, projections.Config{}, def)
}

// ProjectShared is Project by so many copies that share out the partitions.
func (l *Lab) ProjectShared(
	ctx context.Context, stream *eventstore.Stream, store readstore.Store, def *projections.Projection, copies int,
) ([]*Running, error) {
	all := make([]*Running, copies)
	for i := range all {
		shares, err := subscription.JoinShares(ctx, stream.JetStream(), subscription.SharesConfig{Group: "bench", Member: fmt.Sprint("copy-", i)})
		if err != nil {
			return nil, err
		}
		running, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = shares.Run(running)
		}()
		l.Later(func() {
			cancel()
			<-ended
		})
		if all[i], err = l.project(ctx, stream, store, projections.Config{Shares: shares}, def); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (l *Lab) project(
	ctx context.Context, stream *eventstore.Stream, store readstore.Store, cfg projections.Config, def *projections.Projection,
) (*Running, error) {
	r := &Running{ended: make(chan struct{})}
	cfg.OnAdmit = func(projections.Admission) {
		if r.began.Load() == 0 {
			r.began.CompareAndSwap(0, time.Now().UnixNano())
		}
	}
	p, err := projections.New(ctx, store, map[string]*eventstore.Stream{stream.Name(): stream}, cfg, def)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r.Projector, r.cancel = p, cancel
	go func() {
		defer close(r.ended)
		r.err = p.Run(ctx)
	}()
	l.Later(func() { _ = r.Stop() })
	return r, nil
}

// Began is when it admitted its first event; the zero time: not yet.
func (r *Running) Began() time.Time {
	if at := r.began.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Stop ends it and waits. Safe to repeat.
func (r *Running) Stop() error {
	r.cancel()
	<-r.ended
	return r.err
}

// lookEvery is how often Until looks: rarely enough to take no time of its own.
const lookEvery = 10 * time.Millisecond

// Until waits for a state of the projection. A status that cannot be told yet is
// asked for again.
func (r *Running) Until(ctx context.Context, reached func(projections.Status) bool) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		list, err := r.Status(ctx)
		if err == nil && reached(list[0]) {
			return nil
		}
		if err == nil && list[0].Problem != "" {
			err = errors.New(list[0].Problem)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the projection: %w", errors.Join(ctx.Err(), err))
		case <-r.ended:
			return fmt.Errorf("the projector ended: %w", errors.Join(r.err, err))
		case <-tick.C:
		}
	}
}

// IsLive: readers have a generation, and it is caught up with the stream.
func IsLive(s projections.Status) bool {
	return s.Generation > 0 && s.Status == projections.StatusLive && s.LagEvents == 0
}

// IsBuilt is for Until: the generation is live, and none is being built.
func IsBuilt(s projections.Status) bool { return s.Generation > 0 && s.Building == nil }

// CountingStore counts the rows that are written through it: upserts and deletes
// of every table.
type CountingStore struct {
	readstore.Store
	mu   sync.Mutex
	rows int
}

// Write implements readstore.Store.
func (s *CountingStore) Write(ctx context.Context, phases ...[]readstore.Mutation) error {
	rows := 0
	for _, phase := range phases {
		rows += len(phase)
	}
	s.mu.Lock()
	s.rows += rows
	s.mu.Unlock()
	return s.Store.Write(ctx, phases...)
}

// Rows is how many were written since it was last asked.
func (s *CountingStore) Rows() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := s.rows
	s.rows = 0
	return rows
}
