package main

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Orders under way when the program is told to stop are decided and answered first.
func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	server := program.Serve(t, data)
	s := &shop{keys: filepath.Join(data, "keys"), data: []string{data}, nats: server.NATS()}
	people := s.people(t, 41)
	id := offerTicket(t, people[0], 100)
	var wg sync.WaitGroup
	var answered atomic.Int64
	some := make(chan struct{}, 1000)
	for _, buyer := range people[1:] {
		wg.Go(func() {
			for {
				a, err := buyer.Send(t.Context(), "POST", "/v1/orders", blackbox.Wanted(id), "Prefer", "wait=10", "Idempotency-Key", uuid.NewString())
				if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, blackbox.ErrNoAddress) {
					return
				}
				noError(t, err)
				if order, _ := a.Order(); a.Status != 409 && order.Status != "awaiting_payment" {
					t.Errorf("an order was answered %s", a)
				}
				if answered.Add(1) == 100 {
					some <- struct{}{}
				}
				if err != nil {
					return
				}
			}
		})
	}
	<-some
	require.Zero(t, server.Stop(), server.Log())
	wg.Wait()
}

// An order that was placed before any copy ran the processes is not forgotten.
func TestOrdersWaitForTheFirstProcesses(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	server := program.Serve(t, data, "--roles", "api,projector")
	ticket := list(t, seller(t, data), 1)[0]
	buyer := seller(t, data)
	a := buyer.Do(t, "POST", "/v1/orders", blackbox.Wanted(ticket))
	require.Equal(t, 201, a.Status, a)
	require.Zero(t, server.Stop(), server.Log())

	server = program.Serve(t, data)
	token := strings.Replace(a.Header.Get("Consistency-Token"), "@1", "@2", 1)
	a = buyer.Do(t, "GET", a.Header.Get("Location"), "", "Consistency-Token", token, "Prefer", "wait=10")
	require.Equal(t, 200, a.Status, a)
	order, err := a.Order()
	require.NoError(t, err)
	require.Equal(t, "awaiting_payment", order.Status)
	require.Zero(t, server.Stop(), server.Log())
}
