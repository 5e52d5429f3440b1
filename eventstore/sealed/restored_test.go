package sealed_test

import (
	"os"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// The stream is deleted and brought back from a backup that is older than what a copy
// has followed.
func TestErasureInARestoredStreamReachesCopiesThatFollowedALongerOne(t *testing.T) {
	server, ctx := natstest.Server(t), natstest.Context(t)
	one, f, seen := open(t, server, sealed.Config{}), field(t), field(t)
	run(t, one)
	seal(t, one, seen, "of somebody else")
	s := seal(t, one, f, "hello")
	require.NoError(t, open(t, server, sealed.Config{}).Erase(ctx, seen.Owner))
	eventually(t, func() bool { return !one.Holds(seen.Owner) }) // it has followed to sequence 3
	require.True(t, one.Holds(f.Owner))

	js := stream(t, server)
	secret := keyBytes(t, js, f)
	require.NoError(t, js.DeleteStream(ctx, sealed.StreamName))
	two := open(t, server, sealed.Config{})
	_, err := js.Publish(ctx, "keys."+f.Owner.String(), secret)
	require.NoError(t, err)
	requireOpens(t, two, f, s, "hello")
	require.NoError(t, two.Erase(ctx, f.Owner))
	requireErased(t, two, f, s)
	eventually(t, func() bool { _, err := one.OpenText(ctx, f, s); return err != nil })
	requireErased(t, one, f, s)
	eventually(t, one.InTouch) // it goes on with the new stream
	other := field(t)
	s = seal(t, one, other, "hello")
	require.True(t, one.Holds(other.Owner))
	require.NoError(t, two.Erase(ctx, other.Owner))
	eventually(t, func() bool { return !one.Holds(other.Owner) })
	requireErased(t, one, other, s)
}

// The new stream is as long as the old one before anybody looks.
func TestAnotherStreamOfTheSameLengthIsNotTheSame(t *testing.T) {
	server, ctx := natstest.Server(t), natstest.Context(t)
	one, f := open(t, server, sealed.Config{}), field(t)
	seal(t, one, field(t), "of somebody else")
	s := seal(t, one, f, "hello")
	require.NoError(t, one.Follow(ctx))
	js := stream(t, server)
	secret := keyBytes(t, js, f)
	require.NoError(t, js.DeleteStream(ctx, sealed.StreamName))
	two := open(t, server, sealed.Config{})
	_, err := js.Publish(ctx, "keys."+f.Owner.String(), secret)
	require.NoError(t, err)
	require.NoError(t, two.Erase(ctx, f.Owner))
	require.True(t, one.Holds(f.Owner))
	require.NoError(t, one.Follow(ctx))
	require.False(t, one.Holds(f.Owner))
	requireErased(t, one, f, s)
}

// The broker comes back with the files of an earlier day: the stream is the same, and
// shorter.
func TestAKeyThatTheStreamLostIsNotUsed(t *testing.T) {
	dir, backup := t.TempDir(), t.TempDir()
	start := func() *eventstore.Server {
		return natstest.Server(t, func(c *eventstore.ServerConfig) { c.Dir = dir })
	}
	server := start()
	open(t, server, sealed.Config{})
	server.Close()
	require.NoError(t, os.CopyFS(backup, os.DirFS(dir)))

	server = start()
	nc, err := nats.Connect(server.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	k, err := sealed.Open(natstest.Context(t), js, sealed.Config{})
	require.NoError(t, err)
	f := field(t)
	s := seal(t, k, f, "hello")
	require.NoError(t, k.Follow(natstest.Context(t)))
	require.True(t, k.Holds(f.Owner))

	server.Close()
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.CopyFS(dir, os.DirFS(backup)))
	start()
	eventually(t, func() bool { return k.Follow(natstest.Context(t)) == nil })
	require.False(t, k.Holds(f.Owner))
	_, err = k.OpenText(natstest.Context(t), f, s)
	require.ErrorIs(t, err, sealed.ErrNoKey)
	require.ErrorIs(t, err, sealed.ErrErased)
}

// Who was away does not know what became of the stream meanwhile.
func TestKeysAreReadAgainAfterATimeWithoutContact(t *testing.T) {
	k, f := open(t, natstest.Server(t), sealed.Config{}), field(t)
	require.NoError(t, k.Follow(natstest.Context(t)))
	s := seal(t, k, f, "hello")
	eventually(t, func() bool { return !k.InTouch() })
	require.True(t, k.Holds(f.Owner))
	require.NoError(t, k.Follow(natstest.Context(t)))
	require.True(t, k.InTouch())
	require.False(t, k.Holds(f.Owner))
	requireOpens(t, k, f, s, "hello")
	require.True(t, k.Holds(f.Owner))
}
