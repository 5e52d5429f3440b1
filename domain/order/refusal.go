package order

import "github.com/admitone/admitone/domain"

// Refusals of an order. ErrID, ErrExpiry and ErrReason come with the field at
// fault; those of its price are domain.ErrAmount and domain.ErrCurrency.
var (
	ErrID       = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_id", Detail: "the id must not be empty"}
	ErrExpiry   = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_expiry", Detail: "an order must say when it expires"}
	ErrReason   = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_reason", Detail: "the reason must be valid UTF-8 of at most 200 characters"}
	ErrNotFound = &domain.Refusal{Kind: domain.NotFound, Code: "order_not_found", Detail: "there is no such order"}
	// ErrNotBuyer answers to a stranger word for word as ErrNotFound does, and
	// matches it: whose order it is, and that it is one, is not his to know.
	ErrNotBuyer      = &domain.Refusal{Kind: domain.NotFound, Code: ErrNotFound.Code, Detail: ErrNotFound.Detail}
	ErrAlreadyPlaced = &domain.Refusal{Kind: domain.Conflict, Code: "order_already_placed", Detail: "the order is placed already"}
	ErrOwnTicket     = &domain.Refusal{Kind: domain.Conflict, Code: "order_own_ticket", Detail: "nobody can buy his own ticket"}
	ErrEnded         = &domain.Refusal{Kind: domain.Conflict, Code: "order_ended", Detail: "the order has ended"}
	ErrDecided       = &domain.Refusal{Kind: domain.Conflict, Code: "order_decided", Detail: "the order has got its ticket and can no longer be rejected"}
	ErrNotConfirmed  = &domain.Refusal{Kind: domain.Conflict, Code: "order_not_confirmed", Detail: "the order has not got its ticket yet and cannot be completed"}
	ErrNotDue        = &domain.Refusal{Kind: domain.Conflict, Code: "order_not_due", Detail: "the order has not reached the time it expires at"}
)
