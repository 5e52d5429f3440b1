package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain/order"
	"github.com/google/uuid"
)

// OrderHandler handles the commands of orders and shows them; *commands.Handler
// does. Safe for concurrent use.
type OrderHandler interface {
	Handle(context.Context, commands.Command[order.Command]) (commands.Result[order.State], error)
	At(ctx context.Context, id uuid.UUID, version uint64) (commands.Result[order.State], error)
}

// Offers tells what a ticket is offered at, by the orders' own copy of tickets.
// Safe for concurrent use.
type Offers interface {
	// Offer answers once the copy holds what the tokens name, and the ticket; it
	// waits for these no longer than wait. ticket.ErrNotFound, or why the copy cannot
	// be read, for the table of errors.
	Offer(ctx context.Context, ticket uuid.UUID, tokens []api.Token, wait time.Duration) (order.Offer, error)
}

// Decisions signals that something happened to an order. Safe for concurrent use.
type Decisions interface {
	// Wait returns a channel that is closed when the order's version is stored after
	// the call, or may have been. Call forget at the end.
	Wait(order uuid.UUID, version uint64) (reached <-chan struct{}, forget func())
}

// OrderCommands is the endpoints that change orders. Safe for concurrent use.
type OrderCommands struct {
	handler   OrderHandler
	offers    Offers
	decisions Decisions
	expiry    time.Duration
}

// NewOrderCommands sends commands to handler. An order that is not paid expires
// when it is as old as expiry, counted in milliseconds.
func NewOrderCommands(handler OrderHandler, offers Offers, decisions Decisions, expiry time.Duration) *OrderCommands {
	return &OrderCommands{handler: handler, offers: offers, decisions: decisions, expiry: expiry}
}

// OrderDecider is the order's decider in the form that a commands.Handler takes.
func OrderDecider() commands.Decider[order.State, order.Command] {
	return commands.Adapt(order.Initial, order.Decide, order.Evolve)
}

// PostOrder is POST /v1/orders.
func (o *OrderCommands) PostOrder(ctx context.Context, r api.PostOrderRequestObject) (api.PostOrderResponseObject, error) {
	p, err := newPlacing(api.CallerFrom(ctx), r)
	if err != nil {
		return nil, err
	}
	place := o.place
	if p.awaits {
		place = o.placeAndAwait
	}
	result, err := place(ctx, p)
	if err != nil {
		return nil, err
	}
	id := p.command.Aggregate
	return api.PostOrder201JSONResponse{Body: orderOf(id, result), Headers: orderHeaders(id, result)}, nil
}

// CancelOrder is POST /v1/orders/{id}/cancel.
func (o *OrderCommands) CancelOrder(ctx context.Context, r api.CancelOrderRequestObject) (api.CancelOrderResponseObject, error) {
	caller := api.CallerFrom(ctx)
	var asked api.Cancellation // no body says as much as an empty one
	if r.Body != nil {
		asked = *r.Body
	}
	e := envelope{caller: caller, operation: "order.cancel", target: r.ID.String(), key: r.Params.IdempotencyKey}
	cmd, err := command[order.Command](e, r.ID, asked, order.Cancel{BuyerID: caller.Account, Reason: asked.Reason})
	if err != nil {
		return nil, err
	}
	result, err := conditional(ctx, r.Params.IfMatch, cmd, o.handler.Handle)
	if errors.Is(err, commands.ErrVersionMismatch) {
		err = o.unlessStranger(ctx, r.ID, caller.Account, err)
	}
	if err != nil {
		return nil, err
	}
	return api.CancelOrder200JSONResponse{
		Body: orderOf(r.ID, result), Headers: api.CancelOrder200ResponseHeaders(orderHeaders(r.ID, result)),
	}, nil
}

// unlessStranger keeps from strangers that there is such an order, at a version.
func (o *OrderCommands) unlessStranger(ctx context.Context, id, account uuid.UUID, mismatch error) error {
	first, err := o.handler.At(ctx, id, placedVersion)
	switch {
	case err != nil:
		return err
	case first.Version == 0:
		return order.ErrNotFound
	case first.State.BuyerID != account:
		return order.ErrNotBuyer
	}
	return mismatch
}

func orderOf(id uuid.UUID, r commands.Result[order.State]) api.Order {
	s := r.State
	o := api.Order{
		ID: id.String(), Version: int64(r.Version), Status: api.OrderStatus(s.Status),
		TicketID: s.TicketID.String(), BuyerID: s.BuyerID.String(), SellerID: s.SellerID.String(),
		Title: s.Title, Price: api.Money(s.Price), ExpiresAt: s.ExpiresAt.UTC().Truncate(time.Millisecond),
		PlacedAt: r.Created.Truncate(time.Millisecond), UpdatedAt: r.Updated.Truncate(time.Millisecond), Reason: s.Reason,
	}
	if s.PaymentID != uuid.Nil {
		o.PaymentID = s.PaymentID.String()
	}
	return o
}

// orderHeaders has the shape of both answers' headers.
func orderHeaders(id uuid.UUID, r commands.Result[order.State]) api.PostOrder201ResponseHeaders {
	return api.PostOrder201ResponseHeaders{
		ETag:             api.ETag(r.Version, 1),
		Location:         "/v1/orders/" + id.String(),
		ConsistencyToken: api.Token{Stream: "orders", Aggregate: id, Version: r.Version}.String(),
		CacheControl:     "no-store",
	}
}
