package processes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/processes/timers"
)

// cause is what a reaction comes from, and what its commands pass on.
type cause struct {
	Key           string `json:"-"` // for the ids of commands
	CorrelationID string `json:"correlation_id,omitempty"`
	CausationID   string `json:"causation_id,omitempty"`
	TraceParent   string `json:"traceparent,omitempty"`
}

func causeOf(e eventstore.Event) cause {
	id := e.ID.String()
	c := cause{Key: id, CorrelationID: e.CorrelationID, CausationID: id, TraceParent: e.TraceParent}
	if c.CorrelationID == "" {
		c.CorrelationID = id
	}
	return c
}

// reaction is what one process does about one cause.
type reaction struct {
	runner  *Runner
	process *Process
	stats   *stats
	cause   cause
	next    func(answers []Answer) Step
	// attempts is how often a step may fail for a reason that waiting may not cure.
	attempts int
}

// maxSteps of one reaction: a decider that asks for more goes round in circles.
const maxSteps = 32

// run takes step after step until the process is done. It retries for ever what may
// pass. Any other error is what the aggregate is to be parked with, an *attemptsError
// where that was tried more than once.
func (x reaction) run(ctx context.Context) error {
	ctx, span := x.traced(ctx)
	x.cause.TraceParent = eventstore.TraceParent(ctx)
	err := x.steps(ctx)
	endSpan(span, err)
	return err
}

func (x reaction) steps(ctx context.Context) error {
	var answers []Answer
	ordinal := 1
	for len(answers) <= maxSteps {
		step, err := x.decide(answers)
		if step == nil || err != nil {
			return err
		}
		answer, err := x.take(ctx, step, ordinal)
		if err != nil {
			return err
		}
		answers = append(answers, answer)
		if _, looks := step.(Look); !looks {
			ordinal++
		}
	}
	return fmt.Errorf("processes: %s is not done after %d steps", x.process.name, maxSteps)
}

// attemptsError is what a step failed at again and again.
type attemptsError struct {
	attempts int
	err      error
}

func (e *attemptsError) Error() string { return e.err.Error() }
func (e *attemptsError) Unwrap() error { return e.err }

func (x reaction) decide(answers []Answer) (step Step, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("processes: %s: panic: %v", x.process.name, r)
		}
	}()
	return x.next(answers), nil
}

// take does one step, as often as it takes.
func (x reaction) take(ctx context.Context, step Step, ordinal int) (answer Answer, err error) {
	do, err := x.prepare(step, ordinal)
	if err != nil {
		return answer, err
	}
	unexpected := 0
	// The outcome is kept here and not in the policy's result, which a context that
	// ends just after a successful attempt would hide.
	_ = x.runner.retries.WithContext(ctx).Run(func() error {
		answer.Found, err = x.attempt(ctx, do)
		switch {
		case err == nil:
			return nil
		case x.runner.cfg.IsRefusal(err):
			answer, err = Answer{Refusal: err}, nil
			return nil
		case !transient(err):
			if unexpected++; unexpected >= x.attempts {
				return nil
			}
		}
		x.stats.retrying(x.cause.Key, err)
		return err
	})
	x.stats.goesOn(x.cause.Key)
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return answer, ctx.Err()
	}
	return answer, &attemptsError{attempts: unexpected, err: err}
}

// stepTimeout is how long one attempt may take before it is made again.
const stepTimeout = 10 * time.Second

func (x reaction) attempt(ctx context.Context, do deed) (found any, err error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case x.runner.slots <- struct{}{}:
		defer func() { <-x.runner.slots }()
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("processes: %s: panic: %v", x.process.name, r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return do(ctx)
}

// deed is a step, made ready. It gives what a Look has found.
type deed func(context.Context) (found any, err error)

// changes is a deed that finds nothing.
func changes(do func(context.Context) error) deed {
	return func(ctx context.Context) (any, error) { return nil, do(ctx) }
}

func (x reaction) prepare(step Step, ordinal int) (deed, error) {
	switch s := step.(type) {
	case Send:
		return x.send(s, ordinal)
	case Look:
		return x.look(s)
	case Stop:
		return nil, fmt.Errorf("processes: %s has no answer: %w", x.process.name, s.Cause)
	}
	return x.timer(step)
}

func (x reaction) timer(step Step) (deed, error) {
	kind, set := x.process.timer, x.runner.cfg.Timers
	if kind == "" {
		return nil, fmt.Errorf("processes: %s has no kind of timers, and asks for %T", x.process.name, step)
	}
	switch s := step.(type) {
	case SetTimer:
		payload, err := json.Marshal(x.cause)
		return changes(func(ctx context.Context) error {
			return set.Schedule(ctx, timers.Timer{Kind: kind, ID: s.ID, At: s.At, Payload: payload})
		}), err
	case CancelTimer:
		return changes(func(ctx context.Context) error { return set.Cancel(ctx, kind, s.ID) }), nil
	}
	return nil, fmt.Errorf("processes: %s: no such step as %T", x.process.name, step)
}

// send makes the command. Its hash comes from what its id comes from: by other code
// the same cause may lead to another body, and is the same command all the same.
func (x reaction) send(s Send, ordinal int) (deed, error) {
	target := x.runner.cfg.Targets[s.To]
	if target == nil {
		return nil, fmt.Errorf("processes: %s sends to %q, which is no target", x.process.name, s.To)
	}
	key := x.cause.Key + "/" + strconv.Itoa(ordinal)
	hash, err := commands.Hash([]string{x.process.name, s.Operation, s.Aggregate.String(), key})
	c := Command{
		ID:   commands.CommandID(x.process.name, s.Operation, s.Aggregate.String(), key),
		Hash: hash, Operation: s.Operation, Aggregate: s.Aggregate, Body: s.Body,
		Actor: x.process.actor(), CorrelationID: x.cause.CorrelationID, CausationID: x.cause.CausationID, TraceParent: x.cause.TraceParent,
	}
	return changes(func(ctx context.Context) error { return target(ctx, c) }), err
}

func (x reaction) look(s Look) (deed, error) {
	lookup := x.runner.cfg.Lookups[s.Up]
	if lookup == nil {
		return nil, fmt.Errorf("processes: %s looks up %q, which is no lookup", x.process.name, s.Up)
	}
	return func(ctx context.Context) (any, error) { return lookup(ctx, s.Query) }, nil
}

// transient says whether an error may pass by itself.
func transient(err error) bool {
	for _, passing := range []error{
		eventstore.ErrUnavailable, eventstore.ErrUnknownOutcome, eventstore.ErrConflict, eventstore.ErrStreamFull,
		commands.ErrContention, context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// causeOfTimer reads what SetTimer left. The same timer is the same cause, however
// often it fires.
func causeOfTimer(f timers.Fired) (cause, error) {
	var c cause
	err := json.Unmarshal(f.Payload, &c)
	c.Key = f.Kind + "/" + f.ID.String() + "/" + f.At.UTC().Format(time.RFC3339Nano)
	return c, err
}
