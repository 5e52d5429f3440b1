package readstore

import (
	"context"
	"time"
)

// Description is what a database says of itself, for operators.
type Description struct {
	Product string
	Version string
	// Clock is the time by the database's own clock when it answered; the zero time
	// where it has none but this process's.
	Clock time.Time
}

// Describer is a Store that can describe its database; both adapters are. It blocks
// no longer than its context; ErrUnavailable.
type Describer interface {
	Describe(ctx context.Context) (Description, error)
}
