// Package commands handles commands on event-sourced aggregates: it brings an
// aggregate's state up to date, lets a pure decider decide, and appends the
// events, so that each command has exactly one effect, for ever.
//
// HTTP endpoints and processes call it. It imports eventstore and no domain: a
// domain's decide and evolve come in as a Decider.
package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
)

// Errors of Handle, beside a decider's own refusals (which come back as they
// are) and eventstore's ErrUnavailable, ErrUnknownOutcome and ErrStreamFull.
var (
	// ErrKeyReused: this command id was used before with another request.
	ErrKeyReused = errors.New("command id was used with another request")
	// ErrVersionMismatch: the aggregate is not at the version that the caller
	// named. Always a *VersionMismatchError.
	ErrVersionMismatch = errors.New("version mismatch")
	// ErrContention: other writers won every one of the attempts; nothing was
	// appended, and the same command may be sent again.
	ErrContention = errors.New("too many concurrent changes")
	// ErrHistory: the aggregate's log has a hole or an event that cannot be
	// read, so nothing may be decided on it.
	ErrHistory = errors.New("history cannot be read")
)

// VersionMismatchError says where the aggregate really is. It matches ErrVersionMismatch.
type VersionMismatchError struct {
	Aggregate        uuid.UUID
	Expected, Actual uint64 // Actual is 0 where there is no such aggregate
}

func (e *VersionMismatchError) Error() string {
	return fmt.Sprintf("commands: %s is at version %d, not %d", e.Aggregate, e.Actual, e.Expected)
}

// Is makes errors.Is(err, ErrVersionMismatch) true.
func (e *VersionMismatchError) Is(target error) bool { return target == ErrVersionMismatch }

// Decider is the pure half of an aggregate: state S, command C.
type Decider[S, C any] struct {
	// Initial is the state before the first event.
	Initial func() S
	// Decide answers a command with events, with none (nothing to do), or with a
	// refusal as a typed error. It must not touch the clock, randomness or state.
	Decide func(S, C) ([]eventstore.Payload, error)
	// Evolve folds one event; it cannot fail, and never changes s in place.
	Evolve func(s S, p eventstore.Payload) S
	// Seal gives the form in which a decided event is written, such as one whose
	// personal fields are encrypted; nil where it is the same. It is called for each
	// decided event in order, with the state after it, and anew for each attempt; what
	// it returns is appended and folded instead. It may ask others, so ctx ends it. Its
	// error is an answer that appends nothing, like a refusal.
	Seal func(ctx context.Context, aggregate uuid.UUID, s S, p eventstore.Payload) (eventstore.Payload, error)
}

// Adapt makes a Decider of the functions of a domain that does not import
// eventstore and has an event type E of its own, an interface with the method
// EventType. Every payload that the aggregate's stream can hold must be an E. It
// leaves Seal to the caller.
func Adapt[S, C any, E eventstore.Payload](
	initial func() S, decide func(S, C) ([]E, error), evolve func(S, E) S,
) Decider[S, C] {
	return Decider[S, C]{
		Initial: initial,
		Decide: func(s S, c C) ([]eventstore.Payload, error) {
			events, err := decide(s, c)
			if err != nil || len(events) == 0 {
				return nil, err
			}
			payloads := make([]eventstore.Payload, len(events))
			for i, e := range events {
				payloads[i] = e
			}
			return payloads, nil
		},
		Evolve: func(s S, p eventstore.Payload) S { return evolve(s, p.(E)) },
	}
}

// Command is one request to change one aggregate.
type Command[C any] struct {
	ID        uuid.UUID // see CommandID; a repeat of it answers as the first did
	Hash      string    // see Hash
	Aggregate uuid.UUID
	// Fresh: the aggregate's id was made for this command just now (a UUIDv7), so
	// there is nothing to load.
	Fresh         bool
	IfVersion     *uint64 // refuse unless the aggregate is at this version
	Actor         string
	CorrelationID string
	CausationID   string // empty: the command's own id
	TraceParent   string
	Body          C
}

// Result is an aggregate after a command.
type Result[S any] struct {
	State    S
	Version  uint64
	Created  time.Time // of version 1, as its event says; milliseconds where this handler wrote it
	Updated  time.Time // of Version
	Repeated bool      // the command had been handled before; State and Version are those of then
	Appended bool      // false when there was nothing to do

	// past is set where State is that of an earlier version, which is still to be read.
	past bool
}
