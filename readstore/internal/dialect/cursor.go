package dialect

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/admitone/admitone/readstore"
)

// A cursor is the last row's clustering key behind a checksum that binds it to
// key columns, partition and direction, but not to the table's name: it goes on
// in the next generation of a table. It is no secret: one forged well can begin
// elsewhere in the same partition, nothing else.
func encodeCursor(t *readstore.Table, q readstore.Query, last readstore.Row) string {
	key := appendKey(nil, readstore.Key(last[len(t.Partition):t.KeyLen()]))
	raw := binary.BigEndian.AppendUint32(nil, checksum(t, q, key))
	return base64.RawURLEncoding.EncodeToString(append(raw, key...))
}

func decodeCursor(t *readstore.Table, q readstore.Query) (readstore.Key, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(q.Cursor)
	// The decoder passes over line breaks.
	if err != nil || strings.ContainsAny(q.Cursor, "\r\n") || len(raw) < 4 || binary.BigEndian.Uint32(raw) != checksum(t, q, raw[4:]) {
		return nil, fmt.Errorf("readstore: table %s: %w", t.Name, readstore.ErrBadCursor)
	}
	key, rest := readstore.Key{}, raw[4:]
	for _, c := range t.Clustering {
		v, n := valueOf(c.Type, rest)
		if n <= 0 {
			break
		}
		key, rest = append(key, v), rest[n:]
	}
	if len(rest) > 0 || len(key) != len(t.Clustering) || readstore.CheckKey(t, append(q.Partition[:len(q.Partition):len(q.Partition)], key...)) != nil {
		return nil, fmt.Errorf("readstore: table %s: %w", t.Name, readstore.ErrBadCursor)
	}
	return key, nil
}

func checksum(t *readstore.Table, q readstore.Query, key []byte) uint32 {
	b := fmt.Appendf(nil, "%v %v %v ", t.Partition, t.Clustering, q.Reverse)
	b = appendKey(b, q.Partition)
	return crc32.ChecksumIEEE(append(b, key...))
}

func appendKey(b []byte, key readstore.Key) []byte {
	for _, v := range key {
		switch v := v.(type) {
		case string:
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		case int64:
			b = binary.AppendVarint(b, v)
		case time.Time:
			b = binary.AppendVarint(b, v.UnixMilli())
		}
	}
	return b
}

// valueOf reads one value and says how many bytes it took, 0 or less if none is there.
func valueOf(typ readstore.Type, b []byte) (any, int) {
	if typ == readstore.Text {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, 0
		}
		return string(b[n : n+int(size)]), n + int(size)
	}
	v, n := binary.Varint(b)
	if typ == readstore.Time {
		return time.UnixMilli(v).UTC(), n
	}
	return v, n
}
