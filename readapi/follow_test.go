package readapi

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whoever follows does not keep the program from ending.
func TestEndOfWaits(t *testing.T) {
	t.Parallel()
	u, err := NewConversationUpdates(nil, nil, ours.key)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	more := make(chan bool, 1)
	go func() { more <- u.await(ctx, nil, nil, nil) }()
	u.EndWaits()
	u.EndWaits()
	require.False(t, <-more)
	require.NoError(t, ctx.Err(), "it waited until its own end")
	_, err = NewConversationUpdates(nil, nil, ours.key[:15])
	require.ErrorContains(t, err, "shorter")
}
