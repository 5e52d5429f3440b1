// Package projections folds event streams into tables of a read store, and
// admits exactly one event of an aggregate: the next. It holds the gate, the
// flush, healing of gaps, parking of what cannot be read or applied, checkpoints,
// generations and rebuilds.
//
// A program describes each projection with a Definition, hands them to New and
// runs the Projector. It imports eventstore, eventstore/subscription,
// eventstore/parked and readstore, and knows no domain.
package projections
