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

// atLeast is how many commands a second go through on a slow machine, whoever is killed.
const atLeast = 50

// warm is the number of commands after which a CQL server that was just started no longer
// spends most of its time on compiling itself.
const warm = 2000

// TestProofFleetKilledCQL kills a copy every two seconds for a minute.
func TestProofFleetKilledCQL(t *testing.T) {
	proof(t)
	f := startTraffic(t, fleetCQL(t, twoOfEach), 300, false)
	within(t, 3*time.Minute, "the servers are warm", func() bool { return f.commands() > warm })
	probes := f.probe(t)
	began, before := time.Now(), f.commands()
	f.kill(t, time.Minute)
	took, commands := time.Since(began), f.commands()-before
	probes.awaitTraffic(t)
	found := probes.stop()
	f.end(t)
	t.Logf("%d commands in %s", commands, took)
	require.Greater(t, float64(commands), atLeast*took.Seconds())
	for _, p := range found {
		t.Logf("%d successes at a copy, at most %s without", p.successes, p.longest)
		require.Greater(t, p.successes, 10)
		require.LessOrEqual(t, p.longest, 5*time.Second)
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

	mu     sync.Mutex
	killed map[string]time.Time // by data directory: when the copy was killed last
}

func (tr *traffic) commands() uint64 { return tr.load.Commands() + tr.trade.Commands() }

// startTraffic sends so many commands a second, a third of them about orders. strict:
// no request may fail.
func startTraffic(t *testing.T, f *blackbox.Fleet, perSecond float64, strict bool) *traffic {
	data := f.Data(roleAPI)
	random := rand.New(rand.NewPCG(seed(t), 0))
	cfg := func(share float64) blackbox.LoadConfig {
		return blackbox.LoadConfig{Seed: random.Uint64(), Keys: f.Keys, Others: data[1:], Sellers: 16, Rate: perSecond * share, Strict: strict}
	}
	tr := &traffic{fleet: f, shop: fleetShop(f), random: random, killed: map[string]time.Time{}}
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
		tr.kills(c.Data)
		c.Kill()
		c.Again()
		t.Logf("kill %d: %s", n+1, c.Data)
		time.Sleep(time.Until(began.Add(every))) // the time between two kills
	}
	for _, c := range tr.fleet.Copies {
		c.AwaitReady()
	}
}

func (tr *traffic) kills(data string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.killed[data] = time.Now()
}

func (tr *traffic) lastKill(data string) time.Time {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.killed[data]
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
	traffic *traffic
	copies  []*blackbox.Copy
	wg      sync.WaitGroup
	cancel  func()

	mu    sync.Mutex
	found []found
}

// found is what a probe found at its copy.
type found struct {
	successes int
	began     time.Time     // when the last one was asked
	last      time.Time     // when it was answered
	longest   time.Duration // from one success, or a kill of the copy since then, to the next success or the end
}

// gap is how long nothing has flowed for which there is no newer cause.
func (f found) gap(killed time.Time) time.Duration {
	if killed.After(f.last) {
		return time.Since(killed)
	}
	return time.Since(f.last)
}

func (tr *traffic) probe(t *testing.T) *probes {
	ctx, cancel := context.WithCancel(t.Context())
	p := &probes{traffic: tr, copies: tr.fleet.Of(roleAPI), cancel: cancel}
	p.found = make([]found, len(p.copies))
	for i, c := range p.copies {
		seller, buyer := tr.fleet.At(c, uuid.NewString()), tr.fleet.At(c, uuid.NewString())
		p.found[i].last = time.Now()
		p.wg.Go(func() {
			for ctx.Err() == nil {
				if began := time.Now(); trafficFlows(ctx, seller, buyer) {
					p.succeeded(i, began)
				}
				time.Sleep(20 * time.Millisecond) // the pace of the probes
			}
		})
	}
	t.Cleanup(func() { p.stop() })
	return p
}

// succeeded: what began then has flowed.
func (p *probes) succeeded(i int, began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &p.found[i]
	f.longest = max(f.longest, f.gap(p.lastKill(i)))
	f.began, f.last = began, time.Now()
	f.successes++
}

// awaitTraffic waits until each copy has served what was asked after its last kill: that
// time counts as the others do.
func (p *probes) awaitTraffic(t *testing.T) {
	t.Helper()
	for i, c := range p.copies {
		eventually(t, "there is traffic at "+c.Data, func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.found[i].began.After(p.traffic.lastKill(c.Data))
		})
	}
}

// stop counts what has not come back as well.
func (p *probes) stop() []found {
	p.cancel()
	p.wg.Wait()
	for i := range p.found {
		p.found[i].longest = max(p.found[i].longest, p.found[i].gap(p.lastKill(i)))
	}
	return p.found
}

func (p *probes) lastKill(i int) time.Time { return p.traffic.lastKill(p.copies[i].Data) }

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
