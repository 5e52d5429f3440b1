package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/admitone/admitone/readstore/storetest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(sqlite.Config{Path: filepath.Join(t.TempDir(), "read model?.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) readstore.Store { return open(t) })
}

func TestRowsOutliveTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.db")
	for n := int64(1); n <= 3; n++ {
		store, err := sqlite.Open(sqlite.Config{Path: path})
		require.NoError(t, err)
		require.NoError(t, store.Ensure(t.Context(), tickets))
		rows, err := store.Get(t.Context(), tickets, readstore.Key{"a"})
		require.NoError(t, err)
		if n > 1 {
			require.Equal(t, n-1, rows[0][1])
		}
		row := readstore.Row{"a", n, "title", "seller", int64(5)}
		require.NoError(t, store.Write(t.Context(), []readstore.Mutation{{Table: tickets, Row: row, Timestamp: n}}))
		require.NoError(t, store.Close())
	}
}

func TestWritesAreInTheFiles(t *testing.T) {
	// What a commit leaves in the log file is there for who opens a copy of both
	// files, as after a kill: nothing waits in the process.
	dir, copied := t.TempDir(), t.TempDir()
	store, err := sqlite.Open(sqlite.Config{Path: filepath.Join(dir, "a.db")})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	require.NoError(t, store.Ensure(t.Context(), tickets))
	row := readstore.Row{"a", int64(7), "title", "seller", int64(5)}
	require.NoError(t, store.Write(t.Context(), []readstore.Mutation{{Table: tickets, Row: row, Timestamp: 1}}))
	for _, name := range []string{"a.db", "a.db-wal"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode(), name)
		content, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(copied, name), content, 0o600))
	}
	again, err := sqlite.Open(sqlite.Config{Path: filepath.Join(copied, "a.db")})
	require.NoError(t, err)
	defer func() { require.NoError(t, again.Close()) }()
	rows, err := again.Get(t.Context(), tickets, readstore.Key{"a"})
	require.NoError(t, err)
	require.Equal(t, row, rows[0])
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	_, err := sqlite.Open(sqlite.Config{})
	require.ErrorContains(t, err, "path is empty")

	_, err = sqlite.Open(sqlite.Config{Path: filepath.Join(dir, "none", "a.db")})
	require.ErrorContains(t, err, "check that its folder exists")

	text := filepath.Join(dir, "text.db")
	require.NoError(t, os.WriteFile(text, []byte("this is no database, however long one reads in it ..................."), 0o600))
	_, err = sqlite.Open(sqlite.Config{Path: text})
	require.ErrorContains(t, err, text)
	require.ErrorContains(t, err, "damaged or no SQLite database")
}

func TestDamageIsSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	store, err := sqlite.Open(sqlite.Config{Path: path})
	require.NoError(t, err)
	require.NoError(t, store.Ensure(t.Context(), tickets))
	var rows []readstore.Mutation
	for i := range int64(3000) {
		rows = append(rows, mutation(3*i))
	}
	require.NoError(t, store.Write(t.Context(), rows))
	require.NoError(t, store.Close())

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 2 * 4096; i < len(content); i++ {
		content[i] = 0xa5
	}
	require.NoError(t, os.WriteFile(path, content, 0o600))
	store, err = sqlite.Open(sqlite.Config{Path: path})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	err = store.Scan(t.Context(), tickets, func(readstore.Row) error { return nil })
	require.ErrorContains(t, err, "rebuild the projections")
}

func TestAnotherProcessHoldsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	store, err := sqlite.Open(sqlite.Config{Path: path})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	require.NoError(t, store.Ensure(t.Context(), tickets))

	other, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	conn, err := other.Conn(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
	require.NoError(t, err)

	err = store.Write(t.Context(), []readstore.Mutation{mutation(0)})
	require.ErrorIs(t, err, readstore.ErrUnavailable)
	require.ErrorContains(t, err, "another process holds the file")
	_, err = store.Get(t.Context(), tickets, readstore.Key{"a"})
	require.NoError(t, err, "reads go on")

	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, store.Write(t.Context(), []readstore.Mutation{mutation(0)}))
}
