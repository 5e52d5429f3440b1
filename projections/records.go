package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/readstore"
	"github.com/nats-io/nats.go/jetstream"
)

// record says which generations a projection's revision has. There is one for
// each projection and revision in the bucket "generations", under
// <projection>.<revision>; it changes by compare-and-set alone.
type record struct {
	Revision   int               `json:"revision"`
	Live       int               `json:"live"`     // what readers read; 0: none yet
	Building   int               `json:"building"` // what is being filled; 0: none
	Previous   int               `json:"previous"` // what was live before the switch
	SwitchedAt time.Time         `json:"switched_at"`
	Tables     []readstore.Table `json:"tables"` // as this revision describes them
	Total      uint64            `json:"total"`  // messages of the stream when the building began

	kvRevision uint64
}

const (
	generationsBucket = "generations"
	leasesBucket      = "leases"
)

// records reads and writes the generation records, and hands out numbers.
type records struct{ kv jetstream.KeyValue }

func openRecords(ctx context.Context, js jetstream.JetStream, replicas int) (*records, error) {
	kv, err := eventstore.OpenBucket(ctx, js, jetstream.KeyValueConfig{
		Bucket: generationsBucket, Description: "which generation of a projection is live",
		Storage: jetstream.FileStorage, Replicas: replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("projections: %w", err)
	}
	return &records{kv: kv}, nil
}

func recordKey(projection string, revision int) string {
	return projection + "." + strconv.Itoa(revision)
}

// failed wraps what the broker said. But for what it refuses as malformed, it may work
// later, and who asked must be able to tell.
func failed(what string, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.Code == http.StatusBadRequest {
		return fmt.Errorf("projections: %s: the broker refuses: %w", what, err)
	}
	return fmt.Errorf("projections: %s: %w: %w", what, eventstore.ErrUnavailable, err)
}

// read returns the record of a revision, an empty one when there is none. As of all
// here, ErrUnavailable when the broker is away.
func (r *records) read(ctx context.Context, projection string, revision int) (record, error) {
	e, err := r.kv.Get(ctx, recordKey(projection, revision))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return record{Revision: revision}, nil
	}
	if err != nil {
		return record{}, failed("read generations of "+projection, err)
	}
	return decodeRecord(e)
}

func decodeRecord(e jetstream.KeyValueEntry) (record, error) {
	var rec record
	if err := json.Unmarshal(e.Value(), &rec); err != nil {
		return record{}, fmt.Errorf("projections: generation record %s: %w", e.Key(), err)
	}
	rec.kvRevision = e.Revision()
	return rec, nil
}

// change applies edit until it is not overtaken. An error of edit ends it.
func (r *records) change(ctx context.Context, projection string, revision int, edit func(*record) error) (record, error) {
	for {
		rec, err := r.read(ctx, projection, revision)
		if err != nil {
			return rec, err
		}
		if err := edit(&rec); err != nil {
			return rec, err
		}
		body, err := json.Marshal(rec)
		if err != nil {
			return rec, fmt.Errorf("projections: encode generation record: %w", err)
		}
		key := recordKey(projection, revision)
		if rec.kvRevision == 0 {
			rec.kvRevision, err = r.kv.Create(ctx, key, body)
		} else {
			rec.kvRevision, err = r.kv.Update(ctx, key, body, rec.kvRevision)
		}
		if err == nil {
			return rec, nil
		}
		if !eventstore.Overtaken(err) {
			return rec, failed("write generation record "+key, err)
		}
	}
}

// number hands out a generation number that was never used before.
func (r *records) number(ctx context.Context, projection string) (int, error) {
	key := projection + ".next"
	for {
		last, revision := 0, uint64(0)
		e, err := r.kv.Get(ctx, key)
		switch {
		case err == nil:
			revision = e.Revision()
			if last, err = strconv.Atoi(string(e.Value())); err != nil {
				return 0, fmt.Errorf("projections: generation counter %s: %w", key, err)
			}
		case !errors.Is(err, jetstream.ErrKeyNotFound):
			return 0, failed("read generation counter "+key, err)
		}
		next := []byte(strconv.Itoa(last + 1))
		if revision == 0 {
			_, err = r.kv.Create(ctx, key, next)
		} else {
			_, err = r.kv.Update(ctx, key, next, revision)
		}
		if err == nil {
			return last + 1, nil
		}
		if !eventstore.Overtaken(err) {
			return 0, failed("write generation counter "+key, err)
		}
	}
}

// older returns the newest record below a revision that has a live generation.
func (r *records) older(ctx context.Context, projection string, below int) (record, bool, error) {
	for revision := below - 1; revision >= 1; revision-- {
		rec, err := r.read(ctx, projection, revision)
		if err != nil {
			return record{}, false, err
		}
		if rec.Live != 0 {
			return rec, true, nil
		}
	}
	return record{}, false, nil
}
