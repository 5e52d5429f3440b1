package raw

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	fillAhead = 4096             // messages sent and not acknowledged yet
	fillStall = 30 * time.Second // for the broker to catch up with them
)

// Fill publishes the messages 0 … n-1 asynchronously, in order, without an
// expectation, and returns once all are stored.
func Fill(ctx context.Context, nc *nats.Conn, n int, message func(i int) *nats.Msg) error {
	var mu sync.Mutex
	var failed error
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(fillAhead),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) {
			mu.Lock()
			defer mu.Unlock()
			failed = err
		}))
	if err != nil {
		return fmt.Errorf("fill the stream: %w", err)
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		if _, err := js.PublishMsgAsync(message(i), jetstream.WithStallWait(fillStall)); err != nil {
			return fmt.Errorf("fill the stream: %w", err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
	}
	mu.Lock()
	defer mu.Unlock()
	if err := errors.Join(failed, ctx.Err()); err != nil {
		return fmt.Errorf("fill the stream: %w", err)
	}
	return nil
}
