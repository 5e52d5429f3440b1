package subscription_test

import (
	"context"
	"flag"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "10000"); err != nil { // the faults it once found took some thousands
		panic(err)
	}
	natstest.VerifyTestMain(m)
}

type noted struct{}

func (noted) EventType() string { return "note.noted.v1" }

func open(t testing.TB, nc *nats.Conn, partitions int) *eventstore.Stream {
	registry := eventstore.NewRegistry()
	registry.Register(noted{})
	return natstest.Stream(t, nc, eventstore.StreamConfig{Name: "NOTES", Partitions: partitions, Registry: registry})
}

// setup is a stream on a server of the test's own.
func setup(t testing.TB, partitions int) *eventstore.Stream {
	return open(t, natstest.Conn(t, natstest.Server(t)), partitions)
}

// publish stores n messages on the subjects of some aggregates, in turns.
func publish(t testing.TB, stream *eventstore.Stream, n int, ids ...uuid.UUID) {
	t.Helper()
	if len(ids) == 0 {
		ids = someIDs(10)
	}
	var futures []jetstream.PubAckFuture
	for i := range n {
		f, err := stream.JetStream().PublishAsync(stream.Subject(ids[i%len(ids)]), []byte("{}"), jetstream.WithStallWait(time.Minute))
		require.NoError(t, err)
		futures = append(futures, f)
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			require.NoError(t, err)
		}
	}
}

func someIDs(n int) (ids []uuid.UUID) {
	for range n {
		ids = append(ids, uuid.New())
	}
	return ids
}

// subscriber runs a subscription until the test ends or stop is called.
type subscriber struct {
	*subscription.Subscription
	stop  func()
	ended chan struct{} // Run has returned
}

func subscribe(t testing.TB, cfg subscription.Config) *subscriber {
	t.Helper()
	cfg.Durable = "reader"
	s, err := subscription.New(cfg)
	require.NoError(t, err)
	return run(t, s)
}

func run(t testing.TB, s *subscription.Subscription) *subscriber {
	ctx, cancel := context.WithCancel(context.Background())
	done, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		done <- s.Run(ctx)
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return &subscriber{Subscription: s, stop: stop, ended: ended}
}

// take waits for n deliveries of all lanes.
func (s *subscriber) take(t testing.TB, n int) (got []*subscription.Delivery) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for len(got) < n {
		before := len(got)
		for i := range s.Lanes() {
			select {
			case d := <-s.Lane(i):
				got = append(got, d)
			default:
			}
		}
		if len(got) > before {
			continue
		}
		select {
		case <-deadline:
			require.Failf(t, "too few deliveries", "%d of %d", len(got), n)
		case <-time.After(time.Millisecond):
		}
	}
	return got
}

// takeRest takes deliveries until Run has returned and the lanes are empty.
func (s *subscriber) takeRest() (got []*subscription.Delivery) {
	for ended := s.ended; ; {
		select {
		case d := <-s.Lane(0):
			got = append(got, d)
			continue
		default:
		}
		if ended == nil {
			return got
		}
		select {
		case d := <-s.Lane(0):
			got = append(got, d)
		case <-ended:
			ended = nil
		}
	}
}

func ackAll(t testing.TB, deliveries []*subscription.Delivery) {
	t.Helper()
	for _, d := range deliveries {
		require.NoError(t, d.Ack())
	}
}

func sequences(deliveries []*subscription.Delivery) (list []uint64) {
	for _, d := range deliveries {
		list = append(list, d.Sequence)
	}
	return list
}

// consumer is what the broker knows.
func consumer(t testing.TB, stream *eventstore.Stream) *jetstream.ConsumerInfo {
	t.Helper()
	c, err := stream.JetStream().Consumer(natstest.Context(t), stream.Name(), "reader")
	require.NoError(t, err)
	return c.CachedInfo()
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		require.False(t, time.Now().After(deadline), "not in time: %s", what)
		time.Sleep(5 * time.Millisecond)
	}
}

// line is a TCP connection to a server that can be held up: bytes wait in it.
type line struct {
	addr string

	mu    sync.Mutex
	moved *sync.Cond
	held  bool
	conns []net.Conn
}

func holdableLine(t testing.TB, to string) *line {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &line{addr: listener.Addr().String()}
	l.moved = sync.NewCond(&l.mu)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, client, server)
			l.mu.Unlock()
			wg.Go(func() { l.pass(client, server) })
			wg.Go(func() { l.pass(server, client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.cut()
		l.hold(false)
		wg.Wait()
	})
	return l
}

func (l *line) pass(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	chunk := make([]byte, 32<<10)
	for {
		n, err := from.Read(chunk)
		if err != nil {
			return
		}
		l.mu.Lock()
		for l.held {
			l.moved.Wait()
		}
		l.mu.Unlock()
		if _, err := to.Write(chunk[:n]); err != nil {
			return
		}
	}
}

func (l *line) hold(held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = held
	l.moved.Broadcast()
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}
