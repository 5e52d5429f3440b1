package bot

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var (
	userID   = uuid.MustParse("01900000-0000-7000-8000-00000000000a")
	otherID  = uuid.MustParse("01900000-0000-7000-8000-00000000000b")
	orderOne = uuid.MustParse("01900000-0000-7000-8000-000000000001")
	orderTwo = uuid.MustParse("01900000-0000-7000-8000-000000000002")
	now      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func orderOf(id uuid.UUID, status order.Status) Order {
	return Order{ID: id, State: order.State{
		Status: status, BuyerID: userID, Title: "Carmen, row 3", Price: domain.Money{Amount: 2500, Currency: "EUR"},
		ExpiresAt: now.Add(15*time.Minute + 30*time.Second),
	}}
}

func asks(text string, orders ...Order) Question {
	return Question{Message: Message{Text: text, At: now}, Orders: orders}
}

func TestWhatIsSaidOfAnOrder(t *testing.T) {
	t.Parallel()
	const label = `Your order for "Carmen, row 3" (01900000-0000-7000-8000-000000000001)`
	for _, c := range []struct {
		said   string
		status order.Status
		reason string
		want   string
	}{
		{"where is my order?", order.StatusPlaced, "", label + " is placed; its ticket is being reserved for you."},
		{"where is my order?", order.StatusAwaitingPayment, "", label + " has its ticket reserved and waits for your payment of 25.00 EUR, until 12:15 UTC on 1 March 2026 (15 minutes from now)."},
		{"where is my order?", order.StatusCompleted, "", label + " is paid, and the ticket is yours."},
		{"where is my order?", order.StatusRejected, "ticket_not_available", label + " was refused: somebody else was faster, or the seller has taken the ticket back."},
		{"where is my order?", order.StatusCancelled, "secret", label + " is cancelled."},
		{"where is my order?", order.StatusExpired, "", label + " expired: it was not paid by 12:15 UTC on 1 March 2026."},
		{"when does it expire?", order.StatusPlaced, "", label + " has to be paid in time: until 12:15 UTC on 1 March 2026 (15 minutes from now). Otherwise it expires by itself."},
		{"when does it expire?", order.StatusCompleted, "", "It does not expire any more. " + label + " is paid, and the ticket is yours."},
		{"why was it refused?", order.StatusRejected, "ticket_price_changed", label + " was refused: the seller changed the price at the same moment, so you would have paid another one than you saw."},
		{"why was it refused?", order.StatusRejected, "something_new", label + " was refused: the ticket could not be reserved for you."},
		{"why was it refused?", order.StatusCompleted, "", "It was not refused. " + label + " is paid, and the ticket is yours."},
		{"why was it cancelled?", order.StatusCancelled, "", label + " was cancelled by you, or by us because you asked for it."},
		{"Why was my order cancelled?", order.StatusCancelled, "Found\u202e a\n better seat", label + " was cancelled by you, or by us because you asked for it. The reason given was \"Found a better seat\"."},
		{"why was it cancelled?", order.StatusCancelled, " \n", label + " was cancelled by you, or by us because you asked for it."},
		{"why was it refused?", order.StatusCancelled, "", "It was not refused. " + label + " was cancelled by you, or by us because you asked for it."},
		{"what happened to my order?", order.StatusCancelled, "", label + " was cancelled by you, or by us because you asked for it."},
		{"why was my order cancelled?", order.StatusExpired, "", "It was not cancelled. " + label + " expired: it was not paid by 12:15 UTC on 1 March 2026."},
		{"why was my order cancelled?", order.StatusCompleted, "", "It was not cancelled. " + label + " is paid, and the ticket is yours."},
		{"why did my order expire?", order.StatusExpired, "", label + " expired: it was not paid by 12:15 UTC on 1 March 2026."},
		{"why did my order expire?", order.StatusRejected, "ticket_not_available", "It has not expired. " + label + " was refused: somebody else was faster, or the seller has taken the ticket back."},
		{"why did my order expire?", order.StatusPlaced, "", "It has not expired. " + label + " is placed; its ticket is being reserved for you."},
		{"cancel my order", order.StatusExpired, "", "I cannot cancel that any more. " + label + " expired: it was not paid by 12:15 UTC on 1 March 2026."},
	} {
		o := orderOf(orderOne, c.status)
		o.Reason = c.reason
		require.Equal(t, Answer{Text: c.want}, English{}.Answer(asks(c.said, o)), "%s: %s", c.status, c.said)
	}
	late := asks("when does it expire?", orderOf(orderOne, order.StatusAwaitingPayment))
	late.At = now.Add(time.Hour)
	require.Contains(t, English{}.Answer(late).Text, "its time was up at 12:15 UTC on 1 March 2026")
	for _, status := range []order.Status{order.StatusPlaced, order.StatusAwaitingPayment} {
		a := English{}.Answer(asks("cancel my order", orderOf(orderOne, status)))
		require.Contains(t, a.Text, "Shall I cancel order "+orderOne.String()+"? Please answer yes or no.")
		require.Equal(t, conversation.Proposal{Action: conversation.ActionCancelOrder, OrderID: orderOne}, a.Proposes)
	}
}

// decides is a user's answer to whether an order shall be cancelled.
func decides(text string) Question {
	q := asks(text)
	q.Proposed, q.Decides = conversation.Proposal{Action: conversation.ActionCancelOrder, OrderID: orderOne}, true
	return q
}

func TestAnOrderIsCancelledOnAYes(t *testing.T) {
	t.Parallel()
	require.Equal(t, Needs{}, English{}.Needs(decides("yes please").Message))
	require.Equal(t, Answer{Cancel: orderOne}, English{}.Answer(decides("yes please")))
	done := decides("yes please")
	done.Cancelled = &Outcome{}
	require.Equal(t, say("Order %s is cancelled. You have nothing to pay.", orderOne), English{}.Answer(done))
	done.Cancelled.Refusal = order.ErrEnded.Because("the order is completed and cannot change any more")
	require.Equal(t, say("I could not cancel order %s: the order is completed and cannot change any more.", orderOne), English{}.Answer(done))
	require.Equal(t, say("All right, I have not cancelled order %s. It stays as it is.", orderOne), English{}.Answer(decides("no, don't cancel it")))
	for _, said := range []string{"n", "nope", "I'd rather keep it", "keep it"} {
		require.Contains(t, English{}.Answer(decides(said)).Text, "I have not cancelled order", said)
	}
	for _, said := range []string{"y", "yep"} {
		require.Equal(t, Answer{Cancel: orderOne}, English{}.Answer(decides(said)), said)
	}
}

func TestAYesToNothing(t *testing.T) {
	t.Parallel()
	one, two := number(1, "First", order.StatusCancelled), number(2, "Second", order.StatusCancelled)
	open := orderOf(orderOne, order.StatusAwaitingPayment)
	for _, said := range []string{"yes", "y", "Yes please", "yes, go ahead"} {
		q := asks(said, open, one)
		require.Equal(t, Needs{Orders: true}, English{}.Needs(q.Message))
		require.Equal(t, say(`There is nothing left to say yes to. Your order for "First" (%s) is cancelled already.`, one.ID), English{}.Answer(q))
		require.Contains(t, English{}.Answer(asks(said, one, open, two)).Text, "are cancelled already:\n- "+one.status(now)+"\n- "+two.status(now))
		require.Contains(t, English{}.Answer(asks(said, open)).HandOver, "did not understand")
		about := asks(said, one)
		about.OrderID, about.Order = open.ID, &open
		require.Contains(t, English{}.Answer(about).Text, one.ID.String())
	}
	require.NotEmpty(t, English{}.Answer(asks("👍", one)).HandOver)
}

func TestWithoutAYesItIsAskedAgain(t *testing.T) {
	t.Parallel()
	again := conversation.Proposal{Action: conversation.ActionCancelOrder, OrderID: orderOne}
	open := orderOf(orderOne, order.StatusAwaitingPayment)
	for _, said := range []string{"thanks", "hello", "yes?", "when does it expire?", "what is for sale?", "cancel it?",
		"yes, cancel " + orderTwo.String(), "no, " + orderTwo.String(), "please cancel",
		"wait", "Wait!", "hold on", "maybe", "maybe later", "hm", "not sure", "I'm not sure yet", "I don't know", "let me think about it", "wait, no, yes", "👍", "👍🏽 👍", "🤷", "...", "y?",
		"ok thanks", "ok, thank you very much", "sure, thanks", "I'm good, thanks, ok", "i'm ok", "ok, good", "ok so then", "yes and", "Yes 👎", "yes ❌",
		strings.Repeat("yes ", maxRead), "yes" + strings.Repeat(" ", maxRead) + "but no"} {
		q := decides(said)
		q.Order = &open
		a := English{}.Answer(q)
		require.Equal(t, again, a.Proposes, said)
		require.True(t, strings.HasSuffix(a.Text, "Shall I cancel order "+orderOne.String()+"? Please answer yes or no."), a.Text)
	}
	early := decides("yes")
	early.Decides = false
	require.Equal(t, again, English{}.Answer(early).Proposes, "it was sent before the question")
	ended := decides("where is my order?")
	gone := orderOf(orderOne, order.StatusExpired)
	ended.Order = &gone
	require.Zero(t, English{}.Answer(ended).Proposes, "there is nothing to cancel any more")
	require.NotEmpty(t, English{}.Answer(decides("talk to a person")).HandOver)
	require.NotEmpty(t, English{}.Answer(decides("yes, but I want a refund")).HandOver)
}

func TestOffers(t *testing.T) {
	t.Parallel()
	q := asks("anything below 30 euros?")
	require.Equal(t, Needs{Offers: &Wanted{Max: domain.Money{Amount: 2999, Currency: "EUR"}}}, English{}.Needs(q.Message))
	require.Equal(t, "I find no tickets for sale up to 29.99 EUR right now.", English{}.Answer(q).Text)
	q.Offers.More = true
	require.Equal(t, "Among the newest tickets I find none for sale up to 29.99 EUR.", English{}.Answer(q).Text)
	q.Offers.Tickets = []Ticket{{ID: orderOne, Title: "Carmen\n\u202e\x1b[31m\x00 row 3", Price: domain.Money{Amount: 2500, Currency: "EUR"}}}
	require.Equal(t, "These tickets are for sale up to 29.99 EUR:\n- \"Carmen[31m row 3\", 25.00 EUR ("+orderOne.String()+")\nThere are more of them.", English{}.Answer(q).Text)
	require.Equal(t, Needs{Offers: &Wanted{}}, English{}.Needs(Message{Text: "what is for sale?"}))
}

func TestHandingOver(t *testing.T) {
	t.Parallel()
	open := orderOf(orderOne, order.StatusAwaitingPayment)
	require.Equal(t, Answer{HandOver: "The user asked for a person. Order " + orderOne.String() + " of theirs is awaiting_payment."},
		English{}.Answer(asks("I want to talk to a person about my secret", open)))
	require.Equal(t, Answer{HandOver: "The user asked for a person. No order of theirs was found."},
		English{}.Answer(asks("person please, I need a human, about "+orderTwo.String())), "it names no order that was not found")
	require.NotEmpty(t, English{}.Answer(asks("I want a refund")).HandOver)
}

func TestWhatIsNotUnderstoodIsHandedOver(t *testing.T) {
	t.Parallel()
	require.Equal(t, Needs{Orders: true}, English{}.Needs(asks("asdf").Message))
	require.Equal(t, Answer{HandOver: "The Bot did not understand the user. No order of theirs was found."}, English{}.Answer(asks("asdf")))
	paid := orderOf(orderOne, order.StatusCompleted)
	require.Equal(t, Answer{HandOver: "The Bot did not understand the user. Order " + orderOne.String() + " of theirs is completed."},
		English{}.Answer(asks("tell me about the moon", paid)))
	for _, said := range []string{"blue", "maybe the weather is fine", "asdf"} {
		require.NotEmpty(t, English{}.Answer(decides(said)).HandOver, "it is no answer to the Bot's question: %s", said)
	}
}

func TestWhoItIs(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"are you a bot?", "are you a real person?", "am I talking to a human?"} {
		a := English{}.Answer(asks(said))
		require.True(t, strings.HasPrefix(a.Text, "I am a bot, not a person."), a)
		require.Contains(t, a.Text, "If you would rather talk to a person, just say so.")
	}
}

func TestNobodyElseIsWanted(t *testing.T) {
	t.Parallel()
	open := orderOf(orderOne, order.StatusAwaitingPayment)
	for _, said := range []string{"I don't want to talk to a person", "please don't hand me over"} {
		a := English{}.Answer(asks(said, open))
		require.Contains(t, a.Text, "I am not handing you over.", said)
		about := decides(said)
		about.Order = &open
		require.Equal(t, about.Proposed, English{}.Answer(about).Proposes, "it is neither yes nor no: %s", said)
		about = asks(said)
		about.Waiting = true
		require.Contains(t, English{}.Answer(about).Text, withPeople, said)
	}
}

func TestHowToSell(t *testing.T) {
	t.Parallel()
	q := asks("How can I sell a ticket?")
	require.Equal(t, Needs{}, English{}.Needs(q.Message))
	require.Contains(t, English{}.Answer(q).Text, "You sell a ticket by listing it")
}

// Who waits for an agent is told so, and is still answered what the Bot knows.
func TestWhoWaitsIsToldSo(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"asdf", "I want to talk to a person", "I want a refund"} {
		q := asks(said)
		q.Waiting = true
		require.Equal(t, Needs{}, English{}.Needs(q.Message), said)
		require.Equal(t, Answer{Text: "Your conversation is with our people already: one of them will read this too, and answer you here."}, English{}.Answer(q), said)
	}
	hello := asks("hello")
	require.Contains(t, English{}.Answer(hello).Text, "just say so")
	hello.Waiting = true
	require.NotContains(t, English{}.Answer(hello).Text, "just say so")
	require.Contains(t, English{}.Answer(hello).Text, "one of them will read this too")
	about := asks("where is my order?", orderOf(orderOne, order.StatusCompleted))
	about.Waiting = true
	require.Contains(t, English{}.Answer(about).Text, "is paid")
	lost := asks("where is my order?", Order{ID: orderTwo, Unreadable: true})
	lost.Waiting = true
	require.Equal(t, say("I cannot read order %s. %s", orderTwo, withPeople), English{}.Answer(lost))
}

// Whatever is written and found, there is an answer that may be given, with nothing
// in it of what the user wrote.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	titles := make([]Ticket, maxOffers)
	for i := range titles {
		titles[i] = Ticket{Title: strings.Repeat("🎟", ticket.MaxTitle), Price: domain.Money{Amount: domain.MaxAmount, Currency: "XYZ"}}
	}
	o := orderOf(orderOne, order.StatusAwaitingPayment)
	o.Title = titles[0].Title
	const mark = "zzmarkzz"
	for _, text := range []string{
		"", "\x00", "\u202e\u2066", "\x1b[2J", strings.Repeat("😀", conversation.MaxText), strings.Repeat("9", conversation.MaxText),
		strings.Repeat("1.", 2000), "<script>alert(1)</script>", "%s %d %!", strings.Repeat("cancel ", 500), strings.Repeat("under $1,", 400),
	} {
		for _, more := range []string{"", "where is my order", "cancel", "for sale under 30 euros", "person", "why was it refused", "yes"} {
			for _, proposed := range []conversation.Proposal{{}, decides("").Proposed} {
				q := asks(text+" "+mark+" "+more, o)
				q.Offers = Offers{Tickets: titles, More: true}
				q.Proposed, q.Decides = proposed, true
				English{}.Needs(q.Message)
				a := English{}.Answer(q)
				require.NotContains(t, a.Text+a.HandOver, mark)
				require.True(t, a.HandOver != "" || a.Text != "")
				require.LessOrEqual(t, utf8.RuneCountInString(a.Text), conversation.MaxText)
				require.LessOrEqual(t, utf8.RuneCountInString(a.HandOver), conversation.MaxReason)
				require.Zero(t, a.Cancel, text)
			}
		}
	}
}
