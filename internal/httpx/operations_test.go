package httpx_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/internal/httpx"
	"github.com/admitone/admitone/readapi"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

var discard = slog.New(slog.DiscardHandler)

func TestProbes(t *testing.T) {
	s := setup(t)
	s.checks = []api.Check{{Name: "broker", Ok: true}, {Name: "read_store", Ok: true}}
	require.Equal(t, "ok\n", string(s.do("GET", "/livez", "").is(200, "").body))
	require.JSONEq(t, `{"status":"ready"}`, string(s.do("GET", "/readyz", "").is(200, "").body))
	require.Len(t, s.do("GET", "/readyz?verbose", "").is(200, "").field("checks"), 2)
	require.Nil(t, s.do("GET", "/readyz?verbose=false", "").is(200, "").field("checks"))

	require.Len(t, s.do("GET", "/readyz?verbose=", "").is(200, "").field("checks"), 2)
	require.Equal(t, []string{"verbose"}, s.do("GET", "/readyz?verbose=yes", "").is(422, "invalid").pointers())

	s.checks[1] = api.Check{Name: "read_store", Detail: "no answer; is it started?"}
	r := s.do("GET", "/readyz", "").is(503, "not_ready")
	require.Contains(t, r.field("detail"), "read_store: no answer")
	require.Nil(t, r.field("checks"))
	require.Len(t, s.do("GET", "/readyz?verbose=true", "").is(503, "not_ready").field("checks"), 2)
	s.do("GET", "/livez", "").is(200, "")
}

func TestMetrics(t *testing.T) {
	s := setup(t)
	s.do("GET", "/v1/tickets/"+uuid.NewString(), "").is(404, "")
	s.do("BREW", "/strange/path", "").is(404, "")
	r := s.do("GET", "/metrics", "").is(200, "")
	require.Contains(t, string(r.body), `admitone_http_requests_total{method="GET",route="/v1/tickets/{id}",status="404"} 1`)
	require.Contains(t, string(r.body), `admitone_http_requests_total{method="other",route="unmatched",status="404"} 1`)
	require.NotContains(t, string(r.body), "strange")
}

func TestDocumentIsServed(t *testing.T) {
	s := setup(t)
	require.Equal(t, "3.0.3", s.do("GET", "/openapi.json", "").is(200, "").field("openapi"))
}

func TestEventsAreServed(t *testing.T) {
	s := setup(t)
	require.JSONEq(t, `{"items":[]}`, string(s.do("GET", "/events.json", "").is(200, "").body))
}

func TestDocumentHasTheDomainsLimits(t *testing.T) {
	schemas := contract.doc.Components.Schemas
	require.EqualValues(t, ticket.MaxTitle, *schemas["NewTicket"].Value.Properties["title"].Value.MaxLength)
	require.Equal(t, domain.MaxAmount, int64(*schemas["Money"].Value.Properties["amount"].Value.Max))
	require.Equal(t, texts(domain.Currencies()...), schemas["Money"].Value.Properties["currency"].Value.Enum)

	tickets := []string{string(ticket.StatusAvailable), string(ticket.StatusReserved), string(ticket.StatusSold), string(ticket.StatusWithdrawn)}
	orders := []string{string(order.StatusPlaced), string(order.StatusAwaitingPayment), string(order.StatusCompleted),
		string(order.StatusRejected), string(order.StatusCancelled), string(order.StatusExpired)}
	require.Equal(t, texts(tickets...), schemas["TicketStatus"].Value.Enum)
	require.Equal(t, texts(orders...), schemas["OrderStatus"].Value.Enum)
	// An empty filter is as good as none.
	parameters := contract.doc.Components.Parameters
	require.Equal(t, append(texts(""), texts(tickets...)...), parameters["StatusFilter"].Value.Schema.Value.Enum)
	require.Equal(t, append(texts(""), texts(orders...)...), parameters["OrderStatusFilter"].Value.Schema.Value.Enum)
}

func texts(list ...string) []any {
	all := make([]any, len(list))
	for i, one := range list {
		all[i] = one
	}
	return all
}

func TestAdmin(t *testing.T) {
	s := setup(t)
	admin, id, now := s.account(api.RoleAdmin), uuid.New(), time.Now()
	get := func(path string) reply { return s.do("GET", "/v1/admin/"+path, "", "Authorization", admin.bearer) }
	post := func(path string) reply { return s.do("POST", "/v1/admin/"+path, "", "Authorization", admin.bearer) }
	for _, path := range []string{"projections", "parked", "events/tickets/" + id.String()} {
		require.JSONEq(t, `{"items":[],"next_cursor":""}`, string(get(path).is(200, "").body))
	}
	s.admin.projections = []api.Projection{
		{Name: "tickets", Revision: 1, Generation: 2, Status: "live", Rebuild: &api.Rebuild{Events: 5, Total: 10, Rate: 1.5}, LastAdmittedAt: &now},
		{Name: "others", Status: "building"},
	}
	items := get("projections").is(200, "").field("items").([]any)
	require.Contains(t, items[1], "rebuild", "null where none runs")
	require.Nil(t, items[1].(map[string]any)["rebuild"])
	s.admin.parked = []api.Parked{{Projection: "tickets", Stream: "tickets", AggregateID: id.String(), Version: 3, Cause: "x", Attempts: 5, Since: now}}
	require.Len(t, get("parked").is(200, "").field("items"), 1)
	s.admin.events = []api.Event{{ID: id.String(), Type: "ticket.listed.v1", Version: 1, Payload: []byte(`{"title":"x"}`), Time: now, StoredAt: now}}
	require.Len(t, get("events/tickets/"+id.String()).is(200, "").field("items"), 1)

	s.admin.asked = nil
	require.Equal(t, "/v1/admin/projections", post("projections/tickets/rebuild").is(202, "").header.Get("Location"))
	post("parked/tickets/"+id.String()+"/retry").is(204, "")
	require.Equal(t, []string{"rebuild tickets", "retry tickets " + id.String()}, s.admin.asked)
}

func TestAdminErrors(t *testing.T) {
	s := setup(t)
	admin, id := s.account(api.RoleAdmin), uuid.NewString()
	for path, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"POST /v1/admin/projections/x/rebuild":            {readapi.ErrNoProjection, 404, "projection_not_found"},
		"POST /v1/admin/projections/tickets/rebuild":      {readapi.ErrRebuilding, 409, "rebuild_running"},
		"POST /v1/admin/parked/x/" + id + "/retry":        {readapi.ErrNoProjection, 404, "projection_not_found"},
		"POST /v1/admin/parked/tickets/" + id + "x/retry": {nil, 400, "malformed"},
		"GET /v1/admin/events/x/" + id:                    {readapi.ErrNoEvents, 404, "events_not_found"},
		"GET /v1/admin/projections":                       {fmt.Errorf("x"), 500, "internal"},
	} {
		s.admin.err = c.err
		var method, at string
		_, err := fmt.Sscan(path, &method, &at)
		require.NoError(t, err)
		s.do(method, at, "", "Authorization", admin.bearer).is(c.status, c.code)
	}
}

func TestConfigIsChecked(t *testing.T) {
	_, err := httpx.New(nil, httpx.Config{Timeout: -1})
	for _, fault := range []string{"Keys", "Logger", "Metrics", "Timeout"} {
		require.ErrorContains(t, err, fault)
	}
	s, registry := setup(t), prometheus.NewRegistry()
	cfg := httpx.Config{Keys: s.keys, Logger: discard, Metrics: registry}
	_, err = httpx.New(nil, cfg)
	require.NoError(t, err)
	_, err = httpx.New(nil, cfg)
	require.ErrorContains(t, err, "metrics")
}
