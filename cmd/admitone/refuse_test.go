package main

import (
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/admitone/admitone/internal/cqltest"
	"github.com/stretchr/testify/require"
)

// requireRefused starts a server that must end with exit code 1 and say so in words
// that help.
func requireRefused(t *testing.T, data string, args []string, words ...string) {
	t.Helper()
	s := program.Launch(t, data, args...)
	require.Equal(t, 1, s.Exited(), s.Log())
	for _, w := range words {
		require.Contains(t, s.Log(), w)
	}
	require.NotContains(t, s.Log(), "goroutine ", "it panicked")
}

func TestOneServerForOneDirectory(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	second := program.Run(t, "serve", "--data", data, "--http", "127.0.0.1:0")
	require.Equal(t, 1, second.Code)
	require.Contains(t, second.ErrOut, "is in use by process")
	require.Contains(t, second.ErrOut, "--data")
	require.True(t, s.Ready(), "the first one goes on")
	require.Zero(t, s.Stop(), s.Log())
}

func TestStopsInOrder(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	ids := list(t, seller(t, data), 3)
	require.Zero(t, s.Stop(), s.Log())
	require.NoFileExists(t, filepath.Join(data, "http.url"))
	require.NoFileExists(t, filepath.Join(data, "nats.url"))

	s = program.Serve(t, data)
	require.Equal(t, 200, seller(t, data).Do(t, "GET", "/v1/tickets/"+ids[2], "").Status)
	requireSound(t, data)
	require.Zero(t, s.Interrupt(), s.Log())
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup, where it goes on
		s = program.Serve(t, data)
		require.Zero(t, s.HangUp(), s.Log())
	}
}

func TestWrongPartitions(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data, "--partitions", "4")
	list(t, seller(t, data), 2)
	s.Stop()
	requireRefused(t, data, []string{"--partitions", "8"}, "TICKETS", "4 partitions", "configure 4")
	s = program.Serve(t, data)
	require.Zero(t, s.Stop(), "without the flag it follows the stream")
}

func TestStreamIsGone(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	old := list(t, seller(t, data), 3)
	s.Stop()
	require.NoError(t, os.RemoveAll(filepath.Join(data, "jetstream")))
	requireRefused(t, data, nil, "TICKETS", "restore", "--on-log-change rebuild")

	// Told so, it begins anew: the rows of the old log are gone with it.
	s = program.Serve(t, data, "--on-log-change", "rebuild")
	c := seller(t, data)
	list(t, c, 1)
	require.Equal(t, 404, c.Do(t, "GET", "/v1/tickets/"+old[0], "").Status)
	requireSound(t, data)
	require.Zero(t, s.Stop(), s.Log())
	require.Zero(t, program.Serve(t, data).Stop(), "it is the log that is known now")
}

// A data directory that is gone altogether, while the read store knows its log.
func TestStreamIsGoneCQL(t *testing.T) {
	t.Parallel()
	args := []string{"--cql", cqltest.Hosts(t)[0], "--keyspace", cqltest.Keyspace(t)}
	data := dataDir(t)
	s := program.Serve(t, data, args...)
	old := list(t, seller(t, data), 3)
	s.Stop()
	require.NoError(t, os.RemoveAll(data))
	requireRefused(t, data, args, "TICKETS", "restore", "--on-log-change rebuild")

	s = program.Serve(t, data, append(args, "--on-log-change", "rebuild")...)
	c := seller(t, data)
	require.Equal(t, 404, c.Do(t, "GET", "/v1/tickets/"+old[0], "").Status)
	list(t, c, 2)
	requireSound(t, data)
	require.Zero(t, s.Stop(), s.Log())
	program.Serve(t, data, args...)
	requireSound(t, data)
}

// A stream made anew by somebody else, while the read store knows the old one.
func TestStreamIsAnother(t *testing.T) {
	t.Parallel()
	data, other := dataDir(t), dataDir(t)
	s := program.Serve(t, data)
	list(t, seller(t, data), 3)
	s.Stop()
	s = program.Serve(t, other)
	list(t, seller(t, other), 5)
	s.Stop()
	replaceTree(t, filepath.Join(other, "jetstream"), filepath.Join(data, "jetstream"))
	requireRefused(t, data, nil, "created", "--on-log-change rebuild")

	require.NoError(t, os.Remove(filepath.Join(data, "streams.json")))
	requireRefused(t, data, nil, "created", "--on-log-change rebuild")

	program.Serve(t, data, "--on-log-change", "rebuild")
	requireSound(t, data)
}

func TestLogLostItsTail(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	backup := filepath.Join(t.TempDir(), "jetstream")
	s := program.Serve(t, data)
	ids := list(t, seller(t, data), 3)
	s.Stop()
	copyTree(t, filepath.Join(data, "jetstream"), backup)
	s = program.Serve(t, data)
	lost := list(t, seller(t, data), 3)
	s.Stop()
	replaceTree(t, backup, filepath.Join(data, "jetstream"))
	requireRefused(t, data, nil, "TICKETS", "ends at sequence 3", "--on-log-change rebuild")

	// Also where only the read store remembers.
	require.NoError(t, os.Remove(filepath.Join(data, "streams.json")))
	requireRefused(t, data, nil, "ends at sequence 3", "--on-log-change rebuild")

	s = program.Serve(t, data, "--on-log-change", "rebuild")
	c := seller(t, data)
	require.Equal(t, 200, c.Do(t, "GET", "/v1/tickets/"+ids[2], "").Status)
	require.Equal(t, 404, c.Do(t, "GET", "/v1/tickets/"+lost[0], "").Status)
	list(t, c, 3)
	requireSound(t, data)
	require.Zero(t, s.Stop(), s.Log())
	program.Serve(t, data)
	requireSound(t, data)
}

// Killed within the ten seconds between two notes of where the log ends.
func TestLogLostItsTailAfterAKill(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	backup := filepath.Join(t.TempDir(), "jetstream")
	s := program.Serve(t, data)
	list(t, seller(t, data), 2)
	s.Stop()
	copyTree(t, filepath.Join(data, "jetstream"), backup)
	s = program.Serve(t, data)
	list(t, seller(t, data), 2)
	s.Kill()
	replaceTree(t, backup, filepath.Join(data, "jetstream"))
	requireRefused(t, data, nil, "ends at sequence 2", "--on-log-change rebuild")
}

// Rows restored from a backup that is older than the log are caught up.
func TestReadStoreFromABackup(t *testing.T) {
	t.Parallel()
	data, backup := dataDir(t), t.TempDir()
	s := program.Serve(t, data)
	c := seller(t, data)
	ids := list(t, c, 5)
	s.Stop()
	copyRows(t, data, backup)
	s = program.Serve(t, data)
	for _, id := range ids {
		require.Equal(t, 200, c.Do(t, "PUT", "/v1/tickets/"+id+"/price", blackbox.Price(7)).Status)
	}
	more := list(t, c, 5)
	s.Stop()
	copyRows(t, backup, data)
	program.Serve(t, data)
	for _, token := range []string{ids[0] + "@2", more[4] + "@1"} {
		a := c.Do(t, "GET", "/v1/tickets/"+token[:36], "", "Consistency-Token", "tickets/"+token, "Prefer", "wait=10")
		require.Equal(t, 200, a.Status, a)
	}
	requireSound(t, data)
}

// Rows that are gone altogether are built from the log.
func TestReadStoreIsGone(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data)
	ids := list(t, seller(t, data), 5)
	s.Stop()
	removeRows(t, data)
	program.Serve(t, data)
	requireReadable(t, data, ids...)
	requireSound(t, data)
}

func requireReadable(t testing.TB, data string, ids ...string) {
	t.Helper()
	c := seller(t, data)
	for _, id := range ids {
		a := c.Do(t, "GET", "/v1/tickets/"+id, "", "Consistency-Token", "tickets/"+id+"@1", "Prefer", "wait=10")
		require.Equal(t, 200, a.Status, a)
	}
}

func copyRows(t testing.TB, from, to string) {
	t.Helper()
	removeRows(t, to)
	files, err := filepath.Glob(filepath.Join(from, "readmodels.db*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		content, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, filepath.Base(f)), content, 0o600))
	}
}

func removeRows(t testing.TB, data string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "readmodels.db*"))
	require.NoError(t, err)
	for _, f := range files {
		require.NoError(t, os.Remove(f))
	}
}

func TestFullStream(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := program.Serve(t, data, "--stream-bytes", "20000")
	c := seller(t, data)
	var ids []string
	full := blackbox.Answer{}
	for range 200 {
		full = c.Do(t, "POST", "/v1/tickets", blackbox.Offer("Seat", 100))
		if full.Status != 201 {
			break
		}
		ids = append(ids, ticketOf(t, full).ID)
	}
	require.Equal(t, 503, full.Status, full)
	require.Equal(t, "stream_full", full.Code())
	require.NotEmpty(t, full.Header.Get("Retry-After"))
	require.NotEmpty(t, ids)
	requireReadable(t, data, ids...)
	requireSound(t, data)
	require.Len(t, blackbox.ReadLog(t, s.NATS()), len(ids), "all that was acknowledged, and nothing else")
	require.Zero(t, s.Stop(), s.Log())

	program.Serve(t, data, "--stream-bytes", "2000000")
	require.Equal(t, 201, c.Do(t, "POST", "/v1/tickets", blackbox.Offer("Seat", 100)).Status, "the limit was raised")
	requireReadable(t, data, ids...)
}

func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	for name, words := range map[string][]string{
		"keys":          {"keys", "damaged", "restore", "remove it"},
		"streams.json":  {"streams.json", "damaged", "remove it"},
		"readmodels.db": {"readmodels.db", "damaged", "move it", "rebuild"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := dataDir(t)
			program.Serve(t, data).Stop()
			require.NoError(t, os.WriteFile(filepath.Join(data, name), []byte("?? no such thing ??"), 0o600))
			requireRefused(t, data, nil, words...)
			require.NoError(t, os.Remove(filepath.Join(data, name)))
			require.Zero(t, program.Serve(t, data).Stop(), "as the error says")
		})
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	requireRefused(t, dataDir(t), []string{"--http", taken.Addr().String()}, taken.Addr().String(), "--http")
}

func TestUnusableDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	r := program.Run(t, "serve", "--data", file, "--http", "127.0.0.1:0")
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, file)
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args, env []string
		words     []string
	}{
		{args: []string{"--partitions", "3"}, words: []string{"--partitions 3", "power of two"}},
		{args: []string{"--partitions", "128", "--stream-bytes", "-2"}, words: []string{"--partitions 128", "--stream-bytes -2"}},
		{args: []string{"--sync-interval", "-1s"}, words: []string{"--sync-interval", "negative"}},
		{args: []string{"--sync-interval", "soon"}, words: []string{"--sync-interval", "soon"}},
		{args: []string{"--on-log-change", "ignore"}, words: []string{"--on-log-change", "refuse", "rebuild"}},
		{args: []string{"--log-level", "loud"}, words: []string{"--log-level", "loud", "debug"}},
		{args: []string{"--no-such-flag"}, words: []string{"--no-such-flag"}},
		{args: []string{"--http", "nowhere"}, words: []string{"--http", "nowhere"}},
		{args: []string{"--http", "127.0.0.1:99999"}, words: []string{"--http", "99999"}},
		{args: []string{"--cql", "127.0.0.1:1", "--keyspace", "No-Name!"}, words: []string{"keyspace", "No-Name!"}},
		{args: []string{"--cql", "127.0.0.1:port"}, words: []string{"127.0.0.1:port"}},
		{args: []string{"--nats", "nats://127.0.0.1:1"}, words: []string{"127.0.0.1:1", "NATS"}},
		{args: []string{"--nats", "nats://127.0.0.1:1", "--sync-interval", "1s"}, words: []string{"--sync-interval", "--nats"}},
		{args: []string{"extra"}, words: []string{"extra"}},
		{env: []string{"ADMITONE_PARTITIONS=many"}, words: []string{"ADMITONE_PARTITIONS", "many"}},
		{env: []string{"ADMITONE_SYNC_INTERVAL=5"}, words: []string{"ADMITONE_SYNC_INTERVAL"}},
		{env: []string{"ADMITONE_ON_LOG_CHANGE=maybe"}, words: []string{"maybe"}},
	} {
		args := append([]string{"serve", "--data", dataDir(t)}, c.args...)
		if len(c.args) == 0 || c.args[0] != "--http" {
			args = append(args, "--http", "127.0.0.1:0")
		}
		r := program.RunWith(t, c.env, args...)
		require.Equal(t, 1, r.Code, "%v %v\n%s", c.args, c.env, r.ErrOut)
		for _, w := range c.words {
			require.Contains(t, r.ErrOut, w, "%v %v", c.args, c.env)
		}
	}
}

// A variable stands for a flag that is not given.
func TestVariables(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	program.Serve(t, data, "--partitions", "2").Stop()
	env := []string{"ADMITONE_DATA=" + data, "ADMITONE_HTTP=127.0.0.1:0", "ADMITONE_PARTITIONS=4"}
	r := program.RunWith(t, env, "serve")
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, "2 partitions")
	r = program.RunWith(t, env, "projections")
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, data)
	require.Contains(t, r.ErrOut, "admitone serve")
}

func TestSubcommandsWithoutAServer(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	for _, args := range [][]string{
		{"projections"}, {"parked", "list"}, {"rebuild", "--all"}, {"verify"},
		{"parked", "show", "tickets", "44444444-4444-4444-8444-444444444444"},
		{"parked", "retry", "tickets", "44444444-4444-4444-8444-444444444444"},
	} {
		r := program.Run(t, append(args, "--data", data)...)
		require.Equal(t, 1, r.Code, args)
		require.Contains(t, r.ErrOut, "admitone serve", args)
	}
	r := program.Run(t, "token", "--data", data, "--sub", "44444444-4444-4444-8444-444444444444")
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, "admitone serve")

	// A killed one leaves its address behind.
	program.Serve(t, data).Kill()
	r = program.Run(t, "projections", "--data", data)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, "admitone serve")
}

func TestWrongArguments(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	program.Serve(t, data)
	for _, c := range []struct {
		args  []string
		words string
	}{
		{[]string{"rebuild"}, "--all"},
		{[]string{"rebuild", "--all", "tickets"}, "--all"},
		{[]string{"rebuild", "seats"}, "seats"},
		{[]string{"parked", "show", "tickets", "x"}, "UUID"},
		{[]string{"parked", "show", "tickets", "44444444-4444-4444-8444-444444444444"}, "not parked"},
		{[]string{"parked", "retry", "seats", "44444444-4444-4444-8444-444444444444"}, "seats"},
		{[]string{"token"}, "--sub is required"}, {[]string{"erase"}, "--account is required"},
		{[]string{"token", "--sub", "x"}, "--sub"},
		{[]string{"token", "--sub", "44444444-4444-4444-8444-444444444444", "--role", "king"}, "king"},
	} {
		r := program.Run(t, append(c.args, "--data", data)...)
		require.Equal(t, 1, r.Code, "%v: %s", c.args, r.Out)
		require.Contains(t, r.ErrOut, c.words, c.args)
	}
	r := program.Run(t, "parked", "retry", "tickets", "44444444-4444-4444-8444-444444444444", "--data", data)
	require.Zero(t, r.Code, "nothing parked is no error: %s", r.ErrOut)
}
