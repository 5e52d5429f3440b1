// Package order is the order aggregate: its events, its commands and its rules,
// as a decider (Initial, Decide, Evolve).
//
// The command endpoints and processes send its commands, projections fold its
// events. It imports the standard library, uuid and domain only, and is pure.
package order

import (
	"time"

	"github.com/admitone/admitone/domain"
	"github.com/google/uuid"
)

// Status is where an order stands; empty for one that was never placed.
type Status string

// An order waits first for the ticket (placed), then for the money
// (awaiting_payment). The other four are endings, and it has one only.
const (
	StatusPlaced          Status = "placed"
	StatusAwaitingPayment Status = "awaiting_payment"
	StatusCompleted       Status = "completed"
	StatusRejected        Status = "rejected"
	StatusCancelled       Status = "cancelled"
	StatusExpired         Status = "expired"
)

// Ended reports whether nothing more can happen to an order in this status.
func (s Status) Ended() bool {
	switch s {
	case StatusCompleted, StatusRejected, StatusCancelled, StatusExpired:
		return true
	}
	return false
}

// State is what the events of one order amount to. Its JSON shape is part of
// snapshots: whoever changes it raises the snapshot revision.
type State struct {
	Status   Status       `json:"status"`
	TicketID uuid.UUID    `json:"ticket_id"`
	BuyerID  uuid.UUID    `json:"buyer_id"`
	SellerID uuid.UUID    `json:"seller_id"`
	Title    string       `json:"title"`
	Price    domain.Money `json:"price"` // what the buyer was offered; it never changes
	// ExpiresAt is when an order that nobody has paid ends by itself.
	ExpiresAt time.Time `json:"expires_at"`
	// Reason is why it was rejected or cancelled; may be empty for the latter.
	Reason string `json:"reason,omitempty"`
	// PaymentID is what completed it; else the zero UUID.
	PaymentID uuid.UUID `json:"payment_id,omitzero"`
}

// Initial is an order before its first event.
func Initial() State { return State{} }

// Decide answers a command with at most one event, with none when there is
// nothing to do, or with a *domain.Refusal. It does not change s.
func Decide(s State, c Command) ([]Event, error) { return c.decide(s) }

// Evolve is the state after one more event. An event of a type that is none of
// the order's changes nothing.
func Evolve(s State, e Event) State {
	switch e := e.(type) {
	case Placed:
		return State{
			Status: StatusPlaced, TicketID: e.TicketID, BuyerID: e.BuyerID, SellerID: e.SellerID,
			Title: e.Title, Price: e.Price, ExpiresAt: e.ExpiresAt,
		}
	case Confirmed:
		s.Status = StatusAwaitingPayment
	case Rejected:
		s.Status, s.Reason = StatusRejected, e.Reason
	case Cancelled:
		s.Status, s.Reason = StatusCancelled, e.Reason
	case Expired:
		s.Status = StatusExpired
	case Completed:
		s.Status, s.PaymentID = StatusCompleted, e.PaymentID
	}
	return s
}
