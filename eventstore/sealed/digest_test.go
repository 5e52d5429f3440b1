package sealed_test

import (
	"testing"

	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Digests are in logs, so they may never come out differently.
func TestDigestStaysAsItIs(t *testing.T) {
	t.Parallel()
	f := sealed.Field{Owner: uuid.UUID{9}, Aggregate: uuid.UUID{7}, Name: "note"}
	digest, err := (&sealed.Key{1}).Digest(f, "hello")
	require.NoError(t, err)
	require.Equal(t, "7c544d616b4555a97677df67e89516d706f9195f76af8c235c5fbb3182a7238b", digest)
}

func TestDigestIsOfOneFieldAndText(t *testing.T) {
	t.Parallel()
	f := field(t)
	elsewhere, renamed := f, f
	elsewhere.Aggregate = uuid.New()
	renamed.Name = f.Name + "h"
	seen := map[string]bool{}
	for _, c := range []struct {
		key  byte
		f    sealed.Field
		text string
	}{{1, f, "hello"}, {2, f, "hello"}, {1, elsewhere, "hello"}, {1, renamed, "ello"}, {1, f, "hello!"}, {1, f, ""}} {
		digest, err := (&sealed.Key{c.key}).Digest(c.f, c.text)
		require.NoError(t, err)
		require.Regexp(t, `^[0-9a-f]{64}$`, digest)
		seen[digest] = true
	}
	require.Len(t, seen, 6)
}

func TestDigestIsTheSameOnEveryCopyUntilErased(t *testing.T) {
	server := natstest.Server(t)
	ctx, f := natstest.Context(t), field(t)
	one, two := open(t, server, sealed.Config{}), open(t, server, sealed.Config{})
	digest, err := one.Digest(ctx, f, "hello")
	require.NoError(t, err, "the first use makes the key")
	again, err := two.Digest(ctx, f, "hello")
	require.NoError(t, err)
	require.Equal(t, digest, again)
	stranger := f
	stranger.Owner = uuid.New()
	other, err := two.Digest(ctx, stranger, "hello")
	require.NoError(t, err)
	require.NotEqual(t, digest, other)

	s := seal(t, one, f, "hello")
	requireOpens(t, two, f, s, "hello")
	require.NoError(t, one.Erase(ctx, f.Owner))
	for _, copy := range []*sealed.Keys{one, two} {
		_, err := copy.Digest(ctx, f, "hello")
		require.ErrorIs(t, err, sealed.ErrErased)
	}
}
