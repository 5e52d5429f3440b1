package sealed_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// eventually waits for a condition, which is no matter of time here.
func eventually(t testing.TB, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, 30*time.Second, 5*time.Millisecond)
}

func TestSealedOpensOnEveryCopyAndAfterRestart(t *testing.T) {
	dir := t.TempDir()
	in := func(c *eventstore.ServerConfig) { c.Dir = dir }
	server := natstest.Server(t, in)
	one, two, f := open(t, server, sealed.Config{}), open(t, server, sealed.Config{}), field(t)
	s := seal(t, one, f, "hello")
	requireOpens(t, one, f, s, "hello")
	requireOpens(t, two, f, s, "hello")

	stranger := f
	stranger.Owner = uuid.New()
	seal(t, one, stranger, "mine")
	_, err := one.OpenText(natstest.Context(t), stranger, s)
	require.ErrorIs(t, err, sealed.ErrInvalid)

	server.Close()
	requireOpens(t, open(t, natstest.Server(t, in), sealed.Config{}), f, s, "hello")
}

func TestManyOpenTheStreamAndMakeOneKeyAtOnce(t *testing.T) {
	server := natstest.Server(t)
	f, ctx := field(t), natstest.Context(t)
	copies, texts := make([]*sealed.Keys, 8), make([]sealed.Text, 64)
	errs := make([]error, len(texts))
	var wg sync.WaitGroup
	for i := range copies {
		js := stream(t, server)
		wg.Go(func() { copies[i], errs[i] = sealed.Open(ctx, js, sealed.Config{}) })
	}
	wg.Wait()
	for i := range copies {
		require.NoError(t, errs[i])
	}
	for i := range texts {
		wg.Go(func() { texts[i], errs[i] = copies[i%len(copies)].Seal(ctx, f, "hello") })
	}
	wg.Wait()
	for i := range texts {
		require.NoError(t, errs[i])
		requireOpens(t, copies[0], f, texts[i], "hello")
	}
	require.EqualValues(t, 1, subjectMessages(t, stream(t, server), f.Owner))
}

func TestPageOpensWithErasedAndInvalidTexts(t *testing.T) {
	k := open(t, natstest.Server(t), sealed.Config{})
	kept, gone := field(t), field(t)
	items := []sealed.Item{{kept, seal(t, k, kept, "one")}, {gone, seal(t, k, gone, "two")}, {kept, sealed.Text{Sealed: "?"}}, {kept, seal(t, k, kept, "four")}}
	require.NoError(t, k.Erase(natstest.Context(t), gone.Owner))
	opened, err := k.OpenTexts(natstest.Context(t), items)
	require.NoError(t, err)
	require.Len(t, opened, len(items))
	require.Equal(t, sealed.Opened{Text: "one"}, opened[0])
	require.ErrorIs(t, opened[1].Err, sealed.ErrErased)
	require.ErrorIs(t, opened[2].Err, sealed.ErrInvalid)
	require.Equal(t, sealed.Opened{Text: "four"}, opened[3])
}

func TestCacheIsBounded(t *testing.T) {
	k := open(t, natstest.Server(t), sealed.Config{CacheSize: 4})
	run(t, k)
	var items []sealed.Item
	for range 50 {
		f := field(t)
		items = append(items, sealed.Item{Field: f, Text: seal(t, k, f, "hello")})
	}
	require.LessOrEqual(t, k.Cached(), 4)
	require.Positive(t, k.Cached())
	for _, item := range items {
		requireOpens(t, k, item.Field, item.Text, "hello")
	}
}

func TestBrokerAwayIsUnavailableAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	in := func(c *eventstore.ServerConfig) { c.Dir = dir }
	server := natstest.Server(t, in)
	k, f := open(t, server, sealed.Config{}), field(t)
	js := stream(t, server)
	s := seal(t, k, f, "hello")
	run(t, k)
	requireOpens(t, k, f, s, "hello")
	server.Close()
	eventually(t, func() bool { return !k.InTouch() })
	ctx := natstest.Context(t)
	_, err := k.Seal(ctx, field(t), "new")
	require.ErrorIs(t, err, eventstore.ErrUnavailable)
	require.ErrorIs(t, k.Erase(ctx, f.Owner), eventstore.ErrUnavailable)
	_, err = sealed.Open(ctx, js, sealed.Config{})
	require.ErrorIs(t, err, eventstore.ErrUnavailable)
	_, err = k.OpenText(ctx, f, s)
	require.ErrorIs(t, err, eventstore.ErrUnavailable, "it cannot know of erasures")
	_, err = k.OpenTexts(ctx, []sealed.Item{{f, s}})
	require.ErrorIs(t, err, eventstore.ErrUnavailable)

	requireOpens(t, open(t, natstest.Server(t, in), sealed.Config{}), f, s, "hello")
}

func TestStreamThatCouldLoseOrKeepKeysIsRefused(t *testing.T) {
	t.Parallel()
	require.NoError(t, sealed.Check(sealed.Settings()))
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"subjects": func(c *jetstream.StreamConfig) { c.Subjects = []string{"keys.>"} },
		"delete":   func(c *jetstream.StreamConfig) { c.DenyDelete = true },
		"memory":   func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"age":      func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"discard":  func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"one":      func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 },
		"rollup":   func(c *jetstream.StreamConfig) { c.AllowRollup = true },
	} {
		have := sealed.Settings()
		change(&have)
		require.ErrorIs(t, sealed.Check(have), eventstore.ErrMisconfigured, name)
	}
}

func TestServerTakesTheSettings(t *testing.T) {
	server := natstest.Server(t)
	open(t, server, sealed.Config{})
	s, err := stream(t, server).Stream(context.Background(), sealed.StreamName)
	require.NoError(t, err)
	require.NoError(t, sealed.Check(s.CachedInfo().Config))
	require.True(t, s.CachedInfo().Config.AllowDirect)
	require.Error(t, s.Purge(natstest.Context(t)))
}
