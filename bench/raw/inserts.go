package raw

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/gocql/gocql"
	"golang.org/x/sync/errgroup"
)

// inserters is where the server does not get faster any more.
const inserters = 256

// Inserts puts n rows into a table that create makes, one statement for each, by
// bare gocql: rows per second.
func Inserts(ctx context.Context, session *gocql.Session, create, insert string, n int, row func(i int) []any) (float64, error) {
	if err := session.Query(create).WithContext(ctx).Exec(); err != nil {
		return 0, fmt.Errorf("raw table: %w", err)
	}
	runtime.GC()
	var next atomic.Int64
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for range inserters {
		group.Go(func() error {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := session.Query(insert, row(int(i))...).WithContext(ctx).Exec(); err != nil {
					return fmt.Errorf("raw insert: %w", err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
