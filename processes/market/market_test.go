package market_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const never = time.Hour

func TestAnOrderGetsItsTicket(t *testing.T) {
	t.Parallel()
	f := setup(t, 1)
	r := f.run(t)
	id := f.list(t)
	o := f.place(t, id, never)
	f.becomes(t, o, order.StatusAwaitingPayment)
	s := f.ticketOf(t, id)
	require.Equal(t, ticket.StatusReserved, s.Status)
	require.Equal(t, o, s.OrderID)

	require.NoError(t, handle(t, f.order, o, order.Command(order.Complete{PaymentID: uuid.New()})))
	require.Equal(t, o, f.ticketBecomes(t, id, ticket.StatusSold).OrderID)
	r.rests(t)
	f.timersLeft(t, 0)
}

func TestOneOfManyOrdersGetsTheTicket(t *testing.T) {
	t.Parallel()
	f := setup(t, 4)
	f.run(t)
	id := f.list(t)
	orders := make([]uuid.UUID, 10)
	var wg sync.WaitGroup
	for i := range orders {
		wg.Go(func() { orders[i] = f.place(t, id, never) })
	}
	wg.Wait()
	won := 0
	for _, o := range orders {
		eventually(t, "it is decided", func() bool { return f.orderOf(t, o).Status != order.StatusPlaced })
		switch s := f.orderOf(t, o); s.Status {
		case order.StatusAwaitingPayment:
			won++
			require.Equal(t, o, f.ticketOf(t, id).OrderID)
		default:
			require.Equal(t, order.StatusRejected, s.Status)
			require.Equal(t, ticket.ErrNotAvailable.Code, s.Reason)
		}
	}
	require.Equal(t, 1, won)
}

func TestATicketThatIsNotThereOrCostsAnotherPrice(t *testing.T) {
	t.Parallel()
	f := setup(t, 1)
	f.run(t)
	require.Equal(t, ticket.ErrNotFound.Code, f.becomes(t, f.place(t, uuid.New(), never), order.StatusRejected).Reason)
	id := f.list(t)
	require.NoError(t, handle(t, f.ticket, id, ticket.Command(ticket.Reprice{SellerID: seller, Price: domain.Money{Amount: 2600, Currency: "EUR"}})))
	require.Equal(t, ticket.ErrPriceChanged.Code, f.becomes(t, f.place(t, id, never), order.StatusRejected).Reason)
	f.timersLeft(t, 0)
}

func TestAnOrderThatEndsLetsItsTicketGo(t *testing.T) {
	t.Parallel()
	f := setup(t, 1)
	f.run(t)
	id := f.list(t)
	first := f.place(t, id, never)
	f.becomes(t, first, order.StatusAwaitingPayment)
	require.NoError(t, f.cancel(t, first))
	f.ticketBecomes(t, id, ticket.StatusAvailable)
	second := f.place(t, id, never)
	f.becomes(t, second, order.StatusAwaitingPayment)
	require.Equal(t, second, f.ticketOf(t, id).OrderID)
}

func TestAnUnpaidOrderExpires(t *testing.T) {
	t.Parallel()
	f := setup(t, 1)
	r := f.run(t)
	id := f.list(t)
	o := f.place(t, id, 1500*time.Millisecond)
	f.becomes(t, o, order.StatusAwaitingPayment)
	f.becomes(t, o, order.StatusExpired)
	_, log := load(t, f.orders, o, order.Initial(), order.Evolve)
	expired := log[len(log)-1]
	late := expired.Time.Sub(f.orderOf(t, o).ExpiresAt)
	require.GreaterOrEqual(t, late, time.Duration(0))
	t.Logf("expired %s after its time", late)
	require.Equal(t, "process/expiration", expired.Actor)
	require.Equal(t, log[0].ID.String(), expired.CausationID)
	f.ticketBecomes(t, id, ticket.StatusAvailable)
	r.rests(t)
	f.timersLeft(t, 0)
}

// All is down when the order is due.
func TestAnOrderExpiresThoughAllWasDown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() (*eventstore.Server, *fair) {
		s, err := eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{Dir: dir})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		return s, furnish(t, natstest.Conn(t, s), 1)
	}
	server, f := open()
	r := f.run(t)
	id := f.list(t)
	o := f.place(t, id, time.Second)
	f.becomes(t, o, order.StatusAwaitingPayment)
	at := f.orderOf(t, o).ExpiresAt
	r.rests(t)
	r.stop()
	server.Close()
	<-time.After(time.Until(at))
	_, f = open()
	f.run(t)
	up := time.Now()
	f.becomes(t, o, order.StatusExpired)
	t.Logf("expired %s after the start", time.Since(up))
	f.ticketBecomes(t, id, ticket.StatusAvailable)
	f.timersLeft(t, 0)
}

// Every event is delivered a second time, to a program that knows nothing.
func TestARepeatedDeliveryChangesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, 1)
	r := f.run(t)
	var tickets, orders []uuid.UUID
	for i := range 12 {
		id := f.list(t)
		o, loser := f.place(t, id, never), f.place(t, id, never)
		tickets, orders = append(tickets, id), append(orders, o, loser)
		eventually(t, "it is decided", func() bool { return f.orderOf(t, o).Status != order.StatusPlaced })
		switch winner := f.ticketOf(t, id).OrderID; i % 3 {
		case 1:
			require.NoError(t, f.cancel(t, winner))
			f.ticketBecomes(t, id, ticket.StatusAvailable)
		case 2:
			require.NoError(t, handle(t, f.order, winner, order.Command(order.Complete{PaymentID: uuid.New()})))
			f.ticketBecomes(t, id, ticket.StatusSold)
		}
	}
	r.rests(t)
	r.stop()
	before := f.pictures(t, tickets, orders)
	js := f.orders.JetStream()
	for _, name := range []string{"reservation", "expiration"} {
		cons, err := js.Consumer(natstest.Context(t), "ORDERS", "process_"+name+"_p0")
		require.NoError(t, err)
		cfg := cons.CachedInfo().Config
		require.NoError(t, js.DeleteConsumer(natstest.Context(t), "ORDERS", cfg.Durable))
		cfg.OptStartSeq = 1
		_, err = js.CreateConsumer(natstest.Context(t), "ORDERS", cfg)
		require.NoError(t, err)
	}
	again := f.run(t)
	again.rests(t)
	status, err := again.Status(natstest.Context(t))
	require.NoError(t, err)
	require.NotZero(t, status[0].Handled)
	require.Equal(t, before, f.pictures(t, tickets, orders))
}

// pictures is the state of all, and of how many events it comes.
func (f *fair) pictures(t testing.TB, tickets, orders []uuid.UUID) (all []string) {
	t.Helper()
	for _, id := range tickets {
		s, log := load(t, f.tickets, id, ticket.Initial(), ticket.Evolve)
		all = append(all, fmt.Sprint(id, s.Status, s.OrderID, len(log)))
	}
	for _, id := range orders {
		s, log := load(t, f.orders, id, order.Initial(), order.Evolve)
		all = append(all, fmt.Sprint(id, s.Status, s.Reason, len(log)))
	}
	return all
}

// The program dies before, between and after each of the steps, and another goes on.
func TestKilledBetweenTwoSteps(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"ticket.reserve", "order.confirm"} {
		for _, done := range []bool{false, true} {
			t.Run(at+" "+strconv.FormatBool(done), func(t *testing.T) {
				t.Parallel()
				f := setup(t, 1)
				reached := make(chan struct{})
				first := f.run(t, dieAt(at, done, reached))
				id := f.list(t)
				o := f.place(t, id, never)
				<-reached
				first.stop()
				f.run(t)
				f.becomes(t, o, order.StatusAwaitingPayment)
				require.Equal(t, o, f.ticketOf(t, id).OrderID)
				_, log := load(t, f.tickets, id, ticket.Initial(), ticket.Evolve)
				require.Len(t, log, 2)
			})
		}
	}
}

// dieAt never comes back from an operation, before or after its effect.
func dieAt(operation string, done bool, reached chan struct{}) func(*processes.Config) {
	return func(cfg *processes.Config) {
		for name, target := range cfg.Targets {
			cfg.Targets[name] = func(ctx context.Context, c processes.Command) error {
				if c.Operation != operation {
					return target(ctx, c)
				}
				if done {
					if err := target(ctx, c); err != nil {
						return err
					}
				}
				close(reached)
				<-ctx.Done()
				return ctx.Err()
			}
		}
	}
}

func TestCancelRacingWithReservation(t *testing.T) {
	t.Parallel()
	race(t, 100, true)
}

// Both copies work on everything: each overtakes the other.
func TestCancelRacingWithReservationNotShared(t *testing.T) {
	t.Parallel()
	race(t, 100, false)
}

func TestProofCancelRacingWithReservation(t *testing.T) {
	proof(t)
	race(t, 1000, true)
	race(t, 1000, false)
}

// race lets two orders for a ticket, their cancellation and a change of price meet at
// random moments, with two copies of the processes.
func race(t *testing.T, rounds int, shared bool) {
	f := setup(t, 4)
	sharing := func(*processes.Config) {}
	var copies []*runner
	for range 2 {
		if shared {
			sharing = f.shared(t)
		}
		copies = append(copies, f.run(t, sharing))
	}
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("seed %d; again with SEED=%d", seed, seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var wg sync.WaitGroup
	var live atomic.Int64
	gate := make(chan struct{}, 16)
	for range rounds {
		pauses := [3]time.Duration{}
		for i, most := range []int{8000, 3000, 20_000} {
			pauses[i] = time.Duration(random.IntN(most)) * time.Microsecond
		}
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			live.Add(f.round(t, pauses))
		})
	}
	wg.Wait()
	for _, c := range copies {
		c.rests(t)
	}
	t.Logf("%d orders go on", live.Load())
	if shared {
		f.timersLeft(t, int(live.Load()))
	}
}

// round returns how many orders go on.
func (f *fair) round(t *testing.T, pauses [3]time.Duration) (live int64) {
	id := f.list(t)
	one, two := uuid.Nil, uuid.Nil
	var wg sync.WaitGroup
	wg.Go(func() {
		one = f.place(t, id, never)
		<-time.After(pauses[0])
		if err := f.cancel(t, one); err != nil {
			require.ErrorIs(t, err, order.ErrEnded)
		}
	})
	wg.Go(func() {
		<-time.After(pauses[1])
		two = f.place(t, id, never)
	})
	wg.Go(func() {
		<-time.After(pauses[2])
		err := handle(t, f.ticket, id, ticket.Command(ticket.Reprice{SellerID: seller, Price: domain.Money{Amount: 2600, Currency: "EUR"}}))
		if err != nil && !errors.Is(err, ticket.ErrNotAvailable) {
			require.NoError(t, err)
		}
	})
	wg.Wait()
	eventually(t, "both are decided, and the ticket is nobody's but an order's that goes on", func() bool {
		s := f.ticketOf(t, id)
		held := s.Status == ticket.StatusReserved
		for _, o := range []uuid.UUID{one, two} {
			status := f.orderOf(t, o).Status
			if status == order.StatusPlaced || held && s.OrderID == o && status.Ended() ||
				status == order.StatusAwaitingPayment && (!held || s.OrderID != o) {
				return false
			}
		}
		return true
	})
	s := f.ticketOf(t, id)
	if s.Status == ticket.StatusReserved {
		require.Equal(t, price, s.Price, "nobody gets a ticket at another price than the order says")
		live++
	}
	return live
}
