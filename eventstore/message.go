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

// Expected says whether the message was appended with an expectation of what was the
// last on its subject, as Append does: alone, or in an atomic batch. Then no other
// message has its version, unless its writer counted wrong.
func (m Message) Expected() bool {
	return len(m.Header[nats.ExpectedLastSubjSeqHdr]) > 0 || len(m.Header[headerBatchID]) > 0
}

// Position is the part of a message that the gate needs. It is read without
// touching the body, so that a poison payload still has a place in its aggregate.
type Position struct {
	Aggregate uuid.UUID
	Version   uint64
	Type      string
}
