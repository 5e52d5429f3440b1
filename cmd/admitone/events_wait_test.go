package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// unsteady stands between a client and a broker. The first connection is refused, the
// second gets its first answer when it has asked twice, and is cut as it asks for TICKETS
// once more after ORDERS; the third lasts.
type unsteady struct {
	listener net.Listener
	broker   string
	conns    sync.WaitGroup
	cut      atomic.Bool
}

// startUnsteady returns the URL to connect with.
func startUnsteady(t *testing.T, s *blackbox.Server) (*unsteady, string) {
	t.Helper()
	at, err := url.Parse(s.NATS())
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	u := &unsteady{listener: l, broker: at.Host}
	u.conns.Go(u.accept)
	t.Cleanup(func() {
		_ = l.Close()
		u.conns.Wait()
	})
	at.Host = l.Addr().String()
	return u, at.String()
}

func (u *unsteady) accept() {
	for n := 0; ; n++ {
		client, err := u.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", u.broker)
		if err != nil || n == 0 {
			_ = client.Close()
			continue
		}
		u.conns.Go(func() {
			_, _ = io.Copy(client, broker)
			_ = client.Close()
		})
		u.conns.Go(func() {
			u.pass(client, broker, n == 1)
			_, _ = client.Close(), broker.Close()
		})
	}
}

// pass hands on what the client sends.
func (u *unsteady) pass(client io.Reader, broker io.Writer, second bool) {
	if !second {
		_, _ = io.Copy(broker, client)
		return
	}
	var held []byte
	asked, orders := 0, false
	for buffer := make([]byte, 64<<10); ; {
		size, err := client.Read(buffer)
		if err != nil {
			return
		}
		asked += bytes.Count(buffer[:size], []byte("$JS.API."))
		orders = orders || bytes.Contains(buffer[:size], []byte("INFO.ORDERS"))
		if orders && bytes.Contains(buffer[:size], []byte("INFO.TICKETS")) {
			u.cut.Store(true)
			return
		}
		held = append(held, buffer[:size]...)
		if asked == 1 {
			continue
		}
		if _, err := broker.Write(held); err != nil {
			return
		}
		held = nil
	}
}

// Who follows waits for a broker that is away, whatever is asked at that moment.
func TestEventsTailFollowsAnUnsteadyBroker(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	ids := list(t, seller(t, data), 2)
	u, address := startUnsteady(t, s)
	following := program.Begin(t.Context(), "events", "tail", "-f", "--limit", "4", "--json", "--nats", address)
	ids = append(ids, list(t, seller(t, data), 2)...)
	r := <-following
	require.Zero(t, r.Code, r.ErrOut)
	var want []string
	for _, id := range ids {
		want = append(want, "tickets/"+id+"@1")
	}
	require.Equal(t, want, versionsOf(eventsIn(t, r.Out)))
	require.True(t, u.cut.Load())
	for _, step := range []string{"cannot be reached", "stream TICKETS: the broker does not answer (context", "state of TICKETS"} {
		require.Contains(t, r.ErrOut, step)
	}
}

// Who does not follow is told.
func TestEventsTailWithoutTheBroker(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	_, address := startUnsteady(t, program.Serve(t, data))
	r := program.Run(t, "events", "tail", "--nats", address)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, "cannot be reached")
	r = program.Run(t, "events", "tail", "--nats", address)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, "stream TICKETS: the broker does not answer")
	require.Contains(t, r.ErrOut, "try again")
}

func TestIsAway(t *testing.T) {
	t.Parallel()
	for err, away := range map[error]bool{
		fmt.Errorf("state: %w", eventstore.ErrUnavailable): true,
		fmt.Errorf("info: %w", context.DeadlineExceeded):   true,
		nats.ErrTimeout:                       true,
		nats.ErrNoServers:                     true,
		nats.ErrDisconnected:                  true,
		&jetstream.APIError{ErrorCode: 10008}: true,
		io.EOF:                                true,
		nats.ErrAuthorization:                 false,
		jetstream.ErrStreamNotFound:           false,
		eventstore.ErrLogChanged:              false,
		eventstore.ErrMisconfigured:           false,
		context.Canceled:                      false,
		errors.New("something else"):          false,
	} {
		require.Equal(t, away, isAway(err), "%v", err)
	}
}
