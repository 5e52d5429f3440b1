package market_test

import (
	"errors"
	"testing"
	"time"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/processes"
	"github.com/admitone/admitone/processes/market"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var (
	orderID  = uuid.MustParse("01900000-0000-7000-8000-000000000001")
	ticketID = uuid.MustParse("01900000-0000-7000-8000-000000000002")
	buyer    = uuid.MustParse("01900000-0000-7000-8000-000000000003")
	seller   = uuid.MustParse("01900000-0000-7000-8000-000000000004")
	price    = domain.Money{Amount: 2500, Currency: "EUR"}
	due      = time.Date(2026, 3, 1, 12, 15, 0, 250_000_000, time.UTC)
	placed   = order.Placed{TicketID: ticketID, BuyerID: buyer, SellerID: seller, Title: "Carmen, row 3", Price: price, ExpiresAt: due}
)

var (
	reserve = processes.Send{To: "tickets", Operation: "ticket.reserve", Aggregate: ticketID, Body: ticket.Reserve{OrderID: orderID, Price: price}}
	release = processes.Send{To: "tickets", Operation: "ticket.release", Aggregate: ticketID, Body: ticket.Release{OrderID: orderID}}
	sell    = processes.Send{To: "tickets", Operation: "ticket.sell", Aggregate: ticketID, Body: ticket.Sell{OrderID: orderID}}
	confirm = processes.Send{To: "orders", Operation: "order.confirm", Aggregate: orderID, Body: order.Confirm{}}
	expire  = processes.Send{To: "orders", Operation: "order.expire", Aggregate: orderID, Body: order.Expire{At: due.Add(time.Second)}}
)

func reject(reason string) processes.Step {
	return processes.Send{To: "orders", Operation: "order.reject", Aggregate: orderID, Body: order.Reject{Reason: reason}}
}

// told is a step and what it was answered; nil: accepted.
type told struct {
	step   processes.Step
	answer error
}

// steps are what a process does about an event of an order that was placed before, if
// it is another one.
func steps[S any](t *testing.T, d processes.Definition[S], e eventstore.Payload, want ...told) {
	t.Helper()
	var s S
	if log := []eventstore.Payload{placed, e}; d.Evolve != nil {
		if e.EventType() == placed.EventType() {
			log = log[:1]
		}
		for _, one := range log {
			s = d.Evolve(s, eventstore.Event{Aggregate: orderID, Payload: one})
		}
	}
	follow(t, want, func(answers []processes.Answer) processes.Step {
		return d.Decide(s, eventstore.Event{Aggregate: orderID, Payload: e}, answers)
	})
}

func follow(t *testing.T, want []told, next func([]processes.Answer) processes.Step) {
	t.Helper()
	var answers []processes.Answer
	for _, w := range want {
		require.Equal(t, w.step, next(answers))
		answers = append(answers, processes.Answer{Refusal: w.answer})
	}
	if _, stops := want[len(want)-1].step.(processes.Stop); !stops {
		require.Nil(t, next(answers), "it is done")
	}
}

func TestReservation(t *testing.T) {
	t.Parallel()
	r := market.Reservation()
	steps(t, r, placed, told{reserve, nil}, told{confirm, nil})
	steps(t, r, placed, told{reserve, nil}, told{confirm, order.ErrEnded}, told{release, nil})
	steps(t, r, placed, told{reserve, nil}, told{confirm, order.ErrEnded}, told{release, ticket.ErrNotHolder})
	steps(t, r, placed, told{reserve, ticket.ErrNotAvailable.Because("the ticket is sold")}, told{reject("ticket_not_available"), nil})
	steps(t, r, placed, told{reserve, ticket.ErrPriceChanged}, told{reject("ticket_price_changed"), nil})
	steps(t, r, placed, told{reserve, ticket.ErrNotFound}, told{reject("ticket_not_found"), order.ErrEnded})
	steps(t, r, placed, told{reserve, ticket.ErrNotAvailable}, told{reject("ticket_not_available"), order.ErrDecided})
	steps(t, r, placed, told{reserve, errors.New("?")}, told{reject("refused"), nil})
	for _, ending := range []eventstore.Payload{order.Cancelled{Reason: "no"}, order.Expired{}} {
		for _, answer := range []error{nil, ticket.ErrNotHolder, ticket.ErrAlreadySold, ticket.ErrNotFound} {
			steps(t, r, ending, told{release, answer})
		}
	}
	steps(t, r, order.Completed{PaymentID: buyer}, told{sell, nil})
	steps(t, r, order.Completed{PaymentID: buyer}, told{sell, ticket.ErrNotHolder}, told{processes.Stop{Cause: ticket.ErrNotHolder}, nil})
}

// An earlier reaction to the same event may have gone any way.
func TestReservationOfAnOrderThatIsDecided(t *testing.T) {
	t.Parallel()
	d := market.Reservation()
	for status, want := range map[order.Status]processes.Step{
		order.StatusPlaced: reserve, order.StatusAwaitingPayment: nil, order.StatusCompleted: nil,
		order.StatusRejected: release, order.StatusCancelled: release, order.StatusExpired: release,
	} {
		s := order.State{Status: status, TicketID: ticketID}
		require.Equal(t, want, d.Decide(s, eventstore.Event{Aggregate: orderID, Payload: placed}, nil), status)
		if want == release {
			require.Nil(t, d.Decide(s, eventstore.Event{Aggregate: orderID, Payload: placed}, []processes.Answer{{Refusal: ticket.ErrNotHolder}}))
		}
	}
}

func TestExpiration(t *testing.T) {
	t.Parallel()
	e := market.Expiration()
	steps(t, e, placed, told{processes.SetTimer{ID: orderID, At: due}, nil})
	for _, ending := range []eventstore.Payload{order.Rejected{}, order.Cancelled{}, order.Expired{}, order.Completed{}} {
		steps(t, e, ending, told{processes.CancelTimer{ID: orderID}, nil})
	}
	for _, answer := range []error{nil, order.ErrEnded, order.ErrNotFound} {
		follow(t, []told{{expire, answer}}, func(answers []processes.Answer) processes.Step {
			return e.Due(processes.Due{ID: orderID, At: due, Now: due.Add(time.Second)}, answers)
		})
	}
}

// Every ending of an order is reacted to by both, and confirmed by neither.
func TestWhichEventsAreReactedTo(t *testing.T) {
	t.Parallel()
	var ends []eventstore.Payload
	for _, e := range order.Events() {
		s := order.Evolve(order.State{}, e)
		if s.Status.Ended() {
			ends = append(ends, e)
		}
	}
	require.Len(t, ends, 4)
	require.Subset(t, market.Expiration().Reacts, ends)
	_, err := market.All()
	require.NoError(t, err)
}
