package order_test

import (
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/commandstest"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var (
	ticketID = uuid.MustParse("01900000-0000-7000-8000-000000000001")
	buyer    = uuid.MustParse("01900000-0000-7000-8000-000000000002")
	seller   = uuid.MustParse("01900000-0000-7000-8000-000000000003")
	stranger = uuid.MustParse("01900000-0000-7000-8000-000000000004")
	payment  = uuid.MustParse("01900000-0000-7000-8000-00000000000a")
	another  = uuid.MustParse("01900000-0000-7000-8000-00000000000b")

	price = domain.Money{Amount: 2500, Currency: "EUR"}
	due   = time.Date(2026, 3, 1, 12, 15, 0, 250_000_000, time.UTC)

	placed = order.Placed{
		TicketID: ticketID, BuyerID: buyer, SellerID: seller, Title: "Carmen, row 3", Price: price, ExpiresAt: due,
	}
	confirmed = order.Confirmed{}
	rejected  = order.Rejected{Reason: "ticket_not_available"}
	cancelled = order.Cancelled{Reason: "found a better seat"}
	expired   = order.Expired{}
	completed = order.Completed{PaymentID: payment}

	place = order.Place(placed)
)

// ended is every way an order can end.
var ended = [][]eventstore.Payload{
	{placed, rejected}, {placed, cancelled}, {placed, confirmed, cancelled}, {placed, expired},
	{placed, confirmed, expired}, {placed, confirmed, completed},
}

func decider() commands.Decider[order.State, order.Command] {
	return commands.Adapt(order.Initial, order.Decide, order.Evolve)
}

func setup(t *testing.T) commandstest.Spec[order.State, order.Command] {
	t.Helper()
	t.Parallel()
	return commandstest.For(t, decider())
}

func TestPlace(t *testing.T) {
	s := setup(t)
	state := s.Given().When(place).Then(placed)
	require.Equal(t, order.State{
		Status: order.StatusPlaced, TicketID: ticketID, BuyerID: buyer, SellerID: seller,
		Title: "Carmen, row 3", Price: price, ExpiresAt: due,
	}, state)
	s.Given(placed).When(place).ThenRefused(order.ErrAlreadyPlaced)
	s.Given(placed, rejected).When(place).ThenRefused(order.ErrAlreadyPlaced)

	own := place
	own.SellerID = buyer
	s.Given().When(own).ThenRefused(order.ErrOwnTicket)
}

func TestConfirm(t *testing.T) {
	s := setup(t)
	state := s.Given(placed).When(order.Confirm{}).Then(confirmed)
	require.Equal(t, order.StatusAwaitingPayment, state.Status)
	s.Given().When(order.Confirm{}).ThenRefused(order.ErrNotFound)
	s.Given(placed, confirmed).When(order.Confirm{}).ThenNothing()
	s.Given(placed, confirmed, completed).When(order.Confirm{}).ThenNothing()
	s.Given(placed, rejected).When(order.Confirm{}).ThenRefused(order.ErrEnded)
	s.Given(placed, cancelled).When(order.Confirm{}).ThenRefused(order.ErrEnded)
	s.Given(placed, confirmed, expired).When(order.Confirm{}).ThenRefused(order.ErrEnded)
}

func TestReject(t *testing.T) {
	s := setup(t)
	reject := order.Reject{Reason: "ticket_not_available"}
	state := s.Given(placed).When(reject).Then(rejected)
	require.Equal(t, order.StatusRejected, state.Status)
	require.Equal(t, "ticket_not_available", state.Reason)
	s.Given().When(reject).ThenRefused(order.ErrNotFound)
	s.Given(placed, rejected).When(reject).ThenNothing()
	s.Given(placed, rejected).When(order.Reject{Reason: "ticket_price_changed"}).ThenNothing()
	s.Given(placed, confirmed).When(reject).ThenRefused(order.ErrDecided)
	s.Given(placed, confirmed, completed).When(reject).ThenRefused(order.ErrEnded)
	s.Given(placed, cancelled).When(reject).ThenRefused(order.ErrEnded)
	s.Given(placed, expired).When(reject).ThenRefused(order.ErrEnded)
}

func TestCancel(t *testing.T) {
	s := setup(t)
	cancel := order.Cancel{BuyerID: buyer, Reason: "found a better seat"}
	state := s.Given(placed).When(cancel).Then(cancelled)
	require.Equal(t, order.StatusCancelled, state.Status)
	require.Equal(t, "found a better seat", state.Reason)
	s.Given(placed, confirmed).When(cancel).Then(cancelled)
	s.Given(placed).When(order.Cancel{BuyerID: buyer}).Then(order.Cancelled{})
	s.Given().When(cancel).ThenRefused(order.ErrNotFound)
	for _, history := range ended {
		s.Given(history...).When(cancel).ThenRefused(order.ErrEnded)
	}
}

func TestToOthersThereIsNoOrder(t *testing.T) {
	s := setup(t)
	for _, history := range append(ended, []eventstore.Payload{placed}, []eventstore.Payload{placed, confirmed}) {
		for _, who := range []uuid.UUID{stranger, seller, uuid.Nil} {
			s.Given(history...).When(order.Cancel{BuyerID: who}).ThenRefused(order.ErrNotBuyer)
		}
	}
	require.ErrorIs(t, order.ErrNotBuyer, order.ErrNotFound)
	require.EqualError(t, order.ErrNotBuyer, order.ErrNotFound.Error(), "the text would tell")
}

func TestReasons(t *testing.T) {
	s := setup(t)
	for reason, refusal := range map[string]error{
		"":                       nil,
		strings.Repeat("é", 200): nil,
		strings.Repeat("é", 201): order.ErrReason,
		"not UTF-8: \xff":        order.ErrReason,
	} {
		cancel := s.Given(placed).When(order.Cancel{BuyerID: buyer, Reason: reason})
		reject := s.Given(placed).When(order.Reject{Reason: reason})
		if refusal == nil {
			cancel.Then(order.Cancelled{Reason: reason})
			reject.Then(order.Rejected{Reason: reason})
		} else {
			cancel.ThenRefused(refusal)
			reject.ThenRefused(refusal)
		}
	}
}

func TestExpire(t *testing.T) {
	s := setup(t)
	state := s.Given(placed).When(order.Expire{At: due}).Then(expired)
	require.Equal(t, order.StatusExpired, state.Status)
	s.Given(placed, confirmed).When(order.Expire{At: due.Add(time.Hour)}).Then(expired)
	s.Given(placed).When(order.Expire{At: due.Add(-time.Millisecond)}).ThenRefused(order.ErrNotDue)
	s.Given(placed).When(order.Expire{}).ThenRefused(order.ErrNotDue)
	s.Given().When(order.Expire{At: due}).ThenRefused(order.ErrNotFound)
	s.Given(placed, expired).When(order.Expire{At: due}).ThenNothing()
	s.Given(placed, rejected).When(order.Expire{At: due}).ThenRefused(order.ErrEnded)
	s.Given(placed, confirmed, cancelled).When(order.Expire{At: due}).ThenRefused(order.ErrEnded)
	s.Given(placed, confirmed, completed).When(order.Expire{At: due}).ThenRefused(order.ErrEnded)
}

func TestComplete(t *testing.T) {
	s := setup(t)
	complete := order.Complete{PaymentID: payment}
	state := s.Given(placed, confirmed).When(complete).Then(completed)
	require.Equal(t, order.StatusCompleted, state.Status)
	require.Equal(t, payment, state.PaymentID)
	s.Given().When(complete).ThenRefused(order.ErrNotFound)
	s.Given(placed).When(complete).ThenRefused(order.ErrNotConfirmed)
	s.Given(placed, confirmed, completed).When(complete).ThenNothing()
	s.Given(placed, confirmed, completed).When(order.Complete{PaymentID: another}).ThenRefused(order.ErrEnded)
	s.Given(placed, rejected).When(complete).ThenRefused(order.ErrEnded)
	s.Given(placed, confirmed, cancelled).When(complete).ThenRefused(order.ErrEnded)
	s.Given(placed, confirmed, expired).When(complete).ThenRefused(order.ErrEnded)
	s.Given(placed, confirmed).When(order.Complete{}).ThenRefused(order.ErrID)
}

func TestOffers(t *testing.T) {
	t.Parallel()
	for status, refusal := range map[ticket.Status]error{
		ticket.StatusAvailable: nil, ticket.StatusReserved: nil,
		ticket.StatusSold: ticket.ErrNotAvailable, ticket.StatusWithdrawn: ticket.ErrNotAvailable,
	} {
		require.ErrorIs(t, order.Offer{Status: status}.Refuse(), refusal, status)
	}
}

func TestRefusalsNameTheField(t *testing.T) {
	t.Parallel()
	with := func(change func(*order.Place)) order.Command {
		p := place
		change(&p)
		return p
	}
	for field, command := range map[string]order.Command{
		"/ticket_id":      with(func(p *order.Place) { p.TicketID = uuid.Nil }),
		"/buyer_id":       with(func(p *order.Place) { p.BuyerID = uuid.Nil }),
		"/seller_id":      with(func(p *order.Place) { p.SellerID = uuid.Nil }),
		"/expires_at":     with(func(p *order.Place) { p.ExpiresAt = time.Time{} }),
		"/price/amount":   with(func(p *order.Place) { p.Price.Amount = 0 }),
		"/price/currency": with(func(p *order.Place) { p.Price.Currency = "QQQ" }),
		"/reason":         order.Cancel{Reason: strings.Repeat("x", order.MaxReason+1)},
		"/payment_id":     order.Complete{},
	} {
		_, err := order.Decide(order.Initial(), command)
		var refusal *domain.Refusal
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, domain.Invalid, refusal.Kind)
		require.Equal(t, field, refusal.Field)
	}
}

func TestKindsOfRefusals(t *testing.T) {
	t.Parallel()
	for refusal, kind := range map[*domain.Refusal]domain.Kind{
		order.ErrID: domain.Invalid, order.ErrExpiry: domain.Invalid, order.ErrReason: domain.Invalid,
		order.ErrNotFound: domain.NotFound, order.ErrNotBuyer: domain.NotFound,
		order.ErrAlreadyPlaced: domain.Conflict, order.ErrOwnTicket: domain.Conflict, order.ErrEnded: domain.Conflict,
		order.ErrDecided: domain.Conflict, order.ErrNotConfirmed: domain.Conflict, order.ErrNotDue: domain.Conflict,
	} {
		require.Equal(t, kind, refusal.Kind, refusal.Code)
	}
}
