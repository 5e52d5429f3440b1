package cql

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/gocql/gocql"
)

// Rows of one partition travel together as an unlogged batch, which the server
// applies as one mutation. The bounds keep it no larger than a large row.
const (
	batchRows  = 20
	batchBytes = 32 << 10
)

// Where there are many statements, some partitions travel together too: a statement
// costs the server more than a row does. Nothing depends on their arriving together.
// The bounds are those beyond which Cassandra warns of a batch.
const (
	batchPartitions      = 10
	batchPartitionsBytes = 5 << 10
	// sideBySide statements are sent before any are put together: few partitions are
	// written sooner side by side.
	sideBySide = 64
)

// batch is mutations sent as one statement.
type batch []*readstore.Mutation

// batchesOf lays out a phase as statements.
func batchesOf(phase []readstore.Mutation) []batch {
	batches := byPartition(phase)
	return together(batches, min(batchPartitions, len(batches)/sideBySide))
}

// together puts up to n partitions' batches into one.
func together(batches []batch, n int) []batch {
	if n < 2 {
		return batches
	}
	var merged []batch
	partitions, bytes := n, 0
	for _, b := range batches {
		size := 0
		for _, m := range b {
			size += sizeOf(m)
		}
		if partitions == n || bytes+size > batchPartitionsBytes {
			merged, partitions, bytes = append(merged, nil), 0, 0
		}
		last := &merged[len(merged)-1]
		*last = append(*last, b...)
		partitions++
		bytes += size
	}
	return merged
}

// byPartition puts a phase's mutations of one partition together. Where a table has
// no clustering columns, each row is a partition.
func byPartition(phase []readstore.Mutation) []batch {
	batches := make([]batch, 0, len(phase))
	open := map[string]int{} // partition → its batch that still has room
	size := map[string]int{}
	var key []byte
	for i := range phase {
		m := &phase[i]
		if len(m.Table.Clustering) == 0 || len(phase) == 1 {
			batches = append(batches, batch{m})
			continue
		}
		key = appendPartition(key[:0], m)
		bytes := sizeOf(m)
		b, ok := open[string(key)]
		if !ok || len(batches[b]) == batchRows || size[string(key)]+bytes > batchBytes {
			b = len(batches)
			batches = append(batches, nil)
			open[string(key)], size[string(key)] = b, 0
		}
		batches[b] = append(batches[b], m)
		size[string(key)] += bytes
	}
	return batches
}

func appendPartition(key []byte, m *readstore.Mutation) []byte {
	key = append(key, m.Table.Name...)
	for _, v := range m.Row[:len(m.Table.Partition)] {
		switch v := v.(type) {
		case string:
			key = append(binary.AppendUvarint(key, uint64(len(v))), v...)
		case int64:
			key = binary.AppendVarint(key, v)
		case time.Time:
			key = binary.AppendVarint(key, v.UnixMilli())
		}
	}
	return key
}

func sizeOf(m *readstore.Mutation) (n int) {
	for _, v := range m.Row {
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		default:
			n += 8
		}
	}
	return n
}

func (s *Store) send(ctx context.Context, l *link, b batch, texts map[kind]string) error {
	if len(b) == 1 {
		return l.data.Query(texts[kindOf(b[0])], arguments(b[0])...).WithContext(ctx).Exec()
	}
	together := l.data.NewBatch(gocql.UnloggedBatch).WithContext(ctx)
	for _, m := range b {
		together.Entries = append(together.Entries, gocql.BatchEntry{Stmt: texts[kindOf(m)], Args: arguments(m), Idempotent: true})
	}
	return l.data.ExecuteBatch(together)
}
