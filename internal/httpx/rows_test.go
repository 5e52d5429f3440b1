package httpx_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// model stands for a projection: a reader over tables that the test fills.
type model struct {
	t        testing.TB
	store    readstore.Store
	stream   string
	home     *readstore.Table
	lists    map[string]*readstore.Bucketed
	mu       sync.Mutex
	revision int
	parked   map[uuid.UUID]bool
	unable   error // what View answers
	views    int
}

func newModel(t testing.TB, store readstore.Store, stream string, home *readstore.Table, lists ...*readstore.Bucketed) *model {
	t.Helper()
	m := &model{
		t: t, store: store, stream: stream, home: home, lists: map[string]*readstore.Bucketed{},
		revision: 1, parked: map[uuid.UUID]bool{},
	}
	tables := []*readstore.Table{home}
	for _, l := range lists {
		m.lists[l.Table.Name] = l
		tables = append(tables, l.Table, l.Marks)
	}
	require.NoError(t, store.Ensure(t.Context(), tables...))
	return m
}

func (m *model) Stream() string { return m.stream }

func (m *model) View(context.Context) (readstore.View, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.views++
	return m, m.unable
}

func (m *model) Revision() int                        { return m.revision }
func (m *model) Table(string) *readstore.Table        { return m.home }
func (m *model) List(name string) *readstore.Bucketed { return m.lists[name] }
func (m *model) Wait(ctx context.Context, id uuid.UUID, version uint64) error {
	for {
		found, err := m.store.Get(ctx, m.home, readstore.Key{id.String()})
		if err == nil && found[0] != nil && found[0][1].(int64) >= int64(version) {
			return nil
		}
		if err == nil && m.parked[id] {
			return &readstore.ParkedError{Projection: m.home.Name, Aggregate: id, Version: version, Cause: "not for strangers"}
		}
		select {
		case <-ctx.Done():
			return readstore.ErrNotYet
		case <-time.After(time.Millisecond):
		}
	}
}

func text(names ...string) (columns []readstore.Column) { return typed(readstore.Text, names...) }

func typed(typ readstore.Type, names ...string) (columns []readstore.Column) {
	for _, n := range names {
		columns = append(columns, readstore.Column{Name: n, Type: typ})
	}
	return columns
}

// list is a table of two shards, read newest first.
func list(name, by, at string, values []readstore.Column) *readstore.Bucketed {
	return readstore.NewBucketed(&readstore.Table{
		Name:       name,
		Partition:  append(text(by, "month"), readstore.Column{Name: "shard", Type: readstore.Int}),
		Clustering: []readstore.Column{{Name: at, Type: readstore.Time, Desc: true}, {Name: "id", Type: readstore.Text}},
		Values:     values,
	}, 2)
}

// rows stands for the tickets projection.
type rows struct{ *model }

func newRows(t testing.TB, store readstore.Store) *rows {
	t.Helper()
	values := func(names ...string) []readstore.Column {
		return slices.Concat(typed(readstore.Int, "version"), text(names...), text("title"),
			typed(readstore.Int, "price_amount"), text("price_currency", "order_id"))
	}
	home := &readstore.Table{
		Name: "tickets", Partition: text("id"),
		Values: append(values("status", "seller_id"), typed(readstore.Time, "listed_at", "updated_at")...),
	}
	updated := typed(readstore.Time, "updated_at")
	return &rows{newModel(t, store, "TICKETS", home,
		list("tickets_by_status", "status", "listed_at", append(values("seller_id"), updated...)),
		list("tickets_by_seller", "seller_id", "listed_at", append(values("status"), updated...)))}
}

// row is a ticket as a projection would keep it.
type row struct {
	id, seller uuid.UUID
	version    int64
	status     ticket.Status
	title      string
	order      string
	listed     time.Time
}

var price = domain.Money{Amount: 2500, Currency: "EUR"}

func (r *rows) put(all ...row) {
	r.t.Helper()
	var index, marks, home []readstore.Mutation
	for _, w := range all {
		id, seller, status := w.id.String(), w.seller.String(), string(w.status)
		listed := w.listed.UTC().Truncate(time.Millisecond)
		for name, by := range map[string][2]string{"tickets_by_status": {status, seller}, "tickets_by_seller": {seller, status}} {
			l := r.lists[name]
			line := append(readstore.Row(l.Key(readstore.Key{by[0]}, listed, id)), w.version, by[1], w.title, price.Amount, price.Currency, w.order, listed)
			index = append(index, readstore.Mutation{Table: l.Table, Row: line, Timestamp: w.version})
			marks = append(marks, l.MarkMutations(time.Now(), []readstore.Row{line})...)
		}
		home = append(home, readstore.Mutation{Table: r.home, Timestamp: w.version,
			Row: readstore.Row{id, w.version, status, seller, w.title, price.Amount, price.Currency, w.order, listed, listed}})
	}
	require.NoError(r.t, r.store.Write(context.Background(), index, marks, home))
}

// offers stands for the orders' own copy of tickets.
type offers struct{ *model }

func newOffers(t testing.TB, store readstore.Store) *offers {
	t.Helper()
	return &offers{newModel(t, store, "TICKETS", &readstore.Table{
		Name: "orders_tickets", Partition: text("id"),
		Values: slices.Concat(typed(readstore.Int, "version"), text("status", "seller_id", "title"), typed(readstore.Int, "price_amount"), text("price_currency")),
	})}
}

func (o *offers) put(id, seller uuid.UUID, version int64, status ticket.Status) {
	o.t.Helper()
	line := readstore.Row{id.String(), version, string(status), seller.String(), "Row 7, seat 12", price.Amount, price.Currency}
	require.NoError(o.t, o.store.Write(context.Background(), []readstore.Mutation{{Table: o.home, Row: line, Timestamp: version}}))
}

// purchases stands for the orders projection.
type purchases struct{ *model }

func newPurchases(t testing.TB, store readstore.Store) *purchases {
	t.Helper()
	values := func(names ...string) []readstore.Column {
		return slices.Concat(typed(readstore.Int, "version"), text("status", "ticket_id", "seller_id", "title"), typed(readstore.Int, "price_amount"),
			text("price_currency"), typed(readstore.Time, append(names, "expires_at", "updated_at")...), text("reason", "payment_id"))
	}
	home := &readstore.Table{Name: "orders", Partition: text("id"), Values: append(values("placed_at"), text("buyer_id")...)}
	return &purchases{newModel(t, store, "ORDERS", home, list("orders_by_buyer", "buyer_id", "placed_at", values()))}
}

// purchase is an order as a projection would keep it.
type purchase struct {
	id, buyer, ticket, seller uuid.UUID
	version                   int64
	status                    order.Status
	title, reason, payment    string
	placed                    time.Time
}

func (p *purchases) put(all ...purchase) {
	p.t.Helper()
	var index, marks, home []readstore.Mutation
	for _, w := range all {
		id, placed, l := w.id.String(), w.placed.UTC().Truncate(time.Millisecond), p.lists["orders_by_buyer"]
		terms := readstore.Row{w.version, string(w.status), w.ticket.String(), w.seller.String(), w.title, price.Amount, price.Currency}
		ends := readstore.Row{placed.Add(time.Hour), placed, w.reason, w.payment}
		line := slices.Concat(readstore.Row(l.Key(readstore.Key{w.buyer.String()}, placed, id)), terms, ends)
		index = append(index, readstore.Mutation{Table: l.Table, Row: line, Timestamp: w.version})
		marks = append(marks, l.MarkMutations(time.Now(), []readstore.Row{line})...)
		home = append(home, readstore.Mutation{Table: p.home, Timestamp: w.version,
			Row: slices.Concat(readstore.Row{id}, terms, readstore.Row{placed}, ends, readstore.Row{w.buyer.String()})})
	}
	require.NoError(p.t, p.store.Write(context.Background(), index, marks, home))
}
