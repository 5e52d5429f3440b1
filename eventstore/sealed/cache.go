package sealed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// lease is how long after the last word from the broker a key in memory may be
	// used. A copy that is cut off cannot learn of an erasure, so it stops by itself.
	lease = time.Second
	// pollEvery leaves room for three late answers within a lease.
	pollEvery = lease / 4
)

func isErased(err error) bool { return errors.Is(err, ErrErased) }

// cached returns an owner's key from memory while that may be trusted, otherwise
// by load.
func (k *Keys) cached(ctx context.Context, owner uuid.UUID, load func(context.Context, uuid.UUID) (*key, error)) (*key, error) {
	if secret, ok := k.trusted(owner); ok {
		return usable(owner, secret)
	}
	k.mu.Lock()
	seen := k.erasures
	k.mu.Unlock()
	secret, err := load(ctx, owner)
	if err != nil {
		return nil, err
	}
	k.keep(owner, secret, seen)
	return usable(owner, secret)
}

func usable(owner uuid.UUID, secret *key) (*key, error) {
	if secret == nil {
		return nil, fmt.Errorf("sealed: %w: owner %s", ErrErased, owner)
	}
	return secret, nil
}

// trusted looks into memory. That an owner is erased stays true for ever.
func (k *Keys) trusted(owner uuid.UUID) (secret *key, ok bool) {
	secret, ok = k.cache.GetIfPresent(owner)
	return secret, ok && (secret == nil || k.inTouch())
}

func (k *Keys) inTouch() bool {
	contact := k.contact.Load()
	return contact != 0 && time.Since(k.start)-time.Duration(contact) < lease
}

// keep remembers what was loaded, unless somebody was erased meanwhile: the answer
// may be older than that.
func (k *Keys) keep(owner uuid.UUID, secret *key, seen uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.erasures == seen {
		k.cache.Set(owner, secret)
	}
}

// forget replaces an erased owner's key in memory by the fact that it is gone.
func (k *Keys) forget(owner uuid.UUID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.erasures++
	k.cache.Set(owner, nil)
}

// Run follows erasures until ctx ends, and returns nil then. Keys stay in memory
// only while it runs and hears from the broker; otherwise each use asks the
// broker. An erasure anywhere has effect here within a second, also when this copy
// is cut off. Call it once.
func (k *Keys) Run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	away := false
	for {
		err := k.follow(ctx)
		if err != nil && ctx.Err() == nil && !away {
			k.log.Warn("erasures cannot be followed, keys in memory are not used until they can", "cause", err)
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// follow reads what is new in the stream. What was erased before it began is
// known when it returns.
func (k *Keys) follow(ctx context.Context) error {
	// The leader's answer within a tick or two, or the lease runs out anyway.
	ctx, cancel := context.WithTimeout(ctx, lease)
	defer cancel()
	for {
		began := time.Since(k.start)
		r, err := k.next(ctx, allSubjects, k.position)
		var foreign *foreignError
		switch {
		case errors.As(err, &foreign):
			k.position = foreign.sequence
			k.log.Error("a message in "+StreamName+" is not this program's", "cause", err)
		case err != nil:
			return err
		case r == nil:
			if same, err := k.sameStream(ctx); err != nil || same {
				return k.touch(began, err)
			}
		default:
			if r.erased() {
				k.forget(r.owner)
			}
			k.position = r.sequence
		}
	}
}

func (k *Keys) touch(began time.Duration, err error) error {
	if err == nil {
		k.contact.Store(int64(max(began, 1)))
	}
	return err
}

// sameStream says whether the stream holds all that was followed. Where it does not,
// since it was restored or lost its tail, it forgets all that came from it: the owner
// of a key in memory may be erased at a sequence that was passed long ago, or have no
// key any more. After a time without contact nobody knows, so that is the same.
func (k *Keys) sameStream(ctx context.Context) (bool, error) {
	info, err := k.stream.Info(ctx)
	if err != nil {
		return false, failed("ask for the state of "+StreamName, err)
	}
	switch {
	case !info.Created.Equal(k.created) || info.State.LastSeq < k.position:
		k.log.Error("stream "+StreamName+" was replaced or lost its tail while this program ran; keys are read again. Texts sealed with a key that it does not hold any more stay closed",
			"followed_to", k.position, "ends_at", info.State.LastSeq, "created", info.Created, "was_created", k.created)
	case k.contact.Load() == 0 || k.inTouch():
		return true, nil
	}
	k.startAfresh(info)
	return false, nil
}

// startAfresh empties the memory. What is loaded from then on is as new as info, so it
// is followed from there.
func (k *Keys) startAfresh(info *jetstream.StreamInfo) {
	k.contact.Store(0)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.erasures++ // what is being loaded is not kept either
	k.cache.InvalidateAll()
	k.created, k.position = info.Created, info.State.LastSeq
}
