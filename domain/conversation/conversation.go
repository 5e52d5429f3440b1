// Package conversation is the conversation aggregate, one user's talk with support:
// its events, its commands and its rules, as a decider (Initial, Decide, Evolve).
//
// The command endpoints and processes send its commands, projections fold its
// events. It imports the standard library, uuid and domain only, and is pure.
package conversation

import (
	"slices"

	"github.com/google/uuid"
)

// MaxUnanswered is how many of the user's messages may wait for an answer at one
// time. It bounds the state, however long a conversation grows; an answer, or an
// agent who takes over, makes room.
const MaxUnanswered = 1000

// TextField is the name of the sealed field of MessageSent, which is sealed
// together with the conversation's id under the key of State.AccountID, whoever
// the author: with that key the whole conversation is erased.
const TextField = "text"

// Status is where a conversation stands; empty for one that was never opened.
type Status string

// A conversation is with the Bot first (open), waits for an agent once that hands
// over, and is then with the one who took it last. It may be taken before it waits,
// and closed at any time. Closed is its end.
const (
	StatusOpen    Status = "open"
	StatusWaiting Status = "waiting"
	StatusTaken   Status = "taken"
	StatusClosed  Status = "closed"
)

// Topic is what the user says a conversation is about.
type Topic string

// The topics there are.
const (
	TopicOrder   Topic = "order"
	TopicTicket  Topic = "ticket"
	TopicPayment Topic = "payment"
	TopicAccount Topic = "account"
	TopicOther   Topic = "other"
)

// Author is the part that the sender of a message plays in the conversation.
type Author string

// An agent may be an account of the role admin too.
const (
	AuthorUser  Author = "user"
	AuthorBot   Author = "bot"
	AuthorAgent Author = "agent"
)

// Role is what an account may do, by its credentials.
type Role string

// The roles there are.
const (
	RoleUser  Role = "user"
	RoleAgent Role = "agent"
	RoleAdmin Role = "admin"
)

// answers: it may answer users.
func (r Role) answers() bool { return r == RoleAgent || r == RoleAdmin }

// State is what the events of one conversation amount to, without its texts. Its
// JSON shape is part of snapshots: whoever changes it raises the snapshot revision.
// Its size does not grow with the number of messages.
type State struct {
	Status    Status    `json:"status"`
	AccountID uuid.UUID `json:"account_id"` // the user whose conversation it is
	Topic     Topic     `json:"topic"`
	OrderID   uuid.UUID `json:"order_id,omitzero"` // what it is about; may be the zero UUID
	// AgentID is who took it last; else the zero UUID.
	AgentID uuid.UUID `json:"agent_id,omitzero"`
	// Unanswered are the user's messages that the Bot may still answer, oldest
	// first; at most MaxUnanswered, and none after an agent took over.
	Unanswered []uuid.UUID `json:"unanswered,omitempty"`
	// LastMessageID is the newest message, so that its repeat is known as one.
	LastMessageID uuid.UUID `json:"last_message_id,omitzero"`
	Messages      int64     `json:"messages"`
	// Reason is why it was handed over or closed, whichever came last.
	Reason string `json:"reason,omitempty"`
	// Proposed is what the Bot's last message asked the user to agree to.
	Proposed Proposal `json:"proposed,omitzero"`
	// DecidedBy is the user's first message after that, his yes or no; the zero UUID
	// while there is none.
	DecidedBy uuid.UUID `json:"decided_by,omitzero"`
}

// Initial is a conversation before its first event.
func Initial() State { return State{} }

// Decide answers a command with events (Open and an agent's Send with two, all others
// with at most one), with none when there is nothing to do, or with a *domain.Refusal. It does
// not change s. Texts in the events are plain; see domain.Text.
func Decide(s State, c Command) ([]Event, error) { return c.decide(s) }

// Evolve is the state after one more event. An event of a type that is none of
// the conversation's changes nothing. It never looks into a text.
func Evolve(s State, e Event) State {
	switch e := e.(type) {
	case Opened:
		return State{Status: StatusOpen, AccountID: e.AccountID, Topic: e.Topic, OrderID: e.OrderID}
	case MessageSent:
		s.LastMessageID = e.MessageID
		s.Messages++
		return s.after(e)
	case HandedOver:
		s.Status, s.Reason = StatusWaiting, e.Reason
		return s.proposing(Proposal{}).answered(e.InReplyTo)
	case Taken:
		s.Status, s.AgentID, s.Unanswered = StatusTaken, e.AgentID, nil
		return s.proposing(Proposal{})
	case Closed:
		s.Status, s.Reason, s.Unanswered = StatusClosed, e.Reason, nil
		return s.proposing(Proposal{})
	}
	return s
}

// proposing replaces what the Bot has proposed before: the user agrees to what he
// was asked last, or to nothing.
func (s State) proposing(p Proposal) State {
	s.Proposed, s.DecidedBy = p, uuid.Nil
	return s
}

func (s State) after(m MessageSent) State {
	if m.Author != AuthorUser {
		return s.proposing(m.Proposes).answered(m.InReplyTo)
	}
	if s.Proposed != (Proposal{}) && s.DecidedBy == uuid.Nil {
		s.DecidedBy = m.MessageID
	}
	if s.Status == StatusTaken {
		return s // its answer is the agent's
	}
	// States share what they hold, so each one appends to a slice of its own.
	s.Unanswered = append(slices.Clip(s.Unanswered), m.MessageID)
	return s
}

// answered drops a message and all before it: answers are given in order, and what
// was passed over is not gone back to.
func (s State) answered(message uuid.UUID) State {
	if i := slices.Index(s.Unanswered, message); i >= 0 {
		s.Unanswered = s.Unanswered[i+1:]
	}
	if len(s.Unanswered) == 0 {
		s.Unanswered = nil
	}
	return s
}

// knows reports whether a message is the last one, or one that waits for an answer.
func (s State) knows(message uuid.UUID) bool {
	return s.LastMessageID == message || slices.Contains(s.Unanswered, message)
}

// ownedBy refuses a stranger as if there were no such conversation.
func (s State) ownedBy(account uuid.UUID) error {
	if s.AccountID != account {
		return ErrNotOwner
	}
	return nil
}

// isOfAnother tells whether an agent other than this one has taken it.
func (s State) isOfAnother(agent uuid.UUID) bool {
	return s.Status == StatusTaken && s.AgentID != agent
}

// taking is what makes an agent the one who answers: nothing, where he is already. What
// another has taken is for admins only.
func (s State) taking(agent uuid.UUID, role Role) ([]Event, error) {
	switch {
	case s.Status == StatusClosed:
		return nil, ErrClosed.Because("the conversation is closed and takes no more answers; its user may open another one")
	case s.isOfAnother(agent) && role != RoleAdmin:
		return nil, ErrTaken
	case s.Status == StatusTaken && s.AgentID == agent:
		return nil, nil
	}
	return []Event{Taken{AgentID: agent}}, nil
}

// openToBot holds the rule of what the Bot does: it ends where an agent begins.
func (s State) openToBot() error {
	switch s.Status {
	case StatusClosed:
		return ErrClosed
	case StatusTaken:
		return ErrTaken.Because("an agent has taken the conversation over from the bot")
	}
	return nil
}
