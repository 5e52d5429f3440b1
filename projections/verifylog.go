package projections

import (
	"context"
	"fmt"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
)

// logged is what the log holds of an aggregate.
type logged struct {
	id      uuid.UUID
	version uint64 // contiguous from 1
	ahead   map[uint64]eventstore.Message
	broken  bool     // an event cannot be read: nothing behind it is folded
	entries []*entry // by generation; nil once it cannot be applied
	rows    []int    // rows seen in the tables, by generation
}

type verifyLane struct {
	v       *verifier
	known   map[uuid.UUID]*logged
	scratch []any
}

func (l *verifyLane) run(ctx context.Context, in <-chan work) error {
	for w := range in {
		for _, m := range w.messages {
			l.take(m)
		}
		l.v.progress(l.v.done.Add(uint64(len(w.messages))))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for id, a := range l.known {
		l.v.report.aggregates.Add(1)
		if len(a.ahead) > 0 {
			l.v.found(SeverityError, id, fmt.Sprintf("version %d is missing, though a later one is there", a.version+1))
		}
	}
	return nil
}

func (v *verifier) found(severity string, id uuid.UUID, text string) {
	v.report.add(Finding{Severity: severity, Stream: v.stream.Name(), Aggregate: id.String(), Text: text})
}

func (l *verifyLane) take(m eventstore.Message) {
	pos, err := positionOf(l.v.stream, m)
	id := pos.Aggregate
	if id == uuid.Nil {
		if l.v.pass == 0 {
			l.v.report.add(Finding{Severity: SeverityWarning, Stream: l.v.stream.Name(), Text: fmt.Sprintf("sequence %d lies on no aggregate's subject: %s", m.Sequence, m.Subject)})
		}
		return
	}
	if laneOf(m.Subject, l.v.passes*len(l.v.lanes))/len(l.v.lanes) != l.v.pass {
		return
	}
	l.v.report.events.Add(1)
	a := l.known[id]
	if a == nil {
		a = l.v.begin(id)
		l.known[id] = a
	}
	switch next := a.version + 1; {
	case err != nil:
		a.broken = true
		l.v.found(SeverityError, id, err.Error())
	case pos.Version < next:
		l.v.found(SeverityWarning, id, fmt.Sprintf("sequence %d repeats version %d", m.Sequence, pos.Version))
	case pos.Version > next:
		l.v.found(SeverityWarning, id, fmt.Sprintf("sequence %d holds version %d before version %d", m.Sequence, pos.Version, next))
		a.keep(pos.Version, m)
	default:
		for ok := true; ok; m, ok = a.takeAhead() {
			l.fold(a, m)
		}
	}
}

func (v *verifier) begin(id uuid.UUID) *logged {
	a := &logged{id: id, rows: make([]int, len(v.generations))}
	for _, g := range v.generations {
		e, _ := g.entryOf(id, nil)
		a.entries = append(a.entries, e)
	}
	return a
}

func (a *logged) keep(version uint64, m eventstore.Message) {
	if a.ahead == nil {
		a.ahead = map[uint64]eventstore.Message{}
	}
	if _, twice := a.ahead[version]; !twice {
		a.ahead[version] = m
	}
}

func (a *logged) takeAhead() (eventstore.Message, bool) {
	m, ok := a.ahead[a.version+1]
	delete(a.ahead, a.version+1)
	return m, ok
}

func (l *verifyLane) fold(a *logged, m eventstore.Message) {
	a.version++
	if a.broken {
		return
	}
	ev, err := l.v.stream.Decode(m)
	if err != nil {
		a.broken = true
		l.v.found(SeverityError, a.id, err.Error())
		return
	}
	for i, g := range l.v.generations {
		if a.entries[i] == nil || a.entries[i].version+1 != ev.Version {
			continue
		}
		if err := g.projection.admit(a.entries[i], ev, l.scratch[i]); err != nil {
			l.v.report.add(Finding{Severity: SeverityError, Stream: l.v.stream.Name(), Projection: g.projection.name, Aggregate: a.id.String(), Text: err.Error()})
		}
		a.entries[i].stale = nil
	}
}

func (v *verifier) logged(id uuid.UUID) (*logged, bool) {
	subject := v.stream.Subject(id)
	a := v.lanes[laneOf(subject, len(v.lanes))].known[id]
	return a, laneOf(subject, v.passes*len(v.lanes))/len(v.lanes) == v.pass
}
