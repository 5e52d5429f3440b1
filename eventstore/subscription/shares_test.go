package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// forgotten is when the broker forgets a member that is gone, if nobody did before.
// What takes less is the others' doing.
const forgotten = 30 * time.Second

// floor is where the members of a test work: it knows who works on what.
type floor struct {
	mu     sync.Mutex
	at     map[int][]string // members by partition
	twice  int              // times that two worked on one partition
	begun  int              // times that work began
	closed chan struct{}    // holds work back that is to end; nil: nothing does
}

func (f *floor) work(member string) func(context.Context, int) {
	return func(ctx context.Context, p int) {
		f.mu.Lock()
		if f.at == nil {
			f.at = map[int][]string{}
		}
		if f.begun++; len(f.at[p]) > 0 {
			f.twice++
		}
		f.at[p] = append(f.at[p], member)
		closed := f.closed
		f.mu.Unlock()
		<-ctx.Done()
		if closed != nil {
			<-closed
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		i := slices.Index(f.at[p], member)
		f.at[p] = slices.Delete(f.at[p], i, i+1)
	}
}

// holders is who works on each partition, if that is exactly one member for each.
func (f *floor) holders(partitions int) ([]string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for p := range partitions {
		if len(f.at[p]) != 1 {
			return nil, false
		}
		all = append(all, f.at[p][0])
	}
	return all, true
}

func (f *floor) counts() (begun, twice int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.begun, f.twice
}

// settled waits until the partitions are held as the members say they are due.
func (f *floor) settled(t testing.TB, partitions int, members ...*sharer) []string {
	t.Helper()
	var now []string
	eventually(t, "everything is held by who is due", func() bool {
		var ok bool
		now, ok = f.holders(partitions)
		for p := 0; ok && p < partitions; p++ {
			for _, m := range members {
				due, known := m.Due("notes", p)
				ok = ok && known && due == (now[p] == m.name)
			}
		}
		return ok
	})
	return now
}

// sharer is a member that runs until the test ends, stop or kill.
type sharer struct {
	*subscription.Shares
	name string
	nc   *nats.Conn
	stop func()
}

func (f *floor) join(t testing.TB, nc *nats.Conn, name string, partitions int) *sharer {
	t.Helper()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	s, err := subscription.JoinShares(natstest.Context(t), js, subscription.SharesConfig{Group: "readers", Member: name})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) })
	wg.Go(func() { s.Each(ctx, "notes", partitions, f.work(name)) })
	stop := sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return &sharer{Shares: s, name: name, nc: nc, stop: stop}
}

// Whoever works alone holds all; each who joins takes from the others, and gives
// back when it leaves; nothing else moves, and no two ever work on one partition.
func TestSharesJoinAndLeave(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 8, 64} {
		t.Run(fmt.Sprintf("P%d", partitions), func(t *testing.T) {
			t.Parallel()
			server := natstest.Server(t)
			var f floor
			var members []*sharer
			var history [][]string
			for i := range 4 {
				m := f.join(t, natstest.Conn(t, server), fmt.Sprint("member-", i), partitions)
				members = append(members, m)
				now := f.settled(t, partitions, members...)
				if i > 0 {
					requireMovedOnly(t, history[i-1], now, "", m.name)
				}
				history = append(history, now)
			}
			for i := 3; i > 0; i-- {
				members[i].stop()
				require.Equal(t, history[i-1], f.settled(t, partitions, members[:i]...), "everything is as before it joined")
			}
			_, twice := f.counts()
			require.Zero(t, twice)
		})
	}
}

// requireMovedOnly: what moved was from's or came to to.
func requireMovedOnly(t testing.TB, before, after []string, from, to string) {
	t.Helper()
	for p := range before {
		if before[p] != after[p] {
			require.True(t, before[p] == from || after[p] == to, "partition %d moved from %s to %s", p, before[p], after[p])
		}
	}
}

func TestSharesHandOverWaitsForTheWork(t *testing.T) {
	t.Parallel()
	server := natstest.Server(t)
	closed := make(chan struct{})
	f := floor{closed: closed}
	a := f.join(t, natstest.Conn(t, server), "a", 8)
	f.settled(t, 8, a)
	b := f.join(t, natstest.Conn(t, server), "b", 8)
	eventually(t, "the other is due for something", func() bool {
		due := false
		for p := range 8 {
			d, _ := b.Due("notes", p)
			due = due || d
		}
		return due
	})
	now, ok := f.holders(8)
	require.True(t, ok)
	require.NotContains(t, now, "b")
	close(closed)
	f.settled(t, 8, a, b)
	_, twice := f.counts()
	require.Zero(t, twice)
}

// A member that dies says nothing. The others take its partitions within 5 s, and
// nothing else moves. When it comes back it finds others there.
func TestSharesOfAKilledMember(t *testing.T) {
	t.Parallel()
	server := natstest.Server(t)
	var f, dead floor
	a := f.join(t, natstest.Conn(t, server), "a", 64)
	b := f.join(t, natstest.Conn(t, server), "b", 64)
	eventually(t, "two share", func() bool { _, known := b.Due("notes", 0); return known })
	c := dead.join(t, natstest.Conn(t, server), "c", 64)
	var before []string
	eventually(t, "all three work", func() bool {
		before = make([]string, 64)
		held := 0
		for p := range 64 {
			for _, m := range []*sharer{a, b, c} {
				if due, known := m.Due("notes", p); due && known {
					before[p] = m.name
				}
			}
			f.mu.Lock()
			dead.mu.Lock()
			held += len(f.at[p]) + len(dead.at[p])
			dead.mu.Unlock()
			f.mu.Unlock()
		}
		return held == 64 && !slices.Contains(before, "") && slices.Contains(before, "c")
	})

	c.nc.Close()
	killed := time.Now()
	after := f.settled(t, 64, a, b)
	t.Logf("taken over after %s", time.Since(killed))
	require.Less(t, time.Since(killed), forgotten)
	for p := range before {
		if before[p] != "c" {
			require.Equal(t, before[p], after[p])
		}
	}
	js, err := jetstream.New(a.nc)
	require.NoError(t, err)
	kv, err := js.KeyValue(natstest.Context(t), "shares")
	require.NoError(t, err)
	eventually(t, "nobody who comes later takes it for alive", func() bool {
		_, err := kv.Get(natstest.Context(t), "readers.member.c")
		return errors.Is(err, jetstream.ErrKeyNotFound)
	})
	require.Less(t, time.Since(killed), forgotten)
	_, twice := f.counts()
	require.Zero(t, twice)
}

// The only member dies: the next one does not wait for longer than others would.
func TestSharesOfTheOnlyMemberKilled(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "another"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natstest.Server(t)
			var dead, f floor
			a := dead.join(t, natstest.Conn(t, server), "a", 8)
			dead.settled(t, 8, a)
			a.nc.Close()
			began := time.Now()
			f.settled(t, 8, f.join(t, natstest.Conn(t, server), name, 8))
			require.Less(t, time.Since(began), forgotten)
		})
	}
}

// While the broker is away everyone keeps what he holds; afterwards too.
func TestSharesWhenTheBrokerRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() *eventstore.Server {
		server, err := eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{Dir: dir, URLFile: filepath.Join(dir, "nats.url")})
		require.NoError(t, err)
		t.Cleanup(server.Close)
		return server
	}
	server := start()
	connect := func() *nats.Conn {
		nc, err := eventstore.Connect(natstest.Context(t), server.URL())
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		return nc
	}
	var f floor
	a, b := f.join(t, connect(), "a", 8), f.join(t, connect(), "b", 8)
	before := f.settled(t, 8, a, b)
	begun, _ := f.counts()

	server.Close()
	<-time.After(3500 * time.Millisecond) // longer than a silent member is thought to be alive
	server = start()
	c := f.join(t, connect(), "c", 8)
	after := f.settled(t, 8, a, b, c)
	requireMovedOnly(t, before, after, "", "c")
	now, twice := f.counts()
	require.Zero(t, twice)
	moved := 0
	for p := range after {
		if after[p] == "c" {
			moved++
		}
	}
	require.Equal(t, moved, now-begun, "nothing but what moved began anew")
}

func TestSharesOffAndNil(t *testing.T) {
	t.Parallel()
	nc := natstest.Conn(t, natstest.Server(t))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	off, err := subscription.JoinShares(natstest.Context(t), js, subscription.SharesConfig{Group: "readers", Off: true})
	require.NoError(t, err)
	for _, s := range []*subscription.Shares{nil, off} {
		ctx, cancel := context.WithCancel(natstest.Context(t))
		var f floor
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Run(ctx) })
		wg.Go(func() { s.Each(ctx, "notes", 8, f.work("me")) })
		eventually(t, "all are held", func() bool { _, ok := f.holders(8); return ok })
		due, known := s.Due("notes", 3)
		require.True(t, due && known)
		cancel()
		wg.Wait()
	}
}
