package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/meter"
	"github.com/admitone/admitone/bench/report"
	"github.com/admitone/admitone/eventstore"
)

// manyEvents is the log of the long row: ten times that of the other rebuilds.
const (
	manyEvents = 10 * rebuildEvents
	mebibyte   = 1 << 20
	heapLimit  = 512 // MiB
)

// heap: the largest heap of this process, garbage included, while it rebuilds, with
// the broker in a process of its own. It takes a quarter of an hour.
func heap() measurement {
	mib := func(name, against string, bar float64) spec {
		return spec{name: name, unit: "MiB", against: against, better: report.Lower, bar: bar}
	}
	return measurement{
		limit: 40 * time.Minute, long: true,
		rows: []spec{
			mib("heap, rebuild of 10,000,000 events, SQLite", "the same of 1,000,000 events", 1.2),
			mib("heap, rebuild of 10,000,000 events, limit", "512 MiB", 1),
		},
		open: func(ctx context.Context, l *lab.Lab) (ours, raw side, err error) {
			many, err := apart(ctx, l, manyEvents)
			if err != nil {
				return nil, nil, err
			}
			few, err := apart(ctx, l, rebuildEvents)
			return heapSide(many, 0), heapSide(few, heapLimit), err
		},
	}
}

// apart is a stream of n events on a broker in a process of its own.
func apart(ctx context.Context, l *lab.Lab, n int) (*eventstore.Stream, error) {
	b, err := l.BrokerApart(ctx)
	if err != nil {
		return nil, err
	}
	s, err := logs(ctx, b)
	if err != nil {
		return nil, err
	}
	return s, meter.Fill(ctx, s, l.Count(n), perMeter)
}

// heapSide gives the peak in MiB to both rows, or to the second one the limit that
// it is measured against.
func heapSide(s *eventstore.Stream, limit float64) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		store, err := l.SQLite()
		if err != nil {
			return nil, err
		}
		runtime.GC()
		debug.FreeOSMemory()
		peak := watchHeap()
		p, err := build(ctx, l, s, store)
		if err != nil {
			return nil, err
		}
		mib := peak() / mebibyte
		if limit == 0 {
			limit = mib
		}
		return []float64{mib, limit}, p.Stop()
	}
}

// heapEvery is how often the heap is looked at: far more often than it is collected.
const heapEvery = 5 * time.Millisecond

// watchHeap looks at the heap until peak is called, which returns its largest size
// in bytes: objects that live, and dead ones that are not collected yet.
func watchHeap() (peak func() float64) {
	stop, highest := make(chan struct{}), make(chan float64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(heapEvery)
		defer tick.Stop()
		var most float64
		for {
			metrics.Read(sample)
			most = max(most, float64(sample[0].Value.Uint64()))
			select {
			case <-stop:
				highest <- most
				return
			case <-tick.C:
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-highest
	}
}
