package raw

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// What the engine's own consumers ask for.
const (
	pullAhead     = 2048
	maxAckPending = 16_384
)

// Ordered reads the first n messages of a stream by an ordered consumer that does
// nothing with them: messages per second.
func Ordered(ctx context.Context, js jetstream.JetStream, stream string, n int) (float64, error) {
	runtime.GC()
	began := time.Now()
	c, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return 0, fmt.Errorf("raw ordered consumer: %w", err)
	}
	if err := consume(ctx, c, n, func(jetstream.Msg) error { return nil }); err != nil {
		return 0, err
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// Acknowledged reads the first n messages of a stream by a durable consumer and
// acknowledges each, until the broker has all acknowledgements: messages per second.
func Acknowledged(ctx context.Context, js jetstream.JetStream, stream string, n int) (float64, error) {
	runtime.GC()
	began := time.Now()
	c, err := js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: "raw-" + strings.ToLower(uuid.NewString()), AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: maxAckPending,
	})
	if err != nil {
		return 0, fmt.Errorf("raw durable consumer: %w", err)
	}
	if err := consume(ctx, c, n, jetstream.Msg.Ack); err != nil {
		return 0, err
	}
	for {
		info, err := c.Info(ctx)
		if err != nil {
			return 0, fmt.Errorf("raw durable consumer: %w", err)
		}
		if info.NumAckPending == 0 {
			return float64(n) / time.Since(began).Seconds(), nil
		}
		time.Sleep(time.Millisecond) // the acknowledgements are on their way
	}
}

// consume calls handle for n messages, in the consumer's goroutine.
func consume(ctx context.Context, c jetstream.Consumer, n int, handle func(jetstream.Msg) error) error {
	seen, done := 0, make(chan error, 1)
	running, err := c.Consume(func(m jetstream.Msg) {
		err := handle(m)
		if seen++; seen == n || err != nil {
			select {
			case done <- err:
			default:
			}
		}
	}, jetstream.PullMaxMessages(pullAhead))
	if err != nil {
		return fmt.Errorf("raw consume: %w", err)
	}
	defer running.Stop()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("raw consume: %w", ctx.Err())
	}
}
