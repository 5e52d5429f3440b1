package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// asker asks the broker, and may wait for one that is away.
type asker struct {
	waits bool
	note  io.Writer // is told, once for each question, that it waits
}

// ask calls fn, which asks the broker; if it waits, it asks again until there is an
// answer or ctx ends. nc is nil while there is no connection yet.
func (a asker) ask(ctx context.Context, nc *nats.Conn, fn func() error) error {
	if !a.waits {
		return fn()
	}
	told := false
	return untilBack(ctx, nc, func() error {
		err := fn()
		if err != nil && !told && isAway(err) && ctx.Err() == nil {
			_, _ = fmt.Fprintln(a.note, "admitone: "+printable(err.Error())+" (waiting for the broker)")
			told = true
		}
		return err
	})
}

// untilBack calls fn again for as long as the broker is away and ctx lasts.
func untilBack(ctx context.Context, nc *nats.Conn, fn func() error) error {
	policy := retrypolicy.NewBuilder[any]().HandleIf(func(_ any, err error) bool {
		return isAway(err) && (nc == nil || !nc.IsClosed())
	}).WithBackoff(50*time.Millisecond, 2*time.Second).WithMaxRetries(-1).Build()
	err := failsafe.With[any](policy).WithContext(ctx).Run(fn)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// isAway: what failed may do once the broker is back.
func isAway(err error) bool {
	for _, passes := range []error{
		errInterrupted, eventstore.ErrUnavailable, context.DeadlineExceeded, &jetstream.APIError{ErrorCode: noLeader},
		nats.ErrTimeout, nats.ErrNoServers, nats.ErrNoResponders, nats.ErrDisconnected,
		// While connecting.
		os.ErrDeadlineExceeded, io.EOF, syscall.ECONNRESET, syscall.EPIPE,
	} {
		if errors.Is(err, passes) {
			return true
		}
	}
	return false
}

// noLeader is "JetStream system temporarily unavailable".
const noLeader jetstream.ErrorCode = 10008
