package processes

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
)

// Definition describes a process. S is what it knows of an aggregate from the
// aggregate's events; struct{} where it needs nothing.
type Definition[S any] struct {
	// Name is part of the ids of its commands and of its consumer's name, so it never
	// changes: letters, digits, "_" and "-".
	Name string
	// Stream is the one stream that it reads.
	Stream string
	// Start is the first stream sequence that it reacts to when it runs for the first
	// time: NewEvents, Beginning, or any other. Later it goes on where it was.
	Start uint64
	// Reacts holds a zero value of each payload that Decide reacts to. Events of other
	// types are passed over, also of types that this code does not know, unless they
	// are another revision of one of these.
	Reacts []eventstore.Payload
	// Evolve folds the aggregate's events, from the zero S on, at least up to the one
	// that is reacted to. Later ones are in S as well when that one may have been
	// reacted to before. Nil where Decide needs none.
	Evolve func(s S, e eventstore.Event) S
	// Decide says what to do about an event, step by step: it is called again with
	// one answer more after each step, until it returns nil. It must be pure. What it
	// does about an event for the second time must be harmless.
	Decide func(s S, e eventstore.Event, answers []Answer) Step
	// Timer is the kind of the timers that the process sets, empty when it sets none.
	Timer string
	// Due is what Decide is, for a timer of this kind that is due.
	Due func(d Due, answers []Answer) Step
}

// Where a process may start.
const (
	NewEvents uint64 = 0 // what is appended after its first start
	Beginning uint64 = 1
)

// Step is what a process does next: Send, Look, SetTimer, CancelTimer or Stop.
type Step interface{ step() }

// Send sends a command to an aggregate.
type Send struct {
	To        string // the name of a target
	Operation string // a stable name of what is asked for, part of the command's id
	Aggregate uuid.UUID
	Body      any // the command, as the target takes it
}

// Look asks what Decide must know and no event tells. A repeated reaction may find
// something else, and so may take other steps than the first; all of them together
// must be harmless. It does not count in the ids of commands, so that a process may
// come to look up more than it did.
type Look struct {
	Up    string // the name of a lookup
	Query any    // the question, as the lookup takes it
}

// SetTimer sets a timer of the process's kind, or moves it.
type SetTimer struct {
	ID uuid.UUID
	At time.Time
}

// CancelTimer removes a timer of the process's kind; it may be none.
type CancelTimer struct{ ID uuid.UUID }

// Stop parks the aggregate: the process has no answer to what it was told. For a
// timer it only means that it is tried again.
type Stop struct{ Cause error }

func (Send) step()        {}
func (Look) step()        {}
func (SetTimer) step()    {}
func (CancelTimer) step() {}
func (Stop) step()        {}

// Answer is what became of a step.
type Answer struct {
	// Refusal is the target's own error where it refused the command, or the lookup's
	// where it refused to answer; else nil. Timers are never refused.
	Refusal error
	// Found is what a Look has found.
	Found any
}

// Due is a timer whose time has come.
type Due struct {
	ID  uuid.UUID
	At  time.Time // what it was set to
	Now time.Time // the broker's time when it fired, never before At
}

// Process is a checked Definition.
type Process struct {
	name, stream, timer string
	start               uint64
	types               map[string]bool // names of the payloads that it reacts to
	bases               map[string]bool // the same without their revision
	folds               bool            // decide wants the aggregate's events
	decide              func(log []eventstore.Event, e eventstore.Event, answers []Answer) Step
	due                 func(d Due, answers []Answer) Step
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Define checks a definition and reports every fault at once.
func Define[S any](d Definition[S]) (*Process, error) {
	var faults []error
	wrong := func(bad bool, fault string) {
		if bad {
			faults = append(faults, errors.New(fault))
		}
	}
	wrong(!nameForm.MatchString(d.Name), "its name must be letters, digits, _ and -")
	wrong(d.Stream == "", "it needs a stream")
	wrong(len(d.Reacts) == 0 || d.Decide == nil, "it needs events that it reacts to, and Decide")
	wrong((d.Timer == "") != (d.Due == nil), "Timer and Due go together")
	wrong(d.Timer != "" && !nameForm.MatchString(d.Timer), "its kind of timers must be letters, digits, _ and -")
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("processes: %q: %w: %w", d.Name, eventstore.ErrMisconfigured, err)
	}
	p := &Process{
		name: d.Name, stream: d.Stream, timer: d.Timer, start: d.Start, types: map[string]bool{}, bases: map[string]bool{},
		folds: d.Evolve != nil, due: d.Due,
		decide: func(log []eventstore.Event, e eventstore.Event, answers []Answer) Step {
			var s S
			for _, one := range log {
				s = d.Evolve(s, one)
			}
			return d.Decide(s, e, answers)
		},
	}
	for _, payload := range d.Reacts {
		p.types[payload.EventType()] = true
		p.bases[base(payload.EventType())] = true
	}
	return p, nil
}

// Name is the process's name.
func (p *Process) Name() string { return p.name }

// Stream is the name of the stream that it reads.
func (p *Process) Stream() string { return p.stream }

// Reacts says whether it reacts to events of this type.
func (p *Process) Reacts(typ string) bool { return p.types[typ] }

func (p *Process) actor() string { return "process/" + p.name }

// passesOver says whether an event that cannot be read is none of the process's:
// not another revision of one that it reacts to.
func (p *Process) passesOver(err error) bool {
	var unread *eventstore.DecodeError
	return errors.As(err, &unread) && unread.Position.Version > 0 && unread.Position.Type != "" && !p.bases[base(unread.Position.Type)]
}

var revision = regexp.MustCompile(`\.v[0-9]+$`)

// base is a type's name without its revision.
func base(typ string) string { return strings.TrimSuffix(typ, revision.FindString(typ)) }
