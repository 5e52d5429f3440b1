package main

import (
	"context"
	"fmt"
	"time"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/meter"
	"github.com/admitone/admitone/bench/raw"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
)

// appends: one event to a new aggregate, beside a publish of the same message with
// the same expectation.
func appends() []measurement {
	var all []measurement
	for _, writers := range []int{1, 16, 64, 256, 512} {
		name := fmt.Sprintf("append relaxed, %s", writersText(writers))
		all = append(all, measurement{
			limit: time.Minute,
			rows:  []spec{rate(name, "publish", 0.90)},
			open:  each(appendSide(lab.Relaxed, writers), publishSide(lab.Relaxed, writers)),
		})
	}
	bars := map[int]float64{1: 0.90, 16: 0.90, 64: 2.2, 256: 5, 512: 8}
	for _, writers := range []int{1, 16, 64, 256, 512} {
		name := fmt.Sprintf("append durable, %s", writersText(writers))
		all = append(all, measurement{
			limit: time.Minute,
			rows: []spec{
				rate(name, "publish, sync always", bars[writers]),
				latency(name+", p99", "publish, sync always, p99", 1),
			},
			open: each(appendSide(lab.Durable, writers), publishSide(lab.Durable, writers)),
		})
	}
	return all
}

func writersText(n int) string {
	if n == 1 {
		return "1 writer"
	}
	return fmt.Sprintf("%d writers", n)
}

// meters opens a broker with a stream of meters as a program would.
func meters(ctx context.Context, l *lab.Lab, sync time.Duration) (*lab.Broker, *eventstore.Stream, error) {
	b, err := l.Broker(ctx, sync)
	if err != nil {
		return nil, nil, err
	}
	s, err := b.Stream(ctx, eventstore.StreamConfig{Name: meter.Stream, Registry: meter.Registry(), GroupCommit: sync == lab.Durable}, false)
	return b, s, err
}

func appendSide(sync time.Duration, writers int) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		_, s, err := meters(ctx, l, sync)
		if err != nil {
			return nil, err
		}
		payload := meter.NewRead(1)
		load, err := l.Drive(ctx, writers, func(ctx context.Context, _ int) error {
			id := uuid.New()
			event := meter.Event(uuid.Must(uuid.NewV7()), id, 1, payload)
			_, err := s.Append(ctx, eventstore.Append{Aggregate: id, Events: []eventstore.Event{event}})
			return err
		})
		return []float64{load.Rate, load.P99}, err
	}
}

func publishSide(sync time.Duration, writers int) side {
	return func(ctx context.Context, l *lab.Lab) ([]float64, error) {
		b, s, err := meters(ctx, l, sync)
		if err != nil {
			return nil, err
		}
		body := meter.Body(1)
		load, err := l.Drive(ctx, writers, func(ctx context.Context, _ int) error {
			event := meter.Event(uuid.Must(uuid.NewV7()), uuid.New(), 1, nil)
			_, err := raw.Publish(ctx, b.JS, raw.Message(s, event, meter.Type, body), 0)
			return err
		})
		return []float64{load.Rate, load.P99}, err
	}
}
