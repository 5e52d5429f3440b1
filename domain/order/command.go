package order

import (
	"time"
	"unicode/utf8"

	"github.com/admitone/admitone/domain"
	"github.com/google/uuid"
)

// MaxReason is the longest reason, in characters (code points).
const MaxReason = 200

// Command is a request to one order: Place, Confirm, Reject, Cancel, Expire or
// Complete.
type Command interface {
	decide(State) ([]Event, error)
}

// Place opens an order for a ticket, on the terms that it was offered on.
type Place struct {
	TicketID  uuid.UUID
	BuyerID   uuid.UUID // who acts; refused where it is the seller
	SellerID  uuid.UUID
	Title     string // as its seller wrote it; checked when the ticket was listed
	Price     domain.Money
	ExpiresAt time.Time // UTC, in milliseconds
}

// Confirm says that the ticket is reserved for the order. To one that was
// confirmed and waits for its payment, or has it, there is nothing to do.
type Confirm struct{}

// Reject says that the order cannot have the ticket. To one that is rejected
// already, for whatever reason, there is nothing to do.
type Reject struct {
	Reason string // the code of the refusal; up to MaxReason characters
}

// Cancel ends an order that has not ended yet, by its buyer.
type Cancel struct {
	BuyerID uuid.UUID // who acts; to others there is no such order
	Reason  string    // up to MaxReason characters; may be empty
}

// Expire ends an order that nobody has paid. To one that is expired already,
// there is nothing to do.
type Expire struct {
	At time.Time // now, by the clock that expiry goes by; refused before ExpiresAt
}

// Complete says that a confirmed order is paid. By the same payment again, there
// is nothing to do.
type Complete struct {
	PaymentID uuid.UUID
}

func (c Place) decide(s State) ([]Event, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	switch {
	case s.Status != "":
		return nil, ErrAlreadyPlaced
	case c.BuyerID == c.SellerID:
		return nil, ErrOwnTicket
	}
	return []Event{Placed(c)}, nil
}

func (c Place) check() error {
	switch uuid.Nil {
	case c.TicketID:
		return ErrID.At("/ticket_id")
	case c.BuyerID:
		return ErrID.At("/buyer_id")
	case c.SellerID:
		return ErrID.At("/seller_id")
	}
	if c.ExpiresAt.IsZero() {
		return ErrExpiry.At("/expires_at")
	}
	return c.Price.Validate("/price")
}

func (c Confirm) decide(s State) ([]Event, error) {
	switch s.Status {
	case "":
		return nil, ErrNotFound
	case StatusPlaced:
		return []Event{Confirmed{}}, nil
	case StatusAwaitingPayment, StatusCompleted:
		return nil, nil
	}
	return nil, s.ended()
}

func (c Reject) decide(s State) ([]Event, error) {
	if err := checkReason(c.Reason); err != nil {
		return nil, err
	}
	switch s.Status {
	case "":
		return nil, ErrNotFound
	case StatusPlaced:
		return []Event{Rejected(c)}, nil
	case StatusAwaitingPayment:
		return nil, ErrDecided
	case StatusRejected:
		return nil, nil
	}
	return nil, s.ended()
}

// Whose order it is comes first: to others its status is no reason.
func (c Cancel) decide(s State) ([]Event, error) {
	if err := checkReason(c.Reason); err != nil {
		return nil, err
	}
	switch {
	case s.Status == "":
		return nil, ErrNotFound
	case s.BuyerID != c.BuyerID:
		return nil, ErrNotBuyer
	case s.Status.Ended():
		return nil, s.ended()
	}
	return []Event{Cancelled{Reason: c.Reason}}, nil
}

func (c Expire) decide(s State) ([]Event, error) {
	switch {
	case s.Status == "":
		return nil, ErrNotFound
	case s.Status == StatusExpired:
		return nil, nil
	case s.Status.Ended():
		return nil, s.ended()
	case c.At.Before(s.ExpiresAt):
		return nil, ErrNotDue
	}
	return []Event{Expired{}}, nil
}

func (c Complete) decide(s State) ([]Event, error) {
	if c.PaymentID == uuid.Nil {
		return nil, ErrID.At("/payment_id")
	}
	switch {
	case s.Status == "":
		return nil, ErrNotFound
	case s.Status == StatusPlaced:
		return nil, ErrNotConfirmed
	case s.Status == StatusAwaitingPayment:
		return []Event{Completed(c)}, nil
	case s.PaymentID == c.PaymentID:
		return nil, nil
	}
	return nil, s.ended()
}

func (s State) ended() error {
	return ErrEnded.Because("the order is " + string(s.Status) + " and cannot change any more")
}

func checkReason(reason string) error {
	if !utf8.ValidString(reason) || utf8.RuneCountInString(reason) > MaxReason {
		return ErrReason.At("/reason")
	}
	return nil
}
