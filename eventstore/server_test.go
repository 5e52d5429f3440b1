package eventstore_test

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

func writeText(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestServerGuardsItsListener(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nats.url")
	s := natstest.Server(t, func(c *eventstore.ServerConfig) { c.URLFile = file })
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, s.URL(), strings.TrimSpace(string(text)))

	nc, err := eventstore.Connect(natstest.Context(t), s.URL())
	require.NoError(t, err)
	nc.Close()
	u, err := url.Parse(s.URL())
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", u.Hostname())
	u.User = nil
	_, err = eventstore.Connect(natstest.Context(t), u.String())
	require.ErrorIs(t, err, eventstore.ErrMisconfigured, "without the secret")
	u.User = url.UserPassword("admitone", "guess")
	_, err = eventstore.Connect(natstest.Context(t), u.String())
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	require.NotContains(t, err.Error(), "guess", "secrets are not told")

	s.Close()
	require.NoFileExists(t, file)
	_, err = eventstore.Connect(natstest.Context(t), s.URL())
	require.ErrorIs(t, err, eventstore.ErrUnavailable)
}

// TestEveryWriteIsSyncedUnlessToldOtherwise asks the server itself, as its operators would.
func TestEveryWriteIsSyncedUnlessToldOtherwise(t *testing.T) {
	for interval, always := range map[time.Duration]bool{0: true, 2 * time.Minute: false} {
		s := natstest.Server(t, func(c *eventstore.ServerConfig) { c.SyncInterval = interval })
		require.Equal(t, always, s.SyncsAlways())
	}
}

func TestRestartKeepsPortSecretAndEvents(t *testing.T) {
	ctx, dir := natstest.Context(t), t.TempDir()
	start := func() *eventstore.Server {
		return natstest.Server(t, func(c *eventstore.ServerConfig) { c.Dir, c.SyncInterval = dir, 0 })
	}
	first := start()
	nc, err := eventstore.Connect(ctx, first.URL(), nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0))
	require.NoError(t, err)
	defer nc.Close()
	s := natstest.Stream(t, nc, eventstore.StreamConfig{Registry: toyRegistry()})
	id := newID(t)
	last, err := appendOne(ctx, s, id, 0, events(t, id, 1, 3)...)
	require.NoError(t, err)
	first.Close()

	second := start()
	require.Equal(t, first.URL(), second.URL())
	_, err = appendOne(ctx, s, id, last, event(t, id, 4))
	require.NoError(t, err, "the client has found its server again")
	requireVersions(t, s, id, 4)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "no temporary files: %v", entries)
}

func TestAnotherPortWhenTheOldOneIsTaken(t *testing.T) {
	dir := t.TempDir()
	first := natstest.Server(t, func(c *eventstore.ServerConfig) { c.Dir = dir })
	first.Close()
	u, err := url.Parse(first.URL())
	require.NoError(t, err)
	squatter := listen(t, u.Host)
	defer squatter.Close()
	second := natstest.Server(t, func(c *eventstore.ServerConfig) { c.Dir = dir })
	require.NotEqual(t, first.URL(), second.URL())
	nc, err := eventstore.Connect(natstest.Context(t), second.URL())
	require.NoError(t, err)
	nc.Close()
}

func TestSecondServerOnTheSameFolder(t *testing.T) {
	dir := t.TempDir()
	natstest.Server(t, func(c *eventstore.ServerConfig) { c.Dir = dir })
	_, err := eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{Dir: dir})
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	require.ErrorContains(t, err, "another process")
}

func TestServerConfigIsChecked(t *testing.T) {
	_, err := eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{})
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	file := filepath.Join(t.TempDir(), "file")
	writeText(t, file, "")
	_, err = eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{Dir: filepath.Join(file, "x")})
	require.Error(t, err)
}

func TestConnectNeedsJetStream(t *testing.T) {
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	ns.Start()
	defer ns.WaitForShutdown()
	defer ns.Shutdown()
	require.True(t, ns.ReadyForConnections(30*time.Second))
	_, err = eventstore.Connect(natstest.Context(t), ns.ClientURL())
	require.ErrorIs(t, err, eventstore.ErrMisconfigured)
	require.ErrorContains(t, err, "JetStream is off")
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	return l
}

func TestServerSaysWhyItDidNotStart(t *testing.T) {
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "jetstream"), "in the way")
	_, err := eventstore.StartServer(natstest.Context(t), eventstore.ServerConfig{Dir: dir})
	require.ErrorContains(t, err, "storage directory is not a directory")
}
