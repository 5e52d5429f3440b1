package bot

import (
	"errors"
	"fmt"
	"slices"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
)

// Name is the process's name, and that of its role.
const Name = "bot"

// Define is the process that asks a Bot. It begins with the oldest messages: those
// that were answered or passed over meanwhile are let be.
func Define(b Bot) (*processes.Process, error) { return processes.Define(definition(b)) }

func definition(b Bot) processes.Definition[struct{}] {
	return processes.Definition[struct{}]{
		Name: Name, Stream: "CONVERSATIONS", Start: processes.Beginning,
		Reacts: []eventstore.Payload{conversation.MessageSent{}},
		Decide: func(_ struct{}, e eventstore.Event, answers []processes.Answer) processes.Step {
			m, ok := e.Payload.(conversation.MessageSent)
			if !ok || m.Author != conversation.AuthorUser {
				return nil
			}
			d := &desk{bot: b, event: e, message: m, play: play{answers: answers}}
			d.handle()
			return d.step
		},
	}
}

// play takes the steps of a reaction again up to the first that has no answer yet.
type play struct {
	answers []processes.Answer
	step    processes.Step // what comes next; nil: it is done
}

// take gives the answer to a step. Not ok: there is none yet, and whoever asked for it
// returns.
func (p *play) take(step processes.Step) (a processes.Answer, ok bool) {
	if len(p.answers) == 0 {
		p.step = step
		return a, false
	}
	a, p.answers = p.answers[0], p.answers[1:]
	return a, true
}

// look gives what was found. Not ok: not yet, or the lookup has refused.
func look[T any](p *play, up string, query any) (found T, ok bool) {
	a, ok := p.take(processes.Look{Up: up, Query: query})
	if !ok || a.Refusal != nil {
		return found, false
	}
	found, ok = a.Found.(T)
	if !ok {
		p.step = processes.Stop{Cause: fmt.Errorf("bot: lookup %q gave %T", up, a.Found)}
	}
	return found, ok
}

// desk is where one message is handled.
type desk struct {
	play
	bot     Bot
	event   eventstore.Event
	message conversation.MessageSent
	state   conversation.State
}

// handle answers the message, unless that is done already, an agent has taken over, or
// nobody can read it any more.
func (d *desk) handle() {
	var ok bool
	if d.state, ok = look[conversation.State](&d.play, lookupState, d.event.Aggregate); !ok || !d.unanswered() {
		return
	}
	text, ok := look[string](&d.play, lookupText, sealedText{
		owner: d.state.AccountID, conversation: d.event.Aggregate, text: d.message.Text,
	})
	if !ok {
		return
	}
	if q, ok := d.ask(text); ok {
		d.carryOut(q, d.bot.Answer(q))
	}
}

func (d *desk) unanswered() bool {
	if d.state.Status != conversation.StatusOpen && d.state.Status != conversation.StatusWaiting {
		return false
	}
	return slices.Contains(d.state.Unanswered, d.message.MessageID)
}

// ask looks up what the Bot needs. Every query names the one who asks.
func (d *desk) ask(text string) (q Question, ok bool) {
	q.Message = Message{
		Text: text, At: d.event.Time, OrderID: d.state.OrderID,
		Proposed: d.state.Proposed, Decides: d.decides(), Waiting: d.state.Status == conversation.StatusWaiting,
	}
	needs, ok := d.bot.Needs(q.Message), true
	if needs.Order != uuid.Nil {
		q.Order, ok = look[*Order](&d.play, lookupOrder, ownOrder{buyer: d.state.AccountID, id: needs.Order})
	}
	if ok && needs.Orders {
		q.Orders, ok = look[[]Order](&d.play, lookupOrders, d.state.AccountID)
	}
	if ok && needs.Offers != nil {
		q.Offers, ok = look[Offers](&d.play, lookupOffers, *needs.Offers)
	}
	return q, ok
}

func (d *desk) decides() bool { return d.state.DecidedBy == d.message.MessageID }

// carryOut does what the Bot has decided.
func (d *desk) carryOut(q Question, a Answer) {
	switch {
	case a.Cancel != uuid.Nil && q.Cancelled == nil:
		d.cancel(q, a.Cancel)
	case a.HandOver != "":
		d.say("conversation.hand_over", conversation.HandOver{Reason: a.HandOver, InReplyTo: d.message.MessageID})
	default:
		d.say("conversation.reply", conversation.Send{
			MessageID: ReplyID(d.message.MessageID), Author: conversation.AuthorBot,
			Text: a.Text, InReplyTo: d.message.MessageID, Proposes: a.Proposes,
		})
	}
}

// cancel ends an order, if the user has just said yes to that, and tells him what
// became of it. The order comes first: should this copy die in between, the next one
// sends the same command again, which changes nothing, and then replies.
func (d *desk) cancel(q Question, id uuid.UUID) {
	agreed := conversation.Proposal{Action: conversation.ActionCancelOrder, OrderID: id}
	if d.state.Proposed != agreed || !d.decides() {
		d.step = processes.Stop{Cause: fmt.Errorf("bot: it would cancel order %s, to which the user has not agreed", id)}
		return
	}
	a, ok := d.take(processes.Send{
		To: targetOrders, Operation: "order.cancel", Aggregate: id, Body: order.Command(order.Cancel{BuyerID: d.state.AccountID}),
	})
	if !ok {
		return
	}
	q.Cancelled = &Outcome{Refusal: a.Refusal}
	d.carryOut(q, d.bot.Answer(q))
}

// say is the last step. Refused, an agent or the user's end of the conversation came
// first, or the account is erased; but a Bot that says what nobody may say is a fault.
func (d *desk) say(operation string, c conversation.Command) {
	a, ok := d.take(processes.Send{To: targetConversations, Operation: operation, Aggregate: d.event.Aggregate, Body: c})
	var refusal *domain.Refusal
	if ok && errors.As(a.Refusal, &refusal) && refusal.Kind == domain.Invalid {
		d.step = processes.Stop{Cause: refusal}
	}
}

// replySpace must never change: ids in logs were made with it.
var replySpace = uuid.MustParse("8c2ad1de-55f3-4b0a-9d0e-6a1f2f7e9b41")

// ReplyID is the id of the reply to a message, the same whoever replies how often.
func ReplyID(message uuid.UUID) uuid.UUID { return uuid.NewSHA1(replySpace, message[:]) }
