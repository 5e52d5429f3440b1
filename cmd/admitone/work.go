package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// projecting is the projections that run in one role. Every copy has them, to answer
// queries and operators; those in the role keep them up to date.
type projecting struct {
	*projections.Projector
	role   string
	shares *subscription.Shares // nil in the embedded form, which is one process
}

// reacting is the processes that run in one role.
type reacting struct {
	*processes.Runner
	role   string
	shares *subscription.Shares
}

// workforce is all projections and processes, by role.
type workforce struct {
	projecting []projecting
	reacting   []reacting
}

// start runs those whose role this copy has, until ctx ends.
func (w *workforce) start(ctx context.Context, cfg *serveConfig, group *errgroup.Group) {
	for _, p := range w.projecting {
		if cfg.has(p.role) {
			group.Go(func() error { return p.shares.Run(ctx) })
			group.Go(func() error { return p.Run(ctx) })
		}
	}
	for _, r := range w.reacting {
		if cfg.has(r.role) {
			group.Go(func() error { return r.shares.Run(ctx) })
			group.Go(func() error { return r.Run(ctx) })
		}
	}
}

// awaitStart returns once readiness can tell what is still being caught up, and what
// is appended is reacted to.
func (w *workforce) awaitStart(ctx context.Context, cfg *serveConfig) {
	var starts []<-chan struct{}
	for _, p := range w.projecting {
		if cfg.has(p.role) {
			starts = append(starts, p.Started())
		}
	}
	for _, r := range w.reacting {
		if cfg.has(r.role) {
			starts = append(starts, r.Started())
		}
	}
	for _, started := range starts {
		select {
		case <-started:
		case <-ctx.Done():
			return
		}
	}
}

// reader reads the live generation of a projection.
func (w *workforce) reader(name string) (readstore.Reader, error) {
	return onOwner(w.projecting, projections.ErrUnknownProjection, func(p projecting) (readstore.Reader, error) { return p.Reader(name) })
}

// onOwner asks one after the other until one knows what is asked for.
func onOwner[O, R any](owners []O, unknown error, ask func(O) (R, error)) (answer R, err error) {
	err = unknown
	for _, o := range owners {
		if answer, err = ask(o); !errors.Is(err, unknown) {
			return answer, err
		}
	}
	return answer, err
}

func (w *workforce) projectionNames() (names []string) {
	for _, p := range w.projecting {
		names = append(names, p.Names()...)
	}
	return names
}

func (w *workforce) processNames() (names []string) {
	for _, r := range w.reacting {
		names = append(names, r.Names()...)
	}
	return names
}

// status is how far each projection is.
func (w *workforce) status(ctx context.Context) ([]projections.Status, error) {
	return gathered(w.projecting, func(p projecting) ([]projections.Status, error) { return p.Status(ctx) })
}

// processStatus is how far each process is.
func (w *workforce) processStatus(ctx context.Context) ([]processes.Status, error) {
	return gathered(w.reacting, func(r reacting) ([]processes.Status, error) { return r.Status(ctx) })
}

func gathered[O, R any](owners []O, ask func(O) ([]R, error)) (all []R, err error) {
	for _, o := range owners {
		some, err := ask(o)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// parked is what projections and processes have stopped at, oldest first.
func (w *workforce) parked(ctx context.Context) ([]parked.Mark, error) {
	marks, err := gathered(w.projecting, func(p projecting) ([]parked.Mark, error) { return p.Parked(ctx) })
	if err != nil {
		return nil, err
	}
	more, err := gathered(w.reacting, func(r reacting) ([]parked.Mark, error) { return r.Parked(ctx) })
	if err != nil {
		return nil, err
	}
	marks = append(marks, more...)
	slices.SortStableFunc(marks, func(a, b parked.Mark) int { return a.Since.Compare(b.Since) })
	return marks, nil
}

// retry tries a parked aggregate of a projection or process again.
// processes.ErrUnknownProcess where there is neither.
func (w *workforce) retry(ctx context.Context, name string, id uuid.UUID) ([]parked.Mark, error) {
	left, err := onOwner(w.projecting, projections.ErrUnknownProjection, func(p projecting) ([]parked.Mark, error) { return p.Retry(ctx, name, id) })
	if !errors.Is(err, projections.ErrUnknownProjection) {
		return left, err
	}
	left, err = onOwner(w.reacting, processes.ErrUnknownProcess, func(r reacting) ([]parked.Mark, error) { return r.Retry(ctx, name, id) })
	if errors.Is(err, processes.ErrUnknownProcess) {
		err = fmt.Errorf("there is no projection or process %q, admitone projections and admitone processes list them: %w", name, err)
	}
	return left, err
}

// rebuild starts a rebuild and returns the generation that it fills.
func (w *workforce) rebuild(ctx context.Context, name string) (int, error) {
	return onOwner(w.projecting, projections.ErrUnknownProjection, func(p projecting) (int, error) { return p.Rebuild(ctx, name) })
}

// verify checks all projections, one role's after the other's.
func (w *workforce) verify(ctx context.Context, progress func(done, total uint64)) (projections.Verification, error) {
	sum := projections.Verification{Findings: []projections.Finding{}}
	for _, p := range w.projecting {
		before := sum.Events
		v, err := p.Verify(ctx, func(done, total uint64) { progress(before+done, before+total) })
		sum.Events += v.Events
		sum.Aggregates += v.Aggregates
		sum.Rows += v.Rows
		sum.Errors += v.Errors
		sum.Warnings += v.Warnings
		sum.Findings = append(sum.Findings, v.Findings...)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}
