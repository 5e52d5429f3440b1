package processes

import (
	"context"
	"fmt"

	"github.com/admitone/admitone/commands"
	"github.com/google/uuid"
)

// Command is what a process asks of an aggregate.
type Command struct {
	ID            uuid.UUID // the same whenever the process reacts to the same cause
	Hash          string    // the same for the same ID
	Operation     string
	Aggregate     uuid.UUID
	Body          any
	Actor         string // process/<name>
	CorrelationID string // of the event that caused it, or that event's id
	CausationID   string // the event that caused it, or that set the timer
	TraceParent   string
}

// Target takes commands. It returns when the command's effect is durable, or its
// refusal final, and does nothing for a command id that it has handled before.
type Target func(ctx context.Context, c Command) error

// To is the target that sends commands to a handler's aggregates. A body that is no
// C is a fault of the process.
func To[S, C any](h *commands.Handler[S, C]) Target {
	return func(ctx context.Context, c Command) error {
		body, ok := c.Body.(C)
		if !ok {
			return fmt.Errorf("processes: %s: %T is no command of %s", c.Operation, c.Body, c.Aggregate)
		}
		_, err := h.Handle(ctx, commands.Command[C]{
			ID: c.ID, Hash: c.Hash, Aggregate: c.Aggregate, Actor: c.Actor,
			CorrelationID: c.CorrelationID, CausationID: c.CausationID, TraceParent: c.TraceParent, Body: body,
		})
		return err
	}
}

// Lookup answers a Look, and changes nothing. What may pass by itself, such as a read
// store that is away, it must tell by an error that matches eventstore.ErrUnavailable
// or another that is worth waiting for; then it is asked again for as long as it takes.
type Lookup func(ctx context.Context, query any) (found any, err error)
