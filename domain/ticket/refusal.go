package ticket

import "github.com/admitone/admitone/domain"

// Refusals of a ticket. ErrID and ErrTitle come with the field at fault; those of
// its price are domain.ErrAmount and domain.ErrCurrency.
var (
	ErrID            = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_id", Detail: "the id must not be empty"}
	ErrTitle         = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_title", Detail: "the title must have 1 to 200 characters, not only spaces"}
	ErrNotFound      = &domain.Refusal{Kind: domain.NotFound, Code: "ticket_not_found", Detail: "there is no such ticket"}
	ErrNotSeller     = &domain.Refusal{Kind: domain.Forbidden, Code: "ticket_not_yours", Detail: "only its seller may change a ticket"}
	ErrAlreadyListed = &domain.Refusal{Kind: domain.Conflict, Code: "ticket_already_listed", Detail: "the ticket is listed already"}
	ErrNotAvailable  = &domain.Refusal{Kind: domain.Conflict, Code: "ticket_not_available", Detail: "the ticket is not available"}
	ErrPriceChanged  = &domain.Refusal{Kind: domain.Conflict, Code: "ticket_price_changed", Detail: "the ticket costs another price now"}
	ErrNotHolder     = &domain.Refusal{Kind: domain.Conflict, Code: "ticket_not_held", Detail: "the order does not hold the ticket"}
	ErrAlreadySold   = &domain.Refusal{Kind: domain.Conflict, Code: "ticket_already_sold", Detail: "the ticket is sold to this order and cannot be released"}
)
