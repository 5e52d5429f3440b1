package readstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Errors of Reader and View.
var (
	// ErrNotYet: the projection did not reach a wanted version in time.
	ErrNotYet = errors.New("projection has not reached that version yet")
	// ErrParked: the aggregate is parked in this projection, so it will not reach
	// the version by itself. Always a *ParkedError.
	ErrParked = errors.New("aggregate is parked")
	// ErrBuilding: no generation can be read yet.
	ErrBuilding = errors.New("projection is being built")
)

// ParkedError says where a projection stopped at an aggregate. It matches ErrParked.
type ParkedError struct {
	Projection string
	Aggregate  uuid.UUID
	Version    uint64 // the version it stopped at
	Cause      string
}

func (e *ParkedError) Error() string {
	return fmt.Sprintf("projection %s: %s is parked at version %d: %s", e.Projection, e.Aggregate, e.Version, e.Cause)
}

// Is makes errors.Is(err, ErrParked) true.
func (e *ParkedError) Is(target error) bool { return target == ErrParked }

// Reader gives out views of one projection's current generation. Projections
// implement it; queries read through it. Safe for concurrent use.
type Reader interface {
	// Stream is the name of the stream that the projection reads.
	Stream() string
	// View is the generation to read for one request, from its beginning to its
	// end. ErrBuilding, ErrUnavailable.
	View(ctx context.Context) (View, error)
}

// View reads one generation. Safe for concurrent use.
type View interface {
	// Revision of the code that wrote it, from 1.
	Revision() int
	// Table is the generation's own table for one of the projection's described
	// ones, by the described name.
	Table(name string) *Table
	// List is the generation's own list over one of the projection's described
	// tables, by the described table's name; nil where that is no list.
	List(name string) *Bucketed
	// Wait returns once the home row of the aggregate is at version or beyond, and
	// no later than ctx: ErrNotYet then, ErrParked at once.
	Wait(ctx context.Context, aggregate uuid.UUID, version uint64) error
}
