package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
)

// errAgain: the same request is worth another attempt.
var errAgain = errors.New("try again")

// errCutOff: the connection was lost, and with it maybe the request or its answer.
var errCutOff = errors.New("cut off from the broker")

// attempt sends a request once, as soon as the connection is there, and waits for its
// answer no longer than within.
func (c *Client) attempt(ctx context.Context, request *nats.Msg, within time.Duration) (*nats.Msg, error) {
	changes := c.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer c.nc.RemoveStatusListener(changes)
	for c.nc.IsReconnecting() { // what is sent now would wait in a buffer, twice after two attempts
		select {
		case <-changes:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errAgain, errCutOff)
		}
	}
	waiting, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	waiting, cut := context.WithCancelCause(waiting)
	defer cut(nil)
	go func() {
		for change := range changes { // closed at the end of the attempt
			if change == nats.RECONNECTING {
				cut(errCutOff)
			}
		}
	}()
	m, err := c.nc.RequestMsgWithContext(waiting, request)
	switch {
	case err == nil:
		return verdict(m)
	case errors.Is(context.Cause(waiting), errCutOff), errors.Is(err, nats.ErrConnectionClosed) && !c.nc.IsClosed():
		return nil, fmt.Errorf("%w: %w", errAgain, errCutOff)
	case passes(err):
		return nil, fmt.Errorf("%w: %w", errAgain, err)
	}
	return nil, err
}

// verdict is errAgain for an answer that may be another one soon.
func verdict(m *nats.Msg) (*nats.Msg, error) {
	if s := status(m); s == http.StatusServiceUnavailable || s == http.StatusTooManyRequests {
		return m, fmt.Errorf("%w: %w", errAgain, problemOf(m))
	}
	return m, nil
}

// passes says whether an error of the connection may be gone at the next attempt.
func passes(err error) bool {
	for _, p := range []error{nats.ErrNoResponders, nats.ErrTimeout, context.DeadlineExceeded, nats.ErrDisconnected, nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded} {
		if errors.Is(err, p) {
			return true
		}
	}
	return false
}
