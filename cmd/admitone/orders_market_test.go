package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/keys"
	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// shop is where a marketplace is reached from outside.
type shop struct {
	keys string
	data []string // of the copies that serve the API
	nats string
}

// embeddedShop starts the embedded form.
func embeddedShop(t testing.TB, args ...string) *shop {
	t.Helper()
	data := dataDir(t)
	s := program.Serve(t, data, args...)
	return &shop{keys: filepath.Join(data, "keys"), data: []string{data}, nats: s.NATS()}
}

func fleetShop(f *blackbox.Fleet) *shop {
	return &shop{keys: f.Keys, data: f.Data(roleAPI), nats: f.Of(roleAPI)[0].NATS()}
}

// people are clients of new accounts.
func (s *shop) people(t testing.TB, n int) []*blackbox.Client {
	t.Helper()
	k, err := keys.Load(s.keys)
	require.NoError(t, err)
	clients := make([]*blackbox.Client, n)
	for i := range clients {
		token, err := k.Mint(uuid.New(), "user", time.Hour)
		require.NoError(t, err)
		clients[i] = blackbox.NewSpread(t, s.data, token)
	}
	return clients
}

// trades reads the logs once all processes rest.
func (s *shop) trades(t testing.TB) blackbox.Trades {
	t.Helper()
	s.rests(t)
	return blackbox.Trades{Tickets: blackbox.ReadLog(t, s.nats), Orders: blackbox.ReadStream(t, s.nats, "ORDERS")}
}

// rests waits until the processes have reacted to everything.
func (s *shop) rests(t testing.TB) {
	t.Helper()
	eventually(t, "the processes rest", func() bool { return s.atRest(t) })
}

func (s *shop) atRest(t testing.TB) bool {
	t.Helper()
	r := program.Run(t, "processes", "--json", "--nats", s.nats)
	var list []processInfo
	if r.Code != 0 || json.Unmarshal([]byte(r.Out), &list) != nil {
		return false
	}
	for _, p := range list {
		require.Zero(t, p.Parked, r.Out)
		if p.LagEvents > 0 {
			return false
		}
	}
	return len(list) > 0
}

func offerTicket(t testing.TB, c *blackbox.Client, price int64) string {
	t.Helper()
	a := c.Do(t, "POST", "/v1/tickets", blackbox.Offer("Seat", price))
	require.Equal(t, 201, a.Status, a)
	return ticketOf(t, a).ID
}

func orderOf(t testing.TB, a blackbox.Answer) blackbox.Order {
	t.Helper()
	o, err := a.Order()
	require.NoError(t, err, a)
	return o
}

// history notes what was asked about one ticket and answered. Safe for concurrent use.
type history struct {
	ticket string
	price  int64
	began  time.Time

	mu  sync.Mutex
	ops []porcupine.Operation
	err error
}

func newHistory(ticket string, price int64) *history {
	return &history{ticket: ticket, price: price, began: time.Now()}
}

func (h *history) note(in asked, send func() (told, error)) told {
	call := time.Since(h.began)
	out, err := send()
	end := time.Since(h.began)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{Input: in, Output: out, Call: int64(call), Return: int64(end)})
	if err != nil {
		h.err = err
	}
	return out
}

func (h *history) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ops)
}

// require fails unless the requests can have been answered one after the other.
func (h *history) require(t testing.TB) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	require.NoError(t, h.err)
	if result := porcupine.CheckOperationsTimeout(ticketModel(h.price), h.ops, time.Minute); result != porcupine.Ok {
		for _, op := range h.ops {
			t.Logf("%9d %9d %+v -> %+v", op.Call/1000, op.Return/1000, op.Input, op.Output)
		}
		require.FailNow(t, "the history of a ticket is not linearizable", "%s: %s", h.ticket, result)
	}
}

// place orders the ticket and waits for the decision.
func (h *history) place(ctx context.Context, buyer *blackbox.Client) told {
	return h.note(asked{what: "place"}, func() (told, error) {
		a, err := buyer.Send(ctx, "POST", "/v1/orders", blackbox.Wanted(h.ticket), "Prefer", "wait=10")
		switch {
		case err != nil:
			return told{}, err
		case a.Status == 409:
			return told{code: a.Code()}, nil
		}
		o, err := a.Order()
		if err != nil || a.Status != 201 || o.Status != "awaiting_payment" {
			return told{code: "undecided"}, fmt.Errorf("an order was answered %s (%w)", a, err)
		}
		return told{order: o.ID, price: o.Price.Amount}, nil
	})
}

func (h *history) cancel(ctx context.Context, buyer *blackbox.Client, order string) told {
	return h.note(asked{what: "cancel", order: order}, func() (told, error) {
		a, err := buyer.Send(ctx, "POST", "/v1/orders/"+order+"/cancel", "")
		if err == nil && a.Status != 200 && a.Status != 409 {
			err = fmt.Errorf("a cancellation was answered %s", a)
		}
		return told{code: a.Code()}, err
	})
}

func (h *history) reprice(ctx context.Context, seller *blackbox.Client, price int64) told {
	return h.note(asked{what: "reprice", price: price}, func() (told, error) {
		a, err := seller.Send(ctx, "PUT", "/v1/tickets/"+h.ticket+"/price", blackbox.Price(price))
		return toldOf(a, err)
	})
}

// read reads the ticket at a version or a later one.
func (h *history) read(ctx context.Context, c *blackbox.Client, floor uint64) told {
	return h.note(asked{what: "read", floor: floor}, func() (told, error) {
		a, err := c.Send(ctx, "GET", "/v1/tickets/"+h.ticket, "", "Consistency-Token", fmt.Sprintf("tickets/%s@%d", h.ticket, floor), "Prefer", "wait=10")
		return toldOf(a, err)
	})
}

func toldOf(a blackbox.Answer, err error) (told, error) {
	if err != nil || a.Status == 409 {
		return told{code: a.Code()}, err
	}
	ticket, err := a.Ticket()
	if err != nil || a.Status != 200 {
		return told{code: a.Code()}, fmt.Errorf("it was answered %s (%w)", a, err)
	}
	return told{version: ticket.Version, price: ticket.Price.Amount, status: ticket.Status}, nil
}
