package eventstore

import (
	"time"

	"github.com/google/uuid"
)

// Payload is a fact as a domain writes it: a plain struct that encodes to JSON
// in snake_case and knows the name it is recorded under.
type Payload interface {
	// EventType is the chosen wire name with its schema revision, such as
	// "ticket.listed.v1". It must be constant for the Go type.
	EventType() string
}

// Event is one recorded fact with its envelope. The envelope travels in NATS
// headers as a CloudEvent 1.0 in binary mode; the payload is the body.
type Event struct {
	ID            uuid.UUID // UUIDv7; also Nats-Msg-Id
	Aggregate     uuid.UUID
	Version       uint64 // 1, 2, 3 … within the aggregate
	Time          time.Time
	CorrelationID string // the request that began it
	CausationID   string // the command or event that caused this one
	CommandID     string // on the first event of a command only
	CommandHash   string // SHA-256 of the canonical request, hex; with CommandID
	Actor         string // an account's UUID, or "process/<name>"
	TraceParent   string // W3C trace context, empty when not traced
	Payload       Payload

	// Set by the store when it reads; ignored by Append.
	Type     string    // the type on the wire, before upcasting
	Sequence uint64    // JetStream's number within the stream
	Stored   time.Time // the broker's clock
}

// History is what a stream holds of one aggregate.
type History struct {
	// Events in order of version, duplicates dropped (the first in the stream
	// counts), contiguous from the first wanted version. What lies beyond a hole
	// is not in it.
	Events []Event
	// LastSequence is the stream sequence of the subject's newest message, the
	// expectation of the next Append; 0 when there is none.
	LastSequence uint64
	// Missing is the first version that is absent although a later one is
	// there; 0 when there is no hole.
	Missing uint64
}
