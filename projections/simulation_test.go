package projections

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// simulation plays histories of several copies that write the same aggregates
// into one store. The copies fold and lay out their flushes with the code under
// test; what the simulation decides is when which part of a flush reaches the
// store, and who dies in between. Every history has aggregates of its own, so any
// number run side by side and each is repeatable by its seed.
type simulation struct {
	store  readstore.Store
	def    *Projection
	number int // of the generation, so that several simulations share a store
	seed   uint64
	undo   func(flushed) [][]readstore.Mutation // breaks the flush; nil: as it is

	mu      sync.Mutex
	origins map[string]uint64       // aggregate → history
	want    map[string]expectedRows // by table
	faults  []fault
}

type expectedRows map[string]readstore.Row // by key

// flushed is a flush as the code under test laid it out.
type flushed struct {
	g      *generation
	dirty  []*entry
	phases [][]readstore.Mutation
	before func(*entry) [][]readstore.Row // its index rows at the version written before
}

// fault is a row that is not as a fold of the log says.
type fault struct {
	kind    string // ghost, missing, torn
	history uint64
	text    string
}

var errCaptured = errors.New("captured")

// captured stands between a copy and the store: it takes the phases of a flush
// away, and lets the flush end once the history has dealt with them.
type captured struct {
	readstore.Store
	phases  [][]readstore.Mutation
	confirm bool
}

func (c *captured) Write(_ context.Context, phases ...[]readstore.Mutation) error {
	if c.confirm {
		return nil
	}
	c.phases = phases
	return errCaptured
}

// volley is the part of a flush that is still on its way.
type volley [][]readstore.Mutation

// copyOf is one process: its memory of aggregates, and the flush it waits for.
type copyOf struct {
	g       *generation
	store   *captured
	folder  *folder
	pending volley
	waits   bool
}

type history struct {
	*simulation
	r      *rand.Rand
	crates []crate
	copies []*copyOf
	late   []volley // of the dead, the slow, and the network's own repetitions
}

// crate is an aggregate with its whole log.
type crate struct {
	id  uuid.UUID
	log []eventstore.Event
}

// play runs histories first to first+count-1 side by side.
func (s *simulation) play(ctx context.Context, first, count int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(400)
	for i := first; i < first+count; i++ {
		group.Go(func() error {
			if err := s.history(uint64(i)).run(ctx); err != nil {
				return fmt.Errorf("history %d: %w", i, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *simulation) history(number uint64) *history {
	h := &history{simulation: s, r: rand.New(rand.NewPCG(s.seed, number))}
	for range 1 + h.r.IntN(2) {
		h.crates = append(h.crates, newCrate(h.r))
	}
	for range 3 {
		h.copies = append(h.copies, h.newCopy())
	}
	s.expect(number, h.crates)
	return h
}

func (h *history) newCopy() *copyOf {
	c := &copyOf{store: &captured{Store: h.store}}
	c.g = newGeneration(h.def, h.number, nil, &deps{store: c.store, signals: subscription.NewWaiters[signalKey](), log: silentDeps().log})
	c.folder = newFolder(c.g, 100)
	return c
}

// run takes random steps, then lets one clean copy catch up. What is still on its
// way then arrives before it, after it, or never.
func (h *history) run(ctx context.Context) error {
	for range 10 + h.r.IntN(40) {
		if err := h.step(ctx); err != nil {
			return err
		}
	}
	for _, c := range h.copies {
		h.late = append(h.late, c.pending)
	}
	rest := h.late[h.r.IntN(len(h.late)+1):]
	if err := h.arrive(ctx, h.late[:len(h.late)-len(rest)]); err != nil {
		return err
	}
	if err := h.catchUp(ctx); err != nil {
		return err
	}
	return h.arrive(ctx, rest)
}

func (h *history) step(ctx context.Context) error {
	if len(h.late) > 0 && h.r.IntN(4) == 0 {
		return h.send(ctx, &h.late[h.r.IntN(len(h.late))])
	}
	i := h.r.IntN(len(h.copies))
	c := h.copies[i]
	switch dice := h.r.IntN(16); {
	case dice == 0: // dies; what is under way may arrive much later, or never
		h.late = append(h.late, c.pending)
		h.copies[i] = h.newCopy()
		return nil
	case !c.waits:
		return h.fold(ctx, c)
	case dice == 1: // the store answers with an error: the copy writes it all again
		h.late = append(h.late, c.pending)
		return h.flush(ctx, c)
	case len(c.pending) > 0:
		return h.send(ctx, &c.pending)
	}
	return h.acknowledged(ctx, c)
}

// fold admits some events, of what the copy remembers or of what it reads anew.
func (h *history) fold(ctx context.Context, c *copyOf) error {
	for _, x := range h.crates {
		if h.r.IntN(3) == 0 {
			c.folder.forget(x.id)
		}
		if c.folder.get(x.id) == nil {
			if err := c.folder.load(ctx, []uuid.UUID{x.id}); err != nil {
				return err
			}
		}
		for range h.r.IntN(6) {
			if err := admitNext(c, x); err != nil {
				return err
			}
		}
	}
	return h.flush(ctx, c)
}

func admitNext(c *copyOf, x crate) error {
	e := c.folder.get(x.id)
	if e.version == uint64(len(x.log)) {
		return nil
	}
	return c.folder.admit(e, x.log[e.version])
}

// flush has the code under test lay out its writes.
func (h *history) flush(ctx context.Context, c *copyOf) error {
	if len(c.folder.dirty) == 0 {
		return nil
	}
	if err := c.folder.flush(ctx, nil); !errors.Is(err, errCaptured) {
		return fmt.Errorf("flush did not write: %w", err)
	}
	phases := slices.Clone(c.store.phases)
	if h.undo != nil {
		phases = h.undo(flushed{g: c.g, dirty: c.folder.dirty, phases: phases, before: h.before(c.g)})
	}
	c.pending, c.waits = nil, true
	for _, p := range phases {
		p = slices.Clone(p)
		h.r.Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
		if len(p) > 0 {
			c.pending = append(c.pending, p)
		}
	}
	return nil
}

func (h *history) before(g *generation) func(*entry) [][]readstore.Row {
	return func(e *entry) [][]readstore.Row {
		old, err := g.entryOf(e.id, nil)
		if err != nil {
			panic(err)
		}
		for _, x := range h.crates {
			for x.id == e.id && old.version < e.written {
				if err := g.projection.admit(old, x.log[old.version], g.projection.empty()); err != nil {
					panic(err)
				}
			}
		}
		return old.rows
	}
}

// send lets a part of a volley's first phase arrive.
func (h *history) send(ctx context.Context, v *volley) error {
	if len(*v) == 0 {
		return nil
	}
	phase := (*v)[0]
	n := len(phase)
	if h.r.IntN(2) == 0 {
		n = 1 + h.r.IntN(n)
	}
	part := phase[:n]
	if (*v)[0] = phase[n:]; n == len(phase) {
		*v = (*v)[1:]
	}
	if h.r.IntN(8) == 0 {
		h.late = append(h.late, volley{part})
	}
	return h.store.Write(ctx, part)
}

// acknowledged ends a flush of which all has arrived.
func (h *history) acknowledged(ctx context.Context, c *copyOf) error {
	c.store.confirm = true
	err := c.folder.flush(ctx, nil)
	c.store.confirm, c.waits = false, false
	return err
}

// arrive lets volleys arrive in turns, some of them cut off somewhere.
func (h *history) arrive(ctx context.Context, late []volley) error {
	for open := len(late); open > 0; {
		v := &late[h.r.IntN(len(late))]
		if len(*v) == 0 || h.r.IntN(20) == 0 {
			*v = nil
			open = 0
			for _, v := range late {
				open += len(v)
			}
			continue
		}
		if err := h.send(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// catchUp is a clean copy that takes every aggregate to the end of its log.
func (h *history) catchUp(ctx context.Context) error {
	c := h.newCopy()
	for _, x := range h.crates {
		if err := c.folder.load(ctx, []uuid.UUID{x.id}); err != nil {
			return err
		}
		for range x.log {
			if err := admitNext(c, x); err != nil {
				return err
			}
		}
	}
	if err := h.flush(ctx, c); err != nil {
		return err
	}
	for len(c.pending) > 0 {
		if err := h.send(ctx, &c.pending); err != nil {
			return err
		}
	}
	return h.acknowledged(ctx, c)
}

// expect folds the logs and keeps the rows that must be there in the end.
func (s *simulation) expect(number uint64, crates []crate) {
	g := newGeneration(s.def, s.number, nil, silentDeps())
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := func(t *readstore.Table, row readstore.Row) { s.want[t.Name][fmt.Sprint(t.KeyOf(row))] = row }
	for _, x := range crates {
		s.origins[x.id.String()] = number
		e, err := g.entryOf(x.id, nil)
		for i := 0; err == nil && i < len(x.log); i++ {
			err = g.projection.admit(e, x.log[i], g.projection.empty())
		}
		home, homeErr := g.projection.homeRow(e)
		if err := errors.Join(err, homeErr); err != nil {
			panic(err)
		}
		keep(g.home, home)
		for i, rows := range e.rows {
			for _, row := range rows {
				keep(g.indexes[i], row)
				if list := g.lists[i]; list != nil {
					keep(list.Marks, list.MarkMutations(time.Now(), []readstore.Row{row})[0].Row)
				}
			}
		}
		for _, a := range e.appended {
			keep(g.appended[a.table], a.row)
		}
	}
}
