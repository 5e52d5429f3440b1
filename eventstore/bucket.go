package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// bucketPrefix begins the name of the stream that a bucket is.
const bucketPrefix = "KV_"

// OpenBucket makes a key-value bucket, or opens one that exists. That one's replicas
// are raised to those of cfg and never lowered, and its TTL is brought to that of cfg;
// its other settings stay as they are. Replicas 0 is 1. ErrUnavailable, ErrMisconfigured.
func OpenBucket(ctx context.Context, js jetstream.JetStream, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	cfg.Replicas = max(cfg.Replicas, 1)
	kv, err := js.KeyValue(ctx, cfg.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = js.CreateKeyValue(ctx, cfg)
		if errors.Is(err, jetstream.ErrBucketExists) {
			// Another process was faster, with other settings.
			kv, err = js.KeyValue(ctx, cfg.Bucket)
		}
	}
	if err == nil {
		err = adjustBucket(ctx, js, cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("eventstore: open bucket %s: %w", cfg.Bucket, openError(err))
	}
	return kv, nil
}

// adjustBucket goes by the bucket's stream, since an update says all settings: what an
// operator has changed stays.
func adjustBucket(ctx context.Context, js jetstream.JetStream, cfg jetstream.KeyValueConfig) error {
	stream, err := js.Stream(ctx, bucketPrefix+cfg.Bucket)
	if err != nil {
		return err
	}
	set := stream.CachedInfo().Config
	// A copy that sees a part of the cluster must not take replicas away.
	if cfg.Replicas <= set.Replicas && cfg.TTL == set.MaxAge {
		return nil
	}
	set.Replicas, set.MaxAge = max(cfg.Replicas, set.Replicas), cfg.TTL
	if set.MaxAge > 0 {
		set.Duplicates = min(set.Duplicates, set.MaxAge) // the server takes no longer one
	}
	_, err = js.UpdateStream(ctx, set)
	return err
}
