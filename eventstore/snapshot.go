package eventstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// Snapshot is an aggregate's state at a version, so that a load need not begin
// at its first event. It is a cache: it may be lost at any time. Take one only of
// a history without a hole, since what precedes Sequence is not read again.
type Snapshot struct {
	Version  uint64          `json:"version"`  // of the aggregate
	Sequence uint64          `json:"sequence"` // the subject's last stream sequence when it was taken
	Revision int             `json:"revision"` // of the state's shape; another one is ignored
	State    json.RawMessage `json:"state"`    // JSON
}

// keptSnapshot is a snapshot as the bucket holds it, with the stream it belongs to.
type keptSnapshot struct {
	Snapshot
	Created time.Time `json:"stream_created"`
}

// Snapshots keeps the newest snapshot of each aggregate in a KV bucket. Safe for concurrent use.
type Snapshots struct{ kv jetstream.KeyValue }

const snapshotBucket = "snapshots"

// OpenSnapshots creates or opens the bucket; replicas 0 is 1, and those of an existing
// bucket are never lowered.
func OpenSnapshots(ctx context.Context, js jetstream.JetStream, replicas int) (*Snapshots, error) {
	kv, err := OpenBucket(ctx, js, jetstream.KeyValueConfig{
		Bucket: snapshotBucket, Description: "AdmitOne snapshots of aggregates; a cache", Replicas: replicas,
	})
	if err != nil {
		return nil, err
	}
	return &Snapshots{kv: kv}, nil
}

func snapshotKey(stream *Stream, id uuid.UUID) string { return stream.Name() + "." + id.String() }

// Load returns the snapshot of an aggregate of this very stream (one created anew
// does not match) in this revision; nil when there is none, or none that can be read.
func (s *Snapshots) Load(ctx context.Context, stream *Stream, id uuid.UUID, revision int) (*Snapshot, error) {
	kept, _, err := s.get(ctx, stream, id)
	if err != nil {
		return nil, fmt.Errorf("eventstore: load snapshot of %s: %w: %w", id, ErrUnavailable, err)
	}
	if kept == nil || !kept.Created.Equal(stream.Created()) || kept.Revision != revision {
		return nil, nil
	}
	return &kept.Snapshot, nil
}

// get returns nil where nothing usable is kept, and the entry's revision in the bucket.
func (s *Snapshots) get(ctx context.Context, stream *Stream, id uuid.UUID) (*keptSnapshot, uint64, error) {
	entry, err := s.kv.Get(ctx, snapshotKey(stream, id))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var kept keptSnapshot
	if json.Unmarshal(entry.Value(), &kept) != nil {
		return nil, entry.Revision(), nil // a cache: what cannot be read is overwritten
	}
	return &kept, entry.Revision(), nil
}

// saveAttempts bounds the races with other savers; losing them all loses nothing.
const saveAttempts = 3

// Save keeps a snapshot; an older one, or one of an older revision, never
// replaces a newer. Idempotent.
func (s *Snapshots) Save(ctx context.Context, stream *Stream, id uuid.UUID, snap Snapshot) error {
	body, err := json.Marshal(keptSnapshot{Snapshot: snap, Created: stream.Created()})
	if err != nil {
		return fmt.Errorf("eventstore: save snapshot of %s: %w", id, err)
	}
	for range saveAttempts {
		kept, revision, err := s.get(ctx, stream, id)
		if err != nil {
			return fmt.Errorf("eventstore: save snapshot of %s: %w: %w", id, ErrUnavailable, err)
		}
		if kept != nil && kept.Created.Equal(stream.Created()) && !snap.newerThan(kept.Snapshot) {
			return nil
		}
		// Revision 0 expects that there is no entry.
		_, err = s.kv.Update(ctx, snapshotKey(stream, id), body, revision)
		if err == nil {
			return nil
		}
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != jetstream.JSErrCodeStreamWrongLastSequence {
			return fmt.Errorf("eventstore: save snapshot of %s: %w", id, openError(err))
		}
	}
	return nil
}

func (s Snapshot) newerThan(other Snapshot) bool {
	if s.Revision != other.Revision {
		return s.Revision > other.Revision
	}
	return s.Version > other.Version
}

func pageKey(stream *Stream, id uuid.UUID, n int) string {
	return fmt.Sprintf("%s.%d.%d", snapshotKey(stream, id), stream.Created().UnixNano(), n)
}

// SavePage keeps a part of what belongs to an aggregate's snapshots, for what would
// make each of them too large: parts that are complete and never change are saved
// once, by their number, and the snapshots refer to them. Save a page before the
// first snapshot that needs it, and let that one hold a digest of it. At most
// 512 KiB, so that it fits into a message. Idempotent.
func (s *Snapshots) SavePage(ctx context.Context, stream *Stream, id uuid.UUID, n int, page []byte) error {
	kept, err := s.LoadPage(ctx, stream, id, n)
	if err != nil {
		return err
	}
	if kept != nil && bytes.Equal(kept, page) {
		return nil
	}
	if _, err := s.kv.Put(ctx, pageKey(stream, id, n), page); err != nil {
		return fmt.Errorf("eventstore: save page %d of snapshots of %s: %w", n, id, openError(err))
	}
	return nil
}

// LoadPage returns a page of an aggregate of this very stream (one created anew has
// none of them); nil when there is none.
func (s *Snapshots) LoadPage(ctx context.Context, stream *Stream, id uuid.UUID, n int) ([]byte, error) {
	entry, err := s.kv.Get(ctx, pageKey(stream, id, n))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("eventstore: load page %d of snapshots of %s: %w: %w", n, id, ErrUnavailable, err)
	}
	return entry.Value(), nil
}
