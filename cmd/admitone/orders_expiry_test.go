package main

import (
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// How late an order may expire: the promise, and what a machine that is busy with
// other tests keeps.
const (
	promised = 2 * time.Second
	whenBusy = 20 * time.Second
)

const shortExpiry = "2s"

// waiting is orders that have got their tickets and are not paid.
type waiting struct {
	*shop
	orders  []blackbox.Order
	tickets []string
	seller  *blackbox.Client
	buyer   *blackbox.Client
}

// order has somebody order n tickets.
func (s *shop) order(t testing.TB, n int) *waiting {
	t.Helper()
	people := s.people(t, 2)
	w := &waiting{shop: s, seller: people[0], buyer: people[1]}
	for range n {
		id := offerTicket(t, w.seller, 100)
		a := w.buyer.Do(t, "POST", "/v1/orders", blackbox.Wanted(id), "Prefer", "wait=10")
		require.Equal(t, 201, a.Status, a)
		w.orders, w.tickets = append(w.orders, orderOf(t, a)), append(w.tickets, id)
		require.Equal(t, "awaiting_payment", w.orders[len(w.orders)-1].Status)
	}
	return w
}

// requireExpired waits until all have expired: not before their time, and not later
// than limit after it, or after back, when the program was there again.
func (w *waiting) requireExpired(t testing.TB, limit time.Duration, back time.Time) {
	t.Helper()
	for _, id := range w.tickets {
		eventually(t, "the ticket is free again", func() bool {
			a, err := w.seller.Send(t.Context(), "GET", "/v1/tickets/"+id, "", "Consistency-Token", "tickets/"+id+"@3", "Prefer", "wait=10")
			return err == nil && a.Status == 200 && ticketOf(t, a).Status == "available"
		})
	}
	log := w.trades(t)
	require.Empty(t, strings.Join(log.Check(), "\n"))
	var latest time.Duration
	for _, o := range w.orders {
		require.Equal(t, "expired", log.Status(o.ID))
		expired := log.Orders[o.ID][2].Stored
		require.False(t, expired.Before(o.ExpiresAt), "expired at %s, which is before %s", expired, o.ExpiresAt)
		due := o.ExpiresAt
		if back.After(due) {
			due = back
		}
		latest = max(latest, expired.Sub(due))
	}
	t.Logf("expired at most %s late", latest)
	require.LessOrEqual(t, latest, limit)
	w.requireTimers(t, 0)
}

// requireTimers waits until so many timers are left, due ones among them.
func (s *shop) requireTimers(t testing.TB, n int) {
	t.Helper()
	js, err := jetstream.New(blackbox.Connect(t, s.nats))
	require.NoError(t, err)
	var subjects map[string]uint64
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		stream, err := js.Stream(t.Context(), "TIMERS")
		require.NoError(t, err)
		info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(">"))
		require.NoError(t, err)
		if subjects = info.State.Subjects; len(subjects) == n {
			return
		}
	}
	require.Len(t, subjects, n)
}

func TestOrdersExpire(t *testing.T) {
	t.Parallel()
	ordersExpire(t, 5, whenBusy)
}

func TestProofOrdersExpire(t *testing.T) {
	proof(t)
	ordersExpire(t, 200, promised)
}

func ordersExpire(t *testing.T, n int, limit time.Duration) {
	s := embeddedShop(t, "--order-expiry", shortExpiry)
	s.order(t, n).requireExpired(t, limit, time.Time{})
}

func TestCancelledOrdersLeaveNoTimer(t *testing.T) {
	t.Parallel()
	s := embeddedShop(t)
	w := s.order(t, 10)
	s.requireTimers(t, 10)
	for _, o := range w.orders {
		a := w.buyer.Do(t, "POST", "/v1/orders/"+o.ID+"/cancel", "")
		require.Equal(t, 200, a.Status, a)
	}
	s.requireTimers(t, 0)
	require.Empty(t, strings.Join(s.trades(t).Check(), "\n"))
}

func TestOrdersExpireWhileKilled(t *testing.T) {
	t.Parallel()
	expireWhileKilled(t, whenBusy)
}

func TestProofOrdersExpireWhileKilled(t *testing.T) {
	proof(t)
	expireWhileKilled(t, promised)
}

// expireWhileKilled has the broker and everything down when orders are due.
func expireWhileKilled(t *testing.T, limit time.Duration) {
	data := dataDir(t)
	args := []string{"--order-expiry", shortExpiry}
	server := program.Serve(t, data, args...)
	s := &shop{keys: data + "/keys", data: []string{data}, nats: server.NATS()}
	w := s.order(t, 10)
	server.Kill()
	time.Sleep(time.Until(w.orders[len(w.orders)-1].ExpiresAt.Add(500 * time.Millisecond))) // the outage itself
	server = program.Serve(t, data, args...)
	back := time.Now()
	s.nats = server.NATS()
	w.requireExpired(t, limit, back)
}

func TestOrdersExpireAfterBrokerRestart(t *testing.T) {
	t.Parallel()
	startOwnBroker(t, shortExpiry).requireExpireAfterRestart(t, time.Second/2, whenBusy)
}

func TestProofOrdersExpireAfterBrokerRestart(t *testing.T) {
	proof(t)
	b := startOwnBroker(t, "4s")
	b.requireExpireAfterRestart(t, -3*time.Second, promised) // back before they are due
	b.requireExpireAfterRestart(t, time.Second/2, promised)
}

// ownBroker is a shop on an external broker that can be restarted.
type ownBroker struct {
	*shop
	cfg    eventstore.ServerConfig
	broker *eventstore.Server
	server *blackbox.Server
}

func startOwnBroker(t *testing.T, expiry string) *ownBroker {
	b := &ownBroker{cfg: eventstore.ServerConfig{Dir: t.TempDir(), SyncInterval: time.Minute}}
	b.start(t)
	data := dataDir(t)
	b.server = program.Serve(t, data, "--nats", b.broker.URL(), "--order-expiry", expiry)
	b.shop = &shop{keys: data + "/keys", data: []string{data}, nats: b.broker.URL()}
	return b
}

func (b *ownBroker) start(t *testing.T) {
	b.broker = natstest.Server(t, func(c *eventstore.ServerConfig) { *c = b.cfg })
}

// requireExpireAfterRestart takes the broker away once orders are placed, until some
// time after they are due.
func (b *ownBroker) requireExpireAfterRestart(t *testing.T, until, limit time.Duration) {
	w := b.order(t, 10)
	b.broker.Close()
	time.Sleep(time.Until(w.orders[len(w.orders)-1].ExpiresAt.Add(until))) // the outage itself
	b.start(t)
	eventually(t, "it has the broker again", b.server.Ready)
	w.requireExpired(t, limit, time.Now())
}

// TestProofOrdersExpireAmongMany has 10,000 other timers pending.
func TestProofOrdersExpireAmongMany(t *testing.T) {
	proof(t)
	broker := natstest.Server(t)
	data := dataDir(t)
	args := []string{"--nats", broker.URL(), "--partitions", "1", "--order-expiry", shortExpiry}
	server := program.Serve(t, data, args...)
	require.Zero(t, server.Stop())
	blackbox.OrderBacklog(t, broker.URL(), 10_000, time.Now().Add(time.Hour))
	program.Serve(t, data, args...)
	s := &shop{keys: data + "/keys", data: []string{data}, nats: broker.URL()}
	s.requireTimers(t, 10_000)
	s.rests(t)
	w := s.order(t, 50)
	w.requireAmong(t)
}

// requireAmong is requireExpired where other orders' timers stay.
func (w *waiting) requireAmong(t testing.TB) {
	t.Helper()
	w.requireTimers(t, 10_000)
	w.rests(t)
	log := blackbox.ReadStream(t, w.nats, "ORDERS")
	for _, o := range w.orders {
		require.Len(t, log[o.ID], 3)
		late := log[o.ID][2].Stored.Sub(o.ExpiresAt)
		require.GreaterOrEqual(t, late, time.Duration(0))
		require.LessOrEqual(t, late, promised)
	}
}
