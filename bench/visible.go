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
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// probes is how many events go one after the other, each with a pause before it.
const (
	probes     = 500
	probePause = 2 * time.Millisecond
)

// visible: from the call of Append until a reader that waits for that version has
// it, while nothing else happens. Appending is durable, as it is by default.
func visible() []measurement {
	return []measurement{
		{
			limit: 2 * time.Minute,
			rows:  []spec{latency("append to visible row, SQLite, idle, p99", "publish to deliver, p99", 3)},
			open:  each(visibleSide(sqliteStore), deliverSide),
		},
		{
			limit: 3 * time.Minute, cql: true,
			rows: []spec{latency("append to visible row, CQL, idle, p99", "two gocql inserts in turn, p99", 3)},
			open: each(visibleSide(cqlStore), twoWritesSide),
		},
	}
}

// probe times op again and again; the first tenth is not counted.
func probe(ctx context.Context, l *lab.Lab, op func() error) ([]float64, error) {
	n := l.Count(probes)
	took := make([]time.Duration, 0, n)
	runtime.GC()
	for i := range n + n/10 {
		time.Sleep(probePause) // idle means that everything has come to rest
		began := time.Now()
		if err := op(); err != nil {
			return nil, err
		}
		if i >= n/10 {
			took = append(took, time.Since(began))
		}
	}
	return one(lab.P99(took), ctx.Err())
}

func visibleSide(open openStore) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		_, s, err := meters(ctx, l, lab.Durable)
		if err != nil {
			return nil, err
		}
		store, err := open(ctx, l)
		if err != nil {
			return nil, err
		}
		p, err := build(ctx, l, s, store)
		if err != nil {
			return nil, err
		}
		if err := p.Until(ctx, lab.IsLive); err != nil {
			return nil, err
		}
		list, err := p.Status(ctx)
		if err != nil {
			return nil, err
		}
		reader, err := p.Reader(list[0].Name)
		if err != nil {
			return nil, err
		}
		view, err := reader.View(ctx)
		if err != nil {
			return nil, err
		}
		payload := meter.NewRead(1)
		return probe(ctx, l, func() error {
			id := uuid.New()
			event := meter.Event(uuid.Must(uuid.NewV7()), id, 1, payload)
			if _, err := s.Append(ctx, eventstore.Append{Aggregate: id, Events: []eventstore.Event{event}}); err != nil {
				return err
			}
			return view.Wait(ctx, id, 1)
		})
	}
}

func deliverSide(ctx context.Context, l *lab.Lab) ([]float64, error) {
	b, s, err := meters(ctx, l, lab.Durable)
	if err != nil {
		return nil, err
	}
	c, err := b.JS.CreateConsumer(ctx, s.Name(), jetstream.ConsumerConfig{Durable: "raw", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		return nil, fmt.Errorf("raw durable consumer: %w", err)
	}
	delivered := make(chan struct{}, 1)
	running, err := c.Consume(func(m jetstream.Msg) {
		delivered <- struct{}{}
		_ = m.Ack() // were it lost, the event would come again when the probe is long over
	})
	if err != nil {
		return nil, fmt.Errorf("raw consume: %w", err)
	}
	defer running.Stop()
	body := meter.Body(1)
	return probe(ctx, l, func() error {
		event := meter.Event(uuid.Must(uuid.NewV7()), uuid.New(), 1, nil)
		if _, err := raw.Publish(ctx, b.JS, raw.Message(s, event, meter.Type, body), 0); err != nil {
			return err
		}
		select {
		case <-delivered:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func twoWritesSide(ctx context.Context, l *lab.Lab) ([]float64, error) {
	_, session, err := l.Keyspace(ctx)
	if err != nil {
		return nil, err
	}
	if err := session.Query(meter.CreateTable).WithContext(ctx).Exec(); err != nil {
		return nil, fmt.Errorf("raw table: %w", err)
	}
	i := 0
	return probe(ctx, l, func() error {
		for range 2 {
			i++
			if err := session.Query(meter.InsertRow, meter.RowAt(i, 1)...).WithContext(ctx).Exec(); err != nil {
				return fmt.Errorf("raw insert: %w", err)
			}
		}
		return nil
	})
}
