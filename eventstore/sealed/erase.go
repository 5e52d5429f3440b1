package sealed

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Erase destroys an owner's key for ever: what it sealed can never be opened
// again, and no new key is made for this owner. On nil the key's bytes are
// overwritten at the stream's leader, its replicas follow, and every copy stops
// using it within a second. After ErrUnavailable repeat it: the owner may be erased
// with the bytes still in the file. Idempotent; an owner without a key is erased too.
func (k *Keys) Erase(ctx context.Context, owner uuid.UUID) error {
	_, err := k.races.WithContext(ctx).Get(func() (*key, error) { return nil, k.bury(ctx, owner) })
	if err != nil {
		return fmt.Errorf("erase %s: %w", owner, err)
	}
	k.forget(owner)
	if err := k.overwrite(ctx, owner); err != nil {
		return fmt.Errorf("erase %s: %w", owner, err)
	}
	return nil
}

// bury puts the tombstone behind the key. It comes first: from then on the
// subject is never empty, so that nobody can make a key, whatever happens next.
func (k *Keys) bury(ctx context.Context, owner uuid.UUID) error {
	r, err := k.last(ctx, owner)
	switch {
	case err != nil:
		return err
	case r == nil:
		return k.put(ctx, record{owner: owner}, 0)
	case r.erased():
		return nil
	}
	return k.put(ctx, record{owner: owner}, r.sequence)
}

// overwrite removes what stands before the tombstone. The server fills the record
// with random bytes, in a new file that takes the old one's place (EraseMsg in
// nats-server's filestore.go); a purge, a limit or a rollup would leave them.
func (k *Keys) overwrite(ctx context.Context, owner uuid.UUID) error {
	for {
		r, err := k.next(ctx, subjectOf(owner), 0)
		if err != nil {
			return err
		}
		if r == nil || r.erased() {
			return nil
		}
		if err := k.overwriteOne(ctx, r); err != nil {
			return err
		}
	}
}

func (k *Keys) overwriteOne(ctx context.Context, r *record) error {
	deleting, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	err := k.stream.SecureDeleteMsg(deleting, r.sequence)
	if err == nil {
		return nil
	}
	// Another eraser may have been faster.
	if first, again := k.next(ctx, subjectOf(r.owner), 0); again == nil && first != nil && first.sequence != r.sequence {
		return nil
	}
	return failed("overwrite the key", err)
}
