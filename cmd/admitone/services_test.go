package main

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/client"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// A command over NATS is the command over HTTP: one account, one key, one effect.
func TestCommandsOverNATS(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	ctx := natstest.Context(t)
	account := uuid.NewString()
	token := program.Token(t, data, account, "user")
	c := client.New(blackbox.Connect(t, s.NATS()), token)
	price := api.Money{Amount: 2500, Currency: "EUR"}

	listed, err := c.ListTicket(ctx, "Row 1", price, client.IdempotencyKey("first"))
	require.NoError(t, err)
	require.Equal(t, account, listed.Resource.SellerID)
	require.Equal(t, `"1"`, listed.ETag)
	again := blackbox.NewClient(t, data, token).Do(t, "POST", "/v1/tickets", `{"title":"Row 1","price":{"amount":2500,"currency":"EUR"}}`, "Idempotency-Key", "first")
	require.Equal(t, 201, again.Status, again)
	require.Equal(t, listed.Location, again.Header.Get("Location"), "the same key over HTTP finds it")

	id := uuid.MustParse(listed.Resource.ID)
	repriced, err := c.RepriceTicket(ctx, id, api.Money{Amount: 2600, Currency: "EUR"}, client.IfMatch(listed.ETag))
	require.NoError(t, err)
	require.EqualValues(t, 2, repriced.Resource.Version)
	read := blackbox.NewClient(t, data, token).Do(t, "GET", listed.Location, "", "Consistency-Token", repriced.ConsistencyToken)
	require.EqualValues(t, 2600, ticketOf(t, read).Price.Amount)

	requireProblem := func(err error, status int, code string) {
		t.Helper()
		var p *client.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, status, p.Status)
		require.Equal(t, code, p.Code)
	}
	_, err = c.RepriceTicket(ctx, id, price, client.IfMatch(listed.ETag))
	requireProblem(err, 412, "version_mismatch")
	_, err = c.ListTicket(ctx, "Row 2", price, client.IdempotencyKey("first"))
	requireProblem(err, 422, "idempotency_key_reused")
	_, err = c.ListTicket(ctx, "", price)
	requireProblem(err, 422, "invalid")
	_, err = c.WithdrawTicket(ctx, uuid.New())
	requireProblem(err, 404, "ticket_not_found")
	_, err = client.New(blackbox.Connect(t, s.NATS()), "forged").WithdrawTicket(ctx, id)
	requireProblem(err, 401, "invalid_token")
	_, err = client.Do[api.Ticket](ctx, c, "ticket.withdraw", uuid.Nil, nil)
	requireProblem(err, 400, "malformed")
	withdrawn, err := c.WithdrawTicket(ctx, id)
	require.NoError(t, err)
	require.EqualValues(t, "withdrawn", withdrawn.Resource.Status)
	require.Zero(t, s.Stop(), s.Log())
}

func TestServices(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	r := program.Run(t, "services", "--data", data, "--json")
	require.Zero(t, r.Code, r.ErrOut)
	var list []serviceInfo
	require.NoError(t, json.Unmarshal([]byte(r.Out), &list))
	var roles []string
	for _, one := range list {
		roles = append(roles, one.Role)
		require.True(t, one.Healthy, one)
		require.Equal(t, s.URL(), one.HTTP)
		require.NotEmpty(t, one.Version)
		require.NotEmpty(t, one.Checks)
	}
	require.Equal(t, []string{"api", "auditor", "bot", "processes", "projector"}, roles)
	r = program.Run(t, "services", "--data", data)
	require.Zero(t, r.Code, r.ErrOut)
	require.Contains(t, r.Out, "HEALTH")
	require.Contains(t, r.Out, s.URL())
}

// A copy that is told to stop answers over NATS what it has taken.
func TestStopAnswersOverNATS(t *testing.T) {
	t.Parallel()
	broker := natstest.Server(t)
	data := dataDir(t)
	s := program.Serve(t, data, "--nats", broker.URL())
	ticket := list(t, seller(t, data), 1)[0]
	nc := blackbox.Connect(t, broker.URL())
	var buyers sync.WaitGroup
	var answered atomic.Int64
	some := make(chan struct{})
	for range 20 {
		token := program.Token(t, data, uuid.NewString(), "user")
		buyers.Go(func() {
			for {
				m := nats.NewMsg("cmd.order.place")
				m.Data = []byte(`{"ticket_id":"` + ticket + `"}`)
				m.Header = nats.Header{"Authorization": {"Bearer " + token}, "Prefer": {"wait=10"}}
				answer, err := nc.RequestMsg(m, time.Minute)
				if errors.Is(err, nats.ErrNoResponders) {
					return
				}
				if err != nil {
					t.Errorf("a request was not answered: %v", err)
					return
				}
				if status := answer.Header.Get(api.HeaderStatus); status != "409" && !strings.Contains(string(answer.Data), `"awaiting_payment"`) {
					t.Errorf("answered %s %s", status, answer.Data)
				}
				if answered.Add(1) == 100 {
					close(some)
				}
			}
		})
	}
	signalledWithin(t, some)
	require.Zero(t, s.Stop(), s.Log())
	buyers.Wait()
}

func signalledWithin(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-natstest.Context(t).Done():
		require.Fail(t, "nothing happened")
	}
}
