package main

import (
	"context"
	"fmt"

	"github.com/admitone/admitone/bench/lab"
	"github.com/admitone/admitone/bench/report"
)

// measure runs rounds of both sides in turn and returns a row for each of the
// measurement's. The first round warms up and does not count.
func measure(ctx context.Context, m measurement, l *lab.Lab, o options, server string) ([]report.Row, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, m.limit, fmt.Errorf("it takes longer than its limit, %s", m.limit))
	defer cancel()
	l = l.Sub()
	defer l.Close()
	ours, raw, err := m.open(ctx, l)
	if err != nil {
		return nil, explain(ctx, err)
	}
	if o.profiles != "" {
		ours = profiled(ours, o.profiles, m.rows[0].name)
	}
	if !l.Smoke && !m.long {
		if _, _, err := round(ctx, l, ours, raw); err != nil {
			return nil, explain(ctx, err)
		}
	}
	a, b := make([][]float64, len(m.rows)), make([][]float64, len(m.rows))
	for range o.rounds {
		our, their, err := round(ctx, l, ours, raw)
		if err != nil {
			return nil, explain(ctx, err)
		}
		for i := range m.rows {
			a[i], b[i] = append(a[i], our[i]), append(b[i], their[i])
		}
	}
	rows := make([]report.Row, len(m.rows))
	for i, s := range m.rows {
		if l.Smoke {
			s.bar = 0 // such a figure reaches or misses nothing
		}
		rows[i] = report.Row{Name: s.name, Bar: s.bar, Better: s.better, Unit: s.unit, Server: server}.Measured(a[i], b[i])
	}
	return rows, nil
}

func round(ctx context.Context, l *lab.Lab, ours, raw side) (our, their []float64, err error) {
	if our, err = alone(ctx, l, ours); err != nil {
		return nil, nil, fmt.Errorf("ours: %w", err)
	}
	if their, err = alone(ctx, l, raw); err != nil {
		return nil, nil, fmt.Errorf("raw: %w", err)
	}
	return our, their, nil
}

// alone measures one side in a lab of its own, of which nothing is left for the other.
func alone(ctx context.Context, l *lab.Lab, s side) ([]float64, error) {
	l = l.Sub()
	defer l.Close()
	return s(ctx, l)
}

// explain says why the context ended, where it did.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}
