package readapi

import (
	"context"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// NewestOf is a buyer's orders, newest first, at most limit. It is for the program
// itself, which answers for what it does with them.
func (q *OrderQueries) NewestOf(ctx context.Context, buyer uuid.UUID, limit int) ([]api.Order, error) {
	view, err := q.orders.View(ctx)
	if err != nil {
		return nil, err
	}
	all := func(api.Order) bool { return true }
	items, _, err := readList(ctx, q.store, view.List(ordersByBuyer), readstore.Key{buyer.String()}, limit, nil, orderOf, all)
	return items, err
}

// ForSale is the tickets that are for sale up to a price, newest first, at most limit;
// the zero price is any. more says that there may be others: the list is not read to
// its end for a price that few are under.
func (q *TicketQueries) ForSale(ctx context.Context, upTo api.Money, limit int) (items []api.Ticket, more bool, err error) {
	view, err := q.tickets.View(ctx)
	if err != nil {
		return nil, false, err
	}
	affordable := func(t api.Ticket) bool {
		return upTo == api.Money{} || t.Price.Currency == upTo.Currency && t.Price.Amount <= upTo.Amount
	}
	prefix := readstore.Key{string(ticket.StatusAvailable)}
	items, next, err := readList(ctx, q.store, view.List(ticketsByStatus), prefix, limit, nil, ticketOf, affordable)
	return items, next != nil, err
}
