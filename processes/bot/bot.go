package bot

import (
	"errors"
	"time"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/google/uuid"
)

// Bot decides what to say to a user. It is pure: what it must know it names with
// Needs, and is given. Which messages are answered, how often, in what order, whose
// orders are looked at and that nothing is cancelled without a yes is not its concern.
type Bot interface {
	// Needs says what must be looked up before Answer can be asked.
	Needs(m Message) Needs
	// Answer says what to do about a message. Where that is to cancel an order, it is
	// asked once more, with what became of that; and where that is to hand over, which
	// somebody has done meanwhile for another message, once more with Waiting.
	Answer(q Question) Answer
}

// Message is what a user has written, and where his conversation stands.
type Message struct {
	Text string
	At   time.Time // when it was sent; the Bot's only clock
	// OrderID is what the conversation is about; may be the zero UUID.
	OrderID uuid.UUID
	// Proposed is what the Bot has asked the user last, and Decides that this message
	// is the first one that he has sent since.
	Proposed conversation.Proposal
	Decides  bool
	// Waiting: the conversation is handed over, and no agent has taken it yet.
	Waiting bool
}

// Needs is what an answer depends on. Only the asker's own orders are ever found.
type Needs struct {
	Order  uuid.UUID // one of his orders; the zero UUID: none
	Orders bool      // his newest orders
	Offers *Wanted   // tickets for sale
}

// Wanted is which tickets for sale: up to a price, which counts as well. The zero
// value is all.
type Wanted struct{ Max domain.Money }

// Question is a message and what it needs.
type Question struct {
	Message
	Order  *Order  // the one of Needs.Order; nil: there is none, or it is another's
	Orders []Order // newest first, at most maxOrders
	Offers Offers
	// Cancelled is what became of Answer.Cancel; nil where that was not asked for yet.
	Cancelled *Outcome
}

// Order is one order.
type Order struct {
	ID uuid.UUID
	order.State
	// Unreadable: its history has a hole or an event that this version cannot read, so
	// it is known whose it is and nothing else.
	Unreadable bool
}

// Offers are tickets for sale, newest first.
type Offers struct {
	Tickets []Ticket
	More    bool // there may be more of them
}

// Ticket is one that is for sale.
type Ticket struct {
	ID    uuid.UUID
	Title string // as its seller wrote it
	Price domain.Money
}

// Outcome is what became of a command: a refusal, or nil. It is ErrUnreadable where
// the order's history cannot be read.
type Outcome struct{ Refusal error }

// ErrUnreadable refuses a command on an order that cannot be read.
var ErrUnreadable = errors.New("bot: the order cannot be read")

// Answer is one of three: a text, a hand-over, or an order to cancel.
type Answer struct {
	// Text is what the user is told: 1 to conversation.MaxText characters.
	Text string
	// Proposes comes with a text that asks for something.
	Proposes conversation.Proposal
	// HandOver is why an agent is needed and what was found: 1 to
	// conversation.MaxReason characters. It is not sealed, so it must have nothing in
	// it of what the user wrote.
	HandOver string
	// Cancel is an order that the user has just agreed to cancel.
	Cancel uuid.UUID
}
