package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// OpenBucket makes a key-value bucket, or opens one that exists. That one's replicas
// are raised to those of cfg and never lowered, and its TTL is brought to that of cfg.
// Replicas 0 is 1. ErrUnavailable, ErrMisconfigured.
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
		kv, err = adjustBucket(ctx, js, kv, cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("eventstore: open bucket %s: %w", cfg.Bucket, openError(err))
	}
	return kv, nil
}

func adjustBucket(ctx context.Context, js jetstream.JetStream, kv jetstream.KeyValue, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	status, err := kv.Status(ctx)
	if err != nil {
		return nil, err
	}
	have := status.Config()
	// A copy that sees a part of the cluster must not take replicas away.
	cfg.Replicas = max(cfg.Replicas, have.Replicas)
	if cfg.Replicas == have.Replicas && cfg.TTL == have.TTL {
		return kv, nil
	}
	return js.UpdateKeyValue(ctx, cfg)
}
