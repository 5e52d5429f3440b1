package main

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/meter"
	"github.com/admitone/admitone/bench/raw"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/readstore"
)

// The log that is rebuilt from: 10 events to a meter, within 50,000 messages.
const (
	rebuildEvents = 1_000_000
	perMeter      = 10
)

// rebuilds: from the start of a projector with an empty read store until readers
// have the filled, caught up and checked generation.
func rebuilds() []measurement {
	return []measurement{
		{
			limit: 4 * time.Minute,
			rows:  []spec{rate("rebuild, SQLite, one table, 1,000,000 events", "ordered consume", 0.70)},
			open: func(ctx context.Context, l *lab.Lab) (ours, raw side, err error) {
				b, s, err := filled(ctx, l, rebuildEvents)
				return rebuildSide(s, l.Count(rebuildEvents), sqliteStore), orderedSide(b, s, l.Count(rebuildEvents)), err
			},
		},
		{
			limit: 4 * time.Minute, cql: true,
			rows: []spec{rate("rebuild, CQL, one table, 1,000,000 events", "gocql inserts, rows/s", 3)},
			open: func(ctx context.Context, l *lab.Lab) (ours, raw side, err error) {
				_, s, err := filled(ctx, l, rebuildEvents)
				return rebuildSide(s, l.Count(rebuildEvents), cqlStore), insertSide(rebuildEvents/perMeter, perMeter), err
			},
		},
	}
}

// filled is a broker in this process with n events.
func filled(ctx context.Context, l *lab.Lab, n int) (*lab.Broker, *eventstore.Stream, error) {
	b, err := l.Broker(ctx, lab.Relaxed)
	if err != nil {
		return nil, nil, err
	}
	s, err := logs(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	return b, s, meter.Fill(ctx, s, l.Count(n), perMeter)
}

func rebuildSide(s *eventstore.Stream, n int, open openStore) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		store, err := open(ctx, l)
		if err != nil {
			return nil, err
		}
		runtime.GC()
		began := time.Now()
		if _, err := build(ctx, l, s, store); err != nil {
			return nil, err
		}
		return one(float64(n)/time.Since(began).Seconds(), nil)
	}
}

// builds numbers projections: a name of its own is a projection of its own.
var builds atomic.Int64

// build runs a new projection until its generation is live.
func build(ctx context.Context, l *lab.Lab, s *eventstore.Stream, store readstore.Store) (*lab.Running, error) {
	def, err := meter.Projection(fmt.Sprintf("meters%d", builds.Add(1)))
	if err != nil {
		return nil, err
	}
	p, err := l.Project(ctx, s, store, def)
	if err != nil {
		return nil, err
	}
	return p, p.Until(ctx, lab.IsBuilt)
}

func orderedSide(b *lab.Broker, s *eventstore.Stream, n int) side {
	return func(ctx context.Context, _ *lab.Lab) ([]float64, error) {
		return one(raw.Ordered(ctx, b.JS, s.Name(), n))
	}
}
