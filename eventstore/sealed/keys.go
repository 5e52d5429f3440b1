package sealed

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"
	"github.com/nats-io/nats.go/jetstream"
)

// Config tunes Keys; the zero value is usable.
type Config struct {
	Replicas  int // of the stream, default 1; an existing one is raised to it, and never lowered
	CacheSize int // owners whose keys are kept in memory; default 10,000
	Logger    *slog.Logger
}

// Keys seals, opens and erases. Safe for concurrent use.
type Keys struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	log    *slog.Logger
	races  failsafe.Executor[*key]

	cache   *otter.Cache[uuid.UUID, *key] // nil: erased
	contact atomic.Int64                  // since start, in ns: all erasures up to then are known; 0: never
	start   time.Time

	mu       sync.Mutex // held where the cache is filled
	erasures uint64     // seen so far
	// The stream as it was followed; of one goroutine, the one that follows.
	created  time.Time
	position uint64 // sequence up to which
}

// Open creates the stream, or checks one that exists: ErrMisconfigured when it
// could lose keys or not erase them, ErrUnavailable when the broker does not answer.
func Open(ctx context.Context, js jetstream.JetStream, cfg Config) (*Keys, error) {
	if cfg.CacheSize <= 0 {
		cfg.CacheSize = 10_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	stream, err := openStream(ctx, js, cfg.Replicas)
	if err != nil {
		return nil, err
	}
	cache, err := otter.New(&otter.Options[uuid.UUID, *key]{MaximumSize: cfg.CacheSize})
	if err != nil {
		return nil, fmt.Errorf("sealed: key cache: %w", err)
	}
	k := &Keys{js: js, stream: stream, log: cfg.Logger, cache: cache, races: races(), start: time.Now()}
	// Nothing is cached yet, so no earlier erasure matters.
	k.created, k.position = stream.CachedInfo().Created, stream.CachedInfo().State.LastSeq
	return k, nil
}

// races repeats what somebody else was faster with; it may still be in flight.
func races() failsafe.Executor[*key] {
	overtaken := func(_ *key, err error) bool { return err != nil && eventstore.Overtaken(err) }
	return failsafe.With(retrypolicy.NewBuilder[*key]().HandleIf(overtaken).WithMaxRetries(20).
		WithBackoff(2*time.Millisecond, 250*time.Millisecond).WithJitterFactor(0.3).ReturnLastFailure().Build())
}

// Seal seals a text with the owner's key, which it makes when there is none.
// ErrErased when the owner was erased; ErrUnavailable when the broker is needed
// and away. It asks the broker only for an owner whose key is not in memory.
func (k *Keys) Seal(ctx context.Context, f Field, text string) (Text, error) {
	secret, err := k.cached(ctx, f.Owner, k.findOrMake)
	if err != nil {
		return Text{}, err
	}
	return secret.seal(f, text)
}

// OpenText opens what Seal gave. ErrErased when the owner's key is gone, ErrNoKey
// when there is none for another reason, ErrInvalid when the text was not sealed for
// this field, ErrUnavailable when the broker is needed and away.
func (k *Keys) OpenText(ctx context.Context, f Field, t Text) (string, error) {
	secret, err := k.cached(ctx, f.Owner, k.find)
	if err != nil {
		return "", err
	}
	return secret.open(f, t)
}

// Item is one of many texts to open.
type Item struct {
	Field Field
	Text  Text
}

// Opened is a text, or why it does not open: ErrErased, ErrNoKey or ErrInvalid.
type Opened struct {
	Text string
	Err  error
}

// OpenTexts opens a page of texts, in the order of items, with one look-up for
// each owner. ErrUnavailable when the broker is needed and away.
func (k *Keys) OpenTexts(ctx context.Context, items []Item) ([]Opened, error) {
	type found struct {
		key *key
		err error
	}
	owners := map[uuid.UUID]found{}
	opened := make([]Opened, len(items))
	for i, item := range items {
		owner, known := owners[item.Field.Owner]
		if !known {
			owner.key, owner.err = k.cached(ctx, item.Field.Owner, k.find)
			if owner.err != nil && !isErased(owner.err) {
				return nil, owner.err
			}
			owners[item.Field.Owner] = owner
		}
		if opened[i].Err = owner.err; owner.err == nil {
			opened[i].Text, opened[i].Err = owner.key.open(item.Field, item.Text)
		}
	}
	return opened, nil
}

// find asks the leader for an owner's key: nil when it is erased. An owner that
// never had one has nothing that could be opened.
func (k *Keys) find(ctx context.Context, owner uuid.UUID) (*key, error) {
	r, err := k.last(ctx, owner)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fmt.Errorf("sealed: %w: owner %s", ErrNoKey, owner)
	}
	return r.key, nil
}

// findOrMake is find for an owner that may be new.
func (k *Keys) findOrMake(ctx context.Context, owner uuid.UUID) (*key, error) {
	return k.races.WithContext(ctx).Get(func() (*key, error) {
		r, err := k.last(ctx, owner)
		if err != nil {
			return nil, err
		}
		if r != nil {
			return r.key, nil
		}
		made := newKey()
		return made, k.put(ctx, record{owner: owner, key: made}, 0)
	})
}
