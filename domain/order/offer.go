package order

import (
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/google/uuid"
)

// Offer is what orders know of a ticket, by their own copy of it, which may be
// behind: the terms of a new order.
type Offer struct {
	SellerID uuid.UUID
	Title    string
	Price    domain.Money
	Status   ticket.Status
}

// Refuse is ticket.ErrNotAvailable where the ticket is gone for good, else nil.
// That it is reserved, here, is no reason: it may be free again, and the ticket
// itself decides who gets it.
func (o Offer) Refuse() error {
	if o.Status == ticket.StatusSold || o.Status == ticket.StatusWithdrawn {
		return ticket.ErrNotAvailable.Because("the ticket is " + string(o.Status) + ", not available")
	}
	return nil
}
