package projections

import "github.com/admitone/admitone/eventstore/parked"

// Parked is an aggregate that one generation of a projection has stopped at. All
// others go on.
type Parked = parked.Mark

// Kinds of cause for which an aggregate is parked.
const (
	CauseMissing   = parked.CauseMissing
	CauseMalformed = parked.CauseMalformed
	CauseUnknown   = parked.CauseUnknown
	CauseApply     = parked.CauseApply
)
