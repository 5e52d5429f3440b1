package conversation

import (
	"encoding/json"

	"github.com/admitone/admitone/domain"
	"github.com/google/uuid"
)

// Event is a fact about one conversation. EventType is the name it is recorded under.
type Event interface{ EventType() string }

// Opened is the first event of every conversation: a user asks for help.
type Opened struct {
	AccountID uuid.UUID `json:"account_id"`
	Topic     Topic     `json:"topic"`
	OrderID   uuid.UUID `json:"order_id"` // the zero UUID where there is none: then "" in JSON
}

// MessageSent: somebody wrote. The order of messages is that of versions.
type MessageSent struct {
	MessageID uuid.UUID `json:"message_id"`
	Author    Author    `json:"author"`
	AuthorID  uuid.UUID `json:"author_id"` // the account; the Bot's may be the zero UUID
	// Text is what was written; sealed in a log.
	Text domain.Text `json:"text"`
	// InReplyTo is the message that the Bot answers; others have none.
	InReplyTo uuid.UUID `json:"in_reply_to,omitzero"`
	// Proposes is what the Bot asks the user to agree to; nothing in most messages.
	Proposes Proposal `json:"proposes,omitzero"`
}

// Proposal is what the Bot would do for the user once he says yes.
type Proposal struct {
	Action Action `json:"action"`
	// OrderID is the order to be cancelled.
	OrderID uuid.UUID `json:"order_id,omitzero"`
}

// Action names what may be proposed.
type Action string

// ActionCancelOrder ends an order of the user that is not paid.
const ActionCancelOrder Action = "cancel_order"

// valid tells whether it is one that may be made, or none.
func (p Proposal) valid() bool {
	return p == Proposal{} || p.Action == ActionCancelOrder && p.OrderID != uuid.Nil
}

// HandedOver: the Bot leaves the conversation to an agent.
type HandedOver struct {
	Reason string `json:"reason"` // the Bot's own words, not sealed
	// InReplyTo is the message that it is the answer to, where it is one.
	InReplyTo uuid.UUID `json:"in_reply_to,omitzero"`
}

// Taken: an agent answers from now on, and the Bot no more, nor an agent before him.
type Taken struct {
	AgentID uuid.UUID `json:"agent_id"`
}

// Closed: nothing follows. It is the end.
type Closed struct {
	Reason string `json:"reason"` // may be empty; not sealed
}

// EventType is "conversation.opened.v1".
func (Opened) EventType() string { return "conversation.opened.v1" }

// EventType is "conversation.message_sent.v1".
func (MessageSent) EventType() string { return "conversation.message_sent.v1" }

// EventType is "conversation.handed_over.v1".
func (HandedOver) EventType() string { return "conversation.handed_over.v1" }

// EventType is "conversation.taken.v1".
func (Taken) EventType() string { return "conversation.taken.v1" }

// EventType is "conversation.closed.v1".
func (Closed) EventType() string { return "conversation.closed.v1" }

// Events lists a zero value of each event type in its newest revision, to be
// registered with the event store.
func Events() []Event {
	return []Event{Opened{}, MessageSent{}, HandedOver{}, Taken{}, Closed{}}
}

// fields are those of Opened, to be read and written without its methods.
type fields Opened

type openedJSON struct {
	fields
	OrderID string `json:"order_id"` // in place of the one in fields
}

// MarshalJSON writes the id of no order as an empty string.
func (e Opened) MarshalJSON() ([]byte, error) {
	wire := openedJSON{fields: fields(e)}
	if e.OrderID != uuid.Nil {
		wire.OrderID = e.OrderID.String()
	}
	return json.Marshal(wire)
}

// UnmarshalJSON reads an id of an order that is empty, null or not there as none.
func (e *Opened) UnmarshalJSON(body []byte) error {
	var wire openedJSON
	if err := json.Unmarshal(body, &wire); err != nil {
		return err
	}
	if wire.OrderID != "" {
		id, err := uuid.Parse(wire.OrderID)
		if err != nil {
			return err
		}
		wire.fields.OrderID = id
	}
	*e = Opened(wire.fields)
	return nil
}
