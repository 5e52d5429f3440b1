package eventstore_test

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// startCluster runs three servers and returns a URL of each.
func startCluster(t *testing.T) []string {
	t.Helper()
	routes := make([]*url.URL, 3)
	for i := range routes {
		l := listen(t, "127.0.0.1:0")
		routes[i] = &url.URL{Scheme: "nats-route", Host: l.Addr().String()}
		require.NoError(t, l.Close())
	}
	var servers []*server.Server
	var urls []string
	for i, route := range routes {
		_, port, err := net.SplitHostPort(route.Host)
		require.NoError(t, err)
		o := &server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), Routes: routes,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1"},
		}
		_, err = fmt.Sscan(port, &o.Cluster.Port)
		require.NoError(t, err)
		ns, err := server.NewServer(o)
		require.NoError(t, err)
		ns.Start()
		t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
		servers = append(servers, ns)
	}
	for _, ns := range servers {
		require.True(t, ns.ReadyForConnections(time.Minute))
		urls = append(urls, ns.ClientURL())
	}
	require.Eventually(t, func() bool {
		for _, ns := range servers {
			if ns.JetStreamIsLeader() {
				return true
			}
		}
		return false
	}, time.Minute, 10*time.Millisecond)
	awaitPeers(t, urls[0])
	return urls
}

// awaitPeers waits until the leader knows that all three servers are there: it
// places a stream on them only then.
func awaitPeers(t *testing.T, url string) {
	ctx := natstest.Context(t)
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "PROBE", Subjects: []string{"probe"}, Replicas: 3})
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, js.DeleteStream(ctx, "PROBE"))
}

// TestWritersRaceOnACluster has copies of a program on each server append to the
// same aggregates, alone and in batches, while the stream's leader changes.
func TestWritersRaceOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	const aggregates, writers, each = 4, 12, 25
	urls, ctx := startCluster(t), natstest.Context(t)
	ids := make([]uuid.UUID, aggregates)
	for i := range ids {
		ids[i] = uuid.New()
	}
	var streams []*eventstore.Stream
	for i := range urls {
		nc, err := eventstore.Connect(ctx, urls[i])
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		streams = append(streams, natstest.Stream(t, nc, eventstore.StreamConfig{Name: "RACED", Replicas: 3, Registry: toyRegistry(), GroupCommit: i == 0}))
	}
	var conflicts atomic.Int64
	var mu sync.Mutex
	acknowledged := map[uuid.UUID]bool{}
	appendNext := func(s *eventstore.Stream, id uuid.UUID, n uint64) error {
		for {
			h, err := s.Load(ctx, id, 0, 0)
			if err != nil {
				return err
			}
			es := events(t, id, uint64(len(h.Events))+1, uint64(len(h.Events))+n)
			_, err = appendOne(ctx, s, id, h.LastSequence, es...)
			if errors.Is(err, eventstore.ErrConflict) {
				conflicts.Add(1)
				continue
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, e := range es {
				acknowledged[e.ID] = true
			}
			return nil
		}
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if w == 0 && i%10 == 5 {
					_, _ = streams[0].Conn().Request("$JS.API.STREAM.LEADER.STEPDOWN.RACED", nil, time.Second)
				}
				if err := appendNext(streams[w%len(streams)], ids[(w+i)%aggregates], uint64(1+i%2)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	require.Positive(t, conflicts.Load())
	stored := 0
	for _, id := range ids {
		var version uint64
		require.NoError(t, streams[1].Read(ctx, id, 1, func(m eventstore.Message) error {
			e, err := streams[1].Decode(m)
			require.NoError(t, err)
			version++
			require.Equal(t, version, e.Version)
			require.True(t, acknowledged[e.ID], "stored, but its writer was told otherwise")
			stored++
			return nil
		}))
	}
	require.Equal(t, len(acknowledged), stored)
	require.Len(t, scanned(t, streams[2], 1, 1<<62), stored)
}
