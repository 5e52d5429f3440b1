package sealed_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// keyBytes is an owner's key as the stream holds it.
func keyBytes(t testing.TB, js jetstream.JetStream, f sealed.Field) []byte {
	t.Helper()
	s, err := js.Stream(natstest.Context(t), sealed.StreamName)
	require.NoError(t, err)
	m, err := s.GetLastMsgForSubject(natstest.Context(t), "keys."+f.Owner.String())
	require.NoError(t, err)
	require.Len(t, m.Data, 32)
	return m.Data
}

// filesWith lists the files below dir that hold the bytes.
func filesWith(t testing.TB, dir string, secret []byte) (found []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, secret) {
			found = append(found, path)
		}
		return err
	}))
	return found
}

// The one erased is the first, one in the middle, the last, and the only one.
func TestErasedBytesAreInNoFile(t *testing.T) {
	for name, c := range map[string]struct{ owners, erased int }{
		"only": {1, 0}, "first": {3, 0}, "middle": {3, 1}, "last": {3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			in := func(c *eventstore.ServerConfig) { c.Dir, c.SyncInterval = dir, 0 }
			server := natstest.Server(t, in)
			k, js := open(t, server, sealed.Config{}), stream(t, server)
			var fields []sealed.Field
			var texts []sealed.Text
			var secrets [][]byte
			for range c.owners {
				f := field(t)
				fields, texts = append(fields, f), append(texts, seal(t, k, f, "hello"))
				secrets = append(secrets, keyBytes(t, js, f))
			}
			eventually(t, func() bool { return len(filesWith(t, dir, secrets[c.erased])) > 0 })

			require.NoError(t, k.Erase(natstest.Context(t), fields[c.erased].Owner))
			require.Empty(t, filesWith(t, dir, secrets[c.erased]))
			server.Close()
			require.Empty(t, filesWith(t, dir, secrets[c.erased]))
			again := open(t, natstest.Server(t, in), sealed.Config{})
			for i, f := range fields {
				if i == c.erased {
					requireErased(t, again, f, texts[i])
					continue
				}
				requireOpens(t, again, f, texts[i], "hello")
				require.NotEmpty(t, filesWith(t, dir, secrets[i]), "the search finds what is there")
			}
			require.Empty(t, filesWith(t, dir, secrets[c.erased]))
		})
	}
}

func TestEraseEndsWhatAnEarlierOneBegan(t *testing.T) {
	dir := t.TempDir()
	server := natstest.Server(t, func(c *eventstore.ServerConfig) { c.Dir, c.SyncInterval = dir, 0 })
	k, js, f := open(t, server, sealed.Config{}), stream(t, server), field(t)
	s := seal(t, k, f, "hello")
	secret := keyBytes(t, js, f)
	require.NoError(t, k.Bury(natstest.Context(t), f.Owner)) // and then it was killed
	requireErased(t, open(t, server, sealed.Config{}), f, s)
	require.NotEmpty(t, filesWith(t, dir, secret))
	for range 2 {
		require.NoError(t, k.Erase(natstest.Context(t), f.Owner))
		require.Empty(t, filesWith(t, dir, secret))
		require.EqualValues(t, 1, subjectMessages(t, js, f.Owner))
	}
}

func TestErasedBeforeFirstNeedGetsNoKey(t *testing.T) {
	server := natstest.Server(t)
	k, f := open(t, server, sealed.Config{}), field(t)
	require.NoError(t, k.Erase(natstest.Context(t), f.Owner))
	_, err := open(t, server, sealed.Config{}).Seal(natstest.Context(t), f, "hello")
	require.ErrorIs(t, err, sealed.ErrErased)
}

func TestEraseWinsAgainstSealingAndOtherErasers(t *testing.T) {
	server := natstest.Server(t)
	ctx := natstest.Context(t)
	copies := []*sealed.Keys{open(t, server, sealed.Config{}), open(t, server, sealed.Config{}), open(t, server, sealed.Config{})}
	js := stream(t, server)
	for range 20 {
		f := field(t)
		var wg sync.WaitGroup
		erased := make([]error, len(copies))
		for i, k := range copies {
			wg.Go(func() { _, _ = k.Seal(ctx, f, "hello") })
			wg.Go(func() { erased[i] = k.Erase(ctx, f.Owner) })
		}
		wg.Wait()
		for i, k := range copies {
			require.NoError(t, erased[i])
			requireErased(t, k, f, sealed.Text{})
		}
		require.EqualValues(t, 1, subjectMessages(t, js, f.Owner))
	}
}

func TestErasureReachesCopiesThatHoldTheKey(t *testing.T) {
	server := natstest.Server(t)
	one, two, f := open(t, server, sealed.Config{}), open(t, server, sealed.Config{}), field(t)
	run(t, two)
	s := seal(t, one, f, "hello")
	requireOpens(t, two, f, s, "hello")
	require.True(t, two.Holds(f.Owner))
	require.NoError(t, one.Erase(natstest.Context(t), f.Owner))
	eventually(t, func() bool { return !two.Holds(f.Owner) })
	requireErased(t, two, f, s)
}

func TestCopyThatWasAwayLearnsOfErasures(t *testing.T) {
	server := natstest.Server(t)
	one, two, f := open(t, server, sealed.Config{}), open(t, server, sealed.Config{}), field(t)
	s := seal(t, one, f, "hello")
	requireOpens(t, two, f, s, "hello")
	require.True(t, two.Holds(f.Owner))
	require.False(t, two.InTouch())
	require.NoError(t, one.Erase(natstest.Context(t), f.Owner))
	requireErased(t, two, f, s) // it asked, since it was not in touch

	other := field(t)
	s = seal(t, one, other, "hello")
	requireOpens(t, two, other, s, "hello")
	require.NoError(t, one.Erase(natstest.Context(t), other.Owner))
	require.True(t, two.Holds(other.Owner))
	require.NoError(t, two.Follow(natstest.Context(t)))
	require.False(t, two.Holds(other.Owner))
}

// A copy that is cut off from the news uses no key for longer than the second that the
// product promises.
func TestCopyThatIsCutOffUsesNoKeyAfterASecond(t *testing.T) {
	server := natstest.Server(t)
	one, two, f := open(t, server, sealed.Config{}), open(t, server, sealed.Config{}), field(t)
	s := seal(t, one, f, "hello")
	requireOpens(t, two, f, s, "hello")
	require.NoError(t, two.Follow(natstest.Context(t)))
	require.NoError(t, one.Erase(natstest.Context(t), f.Owner))
	require.True(t, two.Holds(f.Owner), "it has not heard of it")
	two.Silent(time.Second)
	requireErased(t, two, f, s)
}

func TestKeyLoadedWhileErasedIsNotKept(t *testing.T) {
	server := natstest.Server(t)
	one, two, f := open(t, server, sealed.Config{}), open(t, server, sealed.Config{}), field(t)
	s := seal(t, one, f, "hello")
	require.NoError(t, two.LoadDuring(natstest.Context(t), f.Owner, func() {
		require.NoError(t, one.Erase(natstest.Context(t), f.Owner))
		require.NoError(t, two.Follow(natstest.Context(t)))
	}))
	require.False(t, two.Holds(f.Owner))
	requireErased(t, two, f, s)
}

func TestForeignMessageStopsNobody(t *testing.T) {
	server := natstest.Server(t)
	k, js, f := open(t, server, sealed.Config{}), stream(t, server), field(t)
	_, err := js.Publish(natstest.Context(t), "keys."+f.Owner.String(), []byte("not a key"))
	require.NoError(t, err)
	_, err = js.Publish(natstest.Context(t), "keys.nobody", nil)
	require.NoError(t, err)
	_, err = k.Seal(natstest.Context(t), f, "hello")
	require.ErrorContains(t, err, "nats stream rmm KEYS 1")
	require.NoError(t, k.Follow(natstest.Context(t)))
	require.True(t, k.InTouch())
}
