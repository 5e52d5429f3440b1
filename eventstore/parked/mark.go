// Package parked keeps a mark for each aggregate that a reader of an event stream,
// a projection or a process, has stopped at. Marks live in one bucket at the
// broker, so that every copy knows of them and an operator finds them in one place.
//
// Projections and processes use it. It imports eventstore.
package parked

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// Kinds of cause for which an aggregate is parked.
const (
	CauseMissing   = "missing"   // a version that was never written, though a later one was
	CauseMalformed = "malformed" // an event that cannot be decoded
	CauseUnknown   = "unknown"   // an event of a type that this code has no registration for
	CauseApply     = "apply"     // an event that the reader refuses or panics at
)

// Mark is an aggregate that one generation of a projection, or a process (its
// generation is 0), has stopped at. All others go on.
type Mark struct {
	Projection string    `json:"projection"` // or the process
	Generation int       `json:"generation"`
	Stream     string    `json:"stream"`
	Aggregate  uuid.UUID `json:"aggregate_id"`
	Version    uint64    `json:"version"` // the version it waits for or fails at; 0 when that cannot be read
	Kind       string    `json:"kind"`
	Cause      string    `json:"cause"`
	Attempts   int       `json:"attempts"`
	Since      time.Time `json:"since"`
	Seen       uint64    `json:"seen"` // the highest stream sequence acknowledged while it was parked
}

// Key is a mark's key in the bucket: <reader>.<generation>.<aggregate>.
func Key(reader string, generation int, id uuid.UUID) string {
	return prefix(reader, generation) + id.String()
}

func prefix(reader string, generation int) string {
	return reader + "." + strconv.Itoa(generation) + "."
}

func decode(e jetstream.KeyValueEntry) (Mark, error) {
	var m Mark
	if err := json.Unmarshal(e.Value(), &m); err != nil {
		return m, fmt.Errorf("parked: mark %s: %w", e.Key(), err)
	}
	return m, nil
}
