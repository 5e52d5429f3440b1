package ticket

import (
	"github.com/admitone/admitone/domain"
	"github.com/google/uuid"
)

// Event is a fact about one ticket. EventType is the name it is recorded under.
type Event interface{ EventType() string }

// Listed is the first event of every ticket: a seller offers it.
type Listed struct {
	SellerID uuid.UUID    `json:"seller_id"`
	Title    string       `json:"title"`
	Price    domain.Money `json:"price"`
}

// Repriced: the seller offers it at another price.
type Repriced struct {
	Price domain.Money `json:"price"`
}

// Reserved: an order holds the ticket; nobody else can have it.
type Reserved struct {
	OrderID uuid.UUID `json:"order_id"`
}

// Released: the order that held it let it go; it is for sale again.
type Released struct {
	OrderID uuid.UUID `json:"order_id"`
}

// Sold: the order that held it was paid. It is an end.
type Sold struct {
	OrderID uuid.UUID `json:"order_id"`
}

// Withdrawn: the seller took it back. It is an end.
type Withdrawn struct{}

// EventType is "ticket.listed.v1".
func (Listed) EventType() string { return "ticket.listed.v1" }

// EventType is "ticket.repriced.v1".
func (Repriced) EventType() string { return "ticket.repriced.v1" }

// EventType is "ticket.reserved.v1".
func (Reserved) EventType() string { return "ticket.reserved.v1" }

// EventType is "ticket.released.v1".
func (Released) EventType() string { return "ticket.released.v1" }

// EventType is "ticket.sold.v1".
func (Sold) EventType() string { return "ticket.sold.v1" }

// EventType is "ticket.withdrawn.v1".
func (Withdrawn) EventType() string { return "ticket.withdrawn.v1" }

// Events lists a zero value of each event type in its newest revision, to be
// registered with the event store.
func Events() []Event {
	return []Event{Listed{}, Repriced{}, Reserved{}, Released{}, Sold{}, Withdrawn{}}
}
