package bot

import (
	"fmt"
	"testing"

	"github.com/admitone/admitone/domain/order"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

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
