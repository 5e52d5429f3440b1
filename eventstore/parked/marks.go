package parked

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

const bucket = "parked"

// Marks reads and writes the parked marks, and follows them, so that a lane knows
// at once what is parked. What it knows may lag: every change goes by
// compare-and-set. Safe for concurrent use.
type Marks struct {
	kv        jetstream.KeyValue
	log       *slog.Logger
	count     atomic.Int64
	following atomic.Bool // known is kept up to date
	ready     chan struct{}
	begin     sync.Once

	mu    sync.RWMutex
	known map[string]known // by key
}

// Open makes the bucket where it is not there yet.
func Open(ctx context.Context, js jetstream.JetStream, replicas int, log *slog.Logger) (*Marks, error) {
	kv, err := eventstore.OpenBucket(ctx, js, jetstream.KeyValueConfig{
		Bucket: bucket, Description: "aggregates that a projection or a process has stopped at",
		Storage: jetstream.FileStorage, Replicas: replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("parked: %w", err)
	}
	return &Marks{kv: kv, log: log, ready: make(chan struct{}), known: map[string]known{}}, nil
}

// Ready is closed when Follow knows all marks for the first time.
func (m *Marks) Ready() <-chan struct{} { return m.ready }

// Follow keeps what this process knows up to date until ctx ends, and watches
// again when the watch breaks.
func (m *Marks) Follow(ctx context.Context) {
	for ctx.Err() == nil {
		if err := m.watch(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("watch of parked marks interrupted", "cause", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (m *Marks) watch(ctx context.Context) error {
	w, err := m.kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("parked: watch bucket %s: %w", bucket, err)
	}
	defer func() {
		m.following.Store(false)
		_ = w.Stop()
	}()
	// All there is comes first, and then what changes. The bucket may be another one than
	// before, whose revisions begin anew.
	all := map[string]known{}
	take := func(key string, k known) { all[key] = k }
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errors.New("parked: the watch ended")
			case e == nil:
				m.replace(all)
				take = m.learn
				m.following.Store(true)
				m.begin.Do(func() { close(m.ready) })
			default:
				m.note(e, take)
			}
		}
	}
}

func (m *Marks) note(e jetstream.KeyValueEntry, take func(string, known)) {
	if e.Operation() != jetstream.KeyValuePut {
		take(e.Key(), known{revision: e.Revision(), gone: true})
		return
	}
	mark, err := decode(e)
	if err != nil {
		m.log.Error("parked mark ignored", "key", e.Key(), "cause", err)
		return
	}
	take(e.Key(), known{mark: mark, revision: e.Revision()})
}

// Known is the mark under a key, as far as this process knows. It costs nothing
// where nothing is parked.
func (m *Marks) Known(reader string, generation int, id uuid.UUID) (Mark, bool) {
	if m.count.Load() == 0 {
		return Mark{}, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	k := m.known[Key(reader, generation, id)]
	return k.mark, k.there()
}

// List is what this process knows of a reader's generation, in no order.
func (m *Marks) List(reader string, generation int) []Mark {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []Mark
	for key, k := range m.known {
		if k.there() && strings.HasPrefix(key, prefix(reader, generation)) {
			all = append(all, k.mark)
		}
	}
	return all
}

// Current is List for a process that may not follow the marks: it asks the broker.
func (m *Marks) Current(ctx context.Context, reader string, generation int) ([]Mark, error) {
	if m.following.Load() {
		return m.List(reader, generation), nil
	}
	w, err := m.kv.Watch(ctx, prefix(reader, generation)+"*", jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("parked: list marks: %w", err)
	}
	defer func() { _ = w.Stop() }()
	var all []Mark
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("parked: list marks: %w", ctx.Err())
		case e := <-w.Updates():
			if e == nil {
				return all, nil
			}
			mark, err := decode(e)
			if err != nil {
				return nil, err
			}
			all = append(all, mark)
		}
	}
}

// Read asks the broker; revision 0 when there is no mark.
func (m *Marks) Read(ctx context.Context, key string) (mark Mark, revision uint64, err error) {
	before := m.knows(key)
	e, err := m.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		m.learn(key, known{revision: before.revision, gone: true})
		return Mark{}, 0, nil
	}
	if err != nil {
		return Mark{}, 0, fmt.Errorf("parked: read mark %s: %w", key, err)
	}
	mark, err = decode(e)
	return mark, e.Revision(), err
}

// Put parks an aggregate, or parks it again after another attempt: the first time
// and what was seen stay.
func (m *Marks) Put(ctx context.Context, mark Mark) error {
	return m.change(ctx, Key(mark.Projection, mark.Generation, mark.Aggregate), func(old Mark, exists bool) (Mark, bool) {
		if exists {
			mark.Since, mark.Attempts, mark.Seen = old.Since, old.Attempts+1, max(old.Seen, mark.Seen)
		}
		return mark, true
	})
}

// Raise notes that a message of a parked aggregate is acknowledged; false when the
// aggregate is not parked any more.
func (m *Marks) Raise(ctx context.Context, key string, sequence uint64) (bool, error) {
	parked := false
	err := m.change(ctx, key, func(old Mark, exists bool) (Mark, bool) {
		parked = exists
		if !exists || old.Seen >= sequence {
			return old, false
		}
		old.Seen = sequence
		return old, true
	})
	return parked, err
}

// change applies edit to a mark by compare-and-set until it is not overtaken.
func (m *Marks) change(ctx context.Context, key string, edit func(old Mark, exists bool) (Mark, bool)) error {
	for {
		old, revision, err := m.Read(ctx, key)
		if err != nil {
			return err
		}
		next, write := edit(old, revision > 0)
		if !write {
			return nil
		}
		body, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("parked: encode mark: %w", err)
		}
		if revision == 0 {
			revision, err = m.kv.Create(ctx, key, body)
		} else {
			revision, err = m.kv.Update(ctx, key, body, revision)
		}
		if err == nil {
			m.learn(key, known{mark: next, revision: revision})
			return nil
		}
		if !eventstore.Overtaken(err) {
			return fmt.Errorf("parked: write mark %s: %w", key, err)
		}
	}
}

// Remove deletes the mark if it is still at revision.
func (m *Marks) Remove(ctx context.Context, key string, revision uint64) (bool, error) {
	err := m.kv.Delete(ctx, key, jetstream.LastRevision(revision))
	if err == nil {
		m.learn(key, known{revision: revision, gone: true})
		return true, nil
	}
	if eventstore.Overtaken(err) {
		return false, nil
	}
	return false, fmt.Errorf("parked: delete mark %s: %w", key, err)
}

// Clear deletes all marks of a reader's generation.
func (m *Marks) Clear(ctx context.Context, reader string, generation int) error {
	marks, err := m.Current(ctx, reader, generation)
	if err != nil {
		return err
	}
	for _, mark := range marks {
		if err := m.kv.Delete(ctx, Key(reader, generation, mark.Aggregate)); err != nil {
			return fmt.Errorf("parked: delete mark: %w", err)
		}
	}
	return nil
}
