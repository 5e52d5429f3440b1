package bot

import (
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/google/uuid"
)

// English is the Bot that understands and writes English. It knows a few things that
// people ask about orders and tickets, and hands over the rest.
type English struct{}

// reading is a message as it is understood.
type reading struct {
	Message
	words  string
	intent intent
	order  uuid.UUID // that it names, or that was asked about, or its conversation's
}

func read(m Message) reading {
	r := reading{Message: m, words: words(m.Text), order: named(m.Text)}
	r.intent = intentOf(r.words)
	for _, other := range []uuid.UUID{m.Proposed.OrderID, m.OrderID} {
		if r.order == uuid.Nil {
			r.order = other
		}
	}
	return r
}

// Needs is a Bot's: orders where it speaks of one, and tickets where some are wanted.
func (English) Needs(m Message) Needs {
	r := read(m)
	if r.asked() && r.decision() != unclear {
		return Needs{}
	}
	switch r.intent {
	case wantsOffers:
		return Needs{Offers: &Wanted{Max: limit(r.words)}}
	case wantsKept, wantsHelp, saysThanks, saysHello:
		return Needs{}
	case notUnderstood:
		if !r.again() {
			return Needs{}
		}
	}
	if r.order != uuid.Nil {
		return Needs{Order: r.order}
	}
	return Needs{Orders: true}
}

// Answer is a Bot's.
func (English) Answer(q Question) Answer {
	r := read(q.Message)
	if !r.asked() {
		return r.answer(q)
	}
	if d := r.decision(); d != unclear {
		return r.decided(q, d)
	}
	a := r.answer(q)
	switch {
	case a.HandOver != "" && r.intent != notUnderstood, a.Proposes.Action == conversation.ActionCancelOrder:
		return a
	case r.order == r.Proposed.OrderID && q.Order != nil && q.Order.Status.Ended():
		return a // it was cancelled in another way, or it is too late
	case r.intent == notUnderstood, r.intent == saysThanks, r.intent == saysHello:
		a.Text = "I have cancelled nothing so far."
	}
	return propose(a.Text, r.Proposed.OrderID)
}

// asked: the Bot waits for a yes or a no.
func (r reading) asked() bool { return r.Proposed.Action == conversation.ActionCancelOrder }

// decision is what this message says to what the Bot has asked. One that was sent
// before the question, or that speaks of another order, says nothing to it.
func (r reading) decision() decision {
	if other := named(r.Text); !r.Decides || other != uuid.Nil && other != r.Proposed.OrderID {
		return unclear
	}
	if r.intent == wantsPerson || r.intent == wantsBeyond || len(r.Text) > maxRead {
		return unclear
	}
	return decisionOf(r.Text)
}

func (r reading) decided(q Question, d decision) Answer {
	id := r.Proposed.OrderID
	switch {
	case d == no:
		return say("All right, I have not cancelled order %s. It stays as it is.", id)
	case q.Cancelled == nil:
		return Answer{Cancel: id}
	case q.Cancelled.Refusal != nil:
		return say("I could not cancel order %s: %s.", id, detail(q.Cancelled.Refusal))
	}
	return say("Order %s is cancelled. You have nothing to pay.", id)
}

func (r reading) answer(q Question) Answer {
	switch r.intent {
	case wantsPerson:
		return r.handOver(q, "The user asked for a person.")
	case wantsBeyond:
		return r.handOver(q, "The user asked for something that the Bot cannot do, such as a refund or a change of the account.")
	case wantsOffers:
		return offers(limit(r.words), q.Offers)
	case wantsKept:
		return say("I have cancelled nothing. I only do that when you ask me to and then say yes.")
	case wantsHelp, saysHello:
		return say("Hello! %s", abilities)
	case saysThanks:
		return say("You're welcome. Write again whenever you need something.")
	case notUnderstood:
		return r.notUnderstood(q)
	}
	return r.aboutOrder(q)
}

const abilities = "I can tell you where an order is, when it expires and why it was refused, cancel an order, " +
	`and look up what is for sale ("anything below 30 euros?"). If you would rather talk to a person, just say so.`

// notUnderstood explains once what the Bot can do, and hands over the next time.
func (r reading) notUnderstood(q Question) Answer {
	if r.again() {
		return r.handOver(q, "The Bot did not understand the user twice in a row.")
	}
	a := say("I am afraid I did not understand that. %s", abilities)
	a.Proposes.Action = conversation.ActionRephrase
	return a
}

// again: the user was asked for other words just now.
func (r reading) again() bool { return r.Decides && r.Proposed.Action == conversation.ActionRephrase }

// handOver tells the agent what was found. To a user who waits for an agent already
// there is nothing more to do.
func (r reading) handOver(q Question, reason string) Answer {
	if r.Waiting {
		return say("An agent will answer you here. What you wrote is part of the conversation, so there is no need to repeat it.")
	}
	if o := chosen(q, anyOrder); o != nil {
		reason += " Order " + o.ID.String() + " of theirs is " + string(o.Status) + "."
	} else {
		reason += " No order of theirs was found."
	}
	return Answer{HandOver: reason}
}

func anyOrder(order.Status) bool { return true }

// chosen is the order that is spoken of: the one that was asked for, or the newest
// with such a status, or the newest.
func chosen(q Question, wanted func(order.Status) bool) *Order {
	if q.Order != nil {
		return q.Order
	}
	for i, o := range q.Orders {
		if wanted(o.Status) {
			return &q.Orders[i]
		}
	}
	if len(q.Orders) > 0 {
		return &q.Orders[0]
	}
	return nil
}
