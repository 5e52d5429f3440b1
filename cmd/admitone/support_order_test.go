package main

import (
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// A newer version has written an event that this one does not know: the Bot names the
// order to an agent, answers about others, and nothing of support is parked.
func TestAnOrderThatCannotBeReadIsHandedOver(t *testing.T) {
	t.Parallel()
	s := embeddedShop(t, "--sync-interval", "2m")
	buyer, stranger := s.person(t, "user"), s.person(t, "user")
	ids := list(t, s.person(t, "user").Client, 2)
	older, lost := s.buys(t, buyer, ids[0]), s.buys(t, buyer, ids[1])
	js, err := jetstream.New(blackbox.Connect(t, s.nats))
	require.NoError(t, err)
	header := blackbox.EventHeader(lost.ID, "order.insured.v1", int(lost.Version)+1)
	require.NoError(t, blackbox.Publish(t.Context(), js, "orders.0."+lost.ID, header, []byte("{}")))

	cannot := " Order " + lost.ID + " of theirs cannot be read. Order " + older.ID + " of theirs is awaiting_payment."
	for text, reason := range map[string]string{
		"Where is my order?":         "The user asked about an order." + cannot,
		"I want to talk to a person": "The user asked for a person." + cannot,
		"lorem ipsum":                "The Bot did not understand the user." + cannot,
	} {
		c := s.settled(t, buyer, text)
		require.Equal(t, []string{"waiting", reason}, []string{c.Status, c.Reason}, text)
	}
	for _, text := range []string{"where is my order " + older.ID, "what is for sale?", "thanks"} {
		require.Equal(t, "open", s.settled(t, buyer, text).Status, text)
	}
	require.Equal(t, "open", s.settled(t, stranger, "where is my order "+lost.ID).Status, "it is none of his")
	parked := program.Run(t, "parked", "list", "--nats", s.nats)
	require.NotContains(t, parked.Out, "CONVERSATIONS")
	require.Contains(t, parked.Out, lost.ID)
}

// buys orders a ticket, and returns the order once it is decided.
func (s *shop) buys(t *testing.T, p person, ticket string) blackbox.Order {
	t.Helper()
	a := p.Do(t, "POST", "/v1/orders", blackbox.Wanted(ticket), "Prefer", "wait=10", "Idempotency-Key", uuid.NewString())
	require.Equal(t, 201, a.Status, a)
	o, err := a.Order()
	require.NoError(t, err)
	require.Equal(t, "awaiting_payment", o.Status)
	a = p.Do(t, "GET", "/v1/orders/"+o.ID, "", "Consistency-Token", a.Header.Get("Consistency-Token"), "Prefer", "wait=10")
	require.Equal(t, 200, a.Status, a)
	return o
}

// settled is a new conversation once its first message is answered.
func (s *shop) settled(t *testing.T, p person, text string) blackbox.Conversation {
	t.Helper()
	c := p.asks(t, text)
	return conversationOf(t, p.reads(t, c, "/v1/conversations/"+c.ID))
}
