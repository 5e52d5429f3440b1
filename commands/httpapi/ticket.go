package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/google/uuid"
)

// TicketHandler handles the commands of tickets; *commands.Handler does. Safe for
// concurrent use.
type TicketHandler interface {
	Handle(context.Context, commands.Command[ticket.Command]) (commands.Result[ticket.State], error)
}

// TicketCommands is the endpoints that change tickets. Safe for concurrent use.
type TicketCommands struct{ handler TicketHandler }

// NewTicketCommands sends commands to handler.
func NewTicketCommands(handler TicketHandler) *TicketCommands {
	return &TicketCommands{handler: handler}
}

// TicketDecider is the ticket's decider in the form that a commands.Handler takes.
func TicketDecider() commands.Decider[ticket.State, ticket.Command] {
	return commands.Adapt(ticket.Initial, ticket.Decide, ticket.Evolve)
}

// PostTicket is POST /v1/tickets.
func (t *TicketCommands) PostTicket(ctx context.Context, r api.PostTicketRequestObject) (api.PostTicketResponseObject, error) {
	caller := api.CallerFrom(ctx)
	e := envelope{caller: caller, operation: "ticket.list", key: r.Params.IdempotencyKey}
	cmd, err := creation[ticket.Command](e, "ticket", r.Body,
		ticket.List{SellerID: caller.Account, Title: r.Body.Title, Price: domain.Money(r.Body.Price)})
	if err != nil {
		return nil, err
	}
	result, err := t.handler.Handle(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return api.PostTicket201JSONResponse{
		Body: ticketOf(cmd.Aggregate, result), Headers: api.PostTicket201ResponseHeaders(ticketHeaders(cmd.Aggregate, result)),
	}, nil
}

// PutTicketPrice is PUT /v1/tickets/{id}/price.
func (t *TicketCommands) PutTicketPrice(ctx context.Context, r api.PutTicketPriceRequestObject) (api.PutTicketPriceResponseObject, error) {
	caller := api.CallerFrom(ctx)
	e := envelope{caller: caller, operation: "ticket.reprice", target: r.ID.String(), key: r.Params.IdempotencyKey}
	price := domain.Money(*r.Body)
	// Before the ticket's version is looked at, and where it stands in this body.
	if err := price.Validate(""); err != nil {
		return nil, err
	}
	result, err := t.change(ctx, e, r.ID, r.Params.IfMatch, r.Body, ticket.Reprice{SellerID: caller.Account, Price: price})
	if err != nil {
		return nil, err
	}
	return api.PutTicketPrice200JSONResponse{Body: ticketOf(r.ID, result), Headers: ticketHeaders(r.ID, result)}, nil
}

// WithdrawTicket is POST /v1/tickets/{id}/withdraw.
func (t *TicketCommands) WithdrawTicket(ctx context.Context, r api.WithdrawTicketRequestObject) (api.WithdrawTicketResponseObject, error) {
	caller := api.CallerFrom(ctx)
	e := envelope{caller: caller, operation: "ticket.withdraw", target: r.ID.String(), key: r.Params.IdempotencyKey}
	result, err := t.change(ctx, e, r.ID, r.Params.IfMatch, nil, ticket.Withdraw{SellerID: caller.Account})
	if err != nil {
		return nil, err
	}
	return api.WithdrawTicket200JSONResponse{
		Body: ticketOf(r.ID, result), Headers: api.WithdrawTicket200ResponseHeaders(ticketHeaders(r.ID, result)),
	}, nil
}

func (t *TicketCommands) change(ctx context.Context, e envelope, id uuid.UUID, ifMatch *string, asked any, body ticket.Command) (commands.Result[ticket.State], error) {
	cmd, err := command(e, id, asked, body)
	if err != nil {
		return commands.Result[ticket.State]{}, err
	}
	result, err := conditional(ctx, ifMatch, cmd, t.handler.Handle)
	var mismatch *commands.VersionMismatchError
	if errors.As(err, &mismatch) && mismatch.Actual == 0 {
		return result, ticket.ErrNotFound
	}
	return result, err
}

func ticketOf(id uuid.UUID, r commands.Result[ticket.State]) api.Ticket {
	t := api.Ticket{
		ID: id.String(), Version: int64(r.Version), Status: api.TicketStatus(r.State.Status),
		SellerID: r.State.SellerID.String(), Title: r.State.Title, Price: api.Money(r.State.Price),
		ListedAt: r.Created.Truncate(time.Millisecond), UpdatedAt: r.Updated.Truncate(time.Millisecond),
	}
	if r.State.OrderID != uuid.Nil {
		t.OrderID = r.State.OrderID.String()
	}
	return t
}

// ticketHeaders has the shape of all three answers' headers.
func ticketHeaders(id uuid.UUID, r commands.Result[ticket.State]) api.PutTicketPrice200ResponseHeaders {
	return api.PutTicketPrice200ResponseHeaders{
		ETag:             api.ETag(r.Version, 1),
		Location:         "/v1/tickets/" + id.String(),
		ConsistencyToken: api.Token{Stream: "tickets", Aggregate: id, Version: r.Version}.String(),
		CacheControl:     "no-store",
	}
}
