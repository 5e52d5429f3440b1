package httpx_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func newRow() row {
	return row{id: uuid.New(), seller: uuid.New(), version: 3, status: ticket.StatusAvailable, title: "Row 1", listed: time.Now()}
}

func TestGetOne(t *testing.T) {
	s := setup(t)
	w := newRow()
	w.status, w.order = ticket.StatusReserved, uuid.NewString()
	s.rows.put(w)
	path := "/v1/tickets/" + w.id.String()
	r := s.do("GET", path, "").is(200, "")
	require.Equal(t, `"3"`, r.header.Get("ETag"))
	require.Equal(t, "no-cache", r.header.Get("Cache-Control"))
	listed := w.listed.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)
	require.Equal(t, map[string]any{
		"id": w.id.String(), "version": 3.0, "status": "reserved", "seller_id": w.seller.String(), "title": "Row 1", "order_id": w.order,
		"price": map[string]any{"amount": 2500.0, "currency": "EUR"}, "listed_at": listed, "updated_at": listed,
	}, parse(t, r.body))
	require.Equal(t, 1, s.rows.views, "one request reads one generation")

	head := s.do("HEAD", path, "").is(200, "")
	require.Empty(t, head.body)
	require.Equal(t, `"3"`, head.header.Get("ETag"))
	s.do("GET", "/v1/tickets/"+uuid.NewString(), "").is(404, "ticket_not_found")
	for _, id := range []string{"x", "1", w.id.String() + "0", "%00", "%2e%2e", "a%2fb", "'", "%ff"} {
		s.do("GET", "/v1/tickets/"+id, "").is(400, "malformed")
	}
}

func TestETagAndIfNoneMatch(t *testing.T) {
	s := setup(t)
	w := newRow()
	s.rows.put(w)
	path := "/v1/tickets/" + w.id.String()
	for _, same := range []string{`"3"`, `W/"3"`, `*`, `"1", "3"`} {
		r := s.do("GET", path, "", "If-None-Match", same).is(304, "")
		require.Empty(t, r.body)
		require.Equal(t, `"3"`, r.header.Get("ETag"))
	}
	s.do("GET", path, "", "If-None-Match", `"1"`, "If-None-Match", `"3"`).is(304, "")
	s.do("GET", path, "", "If-None-Match", `"4"`).is(200, "")
	s.do("GET", path, "", "If-None-Match", `3`).is(400, "malformed")
	s.do("GET", "/v1/tickets/"+uuid.NewString(), "", "If-None-Match", `*`).is(404, "")

	s.rows.revision = 2
	r := s.do("GET", path, "", "If-None-Match", `"3"`).is(200, "")
	require.Equal(t, `"3.2"`, r.header.Get("ETag"), "a new revision may show the same version otherwise")
	s.do("GET", path, "", "If-None-Match", `"3.2"`).is(304, "")
}

// walk reads a list to its end and returns the titles in order.
func (s *stack) walk(query url.Values) (titles []string, pages int) {
	s.t.Helper()
	for {
		r := s.do("GET", "/v1/tickets?"+query.Encode(), "").is(200, "")
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

func TestListIsPagedNewestFirst(t *testing.T) {
	s := setup(t)
	seller := uuid.New()
	var all []row
	var want, sold []string
	for i := range 45 {
		w := newRow()
		w.seller, w.title, w.listed = seller, fmt.Sprint(i), time.Now().Add(-time.Duration(i)*20*time.Hour)
		if i%9 == 0 {
			w.status = ticket.StatusSold
			sold = append(sold, w.title)
		} else {
			want = append(want, w.title)
		}
		all = append(all, w)
	}
	s.rows.put(all...)

	titles, pages := s.walk(url.Values{})
	require.Equal(t, want, titles, "available ones unless a status is named")
	require.Equal(t, 2, pages, "20 to a page unless a limit is named")
	titles, pages = s.walk(url.Values{"status": {""}, "cursor": {""}, "limit": {"7"}})
	require.Equal(t, want, titles)
	require.Equal(t, 6, pages)
	titles, _ = s.walk(url.Values{"status": {"sold"}, "limit": {"1"}})
	require.Equal(t, sold, titles)
	titles, pages = s.walk(url.Values{"seller_id": {seller.String()}, "limit": {"100"}})
	require.Len(t, titles, 45, "a seller's in every status")
	require.Equal(t, 1, pages)
	titles, _ = s.walk(url.Values{"seller_id": {seller.String()}, "status": {"sold"}, "limit": {"2"}})
	require.Equal(t, sold, titles)

	r := s.do("GET", "/v1/tickets?status=reserved", "").is(200, "")
	require.JSONEq(t, `{"items":[],"next_cursor":""}`, string(r.body))
	s.do("GET", "/v1/tickets?seller_id="+uuid.NewString()+"&status=sold", "").is(200, "")
}

func TestListParameters(t *testing.T) {
	s := setup(t)
	for query, want := range map[string][]string{
		"limit=0": {"limit"}, "limit=101": {"limit"}, "limit=-1": {"limit"}, "status=gone": {"status"},
		"status=Available": {"status"}, "status=gone&limit=0": {"status", "limit"},
		"limit=99999999999999999999": {"limit"}, "limit=-99999999999999999999": {"limit"},
	} {
		require.Equal(t, want, s.do("GET", "/v1/tickets?"+query, "").is(422, "invalid").pointers(), query)
	}
	for _, query := range []string{
		"limit=%zz", "limit=1;status=sold", "limit=x", "limit=1.5", "limit=1&limit=2", "seller_id=x", "seller_id=", "status=sold&status=available",
	} {
		s.do("GET", "/v1/tickets?"+query, "").is(400, "malformed")
	}
	s.do("GET", "/v1/tickets?unknown=1&limit=100", "").is(200, "")
	s.do("GET", "/v1/tickets?status=available&limit=&cursor=", "").is(200, "")
}

func TestCursorsAreBoundToTheirList(t *testing.T) {
	s := setup(t)
	s.rows.put(newRow(), newRow(), newRow())
	cursor := s.do("GET", "/v1/tickets?limit=1", "").is(200, "").field("next_cursor").(string)
	s.do("GET", "/v1/tickets?limit=2&cursor="+cursor, "").is(200, "")
	s.do("GET", "/v1/tickets?status=sold&cursor="+cursor, "").is(400, "invalid_cursor")
	s.do("GET", "/v1/tickets?seller_id="+uuid.NewString()+"&cursor="+cursor, "").is(400, "invalid_cursor")
	for _, forged := range []string{"x", cursor[1:], cursor + "A", "A" + cursor[1:] + "A", "%00", "'%20or%201=1"} {
		s.do("GET", "/v1/tickets?cursor="+forged, "").is(400, "invalid_cursor")
	}
	s.rows.revision = 2
	s.do("GET", "/v1/tickets?cursor="+cursor, "").is(400, "invalid_cursor")
	other := setup(t)
	other.do("GET", "/v1/tickets?cursor="+cursor, "").is(400, "invalid_cursor")
}

func TestReadYourOwnWrites(t *testing.T) {
	s := setup(t)
	w := newRow()
	token := func(v int) string { return fmt.Sprintf("tickets/%s@%d", w.id, v) }
	path := "/v1/tickets/" + w.id.String()

	for _, p := range []string{path, "/v1/tickets", "/v1/tickets?seller_id=" + w.seller.String()} {
		s.do("GET", p, "", "Consistency-Token", token(3), "Prefer", "wait=0").is(503, "not_yet")
		s.do("GET", p, "", "Consistency-Token", "tickets/"+uuid.NewString()+"@1, "+token(3), "Prefer", "wait=0").is(503, "not_yet")
	}
	answered := make(chan reply)
	go func() {
		answered <- s.do("GET", path, "", "Consistency-Token", token(3), "Prefer", "respond-async, wait=10")
	}()
	s.rows.put(w)
	(<-answered).is(200, "")

	s.do("GET", path, "", "Consistency-Token", token(2), "Prefer", "wait=0").is(200, "")
	s.do("GET", path, "", "Consistency-Token", token(4), "Prefer", "wait=0").is(503, "not_yet")
	s.do("GET", path, "", "Consistency-Token", "orders/"+uuid.NewString()+"@9, "+token(3)).is(200, "")
	s.do("GET", path, "", "Consistency-Token", token(3), "Consistency-Token", token(4), "Prefer", "wait=0").is(503, "not_yet")

	s.rows.parked[w.id] = true
	r := s.do("GET", path, "", "Consistency-Token", token(4), "Prefer", "wait=10").is(503, "parked")
	require.NotContains(t, string(r.body), "not for strangers")

	for _, malformed := range []string{"x", "tickets/x@1", "tickets/" + w.id.String(), token(0), "TICKETS/" + w.id.String() + "@1"} {
		s.do("GET", path, "", "Consistency-Token", malformed).is(400, "malformed")
	}
	for header, status := range map[string]int{"wait=11": 422, "wait=-1": 422, "wait=x": 400, "wait": 400, "return=minimal": 200} {
		s.do("GET", "/v1/tickets", "", "Prefer", header).is(status, "")
	}
}

func TestReadModelAway(t *testing.T) {
	s := setup(t)
	for code, err := range map[string]error{
		"projection_building": readstore.ErrBuilding, "read_store_unavailable": readstore.ErrUnavailable, "projection_switched": readstore.ErrNoTable,
	} {
		s.rows.unable = fmt.Errorf("somewhere: %w", err)
		s.do("GET", "/v1/tickets", "").is(503, code)
	}
	s.list(s.account(api.RoleUser)).is(201, "")
}
