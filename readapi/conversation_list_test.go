package readapi

import (
	"testing"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/stretchr/testify/require"
)

func TestSinceEndsTheListsByOpening(t *testing.T) {
	t.Parallel()
	before, after := readstore.Position{At: march.Add(-time.Hour)}, readstore.Position{At: march}
	require.True(t, conversationQuery{since: march}.endsBefore(before))
	require.False(t, conversationQuery{since: march}.endsBefore(after))
	require.False(t, conversationQuery{since: march}.endsBefore(readstore.Position{Bucket: "2026-03"}), "the end of a bucket tells no time")
	require.False(t, conversationQuery{}.endsBefore(before))
	require.False(t, conversationQuery{since: march, status: "waiting"}.endsBefore(before), "that list is by waiting")
	require.True(t, conversationQuery{since: march, status: "closed"}.endsBefore(before))
}
