package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// proof keeps the long tests to "make proof".
func proof(t testing.TB) {
	t.Helper()
	if os.Getenv("ADMITONE_PROOF") == "" {
		t.Skip("a long test: make proof runs it")
	}
}

// dataDir is an empty place for a data directory.
func dataDir(t testing.TB) string { return filepath.Join(t.TempDir(), "data") }

// seller is a client of a new account with the role user.
func seller(t testing.TB, data string) *blackbox.Client {
	t.Helper()
	return blackbox.NewClient(t, data, program.Token(t, data, uuid.NewString(), "user"))
}

// operator is a client with the role admin.
func operator(t testing.TB, data string) *blackbox.Client {
	t.Helper()
	return blackbox.NewClient(t, data, program.Token(t, data, uuid.NewString(), "admin"))
}

// list puts n tickets up for sale and returns their ids once the last is readable.
func list(t testing.TB, c *blackbox.Client, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		a := c.Do(t, "POST", "/v1/tickets", blackbox.Offer(fmt.Sprint("Seat ", i), 100+int64(i)))
		require.Equal(t, 201, a.Status, a)
		ids = append(ids, ticketOf(t, a).ID)
		token := a.Header.Get("Consistency-Token")
		a = c.Do(t, "GET", "/v1/tickets/"+ids[i], "", "Consistency-Token", token, "Prefer", "wait=10")
		require.Equal(t, 200, a.Status, a)
	}
	return ids
}

func ticketOf(t testing.TB, a blackbox.Answer) blackbox.Ticket {
	t.Helper()
	ticket, err := a.Ticket()
	require.NoError(t, err)
	return ticket
}

// requireSound has the running server verify itself.
func requireSound(t testing.TB, data string) {
	t.Helper()
	// What is under way at this moment is admitted within the time that a query may wait.
	r := program.Run(t, "verify", "--data", data)
	require.Zero(t, r.Code, "%s%s", r.Out, r.ErrOut)
	require.Contains(t, r.Out, ": 0 errors")
}

// copyTree copies files and folders to a place that is not there yet.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	require.NoError(t, os.CopyFS(to, os.DirFS(from).(fs.ReadDirFS)))
}

// replaceTree puts a copy in the place of a tree.
func replaceTree(t testing.TB, from, to string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(to))
	copyTree(t, from, to)
}

// eventually waits for a condition that another process brings about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	within(t, time.Minute, what, holds)
}

// within is eventually for what may take longer.
func within(t testing.TB, d time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(d); !holds(); time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "it does not come about: %s", what)
	}
}
