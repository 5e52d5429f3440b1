package sealed

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// What tests see of the inside.

func (k *Keys) InTouch() bool                    { return k.inTouch() }
func (k *Keys) Follow(ctx context.Context) error { return k.follow(ctx) }

// Silent makes the last word from the broker so old.
func (k *Keys) Silent(since time.Duration) { k.contact.Store(int64(time.Since(k.start) - since)) }

func (k *Keys) Bury(ctx context.Context, owner uuid.UUID) error {
	return k.bury(ctx, owner)
}

// Holds says whether an owner's key is in memory.
func (k *Keys) Holds(owner uuid.UUID) bool {
	secret, ok := k.cache.GetIfPresent(owner)
	return ok && secret != nil
}

func (k *Keys) Cached() int {
	k.cache.CleanUp()
	return k.cache.EstimatedSize()
}

// LoadDuring loads a key, and calls meanwhile before it is kept.
func (k *Keys) LoadDuring(ctx context.Context, owner uuid.UUID, meanwhile func()) error {
	_, err := k.cached(ctx, owner, func(ctx context.Context, owner uuid.UUID) (*key, error) {
		secret, err := k.find(ctx, owner)
		meanwhile()
		return secret, err
	})
	return err
}

func Settings() jetstream.StreamConfig        { return settings(1) }
func Check(have jetstream.StreamConfig) error { return check(have) }

type Key = key

func (k *Key) Seal(f Field, text string) (Text, error) { return k.seal(f, text) }
func (k *Key) Open(f Field, t Text) (string, error)    { return k.open(f, t) }
func (k *Key) Digest(f Field, text string) (string, error) {
	return k.digest(f, text)
}
