package readapi

import (
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

var (
	ours     = cursors{key: []byte("0123456789abcdef0123456789abcdef")}
	position = readstore.Position{At: time.UnixMilli(1_760_000_000_123).UTC(), ID: "0190a6b0-7c3e-7d4f-8a5b-6c7d8e9f0a1b"}
)

func TestCursorComesBack(t *testing.T) {
	sealed := ours.seal(3, "tickets//available", position)
	require.Regexp(t, `^[A-Za-z0-9_-]+$`, sealed)
	got, err := ours.open(sealed, 3, "tickets//available")
	require.NoError(t, err)
	require.Equal(t, position, *got)

	first, err := ours.open("", 3, "tickets//available")
	require.NoError(t, err)
	require.Nil(t, first)
}

func TestCursorIsRefused(t *testing.T) {
	sealed := ours.seal(3, "q", position)
	theirs := cursors{key: []byte("another key of thirty-two bytes!")}
	last := sealed[len(sealed)-1:]
	for name, c := range map[string]struct {
		cursor   string
		revision int
		query    string
	}{
		"another query":    {sealed, 3, "other"},
		"another revision": {sealed, 4, "q"},
		"another key":      {theirs.seal(3, "q", position), 3, "q"},
		"cut":              {sealed[:len(sealed)-4], 3, "q"},
		"only a signature": {sealed[:43], 3, "q"},
		"padding":          {sealed + "=", 3, "q"},
		"longer":           {sealed + "AAAA", 3, "q"},
		"no base64":        {"%%%", 3, "q"},
		"white space":      {sealed + "\n", 3, "q"},
		"a bit more":       {strings.TrimSuffix(sealed, last) + string(last[0]+1), 3, "q"},
	} {
		_, err := ours.open(c.cursor, c.revision, c.query)
		var malformed *api.MalformedError
		require.ErrorAs(t, err, &malformed, name)
		require.Equal(t, "invalid_cursor", malformed.Code, name)
	}
}

func FuzzCursor(f *testing.F) {
	valid := ours.seal(1, "q", position)
	f.Add(valid)
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		got, err := ours.open(cursor, 1, "q")
		switch {
		case err != nil:
			var malformed *api.MalformedError
			require.ErrorAs(t, err, &malformed)
		case cursor == "":
			require.Nil(t, got)
		default:
			require.Equal(t, valid, cursor, "only what was given out is taken")
		}
	})
}
