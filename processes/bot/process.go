package bot

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
)

// Name is the process's name, and that of its role.
const Name = "bot"

// Define is the process that asks a Bot. It begins with the oldest messages: those
// that were answered or passed over meanwhile are let be. What an operator should know
// goes to the log; nil: nowhere.
func Define(b Bot, log *slog.Logger) (*processes.Process, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return processes.Define(definition(b, log))
}

func definition(b Bot, log *slog.Logger) processes.Definition[struct{}] {
	return processes.Definition[struct{}]{
		Name: Name, Stream: "CONVERSATIONS", Start: processes.Beginning,
		Reacts: []eventstore.Payload{conversation.MessageSent{}},
		Decide: func(_ struct{}, e eventstore.Event, answers []processes.Answer) processes.Step {
			m, ok := e.Payload.(conversation.MessageSent)
			if !ok || m.Author != conversation.AuthorUser {
				return nil
			}
			d := &desk{bot: b, log: log, event: e, message: m, play: play{answers: answers}}
			d.handle()
			return d.step
		},
	}
}

// play takes the steps of a reaction again up to the first that has no answer yet.
type play struct {
	answers []processes.Answer
	step    processes.Step // what comes next; nil: it is done
	refused error          // why the last lookup has refused; nil: it has not
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
	if p.refused = a.Refusal; !ok || a.Refusal != nil {
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
	bot       Bot
	log       *slog.Logger
	event     eventstore.Event
	message   conversation.MessageSent
	state     conversation.State
	cancelled uuid.UUID // the order, once that is done
}

// unreadable is the reason of a hand-over. It says nothing of the message.
const unreadable = "The Bot cannot read a message."

// handle answers the message, unless that is done already, an agent has taken over, or
// its user was erased. One that does not open for another reason is left to an agent;
// should the user's key be lost, a reply would have made another one.
func (d *desk) handle() {
	if !d.looks() {
		return
	}
	text, ok := look[string](&d.play, lookupText, sealedText{
		owner: d.state.AccountID, conversation: d.event.Aggregate, text: d.message.Text,
	})
	switch {
	case ok:
		d.answer(text, nil)
	case errors.Is(d.refused, sealed.ErrNoKey), errors.Is(d.refused, sealed.ErrInvalid):
		if d.leave(unreadable) {
			d.log.Error("a message does not open, and is left to an agent", "conversation", d.event.Aggregate, "message", d.message.MessageID, "cause", d.refused)
		}
	}
}

// looks says whether the message has no answer yet that may be the Bot's.
func (d *desk) looks() (unanswered bool) {
	var ok bool
	d.state, ok = look[conversation.State](&d.play, lookupState, d.event.Aggregate)
	return ok && d.unanswered()
}

func (d *desk) unanswered() bool {
	if d.state.Status != conversation.StatusOpen && d.state.Status != conversation.StatusWaiting {
		return false
	}
	return slices.Contains(d.state.Unanswered, d.message.MessageID)
}

// answer asks the Bot, and does what it says. cancelled is what became of that so far.
func (d *desk) answer(text string, cancelled *Outcome) {
	if q, ok := d.ask(text); ok {
		q.Cancelled = cancelled
		d.carryOut(q, d.bot.Answer(q))
	}
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
		d.handOver(q, a.HandOver)
	default:
		d.say("conversation.reply", conversation.Send{
			MessageID: ReplyID(d.message.MessageID), Author: conversation.AuthorBot,
			Text: a.Text, InReplyTo: d.message.MessageID, Proposes: a.Proposes,
		})
	}
}

// handOver leaves the message to an agent. Where somebody else has handed over since
// the Bot looked, that was for another message: to this one, the Bot says what it says
// to a user who waits already.
func (d *desk) handOver(q Question, reason string) {
	if d.leave(reason) && !q.Waiting && d.looks() && d.state.Status == conversation.StatusWaiting {
		d.answer(q.Text, q.Cancelled)
	}
}

func (d *desk) leave(reason string) (done bool) {
	return d.say("conversation.hand_over", conversation.HandOver{Reason: reason, InReplyTo: d.message.MessageID})
}

// cancel ends an order, if the user has just said yes to that, and tells him what
// became of it. The order comes first: should this copy die in between, the next one
// sends the same command again, which changes nothing, and then replies. Should an
// agent take over in between, the order stays cancelled and the reply is refused: the
// log says so, and the agent sees the yes and the order.
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
	if q.Cancelled = (&Outcome{Refusal: a.Refusal}); a.Refusal == nil {
		d.cancelled = id
	}
	d.carryOut(q, d.bot.Answer(q))
}

// say changes the conversation. Refused, an agent or the user's end of the conversation
// came first, or the account is erased; but a Bot that says what nobody may say is a
// fault.
func (d *desk) say(operation string, c conversation.Command) (done bool) {
	a, ok := d.take(processes.Send{To: targetConversations, Operation: operation, Aggregate: d.event.Aggregate, Body: c})
	if !ok || a.Refusal == nil {
		return ok
	}
	if d.cancelled != uuid.Nil {
		d.log.Warn("an order was cancelled as its buyer agreed, and he could not be told so",
			"conversation", d.event.Aggregate, "message", d.message.MessageID, "order", d.cancelled, "cause", a.Refusal)
	}
	var rule *domain.Refusal
	if errors.As(a.Refusal, &rule) && rule.Kind == domain.Invalid {
		d.step = processes.Stop{Cause: rule}
	}
	return false
}

// replySpace must never change: ids in logs were made with it.
var replySpace = uuid.MustParse("8c2ad1de-55f3-4b0a-9d0e-6a1f2f7e9b41")

// ReplyID is the id of the reply to a message, the same whoever replies how often.
func ReplyID(message uuid.UUID) uuid.UUID { return uuid.NewSHA1(replySpace, message[:]) }
