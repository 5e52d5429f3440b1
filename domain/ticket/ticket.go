// Package ticket is the ticket aggregate: its events, its commands and its rules,
// as a decider (Initial, Decide, Evolve).
//
// The command endpoints and processes send its commands, projections fold its
// events. It imports the standard library, uuid and domain only, and is pure.
package ticket

import (
	"github.com/admitone/admitone/domain"
	"github.com/google/uuid"
)

// Status is where a ticket stands; empty for one that was never listed.
type Status string

// A ticket goes from available to reserved and on to sold; a release leads back
// to available, and from there its seller may withdraw it.
const (
	StatusAvailable Status = "available"
	StatusReserved  Status = "reserved"
	StatusSold      Status = "sold"
	StatusWithdrawn Status = "withdrawn"
)

// State is what the events of one ticket amount to. Its JSON shape is part of
// snapshots: whoever changes it raises the snapshot revision.
type State struct {
	Status   Status       `json:"status"`
	SellerID uuid.UUID    `json:"seller_id"`
	Title    string       `json:"title"`
	Price    domain.Money `json:"price"`
	// OrderID is the order that holds the ticket, or has bought it; else the zero UUID.
	OrderID uuid.UUID `json:"order_id,omitzero"`
	// ReleasedBy is the order that released it last, so that its repeat is known as one.
	ReleasedBy uuid.UUID `json:"released_by,omitzero"`
}

// Initial is a ticket before its first event.
func Initial() State { return State{} }

// Decide answers a command with at most one event, with none when there is
// nothing to do, or with a *domain.Refusal. It does not change s.
func Decide(s State, c Command) ([]Event, error) { return c.decide(s) }

// Evolve is the state after one more event. An event of a type that is none of
// the ticket's changes nothing.
func Evolve(s State, e Event) State {
	switch e := e.(type) {
	case Listed:
		return State{Status: StatusAvailable, SellerID: e.SellerID, Title: e.Title, Price: e.Price}
	case Repriced:
		s.Price = e.Price
	case Reserved:
		s.Status, s.OrderID = StatusReserved, e.OrderID
	case Released:
		s.Status, s.OrderID, s.ReleasedBy = StatusAvailable, uuid.Nil, e.OrderID
	case Sold:
		s.Status, s.OrderID = StatusSold, e.OrderID
	case Withdrawn:
		s.Status = StatusWithdrawn
	}
	return s
}
