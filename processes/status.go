package processes

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/google/uuid"
)

// Parked is an aggregate that a process has stopped at: Projection is the process's
// name, Generation is 0. All others go on.
type Parked = parked.Mark

// Status of a process, over all copies where the broker knows, else of this program.
type Status struct {
	Name      string
	Stream    string
	Problem   string        // why it cannot go on just now; empty when it can
	LagEvents uint64        // stored and not handled yet
	Lag       time.Duration // age of the oldest of them
	Parked    int           // aggregates
	Handled   uint64        // events and timers that this program reacted to
	Retries   uint64        // attempts of this program that had to be made again
}

// Status asks the broker for the state of every process, in order of definition.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	var all []Status
	for _, name := range r.order {
		s, err := r.keepers[name].status(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (k *keeper) status(ctx context.Context) (Status, error) {
	s := Status{
		Name: k.name(), Stream: k.stream.Name(), Problem: k.stats.problem(),
		Handled: k.stats.handled.Load(), Retries: k.stats.retries.Load(),
	}
	marks, err := k.runner.marks.Current(ctx, k.name(), 0)
	if err != nil {
		return s, err
	}
	s.Parked = len(marks)
	oldest := time.Now()
	for p := range k.stream.Partitions() {
		state, err := subscription.StateOf(ctx, k.stream, k.consumer(p))
		if err != nil {
			return s, err
		}
		if s.LagEvents += state.Pending; state.Pending == 0 {
			continue
		}
		stored, err := k.stream.StoredAfter(ctx, p, state.AckFloor)
		if err != nil {
			return s, err
		}
		if !stored.IsZero() && stored.Before(oldest) {
			oldest = stored
		}
	}
	if s.LagEvents > 0 {
		s.Lag = max(0, time.Since(oldest))
	}
	return s, nil
}

// Names of all processes, in order of definition.
func (r *Runner) Names() []string { return slices.Clone(r.order) }

// Parked lists the parked aggregates of all processes, oldest first.
func (r *Runner) Parked(ctx context.Context) ([]Parked, error) {
	var all []Parked
	for _, name := range r.order {
		marks, err := r.marks.Current(ctx, name, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, marks...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Since.Before(all[j].Since) })
	return all, nil
}

// Retry tries a parked aggregate again now, and returns it if it is still parked. It
// is no error when nothing is parked any more. ErrUnknownProcess.
func (r *Runner) Retry(ctx context.Context, process string, id uuid.UUID) ([]Parked, error) {
	k := r.keepers[process]
	if k == nil {
		return nil, fmt.Errorf("processes: %q: %w", process, ErrUnknownProcess)
	}
	still, err := k.unpark(ctx, id)
	if err != nil || !still {
		return nil, err
	}
	mark, revision, err := r.marks.Read(ctx, k.key(id))
	if err != nil || revision == 0 {
		return nil, err
	}
	return []Parked{mark}, nil
}
