package projections

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// Reader gives readers one generation for each request.
func (p *Projector) Reader(name string) (readstore.Reader, error) {
	k := p.keepers[name]
	if k == nil {
		return nil, fmt.Errorf("projections: %q: %w", name, ErrUnknownProjection)
	}
	return &reader{k: k}, nil
}

// reader remembers which generation is live, for a moment: the one before a
// switch is kept up to date far longer than that.
type reader struct {
	k *keeper

	mu     sync.Mutex
	view   *view
	looked time.Time
}

// recordFor is how long a reader trusts what it knows of the record.
const recordFor = 250 * time.Millisecond

func (r *reader) Stream() string { return r.k.stream.Name() }

func (r *reader) View(ctx context.Context) (readstore.View, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.view != nil && time.Since(r.looked) < recordFor {
		return r.view, nil
	}
	revision, number, err := r.k.liveGeneration(ctx)
	if err != nil {
		if r.view != nil && !errors.Is(err, readstore.ErrBuilding) {
			return r.view, nil // the broker is away, the rows are not
		}
		return nil, err
	}
	r.looked = time.Now()
	if r.view == nil || r.view.g.number != number {
		r.view = newView(r.k.generation(number), revision)
	}
	return r.view, nil
}

// liveGeneration is what may be read: this revision's, or an older revision's
// with the same tables while this one is being built.
func (k *keeper) liveGeneration(ctx context.Context) (revision, number int, err error) {
	rec, err := k.p.records.read(ctx, k.def.name, k.def.revision)
	if err != nil {
		return 0, 0, err
	}
	if rec.Live != 0 {
		return k.def.revision, rec.Live, nil
	}
	older, ok, err := k.p.records.older(ctx, k.def.name, k.def.revision)
	if err != nil {
		return 0, 0, err
	}
	if !ok || !sameTables(older.Tables, k.def.tables()) {
		return 0, 0, fmt.Errorf("projections: %s: %w", k.def.name, readstore.ErrBuilding)
	}
	return older.Revision, older.Live, nil
}

func sameTables(recorded []readstore.Table, described []*readstore.Table) bool {
	if len(recorded) != len(described) {
		return false
	}
	for i, t := range described {
		if recorded[i].Name != t.Name || !reflect.DeepEqual(recorded[i].Columns(), t.Columns()) || recorded[i].KeyLen() != t.KeyLen() {
			return false
		}
	}
	return true
}

type view struct {
	g        *generation
	revision int
	tables   map[string]*readstore.Table
}

func newView(g *generation, revision int) *view {
	v := &view{g: g, revision: revision, tables: map[string]*readstore.Table{}}
	for _, t := range g.projection.tables() {
		v.tables[t.Name] = t.Named(tableName(t.Name, g.number))
	}
	return v
}

func (v *view) Revision() int { return v.revision }

func (v *view) Table(name string) *readstore.Table { return v.tables[name] }

func (v *view) List(name string) *readstore.Bucketed {
	for i := range v.g.projection.indexes {
		if v.g.projection.indexes[i].table.Name == name {
			return v.g.lists[i]
		}
	}
	return nil
}

// signalKey names a home row, for readers in this process that wait until a version
// of it is written.
type signalKey struct {
	generation int
	aggregate  uuid.UUID
}

// Pauses between two looks at a row that another process writes.
const (
	firstLook   = 2 * time.Millisecond
	longestLook = 50 * time.Millisecond
)

// Wait is woken by a lane of this process, and looks again by itself for what
// other processes write.
func (v *view) Wait(ctx context.Context, id uuid.UUID, version uint64) error {
	signal, forget := v.g.signals.Wait(signalKey{v.g.number, id}, version)
	defer forget()
	for pause := firstLook; ; pause = min(2*pause, longestLook) {
		ok, err := v.reached(ctx, id, version)
		if ok || err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("projections: %s is not at version %d of %s yet: %w", v.g.name(), version, id, readstore.ErrNotYet)
		case <-signal:
			signal = nil
		case <-time.After(pause):
		}
	}
}

func (v *view) reached(ctx context.Context, id uuid.UUID, version uint64) (bool, error) {
	rows, err := v.g.store.Get(ctx, v.g.home, readstore.Key{id.String()})
	if errors.Is(err, readstore.ErrNoTable) {
		return false, nil // about to be made: the read store was lost and is filled again
	}
	if err != nil {
		return false, err
	}
	if rows[0] != nil && rows[0][1].(int64) >= int64(version) {
		return true, nil
	}
	mark, revision, err := v.g.marks.Read(ctx, v.g.markKey(id))
	if err != nil || revision == 0 {
		return false, nil // nobody can say: wait on
	}
	return false, &readstore.ParkedError{Projection: v.g.projection.name, Aggregate: id, Version: mark.Version, Cause: mark.Cause}
}
