package commands

import (
	"encoding/json"
	"fmt"
	"maps"
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
	handled  map[uuid.UUID]handled
	// open is the command whose events may still follow; they carry its cause.
	open  uuid.UUID
	cause string

	saved uint64 // the version of the newest snapshot, written or on its way
}

// handled is what is remembered of a command: enough to know a repeat and to
// answer it with the state after the command's last event.
type handled struct {
	Hash  string `json:"hash"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
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
		if _, known := a.handled[id]; err != nil || known {
			return // of another writer; what was remembered first counts
		}
		a.open = id
		a.handled[id] = handled{Hash: e.CommandHash, First: e.Version, Last: e.Version}
	case a.open != uuid.Nil && e.CausationID == a.cause:
		h := a.handled[a.open]
		h.Last = e.Version
		a.handled[a.open] = h
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
	State   S                     `json:"state"`
	Last    uuid.UUID             `json:"last"`
	Time    time.Time             `json:"time"`
	Created time.Time             `json:"created"`
	Updated time.Time             `json:"updated"`
	Handled map[uuid.UUID]handled `json:"handled"`
	Open    uuid.UUID             `json:"open,omitzero"`
	Cause   string                `json:"cause,omitempty"`
}

// freeze returns a function that encodes the aggregate as it is now. The
// function may run later and beside other commands: states are never changed in place.
func (a *aggregate[S]) freeze() func() (eventstore.Snapshot, error) {
	snap := eventstore.Snapshot{Version: a.version, Sequence: a.sequence}
	content := snapshotState[S]{
		State: a.state, Last: a.last, Time: a.time, Created: a.created, Updated: a.updated,
		Handled: maps.Clone(a.handled), Open: a.open, Cause: a.cause,
	}
	return func() (eventstore.Snapshot, error) {
		var err error
		snap.State, err = json.Marshal(content)
		return snap, err
	}
}

// thaw is the aggregate of a snapshot.
func thaw[S any](snap *eventstore.Snapshot) (*aggregate[S], error) {
	var content snapshotState[S]
	if err := json.Unmarshal(snap.State, &content); err != nil {
		return nil, fmt.Errorf("commands: snapshot of version %d: %w", snap.Version, err)
	}
	if snap.Version == 0 || snap.Sequence == 0 {
		return nil, fmt.Errorf("commands: snapshot of version %d at sequence %d", snap.Version, snap.Sequence)
	}
	if content.Handled == nil {
		content.Handled = map[uuid.UUID]handled{}
	}
	return &aggregate[S]{
		state: content.State, version: snap.Version, last: content.Last, sequence: snap.Sequence, time: content.Time,
		created: content.Created, updated: content.Updated,
		handled: content.Handled, open: content.Open, cause: content.Cause, saved: snap.Version,
	}, nil
}
