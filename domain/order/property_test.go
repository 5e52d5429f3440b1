package order_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func anyPlace(t *rapid.T) order.Command {
	who := rapid.SampledFrom([]uuid.UUID{buyer, buyer, seller, stranger, uuid.Nil})
	money := rapid.SampledFrom([]domain.Money{price, price, {Amount: 0, Currency: "EUR"}, {Amount: 1, Currency: "EU"}})
	return order.Place{
		TicketID: rapid.SampledFrom([]uuid.UUID{ticketID, ticketID, uuid.Nil}).Draw(t, "ticket"),
		BuyerID:  who.Draw(t, "buyer"), SellerID: rapid.SampledFrom([]uuid.UUID{seller, seller, uuid.Nil}).Draw(t, "seller"),
		Title: "Carmen", Price: money.Draw(t, "price"), ExpiresAt: due,
	}
}

func anyCommand() *rapid.Generator[order.Command] {
	reason := rapid.SampledFrom([]string{"", "ticket_not_available", "\xff"})
	late := rapid.SampledFrom([]time.Duration{-time.Hour, -time.Millisecond, 0, time.Hour})
	return rapid.Custom(func(t *rapid.T) order.Command {
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0, 1:
			return anyPlace(t)
		case 2:
			return order.Confirm{}
		case 3:
			return order.Reject{Reason: reason.Draw(t, "reason")}
		case 4:
			who := rapid.SampledFrom([]uuid.UUID{buyer, buyer, stranger, uuid.Nil})
			return order.Cancel{BuyerID: who.Draw(t, "who"), Reason: reason.Draw(t, "reason")}
		case 5:
			return order.Expire{At: due.Add(late.Draw(t, "late"))}
		}
		return order.Complete{PaymentID: rapid.SampledFrom([]uuid.UUID{payment, another, uuid.Nil}).Draw(t, "payment")}
	})
}

// arrows is the picture of section "marketplace": where a status may lead.
var arrows = map[order.Status][]order.Status{
	"": {"", order.StatusPlaced},
	order.StatusPlaced: {
		order.StatusPlaced, order.StatusAwaitingPayment, order.StatusRejected, order.StatusCancelled, order.StatusExpired,
	},
	order.StatusAwaitingPayment: {
		order.StatusAwaitingPayment, order.StatusCompleted, order.StatusCancelled, order.StatusExpired,
	},
	order.StatusCompleted: {order.StatusCompleted},
	order.StatusRejected:  {order.StatusRejected},
	order.StatusCancelled: {order.StatusCancelled},
	order.StatusExpired:   {order.StatusExpired},
}

func TestNoSequenceOfCommandsBreaksAnInvariant(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		state, endings := order.Initial(), 0
		for _, command := range rapid.SliceOfN(anyCommand(), 1, 40).Draw(t, "commands") {
			before := state
			events, err := order.Decide(state, command)
			require.Equal(t, before, state, "decide changed the state")
			for _, e := range events {
				state = order.Evolve(state, e)
				if state.Status.Ended() {
					endings++
				}
			}
			checkAnswer(t, events, err)
			checkStep(t, before, state)
			checkCause(t, before, command, events)
			checkRepeat(t, state, command, len(events) > 0)
		}
		require.LessOrEqual(t, endings, 1, "one ending only")
	})
}

func checkAnswer(t *rapid.T, events []order.Event, err error) {
	require.LessOrEqual(t, len(events), 1)
	if err == nil {
		return
	}
	var refusal *domain.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Empty(t, events)
	require.Equal(t, refusal.Kind == domain.Invalid, refusal.Field != "")
}

func checkStep(t *rapid.T, before, after order.State) {
	require.Contains(t, arrows[before.Status], after.Status)
	require.Equal(t, after.Status == order.StatusCompleted, after.PaymentID != uuid.Nil, "paid if and only if completed")
	if after.Status != order.StatusRejected && after.Status != order.StatusCancelled {
		require.Empty(t, after.Reason)
	}
	if after.Status != "" {
		require.NotEqual(t, after.BuyerID, after.SellerID, "bought his own ticket")
	}
	if before.Status == "" {
		return
	}
	terms := func(s order.State) order.State {
		s.Status, s.Reason, s.PaymentID = "", "", uuid.Nil
		return s
	}
	require.Equal(t, terms(before), terms(after), "the terms of an order never change")
}

func checkCause(t *rapid.T, before order.State, command order.Command, events []order.Event) {
	if len(events) == 0 {
		return
	}
	switch c := command.(type) {
	case order.Expire:
		require.False(t, c.At.Before(due), "expired before its time")
	case order.Cancel:
		require.Equal(t, before.BuyerID, c.BuyerID, "cancelled by a stranger")
	}
}

// checkRepeat holds that a command has no second effect.
func checkRepeat(t *rapid.T, state order.State, command order.Command, effective bool) {
	if !effective {
		return
	}
	events, _ := order.Decide(state, command)
	require.Empty(t, events, "the same command twice")
}

func TestStateSurvivesASnapshot(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		state := order.Initial()
		for _, command := range rapid.SliceOf(anyCommand()).Draw(t, "commands") {
			events, _ := order.Decide(state, command)
			for _, e := range events {
				state = order.Evolve(state, e)
			}
		}
		body, err := json.Marshal(state)
		require.NoError(t, err)
		var back order.State
		require.NoError(t, json.Unmarshal(body, &back))
		require.Equal(t, state, back)
	})
}
