package projections_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/admitone/admitone/projections"
	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// The toy domain: boxes that are packed, moved between shelves, and taken away.
type (
	packed struct {
		Label string `json:"label"`
		Shelf string `json:"shelf"`
	}
	moved struct {
		Shelf string `json:"shelf"`
	}
	taken struct {
		By string `json:"by"`
	}
)

func (packed) EventType() string { return "box.packed.v1" }
func (moved) EventType() string  { return "box.moved.v1" }
func (taken) EventType() string  { return "box.taken.v1" }

func registry(t testing.TB, more ...eventstore.Payload) *eventstore.Registry {
	r := eventstore.NewRegistry()
	r.Register(append([]eventstore.Payload{packed{}, moved{}, taken{}}, more...)...)
	require.NoError(t, r.Validate())
	return r
}

type box struct {
	label, shelf, by string
	moves            int64
	packedAt         time.Time
}

func column(name string, typ readstore.Type) readstore.Column {
	return readstore.Column{Name: name, Type: typ}
}

// boxesHome is the home table as described, or as a generation names it.
func boxesHome(generation int) *readstore.Table {
	t := &readstore.Table{
		Name: "boxes", Partition: []readstore.Column{column("id", readstore.Text)},
		Values: []readstore.Column{column("version", readstore.Int), column("label", readstore.Text), column("shelf", readstore.Text),
			column("by", readstore.Text), column("moves", readstore.Int), column("packed_at", readstore.Time)},
	}
	if generation > 0 {
		return t.Named(fmt.Sprintf("boxes_g%d", generation))
	}
	return t
}

// boxes has one table of each kind: home, index, list, appended rows.
func boxes(t testing.TB, stream string, change ...func(*projections.Definition[box])) *projections.Projection {
	byShelf := readstore.Table{
		Name:       "boxes_by_shelf",
		Partition:  []readstore.Column{column("shelf", readstore.Text)},
		Clustering: []readstore.Column{column("id", readstore.Text)},
		Values:     []readstore.Column{column("version", readstore.Int), column("label", readstore.Text), column("by", readstore.Text)},
	}
	byAge := readstore.Table{
		Name:       "boxes_by_age",
		Partition:  []readstore.Column{column("shelf", readstore.Text), column("month", readstore.Text), column("shard", readstore.Int)},
		Clustering: []readstore.Column{{Name: "packed_at", Type: readstore.Time, Desc: true}, column("id", readstore.Text)},
		Values:     []readstore.Column{column("version", readstore.Int)},
	}
	list := readstore.NewBucketed(&byAge, 2)
	d := projections.Definition[box]{
		Name: "boxes", Revision: 1, Stream: stream,
		Home:   *boxesHome(0),
		Values: func(b box) readstore.Row { return readstore.Row{b.label, b.shelf, b.by, b.moves, b.packedAt} },
		Scan: func(v readstore.Row) box {
			return box{label: v[0].(string), shelf: v[1].(string), by: v[2].(string), moves: v[3].(int64), packedAt: v[4].(time.Time)}
		},
		Fold: foldBox,
		Indexes: []projections.Index[box]{
			{Table: byShelf, IDColumn: "id", Rows: func(e projections.Entry[box]) []readstore.Row {
				if e.Row.by != "" {
					return nil
				}
				return []readstore.Row{{e.Row.shelf, e.ID, e.Version, e.Row.label, e.Row.by}}
			}},
			{Table: byAge, IDColumn: "id", List: list, Rows: func(e projections.Entry[box]) []readstore.Row {
				return []readstore.Row{append(readstore.Row(list.Key(readstore.Key{e.Row.shelf}, e.Row.packedAt, e.ID)), e.Version)}
			}},
		},
		Appended: []projections.Appended{{
			Table: readstore.Table{
				Name: "box_moves", Partition: []readstore.Column{column("id", readstore.Text)},
				Clustering: []readstore.Column{column("version", readstore.Int)}, Values: []readstore.Column{column("shelf", readstore.Text)},
			},
			IDColumn: "id",
			Row: func(e eventstore.Event) (readstore.Row, bool) {
				m, ok := e.Payload.(moved)
				return readstore.Row{e.Aggregate.String(), int64(e.Version), m.Shelf}, ok
			},
		}},
	}
	for _, c := range change {
		c(&d)
	}
	p, err := projections.Define(d)
	require.NoError(t, err)
	return p
}

func foldBox(b *box, e eventstore.Event) error {
	switch p := e.Payload.(type) {
	case packed:
		b.label, b.shelf, b.packedAt = p.Label, p.Shelf, e.Time.UTC().Truncate(time.Millisecond)
	case moved:
		if p.Shelf == "panic" {
			panic("this shelf cannot be")
		}
		b.shelf = p.Shelf
		b.moves++
	case taken:
		b.by = p.By
	default:
		return fmt.Errorf("boxes does not know %s", e.Type)
	}
	return nil
}

// world is a broker, a stream and a read store.
type world struct {
	server *eventstore.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	stream *eventstore.Stream
	store  readstore.Store
	def    *projections.Projection
}

func newWorld(t testing.TB, partitions int, store readstore.Store) *world {
	w := &world{server: natstest.Server(t), store: store}
	w.nc = natstest.Conn(t, w.server)
	var err error
	w.js, err = jetstream.New(w.nc)
	require.NoError(t, err)
	w.stream = natstest.Stream(t, w.nc, eventstore.StreamConfig{Name: "BOXES", Partitions: partitions, Registry: registry(t)})
	if w.store == nil {
		w.store = newSQLite(t)
	}
	w.def = boxes(t, "BOXES")
	return w
}

func newSQLite(t testing.TB) readstore.Store {
	s, err := sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "rows.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// copyOf is a projector that runs until the test ends or stop is called.
type copyOf struct {
	*projections.Projector
	stop func()
	done chan error
}

func (w *world) start(t testing.TB, cfg projections.Config) *copyOf {
	if cfg.Logger == nil && os.Getenv("ADMITONE_TEST_LOG") != "" {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	p, err := projections.New(natstest.Context(t), w.store, map[string]*eventstore.Stream{"BOXES": w.stream}, cfg, w.def)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	c := &copyOf{Projector: p, done: make(chan error, 1)}
	go func() { c.done <- p.Run(ctx) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-c.done)
	})
	t.Cleanup(c.stop)
	return c
}

// startLive starts a copy and waits until readers have a generation.
func (w *world) startLive(t testing.TB, cfg projections.Config) *copyOf {
	c := w.start(t, cfg)
	idle(t, 2*time.Minute, c.Projector)
	return c
}

// fact is an event as a test writes it straight into the stream.
type fact struct {
	id      uuid.UUID
	version uint64
	payload eventstore.Payload
	at      time.Time
	raw     []byte // in place of payload
	typ     string // in place of the payload's
}

func (w *world) message(t testing.TB, f fact) *nats.Msg {
	body, typ := f.raw, f.typ
	if f.payload != nil {
		var err error
		body, err = json.Marshal(f.payload)
		require.NoError(t, err)
		if typ == "" {
			typ = f.payload.EventType()
		}
	}
	if f.at.IsZero() {
		f.at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(f.version) * time.Second)
	}
	m := nats.NewMsg(w.stream.Subject(f.id))
	m.Data = body
	for key, value := range map[string]string{
		"ce-id": uuid.NewString(), "ce-specversion": "1.0", "ce-type": typ, "ce-source": "/boxes", "ce-subject": f.id.String(),
		"ce-version": strconv.FormatUint(f.version, 10), "ce-time": f.at.Format(time.RFC3339Nano),
	} {
		m.Header[key] = []string{value}
	}
	return m
}

func (w *world) publish(t testing.TB, facts ...fact) {
	for chunk := range slices.Chunk(facts, 1000) {
		w.publishChunk(t, chunk)
	}
}

func (w *world) publishChunk(t testing.TB, facts []fact) {
	var futures []jetstream.PubAckFuture
	for _, f := range facts {
		future, err := w.js.PublishMsgAsync(w.message(t, f))
		require.NoError(t, err)
		futures = append(futures, future)
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			require.NoError(t, err)
		case <-time.After(time.Minute):
			require.Fail(t, "no acknowledgement of a publish")
		}
	}
}

// life is one box's events 1..n, by the dice.
func life(r *rand.Rand, id uuid.UUID, n int) []fact {
	shelf := func() string { return "shelf-" + strconv.Itoa(r.IntN(5)) }
	facts := []fact{{id: id, version: 1, payload: packed{Label: "box " + id.String()[:4], Shelf: shelf()}}}
	for v := uint64(2); v <= uint64(n); v++ {
		f := fact{id: id, version: v, payload: moved{Shelf: shelf()}}
		if v == uint64(n) && r.IntN(3) == 0 {
			f.payload = taken{By: "somebody"}
		}
		facts = append(facts, f)
	}
	return facts
}

// lives is the events of many boxes, box after box.
func lives(r *rand.Rand, boxes, events int) []fact {
	var all []fact
	for range boxes {
		all = append(all, life(r, someID(r), events)...)
	}
	return all
}

func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ADMITONE_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("ADMITONE_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// model folds facts in order of version, apart from the code under test.
func model(facts []fact) map[string][]string {
	sorted := append([]fact(nil), facts...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].version < sorted[j].version })
	type state struct {
		box
		version uint64
		trail   []string
	}
	states := map[uuid.UUID]*state{}
	for _, f := range sorted {
		s := states[f.id]
		if s == nil {
			s = &state{}
			states[f.id] = s
		}
		if f.version != s.version+1 {
			continue
		}
		s.version = f.version
		switch p := f.payload.(type) {
		case packed:
			s.label, s.shelf = p.Label, p.Shelf
		case moved:
			s.shelf = p.Shelf
			s.moves++
			s.trail = append(s.trail, fmt.Sprint(f.id, " ", f.version, " ", p.Shelf))
		case taken:
			s.by = p.By
		}
	}
	rows := map[string][]string{"boxes": {}, "boxes_by_shelf": {}, "boxes_by_age": {}, "box_moves": {}}
	for id, s := range states {
		if s.version == 0 {
			continue
		}
		rows["boxes"] = append(rows["boxes"], fmt.Sprint(id, " ", s.version, " ", s.label, " ", s.shelf, " ", s.by, " ", s.moves))
		if s.by == "" {
			rows["boxes_by_shelf"] = append(rows["boxes_by_shelf"], fmt.Sprint(s.shelf, " ", id, " ", s.version, " ", s.label))
		}
		rows["boxes_by_age"] = append(rows["boxes_by_age"], fmt.Sprint(s.shelf, " ", id, " ", s.version))
		rows["box_moves"] = append(rows["box_moves"], s.trail...)
	}
	for _, list := range rows {
		sort.Strings(list)
	}
	return rows
}

// dump reads every row of the live generation in the form of model.
func dump(t testing.TB, p *projections.Projector, store readstore.Store) map[string][]string {
	reader, err := p.Reader("boxes")
	require.NoError(t, err)
	view, err := reader.View(natstest.Context(t))
	require.NoError(t, err)
	rows := map[string][]string{"boxes": {}, "boxes_by_shelf": {}, "boxes_by_age": {}, "box_moves": {}}
	for table := range rows {
		require.NoError(t, store.Scan(natstest.Context(t), view.Table(table), func(r readstore.Row) error {
			var line string
			switch table {
			case "boxes":
				line = fmt.Sprint(r[0], " ", r[1], " ", r[2], " ", r[3], " ", r[4], " ", r[5])
			case "boxes_by_shelf":
				line = fmt.Sprint(r[0], " ", r[1], " ", r[2], " ", r[3])
			case "boxes_by_age":
				line = fmt.Sprint(r[0], " ", r[4], " ", r[5])
			case "box_moves":
				line = fmt.Sprint(r[0], " ", r[1], " ", r[2])
			}
			rows[table] = append(rows[table], line)
			return nil
		}))
		sort.Strings(rows[table])
	}
	return rows
}

// eventually waits for a condition, not for a time.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		require.False(t, time.Now().After(deadline), "not in %s: %s", within, what)
		time.Sleep(10 * time.Millisecond)
	}
}

// idle waits until a projection has written all there is.
func idle(t testing.TB, within time.Duration, p *projections.Projector) {
	t.Helper()
	var last []projections.Status
	defer func() {
		if t.Failed() {
			t.Logf("%+v", last)
		}
	}()
	eventually(t, within, "the projection is idle", func() bool {
		var err error
		last, err = p.Status(natstest.Context(t))
		return err == nil && last[0].Generation > 0 && last[0].LagEvents == 0 && last[0].Building == nil
	})
}

func homeTable(t testing.TB, p *copyOf) *readstore.Table {
	reader, err := p.Reader("boxes")
	require.NoError(t, err)
	view, err := reader.View(natstest.Context(t))
	require.NoError(t, err)
	return view.Table("boxes")
}

func upsert(table *readstore.Table, row readstore.Row, timestamp int64) []readstore.Mutation {
	return []readstore.Mutation{{Table: table, Row: row, Timestamp: timestamp}}
}
