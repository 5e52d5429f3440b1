package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/stretchr/testify/require"
)

// Tests that run side by side with others give the copy of tickets more time.
var patient = []string{"Prefer", "wait=10"}

func TestListedAndOrderedAtOnce(t *testing.T) {
	t.Parallel()
	orderedAtOnce(t, embeddedShop(t), 100, patient)
}

func TestProofListedAndOrderedAtOnce(t *testing.T) {
	proof(t)
	orderedAtOnce(t, embeddedShop(t), 2000, nil)
}

func TestProofListedAndOrderedAtOnceCQL(t *testing.T) {
	proof(t)
	orderedAtOnce(t, fleetShop(fleetCQL(t, twoOfEach)), 1000, nil)
}

// orderedAtOnce orders tickets as soon as they are listed, with the listing's token
// and without, while projections have other work.
func orderedAtOnce(t *testing.T, s *shop, tickets int, headers []string) {
	load := blackbox.NewLoad(t, program, s.data[0], blackbox.LoadConfig{Seed: seed(t), Keys: s.keys, Others: s.data[1:]})
	stop := underLoad(t, load)
	eventually(t, "there is load", func() bool { return load.Reads() > 50 })
	var wg sync.WaitGroup
	const side = 20
	for range side {
		people := s.people(t, 2)
		wg.Go(func() {
			for i := range tickets / side {
				orderAtOnce(t, people[0], people[1], i%2 == 0, headers)
			}
		})
	}
	wg.Wait()
	stop()
	load.Finish(t.Context())
	require.Empty(t, strings.Join(load.Faults(), "\n"))
	require.Empty(t, strings.Join(s.trades(t).Check(), "\n"))
}

func orderAtOnce(t testing.TB, seller, buyer *blackbox.Client, withToken bool, headers []string) {
	listed, err := seller.Send(t.Context(), "POST", "/v1/tickets", blackbox.Offer("Seat", 100))
	noError(t, err)
	ticket, err := listed.Ticket()
	noError(t, err)
	if withToken {
		headers = append([]string{"Consistency-Token", listed.Header.Get("Consistency-Token")}, headers...)
	}
	a, err := buyer.Send(t.Context(), "POST", "/v1/orders", blackbox.Wanted(ticket.ID), headers...)
	noError(t, err)
	if a.Status != 201 {
		t.Errorf("a new ticket's order (token: %v) was answered %s", withToken, a)
	}
}
