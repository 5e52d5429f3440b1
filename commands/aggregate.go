package commands

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
)

// aggregate is the fold of one aggregate's log up to a version: the domain's
// state, and what the handler itself needs to know.
type aggregate[S any] struct {
	state    S
	version  uint64
	last     uuid.UUID // the id of that version's event
	sequence uint64    // of the subject's newest message, as far as read
	time     time.Time // of the newest event, the latest of all
	created  time.Time // of version 1
	updated  time.Time // of version
	handled  ledger
	// open is the command whose events may still follow; they carry its cause.
	open  uuid.UUID
	cause string

	saved uint64 // the version of the newest snapshot, written or on its way
}

// admit folds the next event, and remembers its command.
func (a *aggregate[S]) admit(e eventstore.Event, evolve func(S, eventstore.Payload) S) {
	a.evolve(e, evolve)
	a.remember(e)
}

// evolve folds the next event for its state alone.
func (a *aggregate[S]) evolve(e eventstore.Event, evolve func(S, eventstore.Payload) S) {
	a.state = evolve(a.state, e.Payload)
	a.version, a.last, a.updated = e.Version, e.ID, e.Time
	if e.Version == 1 {
		a.created = e.Time
	}
	if e.Time.After(a.time) {
		a.time = e.Time
	}
}

// remember derives from the headers which command the event belongs to: the
// first event of a command names it, the following ones share its causation id.
func (a *aggregate[S]) remember(e eventstore.Event) {
	switch {
	case e.CommandID != "":
		a.open, a.cause = uuid.Nil, e.CausationID
		id, err := uuid.Parse(e.CommandID)
		if _, known := a.handled.find(id); err != nil || known {
			return // of another writer; what was remembered first counts
		}
		a.open = id
		a.handled.add(record{id: id, hash: hashOf(e.CommandHash), first: e.Version, last: e.Version})
	case a.open != uuid.Nil && e.CausationID == a.cause:
		a.handled.extend(a.open, e.Version)
	default:
		a.open = uuid.Nil
	}
}

func (a *aggregate[S]) result() Result[S] {
	return Result[S]{State: a.state, Version: a.version, Created: a.created, Updated: a.updated}
}

// snapshotState is the JSON of a snapshot. A field that is added must be right
// when it is absent, since the snapshots of older programs stay in use.
type snapshotState[S any] struct {
	State   S          `json:"state"`
	Last    uuid.UUID  `json:"last"`
	Time    time.Time  `json:"time"`
	Created time.Time  `json:"created"`
	Updated time.Time  `json:"updated"`
	Handled keptLedger `json:"handled"`
	Open    uuid.UUID  `json:"open,omitzero"`
	Cause   string     `json:"cause,omitempty"`
}

// frozen is an aggregate to be kept: the snapshot, and the pages that must be stored
// before it.
type frozen struct {
	snapshot eventstore.Snapshot
	pages    []*page
}

// freeze returns a function that encodes the aggregate as it is now. The
// function may run later and beside other commands: states are never changed in place.
func (a *aggregate[S]) freeze() func() (frozen, error) {
	f := frozen{
		snapshot: eventstore.Snapshot{Version: a.version, Sequence: a.sequence},
		pages:    slices.Clip(a.handled.pages),
	}
	content := snapshotState[S]{
		State: a.state, Last: a.last, Time: a.time, Created: a.created, Updated: a.updated, Open: a.open, Cause: a.cause,
	}
	recent := slices.Clone(a.handled.recent)
	return func() (frozen, error) {
		var err error
		content.Handled = keep(f.pages, recent)
		f.snapshot.State, err = json.Marshal(content)
		return f, err
	}
}

// thaw is the aggregate of a snapshot; load gives its pages.
func thaw[S any](snap *eventstore.Snapshot, load func(digests [][]byte) ([]*page, error)) (*aggregate[S], error) {
	var content snapshotState[S]
	if err := json.Unmarshal(snap.State, &content); err != nil {
		return nil, fmt.Errorf("commands: snapshot of version %d: %w", snap.Version, err)
	}
	if snap.Version == 0 || snap.Sequence == 0 {
		return nil, fmt.Errorf("commands: snapshot of version %d at sequence %d", snap.Version, snap.Sequence)
	}
	pages, err := load(content.Handled.Pages)
	if err != nil {
		return nil, err
	}
	remembered, err := content.Handled.restore(pages)
	if err != nil {
		return nil, fmt.Errorf("commands: snapshot of version %d: %w", snap.Version, err)
	}
	return &aggregate[S]{
		state: content.State, version: snap.Version, last: content.Last, sequence: snap.Sequence, time: content.Time,
		created: content.Created, updated: content.Updated,
		handled: remembered, open: content.Open, cause: content.Cause, saved: snap.Version,
	}, nil
}
