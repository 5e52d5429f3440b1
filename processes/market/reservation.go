package market

import (
	"errors"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
)

// Reservation gets an order its ticket, or has it rejected, and lets go of the ticket
// when the order ends: the ticket decides who wins.
func Reservation() processes.Definition[order.State] {
	return processes.Definition[order.State]{
		Name: "reservation", Stream: "ORDERS", Start: processes.Beginning,
		Reacts: []eventstore.Payload{order.Placed{}, order.Cancelled{}, order.Expired{}, order.Completed{}},
		Evolve: func(s order.State, e eventstore.Event) order.State { return order.Evolve(s, e.Payload.(order.Event)) },
		Decide: reserve,
	}
}

func reserve(s order.State, e eventstore.Event, answers []processes.Answer) processes.Step {
	switch p := e.Payload.(type) {
	case order.Placed:
		switch s.Status {
		case order.StatusPlaced:
			return place(e.Aggregate, p, answers)
		case order.StatusRejected, order.StatusCancelled, order.StatusExpired:
			return release(e.Aggregate, s, answers)
		case order.StatusAwaitingPayment, order.StatusCompleted:
			// It was confirmed by an earlier reaction to this event.
		}
	case order.Cancelled, order.Expired:
		return release(e.Aggregate, s, answers)
	case order.Completed:
		return sell(e.Aggregate, s, answers)
	}
	return nil
}

// place asks the ticket, and tells the order what it said. Where the order has ended
// meanwhile, the ticket is let go before the event counts as handled.
func place(id uuid.UUID, p order.Placed, answers []processes.Answer) processes.Step {
	switch len(answers) {
	case 0:
		return toTicket("ticket.reserve", p.TicketID, ticket.Reserve{OrderID: id, Price: p.Price})
	case 1:
		if refusal := answers[0].Refusal; refusal != nil {
			return toOrder("order.reject", id, order.Reject{Reason: codeOf(refusal)})
		}
		return toOrder("order.confirm", id, order.Confirm{})
	case 2:
		if reserved := answers[0].Refusal == nil; reserved && answers[1].Refusal != nil {
			return letGo(id, p.TicketID)
		}
	}
	return nil
}

// release lets the ticket of an order go that has ended. Refused: it never held the
// ticket, or does not any more.
func release(id uuid.UUID, s order.State, answers []processes.Answer) processes.Step {
	if len(answers) > 0 {
		return nil
	}
	return letGo(id, s.TicketID)
}

func letGo(id, ticketID uuid.UUID) processes.Step {
	return toTicket("ticket.release", ticketID, ticket.Release{OrderID: id})
}

// sell has no answer to a refusal: an order is completed only while it holds its
// ticket.
func sell(id uuid.UUID, s order.State, answers []processes.Answer) processes.Step {
	if len(answers) == 0 {
		return toTicket("ticket.sell", s.TicketID, ticket.Sell{OrderID: id})
	}
	if refusal := answers[0].Refusal; refusal != nil {
		return processes.Stop{Cause: refusal}
	}
	return nil
}

// codeOf is the stable code of a refusal.
func codeOf(err error) string {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return "refused"
}
