package market

import (
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/processes"
)

// Expiration ends an order that nobody has paid in time.
func Expiration() processes.Definition[struct{}] {
	return processes.Definition[struct{}]{
		Name: "expiration", Stream: "ORDERS", Start: processes.Beginning, Timer: "order",
		Reacts: []eventstore.Payload{order.Placed{}, order.Rejected{}, order.Cancelled{}, order.Expired{}, order.Completed{}},
		Decide: watch, Due: expire,
	}
}

// watch sets a timer for an order, and takes it away when the order has ended.
func watch(_ struct{}, e eventstore.Event, answers []processes.Answer) processes.Step {
	if len(answers) > 0 {
		return nil
	}
	if p, ok := e.Payload.(order.Placed); ok {
		return processes.SetTimer{ID: e.Aggregate, At: p.ExpiresAt}
	}
	return processes.CancelTimer{ID: e.Aggregate}
}

// expire goes by the broker's time, which the timer waited for. A refusal means that
// the order has ended in another way.
func expire(d processes.Due, answers []processes.Answer) processes.Step {
	if len(answers) > 0 {
		return nil
	}
	return toOrder("order.expire", d.ID, order.Expire{At: d.Now})
}
