package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/meter"
	"github.com/admitone/admitone/bench/raw"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
)

// How many events a live projection finds waiting for it.
const (
	liveEvents    = 300_000
	liveEventsCQL = 100_000
)

// live: a projection that is live takes up what was published while it was
// stopped, through its durable consumer.
func live() []measurement {
	return []measurement{
		{
			limit: 3 * time.Minute,
			rows:  []spec{rate("live, SQLite, one table", "explicit-ack consume", 0.60)},
			open:  each(liveSide(liveEvents, 10, sqliteStore), acknowledgeSide(liveEvents, 10)),
		},
		{
			limit: 3 * time.Minute, cql: true,
			rows: []spec{rows("live, CQL, one table, each event a version 1", "gocql inserts", 0.90)},
			open: each(liveSide(liveEventsCQL, 1, cqlStore), insertSide(liveEventsCQL, 1)),
		},
	}
}

// openStore opens a fresh read store of one kind.
type openStore func(context.Context, *lab.Lab) (readstore.Store, error)

func sqliteStore(_ context.Context, l *lab.Lab) (readstore.Store, error) { return l.SQLite() }
func cqlStore(ctx context.Context, l *lab.Lab) (readstore.Store, error)  { return l.CQLStore(ctx) }

// logs opens a stream that takes many events: the broker remembers their ids
// for a second alone.
func logs(ctx context.Context, b *lab.Broker) (*eventstore.Stream, error) {
	return b.Stream(ctx, eventstore.StreamConfig{Name: meter.Stream, Registry: meter.Registry()}, true)
}

func liveSide(n, perMeter int, open openStore) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		n := l.Count(n)
		b, err := l.Broker(ctx, lab.Relaxed)
		if err != nil {
			return nil, err
		}
		s, err := logs(ctx, b)
		if err != nil {
			return nil, err
		}
		store, err := open(ctx, l)
		if err != nil {
			return nil, err
		}
		def, err := meter.Projection("meters")
		if err != nil {
			return nil, err
		}
		fill := func() error { return meter.Fill(ctx, s, n, perMeter) }
		_, took, err := takeUp(ctx, l, s, store, def, fill, n)
		return one(float64(n)/took.Seconds(), err)
	}
}

// takeUp makes a projection live, stops it while fill publishes n events, and
// measures from its next start until all are written and acknowledged.
func takeUp(
	ctx context.Context, l *lab.Lab, s *eventstore.Stream, store readstore.Store, def *projections.Projection, fill func() error, n int,
) (*lab.Running, time.Duration, error) {
	p, err := l.Project(ctx, s, store, def)
	if err != nil {
		return nil, 0, err
	}
	if err := p.Until(ctx, lab.IsLive); err != nil {
		return nil, 0, err
	}
	if err := p.Stop(); err != nil {
		return nil, 0, err
	}
	if err := fill(); err != nil {
		return nil, 0, err
	}
	runtime.GC()
	began := time.Now()
	if p, err = l.Project(ctx, s, store, def); err != nil {
		return nil, 0, err
	}
	err = p.Until(ctx, lab.IsLive)
	took := time.Since(began)
	if err != nil {
		return p, took, err
	}
	// A status counts before it asks for the lag, so another one has to count all.
	list, err := p.Status(ctx)
	if err == nil && list[0].Counters.Admitted != uint64(n) {
		err = fmt.Errorf("%d of %d events were admitted", list[0].Counters.Admitted, n)
	}
	return p, took, err
}

func acknowledgeSide(n, perMeter int) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		n := l.Count(n)
		b, err := l.Broker(ctx, lab.Relaxed)
		if err != nil {
			return nil, err
		}
		s, err := logs(ctx, b)
		if err != nil {
			return nil, err
		}
		if err := meter.Fill(ctx, s, n, perMeter); err != nil {
			return nil, err
		}
		return one(raw.Acknowledged(ctx, b.JS, s.Name(), n))
	}
}

// insertSide puts n rows, at the version that their last event has.
func insertSide(n int, version int64) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		_, session, err := l.Keyspace(ctx)
		if err != nil {
			return nil, err
		}
		return one(raw.Inserts(ctx, session, meter.CreateTable, meter.InsertRow, l.Count(n),
			func(i int) []any { return meter.RowAt(i, version) }))
	}
}
