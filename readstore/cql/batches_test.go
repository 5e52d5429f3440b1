package cql

import (
	"strings"
	"testing"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	rows = &readstore.Table{
		Name: "rows", Partition: []readstore.Column{{Name: "id", Type: readstore.Int}}, Values: []readstore.Column{{Name: "text", Type: readstore.Text}},
	}
	lists = &readstore.Table{
		Name: "lists", Partition: []readstore.Column{{Name: "shard", Type: readstore.Int}},
		Clustering: []readstore.Column{{Name: "id", Type: readstore.Int}}, Values: rows.Values,
	}
)

// Whatever is written, each mutation is in one statement, and no statement is larger
// than the server likes.
func TestEachMutationIsInOneStatement(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Repeat("x", rapid.SampledFrom([]int{0, 10, 500, 3000, 40_000}).Draw(t, "size"))
		var phase []readstore.Mutation
		for i := range rapid.IntRange(0, 1500).Draw(t, "rows") {
			phase = append(phase, readstore.Mutation{Table: rows, Row: readstore.Row{int64(i), text}})
		}
		for i := range rapid.IntRange(0, 1500).Draw(t, "listed") {
			phase = append(phase, readstore.Mutation{Table: lists, Row: readstore.Row{int64(i % 700), int64(i), text}})
		}
		sent := map[*readstore.Mutation]bool{}
		for _, b := range batchesOf(phase) {
			require.NotEmpty(t, b)
			requireBounded(t, b)
			for _, m := range b {
				require.False(t, sent[m], "sent once")
				sent[m] = true
			}
		}
		require.Len(t, sent, len(phase))
	})
}

func requireBounded(t *rapid.T, b batch) {
	partitions, bytes := map[string]bool{}, 0
	for _, m := range b {
		partitions[string(appendPartition(nil, m))] = true
		bytes += sizeOf(m)
	}
	require.LessOrEqual(t, len(partitions), batchPartitions)
	switch {
	case len(b) == 1:
	case len(partitions) == 1:
		require.LessOrEqual(t, bytes, batchBytes)
	default:
		require.LessOrEqual(t, bytes, batchPartitionsBytes)
	}
}

func TestFewRowsAreWrittenSideBySide(t *testing.T) {
	t.Parallel()
	for n, statements := range map[int]int{1: 1, 100: 100, 127: 127, 128: 64, 640: 64, 2048: 205} {
		phase := make([]readstore.Mutation, n)
		for i := range phase {
			phase[i] = readstore.Mutation{Table: rows, Row: readstore.Row{int64(i), "a text"}}
		}
		require.Len(t, batchesOf(phase), statements, "%d rows", n)
	}
}
