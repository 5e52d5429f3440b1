package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
)

// pageEvents are read at a time, so that memory is bounded however long a log is.
const pageEvents = 1000

func (h *Handler[S, C]) initial() *aggregate[S] {
	return &aggregate[S]{state: h.decider.Initial()}
}

// load fills the entry: from the newest snapshot and what follows it, else from
// the whole log; with nothing where the id is fresh.
func (h *Handler[S, C]) load(ctx context.Context, e *entry[S], id uuid.UUID, fresh bool) error {
	if fresh {
		e.agg = h.initial()
		return nil
	}
	a, err := h.fromSnapshot(ctx, id)
	if a == nil && err == nil {
		a = h.initial()
		err = h.readOn(ctx, a, id)
	}
	if err == nil {
		e.agg = a
	}
	return err
}

// catchUp reads what is new since the entry was loaded.
func (h *Handler[S, C]) catchUp(ctx context.Context, e *entry[S], id uuid.UUID) error {
	err := h.readOn(ctx, e.agg, id)
	if err != nil {
		e.agg = nil
	}
	return err
}

// fromSnapshot returns nil when there is none that can be used: a snapshot is a
// cache, and the log has it all.
func (h *Handler[S, C]) fromSnapshot(ctx context.Context, id uuid.UUID) (*aggregate[S], error) {
	a, err := h.snapshot(ctx, id)
	if err != nil {
		h.cfg.Logger.WarnContext(ctx, "snapshot not usable, reading the whole log instead",
			"stream", h.stream.Name(), "aggregate", id, "error", err)
	}
	if a == nil {
		return nil, nil
	}
	// The snapshot's own event is read once more: a log that was cut and has grown
	// again, or a replica that lags, does not have it there.
	history, err := h.read(ctx, id, a.version-1, a.sequence-1, pageEvents)
	if err != nil {
		return nil, err
	}
	if len(history.Events) == 0 || history.Events[0].ID != a.last {
		return nil, nil
	}
	more := len(history.Events) == pageEvents
	history.Events = history.Events[1:]
	if err := h.fold(a, id, history); err != nil || !more {
		return a, err
	}
	return a, h.readOn(ctx, a, id)
}

func (h *Handler[S, C]) snapshot(ctx context.Context, id uuid.UUID) (*aggregate[S], error) {
	if h.snapshots == nil {
		return nil, nil
	}
	snap, err := h.snapshots.snapshots.Load(ctx, h.stream, id, h.cfg.SnapshotRevision)
	if snap == nil || err != nil {
		return nil, err
	}
	return thaw[S](snap, func(digests [][]byte) ([]*page, error) { return h.snapshots.load(ctx, id, digests) })
}

// readOn folds what the stream holds beyond a.
func (h *Handler[S, C]) readOn(ctx context.Context, a *aggregate[S], id uuid.UUID) error {
	for {
		history, err := h.read(ctx, id, a.version, a.sequence, pageEvents)
		if err != nil {
			return err
		}
		if err := h.fold(a, id, history); err != nil || len(history.Events) < pageEvents {
			return err
		}
	}
}

func (h *Handler[S, C]) fold(a *aggregate[S], id uuid.UUID, history eventstore.History) error {
	if history.Missing != 0 {
		return h.hole(id, history.Missing)
	}
	for _, event := range history.Events {
		a.admit(event, h.decider.Evolve)
	}
	a.sequence = history.LastSequence
	return nil
}

// stateAt folds the log up to a version, a page at a time.
func (h *Handler[S, C]) stateAt(ctx context.Context, id uuid.UUID, version uint64) (Result[S], error) {
	a := h.initial()
	for a.version < version {
		history, err := h.read(ctx, id, a.version, a.sequence, int(min(version-a.version, pageEvents)))
		if err != nil {
			return Result[S]{}, err
		}
		if history.Missing != 0 {
			return Result[S]{}, h.hole(id, history.Missing)
		}
		if len(history.Events) == 0 {
			return Result[S]{}, errStale // a replica that lags behind what was read before
		}
		for _, event := range history.Events {
			a.evolve(event, h.decider.Evolve)
		}
		a.sequence = history.LastSequence
	}
	return a.result(), nil
}

// read loads a page: at most limit events.
func (h *Handler[S, C]) read(ctx context.Context, id uuid.UUID, afterVersion, afterSequence uint64, limit int) (eventstore.History, error) {
	history, err := h.stream.LoadSome(ctx, id, afterVersion, afterSequence, limit)
	var unreadable *eventstore.DecodeError
	if errors.As(err, &unreadable) {
		err = fmt.Errorf("commands: %s of %s, version %d: %w: %w; until code that can read it is deployed, no command on it is handled",
			id, h.stream.Name(), unreadable.Position.Version, ErrHistory, err)
	}
	return history, err
}

func (h *Handler[S, C]) hole(id uuid.UUID, version uint64) error {
	return fmt.Errorf("commands: %s of %s, version %d: %w: it is missing and later ones are there; "+
		"until it is published to the stream (from a backup, by the writer that holds it), no command on it is handled",
		id, h.stream.Name(), version, ErrHistory)
}

// lostTail: the leader has less than was read before, which no log does by itself.
func (h *Handler[S, C]) lostTail(id uuid.UUID, last uint64) error {
	return fmt.Errorf("commands: %s of %s: %w: its last message is %d at the stream's leader, but a later one was read before; "+
		"the log lost its end: restart this process, and restore the log from a backup if that is refused",
		id, h.stream.Name(), ErrHistory, last)
}
