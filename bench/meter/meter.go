// Package meter is a toy domain of the benchmarks: meters that are read again and
// again. Its events have bodies of 256 bytes.
package meter

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
)

// BodySize is that of each event, in bytes.
const BodySize = 256

// Stream is the name of the stream of meters.
const Stream = "METERS"

// Place is where every meter hangs.
const Place = "cellar 3"

// Read is the only event: somebody has read the meter.
type Read struct {
	Value int64  `json:"value"`
	Place string `json:"place"`
	Note  string `json:"note"` // fills the body up
}

// Type is the event's name on the wire.
const Type = "meter.read.v1"

// EventType is Type.
func (Read) EventType() string { return Type }

var padding = strings.Repeat("n", BodySize)

// NewRead is a reading whose body has BodySize bytes.
func NewRead(value int64) Read {
	bare, _ := json.Marshal(Read{Value: value, Place: Place})
	return Read{Value: value, Place: Place, Note: padding[:BodySize-len(bare)]}
}

// Body is what NewRead encodes to.
func Body(value int64) []byte {
	body, _ := json.Marshal(NewRead(value)) // such a struct encodes
	return body
}

// Registry knows the event.
func Registry() *eventstore.Registry {
	r := eventstore.NewRegistry()
	r.Register(Read{})
	return r
}

// Event is a reading with all that the command handler gives an event.
func Event(id, meter uuid.UUID, version uint64, payload eventstore.Payload) eventstore.Event {
	return eventstore.Event{
		ID: id, Aggregate: meter, Version: version, Time: time.Now(), Payload: payload,
		CorrelationID: "0190f3a1-0000-7000-8000-00000000c0de", CausationID: "0190f3a1-0000-7000-8000-000000000002",
		CommandID: "0190f3a1-0000-7000-8000-000000000002", CommandHash: Hash, Actor: "0190f3a1-0000-7000-8000-000000000001",
	}
}

// Hash is the command hash of every command.
const Hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// ID is the n-th id of a kind: spread like a random one, and quick to make.
func ID(kind, n uint64) uuid.UUID {
	var id uuid.UUID
	high := mix(kind<<48 ^ n)
	binary.BigEndian.PutUint64(id[:8], high)
	binary.BigEndian.PutUint64(id[8:], mix(high+n))
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Decider records each reading that it is told of.
func Decider() commands.Decider[int64, Read] {
	return commands.Decider[int64, Read]{
		Initial: func() int64 { return 0 },
		Decide:  func(_ int64, r Read) ([]eventstore.Payload, error) { return []eventstore.Payload{r}, nil },
		Evolve:  func(_ int64, p eventstore.Payload) int64 { return p.(Read).Value },
	}
}
