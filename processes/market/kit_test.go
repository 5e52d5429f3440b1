package market_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/processes/market"
	"github.com/admitone/admitone/processes/timers"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { natstest.VerifyTestMain(m) }

// proof skips a long test unless it is asked for.
func proof(t testing.TB) {
	t.Helper()
	if os.Getenv("ADMITONE_PROOF") == "" {
		t.Skip("set ADMITONE_PROOF=1, or run make proof: it takes long")
	}
}

// fair is a marketplace without its HTTP half.
type fair struct {
	tickets, orders *eventstore.Stream
	timers          *timers.Timers
	*handlers
}

// handlers are one program's.
type handlers struct {
	ticket *commands.Handler[ticket.State, ticket.Command]
	order  *commands.Handler[order.State, order.Command]
}

func setup(t testing.TB, partitions int) *fair {
	return furnish(t, natstest.Conn(t, natstest.Server(t)), partitions)
}

func furnish(t testing.TB, nc *nats.Conn, partitions int) *fair {
	t.Helper()
	open := func(name string, events ...eventstore.Payload) *eventstore.Stream {
		registry := eventstore.NewRegistry()
		registry.Register(events...)
		return natstest.Stream(t, nc, eventstore.StreamConfig{Name: name, Partitions: partitions, Registry: registry})
	}
	var ofTickets, ofOrders []eventstore.Payload
	for _, e := range ticket.Events() {
		ofTickets = append(ofTickets, e)
	}
	for _, e := range order.Events() {
		ofOrders = append(ofOrders, e)
	}
	f := &fair{tickets: open("TICKETS", ofTickets...), orders: open("ORDERS", ofOrders...)}
	f.handlers = f.program(t)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	f.timers, err = timers.Open(natstest.Context(t), js, timers.Config{})
	require.NoError(t, err)
	return f
}

// program is the handlers of a program of its own.
func (f *fair) program(t testing.TB) *handlers {
	t.Helper()
	h := &handlers{}
	var err error
	h.ticket, err = commands.New(f.tickets, nil, commands.Adapt(ticket.Initial, ticket.Decide, ticket.Evolve), commands.Config{})
	require.NoError(t, err)
	h.order, err = commands.New(f.orders, nil, commands.Adapt(order.Initial, order.Decide, order.Evolve), commands.Config{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, h.ticket.Close(context.Background()))
		require.NoError(t, h.order.Close(context.Background()))
	})
	return h
}

type runner struct {
	*processes.Runner
	stop func()
}

// run runs the processes in a program of their own until the test ends or stop is called.
func (f *fair) run(t testing.TB, change ...func(*processes.Config)) *runner {
	t.Helper()
	own := f.program(t)
	cfg := processes.Config{
		Streams: map[string]*eventstore.Stream{"ORDERS": f.orders}, Timers: f.timers,
		Targets: market.Targets(own.ticket, own.order), IsRefusal: market.IsRefusal, AckWait: time.Second,
	}
	if os.Getenv("VERBOSE") != "" {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for _, c := range change {
		c(&cfg)
	}
	all, err := market.All()
	require.NoError(t, err)
	r, err := processes.New(natstest.Context(t), cfg, all...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	select {
	case <-r.Started():
	case <-natstest.Context(t).Done():
		require.FailNow(t, "not started")
	}
	return &runner{r, stop}
}

// shared divides the partitions with other copies, until the test ends.
func (f *fair) shared(t testing.TB) func(*processes.Config) {
	t.Helper()
	shares, err := subscription.JoinShares(natstest.Context(t), f.orders.JetStream(), subscription.SharesConfig{Group: "processes"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- shares.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return func(cfg *processes.Config) { cfg.Shares = shares }
}

func handle[S, C any](t testing.TB, h *commands.Handler[S, C], id uuid.UUID, c C) error {
	t.Helper()
	_, err := h.Handle(natstest.Context(t), commands.Command[C]{ID: uuid.New(), Hash: "-", Aggregate: id, Actor: "somebody", Body: c})
	return err
}

// list offers a new ticket.
func (f *fair) list(t testing.TB) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	require.NoError(t, handle(t, f.ticket, id, ticket.Command(ticket.List{SellerID: seller, Title: "Carmen, row 3", Price: price})))
	return id
}

// place orders a ticket; the order expires after a time.
func (f *fair) place(t testing.TB, ticketID uuid.UUID, expiry time.Duration) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	require.NoError(t, handle(t, f.order, id, order.Command(order.Place{
		TicketID: ticketID, BuyerID: buyer, SellerID: seller, Title: "Carmen, row 3", Price: price,
		ExpiresAt: time.Now().Add(expiry).UTC().Truncate(time.Millisecond),
	})))
	return id
}

func (f *fair) cancel(t testing.TB, id uuid.UUID) error {
	t.Helper()
	return handle(t, f.order, id, order.Command(order.Cancel{BuyerID: buyer}))
}

func load[S any, E eventstore.Payload](t testing.TB, s *eventstore.Stream, id uuid.UUID, state S, evolve func(S, E) S) (S, []eventstore.Event) {
	t.Helper()
	h, err := s.Load(natstest.Context(t), id, 0, 0)
	require.NoError(t, err)
	require.Zero(t, h.Missing)
	for _, e := range h.Events {
		state = evolve(state, e.Payload.(E))
	}
	return state, h.Events
}

func (f *fair) orderOf(t testing.TB, id uuid.UUID) order.State {
	s, _ := load(t, f.orders, id, order.Initial(), order.Evolve)
	return s
}

func (f *fair) ticketOf(t testing.TB, id uuid.UUID) ticket.State {
	s, _ := load(t, f.tickets, id, ticket.Initial(), ticket.Evolve)
	return s
}

// becomes waits for an order's status.
func (f *fair) becomes(t testing.TB, id uuid.UUID, status order.Status) order.State {
	t.Helper()
	eventually(t, fmt.Sprintf("order %s is %s", id, status), func() bool { return f.orderOf(t, id).Status == status })
	return f.orderOf(t, id)
}

func (f *fair) ticketBecomes(t testing.TB, id uuid.UUID, status ticket.Status) ticket.State {
	t.Helper()
	eventually(t, fmt.Sprintf("ticket %s is %s", id, status), func() bool { return f.ticketOf(t, id).Status == status })
	return f.ticketOf(t, id)
}

// rests waits until the processes have nothing to do.
func (r *runner) rests(t testing.TB) {
	t.Helper()
	eventually(t, "all is handled", func() bool {
		all, err := r.Status(natstest.Context(t))
		require.NoError(t, err)
		for _, s := range all {
			require.Zero(t, s.Parked, s.Name)
			if s.LagEvents > 0 {
				return false
			}
		}
		return true
	})
}

// timersLeft waits until n timers are pending, and none is due.
func (f *fair) timersLeft(t testing.TB, n int) {
	t.Helper()
	eventually(t, strconv.Itoa(n)+" timers are left", func() bool {
		pending, due, err := f.timers.Count(natstest.Context(t), "order")
		require.NoError(t, err)
		return pending == n && due == 0
	})
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		require.False(t, time.Now().After(deadline), "not in time: %s", what)
		time.Sleep(2 * time.Millisecond)
	}
}
