package lab

import (
	"context"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Load is what writers reached together.
type Load struct {
	Rate float64 // operations per second
	P99  float64 // of an operation, milliseconds
}

// Drive runs op in a number of goroutines for the lab's span, after a tenth of it
// that does not count. op gets its writer's number, from 0.
func (l *Lab) Drive(ctx context.Context, writers int, op func(ctx context.Context, writer int) error) (Load, error) {
	runtime.GC() // what came before is not this load's to clear away
	from := time.Now().Add(l.Span() / 10)
	to := from.Add(l.Span())
	took := make([][]time.Duration, writers)
	group, ctx := errgroup.WithContext(ctx)
	for i := range writers {
		group.Go(func() error {
			for {
				began := time.Now()
				if err := op(ctx, i); err != nil {
					return err
				}
				ended := time.Now()
				if ended.After(to) {
					return nil
				}
				if ended.After(from) {
					took[i] = append(took[i], ended.Sub(began))
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return Load{}, err
	}
	all := slices.Concat(took...)
	return Load{Rate: float64(len(all)) / l.Span().Seconds(), P99: P99(all)}, nil
}

// P50 is the median in milliseconds; 0 of nothing.
func P50(took []time.Duration) float64 { return percentile(took, 50) }

// P99 is the 99th percentile in milliseconds; 0 of nothing.
func P99(took []time.Duration) float64 { return percentile(took, 99) }

func percentile(took []time.Duration, percent int) float64 {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return float64(took[len(took)*percent/100].Microseconds()) / 1000
}
