package sealed_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestTextOnTheWire(t *testing.T) {
	t.Parallel()
	key := &sealed.Key{1}
	s, err := key.Seal(field(t), "hello")
	require.NoError(t, err)
	body, err := json.Marshal(s)
	require.NoError(t, err)
	require.Regexp(t, `^\{"sealed":"[A-Za-z0-9_-]+"\}$`, string(body))
	raw, err := base64.RawURLEncoding.DecodeString(s.Sealed)
	require.NoError(t, err)
	require.Len(t, raw, 24+len("hello")+16)
}

func TestTextOpensInItsFieldOnly(t *testing.T) {
	t.Parallel()
	key, f := &sealed.Key{1}, field(t)
	s, err := key.Seal(f, "hello")
	require.NoError(t, err)
	elsewhere, renamed := f, f
	elsewhere.Aggregate = uuid.New()
	renamed.Name = "other"
	for _, wrong := range []sealed.Field{elsewhere, renamed} {
		_, err := key.Open(wrong, s)
		require.ErrorIs(t, err, sealed.ErrInvalid)
	}
	_, err = (&sealed.Key{2}).Open(f, s)
	require.ErrorIs(t, err, sealed.ErrInvalid)
}

func TestSameTextSealsDifferently(t *testing.T) {
	t.Parallel()
	key, f := &sealed.Key{1}, field(t)
	one, err := key.Seal(f, "hello")
	require.NoError(t, err)
	two, err := key.Seal(f, "hello")
	require.NoError(t, err)
	require.NotEqual(t, one, two)
}

// The same bytes in other letters: spare bits of the last one, a line break.
func TestTextHasOneSpelling(t *testing.T) {
	t.Parallel()
	key, f := &sealed.Key{1}, field(t)
	s, err := key.Seal(f, "1234") // 44 bytes leave two spare bits
	require.NoError(t, err)
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	end := len(s.Sealed) - 1
	spare := s.Sealed[:end] + string(letters[strings.IndexByte(letters, s.Sealed[end])+1])
	for _, other := range []string{spare, s.Sealed + "\n", "\r" + s.Sealed, s.Sealed + "="} {
		_, err := key.Open(f, sealed.Text{Sealed: other})
		require.ErrorIs(t, err, sealed.ErrInvalid, "%q", other)
	}
}

func FuzzSealRoundTrip(f *testing.F) {
	for _, text := range []string{"", "hello", "\x00\xff", "\u202e\x1b[31m<b>", strings.Repeat("😀", 4000)} {
		f.Add(text, "note")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		where := sealed.Field{Aggregate: uuid.UUID{7}, Name: name}
		key := &sealed.Key{1}
		s, err := key.Seal(where, text)
		require.NoError(t, err)
		opened, err := key.Open(where, s)
		require.NoError(t, err)
		require.Equal(t, text, opened)
	})
}

// FuzzOpen: nobody without the key makes a value that opens.
func FuzzOpen(f *testing.F) {
	where := sealed.Field{Aggregate: uuid.UUID{7}, Name: "note"}
	genuine := sealed.Text{Sealed: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"}
	for _, s := range []string{"", "=", "A", genuine.Sealed, genuine.Sealed + "AAAAAAAAAAAAAAAAAAAAAA", "AA\nAA", strings.Repeat("_", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, hostile string) {
		text, err := (&sealed.Key{1}).Open(where, sealed.Text{Sealed: hostile})
		require.ErrorIs(t, err, sealed.ErrInvalid)
		require.Empty(t, text)
	})
}

// FuzzOpenChanged: a genuine value with anything changed does not open.
func FuzzOpenChanged(f *testing.F) {
	f.Add(0, byte('x'))
	f.Add(30, byte('\n'))
	f.Add(60, byte('='))
	where := sealed.Field{Aggregate: uuid.UUID{7}, Name: "note"}
	f.Fuzz(func(t *testing.T, at int, with byte) {
		key := &sealed.Key{1}
		s, err := key.Seal(where, "hello")
		require.NoError(t, err)
		changed := []byte(s.Sealed)
		changed[uint(at)%uint(len(changed))] = with
		if string(changed) == s.Sealed {
			t.Skip("it is the same")
		}
		_, err = key.Open(where, sealed.Text{Sealed: string(changed)})
		require.ErrorIs(t, err, sealed.ErrInvalid)
	})
}
