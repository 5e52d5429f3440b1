package projections

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/parked"
	"github.com/admitone/admitone/eventstore/subscription"
	"github.com/admitone/admitone/readstore"
	"github.com/google/uuid"
)

// generation is one set of tables of a projection, written by one revision.
type generation struct {
	projection *Projection
	number     int
	stream     *eventstore.Stream
	store      readstore.Store
	marks      *parked.Marks
	signals    *subscription.Waiters[signalKey]
	stats      *stats
	log        *slog.Logger
	onAdmit    func(Admission) // nil unless somebody listens
	// written, set where the generation runs here, is the sequence up to which all of a partition is.
	written func(partition int) uint64

	home     *readstore.Table
	indexes  []*readstore.Table
	appended []*readstore.Table
	lists    []*readstore.Bucketed // by index, nil where it is no list

	mu     sync.Mutex
	marked map[string]time.Time // list marks written of late
}

// deps is what the generations of all projections share.
type deps struct {
	store   readstore.Store
	marks   *parked.Marks
	signals *subscription.Waiters[signalKey]
	onAdmit func(Admission)
	log     *slog.Logger
}

// Admission is one event that the gate let through.
type Admission struct {
	Projection string
	Generation int
	Aggregate  uuid.UUID
	Version    uint64
}

func (g *generation) admitted(id uuid.UUID, version uint64) {
	g.stats.admitted.Add(1)
	g.stats.lastAdmitted.Store(time.Now().UnixMilli())
	if g.onAdmit != nil {
		g.onAdmit(Admission{Projection: g.projection.name, Generation: g.number, Aggregate: id, Version: version})
	}
}

// tableName is the name of a described table in a generation.
func tableName(described string, number int) string { return fmt.Sprintf("%s_g%d", described, number) }

// generationName names a generation in keys, consumers and messages.
func generationName(projection string, number int) string {
	return fmt.Sprintf("%s_g%d", projection, number)
}

func newGeneration(p *Projection, number int, stream *eventstore.Stream, d *deps) *generation {
	g := &generation{
		projection: p, number: number, stream: stream,
		store: d.store, marks: d.marks, signals: d.signals, onAdmit: d.onAdmit, stats: &stats{},
		log:    d.log.With("projection", p.name, "generation", number),
		home:   p.home.Named(tableName(p.home.Name, number)),
		marked: map[string]time.Time{},
	}
	for i := range p.indexes {
		x := &p.indexes[i]
		table := x.table.Named(tableName(x.table.Name, number))
		g.indexes = append(g.indexes, table)
		g.lists = append(g.lists, namedList(x.list, table, number))
	}
	for i := range p.appended {
		g.appended = append(g.appended, p.appended[i].Table.Named(tableName(p.appended[i].Table.Name, number)))
	}
	return g
}

func namedList(list *readstore.Bucketed, table *readstore.Table, number int) *readstore.Bucketed {
	if list == nil {
		return nil
	}
	named := *list
	named.Table = table
	named.Marks = list.Marks.Named(tableName(list.Marks.Name, number))
	return &named
}

func (g *generation) name() string { return generationName(g.projection.name, g.number) }

// tables lists the generation's own tables.
func (g *generation) tables() []*readstore.Table {
	var all []*readstore.Table
	for _, t := range g.projection.tables() {
		all = append(all, t.Named(tableName(t.Name, g.number)))
	}
	return all
}

// marksOf are the list marks that rows need and that were not written of late.
func (g *generation) marksOf(listed []listedRow) []readstore.Mutation {
	if len(listed) == 0 {
		return nil
	}
	now := time.Now()
	rows := map[int][]readstore.Row{}
	for _, l := range listed {
		rows[l.index] = append(rows[l.index], l.row)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var marks []readstore.Mutation
	for i, list := range rows {
		for _, m := range g.lists[i].MarkMutations(now, list) {
			name := fmt.Sprint(m.Table.Name, m.Table.KeyOf(m.Row))
			if now.Sub(g.marked[name]) >= markEvery {
				marks = append(marks, m)
			}
		}
	}
	return marks
}

// noteMarked remembers marks once they are acknowledged.
func (g *generation) noteMarked(marks []readstore.Mutation) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.marked) > 10_000 {
		clear(g.marked)
	}
	for _, m := range marks {
		g.marked[fmt.Sprint(m.Table.Name, m.Table.KeyOf(m.Row))] = time.UnixMicro(m.Timestamp)
	}
}

// write flushes dirty entries, then extra as a phase of its own, and settles them.
func (g *generation) write(ctx context.Context, dirty []*entry, extra []readstore.Mutation) error {
	phases, err := g.flushOf(dirty)
	if err != nil {
		return err
	}
	if err := g.store.Write(ctx, append(phases, extra)...); err != nil {
		return fmt.Errorf("projections: flush %s: %w", g.name(), err)
	}
	g.noteMarked(phases[1])
	g.stats.flushes.Add(1)
	for _, e := range dirty {
		g.stats.flushed.Add(e.version - e.written)
		e.settled(e.version)
		g.signals.Reached(signalKey{g.number, e.id}, e.version)
	}
	return nil
}

// readHome reads the home rows of aggregates into entries, new ones where there is no row.
func (g *generation) readHome(ctx context.Context, ids []uuid.UUID) ([]*entry, error) {
	keys := make([]readstore.Key, len(ids))
	for i, id := range ids {
		keys[i] = readstore.Key{id.String()}
	}
	rows, err := g.store.Get(ctx, g.home, keys...)
	if err != nil {
		return nil, fmt.Errorf("projections: read home rows of %s: %w", g.name(), err)
	}
	entries := make([]*entry, len(ids))
	for i, id := range ids {
		if entries[i], err = g.entryOf(id, rows[i]); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func (g *generation) entryOf(id uuid.UUID, row readstore.Row) (*entry, error) {
	e := &entry{id: id, key: id.String(), state: g.projection.empty()}
	if g.projection.indexes != nil {
		e.rows = make([][]readstore.Row, len(g.projection.indexes))
	}
	if row == nil {
		return e, nil
	}
	version, _ := row[1].(int64)
	e.version, e.written = uint64(version), uint64(version)
	e.state = g.projection.scan(row[2:])
	rows, err := g.projection.indexRows(e.key, e.version, e.state)
	if err != nil {
		return nil, err
	}
	e.rows = rows
	return e, nil
}

// parked is what this process knows of an aggregate's mark.
func (g *generation) parked(id uuid.UUID) (Parked, bool) {
	return g.marks.Known(g.projection.name, g.number, id)
}

// position is a message's place; its aggregate is uuid.Nil where the message lies
// on no aggregate's subject.
func (g *generation) position(m eventstore.Message) (eventstore.Position, error) {
	return positionOf(g.stream, m)
}

func positionOf(stream *eventstore.Stream, m eventstore.Message) (eventstore.Position, error) {
	pos, err := stream.Position(m)
	if err != nil {
		pos.Aggregate = stream.Aggregate(m.Subject)
	}
	return pos, err
}
