package httpx_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/order"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func bought(by account) purchase {
	return purchase{
		id: uuid.New(), buyer: by.id, ticket: uuid.New(), seller: uuid.New(), version: 2, status: order.StatusAwaitingPayment,
		title: "Row 1", placed: time.Now(),
	}
}

func TestGetOrder(t *testing.T) {
	s := setup(t)
	buyer := s.account(api.RoleUser)
	w := bought(buyer)
	s.purchases.put(w)
	path := "/v1/orders/" + w.id.String()
	get := func(path string, by account, h ...string) reply {
		return s.do("GET", path, "", append(h, "Authorization", by.bearer)...)
	}
	r := get(path, buyer).is(200, "")
	require.Equal(t, `"2"`, r.header.Get("ETag"))
	require.Equal(t, "no-cache", r.header.Get("Cache-Control"))
	placed := w.placed.UTC().Truncate(time.Millisecond)
	require.Equal(t, map[string]any{
		"id": w.id.String(), "version": 2.0, "status": "awaiting_payment", "ticket_id": w.ticket.String(), "buyer_id": buyer.id.String(),
		"seller_id": w.seller.String(), "title": "Row 1", "price": map[string]any{"amount": 2500.0, "currency": "EUR"},
		"expires_at": placed.Add(time.Hour).Format(time.RFC3339Nano), "placed_at": placed.Format(time.RFC3339Nano), "updated_at": placed.Format(time.RFC3339Nano),
	}, parse(t, r.body))
	require.Equal(t, 1, s.purchases.views, "one request reads one generation")

	w.version, w.status, w.payment = 3, order.StatusCompleted, uuid.NewString()
	s.purchases.put(w)
	require.Equal(t, w.payment, get(path, buyer).is(200, "").field("payment_id"))
	gone := bought(buyer)
	gone.status, gone.reason = order.StatusRejected, "ticket_not_available"
	s.purchases.put(gone)
	require.Equal(t, "ticket_not_available", get("/v1/orders/"+gone.id.String(), buyer).is(200, "").field("reason"))

	s.do("GET", path, "").is(401, "token_required")
	get("/v1/orders/x", buyer).is(400, "malformed")
	for _, same := range []string{`"3"`, `W/"3"`, `*`, `"1", "3"`} {
		r := get(path, buyer, "If-None-Match", same).is(304, "")
		require.Empty(t, r.body)
		require.Equal(t, `"3"`, r.header.Get("ETag"))
	}
	get(path, buyer, "If-None-Match", `3`).is(400, "malformed")
	s.purchases.revision = 2
	require.Equal(t, `"3.2"`, get(path, buyer, "If-None-Match", `"3"`).is(200, "").header.Get("ETag"))
}

func TestOrdersAreTheBuyersOwn(t *testing.T) {
	s := setup(t)
	buyer, stranger, agent, admin := s.account(api.RoleUser), s.account(api.RoleUser), s.account(api.RoleAgent), s.account(api.RoleAdmin)
	w := bought(buyer)
	s.purchases.put(w)
	path := "/v1/orders/" + w.id.String()
	seller := account{id: w.seller}
	token, err := s.keys.Mint(seller.id, api.RoleUser, time.Hour)
	require.NoError(t, err)
	seller.bearer = "Bearer " + token
	for _, by := range []account{stranger, seller, agent, admin} {
		theirs := s.do("GET", path, "", "Authorization", by.bearer, "If-None-Match", `*`).is(404, "order_not_found")
		none := s.do("GET", "/v1/orders/"+uuid.NewString(), "", "Authorization", by.bearer).is(404, "order_not_found")
		require.Equal(t, none.body, theirs.body, "nothing tells that there is such an order")
		require.JSONEq(t, `{"items":[],"next_cursor":""}`, string(s.do("GET", "/v1/orders", "", "Authorization", by.bearer).is(200, "").body))
	}
	require.Len(t, s.do("GET", "/v1/orders", "", "Authorization", buyer.bearer).is(200, "").field("items"), 1)
	s.do("GET", "/v1/orders", "").is(401, "token_required")
}

// walkOrders reads one's list to its end and returns the titles in order.
func (s *stack) walkOrders(by account, query url.Values) (titles []string, pages int) {
	s.t.Helper()
	for {
		r := s.do("GET", "/v1/orders?"+query.Encode(), "", "Authorization", by.bearer).is(200, "")
		pages++
		require.Less(s.t, pages, 100, "the list has an end")
		for _, item := range r.field("items").([]any) {
			titles = append(titles, item.(map[string]any)["title"].(string))
		}
		next := r.field("next_cursor").(string)
		if next == "" {
			return titles, pages
		}
		query.Set("cursor", next)
	}
}

func TestOrdersArePagedNewestFirst(t *testing.T) {
	s := setup(t)
	buyer, other := s.account(api.RoleUser), s.account(api.RoleUser)
	var want, rejected []string
	var all []purchase
	for i := range 45 {
		w := bought(buyer)
		w.title, w.placed = fmt.Sprint(i), time.Now().Add(-time.Duration(i)*20*time.Hour)
		want = append(want, w.title)
		if i%9 == 0 {
			w.status, w.reason = order.StatusRejected, "ticket_not_available"
			rejected = append(rejected, w.title)
		}
		all = append(all, w, bought(other))
	}
	s.purchases.put(all...)
	titles, pages := s.walkOrders(buyer, url.Values{})
	require.Equal(t, want, titles)
	require.Equal(t, 3, pages, "20 to a page unless a limit is named")
	titles, pages = s.walkOrders(buyer, url.Values{"status": {""}, "cursor": {""}, "limit": {"100"}})
	require.Equal(t, want, titles)
	require.Equal(t, 1, pages)
	titles, _ = s.walkOrders(buyer, url.Values{"status": {"rejected"}, "limit": {"2"}})
	require.Equal(t, rejected, titles)
	titles, _ = s.walkOrders(buyer, url.Values{"status": {"expired"}, "limit": {"100"}})
	require.Empty(t, titles)
}

func TestOrderListParameters(t *testing.T) {
	s := setup(t)
	buyer, other := s.account(api.RoleUser), s.account(api.RoleUser)
	s.purchases.put(bought(buyer), bought(buyer), bought(other))
	get := func(by account, query string) reply {
		return s.do("GET", "/v1/orders?"+query, "", "Authorization", by.bearer)
	}
	for query, want := range map[string][]string{
		"limit=0": {"limit"}, "limit=101": {"limit"}, "status=gone": {"status"}, "status=available&limit=-1": {"status", "limit"},
	} {
		require.Equal(t, want, get(buyer, query).is(422, "invalid").pointers(), query)
	}
	get(buyer, "limit=x").is(400, "malformed")
	cursor := get(buyer, "limit=1").is(200, "").field("next_cursor").(string)
	get(buyer, "limit=2&cursor="+cursor).is(200, "")
	get(buyer, "status=placed&cursor="+cursor).is(400, "invalid_cursor")
	get(other, "cursor="+cursor).is(400, "invalid_cursor")
	get(buyer, "cursor=x").is(400, "invalid_cursor")
	s.do("GET", "/v1/tickets?cursor="+cursor, "").is(400, "invalid_cursor")
}

func TestReadYourOwnOrders(t *testing.T) {
	s := setup(t)
	buyer := s.account(api.RoleUser)
	w := bought(buyer)
	token := fmt.Sprintf("orders/%s@2", w.id)
	for _, path := range []string{"/v1/orders/" + w.id.String(), "/v1/orders"} {
		get := func(h ...string) reply { return s.do("GET", path, "", append(h, "Authorization", buyer.bearer)...) }
		get("Consistency-Token", token, "Prefer", "wait=0").is(503, "not_yet")
		get("Consistency-Token", "x").is(400, "malformed")
	}
	answered := make(chan reply)
	go func() {
		answered <- s.do("GET", "/v1/orders/"+w.id.String(), "", "Authorization", buyer.bearer, "Consistency-Token", token, "Prefer", "wait=10")
	}()
	s.purchases.looked()
	s.purchases.put(w)
	(<-answered).is(200, "")
	s.do("GET", "/v1/orders", "", "Authorization", buyer.bearer, "Consistency-Token", token+", tickets/"+uuid.NewString()+"@9", "Prefer", "wait=10").is(200, "")
	s.purchases.parked[w.id] = true
	s.do("GET", "/v1/orders", "", "Authorization", buyer.bearer, "Consistency-Token", token).is(200, "")
	s.do("GET", "/v1/orders", "", "Authorization", buyer.bearer, "Consistency-Token", strings.Replace(token, "@2", "@3", 1)).is(503, "parked")
}
