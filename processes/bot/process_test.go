package bot

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var silence = slog.New(slog.DiscardHandler)

var (
	talk  = uuid.MustParse("01900000-0000-7000-8000-0000000000c0")
	asked = conversation.MessageSent{
		MessageID: uuid.MustParse("01900000-0000-7000-8000-0000000000c1"), Author: conversation.AuthorUser, AuthorID: userID,
		Text: domain.SealedText("c2VhbGVk"),
	}
)

// parrot is a Bot that says what it is told to.
type parrot struct {
	needs  Needs
	answer Answer
}

func (p parrot) Needs(Message) Needs    { return p.needs }
func (p parrot) Answer(Question) Answer { return p.answer }

// told is a step, and what came of it.
type told struct {
	step   processes.Step
	answer processes.Answer
}

func found(x any) processes.Answer         { return processes.Answer{Found: x} }
func refusedBy(err error) processes.Answer { return processes.Answer{Refusal: err} }

// follow has a message handled, and compares all the steps.
func follow(t *testing.T, b Bot, m conversation.MessageSent, want ...told) {
	t.Helper()
	var answers []processes.Answer
	decide := func() processes.Step {
		return definition(b, silence).Decide(struct{}{}, eventstore.Event{Aggregate: talk, Time: now, Payload: m}, answers)
	}
	for _, w := range want {
		require.Equal(t, w.step, decide())
		answers = append(answers, w.answer)
	}
	if len(want) > 0 {
		if _, stopped := want[len(want)-1].step.(processes.Stop); stopped {
			return
		}
	}
	require.Nil(t, decide(), "it is done")
}

func stateOf(change ...func(*conversation.State)) conversation.State {
	s := conversation.State{Status: conversation.StatusOpen, AccountID: userID, Unanswered: []uuid.UUID{asked.MessageID}}
	for _, c := range change {
		c(&s)
	}
	return s
}

func agreed(s *conversation.State) {
	s.Proposed = conversation.Proposal{Action: conversation.ActionCancelOrder, OrderID: orderOne}
	s.DecidedBy = asked.MessageID
}

func looksAt(s conversation.State) told {
	return told{processes.Look{Up: "conversation", Query: talk}, found(s)}
}

func reads(text string) told {
	return told{processes.Look{Up: "text", Query: sealedText{owner: userID, conversation: talk, text: asked.Text}}, found(text)}
}

func sends(operation string, c conversation.Command) processes.Step {
	return processes.Send{To: "conversations", Operation: operation, Aggregate: talk, Body: c}
}

func handsOver(reason string) processes.Step {
	return sends("conversation.hand_over", conversation.HandOver{Reason: reason, InReplyTo: asked.MessageID})
}

// answered is a conversation in which nothing waits for the Bot.
func answered(status conversation.Status) conversation.State {
	return stateOf(func(s *conversation.State) { s.Status, s.Unanswered = status, nil })
}

func replies(a Answer) processes.Step {
	return sends("conversation.reply", conversation.Send{
		MessageID: ReplyID(asked.MessageID), Author: conversation.AuthorBot, Text: a.Text, InReplyTo: asked.MessageID, Proposes: a.Proposes,
	})
}

var cancels = processes.Send{To: "orders", Operation: "order.cancel", Aggregate: orderOne, Body: order.Command(order.Cancel{BuyerID: userID})}

func TestAMessageIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	hello := English{}.Answer(asks("hello"))
	for _, outcome := range []processes.Answer{{}, refusedBy(conversation.ErrTaken), refusedBy(conversation.ErrClosed), refusedBy(sealed.ErrErased)} {
		follow(t, English{}, asked, looksAt(stateOf()), reads("hello"), told{replies(hello), outcome})
	}
	follow(t, English{}, asked, looksAt(stateOf(func(s *conversation.State) { s.Unanswered = nil })))
	for _, status := range []conversation.Status{conversation.StatusTaken, conversation.StatusClosed, ""} {
		follow(t, English{}, asked, looksAt(stateOf(func(s *conversation.State) { s.Status = status })))
	}
	for _, author := range []conversation.Author{conversation.AuthorBot, conversation.AuthorAgent} {
		m := asked
		m.Author = author
		follow(t, English{}, m)
	}
	follow(t, English{}, asked, looksAt(stateOf()), told{reads("").step, refusedBy(sealed.ErrErased)})
}

func TestItLooksUpWhatTheBotNeeds(t *testing.T) {
	t.Parallel()
	o := orderOf(orderOne, order.StatusCompleted)
	follow(t, English{}, asked, looksAt(stateOf()), reads("where is my order?"),
		told{processes.Look{Up: "orders", Query: userID}, found([]Order{o})},
		told{replies(say("%s", o.status(now))), processes.Answer{}})
	follow(t, English{}, asked, looksAt(stateOf()), reads("where is my order "+orderTwo.String()),
		told{processes.Look{Up: "order", Query: ownOrder{buyer: userID, id: orderTwo}}, found((*Order)(nil))},
		told{replies(say("I find no order %s among yours.", orderTwo)), processes.Answer{}})
	follow(t, English{}, asked, looksAt(stateOf()), reads("what is for sale?"),
		told{processes.Look{Up: "offers", Query: Wanted{}}, found(Offers{})},
		told{replies(offers(wanted{}, Offers{})), processes.Answer{}})
	all := parrot{needs: Needs{Order: orderOne, Orders: true, Offers: &Wanted{}}, answer: Answer{HandOver: "because"}}
	follow(t, all, asked, looksAt(stateOf()), reads("?"),
		told{processes.Look{Up: "order", Query: ownOrder{buyer: userID, id: orderOne}}, found(&o)},
		told{processes.Look{Up: "orders", Query: userID}, found([]Order(nil))},
		told{processes.Look{Up: "offers", Query: Wanted{}}, found(Offers{})},
		told{handsOver("because"), processes.Answer{}}, looksAt(answered(conversation.StatusWaiting)))
	follow(t, English{}, asked, told{processes.Look{Up: "conversation", Query: talk}, found("no state")},
		told{processes.Stop{Cause: errors.New(`bot: lookup "conversation" gave string`)}, processes.Answer{}})
}

func TestAnOrderIsCancelledBeforeTheReply(t *testing.T) {
	t.Parallel()
	done := decides("yes")
	done.Cancelled = &Outcome{}
	follow(t, English{}, asked, looksAt(stateOf(agreed)), reads("yes"), told{cancels, processes.Answer{}},
		told{replies(English{}.Answer(done)), processes.Answer{}})
	done.Cancelled.Refusal = order.ErrEnded
	follow(t, English{}, asked, looksAt(stateOf(agreed)), reads("yes"), told{cancels, refusedBy(order.ErrEnded)},
		told{replies(English{}.Answer(done)), processes.Answer{}})
}

// No Bot gets an order cancelled to which the user has not just agreed.
func TestNothingIsCancelledWithoutAYes(t *testing.T) {
	t.Parallel()
	rash := parrot{answer: Answer{Cancel: orderOne}}
	for name, change := range map[string]func(*conversation.State){
		"nothing proposed": func(*conversation.State) {},
		"another order":    func(s *conversation.State) { agreed(s); s.Proposed.OrderID = orderTwo },
		"decided before":   func(s *conversation.State) { agreed(s); s.DecidedBy = otherID },
		"not decided":      func(s *conversation.State) { agreed(s); s.DecidedBy = uuid.Nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := definition(rash, silence)
			step := d.Decide(struct{}{}, eventstore.Event{Aggregate: talk, Payload: asked}, []processes.Answer{found(stateOf(change)), found("yes")})
			require.IsType(t, processes.Stop{}, step)
		})
	}
}

// It is handed over, and not parked, where the user's key was lost or another one has
// taken its place. To an erased one nothing is said.
func TestWhatItCannotReadIsLeftToAnAgent(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{sealed.ErrInvalid, sealed.ErrNoKey} {
		for _, outcome := range []processes.Answer{{}, refusedBy(conversation.ErrClosed)} {
			follow(t, English{}, asked, looksAt(stateOf()), told{reads("").step, refusedBy(fmt.Errorf("a text: %w", cause))},
				told{handsOver("The Bot cannot read a message."), outcome})
		}
	}
	follow(t, English{}, asked, looksAt(stateOf()), told{reads("").step, refusedBy(fmt.Errorf("a text: %w", sealed.ErrErased))})
}

// Another copy hands over, for another message, after this one has looked.
func TestAMessageDuringAHandOverIsAnswered(t *testing.T) {
	t.Parallel()
	waits := stateOf(func(s *conversation.State) { s.Status = conversation.StatusWaiting })
	q := asks("talk to a person")
	q.Waiting = true
	steps := func(then conversation.State, last ...told) []told {
		return append([]told{
			looksAt(stateOf()), reads("talk to a person"), {processes.Look{Up: "orders", Query: userID}, found([]Order(nil))},
			{handsOver("The user asked for a person. No order of theirs was found."), processes.Answer{}}, looksAt(then),
		}, last...)
	}
	follow(t, English{}, asked, steps(waits, told{replies(English{}.Answer(q)), processes.Answer{}})...)
	for _, status := range []conversation.Status{conversation.StatusWaiting, conversation.StatusTaken, conversation.StatusClosed} {
		follow(t, English{}, asked, steps(answered(status))...)
	}
	// A Bot that hands over whatever it is told does not do so for ever.
	follow(t, parrot{answer: Answer{HandOver: "because"}}, asked, looksAt(stateOf()), reads("?"), told{handsOver("because"), processes.Answer{}},
		looksAt(waits), told{handsOver("because"), processes.Answer{}})
}

func TestTheLogSaysWhoWasNotToldOfACancellation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cancel, reply error
		logged        bool
	}{
		"told":                      {nil, nil, false},
		"cancelled, an agent took":  {nil, conversation.ErrTaken, true},
		"not cancelled, nor a word": {order.ErrEnded, conversation.ErrTaken, false},
	} {
		var log bytes.Buffer
		d := definition(English{}, slog.New(slog.NewTextHandler(&log, nil)))
		answers := []processes.Answer{found(stateOf(agreed)), found("yes"), refusedBy(c.cancel), refusedBy(c.reply)}
		for n := range len(answers) + 1 {
			d.Decide(struct{}{}, eventstore.Event{Aggregate: talk, Payload: asked}, answers[:n])
		}
		require.Equal(t, c.logged, log.Len() > 0, name)
		for _, id := range []uuid.UUID{talk, asked.MessageID, orderOne} {
			require.Equal(t, c.logged, bytes.Contains(log.Bytes(), []byte(id.String())), name)
		}
	}
}

func TestABotThatMayNotSayThat(t *testing.T) {
	t.Parallel()
	silent := parrot{}
	refusal := conversation.ErrText.At("/text")
	follow(t, silent, asked, looksAt(stateOf()), reads("?"), told{replies(Answer{}), refusedBy(refusal)},
		told{processes.Stop{Cause: refusal}, processes.Answer{}})
}

func TestProcessSendsWhatIsWrittenDown(t *testing.T) {
	t.Parallel()
	var sent []string
	for _, b := range []Bot{parrot{answer: Answer{HandOver: "x"}}, parrot{answer: Answer{Text: "x"}}, parrot{answer: Answer{Cancel: orderOne}}} {
		step := definition(b, silence).Decide(struct{}{}, eventstore.Event{Aggregate: talk, Payload: asked}, []processes.Answer{found(stateOf(agreed)), found("?")})
		sent = append(sent, step.(processes.Send).Operation)
	}
	require.Equal(t, map[string][]string{Name: sent}, Sends())
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	require.True(t, IsRefusal(order.ErrEnded))
	require.True(t, IsRefusal(sealed.ErrErased))
	require.False(t, IsRefusal(eventstore.ErrUnavailable))
	require.True(t, IsRefusal(sealed.ErrInvalid))
	require.True(t, IsRefusal(fmt.Errorf("an order: %w", ErrUnreadable)))
	require.False(t, IsRefusal(commands.ErrHistory), "the conversation's own is parked")
}
