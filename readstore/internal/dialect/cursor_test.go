package dialect

import (
	"testing"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

var table = &readstore.Table{
	Name:      "fuzzed",
	Partition: []readstore.Column{{Name: "p", Type: readstore.Text}, {Name: "n", Type: readstore.Int}},
	Clustering: []readstore.Column{
		{Name: "at", Type: readstore.Time, Desc: true}, {Name: "id", Type: readstore.Text}, {Name: "i", Type: readstore.Int},
	},
}

// FuzzCursor: whatever is decoded is encoded back to the same text, and nothing panics.
func FuzzCursor(f *testing.F) {
	q := readstore.Query{Partition: readstore.Key{"p", int64(1)}, Limit: 1}
	f.Add(encodeCursor(table, q, readstore.Row{"p", int64(1), time.UnixMilli(5), "id", int64(-1)}))
	f.Add("")
	f.Add("AAAAAAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		q.Cursor = cursor
		key, err := decodeCursor(table, q)
		if err != nil {
			require.ErrorIs(t, err, readstore.ErrBadCursor)
			return
		}
		require.Equal(t, cursor, encodeCursor(table, q, append(readstore.Row{"p", int64(1)}, key...)))
	})
}

// FuzzKey reads keys without the checksum, which keeps a fuzzer from getting far.
func FuzzKey(f *testing.F) {
	f.Add(appendKey(nil, readstore.Key{time.UnixMilli(5), "id", int64(-1)}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, c := range table.Clustering {
			v, n := valueOf(c.Type, raw)
			if n <= 0 {
				return
			}
			require.LessOrEqual(t, n, len(raw))
			again, _ := valueOf(c.Type, appendKey(nil, readstore.Key{v}))
			require.Equal(t, v, again)
			raw = raw[n:]
		}
	})
}
