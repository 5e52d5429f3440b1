package client

import (
	"context"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
)

// PlaceOrder orders a ticket at the price it is offered at. With Wait it answers
// once that is decided; a *Problem says why not.
func (c *Client) PlaceOrder(ctx context.Context, ticket uuid.UUID, options ...Option) (Reply[api.Order], error) {
	return Do[api.Order](ctx, c, "order.place", uuid.Nil, map[string]any{"ticket_id": ticket}, options...)
}

// CancelOrder ends one's own order; the reason may be empty.
func (c *Client) CancelOrder(ctx context.Context, id uuid.UUID, reason string, options ...Option) (Reply[api.Order], error) {
	return Do[api.Order](ctx, c, "order.cancel", id, map[string]any{"reason": reason}, options...)
}
