package order

import (
	"time"

	"github.com/admitone/admitone/domain"
	"github.com/google/uuid"
)

// Event is a fact about one order. EventType is the name it is recorded under.
type Event interface{ EventType() string }

// Placed is the first event of every order: a buyer wants a ticket at the price
// that it was offered at.
type Placed struct {
	TicketID  uuid.UUID    `json:"ticket_id"`
	BuyerID   uuid.UUID    `json:"buyer_id"`
	SellerID  uuid.UUID    `json:"seller_id"`
	Title     string       `json:"title"`
	Price     domain.Money `json:"price"`
	ExpiresAt time.Time    `json:"expires_at"`
}

// Confirmed: the ticket is reserved for the order, which now waits for its payment.
type Confirmed struct{}

// Rejected: the order does not get the ticket. It is an end.
type Rejected struct {
	Reason string `json:"reason"` // the code of the refusal: "ticket_not_available"
}

// Cancelled: the buyer does not want the ticket any more. It is an end.
type Cancelled struct {
	Reason string `json:"reason"` // in the buyer's own words; may be empty
}

// Expired: nobody paid in time. It is an end.
type Expired struct{}

// Completed: the order is paid, and the ticket the buyer's. It is an end.
type Completed struct {
	PaymentID uuid.UUID `json:"payment_id"`
}

// EventType is "order.placed.v1".
func (Placed) EventType() string { return "order.placed.v1" }

// EventType is "order.confirmed.v1".
func (Confirmed) EventType() string { return "order.confirmed.v1" }

// EventType is "order.rejected.v1".
func (Rejected) EventType() string { return "order.rejected.v1" }

// EventType is "order.cancelled.v1".
func (Cancelled) EventType() string { return "order.cancelled.v1" }

// EventType is "order.expired.v1".
func (Expired) EventType() string { return "order.expired.v1" }

// EventType is "order.completed.v1".
func (Completed) EventType() string { return "order.completed.v1" }

// Events lists a zero value of each event type in its newest revision, to be
// registered with the event store.
func Events() []Event {
	return []Event{Placed{}, Confirmed{}, Rejected{}, Cancelled{}, Expired{}, Completed{}}
}
