package main

import (
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/stretchr/testify/require"
)

func TestOneTicketManyBuyers(t *testing.T) {
	t.Parallel()
	manyBuyers(t, embeddedShop(t), 3)
}

func TestProofOneTicketManyBuyers(t *testing.T) {
	proof(t)
	manyBuyers(t, embeddedShop(t), 20)
}

func TestProofOneTicketManyBuyersCQL(t *testing.T) {
	proof(t)
	manyBuyers(t, fleetShop(fleetCQL(t, twoOfEach)), 20)
}

// manyBuyers has 200 people order one ticket at once: one gets it, the others are
// told so.
func manyBuyers(t *testing.T, s *shop, rounds int) {
	seller := s.people(t, 1)[0]
	buyers := s.people(t, 200)
	for range rounds {
		h := newHistory(offerTicket(t, seller, 2500), 2500)
		var wg sync.WaitGroup
		var won atomic.Int64
		start := make(chan struct{})
		for _, b := range buyers {
			wg.Go(func() {
				<-start
				if h.place(t.Context(), b).code == "" {
					won.Add(1)
				}
			})
		}
		close(start)
		wg.Wait()
		h.read(t.Context(), seller, 2)
		h.require(t)
		require.EqualValues(t, 1, won.Load())
	}
	require.Empty(t, strings.Join(s.trades(t).Check(), "\n"))
	requireSoundFrom(t, s)
}

func TestTicketsAreLinearizable(t *testing.T) {
	t.Parallel()
	linearizable(t, embeddedShop(t), 4)
}

func TestProofTicketsAreLinearizableCQL(t *testing.T) {
	proof(t)
	linearizable(t, fleetShop(fleetCQL(t, twoOfEach)), 20)
}

// longestHistory bounds what the checker has to search.
const longestHistory = 180

// linearizable has buyers order and cancel, a seller reprice and others read, each
// ticket for itself.
func linearizable(t *testing.T, s *shop, tickets int) {
	random := rand.New(rand.NewPCG(seed(t), 0))
	var wg sync.WaitGroup
	histories := make([]*history, tickets)
	for i := range histories {
		people := s.people(t, 10)
		h := newHistory(offerTicket(t, people[0], 1), 1)
		histories[i] = h
		var version atomic.Uint64
		version.Store(1)
		for n, p := range people {
			wg.Go(func() {
				for price := int64(2); h.asked() < longestHistory; price++ {
					switch {
					case n == 0:
						if out := h.reprice(t.Context(), p, price); out.code == "" {
							version.Store(out.version)
						}
					case n < 4:
						h.read(t.Context(), p, version.Load())
					default:
						orderAndCancel(t, h, p)
					}
				}
			})
		}
		if random.IntN(2) == 0 {
			wg.Wait() // some are alone, some are not
		}
	}
	wg.Wait()
	for _, h := range histories {
		h.require(t)
	}
	require.Empty(t, strings.Join(s.trades(t).Check(), "\n"))
	requireSoundFrom(t, s)
}

func orderAndCancel(t *testing.T, h *history, buyer *blackbox.Client) {
	placed := h.place(t.Context(), buyer)
	if placed.code != "" {
		return
	}
	h.cancel(t.Context(), buyer, placed.order)
	h.cancel(t.Context(), buyer, placed.order)
}

func TestOrdersRace(t *testing.T) {
	t.Parallel()
	ordersRace(t, embeddedShop(t), 30)
}

func TestProofOrdersRace(t *testing.T) {
	proof(t)
	ordersRace(t, embeddedShop(t), 1000)
}

func TestProofOrdersRaceCQL(t *testing.T) {
	proof(t)
	ordersRace(t, fleetShop(fleetCQL(t, twoOfEach)), 300)
}

// raceAtOnce is how many tickets are raced for side by side.
const raceAtOnce = 8

// ordersRace has, on each ticket, cancelling race with reservation, and repricing
// with ordering; then nobody holds a ticket that he should not.
func ordersRace(t *testing.T, s *shop, rounds int) {
	random := rand.New(rand.NewPCG(seed(t), 0))
	var wg sync.WaitGroup
	places := make(chan struct{}, raceAtOnce)
	for range rounds {
		places <- struct{}{}
		local := rand.New(rand.NewPCG(random.Uint64(), 0))
		wg.Go(func() {
			defer func() { <-places }()
			raceOnce(t, s, local)
		})
	}
	wg.Wait()
	trades := s.trades(t)
	require.Empty(t, strings.Join(trades.Check(), "\n"))
	endings := map[string]int{}
	for id := range trades.Orders {
		endings[trades.Status(id)]++
	}
	t.Logf("%d tickets, orders ended as %v", len(trades.Tickets), endings)
	require.Zero(t, endings["placed"], "the processes have decided every order")
	require.NotZero(t, endings["cancelled"])
	requireSoundFrom(t, s)
}

// raceOnce has three people order a ticket; two take it back at once, or a little
// later, while the seller reprices.
func raceOnce(t *testing.T, s *shop, random *rand.Rand) {
	people := s.people(t, 4)
	id := offerTicket(t, people[0], 100)
	late, repricings := random.IntN(3) == 0, int64(random.IntN(3))
	var wg sync.WaitGroup
	wg.Go(func() {
		for price := range repricings {
			_, err := people[0].Send(t.Context(), "PUT", "/v1/tickets/"+id+"/price", blackbox.Price(200+price))
			noError(t, err)
		}
	})
	for i, buyer := range people[1:] {
		wg.Go(func() {
			a, err := buyer.Send(t.Context(), "POST", "/v1/orders", blackbox.Wanted(id))
			noError(t, err)
			if i == 0 || a.Status != 201 {
				return // he keeps it, if he gets it
			}
			o, err := a.Order()
			noError(t, err)
			if late {
				_, err = buyer.Send(t.Context(), "GET", "/v1/orders/"+o.ID, "", "Consistency-Token", "orders/"+o.ID+"@2", "Prefer", "wait=10")
				noError(t, err)
			}
			a, err = buyer.Send(t.Context(), "POST", "/v1/orders/"+o.ID+"/cancel", "")
			noError(t, err)
			if a.Status != 200 && a.Code() != "order_ended" {
				t.Errorf("a cancellation was answered %s", a)
			}
		})
	}
	wg.Wait()
}

// noError is require.NoError for goroutines, which must not end the test.
func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func requireSoundFrom(t testing.TB, s *shop) {
	t.Helper()
	r := program.Run(t, "verify", "--nats", s.nats)
	require.Zero(t, r.Code, "%s%s", r.Out, r.ErrOut)
	require.Contains(t, r.Out, ": 0 errors")
}
