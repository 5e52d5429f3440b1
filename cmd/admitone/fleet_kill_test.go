package main

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestFleetCQL has one fleet decide who gets a ticket, and then loses copies of it.
func TestFleetCQL(t *testing.T) {
	t.Parallel()
	fleet := fleetCQL(t, twoOfEach)
	manyBuyers(t, fleetShop(fleet), 1)
	f := startTraffic(t, fleet, 100, false)
	f.kill(t, 4*time.Second)
	f.end(t)
}

// TestProofFleetKilledCQL kills a copy every two seconds for a minute.
func TestProofFleetKilledCQL(t *testing.T) {
	proof(t)
	f := startTraffic(t, fleetCQL(t, twoOfEach), 300, false)
	probes := f.probe(t)
	f.kill(t, time.Minute)
	gaps := probes.stop()
	f.end(t)
	t.Logf("the longest times without traffic at a copy: %v", gaps)
	for _, gap := range gaps {
		require.LessOrEqual(t, gap, 5*time.Second)
	}
}

// TestProofFleetRollingRestartCQL stops one copy after the other, as an upgrade does.
func TestProofFleetRollingRestartCQL(t *testing.T) {
	proof(t)
	f := startTraffic(t, fleetCQL(t, twoOfEach), 150, true)
	for _, c := range f.fleet.Copies {
		before := f.load.Reads()
		require.Zero(t, c.Stop(), c.Log())
		c.Again()
		c.AwaitReady()
		eventually(t, "there is traffic", func() bool { return f.load.Reads() > before+20 })
	}
	f.end(t)
}

// traffic is what goes through a fleet: sellers, and people who trade.
type traffic struct {
	fleet  *blackbox.Fleet
	shop   *shop
	random *rand.Rand
	load   *blackbox.Load
	trade  *blackbox.Trade
	stop   func()
}

// startTraffic sends so many commands a second, a third of them about orders. strict:
// no request may fail.
func startTraffic(t *testing.T, f *blackbox.Fleet, perSecond float64, strict bool) *traffic {
	data := f.Data(roleAPI)
	random := rand.New(rand.NewPCG(seed(t), 0))
	cfg := func(share float64) blackbox.LoadConfig {
		return blackbox.LoadConfig{Seed: random.Uint64(), Keys: f.Keys, Others: data[1:], Sellers: 16, Rate: perSecond * share, Strict: strict}
	}
	tr := &traffic{fleet: f, shop: fleetShop(f), random: random}
	tr.load = blackbox.NewLoad(t, program, data[0], cfg(2./3))
	tr.trade = blackbox.NewTrade(t, program, data[0], cfg(1./3))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { tr.load.Run(ctx) })
	wg.Go(func() { tr.trade.Run(ctx, t.Context()) })
	tr.stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(tr.stop)
	eventually(t, "there is traffic", func() bool { return tr.load.Reads() > 20 && tr.trade.Reads() > 20 })
	return tr
}

// kill kills a random copy every two seconds, and starts it again.
func (tr *traffic) kill(t *testing.T, d time.Duration) {
	const every = 2 * time.Second
	for n := range int(d / every) {
		began := time.Now()
		c := tr.fleet.Copies[tr.random.IntN(len(tr.fleet.Copies))]
		c.Kill()
		c.Again()
		t.Logf("kill %d: %s", n+1, c.Data)
		time.Sleep(time.Until(began.Add(every))) // the time between two kills
	}
	for _, c := range tr.fleet.Copies {
		c.AwaitReady()
	}
}

// end brings everything to rest and compares it.
func (tr *traffic) end(t *testing.T) {
	tr.stop()
	tr.load.Finish(t.Context())
	t.Logf("tickets: %d commands, %d reads, %d failed; orders: %d commands, %d reads, %d failed", tr.load.Commands(), tr.load.Reads(),
		tr.load.Away(), tr.trade.Commands(), tr.trade.Reads(), tr.trade.Away())
	require.Empty(t, strings.Join(append(tr.load.Faults(), tr.trade.Faults()...), "\n"))
	log := tr.shop.trades(t)
	require.Empty(t, strings.Join(tr.trade.Compare(log), "\n"))
	require.Empty(t, strings.Join(tr.load.Compare(log.Tickets), "\n"))
	requireSoundFrom(t, tr.shop)
	parked := program.Run(t, "parked", "list", "--nats", tr.shop.nats)
	require.Equal(t, "nothing is parked\n", parked.Out)
	for _, c := range tr.fleet.Copies {
		require.Zero(t, c.Stop(), c.Log())
		require.NotContains(t, strings.ToLower(c.Log()), "panic")
	}
}

// probes ask every copy that serves the API for all kinds of traffic, all the time.
type probes struct {
	wg      sync.WaitGroup
	cancel  func()
	longest []time.Duration // from one success to the next, for each copy
}

func (tr *traffic) probe(t *testing.T) *probes {
	copies := tr.fleet.Of(roleAPI)
	ctx, cancel := context.WithCancel(t.Context())
	p := &probes{cancel: cancel, longest: make([]time.Duration, len(copies))}
	for i, c := range copies {
		seller, buyer := tr.fleet.At(c, uuid.NewString()), tr.fleet.At(c, uuid.NewString())
		p.wg.Go(func() {
			last := time.Now()
			for ctx.Err() == nil {
				if trafficFlows(ctx, seller, buyer) {
					p.longest[i] = max(p.longest[i], time.Since(last))
					last = time.Now()
				}
				time.Sleep(20 * time.Millisecond) // the pace of the probes
			}
		})
	}
	t.Cleanup(func() { p.stop() })
	return p
}

func (p *probes) stop() []time.Duration {
	p.cancel()
	p.wg.Wait()
	return p.longest
}

// trafficFlows lists, reads with the token, and orders.
func trafficFlows(ctx context.Context, seller, buyer *blackbox.Client) bool {
	listed, err := seller.Send(ctx, "POST", "/v1/tickets", blackbox.Offer("Probe", 1))
	if err != nil || listed.Status != 201 {
		return false
	}
	ticket, _ := listed.Ticket()
	read, err := seller.Send(ctx, "GET", "/v1/tickets/"+ticket.ID, "", "Consistency-Token", listed.Header.Get("Consistency-Token"), "Prefer", "wait=10")
	if err != nil || read.Status != 200 {
		return false
	}
	placed, err := buyer.Send(ctx, "POST", "/v1/orders", blackbox.Wanted(ticket.ID), "Prefer", "wait=10")
	order, _ := placed.Order()
	return err == nil && placed.Status == 201 && order.Status == "awaiting_payment"
}
