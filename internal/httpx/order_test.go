package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/httpapi"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// onSale is a ticket that orders know of.
func (s *stack) onSale() (id, seller uuid.UUID) {
	id, seller = uuid.New(), uuid.New()
	s.offers.put(id, seller, 1, ticket.StatusAvailable)
	return id, seller
}

// order asks for a ticket.
func (s *stack) order(by account, ticket uuid.UUID, h ...string) reply {
	s.t.Helper()
	return s.do("POST", "/v1/orders", `{"ticket_id":"`+ticket.String()+`"}`, append(h, "Authorization", by.bearer)...)
}

func (s *stack) cancel(by account, path, body string, h ...string) reply {
	s.t.Helper()
	return s.do("POST", path+"/cancel", body, append(h, "Authorization", by.bearer)...)
}

// happens sends a command of a process.
func (s *stack) happens(id uuid.UUID, body order.Command) {
	s.t.Helper()
	_, err := s.orders.Handle(context.Background(), commands.Command[order.Command]{ID: uuid.New(), Aggregate: id, Body: body})
	require.NoError(s.t, err)
}

func idIn(r reply) uuid.UUID { return uuid.MustParse(r.field("id").(string)) }

func TestOrderIsPlacedAndCancelled(t *testing.T) {
	s := setup(t)
	buyer := s.account(api.RoleUser)
	wanted, seller := s.onSale()
	began := time.Now().Truncate(time.Millisecond)
	r := s.order(buyer, wanted).is(201, "")
	path := "/v1/orders/" + idIn(r).String()
	require.Equal(t, path, r.header.Get("Location"))
	require.Equal(t, `"1"`, r.header.Get("ETag"))
	require.Equal(t, "orders/"+idIn(r).String()+"@1", r.header.Get("Consistency-Token"))
	require.Equal(t, map[string]any{
		"id": idIn(r).String(), "version": 1.0, "status": "placed", "ticket_id": wanted.String(), "buyer_id": buyer.id.String(),
		"seller_id": seller.String(), "title": "Row 7, seat 12", "price": map[string]any{"amount": 2500.0, "currency": "EUR"},
		"expires_at": r.field("expires_at"), "placed_at": r.field("placed_at"), "updated_at": r.field("placed_at"),
	}, parse(t, r.body), "reason and payment_id only where there is one")
	expires, err := time.Parse(time.RFC3339, r.field("expires_at").(string))
	require.NoError(t, err)
	require.WithinRange(t, expires, began.Add(s.expiry), time.Now().Add(s.expiry))
	require.Equal(t, expires.Truncate(time.Millisecond), expires)

	r = s.cancel(buyer, path, `{"reason":"found a better seat"}`).is(200, "")
	require.Equal(t, "cancelled", r.field("status"))
	require.Equal(t, "found a better seat", r.field("reason"))
	require.Equal(t, `"2"`, r.header.Get("ETag"))
	require.Equal(t, path, r.header.Get("Location"))
	require.Equal(t, "orders/"+idIn(r).String()+"@2", r.header.Get("Consistency-Token"))
	s.cancel(buyer, path, "").is(409, "order_ended")

	none := s.order(buyer, wanted).is(201, "")
	r = s.cancel(buyer, none.header.Get("Location"), "").is(200, "")
	require.Nil(t, r.field("reason"))
}

func TestRulesRefuseOrders(t *testing.T) {
	s := setup(t)
	buyer := s.account(api.RoleUser)
	for status, want := range map[ticket.Status]int{
		ticket.StatusAvailable: 201, ticket.StatusReserved: 201, ticket.StatusSold: 409, ticket.StatusWithdrawn: 409,
	} {
		id := uuid.New()
		s.offers.put(id, uuid.New(), 2, status)
		r := s.order(buyer, id).is(want, "")
		require.Equal(t, want == 409, r.field("code") == "ticket_not_available", status)
	}
	own := uuid.New()
	s.offers.put(own, buyer.id, 1, ticket.StatusAvailable)
	s.order(buyer, own).is(409, "order_own_ticket")
	s.order(buyer, uuid.New(), "Prefer", "wait=0").is(404, "ticket_not_found")

	for body, pointers := range map[string][]string{
		`{}`: {"/ticket_id"}, `{"ticket_id":""}`: {"/ticket_id"}, `{"ticket_id":"x"}`: {"/ticket_id"}, `{"ticket_id":7}`: {"/ticket_id"}, `[]`: {""},
		`{"ticket_id":"` + own.String() + `","price":1}`: {"/price"}, `{"ticket_id":"{` + own.String() + `}"}`: {"/ticket_id"},
	} {
		require.Equal(t, pointers, s.do("POST", "/v1/orders", body, "Authorization", buyer.bearer).is(422, "invalid").pointers(), body)
	}
	for _, body := range []string{"", "{"} {
		s.do("POST", "/v1/orders", body, "Authorization", buyer.bearer).is(400, "malformed")
	}
	s.do("POST", "/v1/orders", `{"ticket_id":"00000000-0000-0000-0000-000000000000"}`, "Authorization", buyer.bearer, "Prefer", "wait=0").is(404, "ticket_not_found")
	for _, path := range []string{"/v1/orders", "/v1/orders/" + own.String() + "/cancel"} {
		s.do("POST", path, "").is(401, "token_required")
	}
}

func TestCancelIsForTheBuyerOnly(t *testing.T) {
	s := setup(t)
	buyer, admin := s.account(api.RoleUser), s.account(api.RoleAdmin)
	wanted, _ := s.onSale()
	path := s.order(buyer, wanted).is(201, "").header.Get("Location")
	nowhere := "/v1/orders/" + uuid.NewString()
	for _, ifMatch := range []string{"", "*", `"1"`, `"7"`, `"x"`} {
		h := []string{"If-Match", ifMatch}
		if ifMatch == "" {
			h = nil
		}
		theirs := s.cancel(admin, path, "", h...).is(404, "order_not_found")
		none := s.cancel(admin, nowhere, "", h...).is(404, "order_not_found")
		require.Equal(t, none.body, theirs.body, "nothing tells that there is such an order")
	}
	s.cancel(buyer, path, "", "If-Match", `"7"`).is(412, "version_mismatch")
	s.cancel(buyer, path, "", "If-Match", `x`).is(400, "malformed")
	s.cancel(buyer, path, "", "If-Match", `"1"`).is(200, "")
	s.cancel(buyer, path, "", "If-Match", `"1"`).is(412, "version_mismatch")
}

func TestReasonsOfCancelling(t *testing.T) {
	s := setup(t)
	buyer := s.account(api.RoleUser)
	wanted, _ := s.onSale()
	place := func() string { return s.order(buyer, wanted).is(201, "").header.Get("Location") }
	path := place()
	for body, pointers := range map[string][]string{
		`{"reason":"` + strings.Repeat("ü", 201) + `"}`: {"/reason"}, `{"reason":null}`: {"/reason"}, `{"reason":7}`: {"/reason"},
		`{"why":"x"}`: {"/why"}, `null`: {""}, `"x"`: {""},
	} {
		require.Equal(t, pointers, s.cancel(buyer, path, body).is(422, "invalid").pointers(), body)
	}
	for _, body := range []string{" ", "{", "{}x", "{\"reason\":\"\xff\"}"} {
		s.cancel(buyer, path, body).is(400, "malformed")
	}
	s.cancel(buyer, path, `{}`, "Content-Type", "text/plain").is(415, "unsupported_media_type")
	s.cancel(buyer, path, `{"reason":"`+strings.Repeat("ü", 200)+`"}`).is(200, "")
	require.Nil(t, s.cancel(buyer, place(), `{}`).is(200, "").field("reason"))

	path = place()
	first := s.cancel(buyer, path, "", "Idempotency-Key", "k").is(200, "")
	again := s.cancel(buyer, path, `{"reason":""}`, "Idempotency-Key", "k").is(200, "")
	require.Equal(t, first.body, again.body, "no body says as much as an empty one")
	s.cancel(buyer, path, `{"reason":"x"}`, "Idempotency-Key", "k").is(422, "idempotency_key_reused")
}

func TestTicketIsWaitedFor(t *testing.T) {
	s := setup(t)
	buyer := s.account(api.RoleUser)
	answered := make(chan reply)
	for _, header := range []string{"X-None", "Prefer", "Consistency-Token"} {
		wanted := uuid.New()
		value := map[string]string{"Prefer": "wait=10", "Consistency-Token": "tickets/" + wanted.String() + "@1"}[header]
		go func() { answered <- s.order(buyer, wanted, header, value, "Idempotency-Key", wanted.String()) }()
		s.offers.looked()
		s.offers.put(wanted, uuid.New(), 1, ticket.StatusAvailable)
		s.happensOnce(idOf(buyer, wanted.String()), order.Confirm{})
		(<-answered).is(201, "")
	}
}

// looked waits until a request has begun to read.
func (m *model) looked() {
	m.t.Helper()
	require.Eventually(m.t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		ok := m.views > 0
		m.views = 0
		return ok
	}, 30*time.Second, time.Millisecond)
}

// idOf is the id of an order with a key.
func idOf(by account, key string) uuid.UUID {
	return commands.NewAggregateID("order", commands.CommandID(by.id.String(), "order.place", "", key))
}

// happensOnce sends a command of a process once the order is there.
func (s *stack) happensOnce(id uuid.UUID, body order.Command) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		now, err := s.orders.Current(context.Background(), id)
		return err == nil && now.Version > 0
	}, 30*time.Second, time.Millisecond)
	s.happens(id, body)
}

func TestTokensOfTicketsAreHonoured(t *testing.T) {
	s := setup(t)
	buyer := s.account(api.RoleUser)
	wanted, seller := s.onSale()
	token := func(v int) string { return fmt.Sprintf("tickets/%s@%d", wanted, v) }
	s.order(buyer, wanted, "Consistency-Token", token(2), "Prefer", "wait=0").is(503, "not_yet")
	s.order(buyer, wanted, "Consistency-Token", "tickets/"+uuid.NewString()+"@1, "+token(1), "Prefer", "wait=0").is(503, "not_yet")
	s.order(buyer, wanted, "Consistency-Token", token(1), "Prefer", "wait=0").is(201, "")
	s.order(buyer, wanted, "Consistency-Token", "orders/"+uuid.NewString()+"@9", "Prefer", "wait=0").is(201, "")
	answered := make(chan reply)
	go func() { answered <- s.order(buyer, wanted, "Consistency-Token", token(2)) }()
	s.offers.looked()
	s.offers.put(wanted, seller, 2, ticket.StatusWithdrawn)
	(<-answered).is(409, "ticket_not_available")

	s.offers.parked[wanted] = true
	r := s.order(buyer, wanted, "Consistency-Token", token(3), "Prefer", "wait=10").is(503, "parked")
	require.NotContains(t, string(r.body), "not for strangers")
	s.order(buyer, wanted, "Consistency-Token", "x").is(400, "malformed")
	s.order(buyer, wanted, "Prefer", "wait=x").is(400, "malformed")
	require.Equal(t, []string{"Prefer"}, s.order(buyer, wanted, "Prefer", "wait=11").is(422, "invalid").pointers())
}

func TestOnlyNewOrdersNeedTheReadStore(t *testing.T) {
	s := setup(t)
	buyer := s.account(api.RoleUser)
	wanted, _ := s.onSale()
	first := s.order(buyer, wanted, "Idempotency-Key", "k").is(201, "")
	for code, err := range map[string]error{
		"projection_building": readstore.ErrBuilding, "read_store_unavailable": readstore.ErrUnavailable, "projection_switched": readstore.ErrNoTable,
	} {
		s.offers.unable = fmt.Errorf("somewhere: %w", err)
		s.order(buyer, wanted).is(503, code)
		s.order(buyer, wanted, "Idempotency-Key", "new").is(503, code)
		again := s.order(buyer, wanted, "Idempotency-Key", "k").is(201, "")
		require.Equal(t, first.body, again.body)
	}
	s.cancel(buyer, first.header.Get("Location"), "").is(200, "")
	s.list(buyer).is(201, "")
	s.offers.unable = nil
	s.order(buyer, wanted, "Idempotency-Key", "new").is(201, "")
}

func TestRepeatedOrderAnswersAsTheFirstDid(t *testing.T) {
	s := setup(t)
	buyer, other := s.account(api.RoleUser), s.account(api.RoleUser)
	wanted, seller := s.onSale()
	replies := make([]reply, 20)
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() { replies[i] = s.order(buyer, wanted, "Idempotency-Key", "once") })
	}
	wg.Wait()
	s.offers.put(wanted, seller, 2, ticket.StatusSold)
	s.happens(idIn(replies[0]), order.Reject{Reason: "ticket_not_available"})
	for _, prefer := range []string{"", "wait=0"} {
		replies = append(replies, s.order(buyer, wanted, "Idempotency-Key", "once", "Prefer", prefer)) //nolint:makezero // the first are filled in above
	}
	for _, r := range replies {
		r.is(201, "")
		require.Equal(t, replies[0].body, r.body)
		for _, h := range []string{"Location", "ETag", "Consistency-Token"} {
			require.Equal(t, replies[0].header.Get(h), r.header.Get(h))
		}
	}
	s.order(buyer, uuid.New(), "Idempotency-Key", "once").is(422, "idempotency_key_reused")
	s.order(other, wanted, "Idempotency-Key", "once").is(409, "ticket_not_available")
}

// offersFunc is Offers with something before or in place of them.
type offersFunc func(context.Context, uuid.UUID, []api.Token, time.Duration) (order.Offer, error)

func (f offersFunc) Offer(ctx context.Context, id uuid.UUID, tokens []api.Token, wait time.Duration) (order.Offer, error) {
	return f(ctx, id, tokens, wait)
}

func TestRefusalDoesNotComeBehindATwin(t *testing.T) {
	looking, looked := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	s := setup(t, func(o *options) {
		o.offers = func(next httpapi.Offers) httpapi.Offers {
			return offersFunc(func(ctx context.Context, id uuid.UUID, tokens []api.Token, wait time.Duration) (order.Offer, error) {
				if first.CompareAndSwap(false, true) {
					close(looking)
					<-looked
				}
				return next.Offer(ctx, id, tokens, wait)
			})
		}
	})
	buyer := s.account(api.RoleUser)
	wanted, seller := s.onSale()
	answered := make(chan reply)
	go func() { answered <- s.order(buyer, wanted, "Idempotency-Key", "twins") }()
	<-looking
	twin := s.order(buyer, wanted, "Idempotency-Key", "twins").is(201, "")
	s.offers.put(wanted, seller, 2, ticket.StatusSold)
	close(looked)
	require.Equal(t, twin.body, (<-answered).is(201, "").body)
}

func TestWaitIsPassedOn(t *testing.T) {
	var waits []time.Duration
	s := setup(t, func(o *options) {
		o.offers = func(httpapi.Offers) httpapi.Offers {
			return offersFunc(func(_ context.Context, _ uuid.UUID, _ []api.Token, wait time.Duration) (order.Offer, error) {
				waits = append(waits, wait)
				return order.Offer{}, ticket.ErrNotFound
			})
		}
	})
	for _, prefer := range []string{"", "wait=0", "respond-async, wait=7"} {
		s.order(s.account(api.RoleUser), uuid.New(), "Prefer", prefer).is(404, "ticket_not_found")
	}
	require.Equal(t, []time.Duration{api.DefaultWait, 0, 7 * time.Second}, waits)
}

// deciding is a handler after whose placing of an order something happens at once.
type deciding struct {
	httpapi.OrderHandler
	then func(id uuid.UUID)
	at   error // what looks answer
}

func (d *deciding) Handle(ctx context.Context, cmd commands.Command[order.Command]) (commands.Result[order.State], error) {
	result, err := d.OrderHandler.Handle(ctx, cmd)
	if result.Appended && result.Version == 1 {
		d.then(cmd.Aggregate)
	}
	return result, err
}

func (d *deciding) At(ctx context.Context, id uuid.UUID, version uint64) (commands.Result[order.State], error) {
	if d.at != nil {
		return commands.Result[order.State]{}, d.at
	}
	return d.OrderHandler.At(ctx, id, version)
}

func setupDeciding(t *testing.T, change ...func(*options)) (*stack, *deciding) {
	t.Helper()
	d := &deciding{}
	s := setup(t, append(change, func(o *options) {
		o.orders = func(next httpapi.OrderHandler) httpapi.OrderHandler { d.OrderHandler = next; return d }
	})...)
	return s, d
}

// The decision is there and signalled before the request begins to wait for it: a
// signal that was not asked for beforehand would be missed, and the answer undecided.
func TestWaitAnswersTheDecision(t *testing.T) {
	s, d := setupDeciding(t)
	buyer := s.account(api.RoleUser)
	wanted, _ := s.onSale()
	<-s.watch.Started()
	for name, c := range map[string]struct {
		decision     order.Command
		status       int
		code, stands string
	}{
		"confirmed": {order.Confirm{}, 201, "", "awaiting_payment"},
		"too late":  {order.Reject{Reason: ticket.ErrNotAvailable.Code}, 409, "ticket_not_available", ""},
		"repriced":  {order.Reject{Reason: ticket.ErrPriceChanged.Code}, 409, "ticket_price_changed", ""},
		"vanished":  {order.Reject{Reason: ticket.ErrNotFound.Code}, 409, "ticket_not_found", ""},
		"otherwise": {order.Reject{Reason: "Not a code"}, 409, "order_rejected", ""},
		"cancelled": {order.Cancel{BuyerID: buyer.id, Reason: "x"}, 201, "", "cancelled"},
	} {
		d.then = func(id uuid.UUID) {
			signalled, forget := s.watch.Wait(id, 2)
			defer forget()
			s.happens(id, c.decision)
			<-signalled
		}
		first := s.order(buyer, wanted, "Idempotency-Key", name, "Prefer", "wait=10").is(c.status, c.code)
		if c.status == 201 {
			require.Equal(t, c.stands, first.field("status"))
			require.Equal(t, `"2"`, first.header.Get("ETag"))
			require.Equal(t, "orders/"+idIn(first).String()+"@2", first.header.Get("Consistency-Token"))
		} else {
			id := idOf(buyer, name).String()
			require.Contains(t, first.field("detail"), id)
			require.Equal(t, "/v1/orders/"+id, first.header.Get("Location"), "it is there")
			require.Equal(t, "orders/"+id+"@2", first.header.Get("Consistency-Token"))
		}
		if name == "confirmed" {
			s.happens(idIn(first), order.Complete{PaymentID: uuid.New()})
		}
		again := s.order(buyer, wanted, "Idempotency-Key", name, "Prefer", "wait=10").is(c.status, c.code)
		require.Equal(t, first.body, again.body, "whatever happened since")
		undecided := s.order(buyer, wanted, "Idempotency-Key", name).is(201, "")
		require.Equal(t, "placed", undecided.field("status"), "one that does not wait hears what the first heard that did not")
	}
}

func TestWaitIsEndedByASignal(t *testing.T) {
	s := setup(t)
	buyer := s.account(api.RoleUser)
	wanted, _ := s.onSale()
	answered := make(chan reply)
	for key, decision := range map[string]order.Command{"a": order.Confirm{}, "b": order.Reject{Reason: ticket.ErrNotAvailable.Code}} {
		go func() { answered <- s.order(buyer, wanted, "Idempotency-Key", key, "Prefer", "wait=10") }()
		s.happensOnce(idOf(buyer, key), decision)
		r := <-answered
		require.NotEqual(t, "placed", r.field("status"), "%s", r.body)
	}
}

// decisionsFunc is Decisions that signal what a test wants.
type decisionsFunc func(uuid.UUID, uint64) (<-chan struct{}, func())

func (f decisionsFunc) Wait(id uuid.UUID, version uint64) (<-chan struct{}, func()) {
	return f(id, version)
}

func TestFalseAlarmDecidesNothing(t *testing.T) {
	waits, forgotten := 0, 0
	var s *stack
	s, d := setupDeciding(t, func(o *options) {
		o.decided = func(httpapi.Decisions) httpapi.Decisions {
			return decisionsFunc(func(id uuid.UUID, version uint64) (<-chan struct{}, func()) {
				require.EqualValues(t, 2, version)
				if waits++; waits == 4 {
					s.happens(id, order.Confirm{})
				}
				alarm := make(chan struct{})
				close(alarm)
				return alarm, func() { forgotten++ }
			})
		}
	})
	d.then = func(uuid.UUID) {}
	wanted, _ := s.onSale()
	r := s.order(s.account(api.RoleUser), wanted, "Prefer", "wait=10").is(201, "")
	require.Equal(t, "awaiting_payment", r.field("status"))
	require.Equal(t, 4, waits)
	require.Equal(t, 4, forgotten)
}

func TestUndecidedInTimeIsPlaced(t *testing.T) {
	s, d := setupDeciding(t)
	d.then = func(uuid.UUID) {}
	buyer := s.account(api.RoleUser)
	wanted, _ := s.onSale()
	for _, prefer := range []string{"wait=1", "wait=0", ""} {
		r := s.order(buyer, wanted, "Prefer", prefer, "Idempotency-Key", "k"+prefer).is(201, "")
		require.Equal(t, "placed", r.field("status"))
	}
	s.happens(idOf(buyer, "kwait=1"), order.Confirm{})
	r := s.order(buyer, wanted, "Prefer", "wait=10", "Idempotency-Key", "kwait=1").is(201, "")
	require.Equal(t, "awaiting_payment", r.field("status"), "decided since")

	d.then = func(id uuid.UUID) {
		d.at = errors.New("nobody can say")
		s.happens(id, order.Confirm{})
	}
	r = s.order(buyer, wanted, "Prefer", "wait=10").is(201, "")
	require.Equal(t, "placed", r.field("status"), "that it is placed is known")
}
