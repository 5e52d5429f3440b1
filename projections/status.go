package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/google/uuid"
)

// States of a projection.
const (
	StatusBuilding = "building" // no generation can be read yet
	StatusStarting = "starting" // this process catches up with what was written before it started
	StatusLive     = "live"
	StatusStalled  = "stalled" // it cannot go on just now; Problem says why
)

// Status of a projection, over all copies where the broker knows, else of this process.
type Status struct {
	Name           string
	Stream         string
	Revision       int
	Generation     int // the live one, 0 when there is none yet
	Status         string
	Problem        string
	LagEvents      uint64        // stored and not written to the rows yet
	Lag            time.Duration // age of the oldest of them
	Parked         int           // aggregates
	LastAdmittedAt time.Time     // zero when nothing was admitted by this process
	Counters       Counters      // of this process
	Building       *Progress     // nil when nothing is being built
}

// Names of all projections, in order of definition.
func (p *Projector) Names() []string { return slices.Clone(p.order) }

// Status asks the broker for the state of every projection, in order of definition.
func (p *Projector) Status(ctx context.Context) ([]Status, error) {
	var all []Status
	for _, name := range p.order {
		s, err := p.keepers[name].status(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// Standing is Status without how far behind a projection is and what it has parked: it
// asks for one record of each, and the read store for nothing.
func (p *Projector) Standing(ctx context.Context) ([]Status, error) {
	var all []Status
	for _, name := range p.order {
		s, _, err := p.keepers[name].standing(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (k *keeper) standing(ctx context.Context) (Status, record, error) {
	s := Status{Name: k.def.name, Stream: k.stream.Name(), Revision: k.def.revision, Status: StatusLive}
	rec, err := k.p.records.read(ctx, k.def.name, k.def.revision)
	if err != nil {
		return s, rec, err
	}
	s.Generation = rec.Live
	if rec.Live == 0 {
		s.Status = StatusBuilding
	}
	if r := k.runner(rec.Live); r != nil {
		s.Counters = r.g.stats.counters()
		if ms := r.g.stats.lastAdmitted.Load(); ms != 0 {
			s.LastAdmittedAt = time.UnixMilli(ms).UTC()
		}
		if !r.isReady() {
			s.Status = StatusStarting
		}
		if s.Problem = r.g.stats.lastProblem(); s.Problem != "" {
			s.Status = StatusStalled
		}
	}
	return s, rec, nil
}

func (k *keeper) status(ctx context.Context) (Status, error) {
	s, rec, err := k.standing(ctx)
	if err != nil {
		return s, err
	}
	if rec.Building != 0 {
		if s.Building, err = k.progress(ctx, rec); err != nil {
			return s, err
		}
	}
	if rec.Live == 0 {
		return s, nil
	}
	g := k.current(rec.Live)
	parked, err := k.p.deps.marks.Current(ctx, k.def.name, rec.Live)
	if err != nil {
		return s, err
	}
	s.Parked = len(parked)
	states, err := g.consumerStates(ctx)
	if err != nil {
		return s, err
	}
	s.LagEvents = lagOf(states)
	s.Lag, err = g.lagTime(ctx, states)
	return s, err
}

func (k *keeper) progress(ctx context.Context, rec record) (*Progress, error) {
	p := &Progress{Generation: rec.Building, Total: rec.Total}
	value, err := k.p.leases.read(ctx, k.leaseKey())
	if err != nil || value == nil {
		return p, err
	}
	if err := json.Unmarshal(value, p); err != nil {
		return nil, fmt.Errorf("projections: progress of %s: %w", k.def.name, err)
	}
	return p, nil
}

// consumerStates asks for the state of each partition's consumer. What a killed copy
// left unacknowledged does not count where it is known to be written: it is
// delivered once more when AckWait has passed, and changes nothing.
func (g *generation) consumerStates(ctx context.Context) ([]subscription.State, error) {
	states := make([]subscription.State, g.stream.Partitions())
	unsure := false
	for p := range states {
		state, err := subscription.StateOf(ctx, g.stream, g.consumer(p))
		if err != nil {
			return nil, err
		}
		if !state.Exists {
			return nil, fmt.Errorf("projections: consumer %s is not there yet", g.consumer(p))
		}
		if g.written != nil {
			state = state.Written(g.written(p))
		}
		unsure = unsure || state.Pending > state.Waiting
		states[p] = state
	}
	if !unsure {
		return states, nil
	}
	for p, written := range g.keptCheckpoints(ctx) {
		states[p] = states[p].Written(written)
	}
	return states, nil
}

// keptCheckpoints is what other copies have kept, nothing where the read store
// does not say at once.
func (g *generation) keptCheckpoints(ctx context.Context) []uint64 {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	sequences, _, err := g.readCheckpoints(ctx)
	if err != nil {
		return nil
	}
	return sequences
}

// lagOf is the events that a generation's consumers have not acknowledged, as far
// as they are not known to be written.
func lagOf(states []subscription.State) (lag uint64) {
	for _, state := range states {
		lag += state.Pending
	}
	return lag
}

// lagTime is the age of the oldest event not acknowledged.
func (g *generation) lagTime(ctx context.Context, states []subscription.State) (time.Duration, error) {
	var oldest time.Time
	for p, state := range states {
		if state.Pending == 0 {
			continue
		}
		stored, err := g.stream.StoredAfter(ctx, p, state.AckFloor)
		if err != nil {
			return 0, err
		}
		if !stored.IsZero() && (oldest.IsZero() || stored.Before(oldest)) {
			oldest = stored
		}
	}
	if oldest.IsZero() {
		return 0, nil
	}
	return max(0, time.Since(oldest)), nil
}

// Parked lists the parked aggregates of the generations that are live or being
// built, oldest first.
func (p *Projector) Parked(ctx context.Context) ([]Parked, error) {
	var all []Parked
	for _, name := range p.order {
		k := p.keepers[name]
		rec, err := p.records.read(ctx, name, k.def.revision)
		if err != nil {
			return nil, err
		}
		for _, number := range []int{rec.Live, rec.Building} {
			if number == 0 {
				continue
			}
			parked, err := p.deps.marks.Current(ctx, name, number)
			if err != nil {
				return nil, err
			}
			all = appendNew(all, parked)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Since.Before(all[j].Since) })
	return all, nil
}

// appendNew leaves out what is parked in the live generation already.
func appendNew(all, more []Parked) []Parked {
	for _, p := range more {
		if !slices.ContainsFunc(all, func(have Parked) bool {
			return have.Projection == p.Projection && have.Aggregate == p.Aggregate
		}) {
			all = append(all, p)
		}
	}
	return all
}

// Retry tries a parked aggregate again now, in each generation that has it, and
// returns what is still parked. It is no error when nothing is parked any more.
func (p *Projector) Retry(ctx context.Context, name string, id uuid.UUID) ([]Parked, error) {
	k := p.keepers[name]
	if k == nil {
		return nil, fmt.Errorf("projections: %q: %w", name, ErrUnknownProjection)
	}
	rec, err := p.records.read(ctx, name, k.def.revision)
	if err != nil {
		return nil, err
	}
	var left []Parked
	for _, number := range []int{rec.Live, rec.Building, rec.Previous} {
		if number == 0 {
			continue
		}
		g := k.current(number)
		still, retryErr := g.unpark(ctx, id)
		err = errors.Join(err, retryErr)
		if mark, ok := g.parked(id); ok && still {
			left = append(left, mark)
		}
	}
	return left, err
}
