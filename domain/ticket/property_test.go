package ticket_test

import (
	"encoding/json"
	"testing"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func anyCommand() *rapid.Generator[ticket.Command] {
	who := rapid.SampledFrom([]uuid.UUID{seller, seller, stranger, uuid.Nil})
	holder := rapid.SampledFrom([]uuid.UUID{order, order, rival, uuid.Nil})
	money := rapid.SampledFrom([]domain.Money{price, price, other, {Amount: 0, Currency: "EUR"}, {Amount: 1, Currency: "EU"}})
	title := rapid.SampledFrom([]string{"Carmen", "Tosca", " "})
	return rapid.Custom(func(t *rapid.T) ticket.Command {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return ticket.List{SellerID: who.Draw(t, "seller"), Title: title.Draw(t, "title"), Price: money.Draw(t, "price")}
		case 1:
			return ticket.Reprice{SellerID: who.Draw(t, "seller"), Price: money.Draw(t, "price")}
		case 2:
			return ticket.Withdraw{SellerID: who.Draw(t, "seller")}
		case 3:
			return ticket.Reserve{OrderID: holder.Draw(t, "order"), Price: money.Draw(t, "price")}
		case 4:
			return ticket.Release{OrderID: holder.Draw(t, "order")}
		}
		return ticket.Sell{OrderID: holder.Draw(t, "order")}
	})
}

// arrows is the picture of section "marketplace": where a status may lead.
var arrows = map[ticket.Status][]ticket.Status{
	"":                     {"", ticket.StatusAvailable},
	ticket.StatusAvailable: {ticket.StatusAvailable, ticket.StatusReserved, ticket.StatusWithdrawn},
	ticket.StatusReserved:  {ticket.StatusReserved, ticket.StatusAvailable, ticket.StatusSold},
	ticket.StatusSold:      {ticket.StatusSold},
	ticket.StatusWithdrawn: {ticket.StatusWithdrawn},
}

func TestNoSequenceOfCommandsBreaksAnInvariant(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		state := ticket.Initial()
		buyers := map[uuid.UUID]bool{}
		for _, command := range rapid.SliceOfN(anyCommand(), 1, 40).Draw(t, "commands") {
			before := state
			events, err := ticket.Decide(state, command)
			require.Equal(t, before, state, "decide changed the state")
			for _, e := range events {
				state = ticket.Evolve(state, e)
				if s, ok := e.(ticket.Sold); ok {
					buyers[s.OrderID] = true
				}
			}
			checkAnswer(t, events, err)
			checkStep(t, before, state)
			checkRepeat(t, state, command, len(events) > 0)
		}
		require.LessOrEqual(t, len(buyers), 1, "two buyers")
	})
}

func checkAnswer(t *rapid.T, events []ticket.Event, err error) {
	require.LessOrEqual(t, len(events), 1)
	if err == nil {
		return
	}
	var refusal *domain.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Empty(t, events)
	require.Equal(t, refusal.Kind == domain.Invalid, refusal.Field != "")
}

func checkStep(t *rapid.T, before, after ticket.State) {
	require.Contains(t, arrows[before.Status], after.Status)
	holds := after.Status == ticket.StatusReserved || after.Status == ticket.StatusSold
	require.Equal(t, holds, after.OrderID != uuid.Nil, "held by an order if and only if reserved or sold")
	if before.Status == "" {
		return
	}
	require.Equal(t, before.SellerID, after.SellerID)
	require.Equal(t, before.Title, after.Title)
	if before.Status != ticket.StatusAvailable {
		require.Equal(t, before.Price, after.Price, "the price changed while the ticket was not available")
	}
	if before.OrderID != uuid.Nil && after.OrderID != uuid.Nil {
		require.Equal(t, before.OrderID, after.OrderID, "passed from order to order without a release")
	}
}

// checkRepeat holds that a command has no second effect, though a price that is set
// once more is an event.
func checkRepeat(t *rapid.T, state ticket.State, command ticket.Command, effective bool) {
	if !effective {
		return
	}
	events, _ := ticket.Decide(state, command)
	again := state
	for _, e := range events {
		again = ticket.Evolve(again, e)
	}
	require.Equal(t, state, again, "the same command twice")
}

func TestStateSurvivesASnapshot(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		state := ticket.Initial()
		for _, command := range rapid.SliceOf(anyCommand()).Draw(t, "commands") {
			events, _ := ticket.Decide(state, command)
			for _, e := range events {
				state = ticket.Evolve(state, e)
			}
		}
		body, err := json.Marshal(state)
		require.NoError(t, err)
		var back ticket.State
		require.NoError(t, json.Unmarshal(body, &back))
		require.Equal(t, state, back)
	})
}
