package commands

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
)

const (
	snapshotQueue   = 64 // waiting snapshots; more are left for a later event
	snapshotTimeout = 10 * time.Second
	// The remembered commands are copied for each snapshot, so that it is taken
	// less often where they are many: a tenth of them must be new.
	snapshotShare = 10
)

// snapshotter saves snapshots in the background, one after the other.
type snapshotter struct {
	store  *eventstore.Snapshots
	stream *eventstore.Stream
	cfg    Config
	queue  chan snapshotJob

	ctx    context.Context // of the saves
	cancel context.CancelFunc
	once   sync.Once
	ending chan struct{}
	done   chan struct{}
}

type snapshotJob struct {
	aggregate uuid.UUID
	encode    func() (eventstore.Snapshot, error)
}

func newSnapshotter(store *eventstore.Snapshots, stream *eventstore.Stream, cfg Config) *snapshotter {
	s := &snapshotter{
		store: store, stream: stream, cfg: cfg, queue: make(chan snapshotJob, snapshotQueue),
		ending: make(chan struct{}), done: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.run()
	return s
}

// offer puts a snapshot of a on its way when one is due and there is room.
func offer[S any](s *snapshotter, id uuid.UUID, a *aggregate[S]) {
	since := a.version - a.saved
	if since < uint64(s.cfg.SnapshotEvery) || since*snapshotShare < uint64(len(a.handled)) || len(s.queue) == cap(s.queue) {
		return
	}
	select {
	case s.queue <- snapshotJob{aggregate: id, encode: a.freeze()}:
		a.saved = a.version
	default:
	}
}

func (s *snapshotter) run() {
	defer close(s.done)
	for {
		select {
		case job := <-s.queue:
			s.save(job)
		case <-s.ending:
			s.drain()
			return
		}
	}
}

func (s *snapshotter) drain() {
	for s.ctx.Err() == nil {
		select {
		case job := <-s.queue:
			s.save(job)
		default:
			return
		}
	}
}

func (s *snapshotter) save(job snapshotJob) {
	ctx, cancel := context.WithTimeout(s.ctx, snapshotTimeout)
	defer cancel()
	snap, err := job.encode()
	if err == nil {
		snap.Revision = s.cfg.SnapshotRevision
		err = s.store.Save(ctx, s.stream, job.aggregate, snap)
	}
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "snapshot not saved, loads will read more of the log",
			"stream", s.stream.Name(), "aggregate", job.aggregate, "version", snap.Version, "error", err)
	}
}

func (s *snapshotter) close(ctx context.Context) error {
	s.once.Do(func() { close(s.ending) })
	defer s.cancel()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		s.cancel()
		<-s.done
		return fmt.Errorf("commands: saving the last snapshots: %w", ctx.Err())
	}
}
