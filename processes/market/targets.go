package market

import (
	"errors"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/order"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/processes"
	"github.com/google/uuid"
)

// Names of the targets.
const (
	tickets = "tickets"
	orders  = "orders"
)

// Targets are the aggregates that the marketplace's processes send commands to.
func Targets(t *commands.Handler[ticket.State, ticket.Command], o *commands.Handler[order.State, order.Command]) map[string]processes.Target {
	return map[string]processes.Target{tickets: processes.To(t), orders: processes.To(o)}
}

// IsRefusal says whether an error is a rule's no, which is an answer.
func IsRefusal(err error) bool {
	var refusal *domain.Refusal
	return errors.As(err, &refusal)
}

func toTicket(operation string, id uuid.UUID, c ticket.Command) processes.Step {
	return processes.Send{To: tickets, Operation: operation, Aggregate: id, Body: c}
}

func toOrder(operation string, id uuid.UUID, c order.Command) processes.Step {
	return processes.Send{To: orders, Operation: operation, Aggregate: id, Body: c}
}
