package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/admitone/admitone/internal/control"
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

// operations are what operators see and repair.
func (w *workforce) operations() map[string]control.Operation {
	return map[string]control.Operation{
		opProjections: func(ctx context.Context, _ json.RawMessage, _ func(any)) (any, error) { return w.projectionInfos(ctx) },
		opProcesses:   func(ctx context.Context, _ json.RawMessage, _ func(any)) (any, error) { return w.processInfos(ctx) },
		opParked:      func(ctx context.Context, _ json.RawMessage, _ func(any)) (any, error) { return w.parked(ctx) },
		opRetry: func(ctx context.Context, body json.RawMessage, _ func(any)) (any, error) {
			var asked retryRequest
			if err := json.Unmarshal(body, &asked); err != nil {
				return nil, fmt.Errorf("retry request: %w", err)
			}
			return w.retry(ctx, asked.Projection, asked.Aggregate)
		},
		opRebuild: func(ctx context.Context, body json.RawMessage, _ func(any)) (any, error) {
			var asked rebuildRequest
			if err := json.Unmarshal(body, &asked); err != nil {
				return nil, fmt.Errorf("rebuild request: %w", err)
			}
			generation, err := w.rebuild(ctx, asked.Projection)
			return rebuildReply{Generation: generation}, err
		},
		opVerify: func(ctx context.Context, _ json.RawMessage, progress func(any)) (any, error) {
			return w.verify(ctx, everySoOften(progress))
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
