package subscription_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

func TestDeletedConsumerIsMadeAnew(t *testing.T) {
	stream := setup(t, 1)
	s := subscribe(t, subscription.Config{Stream: stream, Lanes: 1})
	publish(t, stream, 100)
	got := s.take(t, 100)
	ackAll(t, got[:60])
	require.EqualValues(t, 60, s.Watermark())

	require.NoError(t, stream.JetStream().DeleteConsumer(natstest.Context(t), stream.Name(), "reader"))
	publish(t, stream, 50)
	again := s.take(t, 90)
	require.EqualValues(t, 61, again[0].Sequence, "what is dealt with does not come again")
	ackAll(t, again)
	require.EqualValues(t, 150, again[89].Sequence)
	eventually(t, "it knows that all is dealt with", func() bool { return s.Watermark() == 150 })
}

func TestServerRestart(t *testing.T) {
	dir := t.TempDir()
	start := func() *eventstore.Server {
		s, err := eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{Dir: dir})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		return s
	}
	server := start()
	nc, err := eventstore.Connect(natstest.Context(t), server.URL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	stream := open(t, nc, 1)
	s := subscribe(t, subscription.Config{Stream: stream, Lanes: 1, AckWait: time.Second})
	publish(t, stream, 100)
	got := s.take(t, 100)
	ackAll(t, got[:60])

	url := server.URL()
	server.Close()
	server = start()
	require.Equal(t, url, server.URL())
	for _, d := range got[60:] {
		_ = d.Ack() // it may be lost, then the message comes again
	}
	publish(t, open(t, natstest.Conn(t, server), 1), 50)
	seen := map[uint64]bool{}
	for len(seen) < 50 {
		d := s.take(t, 1)[0]
		require.NoError(t, d.Ack())
		if d.Sequence > 100 {
			seen[d.Sequence] = true
		}
	}
	eventually(t, "it knows that all is dealt with", func() bool { return s.Watermark() == 150 })
}

// The consumer is deleted while the connection is down, so nobody is told.
func TestConsumerDeletedWhileAway(t *testing.T) {
	server := natstest.Server(t)
	l := lineTo(t, server)
	nc := connect(t, server, l)
	stream := open(t, nc, 1)
	s := subscribe(t, subscription.Config{Stream: stream, Lanes: 1})
	publish(t, stream, 10)
	ackAll(t, s.take(t, 10))
	require.NoError(t, nc.Flush())

	l.hold(true)
	l.cut()
	inside := open(t, natstest.Conn(t, server), 1)
	require.NoError(t, inside.JetStream().DeleteConsumer(natstest.Context(t), inside.Name(), "reader"))
	publish(t, inside, 10)
	l.hold(false)
	got := s.take(t, 10)
	require.EqualValues(t, 11, got[0].Sequence)
	ackAll(t, got)
}

// The connection stands, but nothing moves: heartbeats stay out. What the broker sent
// meanwhile is taken when it comes, so it need not come again after AckWait.
func TestLostHeartbeats(t *testing.T) {
	server := natstest.Server(t)
	l := lineTo(t, server)
	nc := connect(t, server, l)
	stream := open(t, nc, 1)
	var log logged
	s := subscribe(t, subscription.Config{Stream: stream, Lanes: 1, AckWait: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	publish(t, stream, 10)
	ackAll(t, s.take(t, 10))
	require.NoError(t, nc.Flush())

	l.hold(true)
	eventually(t, "the loss is noticed", func() bool { return log.has("subscription interrupted") })
	inside := open(t, natstest.Conn(t, server), 1)
	publish(t, inside, 10)
	eventually(t, "the broker has sent them", func() bool {
		state, err := subscription.StateOf(natstest.Context(t), inside, "reader")
		return err == nil && state.Waiting == 0
	})
	l.hold(false)
	for i, d := range s.take(t, 10) {
		require.EqualValues(t, 11+i, d.Sequence)
		require.EqualValues(t, 1, d.Deliveries)
		require.NoError(t, d.Ack())
	}
	require.Zero(t, nc.Stats().Reconnects, "the connection was up all the time")
	eventually(t, "it knows that all is dealt with", func() bool { return s.Watermark() == 20 })
	publish(t, inside, 1)
	ackAll(t, s.take(t, 1))
}

func lineTo(t *testing.T, server *eventstore.Server) *line {
	_, address, found := strings.Cut(server.URL(), "@")
	require.True(t, found)
	return holdableLine(t, address)
}

func connect(t *testing.T, server *eventstore.Server, l *line) *nats.Conn {
	own, _, _ := strings.Cut(server.URL(), "@")
	nc, err := eventstore.Connect(natstest.Context(t), own+"@"+l.addr)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}
