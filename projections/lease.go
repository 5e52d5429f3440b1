package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/nats-io/nats.go/jetstream"
)

// leaseFor is how long a rebuild's lease holds without being renewed.
const leaseFor = 6 * time.Second

// leases keeps one rebuild at a time for a projection, over all copies.
type leases struct{ kv jetstream.KeyValue }

func openLeases(ctx context.Context, js jetstream.JetStream, replicas int) (*leases, error) {
	kv, err := eventstore.OpenBucket(ctx, js, jetstream.KeyValueConfig{
		Bucket: leasesBucket, Description: "who rebuilds which projection", TTL: leaseFor,
		Storage: jetstream.FileStorage, Replicas: replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("projections: %w", err)
	}
	return &leases{kv: kv}, nil
}

// take takes a lease; false when somebody holds it. Until release is called it is
// renewed with what value returns; held ends when that fails for too long.
func (l *leases) take(ctx context.Context, key string, value func() []byte) (held context.Context, release func(), ok bool, err error) {
	revision, err := l.kv.Create(ctx, key, value())
	if eventstore.Overtaken(err) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("projections: take lease %s: %w", key, err)
	}
	held, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		l.renew(held, key, value, revision)
	}()
	return held, func() { cancel(); <-done }, true, nil
}

func (l *leases) renew(ctx context.Context, key string, value func() []byte, revision uint64) {
	tick := time.NewTicker(leaseFor / 8)
	defer tick.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = l.kv.Delete(end, key, jetstream.LastRevision(revision))
			return
		case <-tick.C:
		}
		next, err := l.kv.Update(ctx, key, value(), revision)
		switch {
		case err == nil:
			revision, renewed = next, time.Now()
		case eventstore.Overtaken(err) || time.Since(renewed) > leaseFor:
			return
		}
	}
}

// read returns a lease's value, nil when nobody holds it.
func (l *leases) read(ctx context.Context, key string) ([]byte, error) {
	e, err := l.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("projections: read lease %s: %w", key, err)
	}
	return e.Value(), nil
}
