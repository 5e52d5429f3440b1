package bot

import (
	"errors"
	"strings"

	"github.com/admitone/admitone/domain/conversation"
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
	if r.intent == notUnderstood && !r.asked() && decisionOf(m.Text) == yes {
		r.intent = saysYes
	}
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
		return Needs{Offers: &Wanted{Max: pricesIn(r.words).most}}
	case saysYes:
		return Needs{Orders: true}
	case wantsKept, wantsNoPerson, wantsToSell, wantsHelp, asksWhoItIs, saysThanks, saysHello:
		return Needs{}
	}
	if r.forPerson() && (r.Waiting || r.wavers()) {
		return Needs{} // nobody is to be told what there is
	}
	// An agent is told of all; and a text that names no id may name a title.
	return Needs{Order: r.order, Orders: r.forPerson() || named(r.Text) == uuid.Nil}
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
	if r.wavers() || r.intent == saysThanks || r.intent == saysHello {
		return propose("I have cancelled nothing so far.", r.Proposed.OrderID)
	}
	a := r.answer(q)
	switch {
	case a.HandOver != "", a.Proposes.Action == conversation.ActionCancelOrder:
		return a
	case r.order == r.Proposed.OrderID && q.Order != nil && !notEnded(*q.Order):
		return a // it was cancelled in another way, or it is too late
	}
	return propose(a.Text, r.Proposed.OrderID)
}

// forPerson: an agent is needed.
func (r reading) forPerson() bool {
	return r.intent == wantsPerson || r.intent == wantsBeyond || r.intent == notUnderstood
}

// asked: the Bot waits for a yes or a no.
func (r reading) asked() bool { return r.Proposed.Action == conversation.ActionCancelOrder }

// decision is what this message says to what the Bot has asked. One that was sent
// before the question, or that speaks of another order, says nothing to it.
func (r reading) decision() decision {
	if other := named(r.Text); !r.Decides || other != uuid.Nil && other != r.Proposed.OrderID {
		return unclear
	}
	switch r.intent {
	case wantsPerson, wantsNoPerson, wantsBeyond, asksWhoItIs:
		return unclear
	}
	if len(r.Text) > maxRead {
		return unclear
	}
	return decisionOf(r.Text)
}

// wavers: it says something to what the Bot has asked, but neither yes nor no. What a
// sign alone says, such as a thumb, is not sure enough to cancel an order.
func (r reading) wavers() bool {
	return r.asked() && r.intent == notUnderstood && soundsDecided(r.words)
}

func (r reading) decided(q Question, d decision) Answer {
	id := r.Proposed.OrderID
	switch {
	case d == no:
		return say("All right, I have not cancelled order %s. It stays as it is.", id)
	case q.Cancelled == nil:
		return Answer{Cancel: id}
	case errors.Is(q.Cancelled.Refusal, ErrUnreadable):
		return r.cannotRead(&Order{ID: id, Unreadable: true}, q.Orders)
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
		return offers(wanted{pricesIn(r.words), cheapest.MatchString(r.words)}, q.Offers)
	case wantsKept:
		return say("I have cancelled nothing. I only do that when you ask me to and then say yes.")
	case wantsNoPerson:
		return r.stays()
	case wantsToSell:
		return say("You sell a ticket by listing it with its title and its price; for programs, that is POST /v1/tickets. I cannot list it for you. %s", r.aboutPeople())
	case asksWhoItIs:
		return say("I am a bot, not a person. %s %s", abilities, r.aboutPeople())
	case wantsHelp, saysHello:
		return say("Hello! %s %s", abilities, r.aboutPeople())
	case saysThanks:
		return say("You're welcome. Write again whenever you need something.")
	case saysYes:
		return r.toNothing(q)
	case notUnderstood:
		return r.handOver(q, didNotUnderstand)
	}
	return r.aboutOrder(q)
}

const didNotUnderstand = "The Bot did not understand the user."

// toNothing answers a yes that nothing was asked for, most likely a second one.
func (r reading) toNothing(q Question) Answer {
	gone := only(q.Orders, cancelled)
	switch len(gone) {
	case 0:
		return r.handOver(q, didNotUnderstand)
	case 1:
		return say("There is nothing left to say yes to. %s already.", strings.TrimSuffix(gone[0].status(r.At), "."))
	}
	return Answer{Text: list("There is nothing left to say yes to. These orders of yours are cancelled already:", gone, r.At)}
}

const abilities = "I can tell you where an order is, when it expires and why it was refused, cancel an order, " +
	`and look up what is for sale ("anything below 30 euros?").`

// withPeople is for a user who waits for an agent already.
const withPeople = "Your conversation is with our people already: one of them will read this too, and answer you here."

func (r reading) aboutPeople() string {
	if r.Waiting {
		return withPeople
	}
	return "If you would rather talk to a person, just say so."
}

// stays is for who wants nobody else.
func (r reading) stays() Answer {
	if r.Waiting {
		return say("All right. %s Until then, ask me what you like.", withPeople)
	}
	return say("All right, I am not handing you over. %s", abilities)
}

// handOver tells the agent what was found. For a user who waits for one already there
// is nothing more to do.
func (r reading) handOver(q Question, reason string) Answer {
	if r.Waiting {
		return say("%s", withPeople)
	}
	spoken := r.chosen(q)
	if spoken == nil && len(q.Orders) > 0 {
		spoken = &q.Orders[0]
	}
	return Answer{HandOver: reason + " " + foundOf(spoken, q.Orders)}
}

// cannotRead leaves to an agent what is asked about an order that cannot be read.
func (r reading) cannotRead(o *Order, orders []Order) Answer {
	if r.Waiting {
		return say("I cannot read order %s. %s", o.ID, withPeople)
	}
	return Answer{HandOver: "The user asked about an order. " + foundOf(o, orders)}
}
