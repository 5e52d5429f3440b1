package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/admitone/admitone/bench/lab"
)

// verify: the whole log, and every row against a fold of it.
func verify() measurement {
	return measurement{
		limit: 4 * time.Minute,
		rows:  []spec{rate("verify, SQLite, 1,000,000 events", "ordered consume", 0.50)},
		open: func(ctx context.Context, l *lab.Lab) (ours, raw side, err error) {
			b, s, err := filled(ctx, l, rebuildEvents)
			if err != nil {
				return nil, nil, err
			}
			store, err := l.SQLite()
			if err != nil {
				return nil, nil, err
			}
			p, err := build(ctx, l, s, store)
			if err != nil {
				return nil, nil, err
			}
			n := l.Count(rebuildEvents)
			return verifySide(p, n), orderedSide(b, s, n), p.Stop()
		},
	}
}

func verifySide(p *lab.Running, n int) side {
	return func(ctx context.Context, _ *lab.Lab) ([]float64, error) {
		runtime.GC()
		began := time.Now()
		v, err := p.Verify(ctx, nil)
		took := time.Since(began)
		if err == nil && (v.Events != uint64(n) || v.Errors+v.Warnings > 0) {
			err = fmt.Errorf("verified %d of %d events with %d errors and %d warnings: %v", v.Events, n, v.Errors, v.Warnings, v.Findings)
		}
		return one(float64(n)/took.Seconds(), err)
	}
}
