package readapi

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/readstore"
)

// Tables of the projection that orders are read from.
const (
	ordersTable   = "orders"
	ordersByBuyer = "orders_by_buyer"
)

// OrderQueries is the GET endpoints of orders. Safe for concurrent use.
type OrderQueries struct {
	store   readstore.Store
	orders  readstore.Reader
	cursors cursors
}

// NewOrderQueries reads the projection behind orders; cursorKey signs page cursors
// and must be the same in all copies of the service.
func NewOrderQueries(store readstore.Store, orders readstore.Reader, cursorKey []byte) (*OrderQueries, error) {
	if len(cursorKey) < 16 {
		return nil, errors.New("readapi: the key for cursors is shorter than 16 bytes")
	}
	return &OrderQueries{store: store, orders: orders, cursors: cursors{key: cursorKey}}, nil
}

// GetOrder is GET /v1/orders/{id}. Whoever asks, only his own are there.
func (q *OrderQueries) GetOrder(ctx context.Context, r api.GetOrderRequestObject) (api.GetOrderResponseObject, error) {
	known, err := knownTags(r.Params.IfNoneMatch)
	if err != nil {
		return nil, err
	}
	view, err := open(ctx, q.orders, r.Params.ConsistencyToken, r.Params.Prefer, q.own())
	if err != nil {
		return nil, err
	}
	table := view.Table(ordersTable)
	rows, err := q.store.Get(ctx, table, readstore.Key{r.ID.String()})
	if err != nil {
		return nil, err
	}
	if rows[0] == nil {
		return nil, order.ErrNotFound
	}
	found := orderOf(columnsOf(table), rows[0])
	if !isOwn(api.CallerFrom(ctx), found.BuyerID) {
		return nil, order.ErrNotBuyer
	}
	etag := api.ETag(uint64(found.Version), view.Revision())
	if known.Match(etag) {
		return api.GetOrder304Response{Headers: api.GetOrder304ResponseHeaders{ETag: etag, CacheControl: mayKeep}}, nil
	}
	return api.GetOrder200JSONResponse{Body: found, Headers: api.GetOrder200ResponseHeaders{ETag: etag, CacheControl: mayKeep}}, nil
}

// own lets buyers know of their orders, and nobody else.
func (q *OrderQueries) own() mayKnow { return ownIn(q.store, ordersTable, "buyer_id") }

// GetOrders is GET /v1/orders. Whoever asks, the list is one's own.
func (q *OrderQueries) GetOrders(ctx context.Context, r api.GetOrdersRequestObject) (api.GetOrdersResponseObject, error) {
	want, err := orderQueryOf(api.CallerFrom(ctx), r.Params)
	if err != nil {
		return nil, err
	}
	view, err := open(ctx, q.orders, r.Params.ConsistencyToken, r.Params.Prefer, q.own())
	if err != nil {
		return nil, err
	}
	after, err := q.cursors.open(r.Params.Cursor, view.Revision(), want.name())
	if err != nil {
		return nil, err
	}
	items, next, err := readList(ctx, q.store, view.List(ordersByBuyer), readstore.Key{want.buyer}, want.limit, after, orderOf, want.keeps)
	if err != nil {
		return nil, err
	}
	page := api.OrderList{Items: items}
	if next != nil {
		page.NextCursor = q.cursors.seal(view.Revision(), want.name(), *next)
	}
	return api.GetOrders200JSONResponse{Body: page, Headers: api.GetOrders200ResponseHeaders{CacheControl: mayKeep}}, nil
}

// orderQuery is which orders a list is of.
type orderQuery struct {
	buyer  string
	status string // empty: in every status
	limit  int
}

var orderStatuses = []string{
	string(order.StatusPlaced), string(order.StatusAwaitingPayment), string(order.StatusCompleted),
	string(order.StatusRejected), string(order.StatusCancelled), string(order.StatusExpired),
}

func orderQueryOf(c api.Caller, p api.GetOrdersParams) (orderQuery, error) {
	q := orderQuery{buyer: c.Account.String(), status: string(p.Status)}
	var faults []api.FieldError
	if q.status != "" && !slices.Contains(orderStatuses, q.status) {
		faults = append(faults, api.FieldError{Pointer: "status", Detail: "must be one of " + strings.Join(orderStatuses, ", ")})
	}
	q.limit, faults = limitOf(p.Limit, faults)
	if faults != nil {
		return orderQuery{}, &api.InvalidError{Errors: faults}
	}
	return q, nil
}

// name tells queries apart in cursors.
func (q orderQuery) name() string { return "orders/" + q.buyer + "/" + q.status }

func (q orderQuery) keeps(o api.Order) bool { return q.status == "" || string(o.Status) == q.status }

// orderOf reads a row of either table.
func orderOf(in columns, row readstore.Row) api.Order {
	return api.Order{
		ID: in.text(row, "id"), Version: in.number(row, "version"), Status: api.OrderStatus(in.text(row, "status")),
		TicketID: in.text(row, "ticket_id"), BuyerID: in.text(row, "buyer_id"), SellerID: in.text(row, "seller_id"),
		Title: in.text(row, "title"), Price: in.price(row), ExpiresAt: in.moment(row, "expires_at"),
		PlacedAt: in.moment(row, "placed_at"), UpdatedAt: in.moment(row, "updated_at"),
		Reason: in.text(row, "reason"), PaymentID: in.text(row, "payment_id"),
	}
}
