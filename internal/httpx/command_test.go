package httpx_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/httpapi"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestTicketIsListedRepricedAndWithdrawn(t *testing.T) {
	s := setup(t)
	seller := s.account(api.RoleUser)

	r := s.list(seller).is(201, "")
	id := r.field("id").(string)
	require.Equal(t, "/v1/tickets/"+id, r.header.Get("Location"))
	require.Equal(t, `"1"`, r.header.Get("ETag"))
	require.Equal(t, "tickets/"+id+"@1", r.header.Get("Consistency-Token"))
	require.Equal(t, map[string]any{
		"id": id, "version": 1.0, "status": "available", "seller_id": seller.id.String(), "title": "Row 7, seat 12",
		"price": map[string]any{"amount": 2500.0, "currency": "EUR"}, "listed_at": r.field("listed_at"), "updated_at": r.field("listed_at"),
	}, parse(t, r.body), "order_id only where there is one")

	r = s.do("PUT", "/v1/tickets/"+id+"/price", `{"amount":3000,"currency":"EUR"}`, "Authorization", seller.bearer).is(200, "")
	require.Equal(t, `"2"`, r.header.Get("ETag"))
	require.Equal(t, "tickets/"+id+"@2", r.header.Get("Consistency-Token"))
	require.Equal(t, map[string]any{"amount": 3000.0, "currency": "EUR"}, r.field("price"))

	r = s.do("PUT", "/v1/tickets/"+id+"/price", `{"amount":3000,"currency":"EUR"}`, "Authorization", seller.bearer).is(200, "")
	require.Equal(t, `"3"`, r.header.Get("ETag"), "the same price is set once more")

	r = s.do("POST", "/v1/tickets/"+id+"/withdraw", "", "Authorization", seller.bearer).is(200, "")
	require.Equal(t, "withdrawn", r.field("status"))
	require.Equal(t, `"4"`, r.header.Get("ETag"))
	s.do("POST", "/v1/tickets/"+id+"/withdraw", "", "Authorization", seller.bearer).is(409, "ticket_not_available")
}

// recorder keeps the last command that went to the handler.
type recorder struct {
	httpapi.TicketHandler
	last commands.Command[ticket.Command]
}

func (r *recorder) Handle(ctx context.Context, cmd commands.Command[ticket.Command]) (commands.Result[ticket.State], error) {
	r.last = cmd
	return r.TicketHandler.Handle(ctx, cmd)
}

func TestCommandsSayWhoAndWhy(t *testing.T) {
	r := &recorder{TicketHandler: newHandler(t, natstest.Conn(t, natstest.Server(t)))}
	s := setup(t, func(o *options) { o.handler = r })
	seller := s.account(api.RoleUser)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	s.list(seller, "Traceparent", trace, "X-Request-Id", "req-1").is(201, "")
	require.Equal(t, seller.id.String(), r.last.Actor)
	require.Equal(t, "req-1", r.last.CorrelationID)
	require.Equal(t, trace, r.last.TraceParent)
	require.True(t, r.last.Fresh)
	require.EqualValues(t, 7, r.last.ID.Version())
	require.EqualValues(t, 7, r.last.Aggregate.Version())

	s.list(seller, "Traceparent", "00-x", "Idempotency-Key", "k").is(201, "")
	require.Empty(t, r.last.TraceParent)
	require.False(t, r.last.Fresh)
	require.EqualValues(t, 5, r.last.ID.Version())
	require.EqualValues(t, 5, r.last.Aggregate.Version())
}

func TestRulesRefuse(t *testing.T) {
	s := setup(t)
	seller, other := s.account(api.RoleUser), s.account(api.RoleAdmin)
	path, _ := s.listed(seller)
	s.do("POST", path+"/withdraw", "", "Authorization", other.bearer).is(403, "ticket_not_yours")
	s.do("PUT", path+"/price", `{"amount":1,"currency":"EUR"}`, "Authorization", other.bearer).is(403, "ticket_not_yours")
	for _, none := range []uuid.UUID{uuid.New(), uuid.Nil} {
		s.do("POST", "/v1/tickets/"+none.String()+"/withdraw", "", "Authorization", other.bearer).is(404, "ticket_not_found")
	}

	r := s.do("PUT", path+"/price", `{"amount":1,"currency":"ZZZ"}`, "Authorization", seller.bearer).is(422, "invalid_currency")
	require.Equal(t, []string{"/currency"}, r.pointers(), "the body is the money itself")
	s.do("PUT", path+"/price", `{"amount":1,"currency":"ZZZ"}`, "Authorization", seller.bearer, "If-Match", `"7"`).is(422, "invalid_currency")
	r = s.do("POST", "/v1/tickets", `{"title":"x","price":{"amount":1,"currency":"ZZZ"}}`, "Authorization", seller.bearer).is(422, "invalid_currency")
	require.Equal(t, []string{"/price/currency"}, r.pointers())
	for _, blank := range []string{" ", "\u00a0\u3000", "\t\u0085\u2028"} {
		body := `{"title":` + strconv.QuoteToASCII(blank) + `,"price":{"amount":1,"currency":"EUR"}}`
		s.do("POST", "/v1/tickets", body, "Authorization", seller.bearer).is(422, "invalid")
	}
	s.do("POST", "/v1/tickets", `{"title":"\u001f","price":{"amount":1,"currency":"EUR"}}`, "Authorization", seller.bearer).is(201, "")
}

func TestIfMatch(t *testing.T) {
	s := setup(t)
	seller := s.account(api.RoleUser)
	path, _ := s.listed(seller)
	amount := 0
	reprice := func(ifMatch string) reply {
		amount++
		return s.do("PUT", path+"/price", `{"amount":`+string(rune('0'+amount%10))+`1,"currency":"EUR"}`,
			"Authorization", seller.bearer, "If-Match", ifMatch)
	}
	reprice(`"1"`).is(200, "")
	r := reprice(`"1"`).is(412, "version_mismatch")
	require.Contains(t, r.field("detail"), "version 2")
	reprice(`"2.7"`).is(200, "")
	reprice(`*`).is(200, "")
	reprice(`"1", "9", "4"`).is(200, "")
	reprice(`W/"5"`).is(412, "version_mismatch")
	reprice(`"abc"`).is(412, "version_mismatch")
	reprice(`"1", "2"`).is(412, "version_mismatch")
	reprice(`"99999999999999999999999"`).is(412, "version_mismatch")
	for _, malformed := range []string{`5`, `"5`, `"5" "6"`, `,`} {
		reprice(malformed).is(400, "malformed")
	}
	s.do("POST", "/v1/tickets/"+uuid.NewString()+"/withdraw", "", "Authorization", seller.bearer, "If-Match", `"1"`).is(404, "ticket_not_found")
	s.do("POST", path+"/withdraw", "", "Authorization", seller.bearer, "If-Match", `"4"`, "If-Match", `"5"`).is(200, "")
}

func TestRepeatAnswersAsTheFirstDid(t *testing.T) {
	s := setup(t)
	seller := s.account(api.RoleUser)
	replies := make([]reply, 20)
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() { replies[i] = s.list(seller, "Idempotency-Key", "once") })
	}
	wg.Wait()
	for _, r := range replies {
		r.is(201, "")
		require.Equal(t, replies[0].body, r.body)
		for _, h := range []string{"Location", "ETag", "Consistency-Token"} {
			require.Equal(t, replies[0].header.Get(h), r.header.Get(h))
		}
	}
	path := replies[0].header.Get("Location")
	first := s.do("PUT", path+"/price", `{"amount":1,"currency":"EUR"}`, "Authorization", seller.bearer, "Idempotency-Key", "k", "If-Match", `"1"`).is(200, "")
	s.do("POST", path+"/withdraw", "", "Authorization", seller.bearer).is(200, "")
	again := s.do("PUT", path+"/price", `{ "currency":"EUR", "amount":1 }`, "Authorization", seller.bearer, "Idempotency-Key", "k", "If-Match", `"1"`).is(200, "")
	require.Equal(t, first.body, again.body, "as it was then, whatever happened since")
	require.Equal(t, `"2"`, again.header.Get("ETag"))

	again = s.list(seller, "Idempotency-Key", "once").is(201, "")
	require.Equal(t, replies[0].body, again.body)
}

func TestKeysAreOfOneAccountOperationAndTarget(t *testing.T) {
	s := setup(t)
	seller, other := s.account(api.RoleUser), s.account(api.RoleUser)
	first := s.list(seller, "Idempotency-Key", "k").is(201, "")
	s.do("POST", "/v1/tickets", `{"title":"another","price":{"amount":2500,"currency":"EUR"}}`,
		"Authorization", seller.bearer, "Idempotency-Key", "k").is(422, "idempotency_key_reused")
	theirs := s.list(other, "Idempotency-Key", "k").is(201, "")
	require.NotEqual(t, first.field("id"), theirs.field("id"))
	require.Equal(t, other.id.String(), theirs.field("seller_id"))
	s.do("POST", first.header.Get("Location")+"/withdraw", "", "Authorization", seller.bearer, "Idempotency-Key", "k").is(200, "")

	for _, key := range []string{"\u00fc", strings.Repeat("k", 256)} {
		r := s.list(seller, "Idempotency-Key", key).is(422, "invalid")
		require.Equal(t, []string{"Idempotency-Key"}, r.pointers())
	}
	s.list(seller, "Idempotency-Key", strings.Repeat("k", 255)).is(201, "")
	s.list(seller, "Idempotency-Key", "a", "Idempotency-Key", "b").is(400, "malformed")
}
