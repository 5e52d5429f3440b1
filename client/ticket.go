package client

import (
	"context"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
)

// ListTicket puts a ticket up for sale.
func (c *Client) ListTicket(ctx context.Context, title string, price api.Money, options ...Option) (Reply[api.Ticket], error) {
	return Do[api.Ticket](ctx, c, "ticket.list", uuid.Nil, api.NewTicket{Title: title, Price: price}, options...)
}

// RepriceTicket changes the price of one's own ticket.
func (c *Client) RepriceTicket(ctx context.Context, id uuid.UUID, price api.Money, options ...Option) (Reply[api.Ticket], error) {
	return Do[api.Ticket](ctx, c, "ticket.reprice", id, price, options...)
}

// WithdrawTicket takes one's own ticket back.
func (c *Client) WithdrawTicket(ctx context.Context, id uuid.UUID, options ...Option) (Reply[api.Ticket], error) {
	return Do[api.Ticket](ctx, c, "ticket.withdraw", id, nil, options...)
}
