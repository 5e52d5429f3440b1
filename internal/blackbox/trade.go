package blackbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// Trade is people who sell tickets to each other: one lists, another orders, reads
// the order and often cancels it. Every command has a key and is sent again until it
// is answered.
type Trade struct {
	tally
	cfg     LoadConfig
	traders []*trader
	limit   *rate.Limiter
}

// NewTrade makes as many pairs of a seller and a buyer as cfg names Sellers.
func NewTrade(t testing.TB, p Program, data string, cfg LoadConfig) *Trade {
	t.Helper()
	l := &Trade{cfg: cfg, limit: limiter(cfg.Rate, cfg.Sellers)}
	spread := append([]string{data}, cfg.Others...)
	for i := range cfg.Sellers {
		d := &trader{trade: l, account: uuid.Must(uuid.NewV7()).String(), random: rand.New(rand.NewPCG(cfg.Seed, uint64(i))), orders: map[string]bool{}}
		d.seller = NewSpread(t, spread, p.Token(t, data, uuid.NewString(), "user", "--keys", cfg.Keys))
		d.buyer = NewSpread(t, spread, p.Token(t, data, d.account, "user", "--keys", cfg.Keys))
		l.traders = append(l.traders, d)
	}
	return l
}

// Run trades until ctx ends. A trade under way is brought to its end first, for
// which Finish's ctx counts: every command that was sent is answered in the end.
func (l *Trade) Run(ctx, finish context.Context) {
	var group errgroup.Group
	for _, d := range l.traders {
		group.Go(func() error {
			for ctx.Err() == nil {
				d.once(finish)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// trader is a buyer, and the one whose tickets he orders.
type trader struct {
	trade         *Trade
	account       string
	seller, buyer *Client
	random        *rand.Rand
	orders        map[string]bool // by id: whether it was cancelled
}

func (d *trader) once(ctx context.Context) {
	listed, ok := d.command(ctx, d.seller, "/v1/tickets", Offer("Seat", 1+d.random.Int64N(9999)), 201)
	if !ok {
		return
	}
	ticket, _ := listed.Ticket()
	headers := []string{"Consistency-Token", listed.Header.Get("Consistency-Token")}
	if d.random.IntN(2) == 0 {
		headers = append(headers, "Prefer", "wait=10")
	}
	placed, ok := d.command(ctx, d.buyer, "/v1/orders", Wanted(ticket.ID), 201, headers...)
	if !ok {
		return
	}
	o, _ := placed.Order()
	d.orders[o.ID] = false
	d.read(ctx, o, placed.Header.Get("Consistency-Token"))
	if d.random.IntN(2) == 0 {
		_, d.orders[o.ID] = d.command(ctx, d.buyer, "/v1/orders/"+o.ID+"/cancel", "", 200)
	}
}

// command sends one until it is answered; another answer than want is a fault.
func (d *trader) command(ctx context.Context, c *Client, path, body string, want int, headers ...string) (Answer, bool) {
	headers = append(headers, "Idempotency-Key", uuid.NewString())
	if d.trade.limit.Wait(ctx) != nil {
		return Answer{}, false
	}
	for ctx.Err() == nil {
		a, err := c.Send(ctx, http.MethodPost, path, body, headers...)
		switch {
		case err != nil || a.Status == http.StatusServiceUnavailable:
			d.away(ctx, http.MethodPost+" "+path, a, err)
		case a.Status == want:
			d.trade.commands.Add(1)
			return a, true
		default:
			d.trade.fault("POST %s %s answered %s", path, body, a)
			return a, false
		}
	}
	d.trade.fault("POST %s was never answered", path)
	return Answer{}, false
}

func (d *trader) away(ctx context.Context, what string, a Answer, err error) {
	d.trade.away.Add(1)
	if d.trade.cfg.Strict {
		d.trade.fault("%s: %s %v", what, a, err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Millisecond):
	}
}

func (d *trader) read(ctx context.Context, o Order, token string) {
	a, err := d.buyer.Send(ctx, http.MethodGet, "/v1/orders/"+o.ID, "", "Consistency-Token", token, "Prefer", "wait=10")
	if err != nil || a.Status == http.StatusServiceUnavailable {
		d.away(ctx, "GET the order with "+token, a, err)
		return
	}
	d.trade.reads.Add(1)
	if read, err := a.Order(); err != nil || a.Status != http.StatusOK || read.Version < o.Version {
		d.trade.fault("GET order %s with %s answered %s", o.ID, token, a)
	}
}

// Compare says what is wrong with logs where nothing is under way: each acknowledged
// order must be in them once, cancelled if that was acknowledged, else with its ticket.
func (l *Trade) Compare(log Trades) []string {
	wrong := log.Check()
	byBuyer := map[string]int{}
	for _, events := range log.Orders {
		byBuyer[ordered(events).Buyer]++
	}
	for _, d := range l.traders {
		if n := byBuyer[d.account]; n != len(d.orders) {
			wrong = append(wrong, fmt.Sprintf("buyer %s: the log has %d orders, acknowledged were %d", d.account, n, len(d.orders)))
		}
		for id, cancelled := range d.orders {
			want := "confirmed"
			if cancelled {
				want = "cancelled"
			}
			if have := log.Status(id); have != want {
				wrong = append(wrong, fmt.Sprintf("order %s is %q in the log, want %s", id, have, want))
			}
		}
	}
	return wrong
}
