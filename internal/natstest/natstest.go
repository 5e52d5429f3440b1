// Package natstest gives tests a real embedded NATS server and event streams of
// their own. Tests of every room call it; it imports eventstore.
package natstest

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// Server starts an embedded server in a folder of the test's own, relaxed (no
// sync for each message), and stops it at the end. change may alter the
// configuration. It takes a few milliseconds, so each test may have its own.
func Server(t testing.TB, change ...func(*eventstore.ServerConfig)) *eventstore.Server {
	t.Helper()
	cfg := eventstore.ServerConfig{Dir: t.TempDir(), SyncInterval: 2 * time.Minute}
	for _, c := range change {
		c(&cfg)
	}
	s, err := eventstore.StartServer(Context(t), cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// Conn opens an in-process connection and closes it at the end of the test.
func Conn(t testing.TB, s *eventstore.Server, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := s.Connect(opts...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

var streams atomic.Int64

// Stream opens an event stream with a name of its own, unless cfg has one.
func Stream(t testing.TB, nc *nats.Conn, cfg eventstore.StreamConfig) *eventstore.Stream {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "TEST" + strconv.FormatInt(streams.Add(1), 10)
	}
	var s *eventstore.Stream
	Again(t, func(ctx context.Context) (err error) {
		s, err = eventstore.OpenStream(ctx, nc, cfg)
		return err
	})
	return s
}

// Again does what makes a stream, until the server can: right after one of that name
// was deleted it may not have removed all files yet.
func Again(t testing.TB, do func(context.Context) error) {
	t.Helper()
	ctx := Context(t)
	err := do(ctx)
	for errors.Is(err, eventstore.ErrUnavailable) && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
		err = do(ctx)
	}
	require.NoError(t, err)
}

// Context ends with the test, or after a minute.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
