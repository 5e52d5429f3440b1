package projections

import (
	"context"
	"slices"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// folder is the memory of one lane: the aggregates it worked on of late, and those
// that are not written yet. It is used by one goroutine.
//
// Clean entries are kept in two layers; when the young one is full it becomes the
// old one, and what was not touched since is forgotten.
type folder struct {
	g       *generation
	limit   int // entries in a layer
	young   map[uuid.UUID]*entry
	old     map[uuid.UUID]*entry
	dirty   []*entry
	scratch any
}

func newFolder(g *generation, limit int) *folder {
	return &folder{
		g: g, limit: limit, scratch: g.projection.empty(),
		young: map[uuid.UUID]*entry{}, old: map[uuid.UUID]*entry{},
	}
}

// get returns the entry of an aggregate, nil when it is not in memory.
func (f *folder) get(id uuid.UUID) *entry {
	if e := f.young[id]; e != nil {
		return e
	}
	e := f.old[id]
	if e != nil {
		f.young[id] = e
	}
	return e
}

func (f *folder) put(e *entry) { f.young[e.id] = e }

// abandon drops a dirty entry: what was admitted since its home row is undone.
func (f *folder) abandon(e *entry) {
	f.dirty = slices.DeleteFunc(f.dirty, func(d *entry) bool { return d == e })
	f.forget(e.id)
}

// forget drops a clean entry, so that its home row is read again.
func (f *folder) forget(id uuid.UUID) {
	delete(f.young, id)
	delete(f.old, id)
}

// replace puts an entry in the place of a clean one.
func (f *folder) replace(e *entry) {
	f.forget(e.id)
	f.put(e)
}

// fresh makes the entry of an aggregate that has no home row.
func (f *folder) fresh(id uuid.UUID) *entry {
	e, _ := f.g.entryOf(id, nil)
	f.put(e)
	return e
}

// load reads the home rows of aggregates that are not in memory.
func (f *folder) load(ctx context.Context, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	entries, err := f.g.readHome(ctx, ids)
	if err != nil {
		return err
	}
	for _, e := range entries {
		f.put(e)
	}
	return nil
}

// admit folds the next event of e; *applyError leaves e as it was.
func (f *folder) admit(e *entry, ev eventstore.Event) error {
	clean := !e.dirty()
	if err := f.g.projection.admit(e, ev, f.scratch); err != nil {
		return err
	}
	if clean {
		f.dirty = append(f.dirty, e)
	}
	f.g.admitted(e.id, e.version)
	return nil
}

// flush writes what is dirty, then extra.
func (f *folder) flush(ctx context.Context, extra []readstore.Mutation) error {
	if len(f.dirty) > 0 {
		if err := f.g.write(ctx, f.dirty, extra); err != nil {
			return err
		}
		f.dirty = f.dirty[:0]
	}
	if len(f.young) >= f.limit {
		f.young, f.old = map[uuid.UUID]*entry{}, f.young
	}
	return nil
}
