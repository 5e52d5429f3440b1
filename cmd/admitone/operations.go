package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/internal/control"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/projections"
	"github.com/google/uuid"
)

// Operations that the running server answers over NATS.
const (
	opProjections = "projections"
	opProcesses   = "processes"
	opParked      = "parked"
	opRetry       = "retry"
	opRebuild     = "rebuild"
	opVerify      = "verify"
)

// repairs is what operators see and repair.
type repairs struct {
	projector *projections.Projector
	processes *processes.Runner
}

func (r repairs) status(ctx context.Context) ([]projectionInfo, error) {
	list, err := r.projector.Status(ctx)
	if err != nil {
		return nil, err
	}
	infos := make([]projectionInfo, len(list))
	for i, s := range list {
		infos[i] = infoOf(s)
	}
	return infos, nil
}

// parked is what projections and processes have stopped at, oldest first.
func (r repairs) parked(ctx context.Context) ([]parked.Mark, error) {
	marks, err := r.projector.Parked(ctx)
	if err != nil {
		return nil, err
	}
	more, err := r.processes.Parked(ctx)
	if err != nil {
		return nil, err
	}
	marks = append(marks, more...)
	slices.SortStableFunc(marks, func(a, b parked.Mark) int { return a.Since.Compare(b.Since) })
	return marks, nil
}

// retry tries a parked aggregate of a projection or process again.
// processes.ErrUnknownProcess where there is neither.
func (r repairs) retry(ctx context.Context, name string, id uuid.UUID) ([]parked.Mark, error) {
	left, err := r.projector.Retry(ctx, name, id)
	if !errors.Is(err, projections.ErrUnknownProjection) {
		return left, err
	}
	left, err = r.processes.Retry(ctx, name, id)
	if errors.Is(err, processes.ErrUnknownProcess) {
		err = fmt.Errorf("there is no projection or process %q, admitone projections and admitone processes list them: %w", name, err)
	}
	return left, err
}

func (r repairs) operations() map[string]control.Operation {
	return map[string]control.Operation{
		opProjections: func(ctx context.Context, _ json.RawMessage, _ func(any)) (any, error) { return r.status(ctx) },
		opProcesses:   func(ctx context.Context, _ json.RawMessage, _ func(any)) (any, error) { return r.processStatus(ctx) },
		opParked:      func(ctx context.Context, _ json.RawMessage, _ func(any)) (any, error) { return r.parked(ctx) },
		opRetry: func(ctx context.Context, body json.RawMessage, _ func(any)) (any, error) {
			var asked retryRequest
			if err := json.Unmarshal(body, &asked); err != nil {
				return nil, fmt.Errorf("retry request: %w", err)
			}
			return r.retry(ctx, asked.Projection, asked.Aggregate)
		},
		opRebuild: func(ctx context.Context, body json.RawMessage, _ func(any)) (any, error) {
			var asked rebuildRequest
			if err := json.Unmarshal(body, &asked); err != nil {
				return nil, fmt.Errorf("rebuild request: %w", err)
			}
			generation, err := r.projector.Rebuild(ctx, asked.Projection)
			return rebuildReply{Generation: generation}, err
		},
		opVerify: func(ctx context.Context, _ json.RawMessage, progress func(any)) (any, error) {
			return r.projector.Verify(ctx, everySoOften(progress))
		},
	}
}

// everySoOften passes on four reports a second; it may be called from many goroutines.
func everySoOften(progress func(any)) func(done, total uint64) {
	reports := make(chan struct{}, 1)
	next := time.Now()
	return func(done, total uint64) {
		select {
		case reports <- struct{}{}:
		default:
			return
		}
		if now := time.Now(); now.After(next) {
			next = now.Add(250 * time.Millisecond)
			progress(progressInfo{Done: done, Total: total})
		}
		<-reports
	}
}
