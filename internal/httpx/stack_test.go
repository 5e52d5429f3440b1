package httpx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/httpapi"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/internal/httpx"
	"github.com/admitone/admitone/internal/keys"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/readapi"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// stack is the HTTP side over a real event store, command handler and read store.
// The test itself writes the rows that a projection would write.
type stack struct {
	t       testing.TB
	url     string
	client  *http.Client
	keys    *keys.Keys
	rows    *rows
	admin   *operator
	checks  []api.Check
	log     *syncBuffer
	handler httpapi.TicketHandler

	offers    *offers
	purchases *purchases
	orders    *commands.Handler[order.State, order.Command]
	watch     *subscription.Watch
	expiry    time.Duration

	nc    *nats.Conn
	talks *readapi.ConversationQueries // filled by support
}

type options struct {
	httpx   httpx.Config
	handler httpapi.TicketHandler                           // nil: the real one
	orders  func(httpapi.OrderHandler) httpapi.OrderHandler // nil: as it is
	offers  func(httpapi.Offers) httpapi.Offers             // nil: as they are
	decided func(httpapi.Decisions) httpapi.Decisions       // nil: as they are
}

func setup(t testing.TB, change ...func(*options)) *stack {
	t.Helper()
	var o options
	for _, c := range change {
		c(&o)
	}
	s := &stack{t: t, log: &syncBuffer{}, admin: &operator{}, handler: o.handler, expiry: 15 * time.Minute}
	var err error
	s.keys, err = keys.LoadOrCreate(filepath.Join(t.TempDir(), "keys"))
	require.NoError(t, err)
	store, err := sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "rows.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	s.rows = newRows(t, store)
	s.offers, s.purchases = newOffers(t, store), newPurchases(t, store)
	nc := natstest.Conn(t, natstest.Server(t))
	s.nc, s.talks = nc, &readapi.ConversationQueries{}
	if s.handler == nil {
		s.handler = newHandler(t, nc)
	}
	queries, err := readapi.NewTicketQueries(store, s.rows, s.keys.Cursor())
	require.NoError(t, err)
	orderQueries, err := readapi.NewOrderQueries(store, s.purchases, s.keys.Cursor())
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	operations, err := httpx.NewOperations(func(context.Context) []api.Check { return s.checks }, registry, api.EventCatalogue{Items: []api.EventType{}})
	require.NoError(t, err)
	o.httpx.Keys, o.httpx.Metrics, o.httpx.Logger = s.keys, registry, slog.New(slog.NewJSONHandler(s.log, nil))
	o.httpx.Loopback = true
	handler, err := httpx.New(endpoints{
		TicketCommands: httpapi.NewTicketCommands(s.handler), TicketQueries: queries,
		OrderCommands: s.orderCommands(nc, o), OrderQueries: orderQueries,
		ConversationQueries: s.talks,
		AdminEndpoints:      readapi.NewAdminEndpoints(s.admin), Operations: operations,
	}, o.httpx)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s.url, s.client = server.URL, server.Client()
	return s
}

type endpoints struct {
	*httpapi.TicketCommands
	*readapi.TicketQueries
	*httpapi.OrderCommands
	*readapi.OrderQueries
	*httpapi.ConversationCommands
	*readapi.ConversationQueries
	*readapi.ConversationUpdates
	*readapi.AdminEndpoints
	*httpx.Operations
}

func newHandler(t testing.TB, nc *nats.Conn) httpapi.TicketHandler {
	t.Helper()
	return handlerOf(t, openStream(t, nc, "TICKETS", ticket.Events()), httpapi.TicketDecider())
}

func openStream[E eventstore.Payload](t testing.TB, nc *nats.Conn, name string, events []E) *eventstore.Stream {
	t.Helper()
	registry := eventstore.NewRegistry()
	for _, e := range events {
		registry.Register(e)
	}
	return natstest.Stream(t, nc, eventstore.StreamConfig{Name: name, Registry: registry})
}

func handlerOf[S, C any](t testing.TB, stream *eventstore.Stream, d commands.Decider[S, C]) *commands.Handler[S, C] {
	t.Helper()
	h, err := commands.New(stream, nil, d, commands.Config{})
	require.NoError(t, err)
	return h
}

// orderCommands is the commands of orders over a real stream and a real watch of
// it; the test itself does what the reservation would do.
func (s *stack) orderCommands(nc *nats.Conn, o options) *httpapi.OrderCommands {
	s.t.Helper()
	stream := openStream(s.t, nc, "ORDERS", order.Events())
	s.orders = handlerOf(s.t, stream, httpapi.OrderDecider())
	s.watch = subscription.NewWatch(stream, discard)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.watch.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		require.NoError(s.t, <-done)
	})
	handler, looked, decided := httpapi.OrderHandler(s.orders), httpapi.Offers(readapi.NewOffers(s.rows.store, s.offers)), httpapi.Decisions(s.watch)
	if o.orders != nil {
		handler = o.orders(handler)
	}
	if o.offers != nil {
		looked = o.offers(looked)
	}
	if o.decided != nil {
		decided = o.decided(decided)
	}
	return httpapi.NewOrderCommands(handler, looked, decided, s.expiry)
}

// reply is an answer, its body read and held against the document.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

func (s *stack) do(method, path, body string, h ...string) reply {
	s.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, reader)
	require.NoError(s.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(h); i += 2 {
		if h[i+1] == "" {
			r.Header.Del(h[i])
		} else if r.Header.Get(h[i]) != "" && h[i] != "Content-Type" {
			r.Header.Add(h[i], h[i+1])
		} else {
			r.Header.Set(h[i], h[i+1])
		}
	}
	return s.send(r)
}

func (s *stack) send(r *http.Request) reply {
	s.t.Helper()
	response, err := s.client.Do(r)
	require.NoError(s.t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	contract.check(s.t, r, response.StatusCode, response.Header, raw)
	return reply{t: s.t, status: response.StatusCode, header: response.Header, body: raw}
}

func (r reply) is(status int, code string) reply {
	r.t.Helper()
	require.Equal(r.t, status, r.status, "%s", r.body)
	if code != "" {
		require.Equal(r.t, code, parse(r.t, r.body)["code"])
	}
	return r
}

func (r reply) field(name string) any {
	r.t.Helper()
	return parse(r.t, r.body)[name]
}

// pointers are those of errors[], in order.
func (r reply) pointers() (all []string) {
	r.t.Helper()
	list, _ := r.field("errors").([]any)
	for _, e := range list {
		all = append(all, e.(map[string]any)["pointer"].(string))
	}
	return all
}

func parse(t testing.TB, body []byte) map[string]any {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal(body, &object), "%s", body)
	return object
}

// account is somebody with a token.
type account struct {
	id     uuid.UUID
	bearer string
}

func (s *stack) account(role string) account {
	s.t.Helper()
	id := uuid.New()
	token, err := s.keys.Mint(id, role, time.Hour)
	require.NoError(s.t, err)
	return account{id: id, bearer: "Bearer " + token}
}

const someTicket = `{"title":"Row 7, seat 12","price":{"amount":2500,"currency":"EUR"}}`

// list puts a ticket up for sale, as a command; no row follows by itself.
func (s *stack) list(by account, h ...string) reply {
	s.t.Helper()
	return s.do("POST", "/v1/tickets", someTicket, append(h, "Authorization", by.bearer)...)
}

func (s *stack) listed(by account) (path string, id uuid.UUID) {
	s.t.Helper()
	r := s.list(by).is(201, "")
	return r.header.Get("Location"), uuid.MustParse(r.field("id").(string))
}

// syncBuffer is a log to read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// handlerFunc stands for a handler in tests of what its errors become.
type handlerFunc func(context.Context) error

func (f handlerFunc) Handle(ctx context.Context, _ commands.Command[ticket.Command]) (commands.Result[ticket.State], error) {
	return commands.Result[ticket.State]{}, f(ctx)
}

// operator is an engine with what a test gives it.
type operator struct {
	projections []api.Projection
	parked      []api.Parked
	events      []api.Event
	err         error
	asked       []string
}

func (o *operator) Projections(context.Context) ([]api.Projection, error) {
	return o.projections, o.err
}
func (o *operator) Parked(context.Context) ([]api.Parked, error) { return o.parked, o.err }

func (o *operator) Rebuild(_ context.Context, name string) error {
	o.asked = append(o.asked, "rebuild "+name)
	return o.err
}

func (o *operator) Retry(_ context.Context, projection string, id uuid.UUID) error {
	o.asked = append(o.asked, "retry "+projection+" "+id.String())
	return o.err
}

func (o *operator) Events(_ context.Context, stream string, id uuid.UUID) ([]api.Event, error) {
	o.asked = append(o.asked, "events "+stream+" "+id.String())
	return o.events, o.err
}
