package readapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// offersTable is the table of the projection that offers are read from.
const offersTable = "orders_tickets"

// Offers looks up what a ticket is offered at, in the orders' own copy of tickets,
// for commands on orders. Safe for concurrent use.
type Offers struct {
	store   readstore.Store
	tickets readstore.Reader
}

// NewOffers reads the projection that is the orders' copy of tickets.
func NewOffers(store readstore.Store, tickets readstore.Reader) *Offers {
	return &Offers{store: store, tickets: tickets}
}

// Offer is what a ticket is offered at, once the copy holds the versions that the
// tokens of tickets name. A ticket that the copy does not have yet is waited for.
// Both together take at most wait; then it is readstore.ErrNotYet for a version,
// and ticket.ErrNotFound for a ticket. Beside these it answers as queries do:
// readstore.ErrParked, ErrBuilding, ErrUnavailable.
func (o *Offers) Offer(ctx context.Context, id uuid.UUID, tokens []api.Token, wait time.Duration) (order.Offer, error) {
	end := endOf(wait)
	view, err := openUntil(ctx, end, o.tickets, tokens, nil)
	if err != nil {
		return order.Offer{}, err
	}
	row, err := o.row(ctx, end, view, id)
	if err != nil {
		return order.Offer{}, err
	}
	return offerOf(columnsOf(view.Table(offersTable)), row)
}

// row waits for one that is not there yet.
func (o *Offers) row(ctx context.Context, end time.Time, view readstore.View, id uuid.UUID) (readstore.Row, error) {
	table, key := view.Table(offersTable), readstore.Key{id.String()}
	rows, err := o.store.Get(ctx, table, key)
	if err != nil || rows[0] != nil {
		return first(rows), err
	}
	err = awaitUntil(ctx, end, view, id, 1)
	switch {
	case errors.Is(err, readstore.ErrNotYet) && ctx.Err() == nil:
		return nil, ticket.ErrNotFound
	case err != nil:
		return nil, err
	}
	rows, err = o.store.Get(ctx, table, key)
	if err == nil && rows[0] == nil {
		err = ticket.ErrNotFound
	}
	return first(rows), err
}

func first(rows []readstore.Row) readstore.Row {
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}

func offerOf(in columns, row readstore.Row) (order.Offer, error) {
	seller, err := uuid.Parse(in.text(row, "seller_id"))
	if err != nil {
		return order.Offer{}, fmt.Errorf("readapi: seller of ticket %s: %w", in.text(row, "id"), err)
	}
	return order.Offer{
		SellerID: seller, Title: in.text(row, "title"), Price: domain.Money(in.price(row)), Status: ticket.Status(in.text(row, "status")),
	}, nil
}
