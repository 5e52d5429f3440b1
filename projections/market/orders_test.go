package market_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/cqltest"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/projections/market"
	"github.com/admitone/admitone/readapi"
	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/cql"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// world is the market's projections, live over a broker and a read store.
type world struct {
	t         testing.TB
	nc        *nats.Conn
	streams   map[string]*eventstore.Stream
	store     readstore.Store
	projector *projections.Projector
}

func openSQLite(t testing.TB) readstore.Store {
	t.Helper()
	store, err := sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "rows.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func openCQL(t testing.TB) readstore.Store {
	t.Helper()
	store, err := cql.Open(cql.Config{Hosts: cqltest.Hosts(t), Keyspace: cqltest.Keyspace(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	require.Eventually(t, func() bool { return store.Ping(natstest.Context(t)) == nil }, 30*time.Second, 10*time.Millisecond)
	return store
}

func setup(t testing.TB, store readstore.Store) *world {
	t.Helper()
	w := newWorld(t, store)
	open(w, "TICKETS", ticket.Events())
	open(w, "ORDERS", order.Events())
	all, err := market.All()
	require.NoError(t, err)
	w.run(all)
	return w
}

func newWorld(t testing.TB, store readstore.Store) *world {
	t.Helper()
	return &world{t: t, nc: natstest.Conn(t, natstest.Server(t)), store: store, streams: map[string]*eventstore.Stream{}}
}

// open opens a stream of events.
func open[E eventstore.Payload](w *world, name string, events []E) {
	w.t.Helper()
	registry := eventstore.NewRegistry()
	for _, e := range events {
		registry.Register(e)
	}
	w.streams[name] = natstest.Stream(w.t, w.nc, eventstore.StreamConfig{Name: name, Registry: registry})
}

func (w *world) run(all []*projections.Projection) {
	w.t.Helper()
	var err error
	w.projector, err = projections.New(natstest.Context(w.t), w.store, w.streams, projections.Config{}, all...)
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.projector.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		require.NoError(w.t, <-done)
	})
	for _, p := range all {
		require.Eventually(w.t, func() bool {
			_, err := w.reader(p.Name()).View(ctx)
			return err == nil
		}, 30*time.Second, time.Millisecond)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123_000_000, time.UTC)

// happened appends the events of one aggregate, a second apart.
func (w *world) happened(stream string, id uuid.UUID, payloads ...eventstore.Payload) {
	w.t.Helper()
	var after uint64
	for i, p := range payloads {
		event := eventstore.Event{
			ID: uuid.Must(uuid.NewV7()), Aggregate: id, Version: uint64(i) + 1, Time: noon.Add(time.Duration(i) * time.Second), Payload: p,
		}
		sequences, err := w.streams[stream].Append(natstest.Context(w.t), eventstore.Append{
			Aggregate: id, ExpectedSequence: after, Events: []eventstore.Event{event},
		})
		require.NoError(w.t, err)
		after = sequences[0]
	}
}

func (w *world) reader(name string) readstore.Reader {
	w.t.Helper()
	r, err := w.projector.Reader(name)
	require.NoError(w.t, err)
	return r
}

var (
	price  = domain.Money{Amount: 2500, Currency: "EUR"}
	dearer = domain.Money{Amount: 2600, Currency: "EUR"}
)

func TestOffersFollowTheTicket(t *testing.T)     { testOffers(t, openSQLite(t)) }
func TestOffersFollowTheTicketCQL(t *testing.T)  { testOffers(t, openCQL(t)) }
func TestOrdersAreAsTheirEvents(t *testing.T)    { testOrders(t, openSQLite(t)) }
func TestOrdersAreAsTheirEventsCQL(t *testing.T) { testOrders(t, openCQL(t)) }

// testOffers: what the commands of orders are told of a ticket is what its events
// tell, after each of them.
func testOffers(t *testing.T, store readstore.Store) {
	w := setup(t, store)
	seller, by := uuid.New(), uuid.New()
	offers := readapi.NewOffers(w.store, w.reader("orders_tickets"))
	history := []eventstore.Payload{
		ticket.Listed{SellerID: seller, Title: "Carmen, row 3", Price: price}, ticket.Repriced{Price: dearer},
		ticket.Reserved{OrderID: by}, ticket.Released{OrderID: by}, ticket.Reserved{OrderID: by}, ticket.Sold{OrderID: by},
	}
	withdrawn := []eventstore.Payload{history[0], ticket.Withdrawn{}}
	for _, h := range append(prefixes(history), withdrawn) {
		id, state := uuid.New(), ticket.Initial()
		for _, e := range h {
			state = ticket.Evolve(state, e)
		}
		w.happened("TICKETS", id, h...)
		token := api.Token{Stream: "tickets", Aggregate: id, Version: uint64(len(h))}
		offer, err := offers.Offer(natstest.Context(t), id, []api.Token{token}, api.MaxWait)
		require.NoError(t, err)
		require.Equal(t, order.Offer{SellerID: seller, Title: "Carmen, row 3", Price: state.Price, Status: state.Status}, offer)
	}
}

func prefixes(history []eventstore.Payload) (all [][]eventstore.Payload) {
	for i := range history {
		all = append(all, history[:i+1])
	}
	return all
}

// testOrders: the rows of an order, read by its buyer, are the order as its events
// tell it.
func testOrders(t *testing.T, store readstore.Store) {
	w := setup(t, store)
	buyer := uuid.New()
	queries, err := readapi.NewOrderQueries(w.store, w.reader("orders"), make([]byte, 32))
	require.NoError(t, err)
	ctx := api.WithCaller(natstest.Context(t), api.Caller{Account: buyer, Role: api.RoleUser})
	placed := order.Placed{
		TicketID: uuid.New(), BuyerID: buyer, SellerID: uuid.New(), Title: "Carmen, row 3", Price: price, ExpiresAt: noon.Add(15 * time.Minute),
	}
	rejected, cancelled := order.Rejected{Reason: "ticket_not_available"}, order.Cancelled{Reason: "found a better seat"}
	want := map[string]api.Order{}
	var tokens string
	for _, h := range [][]eventstore.Payload{
		{placed}, {placed, order.Confirmed{}}, {placed, rejected}, {placed, cancelled}, {placed, order.Confirmed{}, cancelled},
		{placed, order.Confirmed{}, order.Expired{}}, {placed, order.Confirmed{}, order.Completed{PaymentID: uuid.New()}},
	} {
		id := uuid.New()
		w.happened("ORDERS", id, h...)
		want[id.String()] = expected(id, h)
		token := api.Token{Stream: "orders", Aggregate: id, Version: uint64(len(h))}.String()
		tokens += "," + token
		answer, err := queries.GetOrder(ctx, api.GetOrderRequestObject{ID: id, Params: api.GetOrderParams{ConsistencyToken: token, Prefer: "wait=10"}})
		require.NoError(t, err)
		require.Equal(t, want[id.String()], answer.(api.GetOrder200JSONResponse).Body)
	}
	answer, err := queries.GetOrders(ctx, api.GetOrdersRequestObject{Params: api.GetOrdersParams{ConsistencyToken: tokens, Prefer: "wait=10"}})
	require.NoError(t, err)
	listed := map[string]api.Order{}
	for _, o := range answer.(api.GetOrders200JSONResponse).Body.Items {
		listed[o.ID] = o
	}
	require.Equal(t, want, listed, "each once, in its newest version")

	found, err := w.projector.Verify(natstest.Context(t), nil)
	require.NoError(t, err)
	require.Zero(t, found.Errors+found.Warnings, "%+v", found.Findings)
}

// expected folds the events by the domain's own rules.
func expected(id uuid.UUID, history []eventstore.Payload) api.Order {
	s := order.Initial()
	for _, e := range history {
		s = order.Evolve(s, e)
	}
	o := api.Order{
		ID: id.String(), Version: int64(len(history)), Status: api.OrderStatus(s.Status), TicketID: s.TicketID.String(),
		BuyerID: s.BuyerID.String(), SellerID: s.SellerID.String(), Title: s.Title, Price: api.Money(s.Price), ExpiresAt: s.ExpiresAt,
		PlacedAt: noon, UpdatedAt: noon.Add(time.Duration(len(history)-1) * time.Second), Reason: s.Reason,
	}
	if s.PaymentID != uuid.Nil {
		o.PaymentID = s.PaymentID.String()
	}
	return o
}
