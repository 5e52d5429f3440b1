package bot

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/admitone/admitone/domain/conversation"
	"github.com/admitone/admitone/domain/order"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestWhichOrderIsSpokenOf(t *testing.T) {
	t.Parallel()
	paid, open := orderOf(orderOne, order.StatusCompleted), orderOf(orderTwo, order.StatusAwaitingPayment)
	for said, want := range map[string]uuid.UUID{"where is my order": orderTwo, "when does it expire": orderTwo, "cancel it": orderTwo, "why was it refused": orderOne} {
		require.Contains(t, English{}.Answer(asks(said, paid, open)).Text, want.String(), said)
	}
	gone, lapsed := number(1, "First", order.StatusCancelled), number(2, "Second", order.StatusExpired)
	for said, want := range map[string]Order{"why was my order cancelled": gone, "why did my order expire": lapsed, "why was it refused": lapsed} {
		for _, all := range [][]Order{{lapsed, gone, open}, {open, lapsed, gone}} {
			require.Contains(t, English{}.Answer(asks(said, all...)).Text, want.ID.String(), said)
		}
	}
	require.Equal(t, Needs{Orders: true}, English{}.Needs(Message{Text: "where is my order?"}))
	require.Equal(t, Needs{Order: orderTwo, Orders: true}, English{}.Needs(Message{Text: "where is my order?", OrderID: orderTwo}))
	named := "where is my order " + strings.ToUpper(orderOne.String()) + "?"
	require.Equal(t, Needs{Order: orderOne}, English{}.Needs(Message{Text: named, OrderID: orderTwo}))
	require.Equal(t, "I find no order "+orderOne.String()+" among yours.", English{}.Answer(asks(named)).Text)
	require.Equal(t, "I find no order of yours.", English{}.Answer(asks("cancel my order")).Text)
	about := asks("where is my order", open)
	about.OrderID, about.Order = orderOne, &paid
	require.Contains(t, English{}.Answer(about).Text, orderOne.String(), "its conversation is about it")
}

// number is an order with an id and a title of its own.
func number(n int, title string, status order.Status) Order {
	o := orderOf(uuid.MustParse(fmt.Sprintf("01900000-0000-7000-8000-0000000001%02d", n)), status)
	o.Title = title
	return o
}

func TestAnOrderIsNamedByItsTitle(t *testing.T) {
	t.Parallel()
	second, first := number(2, "Second", order.StatusCancelled), number(1, "First", order.StatusAwaitingPayment)
	longer, again := number(3, "First, row 3", order.StatusCompleted), number(4, "FIRST", order.StatusExpired)
	ticket := number(5, "My Ticket", order.StatusCancelled)
	for _, c := range []struct {
		said string
		all  []Order
		want Order
	}{
		{"Where is my order?", []Order{second, first}, first},
		{"Where is my order for First?", []Order{second, first}, first},
		{"Where is my order for \"second\"?", []Order{second, first}, second},
		{"Where is my order for FIRST row 3?", []Order{first, longer}, longer},
		{"Where is my order for Firsts?", []Order{second, first}, first},
		{"Where is my order for Firstly Second?", []Order{first, second}, second},
		{"Where is my order for First?", []Order{again, first}, first},
		{"Cancel my order for First", []Order{number(5, "Third", order.StatusPlaced), first}, first},
		{"When does my order for First expire?", []Order{number(5, "Third", order.StatusPlaced), first}, first},
		{"Where is my ticket?", []Order{ticket, first}, first},
		{"Where is my order " + second.ID.String() + " for First?", []Order{first}, second},
		{"Where is my order?", []Order{second, longer}, second},
	} {
		q := asks(c.said, c.all...)
		if named(c.said) != uuid.Nil {
			q.Order = &second
		}
		a := English{}.Answer(q)
		require.Contains(t, a.Text, c.want.ID.String(), c.said)
		for _, o := range c.all {
			require.True(t, o.ID == c.want.ID || !strings.Contains(a.Text, o.ID.String()), "%s: %s", c.said, a.Text)
		}
	}
	about := asks("Where is my order for First?", second, first)
	about.OrderID, about.Order = second.ID, &second
	require.Contains(t, English{}.Answer(about).Text, first.ID.String(), "it is named, whatever the conversation is about")
}

func TestWhereSeveralOrdersAre(t *testing.T) {
	t.Parallel()
	all := []Order{number(0, "Zero", order.StatusCancelled)}
	for n := 1; n <= 7; n++ {
		all = append(all, number(n, fmt.Sprint("Show ", n), order.StatusAwaitingPayment))
	}
	for _, said := range []string{"Where is my order?", "where are my orders", "show me my orders", "Where are my tickets?"} {
		want := "These orders of yours have not ended:\n- " + all[1].status(now) + "\n- " + all[2].status(now)
		require.Equal(t, want, English{}.Answer(asks(said, all[:3]...)).Text)
		a := English{}.Answer(asks(said, all...))
		require.Equal(t, maxSaid, strings.Count(a.Text, "waits for your payment"))
		require.True(t, strings.HasSuffix(a.Text, "\nThere are more of them. Ask for one by its title or its id."), a.Text)
	}
	lost := Order{ID: orderTwo, Unreadable: true}
	require.Contains(t, English{}.Answer(asks("where are my orders", all[1], lost, all[2])).Text, "\n- I cannot read order "+orderTwo.String())
	full := slices.Repeat([]Order{number(9, "Nine", order.StatusExpired)}, maxOrders-2)
	require.Contains(t, English{}.Answer(asks("where are my orders", append(full, all[1:3]...)...)).Text, "There may be older ones")
	about := asks("where are my orders?", all[:3]...)
	about.OrderID, about.Order = all[0].ID, &all[0]
	require.Contains(t, English{}.Answer(about).Text, "have not ended", "all are asked about")
	about.Text = "where is my order?"
	require.Contains(t, English{}.Answer(about).Text, "is cancelled")
}

// An agent is told of the open orders too, by no more than a reason may hold.
func TestWhatAnAgentIsTold(t *testing.T) {
	t.Parallel()
	second, first := number(2, "Second", order.StatusCancelled), number(1, "First", order.StatusAwaitingPayment)
	is := func(o Order) string { return o.toAgent() }
	require.Equal(t, "The user asked for a person. "+is(first), English{}.Answer(asks("talk to a person", second, first)).HandOver)
	about := asks("talk to a person", second, first)
	about.OrderID, about.Order = second.ID, &second
	require.Equal(t, "The user asked for a person. "+is(second)+" "+is(first), English{}.Answer(about).HandOver)
	nobodys := asks("talk to a person about "+orderTwo.String(), second, first)
	require.Equal(t, Needs{Order: orderTwo, Orders: true}, English{}.Needs(nobodys.Message))
	require.Equal(t, "The user asked for a person. "+is(second)+" "+is(first), English{}.Answer(nobodys).HandOver)
	many := slices.Repeat([]Order{number(3, "Third", order.StatusAwaitingPayment)}, maxOrders)
	for i := range many {
		many[i].ID = number(10+i, "", "").ID
	}
	reason := English{}.Answer(asks("I want a refund", many...)).HandOver
	require.Equal(t, maxSaid, strings.Count(reason, "awaiting_payment"))
	require.True(t, strings.HasSuffix(reason, " There are more."), reason)
	require.LessOrEqual(t, len(reason), conversation.MaxReason)
}

// What cannot be read is named to an agent, and hides nothing else.
func TestAnOrderThatCannotBeRead(t *testing.T) {
	t.Parallel()
	lost, paid, open := Order{ID: orderTwo, Unreadable: true}, orderOf(orderOne, order.StatusCompleted), orderOf(orderOne, order.StatusAwaitingPayment)
	named := asks("where is my order " + orderTwo.String())
	named.Order = &lost
	cannot := "Order " + orderTwo.String() + " of theirs cannot be read."
	for _, c := range []struct {
		asked Question
		want  string
	}{
		{asks("where is my order?", lost, paid), "The user asked about an order. " + cannot + " Order " + orderOne.String() + " of theirs is completed."},
		{asks("when does it expire?", paid, lost), "The user asked about an order. " + cannot + " Order " + orderOne.String() + " of theirs is completed."},
		{asks("cancel my order", lost), "The user asked about an order. " + cannot},
		{named, "The user asked about an order. " + cannot},
		{asks("I want to talk to a person", lost), "The user asked for a person. " + cannot},
	} {
		require.Equal(t, Answer{HandOver: c.want}, English{}.Answer(c.asked), c.asked.Text)
	}
	require.Contains(t, English{}.Answer(asks("where is my order?", paid, lost)).Text, "is paid")
	require.Contains(t, English{}.Answer(asks("when does it expire?", lost, open)).Text, orderOne.String())
	for _, said := range []string{"thanks", "what is for sale?", "help"} {
		require.Empty(t, English{}.Answer(asks(said, lost)).HandOver, said)
	}
	agreed := decides("yes")
	agreed.Cancelled = &Outcome{Refusal: fmt.Errorf("%w: a hole", ErrUnreadable)}
	require.Equal(t, Answer{HandOver: "The user asked about an order. Order " + orderOne.String() + " of theirs cannot be read."}, English{}.Answer(agreed))
}

// An order cannot be read from an event on that a newer version has written, or that
// is lost: its buyer is answered all the same, and nobody else learns of it.
func TestAnOrderThatCannotBeReadIsHandedOver(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(t testing.TB, o *office, id uuid.UUID){
		"an unknown event": func(t testing.TB, o *office, id uuid.UUID) { o.publish(t, id, 2, "order.insured.v1") },
		"a gap":            func(t testing.TB, o *office, id uuid.UUID) { o.publish(t, id, 3, "order.confirmed.v1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := setup(t, 1)
			mine := o.place(t, userID)
			lost := o.place(t, userID)
			breaks(t, o, lost)
			r := o.run(t)
			cannot := "Order " + lost.String() + " of theirs cannot be read."
			id, first := o.begin(t, userID, "thanks")
			require.Contains(t, o.answer(t, id, first).text, "welcome")
			require.Contains(t, o.answer(t, id, o.write(t, id, userID, "where is my order "+mine.String())).text, "is placed")
			require.Equal(t, "The user asked about an order. "+cannot, o.answer(t, id, o.write(t, id, userID, "where is my order "+lost.String())).handOver)
			for said, want := range map[string]string{
				"where is my order?":         "The user asked about an order. " + cannot + " Order " + mine.String() + " of theirs is placed.",
				"I want to talk to a person": "The user asked for a person. " + cannot + " Order " + mine.String() + " of theirs is placed.",
			} {
				id, first := o.begin(t, userID, said)
				require.Equal(t, want, o.answer(t, id, first).handOver)
			}
			id, first = o.begin(t, otherID, "where is my order "+lost.String())
			require.Equal(t, "I find no order "+lost.String()+" among yours.", o.answer(t, id, first).text)
			r.rests(t)
		})
	}
}

// The order is lost between the question and the yes.
func TestAnOrderThatCannotBeReadIsNotCancelled(t *testing.T) {
	t.Parallel()
	o := setup(t, 1)
	r := o.run(t)
	lost := o.place(t, userID)
	id, first := o.begin(t, userID, "please cancel my order")
	require.Contains(t, o.answer(t, id, first).text, "Shall I cancel order")
	o.publish(t, lost, 2, "order.insured.v1")
	require.Equal(t, "The user asked about an order. Order "+lost.String()+" of theirs cannot be read.", o.answer(t, id, o.write(t, id, userID, "yes")).handOver)
	r.rests(t)
}
