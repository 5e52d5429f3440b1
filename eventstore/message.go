package eventstore

import (
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// Message is one message of an event stream as the broker delivered it, not
// decoded yet.
type Message struct {
	Subject  string
	Sequence uint64
	Stored   time.Time
	Header   nats.Header
	Data     []byte
}

// Position is the part of a message that the gate needs. It is read without
// touching the body, so that a poison payload still has a place in its aggregate.
type Position struct {
	Aggregate uuid.UUID
	Version   uint64
	Type      string
}
