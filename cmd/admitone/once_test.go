package main

import (
	"sync"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/stretchr/testify/require"
)

// answered is what a repeat must answer as the first did.
type answered struct {
	status                        int
	body, location, etag, waitFor string
}

func answeredBy(a blackbox.Answer) answered {
	return answered{a.Status, string(a.Body), a.Header.Get("Location"), a.Header.Get("ETag"), a.Header.Get("Consistency-Token")}
}

// atOnce sends one request many times at the same moment.
func atOnce(t *testing.T, n int, send func() (blackbox.Answer, error)) []answered {
	t.Helper()
	answers, errs := make([]answered, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			a, err := send()
			answers[i], errs[i] = answeredBy(a), err
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	return answers
}

func TestOneEffectForEachKey(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	alice, bob := seller(t, data), seller(t, data)
	offer := func(c *blackbox.Client, amount int64) func() (blackbox.Answer, error) {
		return func() (blackbox.Answer, error) {
			return c.Send(t.Context(), "POST", "/v1/tickets", blackbox.Offer("Seat", amount), "Idempotency-Key", "key")
		}
	}
	answers := atOnce(t, 20, offer(alice, 100))
	first := answers[0]
	require.Equal(t, 201, first.status, first)
	for _, a := range answers {
		require.Equal(t, first, a)
	}
	id := first.location[len("/v1/tickets/"):]
	reprice := func() (blackbox.Answer, error) {
		return alice.Send(t.Context(), "PUT", "/v1/tickets/"+id+"/price", blackbox.Price(200), "Idempotency-Key", "key", "If-Match", `"1"`)
	}
	repriced := atOnce(t, 20, reprice)
	for _, a := range repriced {
		require.Equal(t, 200, a.status, a)
		require.Equal(t, repriced[0], a)
	}

	others := atOnce(t, 2, offer(bob, 100))
	require.Equal(t, 201, others[0].status)
	require.NotEqual(t, first.location, others[0].location, "another account's key is another key")

	requireRepeats := func() {
		t.Helper()
		again, err := offer(alice, 100)()
		require.NoError(t, err)
		require.Equal(t, first, answeredBy(again))
		again, err = reprice()
		require.NoError(t, err)
		require.Equal(t, repriced[0], answeredBy(again), "a repeat precedes If-Match")
		changed, err := offer(alice, 101)()
		require.NoError(t, err)
		require.Equal(t, 422, changed.Status)
		require.Equal(t, "idempotency_key_reused", changed.Code())
	}
	requireRepeats()
	require.Zero(t, s.Stop(), s.Log())
	s = program.Serve(t, data)
	requireRepeats()
	s.Kill()
	s = program.Serve(t, data)
	requireRepeats()

	log := blackbox.ReadLog(t, s.NATS())
	require.Len(t, log, 2)
	require.Len(t, log[id], 2)
	requireSound(t, data)
}

// A refusal is not remembered: the same command may succeed later.
func TestRefusalsAreNotRemembered(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	program.Serve(t, data)
	c := seller(t, data)
	id := list(t, c, 1)[0]
	reprice := func() blackbox.Answer {
		return c.Do(t, "PUT", "/v1/tickets/"+id+"/price", blackbox.Price(5), "Idempotency-Key", "key", "If-Match", `"2"`)
	}
	require.Equal(t, 412, reprice().Status)
	require.Equal(t, 200, c.Do(t, "PUT", "/v1/tickets/"+id+"/price", blackbox.Price(9)).Status)
	require.Equal(t, 200, reprice().Status)
	require.Equal(t, 200, reprice().Status, "and success is")
	require.EqualValues(t, 3, ticketOf(t, c.Do(t, "GET", "/v1/tickets/"+id, "", "Consistency-Token", "tickets/"+id+"@3")).Version)
}
