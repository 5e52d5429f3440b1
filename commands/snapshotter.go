package commands

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

const (
	snapshotQueue   = 64 // waiting snapshots; more are left for a later event
	snapshotTimeout = 10 * time.Second
	pagesAtOnce     = 8 // loads of one snapshot's pages at a time
)

// snapshotter saves snapshots in the background, one after the other.
type snapshotter struct {
	snapshots *eventstore.Snapshots
	stream    *eventstore.Stream
	cfg       Config
	queue     chan snapshotJob

	ctx    context.Context // of the saves
	cancel context.CancelFunc
	once   sync.Once
	ending chan struct{}
	done   chan struct{}
}

type snapshotJob struct {
	aggregate uuid.UUID
	encode    func() (frozen, error)
}

func newSnapshotter(store *eventstore.Snapshots, stream *eventstore.Stream, cfg Config) *snapshotter {
	s := &snapshotter{
		snapshots: store, stream: stream, cfg: cfg, queue: make(chan snapshotJob, snapshotQueue),
		ending: make(chan struct{}), done: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.run()
	return s
}

// offer puts a snapshot of a on its way when one is due and there is room.
func offer[S any](s *snapshotter, id uuid.UUID, a *aggregate[S]) {
	if a.version-a.saved < uint64(s.cfg.SnapshotEvery) || len(s.queue) == cap(s.queue) {
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
	f, err := job.encode()
	if err == nil {
		err = s.store(ctx, job.aggregate, f)
	}
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "snapshot not saved, loads will read more of the log",
			"stream", s.stream.Name(), "aggregate", job.aggregate, "version", f.snapshot.Version, "error", err)
	}
}

// store saves the pages that are new first: no snapshot may need one that is not there.
func (s *snapshotter) store(ctx context.Context, id uuid.UUID, f frozen) error {
	for n, p := range f.pages {
		if p.stored {
			continue
		}
		if err := s.snapshots.SavePage(ctx, s.stream, id, n, p.records); err != nil {
			return err
		}
		p.stored = true
	}
	f.snapshot.Revision = s.cfg.SnapshotRevision
	return s.snapshots.Save(ctx, s.stream, id, f.snapshot)
}

// load gives the pages with these digests. One that is missing or damaged is an
// error: a command in it would be forgotten.
func (s *snapshotter) load(ctx context.Context, id uuid.UUID, digests [][]byte) ([]*page, error) {
	pages := make([]*page, len(digests))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(pagesAtOnce)
	for n, digest := range digests {
		g.Go(func() error {
			records, err := s.snapshots.LoadPage(ctx, s.stream, id, n)
			if err != nil {
				return err
			}
			p := newPage(records)
			if !bytes.Equal(p.digest[:], digest) {
				return fmt.Errorf("commands: page %d of the commands handled by %s is missing or damaged", n, id)
			}
			p.stored = true
			pages[n] = p
			return nil
		})
	}
	return pages, g.Wait()
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
